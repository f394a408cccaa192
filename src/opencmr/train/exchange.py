"""Walls exchanged between hearts: the late enhancement of one patient's wall in another's heart.

Few hearts show few infarcts, and a network soon knows them by heart.  Here what a reader drew in
one wall, brightness and labels, is carried by angle and depth into the wall of another patient,
turned at random: infarcts where there were none, healthy walls where there were infarcts, and none
drawn by us.  Lesions were pasted between patients before (CarveMix, Zhang et al., NeuroImage 2023;
271:120041); by angle and depth an infarct stays subendocardial.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import distance_transform_edt, map_coordinates
from scipy.spatial import cKDTree

from opencmr.anatomy.structures import LabelScheme, Structure
from opencmr.train.manifest import Slice

ANGLES, DEPTHS = 120, 12
"""Samples round the wall and through it: of 8 mm and 3 cm radius, one in 1.6 and in 0.7 mm."""
INNER_RADIUS = 2.5
"""Of an annulus as wide as 1 that is about in proportion to a ventricle's wall."""


@dataclass(frozen=True, slots=True, eq=False)
class Wall:
    """The wall of one slice.

    Attributes
    ----------
    rows, columns : (N,) int
        Its pixels.
    angles : (N,) float64
        About the cavity's centre, in turns from 0 to 1.
    depths : (N,) float64
        0 at the cavity, 1 at the outer outline.
    shares : (N,) float64
        How much of a pixel is exchanged: at an outline it is partly blood or fat.
    brightness, labels : (ANGLES, DEPTHS)
        What it shows, 0 as bright as plain wall and 1 as blood, and what was drawn there.
    """

    rows: np.ndarray
    columns: np.ndarray
    angles: np.ndarray
    depths: np.ndarray
    shares: np.ndarray
    brightness: np.ndarray
    labels: np.ndarray


@dataclass(frozen=True, slots=True, eq=False)
class Walls:
    """Walls round a cavity, by slice of a stack, and how bright its plain wall and blood are."""

    plain: float
    blood: float
    of_slice: Mapping[int, Wall]


def walls_of(slices: Iterable[Slice], scheme: LabelScheme) -> dict[tuple[str, str], Walls]:
    """Return the walls of each stack, by subject and phase; stacks without contrast have none."""
    stacks = {(one.subject, one.phase): one for one in slices}
    found = {name: _walls(one, scheme) for name, one in stacks.items()}
    return {name: walls for name, walls in found.items() if walls is not None}


def _walls(source: Slice, scheme: LabelScheme) -> Walls | None:
    wall, cavity, scar = (
        scheme.mask(source.stack_labels, one)
        for one in (Structure.MYOCARDIUM, Structure.LV, Structure.SCAR)
    )
    plain = wall & ~scar
    if not plain.any() or not cavity.any():
        return None
    dark, bright = (float(np.median(source.stack[where])) for where in (plain, cavity))
    if bright <= dark:
        return None
    shown = (source.stack - dark) / (bright - dark)
    rings = np.flatnonzero(wall.any((1, 2)) & cavity.any((1, 2)))
    return Walls(
        dark,
        bright,
        {
            int(z): _wall(shown[z], source.stack_labels[z], wall[z], cavity[z], source.spacing_mm)
            for z in rings
        },
    )


def _wall(
    shown: np.ndarray,
    labels: np.ndarray,
    wall: np.ndarray,
    cavity: np.ndarray,
    spacing_mm: tuple[float, float],
) -> Wall:
    rows, columns = np.nonzero(wall)
    inwards = distance_transform_edt(~cavity, sampling=spacing_mm)[wall]
    outwards = distance_transform_edt(wall | cavity, sampling=spacing_mm)[wall]
    depths = inwards / (inwards + outwards)
    shares = np.minimum(np.minimum(inwards, outwards) / (2 * max(spacing_mm)), 1)
    row, column = np.argwhere(cavity).mean(0)
    angles = np.arctan2((rows - row) * spacing_mm[0], (columns - column) * spacing_mm[1])
    turns = np.mod(angles / (2 * np.pi), 1)
    round_, through = np.meshgrid(
        np.arange(ANGLES) / ANGLES, (np.arange(DEPTHS) + 0.5) / DEPTHS, indexing="ij"
    )
    _, nearest = cKDTree(_on_annulus(turns, depths)).query(_on_annulus(round_, through))
    return Wall(rows, columns, turns, depths, shares, shown[wall][nearest], labels[wall][nearest])


def _on_annulus(turns: np.ndarray, depths: np.ndarray) -> np.ndarray:
    radii, angles = INNER_RADIUS + depths, 2 * np.pi * turns
    return np.stack([radii * np.cos(angles), radii * np.sin(angles)], axis=-1)


def exchanged(
    source: Slice, own: Walls, other: Walls, random: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Return picture and labels ``(Z, Y, X)`` of a stack with the walls of another.

    Slices correspond by their height among those that show a ring; the other heart is turned, and
    mirrored or not, at random.
    """
    stack, labels = source.stack.copy(), source.stack_labels.copy()
    turn, mirror = random.random(), random.choice([-1, 1])
    theirs = list(other.of_slice.values())
    for place, (z, wall) in enumerate(own.of_slice.items()):
        height = place / max(len(own.of_slice) - 1, 1)
        shown = theirs[round(height * (len(theirs) - 1))]
        places = np.stack(
            [np.mod(mirror * wall.angles + turn, 1) * ANGLES, wall.depths * DEPTHS - 0.5]
        )
        brightness = map_coordinates(_closed(shown.brightness), places, order=1, mode="nearest")
        drawn = map_coordinates(_closed(shown.labels), places, order=0, mode="nearest")
        theirs_here = own.plain + brightness * (own.blood - own.plain)
        stack[z, wall.rows, wall.columns] += wall.shares * (
            theirs_here - stack[z, wall.rows, wall.columns]
        )
        labels[z, wall.rows, wall.columns] = drawn
    return stack, labels


def _closed(values: np.ndarray) -> np.ndarray:
    """Return values with those of the first angle once more behind the last."""
    return np.pad(values, [(0, 1), (0, 0)], mode="wrap")
