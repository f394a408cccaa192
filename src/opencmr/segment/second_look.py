"""A second look at the wall: a small network tells scar from wall in the wall's own coordinates.

It looks several times, with the outlines where the first network drew them and a little off, and in
the mirror; the mean of what it sees goes back into the picture.  The outlines stay where they are.
"""

from dataclasses import replace

import numpy as np

from opencmr.anatomy.structures import LabelScheme, Structure
from opencmr.imaging.image import Image
from opencmr.imaging.segmentation import Author, AuthorKind, Segmentation
from opencmr.models.card import SegmentationOutput
from opencmr.models.runner import WallRunner
from opencmr.segment.scar import keep_possible_scar
from opencmr.segment.short_axis import voxel_ml
from opencmr.segment.wall_strip import (
    Ring,
    pixels_near,
    put_back,
    rings_of,
    scaled_greys,
    stack_channels,
)

SHIFTS_MM = ((0.0, 0.0), (0.7, 0.0), (-0.7, 0.0), (0.0, 0.5), (0.0, -0.5))
"""By which the inner and the outer outline lie off, look by look."""


def look_again(found: Segmentation, image: Image, network: WallRunner) -> Segmentation:
    """Return the segmentation relabelled where its slices show a closed wall, else as it was.

    What is wall stays wall; which of it is scar or no-reflow is told anew.  A slice whose wall is
    absent, open or too small keeps its labels.

    Parameters
    ----------
    found : Segmentation
        Of a network, in the scheme of ``network``.
    image : Image
        That it segments.
    network : Runner
        A model of the task ``wall``.
    """
    if found.scheme is not network.card.output.scheme:
        return found
    labels = found.labels.copy()
    shares = None if found.probabilities is None else found.probabilities.copy()
    looked = False
    for t in range(image.phases):
        seen = _shares(found.labels[t], found.scheme, image, t, network)
        for z, (near, at_pixels) in seen.items():
            labels[t, z] = _relabelled(labels[t, z], near, at_pixels, network.card.output)
            if shares is not None:
                shares[:, t, z, *near] = at_pixels
        if seen:
            looked = True
            possible = keep_possible_scar(labels[t], found.scheme, voxel_ml(image))
            labels[t, list(seen)] = possible[list(seen)]
    if not looked:
        return found
    return replace(
        found,
        labels=labels,
        probabilities=shares,
        author=Author(AuthorKind.MODEL, network.card.name, network.card.version),
        derived_from=found.author.text,
    )


Pixels = tuple[np.ndarray, np.ndarray]


def _shares(
    labels: np.ndarray, scheme: LabelScheme, image: Image, phase: int, network: WallRunner
) -> dict[int, tuple[Pixels, np.ndarray]]:
    """Return of each slice with a ring the pixels about it and their shares ``(C, P)``."""
    stack = image.values[phase]
    spacing_mm = (image.grid.row_spacing_mm, image.grid.column_spacing_mm)
    rings = rings_of(labels, scheme, spacing_mm)
    if not rings:
        return {}
    greys = scaled_greys(stack, rings, spacing_mm)
    shape = (stack.shape[1], stack.shape[2])
    near = {z: pixels_near(ring, spacing_mm, shape) for z, ring in rings.items()}
    total = {z: np.zeros((network.card.output.channels, len(p[0]))) for z, p in near.items()}
    for endo_mm, epi_mm in SHIFTS_MM:
        shifted = {z: _shifted(ring, endo_mm, epi_mm) for z, ring in rings.items()}
        channels = stack_channels(greys, shifted, spacing_mm)
        shares = (network(channels) + network(channels[..., ::-1])[..., ::-1]) / 2
        for (z, ring), one in zip(shifted.items(), shares, strict=True):
            total[z] += put_back(one, ring, spacing_mm, near[z]) / len(SHIFTS_MM)
    return {z: (near[z], total[z]) for z in rings}


def _shifted(ring: Ring, endo_mm: float, epi_mm: float) -> Ring:
    """Return the ring with its outlines moved outwards; no cavity where there was none."""
    return ring.redrawn(ring.endo_mm + endo_mm * ring.has_cavity, ring.epi_mm + epi_mm)


def _relabelled(
    plane: np.ndarray, near: Pixels, shares: np.ndarray, output: SegmentationOutput
) -> np.ndarray:
    """Return the labels ``(Y, X)`` of a slice, each pixel of its wall by the greatest share."""
    of_wall = np.array(output.scheme.labels_of(Structure.MYOCARDIUM))
    weighted = shares[of_wall] * np.array(output.factors)[of_wall, None]
    seen = plane.copy()
    seen[near] = of_wall[weighted.argmax(0)]
    return np.where(np.isin(plane, of_wall), seen, plane).astype(np.uint8)
