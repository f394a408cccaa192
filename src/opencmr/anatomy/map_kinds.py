"""Which relaxation times are mapped."""

from enum import StrEnum


class MapKind(StrEnum):
    """The relaxation time that is mapped."""

    T1 = "t1"
    T2 = "t2"
    T2_STAR = "t2star"

    @property
    def text(self) -> str:
        """As a reader writes it."""
        return {"t1": "T1", "t2": "T2", "t2star": "T2*"}[self.value]
