"""Walls exchanged between hearts: analytic rings of known scar."""

import numpy as np
import pytest

from opencmr.anatomy.structures import EMIDEC, Structure
from opencmr.train.exchange import exchanged, walls_of
from opencmr.train.manifest import Slice

SIDE = 96
PLAIN, BLOOD, BACKGROUND = 40.0, 140.0, 70.0


def heart(
    name: str, *, scar_deg: float, radii: tuple[float, float] = (16.0, 28.0), gain: float = 1.0
) -> Slice:
    """Return a heart of four slices whose wall is scar over ``scar_deg``, as bright as blood."""
    rows, columns = np.indices((SIDE, SIDE)) - (SIDE - 1) / 2
    radius, angle = np.hypot(rows, columns), np.rad2deg(np.arctan2(rows, columns)) % 360
    labels = np.zeros((SIDE, SIDE), np.uint8)
    labels[radius < radii[1]] = 2
    labels[(radius < radii[1]) & (angle < scar_deg)] = 3
    labels[radius < radii[0]] = 1
    bright = np.array([BACKGROUND, BLOOD, PLAIN, BLOOD])[labels] * gain
    stack, stack_labels = (np.stack([one] * 4) for one in (bright.astype(np.float32), labels))
    centre = ((SIDE - 1) / 2, (SIDE - 1) / 2)
    return Slice(name, "", 0, stack, stack_labels, 1, (1.0, 1.0), centre, ((0.0, 1.0),))


def after_exchange(source: Slice, other: Slice) -> tuple[np.ndarray, np.ndarray]:
    walls = walls_of([source, other], EMIDEC)
    return exchanged(
        source,
        walls[source.subject, ""],
        walls[other.subject, ""],
        np.random.default_rng(1),
    )


@pytest.mark.parametrize("scar_deg", [0.0, 60.0, 150.0])
def test_the_other_heart_s_scar_comes_with_its_share_of_the_wall(scar_deg: float) -> None:
    source = heart("thin", scar_deg=100.0, radii=(22.0, 30.0))
    _, labels = after_exchange(source, heart("thick", scar_deg=scar_deg, radii=(12.0, 30.0)))
    wall = EMIDEC.mask(labels, Structure.MYOCARDIUM)
    share = EMIDEC.mask(labels, Structure.SCAR).sum() / wall.sum()
    assert share == pytest.approx(scar_deg / 360, abs=0.02)


def test_wall_cavity_and_all_else_stay_where_they_are() -> None:
    source = heart("one", scar_deg=100.0)
    stack, labels = after_exchange(source, heart("two", scar_deg=30.0))
    for structure in (Structure.MYOCARDIUM, Structure.LV):
        same = EMIDEC.mask(labels, structure) == EMIDEC.mask(source.stack_labels, structure)
        assert same.all()
    outside = ~EMIDEC.mask(source.stack_labels, Structure.MYOCARDIUM)
    np.testing.assert_array_equal(stack[outside], source.stack[outside])


def test_scar_and_plain_wall_are_as_bright_against_blood_as_they_were() -> None:
    source = heart("one", scar_deg=100.0)
    stack, labels = after_exchange(source, heart("two", scar_deg=120.0, gain=5.0))
    scar = EMIDEC.mask(labels, Structure.SCAR)
    plain = EMIDEC.mask(labels, Structure.MYOCARDIUM) & ~scar
    assert np.median(stack[scar]) == pytest.approx(BLOOD, abs=1)
    assert np.median(stack[plain]) == pytest.approx(PLAIN, abs=1)


def test_the_hearts_themselves_are_not_changed() -> None:
    source, other = heart("one", scar_deg=100.0), heart("two", scar_deg=0.0)
    before = source.stack.copy(), other.stack.copy(), source.stack_labels.copy()
    after_exchange(source, other)
    after = source.stack, other.stack, source.stack_labels
    for one, same in zip(before, after, strict=True):
        np.testing.assert_array_equal(one, same)


def test_a_stack_without_contrast_or_without_a_ring_has_no_walls() -> None:
    flat = heart("flat", scar_deg=0.0)
    flat.stack[:] = 1.0
    empty = heart("empty", scar_deg=0.0)
    empty.stack_labels[:] = 0
    assert walls_of([flat, empty], EMIDEC) == {}
