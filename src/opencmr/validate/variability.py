"""How varied a data set is: sizes, spacings and intensities of its stacks, by site and vendor."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields

import numpy as np

from opencmr.anatomy.structures import Structure
from opencmr.imaging.image import Image
from opencmr.imaging.segmentation import Segmentation

PERCENTILES = (1.0, 50.0, 99.0)
"""Of all intensities of a stack: dark, middle, bright."""
ALL = "all"
NOT_STATED = "not stated"
DECIMALS = 4


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a stack is from, as the manifest says; empty where it does not."""

    subject: str
    site: str
    vendor: str
    field_strength: str

    @property
    def groups(self) -> Mapping[str, str]:
        """Column to value, for summaries by them."""
        told = {
            "site": self.site,
            "vendor": self.vendor,
            "field strength": self.field_strength,
        }
        return {column: value or NOT_STATED for column, value in told.items()}


@dataclass(frozen=True, slots=True)
class Stack:
    """What one stack adds to the variety.

    Attributes
    ----------
    origin : Origin
    slices : int
    slice_spacing_mm : float or None
        None for a single slice.
    row_spacing_mm, column_spacing_mm : float
    dark, middle, bright : float
        :data:`PERCENTILES` of its intensities, arbitrary units.
    contrast : float or None
        Mean intensity of the cavity over that of the myocardium, both as the reference shows
        them; None where it shows one of them nowhere, or the latter is not positive.
    """

    origin: Origin
    slices: int
    slice_spacing_mm: float | None
    row_spacing_mm: float
    column_spacing_mm: float
    dark: float
    middle: float
    bright: float
    contrast: float | None


@dataclass(frozen=True, slots=True)
class Range:
    """Least, median and greatest of some values."""

    low: float
    median: float
    high: float


@dataclass(frozen=True, slots=True)
class Variety:
    """What a group of stacks spans; ``column`` and ``group`` are :data:`ALL` for all of them.

    A range is None where no stack has a value.
    """

    column: str
    group: str
    subjects: int
    stacks: int
    slices: Range | None
    slice_spacing_mm: Range | None
    row_spacing_mm: Range | None
    column_spacing_mm: Range | None
    dark: Range | None
    middle: Range | None
    bright: Range | None
    contrast: Range | None

    @property
    def plain(self) -> dict[str, object]:
        """Name to number, or to least, median and greatest: for JSON."""
        return {f.name: _plain(getattr(self, f.name)) for f in fields(self)}


MEASURED = tuple(f.name for f in fields(Variety))[4:]
"""Fields of a :class:`Stack` whose ranges are told."""


def stack_of(origin: Origin, image: Image, reference: Segmentation) -> Stack:
    """Return what a labelled image of any number of phases adds to the variety.

    Raises
    ------
    ValueError
        When image and reference have not one shape.
    """
    if image.values.shape != reference.labels.shape:
        raise ValueError(f"image of {image.values.shape}, labels of {reference.labels.shape}")
    grid = image.grid
    dark, middle, bright = (float(p) for p in np.percentile(image.values, PERCENTILES))
    return Stack(
        origin,
        grid.shape[0],
        grid.slice_spacing_mm,
        grid.row_spacing_mm,
        grid.column_spacing_mm,
        dark,
        middle,
        bright,
        _contrast(image.values, reference),
    )


def _contrast(values: np.ndarray, reference: Segmentation) -> float | None:
    cavity, wall = (reference.mask(s) for s in (Structure.LV, Structure.MYOCARDIUM))
    if not (cavity.any() and wall.any()):
        return None
    bright, dark = float(values[cavity].mean()), float(values[wall].mean())
    return bright / dark if dark > 0 else None


def variability(stacks: Sequence[Stack]) -> tuple[Variety, ...]:
    """Return the variety of all stacks, then of each site, vendor and field strength."""
    columns = stacks[0].origin.groups if stacks else {}
    return (
        _variety(ALL, ALL, stacks),
        *(
            _variety(column, group, [s for s in stacks if s.origin.groups[column] == group])
            for column in columns
            for group in sorted({s.origin.groups[column] for s in stacks})
        ),
    )


def _variety(column: str, group: str, stacks: Sequence[Stack]) -> Variety:
    return Variety(
        column,
        group,
        len({s.origin.subject for s in stacks}),
        len(stacks),
        *(_range(getattr(s, field) for s in stacks) for field in MEASURED),
    )


def _range(values: Iterable[float | None]) -> Range | None:
    known = [value for value in values if value is not None]
    if not known:
        return None
    return Range(float(min(known)), float(np.median(known)), float(max(known)))


def _plain(value: object) -> object:
    if isinstance(value, Range):
        return {f.name: round(getattr(value, f.name), DECIMALS) for f in fields(value)}
    return value
