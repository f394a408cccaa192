"""The slices on which an interval depends are shown with what each choice gives."""

from dataclasses import replace

import numpy as np
import pytest

from opencmr.analyses.function import NAME as FUNCTION
from opencmr.imaging.flag import QualityFlag, Severity
from opencmr.imaging.study import Demographics
from opencmr.measure import Ventricles, measure_all
from opencmr.measure.landmarks import find_landmarks
from opencmr.quality.withhold import withhold
from opencmr.report.blocks import Montage, Table
from opencmr.report.contents import Report
from opencmr.report.sections import basal_slices


@pytest.fixture(scope="module")
def lost(small_report: Report) -> Report:
    """A heart whose most basal slice is lost at the LV's end-systole."""
    series, masks = small_report.study.series[1], small_report.segmentations["s02"]
    labels = masks.labels.copy()
    volumes = (labels == 3).sum((1, 2, 3))
    labels[np.argmin(volumes), 0] = 0
    cut = replace(masks, labels=labels)
    heart = Ventricles(cut, series.image, Demographics(), "s02")
    return replace(
        small_report,
        segmentations={"s02": cut},
        landmarks={"s02": find_landmarks(heart)},
        measurements=measure_all(heart).found_by(FUNCTION),
    )


def _told(report: Report) -> tuple[Montage, Table]:
    montage, table, *_ = basal_slices.tell(report)
    assert isinstance(montage, Montage)
    assert isinstance(table, Table)
    return montage, table


def test_ed_and_es_of_the_lost_slice_are_shown_as_measured(lost: Report) -> None:
    montage, _ = _told(lost)
    assert montage.title == "LV: slice 1 at the base"
    assert [one.caption for one in montage.pictures] == [
        "ED, slice 1",
        "ES, slice 1 · no outline",
    ]


def test_the_choices_span_the_interval_that_is_printed(lost: Report) -> None:
    _, table = _told(lost)
    function = lost.measurements.of(FUNCTION)
    for place, column in enumerate(table.columns[1:], start=1):
        values = [float(row.cells[place].text) for row in table.rows]
        found = function.find(column.name)
        assert found is not None
        assert found.interval is not None
        assert found.value is not None
        assert [min(values), max(values)] == [round(end) for end in found.interval]
        assert values[0] == round(found.value)
    assert [column.name for column in table.columns[1:]] == ["LVEF", "LVEDV", "LVESV", "LVM"]
    assert [row.cells[0].text for row in table.rows] == [
        "as labelled",
        "with slice 1 at end-systole too",
        "without slice 1 at both phases",
    ]


def test_what_is_withheld_is_not_told_by_the_choices(lost: Report) -> None:
    spoilt = QualityFlag(Severity.DO_NOT_REPORT, "SPARSE_STACK", "Too rough.")
    withheld = replace(lost, measurements=withhold(lost.measurements, (spoilt,)))
    assert basal_slices.tell(withheld) == ()


def test_a_mass_alone_that_is_withheld_has_no_column(lost: Report) -> None:
    mass = lost.measurements.of(FUNCTION).find("LVM")
    assert mass is not None
    reason = withhold(lost.measurements, (QualityFlag(Severity.DO_NOT_REPORT, "SPARSE_STACK", ""),))
    gone = reason.of(FUNCTION).find("LVM")
    assert gone is not None
    kept = tuple(gone if one is mass else one for one in lost.measurements)
    _, table = _told(replace(lost, measurements=type(lost.measurements)(kept)))
    assert [column.name for column in table.columns[1:]] == ["LVEF", "LVEDV", "LVESV"]


def test_without_a_segmentation_there_is_nothing_to_show(lost: Report) -> None:
    assert basal_slices.tell(replace(lost, segmentations={})) == ()
