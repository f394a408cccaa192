"""A beating heart of ellipses with a hand-made list of measurements: what every writer gets.

And the same report on a small DICOM study with random labels.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import EnhancedMRImageStorage, ExplicitVRLittleEndian, MRImageStorage

from opencmr.analyses.function import NAME as FUNCTION
from opencmr.anatomy.policy import ACDC_POLICY
from opencmr.anatomy.quantities import Code, Quantity
from opencmr.anatomy.reasons import Reason
from opencmr.anatomy.structures import ACDC, Structure
from opencmr.anatomy.techniques import Technique
from opencmr.anatomy.views import View
from opencmr.geometry.grid import Grid
from opencmr.imaging.axis import Heartbeat
from opencmr.imaging.flag import LeftOut, QualityFlag, Severity
from opencmr.imaging.image import Image, untimed_image
from opencmr.imaging.landmarks import Cycle, Landmarks
from opencmr.imaging.measurement import Curve, Measurement, ReferenceVerdict
from opencmr.imaging.measurements import Measurements
from opencmr.imaging.reading import ModelUse
from opencmr.imaging.segmentation import Author, AuthorKind, Segmentation
from opencmr.imaging.study import Demographics, Identity, Scanner, Series, SeriesHeader, Study
from opencmr.intake.studies import read_studies
from opencmr.measure import Ventricles
from opencmr.measure.landmarks import find_landmarks
from opencmr.report.contents import Provenance, Report

PHASES, SLICES, ROWS, COLUMNS = 20, 9, 150, 160
SPACING_MM = 1.4
SLICE_SPACING_MM = 10.0
RR_MS = 920.0
ES_PHASE = 7


def sax_grid(slices: int = SLICES, rows: int = ROWS, columns: int = COLUMNS) -> Grid:
    affines = np.zeros((slices, 4, 4))
    affines[:, 1, 0] = SPACING_MM
    affines[:, 0, 1] = SPACING_MM
    affines[:, 2, 3] = SLICE_SPACING_MM * np.arange(slices)
    affines[:, 3, 3] = 1
    return Grid((slices, rows, columns), affines)


def contraction(phases: int = PHASES) -> np.ndarray:
    """How far the heart has contracted at each phase, 0 (end-diastole) to 1 (end-systole)."""
    t = np.arange(phases) / phases
    systole, early = ES_PHASE / PHASES, 0.62
    squeeze = np.where(t < systole, 0.5 - 0.5 * np.cos(np.pi * t / systole), 0.0)
    refill = np.clip((t - systole) / (early - systole), 0, 1)
    late = np.clip((t - 0.82) / 0.18, 0, 1)
    relaxed = 1 - 0.82 * (0.5 - 0.5 * np.cos(np.pi * refill)) - 0.18 * late
    return np.where(t < systole, squeeze, relaxed)


def _level(slices: int) -> np.ndarray:
    """Share of the basal radius that is left on each slice, base first."""
    return np.sqrt(np.clip(1 - (np.arange(slices) / (slices - 0.4)) ** 2, 0, 1))


def _smoothstep(distance_mm: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(distance_mm / 0.7))


def beating_heart(
    phases: int = PHASES, slices: int = SLICES, rows: int = ROWS, columns: int = COLUMNS
) -> tuple[np.ndarray, np.ndarray]:
    """Return image values and ACDC labels, ``(T, Z, Y, X)``."""
    y = (np.arange(rows) - rows / 2)[:, None] * SPACING_MM
    x = (np.arange(columns) - columns / 2)[None] * SPACING_MM
    values = np.zeros((phases, slices, rows, columns), dtype=np.float32)
    labels = np.zeros(values.shape, dtype=np.uint8)
    noise = np.random.default_rng(7).normal(0, 14, (slices, rows, columns))
    shade = 1.1 - 0.25 * (x / 110) - 0.1 * (y / 100)
    chest = np.hypot(x / 104, y / 88) - 1
    lungs = np.minimum(np.hypot((x - 62) / 42, (y + 4) / 52), np.hypot((x + 78) / 30, y / 50)) - 1
    liver = np.hypot((x + 40) / 60, (y - 66) / 30) - 1
    for z, level in enumerate(_level(slices)):
        for t, squeeze in enumerate(contraction(phases)):
            endo_mm = 25.0 * level * (1 - 0.36 * squeeze)
            wall_mm = 8.2 * (1 + 0.42 * squeeze) * (0.75 + 0.25 * level)
            lv = np.hypot(x, y * 0.97) - endo_mm
            epi = lv - wall_mm
            rv_centre = -27 * level - 4
            rv_across, rv_along = (
                31 * level * (1 - 0.55 * squeeze),
                41 * level * (1 - 0.12 * squeeze),
            )
            with np.errstate(divide="ignore", invalid="ignore"):
                rv = np.hypot((x - rv_centre) / rv_across, (y + 3) / rv_along) - 1
            rv = np.where(np.isfinite(rv), rv, 9.0) * 24 * max(level, 0.1)
            rv = np.maximum(rv, -(epi - 0.5))
            angle = np.arctan2(y, x)
            papillary = np.minimum(
                np.hypot(x - 0.55 * endo_mm, y - 0.52 * endo_mm),
                np.hypot(x - 0.35 * endo_mm, y + 0.66 * endo_mm),
            ) - (3.6 if 2 <= z <= 6 else -9)
            body = _smoothstep(chest * 90) * (150 + 25 * np.sin(3 * angle))
            body = np.where(lungs < 0, 28, body)
            body = np.where((liver < 0) & (epi > 3), 120, body)
            image = body + (85 - body) * _smoothstep(epi)
            image += (400 - image) * _smoothstep(np.maximum(lv, -papillary))
            image += (370 - image) * _smoothstep(rv)
            values[t, z] = np.clip(image * shade + noise[z], 0, None)
            labels[t, z][rv < 0] = 1
            labels[t, z][epi < 0] = 2
            labels[t, z][lv < 0] = 3
    if slices > 4:
        labels[:, -1] = 0
    return values, labels


def quantity(symbol: str, name: str, unit: str, decimals: int, code: str = "") -> Quantity:
    scheme = "LN" if code else "99OPENCMR"
    return Quantity(symbol, name, unit, decimals, Code(code or symbol, scheme, name), name + ".")


def _verdict(value: float, low: float, high: float) -> ReferenceVerdict:
    mean, sd = (low + high) / 2, (high - low) / 3.92
    verdict = "below" if value < low else "above" if value > high else "within"
    return ReferenceVerdict(
        low,
        high,
        (value - mean) / sd,
        verdict,
        "women, 45 to 54 years, 1.5 T, papillary muscles in the cavity",
        "Petersen et al., JCMR 2017; 19:18, table 4",
    )


_FUNCTION = (
    ("LVEDV", "LV end-diastolic volume", "mL", 0, 123.6, (86, 178), Structure.LV, "8821-1"),
    ("LVEDVi", "LV end-diastolic volume, indexed", "mL/m2", 0, 68.3, (54, 94), Structure.LV, ""),
    ("LVESV", "LV end-systolic volume", "mL", 0, 50.8, (22, 64), Structure.LV, "8823-7"),
    ("LVESVi", "LV end-systolic volume, indexed", "mL/m2", 0, 28.1, (13, 35), Structure.LV, ""),
    ("LVSV", "LV stroke volume", "mL", 0, 72.8, (55, 107), Structure.LV, "90096001"),
    ("LVSVi", "LV stroke volume, indexed", "mL/m2", 0, 40.2, (31, 61), Structure.LV, ""),
    ("LVEF", "LV ejection fraction", "%", 0, 58.9, (51, 71), Structure.LV, "8811-2"),
    ("LVCO", "LV cardiac output", "L/min", 1, 4.75, None, Structure.LV, "82799009"),
    ("LVCI", "LV cardiac index", "L/min/m2", 1, 2.62, None, Structure.LV, "54993008"),
    ("LVM", "LV mass at end-diastole", "g", 0, 111.0, (46, 93), Structure.MYOCARDIUM, "18087-7"),
    ("LVMi", "LV mass, indexed", "g/m2", 0, 61.4, (29, 55), Structure.MYOCARDIUM, ""),
    ("RVEDV", "RV end-diastolic volume", "mL", 0, 147.0, (85, 198), Structure.RV, "8822-9"),
    ("RVEDVi", "RV end-diastolic volume, indexed", "mL/m2", 0, 81.2, (50, 110), Structure.RV, ""),
    ("RVESV", "RV end-systolic volume", "mL", 0, 75.0, (27, 88), Structure.RV, "8824-5"),
    ("RVESVi", "RV end-systolic volume, indexed", "mL/m2", 0, 41.4, (15, 48), Structure.RV, ""),
    ("RVSV", "RV stroke volume", "mL", 0, 72.0, (53, 114), Structure.RV, ""),
    ("RVSVi", "RV stroke volume, indexed", "mL/m2", 0, 39.8, (30, 62), Structure.RV, ""),
    ("RVEF", "RV ejection fraction", "%", 0, 49.0, (47, 70), Structure.RV, "8818-7"),
    ("RVCO", "RV cardiac output", "L/min", 1, 4.69, None, Structure.RV, "82799009"),
    ("RVCI", "RV cardiac index", "L/min/m2", 1, 2.59, None, Structure.RV, "54993008"),
)


def _whole_heart() -> list[Measurement]:
    rows = []
    for symbol, name, unit, decimals, value, limits, structure, code in _FUNCTION:
        rows.append(
            Measurement(
                quantity(symbol, name, unit, decimals, code),
                value,
                structure=structure,
                series="s02",
                policy=ACDC_POLICY,
                interval=(value * 0.95, value * 1.05) if symbol == "LVEF" else None,
                reference=_verdict(value, *limits) if limits else None,
                reference_reason=None
                if limits
                else Reason("NO_RANGE", "no normal range read at its source"),
                evidence=f"{symbol} from 9 slices of series s02",
            )
        )
    rows.append(Measurement(quantity("BSA", "Body surface area", "m2", 2, "8277-6"), 1.81))
    rows.append(
        Measurement(quantity("SVDIFF", "LV minus RV stroke volume", "mL", 0), 0.8, series="s02")
    )
    rows.append(
        Measurement(
            quantity("PFR", "LV peak filling rate", "mL/s", 0),
            None,
            Reason("TOO_FEW_PHASES", "fewer than 25 phases: the rate is not resolved"),
            structure=Structure.LV,
            series="s02",
        )
    )
    return rows


def _curves(labels: np.ndarray, times_ms: np.ndarray) -> list[Curve]:
    voxel_ml = SPACING_MM**2 * SLICE_SPACING_MM / 1000
    rows = []
    for symbol, structure, label in (("LVV", Structure.LV, 3), ("RVV", Structure.RV, 1)):
        volume = quantity(symbol, f"{structure.value} volume", "mL", 1)
        values = (labels == label).sum((1, 2, 3)) * voxel_ml
        rows.append(Curve(volume, values, times_ms=times_ms, structure=structure, series="s02"))
    return rows


def _segments() -> list[Measurement]:
    thickness = quantity("WT", "End-diastolic wall thickness", "mm", 1)
    thickening = quantity("WTH", "Wall thickening", "%", 0)
    rows = []
    for segment in range(1, 18):
        reason = (
            Reason("NOT_ASSESSABLE", "the apex is not imaged in short axis")
            if segment == 17
            else None
        )
        thick = None if reason else 7.2 + 1.8 * np.sin(segment)
        grows = None if reason else (-6.0 if segment == 9 else 42 + 22 * np.cos(1.7 * segment))
        for kind, value in ((thickness, thick), (thickening, grows)):
            rows.append(
                Measurement(
                    kind,
                    value,
                    reason,
                    structure=Structure.MYOCARDIUM,
                    segment=segment,
                    series="s02",
                )
            )
    return rows


IDENTITY = Identity(
    patient_name="Lovelace^Ada",
    patient_id="CANARY-4711",
    birth_date="19731210",
    study_date="20260214",
    accession_number="ACCNUM-0815",
    study_description="Herz-MRT Canarydescription",
    institution="Canary General Hospital",
)


def make_report(
    *,
    identity: Identity = IDENTITY,
    truth: dict[str, float] | None = None,
    extra_flags: tuple[QualityFlag, ...] = (),
    shape: tuple[int, int, int, int] = (PHASES, SLICES, ROWS, COLUMNS),
) -> Report:
    values, labels = beating_heart(*shape)
    phases, slices = shape[:2]
    grid = sax_grid(*shape[1:])
    trigger_ms = np.tile((np.arange(phases) * RR_MS / phases)[:, None], (1, slices))
    cine = Image(values, grid, Heartbeat(trigger_ms, np.full(slices, RR_MS)))
    scout = untimed_image(values[:1, :3].copy(), sax_grid(3, *shape[2:]))
    sparse = QualityFlag(
        Severity.REVIEW,
        "SPARSE_STACK",
        "Slices lie 10 mm apart, so volumes are rough. Look at base and apex before use.",
        "median spacing 10.0 mm",
    )
    series = (
        Series(
            "s01",
            scout,
            header=SeriesHeader(series_description="localizer"),
            view=View.OTHER,
            sequence=Technique.SCOUT,
            view_confidence=0.71,
            sequence_confidence=0.98,
            because=("three slices", "one phase", "image type LOCALIZER"),
        ),
        Series(
            "s02",
            cine,
            header=SeriesHeader(series_description="cine sa tfi2d1 Lovelace"),
            view=View.SAX,
            sequence=Technique.CINE,
            view_confidence=0.99,
            sequence_confidence=0.97,
            because=(f"{phases} phases", f"{slices} parallel slices", "description: Lovelace sa"),
            flags=(sparse,),
        ),
    )
    study = Study(
        "d1f0aa34be21",
        series,
        uid="1.2.826.0.1.3680043.9.1",
        identity=identity,
        demographics=Demographics("F", 52.0, 168.0, 70.0, 65.0),
        scanner=Scanner("Siemens Healthineers", "MAGNETOM Sola", 1.5),
        left_out=(
            LeftOut("files that are no image", Reason("NOT_AN_IMAGE", "no DICOM, no NIfTI"), 3),
            LeftOut("an instance", Reason("TRUNCATED", "the file ends before its pixels")),
        ),
        input_sha256="9f2c" * 16,
    )
    info = QualityFlag(
        Severity.INFO, "REPEATED_SLICE", "A slice was acquired twice; the later one is used."
    )
    author = Author(AuthorKind.MODEL, "sax_cine", "1.0.0")
    masks = Segmentation(labels, ACDC, grid, ACDC_POLICY, author)
    return Report(
        study,
        {"s02": masks},
        {"s02": find_landmarks(Ventricles(masks, cine, Demographics(), "s02"))},
        Measurements((*_whole_heart(), *_curves(labels, trigger_ms[:, 0]), *_segments())).found_by(
            FUNCTION
        ),
        (*extra_flags, sparse, info),
        Provenance(
            "0.1.0",
            (
                ModelUse(
                    "sax_cine",
                    "1.0.0",
                    "ab" * 32,
                    "research only, after the terms of its training data",
                    "ACDC, 100 patients, one hospital (Dijon), 1.5 T and 3 T",
                ),
            ),
            {"ed_es": "from the volume curve", "bsa_formula": "Mosteller"},
            "2026-03-02T10:32:00+01:00",
            {"intake": 1.2, "segment": 18.4, "measure": 0.8},
            {"numpy": "2.2.1", "onnxruntime": "1.20.1"},
        ),
        truth or {},
    )


@pytest.fixture(scope="session")
def report() -> Report:
    """One study with everything in it."""
    return make_report()


@pytest.fixture(scope="session")
def small_report() -> Report:
    """The same on few voxels, for tests that write many times."""
    return make_report(shape=(6, 5, 64, 72))


@pytest.fixture(scope="session")
def tiny_report() -> Report:
    """Too few phases to move, for tests of text."""
    return make_report(shape=(3, 3, 48, 56))


PICTURES_A_SLICE, OBLIQUE_SLICES, OBLIQUE_ROWS, OBLIQUE_COLUMNS = 4, 3, 20, 24
RIGHT = np.array([0.8, 0.36, -0.48])
DOWN = np.array([0.0, 0.8, 0.6])
STEP_MM = 9.7


def classic(z: int, t: int) -> Dataset:
    """One picture of an oblique stack whose pixels are not square."""
    d = Dataset()
    d.SOPClassUID, d.SOPInstanceUID = MRImageStorage, f"1.2.3.4.{z + 1}.{t + 1}"
    d.StudyInstanceUID, d.SeriesInstanceUID = "1.2.3", "1.2.3.4"
    d.FrameOfReferenceUID = "1.2.3.9"
    d.Modality, d.PatientName, d.PatientID = "MR", "Müller^Ève", "ID-17"
    d.PatientBirthDate, d.PatientSex = "19700102", "F"
    d.StudyDate, d.StudyTime, d.StudyID, d.AccessionNumber = "20200102", "101112", "7", "ACC-1"
    d.SpecificCharacterSet = "ISO_IR 192"
    d.InstanceNumber, d.SeriesNumber = z * PICTURES_A_SLICE + t + 1, 3
    d.ImageType = ["ORIGINAL", "PRIMARY", "M"]
    d.PixelSpacing, d.SliceThickness = ["1.5", "1.25"], "8"
    d.ImageOrientationPatient = [f"{n:.6f}" for n in (*RIGHT, *DOWN)]
    corner = np.array([-10.0, 20.0, 5.0]) + z * STEP_MM * np.cross(RIGHT, DOWN)
    d.ImagePositionPatient = [f"{n:.6f}" for n in corner]
    d.TriggerTime, d.NominalInterval = f"{200 * t}", "800"
    d.CardiacNumberOfImages = PICTURES_A_SLICE
    d.SamplesPerPixel, d.PhotometricInterpretation = 1, "MONOCHROME2"
    d.Rows, d.Columns = OBLIQUE_ROWS, OBLIQUE_COLUMNS
    d.BitsAllocated, d.BitsStored, d.HighBit, d.PixelRepresentation = 16, 16, 15, 0
    pixels = np.random.default_rng([z, t]).integers(1, 4096, (OBLIQUE_ROWS, OBLIQUE_COLUMNS))
    d.PixelData = pixels.astype("<u2").tobytes()
    return d


def enhanced(pictures: list[Dataset]) -> Dataset:
    """The multi-frame twin of pictures."""
    first = pictures[0]
    d = Dataset()
    d.update(first)
    for keyword in ("PixelSpacing", "SliceThickness", "ImageOrientationPatient"):
        delattr(d, keyword)
    for keyword in ("ImagePositionPatient", "TriggerTime", "NominalInterval"):
        delattr(d, keyword)
    d.SOPClassUID, d.SOPInstanceUID = EnhancedMRImageStorage, f"{first.SOPInstanceUID}.99"
    d.NumberOfFrames = len(pictures)
    shared = Dataset()
    shared.PixelMeasuresSequence = [Dataset()]
    shared.PixelMeasuresSequence[0].PixelSpacing = first.PixelSpacing
    shared.PixelMeasuresSequence[0].SliceThickness = first.SliceThickness
    shared.PlaneOrientationSequence = [Dataset()]
    shared.PlaneOrientationSequence[0].ImageOrientationPatient = first.ImageOrientationPatient
    d.SharedFunctionalGroupsSequence = [shared]
    d.PerFrameFunctionalGroupsSequence = []
    for one in pictures:
        groups = Dataset()
        groups.PlanePositionSequence = [Dataset()]
        groups.PlanePositionSequence[0].ImagePositionPatient = one.ImagePositionPatient
        groups.CardiacSynchronizationSequence = [Dataset()]
        timing = groups.CardiacSynchronizationSequence[0]
        timing.NominalCardiacTriggerDelayTime = float(one.TriggerTime)
        timing.RRIntervalTimeNominal = float(one.NominalInterval)
        d.PerFrameFunctionalGroupsSequence.append(groups)
    d.PixelData = b"".join(one.PixelData for one in pictures)
    return d


def stack(kind: str) -> list[Dataset]:
    pictures = [[classic(z, t) for t in range(PICTURES_A_SLICE)] for z in range(OBLIQUE_SLICES)]
    if kind == "a series a slice":
        for z, row in enumerate(pictures):
            for one in row:
                one.SeriesInstanceUID = f"1.2.3.4.{z + 1}"
    flat = [one for row in pictures for one in row]
    if kind == "enhanced":
        return [enhanced(flat)]
    return list(map(enhanced, pictures)) if kind.endswith("instance a slice") else flat


def save_all(datasets: list[Dataset], folder: Path) -> Path:
    folder.mkdir()
    for number, d in enumerate(datasets):
        d.file_meta = FileMetaDataset()
        d.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        d.save_as(folder / f"{number:03d}", enforce_file_format=True)
    return folder


def random_labels() -> np.ndarray:
    """Labels that no two slices share; one slice is empty of one structure, one of all."""
    labels = np.random.default_rng(5).integers(
        0, 4, (PICTURES_A_SLICE, OBLIQUE_SLICES, OBLIQUE_ROWS, OBLIQUE_COLUMNS)
    )
    labels[:, 1][labels[:, 1] == 1] = 0
    labels[2, 0] = 0
    return labels.astype(np.uint8)


def report_of(study: Study, report: Report) -> Report:
    """The report of a study whose only series has random labels and was measured."""
    (series,) = study.series
    masks = replace(report.segmentations["s02"], labels=random_labels(), grid=series.image.grid)
    marks = Landmarks(Cycle(0, 2), Cycle(0, 3), None, tuple(range(OBLIQUE_SLICES)))
    values = (replace(one, series=one.series and series.key) for one in report.measurements)
    return replace(
        report,
        study=study,
        segmentations={series.key: masks},
        landmarks={series.key: marks},
        measurements=Measurements(tuple(values)),
    )


@pytest.fixture
def dicom_report(tmp_path: Path, tiny_report: Report) -> Callable[[str], tuple[Report, Path]]:
    """A maker of a report on an oblique stack of a kind, and of the folder of its pictures."""

    def make(kind: str = "one series") -> tuple[Report, Path]:
        folder = save_all(stack(kind), tmp_path / "in")
        with read_studies(folder) as studies:
            return report_of(studies[0], tiny_report), folder

    return make
