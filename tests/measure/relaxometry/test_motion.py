"""Pictures that moved: laid back where the curve says so, and nowhere else.

The phantom is a heart - ring of muscle, blood in it and beside it - that moves in a chest that
lies still, of soft edges whose place is known between the pixels.
"""

import numpy as np
import pytest
from skimage.registration import phase_cross_correlation

from opencmr.anatomy.map_kinds import MapKind
from opencmr.geometry.grid import grid_from_spacing
from opencmr.imaging.axis import Echo
from opencmr.imaging.flag import About
from opencmr.imaging.image import Image
from opencmr.imaging.relaxation import RelaxationSeries
from opencmr.measure.relaxometry.method import Method, Scheme, map_of
from opencmr.measure.relaxometry.motion import laid_back, motion_between
from opencmr.measure.relaxometry.of_series import map_of_series

SIDE = 144
RADII = (12.0, 22.0)
DENSITY = {"wall": 100.0, "blood": 120.0, "chest": 130.0}
T1_MS = {"wall": 1000.0, "blood": 1600.0, "chest": 300.0}
T2_MS = {"wall": 48.0, "blood": 200.0, "chest": 90.0}
T2_STAR_MS = {"wall": 30.0, "blood": 90.0, "chest": 15.0}
MOLLI_MS = np.array([100.0, 180, 1100, 1180, 2100, 2180, 3100, 4100])
SASHA_MS = np.array([100.0, 300, 500, 700, 900, 1200, 1700, np.inf])
PREPARATIONS_MS = np.array([0.0, 25, 35, 55])
ECHOES_MS = 2 + 2.2 * np.arange(8)
MOLLI = Method(MapKind.T1, Scheme.MOLLI)
BREATHS = np.array(
    [[0, 0], [3.4, -1.7], [0, 0], [-2.3, 0.6], [0, 0], [0, 0], [1.2, 2.6], [0, 0]], dtype=float
)


def soft(distance, width=0.5):
    """1 inside (below 0), 0 outside, over some pixels."""
    return 1 / (1 + np.exp(np.clip(distance / width, -60, 60)))


def picture(signal, off_px=(0.0, 0.0), radii=RADII):
    """One picture of the phantom, its heart that far down and right of the middle."""
    row, column = np.indices((SIDE, SIDE)) - (SIDE - 1) / 2
    chest = soft(np.abs(np.hypot(row, 0.9 * column) - 61) - 5)
    row, column = row - off_px[0], column - off_px[1]
    cavity, heart = (soft(np.hypot(row, column) - radius) for radius in radii)
    right = soft(np.hypot(0.8 * row, column + 28) - 12) * (1 - heart)
    return (
        signal["wall"] * (heart - cavity)
        + signal["blood"] * (cavity + right)
        + signal["chest"] * chest
    )


def recovery(time_ms, times_ms=T1_MS):
    """Look-Locker's recovery, B/A = 1.9."""
    return {n: DENSITY[n] * (1 - 1.9 * np.exp(-0.9 * time_ms / times_ms[n])) for n in DENSITY}


def saturation(time_ms):
    return {n: DENSITY[n] * (1 - np.exp(-time_ms / T1_MS[n])) for n in DENSITY}


def decay(truth_ms):
    return lambda time_ms: {n: DENSITY[n] * np.exp(-time_ms / truth_ms[n]) for n in DENSITY}


def series_of(signal, times_ms, shifts_px, noise=0.0, seed=1):
    """Magnitudes (N, Y, X), with noise in both channels."""
    values = np.stack(
        [picture(signal(t), s) for t, s in zip(times_ms, shifts_px, strict=True)]
    ).astype(complex)
    generator = np.random.default_rng(seed)
    values += noise * generator.standard_normal(values.shape)
    values += 1j * noise * generator.standard_normal(values.shape)
    return np.abs(values)


def ring(off_px=(0.0, 0.0)):
    row, column = np.indices((SIDE, SIDE)) - (SIDE - 1) / 2
    apart = np.hypot(row - off_px[0], column - off_px[1])
    return (apart > RADII[0] + 3) & (apart < RADII[1] - 3)


def heart():
    row, column = np.indices((SIDE, SIDE)) - (SIDE - 1) / 2
    return np.hypot(row, 0.8 * (column + 6)) < 36


def motion_of(values, times_ms, method, region=None):
    return motion_between(
        values,
        times_ms,
        method,
        magnitude=True,
        region=heart() if region is None else region,
        reach_px=(12, 12),
    )


def errors_of(values, times_ms, method, truth_ms, off_px=(0.0, 0.0)):
    """Absolute errors of the map in the ring, in percent; not fitted is 100."""
    found_ms = map_of(values, times_ms, method, magnitude=True).values_ms[ring(off_px)]
    return np.nan_to_num(100 * np.abs(found_ms / truth_ms - 1), nan=100.0)


CASES = {
    "MOLLI": (recovery, MOLLI_MS, MOLLI, T1_MS["wall"], BREATHS),
    "SASHA": (saturation, SASHA_MS, Method(MapKind.T1, Scheme.SASHA), T1_MS["wall"], BREATHS),
    "T2 preparations": (
        decay(T2_MS), PREPARATIONS_MS, Method(MapKind.T2), T2_MS["wall"],
        np.array([[0, 0], [2.6, 1.3], [0, 0], [0, 0]]),
    ),
    "three T2 preparations": (
        decay(T2_MS), PREPARATIONS_MS[[0, 1, 3]], Method(MapKind.T2), T2_MS["wall"],
        np.array([[0, 0], [2.6, -1.3], [0, 0]]),
    ),
    "T2* echoes": (
        decay(T2_STAR_MS), ECHOES_MS, Method(MapKind.T2_STAR), T2_STAR_MS["wall"], BREATHS,
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_a_breath_between_the_pictures_is_taken_back(case):
    signal, times_ms, method, truth_ms, shifts_px = CASES[case]
    values = series_of(signal, times_ms, shifts_px)
    motion = motion_of(values, times_ms, method)
    np.testing.assert_allclose(motion.shifts_px, shifts_px, atol=0.3)
    before = errors_of(values, times_ms, method, truth_ms)
    after = errors_of(laid_back(values, motion.shifts_px), times_ms, method, truth_ms)
    assert np.percentile(after, 95) < 1
    assert np.percentile(before, 95) > 3 * np.percentile(after, 95)
    assert motion.misfit[1] < 0.2 * motion.misfit[0]


@pytest.mark.parametrize("case", CASES)
def test_in_noise_shifts_are_still_found(case):
    signal, times_ms, method, _, shifts_px = CASES[case]
    values = series_of(signal, times_ms, shifts_px, noise=2.0)
    np.testing.assert_allclose(motion_of(values, times_ms, method).shifts_px, shifts_px, atol=0.3)


@pytest.mark.parametrize("noise", [0.0, 4.0])
@pytest.mark.parametrize("case", CASES)
def test_a_heart_that_lies_still_is_left_as_it_is(case, noise):
    signal, times_ms, method, *_ = CASES[case]
    values = series_of(signal, times_ms, np.zeros((len(times_ms), 2)), noise)
    motion = motion_of(values, times_ms, method)
    assert not motion.moved
    assert motion.misfit[0] == motion.misfit[1]


@pytest.mark.parametrize("case", CASES)
def test_noise_alone_moves_nothing(case):
    _, times_ms, method, *_ = CASES[case]
    values = series_of(
        lambda _: dict.fromkeys(DENSITY, 0.0), times_ms, np.zeros((len(times_ms), 2)), 10.0
    )
    assert not motion_of(values, times_ms, method).moved


def test_a_shift_of_a_fraction_of_a_pixel_is_not_applied():
    shifts_px = np.zeros((8, 2))
    shifts_px[2] = [0.15, -0.15]
    assert not motion_of(series_of(recovery, MOLLI_MS, shifts_px), MOLLI_MS, MOLLI).moved


def test_the_first_picture_is_no_fixed_point_and_their_order_does_not_matter():
    shifts_px = np.zeros((8, 2))
    shifts_px[0] = [-2.5, 1.6]
    values = series_of(recovery, MOLLI_MS, shifts_px)
    order = [5, 0, 7, 2, 1, 6, 4, 3]
    motion = motion_of(values[order], MOLLI_MS[order], MOLLI)
    np.testing.assert_allclose(motion.shifts_px, shifts_px[order], atol=0.3)


def test_a_drift_and_two_breath_holds_are_taken_back_up_to_where_the_slice_is_said_to_lie():
    for shifts_px in (np.outer(np.arange(8), [0.6, -0.3]), np.repeat([[0, 0], [6.3, 2.2]], 4, 0)):
        found = motion_of(series_of(recovery, MOLLI_MS, shifts_px), MOLLI_MS, MOLLI).shifts_px
        apart = found - shifts_px
        np.testing.assert_allclose(apart - apart[0], 0, atol=0.35)
        assert (found == 0).all(1).any()


def test_all_pictures_shifted_alike_shift_the_map_and_change_no_value():
    values = series_of(recovery, MOLLI_MS, BREATHS, noise=2.0)
    there = np.roll(values, (3, -2), axis=(1, 2))
    one = motion_of(values, MOLLI_MS, MOLLI)
    other = motion_of(there, MOLLI_MS, MOLLI, np.roll(heart(), (3, -2), axis=(0, 1)))
    np.testing.assert_allclose(one.shifts_px, other.shifts_px, atol=1e-3)
    maps = [
        map_of(laid_back(v, one.shifts_px), MOLLI_MS, MOLLI, magnitude=True).values_ms
        for v in (values, there)
    ]
    np.testing.assert_allclose(
        maps[0][ring()], np.roll(maps[1], (-3, 2), axis=(0, 1))[ring()], rtol=0.02
    )


@pytest.mark.parametrize("scale", [1e-4])
def test_the_unit_of_the_pictures_does_not_matter(scale):
    values = series_of(recovery, MOLLI_MS, BREATHS, noise=2.0)
    one, other = (motion_of(v, MOLLI_MS, MOLLI) for v in (values, scale * values))
    np.testing.assert_allclose(one.shifts_px, other.shifts_px, atol=1e-3)
    np.testing.assert_allclose(np.array(one.misfit) * scale, other.misfit, rtol=1e-3)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    "values",
    [
        np.zeros((8, SIDE, SIDE)),
        np.full((8, SIDE, SIDE), 7.0),
        np.full((8, SIDE, SIDE), np.nan),
        np.where(np.eye(SIDE) > 0, np.inf, series_of(recovery, MOLLI_MS, BREATHS)),
        np.repeat(picture(recovery(4000))[None], 8, 0),
    ],
    ids=["zero", "constant", "NaN", "infinite", "eight times one"],
)
def test_pictures_that_say_nothing_move_nothing(values):
    motion = motion_of(values, MOLLI_MS, MOLLI)
    assert not motion.moved
    assert motion.shifts_px.shape == (8, 2)


def test_where_the_curve_passes_through_every_picture_no_misfit_can_speak():
    values = series_of(recovery, MOLLI_MS[[0, 2, 4]], BREATHS[:3])
    signed = values * np.array([-1, 1, 1])[:, None, None]
    motion = motion_between(
        signed, MOLLI_MS[[0, 2, 4]], MOLLI, magnitude=False, region=heart(), reach_px=(9, 9)
    )
    assert not motion.moved


def test_a_picture_of_something_else_is_not_forced_onto_the_others():
    values = series_of(recovery, MOLLI_MS, np.zeros((8, 2)), noise=2.0)
    values[5] = np.random.default_rng(4).permutation(values[5].ravel()).reshape(SIDE, SIDE)
    assert not motion_of(values, MOLLI_MS, MOLLI).moved


def test_a_heart_that_changes_its_shape_is_not_shifted_for_it():
    larger_px = np.random.default_rng(0).uniform(-1.5, 1.5, 8)
    pictures = []
    for time_ms, more in zip(MOLLI_MS, larger_px, strict=True):
        radii = (RADII[0] + more, RADII[1] + 0.6 * more)
        pictures.append(np.abs(picture(recovery(time_ms), radii=radii)))
    assert not motion_of(np.array(pictures), MOLLI_MS, MOLLI).moved


def test_shifting_between_pixels_keeps_the_noise_and_loses_what_was_outside():
    noise = np.random.default_rng(5).standard_normal((2, 80, 80))
    moved = laid_back(noise, np.array([[3.5, -1.5], [0, 0]]))
    assert (moved[1] == noise[1]).all()
    inside = moved[0][:76, 3:]
    assert np.isfinite(inside).all()
    assert np.isnan(moved[0][77:]).all()
    assert np.isnan(moved[0][:, :1]).all()
    assert inside.std() == pytest.approx(1, abs=0.03)
    holed = noise.copy()
    holed[0, 40, 40] = np.nan
    lost = np.isnan(laid_back(holed, np.array([[2.5, 0], [0, 0]]))[0])
    assert lost[37:39, 40].all()
    assert lost[:70].sum() == 2


def test_an_independent_registration_finds_the_same_shift_where_contrast_is_alike():
    shifts_px = np.zeros((8, 2))
    shifts_px[3] = [2.4, -3.3]
    values = series_of(decay(T2_STAR_MS), ECHOES_MS, shifts_px, noise=1.0)
    rows, columns = (np.flatnonzero(heart().any(axis)) for axis in (1, 0))
    box = (slice(rows[0], rows[-1]), slice(columns[0], columns[-1]))
    theirs = phase_cross_correlation(
        values[2][box], values[3][box], upsample_factor=20, normalization=None
    )[0]
    ours = motion_of(values, ECHOES_MS, Method(MapKind.T2_STAR)).shifts_px[3]
    np.testing.assert_allclose(ours, -theirs, atol=0.3)


def slices_of(shifts_px, spacing_mm=1.5):
    values = series_of(decay(T2_STAR_MS), ECHOES_MS, shifts_px)
    values = np.stack([values, series_of(decay(T2_STAR_MS), ECHOES_MS, 0 * shifts_px)], axis=1)
    grid = grid_from_spacing((2, SIDE, SIDE), (8.0, spacing_mm, spacing_mm))
    along = Echo(np.repeat(ECHOES_MS[:, None], 2, 1), np.full((8, 2), 500.0), np.full(2, 900.0))
    return RelaxationSeries(Image(values.astype(np.float32), grid, along))


def test_of_a_series_only_the_slice_that_moved_changes_and_is_told_in_mm():
    series, method = slices_of(BREATHS), Method(MapKind.T2_STAR)
    plain = map_of_series(series, method, corrects_motion=False)
    mapped = map_of_series(series, method)
    np.testing.assert_array_equal(mapped.found.values_ms[1], plain.found.values_ms[1])
    assert mapped.motion.moved == 3
    assert mapped.motion.greatest == pytest.approx(1.5 * np.hypot(3.4, 1.7), abs=0.3)
    assert "3 of 16 pictures shifted by up to 5." in mapped.motion.sentence
    assert mapped.motion.flags(About()) == ()
    assert (plain.motion.sentence, plain.motion.misfit) == ("", None)
    assert np.median(mapped.found.residual[0][ring()]) < np.median(plain.found.residual[0][ring()])


def test_a_shift_of_more_than_ten_mm_makes_the_map_doubtful():
    mapped = map_of_series(slices_of(2 * BREATHS), Method(MapKind.T2_STAR))
    (flag,) = mapped.motion.flags(About("s01"))
    assert (flag.code, flag.about.series, flag.severity.value) == (
        "MOVED_PICTURES",
        "s01",
        "review",
    )
