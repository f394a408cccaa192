"""Contours in the plane of a slice, in millimetres: from mask to outline and back, distances.

Points are ``(down, right)`` mm from the centre of the slice's first pixel, so that a pixel
need not be square.
"""

import numpy as np
from scipy.ndimage import gaussian_filter

SMOOTHING_PX = 1.0
"""Standard deviation of the Gaussian that takes the pixels' steps off an outline.

In pixels of the coarser in-plane spacing, and round in millimetres.  It moves the outline of a
circle of radius R px inwards by about 1 / (2 R) px: 0.05 px for a cavity of 10 px, far less
than the steps that it removes.
"""


OFF_CENTRE_PX = (1e-6, 1.7e-6)
"""By so little a polygon is moved, off any line through pixels' centres."""
THINNINGS = 3
"""Passes of :func:`thinned`: at most seven of eight points go."""
FEWEST_CORNERS = 8
"""An outline of no more corners is not thinned."""
_TOP, _LEFT, _BOTTOM, _RIGHT = (0, 0, 0), (0, 0, 1), (1, 0, 0), (0, 1, 1)
"""Sides of a square of four pixels' centres: (row, column) of where each begins, and whether it
goes down."""
_CROSSINGS: tuple[tuple[tuple[tuple[int, int, int], tuple[int, int, int]], ...], ...] = (
    (),
    ((_TOP, _LEFT),),
    ((_RIGHT, _TOP),),
    ((_RIGHT, _LEFT),),
    ((_LEFT, _BOTTOM),),
    ((_TOP, _BOTTOM),),
    ((_RIGHT, _TOP), (_LEFT, _BOTTOM)),
    ((_RIGHT, _BOTTOM),),
    ((_BOTTOM, _RIGHT),),
    ((_TOP, _LEFT), (_BOTTOM, _RIGHT)),
    ((_BOTTOM, _TOP),),
    ((_BOTTOM, _LEFT),),
    ((_LEFT, _RIGHT),),
    ((_TOP, _RIGHT),),
    ((_LEFT, _TOP),),
    (),
)
"""From which side to which a line crosses a square, by which of its corners are high: 1 the upper
left one, 2 the upper right, 4 the lower left, 8 the lower right.

High is on the right of the way; high corners that touch across alone belong to two lines.
"""


def outlines_mm(mask: np.ndarray, spacing_mm: tuple[float, float]) -> tuple[np.ndarray, ...]:
    """Return every outline of a region, of parts and of holes; none where too little is left.

    The mask is smoothed by :data:`SMOOTHING_PX` and followed at one half (marching squares).

    Parameters
    ----------
    mask : (Y, X) bool
    spacing_mm : (row, column) spacing

    Returns
    -------
    tuple of (N, 2) float64, mm, closed: the first point is the last
    """
    where = np.argwhere(mask)
    if not where.size:
        return ()
    margin = 5
    first = where.min(0)
    box = mask[first[0] : where[:, 0].max() + 1, first[1] : where[:, 1].max() + 1]
    padded = np.pad(box.astype(np.float64), margin)
    sigma = [SMOOTHING_PX * max(spacing_mm) / axis_mm for axis_mm in spacing_mm]
    smooth = gaussian_filter(padded, sigma, mode="constant")
    return tuple(
        np.asarray((line - margin + first) * np.asarray(spacing_mm))
        for line in level_lines(smooth, 0.5)
    )


def level_lines(values: np.ndarray, level: float) -> list[np.ndarray]:
    """Return the closed lines at which values pass a level, by marching squares.

    Corners across a square are joined where they are low, never where they are high (contourpy
    asks the mean of the four, and would join other parts).

    Parameters
    ----------
    values : (Y, X) float64
        Not above the level on its border, so that every line closes.
    level : float

    Returns
    -------
    list of (N, 2) float64, row and column in pixels
        In the order in which their first squares come, row by row; each begins and ends where it
        leaves the last of its squares.
    """
    above = (values > level).astype(np.uint8)
    kinds = above[:-1, :-1] + 2 * above[:-1, 1:] + 4 * above[1:, :-1] + 8 * above[1:, 1:]
    rows, columns = np.nonzero((kinds > 0) & (kinds < 15))
    following: dict[tuple[int, int, int], tuple[int, tuple[int, int, int]]] = {}
    for r, c, kind in zip(
        *(a.tolist() for a in (rows, columns, kinds[rows, columns])), strict=True
    ):
        for (r0, c0, down), (r1, c1, onward) in _CROSSINGS[kind]:
            following[r + r0, c + c0, down] = len(following), (r + r1, c + c1, onward)
    lines = []
    while following:
        first = side = next(iter(following))
        steps = [following.pop(side)]
        while (side := steps[-1][1]) != first:
            steps.append(following.pop(side))
        last = steps.index(max(steps))
        sides = [side for _, side in (*steps[last:], *steps[: last + 1])]
        lines.append(_passed(values, level, np.array(sides)))
    return lines


def _passed(values: np.ndarray, level: float, sides: np.ndarray) -> np.ndarray:
    """Return where on each of ``sides (N, 3)`` the values pass the level ``(N, 2)``."""
    rows, columns, down = sides.T
    near, far = values[rows, columns], values[rows + down, columns + 1 - down]
    share = (level - near) / (far - near)
    return np.stack(
        [np.where(down, rows + share, rows), np.where(down, columns, columns + share)], 1
    )


def outline_mm(mask: np.ndarray, spacing_mm: tuple[float, float]) -> np.ndarray | None:
    """Return the longest of :func:`outlines_mm`, or None where there is none."""
    return max(outlines_mm(mask, spacing_mm), key=len, default=None)


def thinned(outline: np.ndarray, tolerance_mm: float) -> np.ndarray:
    """Return a closed outline with fewer points, no farther than the tolerance from the given one.

    Every other point goes where it lies near the chord of its neighbours, some times over, each
    with its share of the tolerance.

    Parameters
    ----------
    outline : (N, 2) mm, closed
    tolerance_mm : float

    Returns
    -------
    (K, 2) mm, closed
    """
    ring = np.asarray(outline, dtype=np.float64)[:-1]
    for _ in range(THINNINGS):
        if len(ring) <= FEWEST_CORNERS:
            break
        before, after = ring[0:-1:2], np.roll(ring, -1, axis=0)[1::2]
        chord, offset = after - before, ring[1::2] - before
        twice_area = np.abs(chord[:, 0] * offset[:, 1] - chord[:, 1] * offset[:, 0])
        near = twice_area <= tolerance_mm / THINNINGS * np.linalg.norm(chord, axis=1)
        ring = np.delete(ring, 1 + 2 * np.flatnonzero(near), axis=0)
    return np.concatenate([ring, ring[:1]])


def mask_of_polygon(points: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Return the pixels ``(Y, X) bool`` whose centres lie inside one polygon in pixels.

    Inside is what it goes round an odd number of times, should it cross itself.
    A centre that the outline passes through belongs to one of its two sides: readers' points
    often lie on centres, and to count them on both would add half a pixel all round.

    Parameters
    ----------
    points : (N, 2) row and column in pixels, (0, 0) the first pixel's centre
        The last one is joined to the first.
    shape : (Y, X)

    Examples
    --------
    >>> int(mask_of_polygon(np.array([[1, 1], [1, 4], [3, 4], [3, 1]]), (6, 6)).sum())
    6
    """
    points = np.asarray(points, dtype=np.float64) + OFF_CENTRE_PX
    (r0, c0), (r1, c1) = points.T, np.roll(points, -1, axis=0).T
    rows = np.arange(shape[0])
    sides, row = np.nonzero((r0[:, None] > rows) != (r1[:, None] > rows))
    share = (row - r0[sides]) / (r1[sides] - r0[sides])
    column = c0[sides] + share * (c1[sides] - c0[sides])
    passed = np.zeros((shape[0], shape[1] + 1), dtype=np.intp)
    np.add.at(passed, (row, np.clip(np.ceil(column), 0, shape[1]).astype(np.intp)), 1)
    to_the_right = passed[:, :0:-1].cumsum(1)[:, ::-1]
    return np.asarray(to_the_right % 2 == 1)


def centroid_mm(outline: np.ndarray) -> np.ndarray:
    """Return the centroid ``(2,)`` of the area inside a closed outline ``(N, 2)`` in mm.

    Examples
    --------
    >>> square = np.array([[0, 0], [0, 2], [4, 2], [4, 0], [0, 0]], dtype=float)
    >>> centroid_mm(square).tolist()
    [2.0, 1.0]
    """
    origin = outline[:-1].mean(0)
    ahead, behind = outline[1:] - origin, outline[:-1] - origin
    twice_areas = behind[:, 0] * ahead[:, 1] - ahead[:, 0] * behind[:, 1]
    return np.asarray(
        origin + (twice_areas[:, None] * (ahead + behind)).sum(0) / (3 * twice_areas.sum())
    )


def radii_mm(outline: np.ndarray, centre: np.ndarray, directions: np.ndarray) -> np.ndarray:
    """Return how far the outline lies from a point, along rays; NaN where a ray misses.

    Parameters
    ----------
    outline : (N, 2) mm, closed
    centre : (2,) mm
    directions : (K, 2) unit vectors

    Returns
    -------
    (K,) mm, the farthest crossing of each ray
    """
    start = outline[:-1] - centre
    step = np.diff(outline, axis=0)
    across = directions[:, :1] * step[:, 1] - directions[:, 1:] * step[:, 0]
    with np.errstate(divide="ignore", invalid="ignore"):
        along_mm = (start[:, 0] * step[:, 1] - start[:, 1] * step[:, 0]) / across
        share = (start[:, 0] * directions[:, 1:] - start[:, 1] * directions[:, :1]) / across
    # A crossing at a corner belongs to both segments: a little slack loses none.
    hit = (across != 0) & (share >= -1e-9) & (share <= 1 + 1e-9) & (along_mm > 0)
    farthest = np.where(hit, along_mm, -np.inf).max(1)
    return np.where(np.isfinite(farthest), farthest, np.nan)


def distances_mm(points: np.ndarray, outline: np.ndarray) -> np.ndarray:
    """Return the distance ``(K,)`` in mm from each point ``(K, 2)`` to an outline ``(N, 2)``."""
    start, step = outline[:-1], np.diff(outline, axis=0)
    lengths = np.maximum((step**2).sum(1), np.finfo(float).tiny)
    offset = points[:, None] - start
    share = np.clip((offset * step).sum(2) / lengths, 0, 1)
    return np.asarray(np.sqrt(((offset - share[..., None] * step) ** 2).sum(2).min(1)))
