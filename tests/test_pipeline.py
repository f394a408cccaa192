"""What the pipeline passes from the caller and from intake to the measurements."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pydicom
import pytest

from opencmr.analyses import function
from opencmr.anatomy.ranges import NormalRange, RangeSource, parse_ranges
from opencmr.imaging.finding import Outcome
from opencmr.imaging.flag import About, Severity
from opencmr.imaging.study import (
    Demographics,
    Scanner,
    Series,
    SeriesHeader,
    StackFacts,
    Study,
)
from opencmr.intake.studies import read_studies
from opencmr.models.library import read_library
from opencmr.models.precision import Precision
from opencmr.pipeline import Configuration, analyze_study, planned_study
from opencmr.quality.stacks import OF_WHOLE_STACKS
from opencmr.report.contents import Report
from opencmr.report.run_record import run_record
from opencmr.simulate import (
    HeartParameters,
    Protocol,
    SimulatedStudy,
    simulate_study,
    write_dicom,
)

NOWHERE = Scanner()


@pytest.fixture(scope="module")
def phantom() -> SimulatedStudy:
    return simulate_study(
        HeartParameters(seed=3, heart_rate_bpm=60.0),
        protocol=Protocol.small(),
    )


@pytest.fixture
def analyse(phantom: SimulatedStudy, true_labels, monkeypatch: pytest.MonkeyPatch):
    """Analyse the phantom with its true labels in the network's place."""
    monkeypatch.setattr(function, "segment_short_axis", true_labels(phantom))
    (image,) = next(s.images for s in phantom.series if s.images[0].grid == phantom.labels.grid)

    def run(
        heart_rate_bpm: float | None,
        ranges: tuple[NormalRange, ...] = (),
        scanner: Scanner = NOWHERE,
        precision: Precision = Precision.F32,
    ) -> Report:
        header = SeriesHeader(series_description="cine SAX")
        study = Study("phantom", (Series("s01", image, header=header),), scanner=scanner)
        given = Demographics(sex="F", age_years=50.0, heart_rate_bpm=heart_rate_bpm)
        configuration = Configuration(demographics=given, ranges=ranges, precision=precision)
        return analyze_study(study, configuration)

    return run


def _value(report: Report, symbol: str) -> float:
    measurement = report.measurements.find(symbol)
    assert measurement is not None
    assert measurement.value is not None, measurement.reason
    return measurement.value


def test_a_heart_rate_that_the_caller_gives_wins_over_the_cine_and_is_said(analyse) -> None:
    own, given = analyse(None), analyse(90.0)
    assert _value(own, "HR") == pytest.approx(60.0, rel=0.05)
    assert _value(given, "HR") == 90.0
    ratio = 90.0 / _value(own, "HR")
    for symbol in ("LVCO", "RVCO"):
        assert _value(given, symbol) == pytest.approx(ratio * _value(own, symbol))
    assert "HEART_RATE_DIFFERS" in {flag.code for flag in given.flags}
    assert "HEART_RATE_DIFFERS" not in {flag.code for flag in own.flags}


def test_the_record_says_what_was_asked_of_networks_and_which_weights_ran(analyse):
    card = read_library().choose_segmentation("cine_sax")
    for precision, sha256 in ((Precision.F32, card.sha256), (Precision.INT8, card.int8.sha256)):
        record = run_record(analyse(None, precision=precision))
        network = next(one for one in record["models"] if one["name"] == card.name)
        assert record["configuration"]["precision"] == precision
        assert (network["precision"], network["sha256"]) == (precision, sha256)


def test_a_sites_own_ranges_go_before_the_packaged_ones_and_are_said(analyse) -> None:
    site = RangeSource("our people", "our limits", "our paper")
    own = parse_ranges("symbol,low,high\nLVEF,10,20\nWT_MAX,1,2", site)
    report = analyse(None, own)
    cited = {
        symbol: report.measurements.find(symbol).reference.citation
        for symbol in ("LVEF", "WT_MAX", "LVEDV")
    }
    assert cited["LVEF"] == cited["WT_MAX"] == "our paper"
    assert "17:746" in cited["LVEDV"]
    assert report.provenance.configuration["normal_ranges"] != "packaged"


@pytest.mark.parametrize(
    ("scanner", "symbols"),
    [
        (Scanner("Acme", "One", 3.0), {"WT_MAX"}),
        (Scanner("Acme", "One", 1.5), set()),
        (Scanner("Other", "One", 3.0), set()),
        (NOWHERE, set()),
    ],
)
def test_a_sites_range_is_applied_on_its_scanner_and_sequence_alone(
    analyse, scanner, symbols
) -> None:
    text = "symbol,low,high,field_strength_t,vendor,sequence\n"
    text += "WT_MAX,1,2,3,acme,cine\nWT_MEAN,1,2,3,acme,tagging\n"
    report = analyse(None, parse_ranges(text, RangeSource("our people", "", "our paper")), scanner)
    found = {
        symbol
        for symbol in ("WT_MAX", "WT_MEAN")
        if (m := report.measurements.find(symbol)) and m.reference
    }
    assert found == symbols
    assert report.measurements.find("LVEF").reference is not None


LOST = 3
"""The slice that never arrived: inside the ventricle, and not the last one."""


@pytest.fixture
def incomplete(phantom: SimulatedStudy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Study:
    """The phantom's files without those of one slice; its labels stand for the network's."""
    grid = phantom.labels.grid
    lost_mm = grid.position_mm(LOST, 0, 0)
    write_dicom(phantom, tmp_path)
    for path in sorted(tmp_path.rglob("*.dcm")):
        here_mm = pydicom.dcmread(path, stop_before_pixels=True).ImagePositionPatient
        if np.allclose(np.array(here_mm, dtype=float), lost_mm, atol=0.01):
            path.unlink()
    kept = [z for z in range(grid.shape[0]) if z != LOST]

    def labels_of(image, *_: object, **__: object):
        assert image.grid.shape[0] == len(kept)
        return replace(phantom.labels, labels=phantom.labels.labels[:, kept], grid=image.grid)

    monkeypatch.setattr(function, "segment_short_axis", labels_of)
    (study,) = read_studies(tmp_path)
    return study


def test_a_slice_that_never_arrived_withholds_volumes_and_spares_the_wall(incomplete) -> None:
    report = analyze_study(incomplete, Configuration())
    volume = report.measurements.find("LVEDV")
    assert volume is not None
    assert volume.value is None
    assert volume.reason is not None
    assert volume.reason.code == "MISSING_SLICE"
    assert _value(report, "WT_MEAN") > 0
    (flag,) = (f for f in report.flags if f.code == "MISSING_SLICE")
    assert flag.severity is Severity.DO_NOT_REPORT
    assert flag.about == About(volume.series, function.NAME, OF_WHOLE_STACKS)
    record = run_record(report)
    (details,) = (f for f in record["flag_details"] if f["code"] == "MISSING_SLICE")
    assert details["about"]["symbols"] == sorted(OF_WHOLE_STACKS)


def test_a_spoilt_stack_is_not_chosen_where_a_sound_one_is_there(phantom) -> None:
    """The plan reads the flags, so that the stacks are judged before it is made."""
    (image,) = next(s.images for s in phantom.series if s.images[0].grid == phantom.labels.grid)
    sound = Series("s01", image, facts=StackFacts(pictures=image.phases * image.grid.shape[0]))
    spoilt = replace(sound, key="s02", facts=replace(sound.facts, short_slices=1))
    planned, *_ = planned_study(Study("phantom", (spoilt, sound)), Configuration())
    assert [one.key for one in planned.series.values()] == ["s01"]


def test_a_finding_names_its_classifier_among_the_models_of_the_run(analyse) -> None:
    report = analyse(None)
    (finding,) = report.findings
    assert finding.criteria
    assert finding.model in report.provenance.models
    assert "diagnose" in report.provenance.timings_s


def test_of_a_heart_whose_volumes_are_withheld_nothing_is_concluded(incomplete) -> None:
    """The thickness of its wall stands, and must not be read as a criterion that is met."""
    report = analyze_study(incomplete, Configuration())
    assert _value(report, "WT_MEAN") > 0
    (finding,) = report.findings
    assert [doubt.code for doubt in finding.doubts] == ["MISSING_SLICE"]
    assert {one.outcome for one in finding.criteria} == {Outcome.NOT_ASSESSABLE}
    assert finding.probabilities is None
