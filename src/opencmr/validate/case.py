"""One patient's labels against a reader's: by phase, structure and level of the heart."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from opencmr.anatomy.quantities import Quantity
from opencmr.anatomy.structures import Structure
from opencmr.errors import GeometryError
from opencmr.geometry.grid import Grid
from opencmr.imaging.image import untimed_image
from opencmr.imaging.landmarks import Landmarks
from opencmr.imaging.segmentation import Segmentation
from opencmr.imaging.study import Demographics
from opencmr.measure.function.ejection import EJECTION_ROWS
from opencmr.measure.function.mass import MASS_ROWS
from opencmr.measure.function.volumes import VOLUME_ROWS
from opencmr.measure.landmarks import find_landmarks
from opencmr.measure.scalars import Scalar
from opencmr.measure.ventricles import Unmeasurable, Ventricles
from opencmr.validate.overlap import dice, iou
from opencmr.validate.surface import SurfaceDistances, surface_distances

ED, ES, BETWEEN, SINGLE = "ED", "ES", "between", "single"
"""Phases: of end-diastole, of end-systole, any other of a cine, the only one of a stack."""
WHOLE = "whole"
LEVELS = ("base", "middle", "apex")
"""Thirds of the slices in which the reference shows the left ventricle."""
LEFT = (Structure.LV, Structure.MYOCARDIUM)
SAME_PLACE_MM = 0.1
"""Grids whose corners lie further apart are two grids: above any header's rounding."""
SYMBOLS = ("LVEDV", "LVESV", "LVSV", "LVEF", "LVM", "RVEDV", "RVESV", "RVSV", "RVEF")
MEASURED: tuple[Scalar, ...] = tuple(
    row for row in (*VOLUME_ROWS, *EJECTION_ROWS, *MASS_ROWS) if row.quantity.symbol in SYMBOLS
)


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """One patient's labels twice, phase by phase.

    Attributes
    ----------
    name : str
    prediction, reference : Segmentation
        Of one shape and one place; each in its own label scheme.
    stated : tuple of str
        ``ED``, ``ES`` or empty: what is known of each phase beforehand.

    Raises
    ------
    GeometryError
        When the two do not lie on one grid, or a phase is left unsaid.
    """

    name: str
    prediction: Segmentation
    reference: Segmentation
    stated: tuple[str, ...]

    def __post_init__(self) -> None:
        one, other = self.prediction.labels.shape, self.reference.labels.shape
        if one != other or len(self.stated) != one[0]:
            raise GeometryError(f"labels of {one} against {other}, phases {self.stated}")
        require_one_grid(self.prediction.grid, self.reference.grid)


@dataclass(frozen=True, slots=True)
class Score:
    """How one structure agrees at one phase, in the whole heart or at one level.

    Attributes
    ----------
    case : str
    phase : str
        :data:`ED`, :data:`ES`, :data:`BETWEEN` or :data:`SINGLE`.
    structure : Structure
    level : str
        :data:`WHOLE` or one of :data:`LEVELS`.
    dice, iou : float
    hausdorff_mm, hausdorff95_mm, nsd, average_mm : float or None
        None at a level, whose edge to the next one is no surface; distances also where a mask
        is empty.
    slices_with, slices_without : int
        Slices in which the reference shows the structure, and does not.
    missed_slices, invented_slices : int
        Of the former those in which the prediction shows none, of the latter those in which
        it shows some: presence false negatives and false positives.
    """

    case: str
    phase: str
    structure: Structure
    level: str
    dice: float
    iou: float
    hausdorff_mm: float | None
    hausdorff95_mm: float | None
    nsd: float | None
    average_mm: float | None
    slices_with: int
    slices_without: int
    missed_slices: int
    invented_slices: int


@dataclass(frozen=True, slots=True)
class MeasuredTwice:
    """One quantity of one patient from both segmentations; None where one cannot be told."""

    case: str
    quantity: Quantity
    reference: float | None
    measured: float | None


def require_one_grid(one: Grid, other: Grid) -> None:
    """Refuse two grids that are not one.

    Raises
    ------
    GeometryError
        When shapes differ, or corners lie more than :data:`SAME_PLACE_MM` apart.
    """
    if one.shape != other.shape:
        raise GeometryError(f"shapes (slices, rows, columns) {one.shape} and {other.shape} differ")
    apart_mm = np.abs(one.affines - other.affines) @ [one.shape[1], one.shape[2], 0, 1]
    if apart_mm.max() > SAME_PLACE_MM:
        raise GeometryError(
            f"the voxels lie up to {apart_mm.max():.1f} mm apart, expected {SAME_PLACE_MM} mm at "
            f"most: spacing {_spacing_text(one)} and {_spacing_text(other)} mm"
        )


def _spacing_text(grid: Grid) -> str:
    slices = "" if grid.slice_spacing_mm is None else f"{grid.slice_spacing_mm:g} x "
    return f"{slices}{grid.row_spacing_mm:g} x {grid.column_spacing_mm:g}"


def score_case(case: Case) -> tuple[Score, ...]:
    """Return the scores of every structure that both label schemes name.

    A cine's phase that the reader left empty, while others are filled, was not read and is
    not scored.
    """
    shared = set(case.prediction.scheme.structures.values())
    structures = [s for s in case.reference.scheme.structures.values() if s in shared]
    landmarks = find_landmarks(_ventricles(case.reference))
    return tuple(
        score
        for phase, name in phase_names(case, landmarks).items()
        for structure in structures
        for score in _scores(case, phase, name, structure, landmarks)
    )


def phase_names(case: Case, landmarks: Landmarks | None = None) -> dict[int, str]:
    """Return the name of each phase that was read: stated, or by the reader's volumes."""
    found = {0: SINGLE}
    if len(case.stated) > 1:
        told = landmarks or find_landmarks(_ventricles(case.reference))
        cycle = told.lv or told.rv
        found = {cycle.ed_phase: ED, cycle.es_phase: ES} if cycle else {}
    read = np.asarray(case.reference.labels.any(axis=(1, 2, 3)))
    return {
        phase: stated or found.get(phase, BETWEEN)
        for phase, stated in enumerate(case.stated)
        if stated or read[phase] or not read.any()
    }


def measure_twice(case: Case) -> tuple[MeasuredTwice, ...]:
    """Return volumes, ejection fractions and mass from both segmentations by the same rules.

    Each segmentation has its own end-diastole and end-systole, as in an analysis.
    """
    reference, measured = _ventricles(case.reference), _ventricles(case.prediction)
    return tuple(
        MeasuredTwice(case.name, row.quantity, _value(row, reference), _value(row, measured))
        for row in MEASURED
    )


def _ventricles(segmentation: Segmentation) -> Ventricles:
    image = untimed_image(segmentation.labels.astype(np.float32), segmentation.grid)
    return Ventricles(segmentation, image, Demographics(), "s01")


def _value(row: Scalar, ventricles: Ventricles) -> float | None:
    try:
        value = float(row.value(ventricles))
    except Unmeasurable:
        return None
    return value if np.isfinite(value) else None


def _scores(
    case: Case, phase: int, name: str, structure: Structure, landmarks: Landmarks
) -> Iterator[Score]:
    found = case.prediction.scheme.mask(case.prediction.labels[phase], structure)
    truth = case.reference.scheme.mask(case.reference.labels[phase], structure)
    grid = case.reference.grid
    spacing_mm = (grid.slice_spacing_mm, grid.row_spacing_mm, grid.column_spacing_mm)
    distances = surface_distances(found, truth, spacing_mm)
    yield _score((case.name, name, structure, WHOLE), found, truth, distances)
    for level, slices in _levels(case.reference, phase, landmarks).items():
        yield _score((case.name, name, structure, level), found[slices], truth[slices], None)


def _score(
    about: tuple[str, str, Structure, str],
    found: np.ndarray,
    truth: np.ndarray,
    distances: SurfaceDistances | None,
) -> Score:
    shown, should = found.any(axis=(1, 2)), truth.any(axis=(1, 2))
    return Score(
        *about,
        dice(found, truth),
        iou(found, truth),
        distances.hausdorff_mm if distances else None,
        distances.hausdorff95_mm if distances else None,
        distances.share_within() if distances else None,
        distances.average_mm if distances else None,
        int(should.sum()),
        int((~should).sum()),
        int((should & ~shown).sum()),
        int((shown & ~should).sum()),
    )


def _levels(reference: Segmentation, phase: int, landmarks: Landmarks) -> dict[str, list[int]]:
    """Return the slices of each level; none where base and apex cannot be told.

    The thirds count from the base, which takes what is left over, then the middle; slices
    beyond the ventricle's ends belong to the level at that end.
    """
    if landmarks.base_to_apex is None:
        return {}
    masks = [reference.scheme.mask(reference.labels[phase], s) for s in LEFT]
    held = np.asarray(np.stack(masks).any(axis=(0, 2, 3)))
    order = landmarks.base_first
    inside = [place for place, z in enumerate(order) if held[z]]
    if len(inside) < len(LEVELS):
        return {}
    thirds = np.array_split(inside, len(LEVELS))
    ends = [0, int(thirds[1][0]), int(thirds[2][0]), len(order)]
    return {level: sorted(order[ends[n] : ends[n + 1]]) for n, level in enumerate(LEVELS)}
