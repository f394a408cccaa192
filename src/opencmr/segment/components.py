"""Which parts of a segmentation are anatomically possible.

Every rule holds in all 1176 reference slices of the ACDC folds 1 to 4 (readers' own outlines;
fold 0 was not looked at): a slice has one left ventricle, with one cavity, of convex outline
(solidity at least 0.876); wall encloses the cavity (all but 0.003 % of its pixels); the right
ventricle is drawn beside it (0.3 % of its voxels lie in slices without a left one) and is one
part.
"""

from collections.abc import Callable

import numpy as np
from scipy import ndimage
from scipy.spatial import ConvexHull

from opencmr.anatomy.structures import LabelScheme, Structure

LINK_PX = 3
"""Breathing shifts neighbouring slices: parts this near in plane count as touching."""
LEAST_SOLIDITY = 0.80
"""Least area of the left ventricle, cavity and wall together, over that of its convex hull."""
_EDGES_PX = np.array([[-0.5, 0], [0.5, 0], [0, -0.5], [0, 0.5]])
"""Middles of a pixel's four edges, from its centre."""
_ON_THE_HULL_PX = 1e-9
"""A centre so near to the hull lies on it; no other one is nearer than 1e-4 of a pixel."""


def keep_possible(labels: np.ndarray, scheme: LabelScheme) -> np.ndarray:
    """Return ``labels (Z, Y, X)`` of one phase without impossible parts.

    Through the stack the left ventricle (cavity and myocardium) and the right one keep their
    largest part, in each slice too.  A left ventricle that is no convex body is none, and where
    there is no left ventricle there is no right one.  Holes are filled; a second cavity, and cavity
    that no wall encloses, become myocardium.
    """
    kept = np.zeros_like(labels)
    if labels.any():
        box = _box(labels)
        kept[box] = _keep_possible_in_box(labels[box], scheme)
    return kept


def _box(labels: np.ndarray) -> tuple[slice, slice, slice]:
    """Return the in-plane box of what is labelled: the rules cost time by area."""
    rows, columns = (np.flatnonzero(labels.any(axes)) for axes in ((0, 2), (0, 1)))
    return (
        slice(None),
        slice(int(rows[0]), int(rows[-1]) + 1),
        slice(int(columns[0]), int(columns[-1]) + 1),
    )


def _keep_possible_in_box(labels: np.ndarray, scheme: LabelScheme) -> np.ndarray:
    wall, cavity = (scheme.mask(labels, s) for s in (Structure.MYOCARDIUM, Structure.LV))
    left_body = _largest_through_stack(_each_slice(wall | cavity, _convex_part))
    beside_left = left_body.any(axis=(1, 2), keepdims=True)
    right_body = _largest_through_stack(scheme.mask(labels, Structure.RV) & beside_left)
    right_body = _each_slice(_each_slice(right_body, largest_part), ndimage.binary_fill_holes)
    enclosed = _each_slice(left_body, ndimage.binary_erosion)
    inner = _each_slice(_each_slice(cavity & enclosed, largest_part), ndimage.binary_fill_holes)
    kept = np.zeros_like(labels)
    if right_body.any():
        kept[right_body] = scheme.label_of(Structure.RV)
    kept[_each_slice(left_body, ndimage.binary_fill_holes)] = scheme.label_of(Structure.MYOCARDIUM)
    of_wall = wall & left_body  # a scar keeps its own label
    kept[of_wall] = labels[of_wall]
    kept[inner] = scheme.label_of(Structure.LV)
    return kept


def _each_slice(mask: np.ndarray, change: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    return np.stack([change(plane) if plane.any() else plane for plane in mask])


def largest_part(plane: np.ndarray) -> np.ndarray:
    """Return the largest part of a mask ``(Y, X) bool``, pixels joined across corners too."""
    parts, count = ndimage.label(plane, structure=np.ones((3, 3)))
    if count <= 1:
        return plane
    sizes = np.bincount(parts.ravel())[1:]
    return np.asarray(parts == 1 + int(np.argmax(sizes)))


def _convex_part(plane: np.ndarray) -> np.ndarray:
    """Return the largest part of ``plane (Y, X)``, or nothing when it is no convex body."""
    part = ndimage.binary_fill_holes(largest_part(plane))
    convex = part.sum() <= 3 or solidity(part) >= LEAST_SOLIDITY
    return np.asarray(plane & part & convex)


def solidity(part: np.ndarray) -> float:
    """Return the pixels of ``part (Y, X)`` over those whose centres lie in or on its convex hull.

    The hull goes round the middles of the pixels' edges.

    Examples
    --------
    >>> solidity(np.array([[1, 1, 1], [1, 0, 0], [1, 0, 0]], dtype=bool))
    0.8333333333333334
    """
    edge = np.argwhere(part & ~ndimage.binary_erosion(part))
    hull = ConvexHull(np.unique((edge[:, None] + _EDGES_PX).reshape(-1, 2), axis=0))
    normals, offsets = hull.equations[:, :2], hull.equations[:, 2:]
    centres = np.indices(part.shape).reshape(2, -1)
    inside = (normals @ centres + offsets <= _ON_THE_HULL_PX).all(0)
    return float(part.sum() / inside.sum())


def _largest_through_stack(mask: np.ndarray) -> np.ndarray:
    """Return the part of ``mask (Z, Y, X)`` with most voxels, parts linked across slices."""
    disc = ndimage.iterate_structure(ndimage.generate_binary_structure(2, 1), LINK_PX)
    grown = ndimage.binary_dilation(mask, structure=disc[None])
    parts, count = ndimage.label(grown, structure=ndimage.generate_binary_structure(3, 1))
    if count <= 1:
        return mask
    sizes = np.bincount((parts * mask).ravel(), minlength=count + 1)[1:]
    return np.asarray(mask & (parts == 1 + int(np.argmax(sizes))))
