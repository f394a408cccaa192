"""The left ventricle's wall unwrapped: a slice as a strip of angle by depth, and back.

A strip's columns are angles about the ventricle's centre, its rows depths from outside the wall
inwards, along the outer outline.  However the heart is turned, shifted or large, subendocardial
scar is a bright band at the same depth.  The same functions feed training and inference, so nothing
can differ between them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from scipy import ndimage

from opencmr.anatomy.structures import LabelScheme, Structure
from opencmr.segment.intensity import intensity_limits, scale_intensity

STRIP_VERSION: Literal[1] = 1
"""Of the unwrapping: it rises with whatever changes what a network sees."""
COLUMNS, ROWS = 80, 32
"""Angles and depths of a strip."""
ROW_MM, OUTSIDE_MM = 0.85, 5.2
"""Distance of rows, and of the first row from the outer outline."""
CHANNELS = 9
"""What :func:`channels` gives the network of a slice."""
ANGLES_RAD = 2 * np.pi * np.arange(COLUMNS) / COLUMNS
"""From the direction of columns towards that of rows."""
REACH_MM = 4.0
"""How far outside the outer outline a strip is put back."""

LEAST_EPI_MM, LEAST_WALL_MM = 3.0, 1.0
"""What outlines that are drawn anew leave of the ventricle and of its wall."""
LEAST_AREA_MM2 = 40.0
"""A smaller ventricle has no wall to unwrap: fewer than 20 pixels of training (proposal)."""
LEAST_CLOSED = 0.75
"""Least share of the angles at which wall is met; readers' outlines have 0.94 (proposal)."""
GREY_PERCENTILES, BRIGHTEST = (1.0, 99.0), 1.3
"""Of what lies about the rings: they become 0 and 1, and what is brighter than this is clipped."""
GREY_REACH = 1.6
"""Half the side of the boxes about the rings whose greys are looked at, over the largest radius."""
LEAST_CONTRAST = 0.12
"""Least range, of the greys from 0 to 1, that is stretched to 1."""

_RAY_STEP_MM, _RAY_MM = 0.25, 70.0
_RAY = np.arange(0, _RAY_MM, _RAY_STEP_MM)
_SMOOTH_COLUMNS = 0.8
"""Standard deviation by which outlines that follow pixels are smoothed along the angle."""


@dataclass(frozen=True, slots=True, eq=False)
class Ring:
    """Both outlines of the wall in a slice, about the ventricle's centre.

    Attributes
    ----------
    centre_px : (row, column)
    endo_mm, epi_mm : (COLUMNS,) float, mm
        Radius at each of :data:`ANGLES_RAD`; the inner one is 0 where there is no cavity.
    """

    centre_px: tuple[float, float]
    endo_mm: np.ndarray
    epi_mm: np.ndarray

    @property
    def has_cavity(self) -> bool:
        """Whether there is an inner outline to speak of."""
        return bool(self.endo_mm.mean() > LEAST_WALL_MM)

    def redrawn(self, endo_mm: np.ndarray, epi_mm: np.ndarray) -> "Ring":
        """Return the ring with other outlines, which leave a ventricle and a wall."""
        epi_mm = np.maximum(epi_mm, LEAST_EPI_MM)
        return replace(self, endo_mm=np.clip(endo_mm, 0.0, epi_mm - LEAST_WALL_MM), epi_mm=epi_mm)

    @property
    def radii_mm(self) -> np.ndarray:
        """Radius of each pixel of the strip ``(ROWS, COLUMNS)``, mm; below 0 beyond the centre."""
        return np.asarray(self.epi_mm + (OUTSIDE_MM - ROW_MM * np.arange(ROWS))[:, None])


def rings_of(
    labels: np.ndarray, scheme: LabelScheme, spacing_mm: tuple[float, float]
) -> dict[int, Ring]:
    """Return the ring of each slice that has one, from the wider end of the stack to the other.

    A slice without wall, or whose wall is too small or too open, has none.

    Parameters
    ----------
    labels : (Z, Y, X) uint8
    scheme : LabelScheme
    spacing_mm : (row, column), mm
    """
    wall, cavity = (scheme.mask(labels, s) for s in (Structure.MYOCARDIUM, Structure.LV))
    rings = {}
    for z in range(len(labels)):
        ring = _ring(wall[z], cavity[z], spacing_mm)
        if ring is not None:
            rings[z] = ring
    widths = [float(ring.epi_mm.mean()) for ring in rings.values()]
    half = len(widths) // 2
    if sum(widths[:half]) < sum(widths[len(widths) - half :]):
        return dict(reversed(rings.items()))
    return rings


def along_rays(
    plane: np.ndarray, centre_px: tuple[float, float], spacing_mm: tuple[float, float]
) -> np.ndarray:
    """Return what lies on the rays of the angles ``(COLUMNS, R)``, a quarter of a mm apart."""
    rows, columns = _places(_RAY[:, None] * np.ones(COLUMNS), centre_px, spacing_mm)
    return np.asarray(ndimage.map_coordinates(plane, [rows, columns], order=0, mode="constant")).T


def ray_index(radius_mm: float) -> int:
    """Return which place on a ray of :func:`along_rays` lies at a radius."""
    return round(radius_mm / _RAY_STEP_MM)


def smoothed(radii: np.ndarray, columns: float = _SMOOTH_COLUMNS) -> np.ndarray:
    """Return a quantity of the angles ``(COLUMNS,)``, smoothed along them."""
    return np.asarray(ndimage.gaussian_filter1d(radii, columns, mode="wrap"))


def _ring(wall: np.ndarray, cavity: np.ndarray, spacing_mm: tuple[float, float]) -> Ring | None:
    body = wall | cavity
    if not wall.any() or body.sum() * spacing_mm[0] * spacing_mm[1] < LEAST_AREA_MM2:
        return None
    row, column = (float(where.mean()) for where in np.nonzero(body))
    centre = (row, column)
    on_rays = along_rays(wall.astype(np.uint8) + 2 * cavity, centre, spacing_mm)
    if (on_rays == 1).any(1).mean() < LEAST_CLOSED:
        return None
    last = on_rays.shape[1] - np.argmax(on_rays[:, ::-1] > 0, axis=1)
    epi_mm = np.where((on_rays > 0).any(1), (last - 0.5) * _RAY_STEP_MM, 0.0)
    endo_mm = (on_rays == 2).sum(1) * _RAY_STEP_MM
    return Ring(centre, smoothed(endo_mm), smoothed(epi_mm))


def _places(
    radii_mm: np.ndarray, centre_px: tuple[float, float], spacing_mm: tuple[float, float]
) -> tuple[np.ndarray, np.ndarray]:
    """Return rows and columns of a picture at radii ``(..., COLUMNS)``, each at its angle."""
    return (
        centre_px[0] + np.sin(ANGLES_RAD) * radii_mm / spacing_mm[0],
        centre_px[1] + np.cos(ANGLES_RAD) * radii_mm / spacing_mm[1],
    )


def unwrapped(plane: np.ndarray, ring: Ring, spacing_mm: tuple[float, float]) -> np.ndarray:
    """Return the strip ``(ROWS, COLUMNS)`` float32 of a picture ``(Y, X)``, bilinear."""
    places = _places(np.maximum(ring.radii_mm, 0.0), ring.centre_px, spacing_mm)
    return np.asarray(
        ndimage.map_coordinates(plane, places, order=1, mode="nearest", output=np.float32)
    )


def scaled_greys(
    stack: np.ndarray, rings: Mapping[int, Ring], spacing_mm: tuple[float, float]
) -> np.ndarray:
    """Return ``stack (Z, Y, X)`` with 0 and 1 at the percentiles of what lies about the rings."""
    seen = []
    for z, ring in rings.items():
        half_mm = GREY_REACH * float(ring.epi_mm.max())
        box = tuple(
            slice(max(int(c - half_mm / mm), 0), max(int(c + half_mm / mm), 0) + 1)
            for c, mm in zip(ring.centre_px, spacing_mm, strict=True)
        )
        seen.append(stack[z][box].ravel())
    greys = scale_intensity(stack, intensity_limits(np.concatenate(seen), GREY_PERCENTILES))
    return np.asarray(np.clip(greys, 0.0, BRIGHTEST), dtype=np.float32)


def trio(place: int, count: int) -> tuple[int, int, int]:
    """Return the places of a slice and of its neighbours; at an end it is its own neighbour."""
    return max(place - 1, 0), place, min(place + 1, count - 1)


def stack_channels(
    greys: np.ndarray, rings: Mapping[int, Ring], spacing_mm: tuple[float, float]
) -> np.ndarray:
    """Return what the network sees of each slice with a ring ``(N, CHANNELS, ROWS, COLUMNS)``.

    ``greys (Z, Y, X)``: of :func:`scaled_greys`.  The slices are in the order of ``rings``.
    """
    drawn = list(rings.values())
    strips = [unwrapped(greys[z], ring, spacing_mm) for z, ring in rings.items()]
    seen = []
    for place in range(len(drawn)):
        beside = trio(place, len(drawn))
        depth = place / max(len(drawn) - 1, 1)
        seen.append(
            channels(np.stack([strips[n] for n in beside]), [drawn[n] for n in beside], depth)
        )
    return np.stack(seen)


def channels(strips: np.ndarray, rings: list[Ring], depth: float) -> np.ndarray:
    """Return what the network sees of a slice ``(CHANNELS, ROWS, COLUMNS)`` float32.

    Its greys as they are; between remote wall and blood; between remote wall and the brightest of
    its own wall; those of both neighbours between remote wall and blood; depth below the inner
    outline; thickness; radius; place in the stack.

    Parameters
    ----------
    strips : (3, ROWS, COLUMNS) float
        Greys of the slice between its neighbours, each along its own ring.
    rings : three of Ring
    depth : float
        0 at the wider end of the stack, 1 at the other.
    """
    radii = np.stack([ring.radii_mm for ring in rings])
    endo = np.stack([ring.endo_mm for ring in rings])[:, None]
    epi = np.stack([ring.epi_mm for ring in rings])[:, None]
    through = (radii - endo) / np.maximum(epi - endo, 1.0)
    wall = (through > 0.1) & (through < 0.9)
    blood = (radii < endo - 2.0) & (radii > 1.0)
    remote = _quantile(strips[wall], 0.2, 0.0)
    own_remote = _quantile(strips[1][wall[1]], 0.2, remote)
    own_bright = _quantile(strips[1][wall[1]], 0.98, remote + 0.4)
    all_blood = _quantile(strips[blood], 0.5, remote + 0.4)
    own_blood = _quantile(strips[1][blood[1]], 0.5, all_blood)
    whole = np.ones((ROWS, COLUMNS))
    seen = [
        strips[1],
        _between(strips[1], remote, own_blood),
        _between(strips[1], own_remote, own_bright),
        _between(strips[0], remote, all_blood),
        _between(strips[2], remote, all_blood),
        np.clip((radii[1] - endo[1]) / 6.0, -1.5, 1.5),
        np.clip((epi[1] - endo[1]) / 10.0, 0.0, 2.0) * whole,
        np.clip(radii[1] / 30.0, 0.0, 2.0),
        depth * whole,
    ]
    return np.stack(seen).astype(np.float32)


def _quantile(values: np.ndarray, share: float, otherwise: float) -> float:
    return float(np.quantile(values, share)) if values.size else otherwise


def _between(strip: np.ndarray, dark: float, bright: float) -> np.ndarray:
    return np.asarray(np.clip((strip - dark) / max(bright - dark, LEAST_CONTRAST), -1.0, 2.5))


def put_back(
    shares: np.ndarray,
    ring: Ring,
    spacing_mm: tuple[float, float],
    near: tuple[np.ndarray, np.ndarray],
) -> np.ndarray:
    """Return the shares ``(C, P)`` of a strip ``(C, ROWS, COLUMNS)`` at pixels of the picture.

    ``near``: rows and columns of the pixels ``(P,)``, as :func:`pixels_near` gives them.
    """
    radius_mm, column = _polar(near, ring.centre_px, spacing_mm)
    row = (_at(ring.epi_mm, column) + OUTSIDE_MM - radius_mm) / ROW_MM
    places = [np.clip(row, 0, ROWS - 1), column]
    closed = np.concatenate([shares, shares[..., :1]], axis=-1)
    return np.stack([ndimage.map_coordinates(one, places, order=1) for one in closed])


def pixels_near(
    ring: Ring, spacing_mm: tuple[float, float], shape: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """Return rows and columns of the pixels ``(P,)`` within :data:`REACH_MM` of the ventricle."""
    rows, columns = np.indices(shape)
    radius_mm, column = _polar((rows, columns), ring.centre_px, spacing_mm)
    where = np.nonzero(radius_mm < _at(ring.epi_mm, column) + REACH_MM)
    return where[0], where[1]


def _polar(
    pixels: tuple[np.ndarray, np.ndarray],
    centre_px: tuple[float, float],
    spacing_mm: tuple[float, float],
) -> tuple[np.ndarray, np.ndarray]:
    """Return the radius in mm of pixels, and their place among the columns, 0 to COLUMNS."""
    down, across = ((p - c) * mm for p, c, mm in zip(pixels, centre_px, spacing_mm, strict=True))
    turns = np.mod(np.arctan2(down, across) / (2 * np.pi), 1.0)
    return np.hypot(down, across), turns * COLUMNS


def _at(radii_mm: np.ndarray, column: np.ndarray) -> np.ndarray:
    """Return radii ``(COLUMNS,)`` at places between the columns."""
    closed = np.append(radii_mm, radii_mm[0])
    return np.asarray(np.interp(column, np.arange(COLUMNS + 1), closed))
