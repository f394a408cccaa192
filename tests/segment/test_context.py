"""Networks are shown the slices that they want, and what they say comes back in order."""

from types import SimpleNamespace

import numpy as np
import pytest

from opencmr.anatomy.policy import ACDC_POLICY
from opencmr.anatomy.structures import ACDC
from opencmr.models.card import SegmentationOutput
from opencmr.segment.context import shares_by_slice, stack_part

STACK = np.arange(7, dtype=np.float32)[:, None, None] * np.ones((7, 4, 6), np.float32)


class Echo:
    """A network whose one class is what it was shown; it remembers how many slices at once."""

    def __init__(self, *, whole_stack: bool, context: int = 0) -> None:
        wanted = SimpleNamespace(whole_stack=whole_stack, context_slices=context)
        self.card = SimpleNamespace(input=wanted, output=SimpleNamespace(factors=(1.0,)))
        self.shown: list[int] = []

    def __call__(self, windows: np.ndarray) -> np.ndarray:
        self.shown.append(windows.shape[1])
        if self.card.input.whole_stack:
            return windows[:, None]
        return windows[:, windows.shape[1] // 2][:, None]


@pytest.mark.parametrize(
    ("network", "at_once", "shown"),
    [
        (Echo(whole_stack=False), None, [1] * 7),
        (Echo(whole_stack=False, context=1), None, [3] * 7),
        (Echo(whole_stack=True), None, [7]),
        (Echo(whole_stack=True), 4, [4, 3]),
        (Echo(whole_stack=True), 1, [1] * 7),
    ],
)
def test_every_slice_comes_back_in_order(network, at_once, shown):
    shares = np.stack(list(shares_by_slice(STACK, network, at_once=at_once)))
    assert shares.shape == (7, 1, 4, 6)
    assert (shares[:, 0] == STACK).all()
    assert network.shown == shown


def test_a_part_of_a_stack_holds_the_slice_that_it_was_asked_for():
    for slices in range(5, 12):
        for z in range(slices):
            for step in (1, -1, 2, -2):
                starts = {
                    tuple(stack_part(z, slices, 5, step=step, place=p)) for p in (0, 0.5, 0.9)
                }
                for part in starts:
                    assert z in part
                    assert 0 <= min(part) <= max(part) < slices
                    assert len(set(np.diff(part))) == 1
                    assert np.sign(part[1] - part[0]) == np.sign(step)


class Undecided:
    """A network to which all classes are as likely."""

    def __init__(self, **factors: float) -> None:
        output = SegmentationOutput(
            label_scheme=ACDC.name,
            papillary_rule=ACDC_POLICY.papillary,
            basal_rule=ACDC_POLICY.basal,
            share_factors=factors,
        )
        self.card = SimpleNamespace(input=Echo(whole_stack=False).card.input, output=output)

    def __call__(self, windows: np.ndarray) -> np.ndarray:
        return np.full((1, 4, *windows.shape[2:]), 0.25, np.float32)


def test_shares_are_weighed_by_the_factors_of_the_card_and_sum_to_one():
    (shares,) = shares_by_slice(STACK[:1], Undecided(MYOCARDIUM=0.5))
    assert shares[:, 0, 0] == pytest.approx([2 / 7, 2 / 7, 1 / 7, 2 / 7])
