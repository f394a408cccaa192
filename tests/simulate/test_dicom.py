"""The DICOM files are valid and carry the geometry, the timing and nothing by chance."""

import shutil
import subprocess
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
import pydicom
import pytest

from opencmr.simulate import SimulatedStudy, write_dicom


@pytest.fixture(scope="module")
def instances(
    small_study: SimulatedStudy, tmp_path_factory: pytest.TempPathFactory
) -> list[pydicom.Dataset]:
    folder = tmp_path_factory.mktemp("dicom")
    return [pydicom.dcmread(path) for path in write_dicom(small_study, folder)[:-1]]


def _series(instances: list[pydicom.Dataset]) -> dict[str, list[pydicom.Dataset]]:
    series = defaultdict(list)
    for dataset in instances:
        series[str(dataset.SeriesInstanceUID)].append(dataset)
    return series


def test_every_image_of_the_study_is_one_instance(
    small_study: SimulatedStudy, instances: list[pydicom.Dataset]
) -> None:
    images = [image for series in small_study.series for image in series.images]
    assert len(instances) == sum(image.phases * image.grid.shape[0] for image in images)
    uids = [dataset.SOPInstanceUID for dataset in instances]
    assert len(set(uids)) == len(uids)
    assert len(_series(instances)) == len(small_study.series)
    assert len({dataset.StudyInstanceUID for dataset in instances}) == 1


def test_positions_orientations_and_pixels_reproduce_the_stack(
    small_study: SimulatedStudy, instances: list[pydicom.Dataset]
) -> None:
    image = small_study.short_axis.images[0]
    stack = [d for d in instances if d.SeriesDescription == "CINE SAX STACK"]
    assert len(stack) == image.phases * image.grid.shape[0]
    for dataset in stack:
        t = int(dataset.TemporalPositionIdentifier) - 1
        distances = np.linalg.norm(
            image.grid.affines[:, :3, 3] - np.array(dataset.ImagePositionPatient, float), axis=1
        )
        z = int(distances.argmin())
        assert distances[z] < 1e-6
        affine = image.grid.affines[z]
        row, column = np.array(dataset.ImageOrientationPatient, float).reshape(2, 3)
        spacing = [float(value) for value in dataset.PixelSpacing]
        assert np.allclose(row * spacing[1], affine[:3, 1], atol=1e-6)
        assert np.allclose(column * spacing[0], affine[:3, 0], atol=1e-6)
        assert float(dataset.TriggerTime) == pytest.approx(image.trigger_ms[t, z])
        assert dataset.NominalInterval == image.rr_ms[z]
        assert np.array_equal(dataset.pixel_array, image.values[t, z])


def test_spacing_counts_the_gap_and_thickness_does_not(
    instances: list[pydicom.Dataset],
) -> None:
    stack = next(d for d in instances if d.SeriesDescription == "CINE SAX STACK")
    assert float(stack.SliceThickness) == 8
    assert float(stack.SpacingBetweenSlices) == pytest.approx(12)


def test_the_patient_is_a_phantom_with_size_weight_sex_and_age(
    instances: list[pydicom.Dataset],
) -> None:
    first = instances[0]
    assert first.PatientName == "Phantom^Digital"
    assert first.PatientID == "PHANTOM-7"
    assert float(first.PatientSize) == pytest.approx(1.78)
    assert float(first.PatientWeight) == 76
    assert (first.PatientSex, first.PatientAge) == ("M", "045Y")


def test_siemens_style_writes_one_series_a_slice(
    small_study: SimulatedStudy, tmp_path: Path
) -> None:
    paths = write_dicom(small_study, tmp_path, series_per_slice=True)[:-1]
    datasets = [pydicom.dcmread(path, stop_before_pixels=True) for path in paths]
    sizes = Counter(
        str(d.SeriesInstanceUID) for d in datasets if d.SeriesDescription == "CINE SAX STACK"
    )
    image = small_study.short_axis.images[0]
    assert list(sizes.values()) == [image.phases] * image.grid.shape[0]
    assert len({d.SOPInstanceUID for d in datasets}) == len(datasets)


@pytest.mark.skipif(shutil.which("dciodvfy") is None, reason="dicom3tools is not installed")
def test_dciodvfy_finds_no_fault(small_study: SimulatedStudy, tmp_path: Path) -> None:
    paths = write_dicom(small_study, tmp_path)[:-1]
    for path in (paths[0], paths[20], paths[-1]):
        done = subprocess.run(["dciodvfy", str(path)], capture_output=True, text=True, check=False)
        assert "Error" not in done.stderr
        assert "Warning" not in done.stderr
