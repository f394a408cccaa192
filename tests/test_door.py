"""The Python door: what a notebook meets, on the built-in heart with its true labels."""

import json
from pathlib import Path

import numpy as np
import pytest

import opencmr
from opencmr.analyses import function
from opencmr.errors import ConfigurationError
from opencmr.imaging.axis import Echo, Preparation, PreparationKind
from opencmr.imaging.study import Identity, Series, Study
from opencmr.report.contents import Report
from opencmr.simulate import HeartParameters, Protocol, SimulatedStudy, simulate_study, write_dicom

MOST_LINES, LINE = 10, 100
NAME, NUMBER, UID = "Nobody^Known", "P-4711", "1.2.840.99999.1"


@pytest.fixture(scope="module")
def phantom() -> SimulatedStudy:
    return simulate_study(HeartParameters(seed=3), protocol=Protocol.small())


@pytest.fixture
def study(phantom: SimulatedStudy, true_labels, monkeypatch: pytest.MonkeyPatch) -> Study:
    monkeypatch.setattr(function, "segment_short_axis", true_labels(phantom))
    (image,) = next(s.images for s in phantom.series if s.images[0].grid == phantom.labels.grid)
    identity = Identity(patient_name=NAME, patient_id=NUMBER)
    series = Series("s01", image, uids=(UID,), frame_of_reference_uid=UID)
    return Study("phantom", (series,), uid=UID, identity=identity)


@pytest.fixture
def report(study: Study) -> Report:
    return opencmr.analyze(study, sex="F", height_cm=170, weight_kg=60)


def test_a_study_is_read_and_its_report_written_by_text_or_path(
    phantom: SimulatedStudy, tmp_path: Path
) -> None:
    write_dicom(phantom, tmp_path / "dicom")
    by_text = opencmr.read_studies(str(tmp_path / "dicom"))
    by_path = opencmr.read_studies(tmp_path / "dicom")
    assert len(by_text) == len(by_path) == 1
    assert by_text[0].key == by_path[-1].key
    assert "1 study" in repr(by_text)


def test_a_report_is_written_whole_and_never_over_another(report: Report, tmp_path: Path) -> None:
    written = opencmr.write_report(report, str(tmp_path / "out"))
    assert all(path.is_file() for path in written)
    assert {"report.html", "report.pdf", "run.json"} <= {path.name for path in written}
    with pytest.raises(ConfigurationError):
        opencmr.write_report(report, tmp_path / "out")
    again = opencmr.write_report(report, tmp_path / "out", overwrite=True)
    assert sorted(again) == sorted(written)


def test_rows_are_the_plain_values_that_the_json_file_holds(report: Report, tmp_path: Path) -> None:
    opencmr.write_report(report, tmp_path / "out")
    stored = json.loads((tmp_path / "out" / "measurements.json").read_bytes())["measurements"]
    assert json.loads(json.dumps(report.measurements.rows())) == stored


def test_what_the_caller_states_is_used(report: Report) -> None:
    # Mosteller: the root of 170 cm x 60 kg / 3600.
    assert report.measurements.value("BSA") == pytest.approx(np.sqrt(170 * 60 / 3600), abs=1e-6)


def test_an_earlier_result_stands_beside_the_new_one(
    study: Study, report: Report, tmp_path: Path
) -> None:
    earlier = tmp_path / "earlier"
    opencmr.write_report(report, earlier)
    (earlier / "fhir" / "bundle.json").unlink(missing_ok=True)
    with pytest.raises(ConfigurationError, match="same_patient=True"):
        opencmr.analyze(study, previous=earlier)
    again = opencmr.analyze(study, previous=str(earlier), same_patient=True)
    assert again.comparison is not None
    changes = {one.quantity.symbol: one.change for one in again.comparison.changes}
    assert changes["LVEF"] == pytest.approx(0, abs=1e-6)  # files hold six decimals
    with pytest.raises(ConfigurationError, match="no folder"):
        opencmr.analyze(study, previous=tmp_path / "nowhere")


def test_every_type_shows_itself_in_a_few_lines_without_naming_anyone(report: Report) -> None:
    series = report.measured_series()[0]
    times = np.zeros((8, 12))
    shown = [
        report,
        report.study,
        series,
        series.image,
        series.image.grid,
        series.image.along,
        Echo(times, times, times[0]),
        Preparation(PreparationKind.INVERSION, times, times, times[0]),
        report.segmentations[series.key],
        report.landmarks[series.key],
        report.landmarks[series.key].end_diastole,
        report.measurements,
        report.measurements.find("LVEF"),
        report.measurements.curve("LVV"),
        report.plan[0],
    ]
    for one in shown:
        text = repr(one)
        assert len(text) <= MOST_LINES * LINE, type(one)
        assert text.count("\n") < MOST_LINES, type(one)
        assert "array(" not in text, type(one)
        for secret in (NAME, NUMBER, UID):
            assert secret not in text, type(one)
    assert str(series.image.values.shape) in repr(series.image)


def test_a_notebook_sees_the_key_numbers_the_flags_and_what_they_are_for(report: Report) -> None:
    page = report._repr_html_()
    measured = report.measurements.find("LVEF")
    assert measured is not None
    assert measured.text in page
    assert "not for diagnosis" in page
    assert all(flag.code in page for flag in report.flags)
    assert NAME not in page


def test_contours_are_drawn_where_the_labels_are(report: Report) -> None:
    figure = pytest.importorskip("matplotlib.figure").Figure()
    series = report.measured_series()[0]
    labels = report.segmentations[series.key].labels
    cycle = report.landmarks[series.key].lv
    assert cycle is not None
    z = int(np.argmax((labels[cycle.ed_phase] > 0).sum((1, 2))))
    axes = opencmr.plot_contours(report, slice_index=z, axes=figure.add_subplot())
    rows, columns = np.nonzero(labels[cycle.ed_phase, z])
    x = np.concatenate([line.get_xdata() for line in axes.lines])
    y = np.concatenate([line.get_ydata() for line in axes.lines])
    grid = series.image.grid
    for drawn, pixels, spacing_mm in (
        (x, columns, grid.column_spacing_mm),
        (y, rows, grid.row_spacing_mm),
    ):
        # Edges of the outermost labelled pixels, to a pixel of smoothing.
        assert abs(drawn.min() - pixels.min() * spacing_mm) < 1.5 * spacing_mm
        assert abs(drawn.max() - (pixels.max() + 1) * spacing_mm) < 1.5 * spacing_mm


def test_a_slice_that_is_not_there_is_named_with_those_that_are(report: Report) -> None:
    figure = pytest.importorskip("matplotlib.figure").Figure()
    with pytest.raises(ConfigurationError, match=r"no slice 99: they are 0 to \d+"):
        opencmr.plot_contours(report, slice_index=99, axes=figure.add_subplot())


def test_the_volume_curve_holds_the_measured_volumes(report: Report) -> None:
    figure = pytest.importorskip("matplotlib.figure").Figure()
    axes = opencmr.plot_volume_curve(report, axes=figure.add_subplot())
    drawn = {line.get_label(): np.asarray(line.get_ydata()) for line in axes.lines}
    assert drawn["LV"].max() == pytest.approx(report.measurements.value("LVEDV"))
    assert drawn["RV"].min() == pytest.approx(report.measurements.value("RVESV"))
