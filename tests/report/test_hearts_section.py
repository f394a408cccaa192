"""Each ventricle is shown at its own end-diastole and end-systole."""

from dataclasses import replace

import pytest

from opencmr.imaging.landmarks import Cycle
from opencmr.report.blocks import Montage
from opencmr.report.contents import Report
from opencmr.report.sections import hearts


@pytest.mark.parametrize(
    ("lv", "rv", "shown"),
    [
        (Cycle(0, 2), Cycle(0, 2), (("End-diastole", 0), ("End-systole", 2))),
        (
            Cycle(0, 2),
            Cycle(0, 3),
            (("End-diastole", 0), ("LV end-systole", 2), ("RV end-systole", 3)),
        ),
        (
            Cycle(5, 2),
            Cycle(0, 2),
            (("LV end-diastole", 5), ("RV end-diastole", 0), ("End-systole", 2)),
        ),
        (Cycle(0, 2), None, (("LV end-diastole", 0), ("LV end-systole", 2))),
        (None, Cycle(1, 3), (("RV end-diastole", 1), ("RV end-systole", 3))),
        (None, None, (("Outlines", 0),)),
    ],
)
def test_a_phase_that_only_one_ventricle_has_carries_its_name(
    small_report: Report, lv: Cycle | None, rv: Cycle | None, shown: tuple[tuple[str, int], ...]
) -> None:
    landmarks = replace(
        small_report.landmarks["s02"], lv=lv, rv=rv, end_diastole=None, end_systole=None
    )
    assert hearts.shown_phases(landmarks) == shown
    report = replace(small_report, landmarks={"s02": landmarks})
    montages = [one for one in hearts.tell(report) if isinstance(one, Montage)]
    assert [one.title for one in montages] == [name for name, _ in shown]
    for montage, (_, phase) in zip(montages, shown, strict=True):
        assert montage.note.startswith(f"phase {phase + 1} of 6")
    assert [one.has_switch for one in montages] == [True] + [False] * (len(shown) - 1)
