"""The beating heart as a scanner sees it: cavities, muscle, trabeculae, vessels, fat."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from opencmr.simulate.body import capsule_distance, cover, ellipsoid_distance, paint
from opencmr.simulate.heart import RV_APEX_SHARE, HeartShape, radial_modulation
from opencmr.simulate.texture import CosineField, cosine_field

ATRIAL_ROOF_MM = 54.0
"""Height of the left atrium's roof over the end-diastolic valve plane."""
PAPILLARY_DEG = (112.0, -118.0)
"""Angles of the anterolateral and the posteromedial papillary muscle, from the septum."""
LEFT_WALL = "left wall"
"""Signal of the LV's wall, which may vary in space, where it is not that of all myocardium."""
MAX_REACH_MM = 118.0
"""Everything that beats lies within this distance of the LV's middle."""


@dataclass(frozen=True)
class HeartTexture:
    """The irregularities of one heart."""

    trabeculae: CosineField
    fat: CosineField
    muscle: CosineField
    flow: tuple[CosineField, CosineField]


def heart_texture(random: np.random.Generator) -> HeartTexture:
    """Draw the irregularities of a heart."""
    return HeartTexture(
        cosine_field(random, 9.5, 14),
        cosine_field(random, 55.0, 8),
        cosine_field(random, 9.0, 8),
        (cosine_field(random, 26.0, 8), cosine_field(random, 19.0, 8)),
    )


@dataclass(frozen=True)
class PaintedHeart:
    """One phase of one slice.

    Attributes
    ----------
    signal : (S, Y, X) float32
    rv, myocardium, lv : (S, Y, X) float32
        Share of each voxel that the structure truly fills.
    """

    signal: np.ndarray
    rv: np.ndarray
    myocardium: np.ndarray
    lv: np.ndarray


class HeartPainter:
    """Paints every phase of one slice; what does not change over the beat is kept.

    Parameters
    ----------
    position_mm : (3, S, Y, X) float32
        Heart coordinates of the points.
    room : (S, Y, X) float32
        Where the heart's fat may lie.
    signals : mapping from tissue to signal
        Or to arrays that go with ``(S, Y, X)``, as for :func:`~opencmr.simulate.body.paint_body`.
    """

    def __init__(
        self,
        position_mm: np.ndarray,
        room: np.ndarray,
        texture: HeartTexture,
        signals: Mapping[str, np.ndarray | float],
        pixel_mm: float,
    ) -> None:
        self._position = position_mm
        self._room = room
        self._texture = texture
        self._signals = signals
        self._pixel_mm = pixel_mm
        x, y, self._z = position_mm
        self._r = np.sqrt(x * x + y * y)
        safe = np.maximum(self._r, 1e-6)
        self._cosine, self._sine = x / safe, y / safe
        self._theta = np.arctan2(y, x)
        self._trabeculae = texture.trabeculae.at(position_mm)
        self._modulation = radial_modulation(self._cosine, self._sine)
        self._rounded = self._r / self._modulation
        self._fat = np.clip(texture.fat.at(position_mm), -1, 2)
        self._muscle = 1 + 0.03 * texture.muscle.at(position_mm)
        self._flow = tuple(field.at(position_mm) for field in texture.flow)

    def paint(self, shape: HeartShape, background: np.ndarray, share: float) -> PaintedHeart:
        """Paint the heart over the still chest.

        Parameters
        ----------
        background : (S, Y, X) float32
        share : float
            Where in the heartbeat, 0 to 1: turns the flow's pattern.
        """
        distances = self._distances(shape)
        atria = self._atria(shape)
        canvas = background.copy()
        turn = 2 * np.pi * share
        flow = np.cos(turn) * self._flow[0] + np.sin(turn) * self._flow[1]
        self._paint_fat(canvas, self._outline(shape, distances, atria))
        self._paint_atria_and_vessels(canvas, atria, flow)
        self._paint_right_ventricle(canvas, shape, distances, flow)
        self._paint_left_ventricle(canvas, shape, distances, flow)
        endo = self._cover(np.maximum(distances.endo, distances.base))
        epi = self._cover(np.maximum(distances.epi, distances.base))
        beside_lv = np.maximum(self._cover(distances.rv) - self._cover(distances.epi), 0)
        rv = beside_lv * self._cover(distances.rv_top)
        return PaintedHeart(canvas, rv, np.maximum(epi - endo, 0), endo)

    def _cover(self, distance_mm: np.ndarray) -> np.ndarray:
        return cover(distance_mm, self._pixel_mm)

    def _distances(self, shape: HeartShape) -> "_Distances":
        modulation, radius = self._modulation, self._rounded
        height = self._z - np.float32(shape.centre_mm)
        epi = _spheroid_distance(radius, height, shape.epi_radius_mm, shape.epi_half_axis_mm)
        endo = _spheroid_distance(radius, height, shape.endo_radius_mm, shape.endo_half_axis_mm)
        outline = shape.epi_radius_at(self._z).astype(np.float32) * modulation
        profile = shape.rv_profile(self._theta, self._z).astype(np.float32)
        rv = self._r - outline - np.float32(shape.rv_depth_mm) * profile
        slopes = np.gradient(rv, np.float32(self._pixel_mm), axis=(-2, -1))
        near = np.clip(1.4 - np.abs(rv) / 10, 0, 1)
        steep = 1 + near * (np.clip(np.hypot(*slopes), 0.6, 6) - 1)
        return _Distances(
            epi=epi,
            endo=endo,
            base=self._z - np.float32(shape.base_mm),
            rv=rv / steep,
            rv_top=self._z - shape.rv_top_mm(self._sine).astype(np.float32),
            rv_profile=profile,
            radius=radius,
        )

    def reach(self, shape: HeartShape) -> np.ndarray:
        """Return the signed distance ``(S, Y, X)`` to the whole heart with its vessels."""
        return self._outline(shape, self._distances(shape), self._atria(shape))

    def _outline(self, shape: HeartShape, distances: "_Distances", atria: "_Atria") -> np.ndarray:
        """Muscle, atria and vessels in one, the grooves between them filled."""
        muscle = np.maximum(distances.epi, distances.base)
        heart = _smooth_union(muscle, self._right_wall(shape, distances), 11.0)
        heart = _smooth_union(heart, np.minimum(atria.left, atria.right), 14.0)
        return _smooth_union(heart, np.minimum(atria.aorta, atria.trunk), 8.0)

    def _paint_fat(self, canvas: np.ndarray, outline: np.ndarray) -> None:
        beside_rv = np.clip(self._position[0] / 40, 0, 1)
        thickness = -0.4 + 1.3 * self._fat + 2.6 * beside_rv * (1 + 0.5 * self._fat)
        covered = self._cover(outline - thickness) * self._room
        paint(canvas, covered, self._signals["fat"])

    def _atria(self, shape: HeartShape) -> "_Atria":
        aorta, trunk, caval = self._tubes(shape)
        return _Atria(
            left=self._left_atrium(shape),
            right=np.minimum(self._right_atrium(shape), caval),
            aorta=aorta,
            trunk=trunk,
        )

    def _left_atrium(self, shape: HeartShape) -> np.ndarray:
        roof = shape.parameters.long_axis_mm + ATRIAL_ROOF_MM * shape.parameters.atrial_size
        middle = shape.base_mm + 0.4 * (roof - shape.base_mm)
        full = _atrial_size(shape, shape.filling)
        atrium = ellipsoid_distance(
            self._position,
            (-7.0, -19.0, middle),
            (37 * full, 29 * full, roof - middle),
        )
        return np.asarray(np.maximum(atrium + 4.5 * self._fat, shape.base_mm - self._z))

    def _right_atrium(self, shape: HeartShape) -> np.ndarray:
        roof = shape.parameters.long_axis_mm + (ATRIAL_ROOF_MM - 6) * shape.parameters.atrial_size
        middle = shape.base_mm + 0.35 * (roof - shape.base_mm)
        full = _atrial_size(shape, shape.rv_filling)
        atrium = ellipsoid_distance(
            self._position,
            (47.0, -15.0, middle),
            (28 * full, 39 * full, roof - middle),
        )
        top = shape.rv_top_mm(self._sine).astype(np.float32)
        return np.asarray(np.maximum(atrium - 4.5 * self._fat, top - self._z))

    def _tubes(self, shape: HeartShape) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Signed distances of the lumina: aorta, pulmonary trunk, caval veins."""
        base = shape.base_mm
        still = shape.parameters.long_axis_mm
        p = self._position
        aorta = np.minimum(
            capsule_distance(p, (13.0, 12.0, base + 6), (16.0, 26.0, still + 34), 13.5),
            capsule_distance(p, (16.0, 26.0, still + 34), (24.0, 84.0, still + 62), 13.0),
        )
        trunk = np.minimum(
            capsule_distance(p, (36.0, 33.0, base + 4), (14.0, 50.0, still + 30), 13.0),
            capsule_distance(p, (14.0, 50.0, still + 30), (-14.0, 44.0, still + 62), 11.5),
        )
        caval = np.minimum(
            capsule_distance(p, (48.0, 4.0, still + 34), (52.0, 84.0, still + 66), 9.5),
            capsule_distance(p, (46.0, -34.0, still + 22), (30.0, -110.0, still - 2), 11.0),
        )
        return aorta, trunk, caval

    def _paint_atria_and_vessels(
        self, canvas: np.ndarray, atria: "_Atria", flow: np.ndarray
    ) -> None:
        mixing = 1 + 0.1 * flow
        chambers = [
            ("venous blood", atria.right, 1.2),
            ("blood", atria.left, 1.2),
            ("venous blood", atria.trunk, 1.5),
            ("blood", atria.aorta, 1.5),
        ]
        for blood, chamber, wall_mm in chambers:
            paint(canvas, self._cover(chamber - wall_mm), self._signals["vessel wall"])
            paint(canvas, self._cover(chamber), self._signals[blood] * mixing)

    def _right_wall(self, shape: HeartShape, distances: "_Distances") -> np.ndarray:
        """Cavity and free wall: no wall where there is no cavity under it."""
        wall_mm = np.float32(shape.rv_wall_mm) * np.minimum(4 * distances.rv_profile, 1)
        outside = np.maximum(distances.rv - wall_mm, distances.rv_top - 1.2)
        return np.asarray(
            np.maximum(outside, np.float32(RV_APEX_SHARE * shape.base_mm - 2) - self._z)
        )

    def _paint_right_ventricle(
        self, canvas: np.ndarray, shape: HeartShape, distances: "_Distances", flow: np.ndarray
    ) -> None:
        muscle = self._signals["myocardium"] * self._muscle
        paint(canvas, self._cover(self._right_wall(shape, distances)), muscle)
        cavity = np.maximum(distances.rv, distances.rv_top)
        blood = self._signals["venous blood"] * (1 + 0.07 * flow)
        inside = self._cover(cavity)
        paint(canvas, inside, blood)
        apex = RV_APEX_SHARE * shape.base_mm
        height = np.clip((self._z - apex) / (shape.base_mm - apex), 0, 1)
        mesh = self._mesh(-distances.rv, 3.0 + 9.0 * (1 - height))
        paint(canvas, 0.7 * inside * mesh, muscle)
        band = capsule_distance(
            self._position,
            (shape.epi_radius_mm * 0.9, -4.0, 0.42 * shape.base_mm),
            (shape.epi_radius_mm + shape.rv_depth_mm * 0.8, 12.0, 0.33 * shape.base_mm),
            2.6,
        )
        paint(canvas, inside * self._cover(band), muscle)
        if shape.rv_filling < 0.97:
            return
        paint(canvas, 0.5 * self._cover(np.abs(distances.rv_top) - 0.6) * inside, muscle)

    def _paint_left_ventricle(
        self, canvas: np.ndarray, shape: HeartShape, distances: "_Distances", flow: np.ndarray
    ) -> None:
        muscle = self._signals["myocardium"] * self._muscle
        wall = self._cover(np.maximum(distances.epi, distances.base))
        paint(
            canvas, wall, self._signals.get(LEFT_WALL, self._signals["myocardium"]) * self._muscle
        )
        blood = self._signals["blood"] * (1 + 0.06 * flow)
        inside = self._cover(np.maximum(distances.endo, distances.base))
        paint(canvas, inside, blood)
        self._paint_trabeculae(canvas, shape, distances, inside, muscle)
        self._paint_mitral_valve(canvas, shape, distances)

    def _paint_trabeculae(
        self,
        canvas: np.ndarray,
        shape: HeartShape,
        distances: "_Distances",
        inside: np.ndarray,
        muscle: np.ndarray,
    ) -> None:
        height = np.clip(self._z / np.float32(shape.base_mm), 0, 1)
        turn_deg = shape.parameters.twist_deg * (1 - shape.filling)
        reach_mm = 1.5 + 8.5 * np.clip(1.25 - 1.4 * height, 0, 1)
        paint(canvas, 0.8 * inside * self._mesh(-distances.endo, reach_mm), muscle)
        for angle_deg in PAPILLARY_DEG:
            pillar = self._papillary(shape, np.deg2rad(angle_deg + 0.4 * turn_deg))
            paint(canvas, inside * self._cover(pillar), muscle)

    def _papillary(self, shape: HeartShape, angle: float) -> np.ndarray:
        radius_mm = shape.parameters.papillary_radius_mm * (1 + 0.15 * (1 - shape.filling))
        ends = []
        for height, gap in ((0.30, 0.2), (0.66, 1.0)):
            z = height * shape.base_mm
            share = (z - shape.centre_mm) / shape.endo_half_axis_mm
            wall = shape.endo_radius_mm * np.sqrt(max(1 - share**2, 0))
            offset = max(wall - radius_mm * gap - 1.5 * gap, 0)
            ends.append((float(offset * np.cos(angle)), float(offset * np.sin(angle)), z))
        pillar = capsule_distance(self._position, ends[0], ends[1], radius_mm)
        return np.asarray(pillar + 0.8 * self._fat)

    def _mesh(self, depth_mm: np.ndarray, reach_mm: np.ndarray) -> np.ndarray:
        """Trabeculae: a spongy layer on the wall, thinning out inwards over ``reach_mm``."""
        return np.asarray(np.clip(0.75 + 0.6 * self._trabeculae - 2 * depth_mm / reach_mm, 0, 1))

    def _paint_mitral_valve(
        self, canvas: np.ndarray, shape: HeartShape, distances: "_Distances"
    ) -> None:
        """Leaflets: closed across the annulus near end-diastole and in systole, else a funnel."""
        annulus = shape.endo_radius_mm * 0.86
        below = -distances.base
        if shape.filling > 0.97 or shape.filling < 0.6:
            leaflet = np.abs(below - 0.22 * (annulus - distances.radius)) - 0.7
        else:
            leaflet = np.abs(distances.radius - annulus + 0.5 * below) * 0.9 - 0.7
            leaflet = np.maximum(leaflet, np.maximum(-below, below - 15))
        leaflet = np.maximum(leaflet, distances.radius - annulus)
        paint(canvas, 0.6 * self._cover(leaflet), self._signals["vessel wall"])


@dataclass(frozen=True)
class _Distances:
    """Signed distances in mm, negative inside or below; ``radius`` is freed of the outline."""

    epi: np.ndarray
    endo: np.ndarray
    base: np.ndarray
    rv: np.ndarray
    rv_top: np.ndarray
    rv_profile: np.ndarray
    radius: np.ndarray


@dataclass(frozen=True)
class _Atria:
    """Signed distances in mm of atria (the right one with its veins) and great arteries."""

    left: np.ndarray
    right: np.ndarray
    aorta: np.ndarray
    trunk: np.ndarray


def _atrial_size(shape: HeartShape, filling: float) -> float:
    """Return how wide an atrium is over the usual one at end-diastole of its ventricle."""
    heart = shape.parameters
    return heart.atrial_size * (1 + heart.atrial_filling_percent / 100 * (1 - filling))


def _spheroid_distance(
    radius: np.ndarray, height: np.ndarray, across_mm: float, along_mm: float
) -> np.ndarray:
    across, along = radius / np.float32(across_mm), height / np.float32(along_mm)
    root = np.sqrt(across * across + along * along)
    slope = np.sqrt(np.square(across / across_mm) + np.square(along / along_mm))
    return np.asarray(root * (root - 1) / np.maximum(slope, np.float32(1e-6)))


def _smooth_union(first: np.ndarray, second: np.ndarray, width_mm: float) -> np.ndarray:
    """Join two bodies and fill the groove between them, ``width_mm`` wide."""
    blend = np.maximum(width_mm - np.abs(first - second), 0) / np.float32(width_mm)
    return np.asarray(np.minimum(first, second) - blend * blend * np.float32(width_mm / 4))
