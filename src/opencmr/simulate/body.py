"""The chest around the heart: what does not beat.

Signed distances in mm, negative inside; every body is painted over what lies behind it, with
an edge one pixel wide.  Positions are LPS in mm, the origin between heart and spine.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from opencmr.simulate.heart import HeartParameters, heart_shape
from opencmr.simulate.texture import CosineField, cosine_field, tubes

APEX_DIRECTION = (0.68, -0.60, -0.42)
"""Where the LV's apex points: left, anterior, inferior (plausible; 7 degrees from the short-axis
normal of Sunnybrook's SC-HF-I-1)."""
ROLL_DEG = 10.0
"""Turn of the RV about the long axis from horizontal towards inferior (plausible)."""
HEART_CENTRE_MM = (36.0, -18.0, 0.0)
"""LPS position of the middle of the LV's long axis at end-diastole."""


def cover(distance_mm: np.ndarray, pixel_mm: float) -> np.ndarray:
    """Return how much of a pixel lies inside a body, 0 to 1, from its signed distance."""
    return np.asarray(np.clip(0.5 - distance_mm * np.float32(1 / pixel_mm), 0, 1))


def paint(canvas: np.ndarray, coverage: np.ndarray, value: np.ndarray | float) -> None:
    """Paint a signal over ``canvas``, in place; many signals at once where anything is covered."""
    if canvas.ndim > coverage.ndim:
        covered = np.any(coverage > 0, axis=0)
        rows, columns = (
            np.flatnonzero(np.any(covered, axis=1)),
            np.flatnonzero(np.any(covered, axis=0)),
        )
        if not rows.size:
            return
        box = (..., slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1))
        value = np.broadcast_to(value, canvas.shape)[box]
        canvas, coverage = canvas[box], coverage[box]
    canvas += coverage * (value - canvas)


def ellipsoid_distance(
    position_mm: np.ndarray, centre_mm: tuple[float, float, float], radii_mm: tuple[float, ...]
) -> np.ndarray:
    """Return the approximate signed distance to an ellipsoid along the axes."""
    inner = np.zeros(position_mm.shape[1:], dtype=np.float32)
    slope = np.zeros_like(inner)
    for axis in range(3):
        share = (position_mm[axis] - np.float32(centre_mm[axis])) / np.float32(radii_mm[axis])
        inner += share * share
        slope += np.square(share / np.float32(radii_mm[axis]))
    root = np.sqrt(inner)
    return np.asarray(root * (root - 1) / np.sqrt(np.maximum(slope, 1e-9)))


def capsule_distance(
    position_mm: np.ndarray,
    start_mm: tuple[float, ...],
    end_mm: tuple[float, ...],
    radius_mm: float,
) -> np.ndarray:
    """Return the signed distance to a tube with round ends."""
    axis = np.subtract(end_mm, start_mm).astype(np.float32)
    offset = [position_mm[i] - np.float32(start_mm[i]) for i in range(3)]
    along = sum(offset[i] * axis[i] for i in range(3)) / np.float32(axis @ axis)
    along = np.clip(along, 0, 1)
    square = sum(np.square(offset[i] - along * axis[i]) for i in range(3))
    return np.asarray(np.sqrt(square) - np.float32(radius_mm))


@dataclass(frozen=True)
class HeartFrame:
    """Where the heart lies in the patient.

    Attributes
    ----------
    axes : (3, 3)
        Rows are the heart's x, y, z in LPS.
    origin_mm : (3,)
        LPS position of the epicardial apex.
    """

    axes: np.ndarray
    origin_mm: np.ndarray

    def to_heart(self, position_mm: np.ndarray) -> np.ndarray:
        """Return heart coordinates of LPS positions ``(3, ...)``."""
        shifted = position_mm - self.origin_mm.reshape(3, *([1] * (position_mm.ndim - 1)))
        return np.asarray(np.einsum("ij,j...->i...", self.axes, shifted))

    def to_patient(self, position_mm: np.ndarray) -> np.ndarray:
        """Return LPS positions of heart coordinates ``(3, ...)``."""
        turned = np.einsum("ij,i...->j...", self.axes, np.asarray(position_mm, dtype=np.float64))
        return np.asarray(turned + self.origin_mm.reshape(3, *([1] * (turned.ndim - 1))))


def heart_frame(parameters: HeartParameters) -> HeartFrame:
    """Return where the heart lies: its long axis points left, anterior and inferior."""
    apex = np.array(APEX_DIRECTION) / np.linalg.norm(APEX_DIRECTION)
    base = -apex
    up = np.array([0, 0, 1.0]) - base[2] * base
    up /= np.linalg.norm(up)
    right = np.cross(up, base)
    roll = np.deg2rad(ROLL_DEG)
    x = np.cos(roll) * right - np.sin(roll) * up
    y = np.cross(base, x)
    length_mm = parameters.long_axis_mm
    origin = np.array(HEART_CENTRE_MM) + apex * length_mm / 2
    return HeartFrame(np.stack([x, y, base]), origin)


@dataclass(frozen=True)
class BodyTexture:
    """The irregularities of one patient's chest."""

    fat: CosineField
    lung: tuple[CosineField, CosineField]
    liver: tuple[CosineField, CosineField]
    organ: CosineField
    bowel: CosineField


def body_texture(random: np.random.Generator) -> BodyTexture:
    """Draw the irregularities of a chest."""
    return BodyTexture(
        cosine_field(random, 90.0, 6),
        (cosine_field(random, 42.0), cosine_field(random, 42.0)),
        (cosine_field(random, 75.0, 6), cosine_field(random, 75.0, 6)),
        cosine_field(random, 18.0),
        cosine_field(random, 46.0),
    )


@dataclass(frozen=True)
class Body:
    """A chest: its measures and irregularities."""

    half_width_mm: float
    half_depth_mm: float
    fat_mm: float
    diaphragm_mm: float
    texture: BodyTexture


def body_of(parameters: HeartParameters, texture: BodyTexture) -> Body:
    """Return the chest of a patient: wider and fatter with a higher body-mass index."""
    bmi = parameters.weight_kg / (parameters.height_cm / 100) ** 2
    size = parameters.height_cm / 178
    shape = heart_shape(parameters, 1.0, 1.0)
    return Body(
        half_width_mm=168 * size,
        half_depth_mm=108 * size,
        fat_mm=float(np.clip(9 + 1.3 * (bmi - 22), 5, 35)),
        diaphragm_mm=-(shape.epi_radius_mm + 4),
        texture=texture,
    )


@dataclass(frozen=True)
class PaintedBody:
    """The still chest on the points of one slice.

    Attributes
    ----------
    signal : (S, Y, X) float32
    room : (S, Y, X) float32
        Share of lung and mediastinum: where the heart's own fat may lie.
    """

    signal: np.ndarray
    room: np.ndarray


def paint_body(
    position_mm: np.ndarray, body: Body, signals: Mapping[str, np.ndarray | float], pixel_mm: float
) -> PaintedBody:
    """Paint the chest on LPS positions ``(3, S, Y, X)``.

    Signals may be arrays ``(K, 1, 1, 1)``, painted at once into ``(K, S, Y, X)``.
    """
    x, y = position_mm[:2]
    texture = body.texture
    soft = texture.fat.at(position_mm)
    skin = _torso_distance(x, y - 10, body.half_width_mm, body.half_depth_mm)
    front = np.clip(-(y - 10) / body.half_depth_mm, 0, 1)
    fat_mm = body.fat_mm * (1 + 0.25 * soft) * (1 - 0.35 * front)
    shape = np.broadcast_shapes(np.shape(signals["fat"]), x.shape)
    canvas = np.zeros(shape, dtype=np.float32)
    paint(canvas, cover(skin, pixel_mm), signals["fat"])
    wall = skin + fat_mm
    paint(canvas, cover(wall, pixel_mm), signals["skeletal muscle"])
    _paint_ribs(canvas, position_mm, wall, signals, pixel_mm)
    inside = wall + 17 - 5 * front
    lung = cover(inside, pixel_mm)
    paint(canvas, lung, signals["lung"])
    a, b = (field.at(position_mm) for field in texture.lung)
    hilum = np.exp(-np.square(x / 95) - np.square((y - 20) / 75))
    paint(canvas, lung * tubes(a, b, 0.10 + 0.16 * hilum) * 0.6, signals["venous blood"])
    _paint_retrosternal_fat(canvas, position_mm, inside, signals, pixel_mm)
    room = lung.copy()
    _paint_abdomen(canvas, room, position_mm, inside, soft, body, signals, pixel_mm)
    _paint_spine_and_vessels(canvas, room, position_mm, soft, signals, pixel_mm)
    return PaintedBody(canvas, room)


def _paint_retrosternal_fat(
    canvas: np.ndarray,
    position_mm: np.ndarray,
    inside: np.ndarray,
    signals: Mapping[str, np.ndarray | float],
    pixel_mm: float,
) -> None:
    """Paint the fat between sternum, pericardium and diaphragm."""
    x, y, z = position_mm
    low = np.clip(-(z + 5) / 40, 0, 1)
    middle = np.exp(-np.square((x - 15 - 35 * low) / (38 + 22 * low)))
    thickness_mm = (9 + 13 * low) * middle
    pad = np.maximum(-(inside + thickness_mm), y + 35)
    paint(canvas, cover(pad, pixel_mm) * cover(inside, pixel_mm), signals["fat"])


def _torso_distance(
    x: np.ndarray, y: np.ndarray, half_width_mm: float, half_depth_mm: float
) -> np.ndarray:
    power = np.abs(x / half_width_mm) ** 2.5 + np.abs(y / half_depth_mm) ** 2.5
    share = np.maximum(power, 1e-6) ** np.float32(0.4)
    return np.asarray((share - 1) * np.hypot(x, y) / share)


def _paint_ribs(
    canvas: np.ndarray,
    position_mm: np.ndarray,
    wall: np.ndarray,
    signals: Mapping[str, np.ndarray | float],
    pixel_mm: float,
) -> None:
    x, y, z = position_mm
    slope = z + 0.35 * y
    period = np.float32(31.0)
    along = np.mod(slope, period) - period / 2
    rib = np.sqrt(np.square(along / 1.5) + np.square(wall + 9)) - 4.2
    paint(canvas, cover(rib, pixel_mm), signals["cortical bone"])
    paint(canvas, cover(rib + 1.3, pixel_mm), signals["bone marrow"])
    sternum = np.maximum(np.hypot((x + 4) / 3.2, wall + 8) - 5, y + 20)
    paint(canvas, cover(sternum, pixel_mm), signals["cortical bone"])
    paint(canvas, cover(sternum + 1.5, pixel_mm), signals["bone marrow"])


def _diaphragm_mm(x: np.ndarray, y: np.ndarray, body: Body) -> np.ndarray:
    """Height of the diaphragm: two domes, the right one higher, and the heart's bed between."""
    right = 44 * np.exp(-np.square((x + 82) / 62) - np.square((y - 8) / 70))
    left = 16 * np.exp(-np.square((x - 105) / 45) - np.square((y - 45) / 60))
    edge = 0.004 * np.square(np.maximum(np.hypot(x / 1.5, y - 5) - 62, 0))
    tilt = 0.30 * np.clip(y, -60, 60) - 0.22 * np.clip(x, -40, 90)
    return np.asarray(body.diaphragm_mm + 9 + right + left - edge + tilt)


def _paint_abdomen(
    canvas: np.ndarray,
    room: np.ndarray,
    position_mm: np.ndarray,
    inside: np.ndarray,
    soft: np.ndarray,
    body: Body,
    signals: Mapping[str, np.ndarray | float],
    pixel_mm: float,
) -> None:
    x, y, z = position_mm
    below = np.maximum((z - _diaphragm_mm(x, y, body)) * np.float32(0.86), inside)
    room *= 1 - cover(below, pixel_mm)
    paint(canvas, cover(below, pixel_mm), signals["skeletal muscle"])
    below = below + 3
    organ = body.texture.organ.at(position_mm)
    paint(canvas, cover(below, pixel_mm), signals["fat"])
    bowel = 12 * (body.texture.bowel.at(position_mm) - 0.35)
    paint(canvas, cover(np.maximum(-bowel, below + 14), pixel_mm), signals["skeletal muscle"])
    content = signals["spleen"] * (1 + 0.35 * np.tanh(organ))
    paint(canvas, cover(np.maximum(2.5 - bowel, below + 16.5), pixel_mm), content)
    stomach = np.maximum(
        ellipsoid_distance(position_mm, (78, -2, -88), (50, 56, 50)) + 2 * soft, below + 3
    )
    paint(canvas, cover(stomach, pixel_mm), signals["vessel wall"])
    content = signals["stomach content"] * (0.7 + 0.3 * np.tanh(2 * organ * soft))
    paint(canvas, cover(stomach + 3.5, pixel_mm), content)
    lobe_mm = 62 + 0.75 * np.clip(z + 30, -80, 0) - 0.4 * np.clip(y + 30, 0, 90) + 9 * soft
    liver = np.maximum(below + 0.5, (x - lobe_mm) * np.float32(0.75))
    covered = cover(liver, pixel_mm)
    paint(canvas, covered, signals["liver"] * (1 + 0.03 * organ))
    a, b = (field.at(position_mm) for field in body.texture.liver)
    paint(canvas, covered * tubes(a, b, 0.17), signals["venous blood"])
    spleen = np.maximum(
        ellipsoid_distance(position_mm, (112, 62, -90), (32, 42, 55)) + 1.5 * organ, below + 2
    )
    paint(canvas, cover(spleen, pixel_mm), signals["spleen"] * (1 + 0.03 * organ))


def _paint_spine_and_vessels(
    canvas: np.ndarray,
    room: np.ndarray,
    position_mm: np.ndarray,
    soft: np.ndarray,
    signals: Mapping[str, np.ndarray | float],
    pixel_mm: float,
) -> None:
    x, y, z = position_mm
    mediastinum = np.hypot(x / 1.15, (y - 92) / 1.0) - 36 - 3 * soft
    covered = cover(mediastinum, pixel_mm)
    room *= 1 - covered
    paint(canvas, covered, signals["skeletal muscle"])
    paint(canvas, cover(np.hypot(x - 14, y - 66) - 19 - 2 * soft, pixel_mm), signals["fat"])
    body = np.hypot(x / 1.2, y - 84) - 18
    disc = np.abs(np.mod(z + 5, np.float32(29)) - 14.5) > 10.5
    paint(canvas, cover(body, pixel_mm), signals["cortical bone"])
    marrow = np.where(disc, signals["vessel wall"], signals["bone marrow"] * 1.3)
    paint(canvas, cover(body + 1.5, pixel_mm), marrow)
    paint(canvas, cover(np.hypot(x / 1.2, y - 111) - 9, pixel_mm), signals["cerebrospinal fluid"])
    paint(canvas, cover(np.hypot(x, y - 111) - 5, pixel_mm), signals["myocardium"])
    paint(canvas, cover(np.hypot(x - 2, y - 60) / 1 - 6, pixel_mm), signals["vessel wall"])
    aorta = np.maximum(np.hypot(x - 24, y - 66) - 11.5, z - 72)
    paint(canvas, cover(aorta - 1.5, pixel_mm), signals["vessel wall"])
    paint(canvas, cover(aorta, pixel_mm), signals["blood"])
