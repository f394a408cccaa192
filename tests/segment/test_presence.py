"""What comes and goes over the beat is mended by the least change; the rest stays as it is."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from opencmr.anatomy.structures import ACDC, MNMS, Structure
from opencmr.segment.presence import steady_presence, steady_run
from opencmr.validate.flicker import flicker


def slice_of(radius, wall=5.0, size=64, right=True, scheme=ACDC):
    """A ring of wall about a cavity and the right ventricle beside it."""
    y, x = np.indices((size, size))
    far = np.hypot(x - 38, y - 32)
    plane = np.zeros((size, size), np.uint8)
    if right:
        plane[np.hypot(x - 38 + radius + wall + 4, y - 32) < 8] = scheme.label_of(Structure.RV)
    plane[far < radius + wall] = scheme.label_of(Structure.MYOCARDIUM)
    plane[far < radius] = scheme.label_of(Structure.LV)
    return plane


def beating(phases=16, slices=2, scheme=ACDC):
    """A heart whose cavity shrinks and grows again."""
    radii = 9 + 4 * np.cos(2 * np.pi * np.arange(phases) / phases)
    return np.stack([[slice_of(r, scheme=scheme)] * slices for r in radii])


def entries(labels, structure, scheme=ACDC):
    return flicker(scheme.mask(labels, structure).sum((2, 3))).extra_entries.sum()


RUNS = st.lists(st.integers(0, 5), min_size=4, max_size=14)


@given(RUNS)
def test_one_run_is_left_and_one_run_is_kept(areas):
    run = steady_run(np.array(areas))
    assert (run & ~np.roll(run, 1)).sum() <= 1
    shown = np.array(areas) > 0
    if (shown & ~np.roll(shown, 1)).sum() < 2:
        assert (run == shown).all()


@given(RUNS, st.integers(0, 13))
def test_where_the_beat_begins_does_not_change_what_it_costs(areas, start):
    rolled = np.roll(areas, start)
    assert cost(np.array(areas), steady_run(np.array(areas))) == pytest.approx(
        cost(rolled, steady_run(rolled))
    )


def cost(areas, run):
    """Phases and area that a run changes, phase by phase: the definition, not the search."""
    total, n = float(areas[~run].sum()), len(areas)
    for t in np.flatnonzero(run & (areas == 0)):
        before = next(areas[(t - k) % n] for k in range(1, n) if areas[(t - k) % n])
        after = next(areas[(t + k) % n] for k in range(1, n) if areas[(t + k) % n])
        total += (before + after) / 2
    return int((run != (areas > 0)).sum()), total


@given(st.lists(st.integers(0, 4), min_size=4, max_size=8).filter(any))
def test_no_other_run_between_shown_phases_is_cheaper(areas):
    areas = np.array(areas)
    best = cost(areas, steady_run(areas))
    n = len(areas)
    shown = np.flatnonzero(areas)
    for start, end in product(shown, shown):
        run = np.zeros(n, bool)
        run[(start + np.arange((end - start) % n + 1)) % n] = True
        assert best <= cost(areas, run)


@pytest.mark.parametrize("scheme", [ACDC, MNMS], ids=lambda s: s.name)
def test_a_lost_phase_is_filled_with_a_shape_between_its_neighbours(scheme):
    whole = beating(scheme=scheme)
    whole[9:13, 0] = 0
    spoilt = whole.copy()
    spoilt[5, 0] = 0
    mended = steady_presence(spoilt, scheme)
    for structure in (Structure.LV, Structure.MYOCARDIUM, Structure.RV):
        assert entries(mended, structure, scheme) == 0
        found, true = (scheme.mask(one, structure)[5, 0].sum() for one in (mended, whole))
        assert found == pytest.approx(true, rel=0.1)
    untouched = np.ones(spoilt.shape[:2], bool)
    untouched[5, 0] = False
    assert (mended[untouched] == spoilt[untouched]).all()


def test_a_stray_phase_is_taken_away():
    labels = beating()
    stray = labels.copy()
    labels[4:12, 1] = stray[4:12, 1] = 0
    stray[7, 1] = slice_of(2.0, wall=2.0, right=False)
    assert entries(stray, Structure.MYOCARDIUM) == 1
    assert (steady_presence(stray, ACDC) == labels).all()


def test_a_cavity_that_is_lost_inside_its_wall_comes_back_and_one_that_flickers_up_goes():
    labels = beating()
    labels[8:10, 0][labels[8:10, 0] == 3] = 2
    lost = labels.copy()
    lost[3, 0][lost[3, 0] == 3] = 2
    mended = steady_presence(lost, ACDC)
    assert (mended[3, 0] == 3).sum() == pytest.approx((labels[3, 0] == 3).sum(), rel=0.1)
    closed = labels.copy()
    closed[6:11, 0][closed[6:11, 0] == 3] = 2
    opened = closed.copy()
    opened[8, 0][30:34, 36:40] = 3
    assert (steady_presence(opened, ACDC) == closed).all()


def test_what_comes_once_and_goes_once_is_not_touched():
    labels = beating()
    labels[5:11, 0] = 0
    labels[2:9, 1][labels[2:9, 1] == 1] = 0
    before = labels.copy()
    assert (steady_presence(labels, ACDC) == before).all()
    assert (labels == before).all()


def test_labels_are_not_changed_in_place():
    labels = beating()
    labels[5, 0] = 0
    before = labels.copy()
    steady_presence(labels, ACDC)
    assert (labels == before).all()


@pytest.mark.parametrize("phases", [1, 2, 3])
def test_a_pair_of_phases_has_no_beat(phases):
    labels = beating(16)[:phases].copy()
    labels[phases // 2] = 0
    assert (steady_presence(labels, ACDC) == labels).all()
