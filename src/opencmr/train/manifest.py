"""Manifests: the labelled stacks of a data set as rows, one builder a data set."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from pydantic import TypeAdapter
from pydantic.dataclasses import dataclass as pydantic_dataclass

from opencmr.anatomy.policy import ACDC_POLICY, EMIDEC_POLICY, ContourPolicy
from opencmr.anatomy.structures import ACDC, EMIDEC, Structure, scheme_named
from opencmr.anatomy.techniques import Technique
from opencmr.anatomy.views import View
from opencmr.intake.nifti.read import read_nifti
from opencmr.segment.intensity import intensity_limits
from opencmr.train import emidec as emidec_files
from opencmr.train import sunnybrook
from opencmr.train.data_files import read_table
from opencmr.train.label_codes import none_of_the_drawn, unknown

BOX_HALF_WIDTHS_MM = (60.0, 80.0, 105.0, 140.0, float("inf"))
"""Half-widths of the boxes about the heart whose intensities may scale a sample.

At inference the box depends on a heart that was found more or less well, so training meets
the whole range, the uncropped image included.
"""
NO_TERMS = "none"
"""Of data that ask nothing of weights that learnt from them."""


@dataclass(frozen=True, slots=True)
class DataSet:
    """What holds for all of a data set; the model card is written from it and from the rows.

    Attributes
    ----------
    title : str
        Name and citation.
    terms : str
        What its licence asks of weights that learnt from it.
    limitations : str
        What it does not hold, and where networks that learnt from it are weak.
    drawn_in_part : tuple of Structure
        What readers drew in those rows in which they did not draw all.
    """

    title: str
    terms: str
    limitations: str
    view: View
    technique: Technique
    label_scheme: str
    policy: ContourPolicy
    drawn_in_part: tuple[Structure, ...] = ()

    @property
    def classes(self) -> int:
        """Background included."""
        return len(scheme_named(self.label_scheme).structures) + 1

    @property
    def drawn_classes(self) -> tuple[int, ...]:
        """Labels of what was drawn in part."""
        pairs = scheme_named(self.label_scheme).structures.items()
        return tuple(label for label, structure in pairs if structure in self.drawn_in_part)


@pydantic_dataclass(frozen=True, slots=True)
class Row:
    """One labelled stack of a data set.

    Attributes
    ----------
    subject, phase, site, vendor : str
        ``phase`` is empty where the data set does not say.
    image, labels : str
        Paths below the folder of the data sets: NIfTI files, or ``ARCHIVE.zip/FOLDER/NAME`` of
        PNG slices.
    field_strength_t : float or None
        None where the data set does not say.
    fold : int
        Part of the data that is trained on or left out together.
    terms : str
        What its licence asks of weights that learnt from it.
    nominal_spacing_mm : (row, column) or None
        For pictures that state no spacing: one that is derived, for training alone.
    """

    subject: str
    phase: str
    image: str
    labels: str
    label_scheme: str
    site: str
    vendor: str
    field_strength_t: float | None
    fold: int
    terms: str
    nominal_spacing_mm: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class Manifest:
    """A data set and the builder of its rows, from data folder and folds."""

    data_set: DataSet
    rows: Callable[[Path, tuple[int, ...]], tuple[Row, ...]]


ACDC_DATA = DataSet(
    title="ACDC training set (Bernard et al., IEEE TMI 2018)",
    terms="CC BY-NC-SA 4.0, research only (terms of the ACDC data)",
    limitations=(
        "Learnt from one centre's adult 1.5 T and 3 T scans at end-diastole and end-systole. "
        "Weakest at the base and the apex, in hypertrophic hearts at end-systole and in the "
        "right ventricle."
    ),
    view=View.SAX,
    technique=Technique.CINE,
    label_scheme=ACDC.name,
    policy=ACDC_POLICY,
)
EMIDEC_DATA = DataSet(
    title="EMIDEC training set (Lalande et al., Data 2020)",
    terms="CC BY-NC-SA 4.0, research only (terms of the EMIDEC data)",
    limitations=(
        "Learnt from one centre's adult 1.5 T and 3 T inversion-recovery scans, infarcts and "
        "normal hearts alone: non-ischaemic scar was never seen. Their pictures had been "
        "stretched and were given a nominal spacing. Weakest at small no-reflow and at thin "
        "subendocardial scar beside bright blood."
    ),
    view=View.SAX,
    technique=Technique.LGE,
    label_scheme=EMIDEC.name,
    policy=EMIDEC_POLICY,
)
TWO_VENDORS_DATA = replace(
    ACDC_DATA,
    title=(
        "ACDC training set (Bernard et al., IEEE TMI 2018) and the cavities of 25 patients of the "
        "Sunnybrook set (Radau et al., MIDAS Journal 2009)"
    ),
    limitations=(
        "Learnt from two centres' adult scans at end-diastole and end-systole, of the second the "
        "left ventricular cavity alone, under a nominal spacing. Weakest at the base and the apex, "
        "in hypertrophic hearts at end-systole and in the right ventricle."
    ),
    drawn_in_part=(Structure.LV,),
)
CAVITY_ALONE = "lv cavity alone"
"""Label scheme of rows that no data set labels whole: nothing but training reads them."""
SIMULATED_LONG_AXIS_DATA = DataSet(
    title="long axes of hearts simulated by opencmr",
    terms=NO_TERMS,
    limitations=(
        "Learnt long axes from simulated hearts alone, whose valves and right ventricle have one "
        "shape each; no reader drew an outline. Tried on one real study. The right ventricle is "
        "told poorly and not used."
    ),
    view=View.LONG_AXIS,
    technique=Technique.CINE,
    label_scheme=ACDC.name,
    policy=ACDC_POLICY,
)


@dataclass(frozen=True, slots=True)
class Slice:
    """One labelled slice and what its stack says about it.

    Attributes
    ----------
    subject, phase : str
    fold : int
    stack : (Z, Y, X) float32, arbitrary units, the stack at this phase
    stack_labels : (Z, Y, X) uint8, the data set's scheme
    z : int
        Which slice of the stack it is.
    spacing_mm : (row, column) spacing
    heart_px : (row, column) centre of the heart in the stack
    limits : tuple of (low, high)
        Intensities of 0 and 1, by each box about the heart.
    """

    subject: str
    phase: str
    fold: int
    stack: np.ndarray
    stack_labels: np.ndarray
    z: int
    spacing_mm: tuple[float, float]
    heart_px: tuple[float, float]
    limits: tuple[tuple[float, float], ...]

    @property
    def labels(self) -> np.ndarray:
        """Labels of the slice ``(Y, X)``."""
        return np.asarray(self.stack_labels[self.z])

    @property
    def from_stack_end(self) -> int:
        """Slices between this one and the nearer end of the stack."""
        return min(self.z, len(self.stack) - 1 - self.z)


def box_limits(
    stack: np.ndarray,
    heart_px: tuple[float, float],
    spacing_mm: tuple[float, float],
    percentiles: tuple[float, float],
) -> tuple[tuple[float, float], ...]:
    """Return the intensities of 0 and 1 by each box about the heart in ``stack (Z, Y, X)``."""
    limits = []
    for half_mm in BOX_HALF_WIDTHS_MM:
        ranges = []
        for axis in (0, 1):
            size = stack.shape[axis + 1]
            half_px = min(half_mm / spacing_mm[axis], size)
            start = int(max(heart_px[axis] - half_px, 0))
            ranges.append(slice(start, int(min(heart_px[axis] + half_px, size)) + 1))
        limits.append(intensity_limits(stack[:, ranges[0], ranges[1]], percentiles))
    return tuple(limits)


def acdc(folder: Path, folds: tuple[int, ...]) -> tuple[Row, ...]:
    """Return ED and ES of the ACDC patients in ``folds``.

    Expects ``metadata.csv`` (``patient``, ``fold``) and ``<patient>_{ed,es}[_gt].nii.gz``.
    """
    table = read_table(folder / "acdc" / "metadata.csv")
    rows = [row for row in table if int(row["fold"]) in folds]
    return tuple(
        Row(
            subject=row["patient"],
            phase=phase,
            image=f"acdc/{row['patient']}_{phase}.nii.gz",
            labels=f"acdc/{row['patient']}_{phase}_gt.nii.gz",
            label_scheme=ACDC_DATA.label_scheme,
            site="University Hospital of Dijon",
            vendor="Siemens",
            field_strength_t=None,
            fold=int(row["fold"]),
            terms=ACDC_DATA.terms,
        )
        for row in rows
        for phase in ("ed", "es")
    )


def emidec(folder: Path, folds: tuple[int, ...]) -> tuple[Row, ...]:
    """Return the late-enhancement stacks of the EMIDEC patients in ``folds``.

    Expects what :mod:`opencmr.train.emidec` describes.
    """
    return tuple(
        Row(
            subject=case.patient,
            phase="",
            image=f"{emidec_files.ARCHIVE}/image/{case.patient}",
            labels=f"{emidec_files.ARCHIVE}/label/{case.patient}",
            label_scheme=EMIDEC_DATA.label_scheme,
            site="University Hospital of Dijon",
            vendor="Siemens",
            field_strength_t=None,
            fold=case.fold,
            terms=EMIDEC_DATA.terms,
            nominal_spacing_mm=emidec_files.nominal_spacing_mm(
                emidec_files.read_pictures(folder / emidec_files.ARCHIVE / "label" / case.patient),
                case.myocardium_ml,
            ),
        )
        for case in emidec_files.read_cases(folder)
        if case.fold in folds
    )


def two_vendors(folder: Path, folds: tuple[int, ...]) -> tuple[Row, ...]:
    """Return the ACDC patients in ``folds``, and the Sunnybrook patients, cavity alone, likewise.

    Expects what :func:`acdc` and :mod:`opencmr.train.sunnybrook` describe.
    """
    return acdc(folder, folds) + tuple(
        Row(
            subject=case.patient,
            phase=name,
            image=f"{sunnybrook.ARCHIVE}/image/{case.patient}/{phase}",
            labels=f"{sunnybrook.ARCHIVE}/label/{case.patient}/{phase}",
            label_scheme=CAVITY_ALONE,
            site="Sunnybrook Health Sciences Centre",
            vendor="GE",
            field_strength_t=1.5,
            fold=case.fold,
            terms=NO_TERMS,
            nominal_spacing_mm=sunnybrook.NOMINAL_SPACING_MM,
        )
        for case in sunnybrook.read_cases(folder)
        if case.fold in folds
        for name, phase in (("ed", case.ed_phase), ("es", case.es_phase))
    )


def simulated_long_axis(folder: Path, folds: tuple[int, ...]) -> tuple[Row, ...]:
    """Return the long axes of the simulated hearts in ``folds``.

    Expects what ``benchmarks/long_axis.py examples`` writes: ``hearts.csv`` (``heart``,
    ``fold``) and ``<heart>_<view>_<phase>[_gt].nii.gz``.
    """
    place = folder / "simulated_long_axis"
    table = read_table(place / "hearts.csv", "make it with benchmarks/long_axis.py")
    folds_of = {row["heart"]: int(row["fold"]) for row in table}
    return tuple(
        Row(
            subject=heart,
            phase=phase,
            image=f"{place.name}/{heart}_{view}_{phase}.nii.gz",
            labels=f"{place.name}/{heart}_{view}_{phase}_gt.nii.gz",
            label_scheme=SIMULATED_LONG_AXIS_DATA.label_scheme,
            site="no hospital",
            vendor="opencmr simulate",
            field_strength_t=None,
            fold=fold,
            terms=SIMULATED_LONG_AXIS_DATA.terms,
        )
        for heart, fold in folds_of.items()
        if fold in folds
        for view in ("2ch", "3ch", "4ch")
        for phase in ("ed", "es", "between")
    )


def read_slices(
    rows: tuple[Row, ...], folder: Path, percentiles: tuple[float, float]
) -> tuple[Slice, ...]:
    """Return every slice of the rows, whose files lie under ``folder``."""
    return tuple(one for row in rows for one in _slices(row, folder, percentiles))


def _slices(row: Row, folder: Path, percentiles: tuple[float, float]) -> Iterator[Slice]:
    image, labels, spacing_mm = _labelled_stack(row, folder)
    in_part = row.label_scheme == CAVITY_ALONE
    heart = ACDC.mask(labels, Structure.LV) if in_part else labels > 0
    where = np.argwhere(heart)
    heart_px = (float(where[:, 1].mean()), float(where[:, 2].mean()))
    limits = box_limits(image, heart_px, spacing_mm, percentiles)
    labels = labels.astype(np.uint8)
    for z in range(image.shape[0]):
        yield Slice(
            row.subject,
            row.phase,
            row.fold,
            image,
            labels,
            z,
            spacing_mm,
            heart_px,
            limits,
        )


def _labelled_stack(row: Row, folder: Path) -> tuple[np.ndarray, np.ndarray, tuple[float, float]]:
    """Return image and labels ``(Z, Y, X)`` of a row, and their spacing (row, column) in mm."""
    if row.label_scheme == CAVITY_ALONE:
        picture, mask = (sunnybrook.read_stack(folder / path) for path in (row.image, row.labels))
        return picture.astype(np.float32), _cavity_labels(mask), sunnybrook.NOMINAL_SPACING_MM
    if row.nominal_spacing_mm is not None:
        image, labels = (
            emidec_files.read_pictures(folder / path) for path in (row.image, row.labels)
        )
        return image.astype(np.float32), labels, row.nominal_spacing_mm
    read, drawn = (read_nifti(folder / path).image for path in (row.image, row.labels))
    spacing_mm = (read.grid.row_spacing_mm, read.grid.column_spacing_mm)
    return read.values[0], drawn.values[0], spacing_mm


def _cavity_labels(drawn: np.ndarray) -> np.ndarray:
    """Return labels ``(Z, Y, X)`` of the ACDC scheme and codes for what was not drawn."""
    inside, outline = sunnybrook.cavity(drawn)
    classes = TWO_VENDORS_DATA.classes
    labels = np.full(drawn.shape, none_of_the_drawn(classes), dtype=np.uint8)
    (labels[inside],) = TWO_VENDORS_DATA.drawn_classes
    labels[outline] = unknown(classes)
    labels[: sunnybrook.BASAL_SLICES] = unknown(classes)
    return labels


ROWS: TypeAdapter[tuple[Row, ...]] = TypeAdapter(tuple[Row, ...])
"""Rows to JSON and back."""

MANIFESTS: Mapping[str, Manifest] = {
    "acdc": Manifest(ACDC_DATA, acdc),
    "acdc_sunnybrook": Manifest(TWO_VENDORS_DATA, two_vendors),
    "emidec": Manifest(EMIDEC_DATA, emidec),
    "simulated_long_axis": Manifest(SIMULATED_LONG_AXIS_DATA, simulated_long_axis),
}
