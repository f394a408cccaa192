"""``dicom/report_page_*.dcm``: the report's pages as pictures, for archives that show nothing else.

One Secondary Capture instance a page, which every viewer shows; the report that can be searched is
``report.dcm``.
"""

import io
import struct
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, TiffImagePlugin
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.uid import RLELossless, SecondaryCaptureImageStorage

from opencmr.report.contents import DISCLAIMER, Report
from opencmr.report.dicom_study import FIRST_SERIES_NUMBER, FOLDER, as_stated, begin, save

SERIES_NUMBER = FIRST_SERIES_NUMBER + 92
PIXELS_PER_INCH = 120.0
"""The smallest type, 7.8 points, is then 13 pixels high (proposal)."""
MM_PER_INCH = 25.4
MOST_SEGMENTS = 15
RLE_HEADER = struct.Struct(f"<{1 + MOST_SEGMENTS}I")


def write(report: Report, pages: Sequence[bytes], folder: Path) -> list[Path]:
    """Write the pages, as PNG, of a report on DICOM pictures (PS3.3 A.8.1)."""
    with as_stated():
        return [
            save(
                _dataset(report, page, number),
                folder / FOLDER / f"report_page_{number:02d}.dcm",
                RLELossless,
            )
            for number, page in enumerate(pages, start=1)
        ]


def _dataset(report: Report, page: bytes, number: int) -> Dataset:
    with Image.open(io.BytesIO(page)) as picture:
        pixels = np.asarray(picture.convert("RGB"))
    d = begin(
        report,
        SecondaryCaptureImageStorage,
        f"PAGE {number}",
        series_role="PAGE",
        modality="OT",
        series_number=SERIES_NUMBER,
        series_description="opencmr report pages, research use",
        instance_number=number,
    )
    d.ConversionType = "WSD"
    d.BodyPartExamined = "HEART"
    d.ImageType = ["DERIVED", "SECONDARY"]
    d.PatientOrientation = ""
    d.ImageComments = f"{DISCLAIMER}."
    d.BurnedInAnnotation = "YES"
    d.RecognizableVisualFeatures = "NO"
    d.LossyImageCompression = "00"
    d.NominalScannedPixelSpacing = [f"{MM_PER_INCH / PIXELS_PER_INCH:.5f}"] * 2
    d.SamplesPerPixel = 3
    d.PhotometricInterpretation = "RGB"
    d.PlanarConfiguration = 0
    d.Rows, d.Columns = pixels.shape[:2]
    d.BitsAllocated = d.BitsStored = 8
    d.HighBit = 7
    d.PixelRepresentation = 0
    d.PixelData = encapsulate([run_lengths(pixels)])
    d["PixelData"].VR = "OB"
    return d


def run_lengths(pixels: np.ndarray) -> bytes:
    """Return 8-bit pixels ``(rows, columns, 3)`` as one frame of RLE Lossless (PS3.5 annex G).

    A segment a colour, each row by PackBits, which is what TIFF calls it: Pillow packs a page in
    milliseconds where pydicom takes a second, and gdcm's encoder ends the process on small ones.
    """
    segments = [_packed(pixels[..., colour]) for colour in range(pixels.shape[-1])]
    starts = np.cumsum([RLE_HEADER.size, *map(len, segments)])[:-1].tolist()
    none = [0] * (MOST_SEGMENTS - len(segments))
    return RLE_HEADER.pack(len(segments), *starts, *none) + b"".join(segments)


def _packed(plane: np.ndarray) -> bytes:
    stream = io.BytesIO()
    one_strip = {TiffImagePlugin.ROWSPERSTRIP: plane.shape[0]}
    picture = Image.fromarray(np.ascontiguousarray(plane))
    picture.save(stream, "TIFF", compression="packbits", tiffinfo=one_strip)
    with Image.open(stream) as written:
        tags = written.tag_v2  # type: ignore[attr-defined]
        (start,), (length,) = (
            tags[TiffImagePlugin.STRIPOFFSETS],
            tags[TiffImagePlugin.STRIPBYTECOUNTS],
        )
    packed = stream.getvalue()[start : start + length]
    return packed + bytes(len(packed) % 2)
