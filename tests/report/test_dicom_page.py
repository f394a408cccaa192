"""The report's pages as pictures in DICOM."""

import io
import shutil
import subprocess

import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import RLELossless, SecondaryCaptureImageStorage

from opencmr.report import dicom_page, pages
from opencmr.report.dicom_page import run_lengths


def png(colour: tuple[int, int, int], rows: int, columns: int) -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", (columns, rows), colour).save(stream, "PNG")
    return stream.getvalue()


def test_every_page_is_an_instance_with_its_pixels(dicom_report, tmp_path) -> None:
    report, _ = dicom_report()
    colours = ((200, 20, 3), (0, 128, 255))
    drawn = [png(colour, 7, 5) for colour in colours]  # an odd number of bytes
    found = [pydicom.dcmread(path) for path in dicom_page.write(report, drawn, tmp_path)]
    for d, colour in zip(found, colours, strict=True):
        assert np.array_equal(d.pixel_array, np.broadcast_to(np.uint8(colour), (7, 5, 3)))
        assert (d.StudyInstanceUID, d.PatientID, d.BurnedInAnnotation) == ("1.2.3", "ID-17", "YES")
    assert [int(d.InstanceNumber) for d in found] == [1, 2]
    assert len({d.SOPInstanceUID for d in found}) == 2
    assert len({d.SeriesInstanceUID for d in found}) == 1


def test_the_pages_are_those_of_the_report(dicom_report, tmp_path) -> None:
    report, _ = dicom_report()
    written = pages.write(report, tmp_path)
    paths = [path for path in written if path.name.startswith("report_page")]
    assert [path.name for path in paths][:1] == ["report_page_01.dcm"]
    for d in map(pydicom.dcmread, paths):
        assert (d.Rows, d.Columns) == (
            pytest.approx(297 / 25.4 * 120, abs=1),
            pytest.approx(210 / 25.4 * 120, abs=1),
        )
        margin, ink = d.pixel_array[:, :20], d.pixel_array[40:-40, 80:-80]
        assert (margin == 255).all()
        assert (ink.min(axis=2) < 128).mean() > 0.001


@pytest.mark.skipif(shutil.which("dciodvfy") is None, reason="needs dciodvfy (dicom3tools)")
def test_an_independent_validator_finds_no_error(dicom_report, tmp_path) -> None:
    report, _ = dicom_report()
    (path,) = dicom_page.write(report, [png((0, 0, 0), 7, 5)], tmp_path)
    said = subprocess.run(["dciodvfy", "-new", path], capture_output=True, text=True, check=False)
    assert "Error" not in said.stderr, said.stderr


@pytest.mark.parametrize("shape", [(1, 1), (7, 5), (33, 300), (64, 129)])
def test_run_lengths_are_read_back_by_pydicom(shape) -> None:
    noise = np.random.default_rng(5).integers(0, 256, (*shape, 3), np.uint8)
    flat = np.full_like(noise, 200)
    for pixels in (noise, flat, np.where(noise > 128, noise, flat)):
        d = Dataset()
        d.file_meta = FileMetaDataset()
        d.file_meta.TransferSyntaxUID = RLELossless
        d.SOPClassUID = SecondaryCaptureImageStorage
        d.Rows, d.Columns = shape
        d.BitsAllocated = d.BitsStored = 8
        d.HighBit, d.PixelRepresentation, d.PlanarConfiguration = 7, 0, 0
        d.SamplesPerPixel, d.PhotometricInterpretation = 3, "RGB"
        d.PixelData = encapsulate([run_lengths(pixels)])
        assert np.array_equal(d.pixel_array, pixels)
