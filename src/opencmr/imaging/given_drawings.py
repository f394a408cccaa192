"""What was drawn on pictures and a caller gives, before it is known which series it is of."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Generic, Protocol, Self, TypeVar

from opencmr.anatomy.structures import LabelScheme, Structure, scheme_holding
from opencmr.imaging.brief import brief
from opencmr.imaging.segmentation import Author


class Drawn(Protocol):
    """One structure on one picture."""

    @property
    def structure(self) -> Structure:
        """Which it is."""
        ...

    @property
    def pictures(self) -> tuple[tuple[str, int | None], ...]:
        """SOP instance UID and frame number of what it was drawn on."""
        ...


DrawnT = TypeVar("DrawnT", bound=Drawn)


@dataclass(frozen=True, slots=True, eq=False, repr=False, kw_only=True)
class GivenDrawings(Generic[DrawnT]):
    """What is drawn on pictures of perhaps several series, as it came.

    Attributes
    ----------
    drawn : tuple of SegmentFrame or Outline
    author : Author
    sha256 : str
        Of the file; of several, over their hashes in the order of their content.
    series : str or None
        Key of the series that it belongs to, where the caller says it.
    series_of : mapping of str to str
        SeriesInstanceUID of the pictures, by SOP instance UID, where the objects state it.
    """

    drawn: tuple[DrawnT, ...]
    author: Author
    sha256: str
    series: str | None = None
    series_of: Mapping[str, str] = field(default_factory=dict, repr=False)

    __repr__ = brief

    def of_these(self, drawn: Sequence[DrawnT]) -> Self:
        """Return the same with some of what is drawn alone."""
        return replace(self, drawn=tuple(drawn))

    @property
    def scheme(self) -> LabelScheme:
        """The convention of the labels that it becomes.

        Raises
        ------
        InputError
            When it is of several series, so that no convention has all.
        """
        return scheme_holding({one.structure for one in self.drawn})
