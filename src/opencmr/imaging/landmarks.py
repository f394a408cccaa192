"""Landmarks of the heart in one segmented stack: found once, then read by everyone."""

from dataclasses import dataclass

from opencmr.anatomy.aha import Level
from opencmr.imaging.brief import brief

Point = tuple[float, float]
"""``(down, right)`` mm from the centre of a slice's first pixel."""


@dataclass(frozen=True, slots=True)
class Cycle:
    """End-diastole and end-systole of one ventricle, as 0-based cardiac phases."""

    ed_phase: int
    es_phase: int


@dataclass(frozen=True, slots=True)
class Insertion:
    """The two points of one slice where the right ventricle meets the outer wall of the left.

    ``first`` is the anterior one where :attr:`PhaseLandmarks.anterior_known`.
    """

    first: Point
    second: Point


@dataclass(frozen=True, slots=True, repr=False)
class PhaseLandmarks:
    """Landmarks of one cardiac phase.

    Attributes
    ----------
    phase : int
        0-based.
    levels : tuple of Level or None, one a slice
        None where the slice has no closed ring of myocardium.
    insertions : tuple of Insertion or None, one a slice
        None where not found.
    anterior_known : bool
        Whether the image says which insertion is the anterior one.
    """

    phase: int
    levels: tuple[Level | None, ...]
    insertions: tuple[Insertion | None, ...]
    anterior_known: bool

    __repr__ = brief

    def __post_init__(self) -> None:
        if len(self.levels) != len(self.insertions):
            raise ValueError(
                f"{len(self.levels)} levels and {len(self.insertions)} insertions; expected one "
                "of each a slice"
            )


@dataclass(frozen=True, slots=True, repr=False)
class Landmarks:
    """Landmarks of both ventricles.

    Attributes
    ----------
    lv, rv : Cycle or None
        Each ventricle by its own volume; None where it cannot be told (a single phase, nothing
        labelled).
    base_to_apex : (x, y, z) or None
        Unit vector (LPS) along the stack's normal; None where base and apex cannot be told.
    base_first : tuple of int
        Every slice from base to apex; in stack order where that cannot be told.
    end_diastole, end_systole : PhaseLandmarks or None
        At the phases of ``lv``; None where there are none.
    """

    lv: Cycle | None
    rv: Cycle | None
    base_to_apex: tuple[float, float, float] | None
    base_first: tuple[int, ...]
    end_diastole: PhaseLandmarks | None = None
    end_systole: PhaseLandmarks | None = None

    __repr__ = brief

    def __post_init__(self) -> None:
        if sorted(self.base_first) != list(range(len(self.base_first))):
            raise ValueError(f"base_first must name every slice once, found {self.base_first}")

    @property
    def basal_slice(self) -> int | None:
        """The slice at the basal end of the stack."""
        return None if self.base_to_apex is None else self.base_first[0]
