"""The unwrapped wall: rings whose outlines and scar are known, there and back."""

import numpy as np
import pytest
from scipy import ndimage

from opencmr.anatomy.structures import EMIDEC
from opencmr.segment.wall_strip import (
    ANGLES_RAD,
    COLUMNS,
    OUTSIDE_MM,
    ROW_MM,
    ROWS,
    channels,
    pixels_near,
    put_back,
    rings_of,
    scaled_greys,
    stack_channels,
    unwrapped,
)

SQUARE, LONG = (1.4, 1.4), (2.0, 1.1)
ENDO_MM, EPI_MM = 22.0, 32.0


def ring(
    spacing_mm: tuple[float, float] = SQUARE,
    *,
    endo_mm: float = ENDO_MM,
    epi_mm: float = EPI_MM,
    scar_from_deg: float = 20.0,
    scar_deg: float = 80.0,
) -> np.ndarray:
    """EMIDEC labels of a slice: a round wall, its inner half scar over an arc."""
    rows, columns = np.indices((96, 112))
    y, x = (rows - 45) * spacing_mm[0], (columns - 60) * spacing_mm[1]
    radius_mm = np.hypot(y, x)
    after_deg = np.mod(np.rad2deg(np.arctan2(y, x)) - scar_from_deg, 360)
    labels = np.select([radius_mm < endo_mm, radius_mm < epi_mm], [1, 2], 0).astype(np.uint8)
    inner = radius_mm < (endo_mm + epi_mm) / 2
    labels[(labels == 2) & inner & (after_deg < scar_deg)] = 3
    return labels


def there_and_back(plane: np.ndarray, spacing_mm: tuple[float, float]) -> np.ndarray:
    (found,) = rings_of(plane[None], EMIDEC, spacing_mm).values()
    shares = np.stack([unwrapped((plane == k).astype(float), found, spacing_mm) for k in range(5)])
    near = pixels_near(found, spacing_mm, plane.shape)
    back = np.zeros_like(plane)
    back[near] = put_back(shares, found, spacing_mm, near).argmax(0)
    return back


def apart_px(a: np.ndarray, b: np.ndarray) -> float:
    """Greatest distance, in pixels, of a pixel of ``a`` or ``b`` alone from the other's border."""
    both = [ndimage.distance_transform_edt(~one) for one in (a, b)]
    return max(float((both[1] * a).max()), float((both[0] * b).max()))


@pytest.mark.parametrize("spacing_mm", [SQUARE, LONG])
def test_outlines_of_a_round_wall_are_its_radii(spacing_mm):
    (found,) = rings_of(ring(spacing_mm)[None], EMIDEC, spacing_mm).values()
    assert found.centre_px == pytest.approx((45, 60), abs=0.1)
    assert found.endo_mm == pytest.approx(np.full(COLUMNS, ENDO_MM), abs=1.0)
    assert found.epi_mm == pytest.approx(np.full(COLUMNS, EPI_MM), abs=1.0)


@pytest.mark.parametrize("spacing_mm", [SQUARE, LONG])
def test_what_is_unwrapped_and_put_back_is_the_same_within_a_pixel(spacing_mm):
    plane = ring(spacing_mm)
    back = there_and_back(plane, spacing_mm)
    for label in (1, 2, 3):
        assert apart_px(plane == label, back == label) <= 1.5, label  # a diagonal neighbour
        assert (back == label).sum() == pytest.approx((plane == label).sum(), rel=0.06)


def test_a_scar_lies_at_its_angles_and_depths():
    plane = ring()
    (found,) = rings_of(plane[None], EMIDEC, SQUARE).values()
    strip = unwrapped((plane == 3).astype(float), found, SQUARE) > 0.5
    degrees = np.rad2deg(ANGLES_RAD[strip.any(0)])
    assert (degrees.min(), degrees.max()) == pytest.approx((20, 100), abs=5)
    depths_mm = ROW_MM * np.flatnonzero(strip.any(1)) - OUTSIDE_MM
    assert (depths_mm.min(), depths_mm.max()) == pytest.approx((5, 10), abs=1.2)


@pytest.mark.parametrize("turned", [0, 7, 40])
def test_where_the_angle_starts_does_not_matter(turned):
    """A scar that is turned by whole columns is the same strip, rolled."""
    step_deg = 360 / COLUMNS
    plane, other = ring(), ring(scar_from_deg=20 + turned * step_deg)
    strips = []
    for one in (plane, other):
        (found,) = rings_of(one[None], EMIDEC, SQUARE).values()
        strips.append(unwrapped((one == 3).astype(float), found, SQUARE))
    difference = np.abs(np.roll(strips[0], turned, axis=1) - strips[1])
    assert difference.mean() < 0.02
    for label in (1, 2, 3):
        assert apart_px(other == label, there_and_back(other, SQUARE) == label) <= 1.5


def test_slices_without_a_closed_wall_of_some_size_have_no_ring():
    opened = ring()
    opened[:, 62:][opened[:, 62:] >= 2] = 0
    small = ring(endo_mm=0, epi_mm=3)
    cavity_alone = np.where(ring() == 1, 1, 0).astype(np.uint8)
    empty = np.zeros_like(opened)
    stack = np.stack([opened, small, cavity_alone, ring(), empty])
    assert list(rings_of(stack, EMIDEC, SQUARE)) == [3]
    assert rings_of(empty[None], EMIDEC, SQUARE) == {}


def test_an_apex_without_a_cavity_is_a_ring_of_no_inner_radius():
    (found,) = rings_of(ring(endo_mm=0, epi_mm=12)[None], EMIDEC, SQUARE).values()
    assert found.endo_mm.max() == 0
    assert there_and_back(ring(endo_mm=0, epi_mm=12, scar_deg=0), SQUARE).max() == 2


def test_rings_go_from_the_wider_end_whatever_the_order_of_the_slices():
    stack = np.stack([ring(epi_mm=EPI_MM - 3 * z, endo_mm=ENDO_MM - 3 * z) for z in range(4)])
    assert list(rings_of(stack, EMIDEC, SQUARE)) == [0, 1, 2, 3]
    assert list(rings_of(stack[::-1], EMIDEC, SQUARE)) == [3, 2, 1, 0]


def test_greys_and_channels_do_not_know_the_scanners_scale():
    plane = ring()
    picture = np.array([20, 70, 30, 90, 40.0])[plane][None]
    rings = rings_of(plane[None], EMIDEC, SQUARE)
    seen = [
        stack_channels(scaled_greys(one, rings, SQUARE), rings, SQUARE)
        for one in (picture, 13 * picture - 500)
    ]
    assert seen[0].shape == (1, 9, ROWS, COLUMNS)
    assert seen[0].dtype == np.float32
    assert np.abs(seen[0] - seen[1]).max() < 1e-4


def test_a_picture_without_contrast_has_channels_that_are_numbers():
    plane = ring()
    rings = rings_of(plane[None], EMIDEC, SQUARE)
    greys = scaled_greys(np.full((1, *plane.shape), 7.0), rings, SQUARE)
    assert np.isfinite(stack_channels(greys, rings, SQUARE)).all()


def test_a_wall_without_blood_has_channels_that_are_numbers():
    (found,) = rings_of(ring(endo_mm=0, epi_mm=12)[None], EMIDEC, SQUARE).values()
    assert np.isfinite(channels(np.zeros((3, ROWS, COLUMNS)), [found] * 3, 0.0)).all()
