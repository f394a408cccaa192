"""What a number is: symbol, name, unit, precision and code."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Code:
    """A coded concept (DICOM PS3.16 section 8, LOINC, SNOMED CT).

    ``scheme`` is the coding scheme designator: ``LN``, ``SCT``, ``DCM``, or ``99OPENCMR``
    where no public code was found.
    """

    value: str
    scheme: str
    meaning: str


@dataclass(frozen=True, slots=True)
class Quantity:
    """One measurable quantity.

    Attributes
    ----------
    symbol : str
        SCMR abbreviation, unique: ``LVEF``, ``LVEDVi``, ...
    name : str
        Full name for a report.
    unit : str
        UCUM unit: ``mL``, ``%``, ``g/m2``, ...
    decimals : int
        Decimals that a report shows.
    code : Code
    meaning : str
        One sentence: what the number is and where its definition comes from.
    """

    symbol: str
    name: str
    unit: str
    decimals: int
    code: Code
    meaning: str

    def format(self, value: float | None) -> str:
        """Return ``value`` with the quantity's decimals, or a dash."""
        return "–" if value is None else f"{value:.{self.decimals}f}"
