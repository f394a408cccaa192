"""Maps as DICOM: every value and every place comes back as it was."""

import shutil
import subprocess
from dataclasses import replace

import highdicom
import numpy as np
import pydicom
import pytest

from opencmr.anatomy.map_kinds import MapKind
from opencmr.imaging.relaxation import TimeMap
from opencmr.report import dicom_map, run_record

KINDS = ("one series", "a series a slice", "enhanced", "an enhanced instance a slice")
CODES = {MapKind.T1: "113063", MapKind.T2: "113065", MapKind.T2_STAR: "113064"}


def with_map(report, kind: MapKind = MapKind.T1, *, grid=None):
    """Return the report with a map of random values, a third of which are missing."""
    (series,) = report.study.series
    rng = np.random.default_rng(3)
    grid = grid or series.image.grid
    values = rng.uniform(5, 2500, grid.shape).astype(np.float32)
    values[rng.random(values.shape) < 1 / 3] = np.nan
    found = TimeMap(kind, values, grid, "4 pictures, a curve")
    return replace(report, maps={series.key: found}), found, series


@pytest.mark.parametrize("kind", KINDS)
def test_values_places_and_pictures_come_back(dicom_report, tmp_path, kind) -> None:
    report, _ = dicom_report(kind)
    report, found, series = with_map(report)
    (path,) = dicom_map.write(report, tmp_path)
    assert path.name == "map_s01_t1.dcm"
    read = highdicom.pm.ParametricMap.from_dataset(pydicom.dcmread(path))
    stored = np.frombuffer(read.FloatPixelData, "<f4").reshape(found.values_ms.shape)
    assert np.array_equal(stored, found.values_ms, equal_nan=True)
    mapped = read.get_frames(apply_real_world_transform=True, dtype=np.float32)
    assert np.array_equal(mapped, found.values_ms, equal_nan=True)
    shared = read.SharedFunctionalGroupsSequence[0]
    assert shared.PixelMeasuresSequence[0].PixelSpacing == [1.5, 1.25]
    directions = shared.PlaneOrientationSequence[0].ImageOrientationPatient
    assert np.allclose(directions[:3], found.grid.affines[0, :3, 1] / 1.25, atol=1e-6)
    for z, groups in enumerate(read.PerFrameFunctionalGroupsSequence):
        position = groups.PlanePositionSequence[0].ImagePositionPatient
        assert np.allclose(position, found.grid.affines[z, :3, 3], atol=1e-6)
        sources = groups.DerivationImageSequence[0].SourceImageSequence
        said = {(s.ReferencedSOPInstanceUID, s.get("ReferencedFrameNumber", 1)) for s in sources}
        assert said == {
            (row[z].sop_instance_uid, row[z].frame_number) for row in series.image.instances
        }
    assert (read.FrameOfReferenceUID, read.PatientID) == ("1.2.3.9", "ID-17")


@pytest.mark.parametrize("kind", list(MapKind))
def test_the_quantity_and_its_unit_are_coded(dicom_report, tmp_path, kind) -> None:
    report, found, _ = with_map(dicom_report()[0], kind)
    d = pydicom.dcmread(dicom_map.write(report, tmp_path)[0])
    (mapping,) = d.SharedFunctionalGroupsSequence[0].RealWorldValueMappingSequence
    unit = mapping.MeasurementUnitsCodeSequence[0]
    assert (unit.CodeValue, unit.CodingSchemeDesignator) == ("ms", "UCUM")
    (quantity,) = mapping.QuantityDefinitionSequence
    assert quantity.ConceptCodeSequence[0].CodeValue == CODES[kind]
    assert (mapping.RealWorldValueSlope, mapping.RealWorldValueIntercept) == (1, 0)
    limits = (
        mapping.DoubleFloatRealWorldValueFirstValueMapped,
        mapping.DoubleFloatRealWorldValueLastValueMapped,
    )
    assert limits == (np.nanmin(found.values_ms), np.nanmax(found.values_ms))


def test_tilted_slices_keep_their_own_orientation(dicom_report, tmp_path) -> None:
    report, _ = dicom_report()
    grid = report.study.series[0].image.grid
    affines = grid.affines.copy()
    affines[2, :3, 1] += 0.05 * affines[2, :3, 2] / np.linalg.norm(affines[2, :3, 2])
    report, *_ = with_map(report, grid=replace(grid, affines=affines))
    d = pydicom.dcmread(dicom_map.write(report, tmp_path)[0])
    for z, groups in enumerate(d.PerFrameFunctionalGroupsSequence):
        said = np.array(groups.PlaneOrientationSequence[0].ImageOrientationPatient, dtype=float)
        right = affines[z, :3, 1]
        assert np.allclose(said[:3], right / np.linalg.norm(right), atol=1e-6)


def test_a_map_without_any_value_is_written_as_such(dicom_report, tmp_path) -> None:
    report, found, series = with_map(dicom_report()[0])
    empty = replace(found, values_ms=np.full_like(found.values_ms, np.nan))
    (path,) = dicom_map.write(replace(report, maps={series.key: empty}), tmp_path)
    assert np.isnan(np.frombuffer(pydicom.dcmread(path).FloatPixelData, "<f4")).all()


def test_a_map_of_a_study_in_which_nothing_was_segmented_is_written(dicom_report, tmp_path) -> None:
    report, *_ = with_map(dicom_report()[0])
    bare = replace(report, segmentations={}, landmarks={})
    assert len(dicom_map.write(bare, tmp_path)) == 1


def test_the_same_result_has_the_same_bytes_but_for_the_time(dicom_report, tmp_path) -> None:
    report, *_ = with_map(dicom_report()[0])
    first, second = (
        dicom_map.write(report, tmp_path / name)[0].read_bytes() for name in ("a", "b")
    )
    assert first == second


def test_pictures_that_do_not_come_from_dicom_give_none_and_the_record_says_so(
    tiny_report, tmp_path
) -> None:
    series = tiny_report.study.series[1]
    values = np.ones(series.image.grid.shape, np.float32)
    found = TimeMap(MapKind.T2, values, series.image.grid, "the scanner's own map")
    report = replace(tiny_report, maps={series.key: found})
    assert dicom_map.write(report, tmp_path) == []
    assert "dicom/map" in {row["what"] for row in run_record.not_written(report)}


@pytest.mark.skipif(shutil.which("dciodvfy") is None, reason="needs dciodvfy (dicom3tools)")
@pytest.mark.parametrize("kind", KINDS)
def test_an_independent_validator_finds_no_error(dicom_report, tmp_path, kind) -> None:
    report, *_ = with_map(dicom_report(kind)[0])
    (path,) = dicom_map.write(report, tmp_path)
    said = subprocess.run(["dciodvfy", "-new", path], capture_output=True, text=True, check=False)
    assert "Error" not in said.stderr, said.stderr
