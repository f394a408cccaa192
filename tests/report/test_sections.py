"""What the sections of a report tell in words."""

from dataclasses import replace

import pytest

from opencmr.analyses import function
from opencmr.analyses.function import NAME as FUNCTION
from opencmr.analyses.plan import Planned
from opencmr.anatomy.reasons import Reason
from opencmr.imaging.flag import About, QualityFlag, Severity
from opencmr.imaging.image import untimed_image
from opencmr.imaging.measurements import Measurements
from opencmr.imaging.study import Demographics, Identity, Scanner
from opencmr.measure import Ventricles, measure_all
from opencmr.measure.landmarks import find_landmarks
from opencmr.quality.withhold import withhold
from opencmr.report import html, pdf
from opencmr.report.blocks import Strip, Table
from opencmr.report.contents import Report
from opencmr.report.rows import Row, told_once
from opencmr.report.sections import further, gaps, trust, truth, ventricles
from opencmr.report.sections.table import page_of


def _lv(report: Report) -> tuple[Row, ...]:
    return ventricles.chamber_rows(report, "LV")


def _rv(report: Report) -> tuple[Row, ...]:
    return ventricles.chamber_rows(report, "RV")


def _further(report: Report) -> tuple[Row, ...]:
    return further.further_rows(report, ())


def _notes(report: Report) -> tuple[str, ...]:
    return ventricles.notes(report, (*_lv(report), *_rv(report)))


def _flag(severity: Severity) -> QualityFlag:
    return QualityFlag(severity, "NO_TIMING", severity.value)


@pytest.mark.parametrize(
    ("severities", "level"),
    [
        ((), "clear"),
        ((Severity.INFO,), "clear"),
        ((Severity.INFO, Severity.REVIEW), "review"),
        ((Severity.REVIEW, Severity.DO_NOT_REPORT), "withheld"),
    ],
)
def test_the_banner_follows_the_worst_flag(
    small_report: Report, severities: tuple[Severity, ...], level: str
) -> None:
    flagged = replace(small_report, flags=tuple(_flag(s) for s in severities))
    assert trust.banner(flagged).level == level


def test_a_study_in_which_nothing_was_measured_says_so_first(small_report: Report) -> None:
    empty = replace(small_report, segmentations={}, measurements=Measurements(), flags=())
    assert trust.banner(empty).level == "withheld"
    assert ventricles.tell(empty) == ()


@pytest.mark.parametrize(("about", "level"), [(FUNCTION, "review"), ("", "withheld")])
def test_what_is_only_absent_does_not_spoil_what_was_measured(
    small_report: Report, about: str, level: str
) -> None:
    """A study of maps alone has no cine; its maps stand."""
    absent = Planned(
        function.FUNCTION, {}, None, Reason("NO_SAX_CINE", "no series is a short-axis cine")
    )
    flag = QualityFlag(Severity.DO_NOT_REPORT, "NO_SAX_CINE", "", about=About("", about))
    report = replace(small_report, plan=(absent,), flags=(flag,))
    assert trust.banner(report).level == level


def test_remarks_come_worst_first_and_once(small_report: Report) -> None:
    info, worst = _flag(Severity.INFO), _flag(Severity.DO_NOT_REPORT)
    banner = trust.banner(replace(small_report, flags=(info, worst, info)))
    assert [r.severity for r in banner.remarks] == ["do not report", "info"]


def test_rows_follow_the_clinical_order_whatever_the_order_of_measurement(
    small_report: Report,
) -> None:
    backwards = Measurements(small_report.measurements.found[::-1])
    report = replace(small_report, measurements=backwards)
    assert [row.symbol for row in _lv(report)][:3] == ["LVEDV", "LVEDVi", "LVESV"]
    assert [row.symbol for row in _rv(report)][-3:] == ["RVEF", "RVCO", "RVCI"]
    assert [number.name for number in ventricles.key_numbers(backwards)] == [
        "LV ejection fraction",
        "LV end-diastolic volume, indexed",
        "RV ejection fraction",
        "LV mass, indexed",
    ]


def test_every_whole_heart_measurement_is_told_somewhere(small_report: Report) -> None:
    rows = (*_lv(small_report), *_rv(small_report), *_further(small_report))
    told = {row.symbol for row in rows} | {"BSA"}
    assert set(small_report.measurements.values()) <= told


def _find(report: Report, symbol: str, **changes: object) -> Report:
    changed = tuple(
        replace(m, **changes) if m.quantity.symbol == symbol else m  # type: ignore[arg-type]
        for m in report.measurements
    )
    return replace(report, measurements=Measurements(changed))


@pytest.mark.parametrize(
    ("value", "marker", "beyond"),
    [
        (51.0, 29.17, ""),
        (71.0, 70.83, ""),
        (61.0, 50.0, ""),
        (5.0, 0.0, "low"),
        (95.0, 100.0, "high"),
    ],
)
def test_the_strip_places_a_value_about_its_normal_range(
    small_report: Report, value: float, marker: float, beyond: str
) -> None:
    row = next(r for r in _lv(_find(small_report, "LVEF", value=value)) if r.symbol == "LVEF")
    assert row.strip == Strip(29.17, 70.83, marker, beyond)


def test_a_withheld_value_shows_its_reason_and_no_range(small_report: Report) -> None:
    report = _find(small_report, "LVEF", value=None, reason=Reason("SPARSE_STACK", "too rough"))
    row = next(r for r in _lv(report) if r.symbol == "LVEF")
    assert (row.value, row.reason, row.strip, row.range) == ("–", "too rough", None, "")


def test_negative_numbers_carry_a_true_minus_and_rounding_leaves_no_negative_zero(
    small_report: Report,
) -> None:
    rows = {r.symbol: r for r in _further(_find(small_report, "SVDIFF", value=-2.4))}
    assert rows["SVDIFF"].value == "−2"
    rows = {r.symbol: r for r in _further(_find(small_report, "SVDIFF", value=-0.2))}
    assert rows["SVDIFF"].value == "0"


def _at_one_phase(report: Report) -> Report:
    """The same study segmented at one phase, as a NIfTI stack is."""
    series, segmentation = report.study.series[1], report.segmentations["s02"]
    still = replace(series, image=untimed_image(series.image.values[:1], series.image.grid))
    masks = replace(segmentation, labels=segmentation.labels[:1])
    stack = Ventricles(masks, still.image, Demographics(), "s02")
    return replace(
        report,
        study=replace(report.study, series=(still,)),
        segmentations={"s02": masks},
        landmarks={"s02": find_landmarks(stack)},
        measurements=measure_all(stack).found_by(FUNCTION),
    )


def test_a_stack_at_one_phase_shows_its_volumes_and_its_mass(small_report: Report) -> None:
    report = _at_one_phase(small_report)
    given = {curve.quantity.symbol: curve.values[0] for curve in report.measurements.curves}
    first = (*_lv(report)[:2], _rv(report)[0])
    assert [(r.symbol, r.label, r.reason) for r in first] == [
        ("LVV", "Volume at the given phase", ""),
        ("LVMASS", "Mass at the given phase", ""),
        ("RVV", "Volume at the given phase", ""),
    ]
    for row in first:
        assert row.value == f"{given[row.symbol]:.0f}"
    page, content = html.markup(page_of(report)), pdf.plain(page_of(report))
    assert page.count("Volume at the given phase") == 2
    assert str(content).count("Volume at the given phase") == 2
    assert "Volume at the given phase" not in html.markup(page_of(small_report))


def test_a_withheld_stack_at_one_phase_shows_no_volume(small_report: Report) -> None:
    report = _at_one_phase(small_report)
    spoilt = QualityFlag(Severity.DO_NOT_REPORT, "SPARSE_STACK", "Too rough.")
    withheld = withhold(report.measurements, (spoilt,))
    rows = _lv(replace(report, measurements=withheld))
    assert {(row.value, bool(row.reason)) for row in rows} == {("–", True)}


def test_truth_stands_beside_measurement_with_the_difference(small_report: Report) -> None:
    (table,) = truth.tell(replace(small_report, truth={"LVEF": 57.0, "UNKNOWN": 1.0}))
    assert isinstance(table, Table)
    (row,) = table.rows
    assert [cell.text for cell in row.cells[1:]] == ["57.0", "58.9", "+1.9"]
    assert row.cells[0].unit == "%"


def test_recommended_elements_that_are_not_there_are_listed_with_why(small_report: Report) -> None:
    bare = replace(
        small_report,
        study=replace(
            small_report.study,
            identity=Identity(),
            demographics=Demographics(),
            scanner=Scanner(),
        ),
    )
    missing = gaps.missing(bare)
    assert {"Scanner", "Sex", "Height", "Date of procedure"} <= set(missing["Not in the input"])
    assert "Sex" not in str(gaps.missing(small_report))
    without = replace(small_report, measurements=Measurements())
    assert "LVEF" in gaps.missing(without)["Could not be measured"]


def test_no_printed_value_is_said_to_be_missing(small_report: Report) -> None:
    """Without height and weight the volumes stand, their indices do not."""
    lost = _lost(small_report, Reason("BSA_UNKNOWN", "no height"), only_indices=True)
    printed = {row.symbol for row in _lv(lost) if not row.reason}
    unmeasured = gaps.missing(lost)["Could not be measured"]
    assert {"LVEDV", "LVESV", "LVSV", "LVEF"} <= printed
    assert unmeasured == ["LVEDV, indexed", "LVESV, indexed", "LVSV, indexed", "LV: mass, indexed"]
    assert "Could not be measured" not in gaps.missing(small_report)


def test_what_is_withheld_is_not_said_to_be_unmeasurable(small_report: Report) -> None:
    spoilt = QualityFlag(Severity.DO_NOT_REPORT, "SPARSE_STACK", "Too rough.")
    withheld = replace(
        small_report,
        measurements=withhold(small_report.measurements, (spoilt,)),
        flags=(spoilt,),
    )
    missing = gaps.missing(withheld)
    assert {"LVEDV", "LVEF", "RVEF", "LV: mass"} <= set(missing["Withheld, see the top"])
    assert "Could not be measured" not in missing


def test_a_study_of_maps_alone_says_why_no_function_is_there(small_report: Report) -> None:
    absent = Planned(
        function.FUNCTION, {}, None, Reason("NO_SAX_CINE", "no series is a short-axis cine")
    )
    maps = replace(small_report, measurements=Measurements(), plan=(absent,))
    missing = gaps.missing(maps)
    assert "LVEF" in missing["Not measured (no series is a short-axis cine)"]
    assert "Could not be measured" not in missing


def test_a_date_that_is_not_printed_is_not_in_the_input(small_report: Report) -> None:
    identity = replace(small_report.study.identity, study_date="00000000", institution=" ")
    undated = replace(small_report, study=replace(small_report.study, identity=identity))
    assert {"Date of procedure", "Site of service"} <= set(
        gaps.missing(undated)["Not in the input"]
    )


def test_no_range_shown_names_what_it_is_about(small_report: Report) -> None:
    (note,) = (one for one in _notes(small_report) if one.startswith("No range shown"))
    assert note == (
        "No range shown for LV cardiac output, LV cardiac index, RV cardiac output, "
        "RV cardiac index: no normal range read at its source."
    )


def _lost(report: Report, reason: Reason, *, only_indices: bool) -> Report:
    lost = tuple(
        replace(m, value=None, reason=reason, reference=None)
        if m in report.measurements.whole_heart
        and m.quantity.symbol.startswith("LV")
        and (m.quantity.symbol.endswith("i") or not only_indices)
        else m
        for m in report.measurements
    )
    return replace(report, measurements=Measurements(lost))


def test_a_reason_that_repeats_is_told_once_and_then_dittoed(small_report: Report) -> None:
    lost = _lost(small_report, Reason("SPARSE_STACK", "slices too far apart"), only_indices=False)
    reasons = [row.reason for row in told_once(_lv(lost))]
    assert reasons == ["slices too far apart"] + ["″"] * (len(reasons) - 1)


def test_without_body_size_one_note_stands_for_all_indices(small_report: Report) -> None:
    lost = _lost(small_report, Reason("BSA_UNKNOWN", "no height"), only_indices=True)
    assert [row.symbol for row in told_once(_lv(lost))] == [
        "LVEDV",
        "LVESV",
        "LVSV",
        "LVEF",
        "LVCO",
        "LVCI",
        "LVM",
    ]
    assert "Not indexed to body size: no height." in _notes(lost)


@pytest.mark.parametrize(
    ("interval", "said"), [((54.2, 60.4), True), ((59.6, 59.9), False), (None, False)]
)
def test_a_clear_banner_says_how_far_the_ejection_fraction_depends_on_the_base(
    small_report: Report, interval: tuple[float, float] | None, said: bool
) -> None:
    known = Measurements(
        tuple(
            replace(one, interval=interval, evidence="depending on slice 10")
            if one.quantity.symbol == "LVEF"
            else one
            for one in small_report.measurements
        )
    )
    report = replace(small_report, flags=(), measurements=known)
    banner = trust.banner(report)
    assert banner.level == "clear"
    assert ("LVEF 54–60 % depending on slice 10." in banner.advice) == said
    row = next(row for row in _lv(report) if row.symbol == "LVEF")
    assert row.interval == ("54–60" if said else "60–60" if interval else "")
    assert ("LV depending on slice 10" in str(_notes(report))) == bool(interval)
