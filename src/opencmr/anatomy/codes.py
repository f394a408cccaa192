"""Public codes of what a result names: structures, moments, segments of the ventricle.

SNOMED CT as DICOM PS3.16 lists it: CID 4 and 12305 (structures), CID 12233 (moments), CID 3717
(segments of the left ventricle), CID 7150 (categories of what is segmented).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from opencmr.anatomy.quantities import Code
from opencmr.anatomy.structures import Structure

PRIVATE_SCHEME = "99OPENCMR"
"""Coding scheme designator where no public code was found."""
END_DIASTOLE = Code("416190007", "SCT", "End diastole")
END_SYSTOLE = Code("416430001", "SCT", "End Systole")
HEART = Code("80891009", "SCT", "Heart")
_ANATOMY = Code("123037004", "SCT", "Anatomical Structure")
_ABNORMAL = Code("49755003", "SCT", "Morphologically Abnormal Structure")
_LV_MYOCARDIUM = Code("49848007", "SCT", "Left Ventricle Myocardium")


@dataclass(frozen=True, slots=True)
class StructureCodes:
    """How a structure is coded: its category, what it is and, where that leaves it open, where."""

    category: Code
    kind: Code
    region: Code | None = None


STRUCTURE_CODES: Mapping[Structure, StructureCodes] = MappingProxyType(
    {
        Structure.LV: StructureCodes(_ANATOMY, Code("87878005", "SCT", "Left ventricle")),
        Structure.MYOCARDIUM: StructureCodes(_ANATOMY, _LV_MYOCARDIUM),
        Structure.RV: StructureCodes(_ANATOMY, Code("53085002", "SCT", "Right ventricle")),
        Structure.SCAR: StructureCodes(
            _ABNORMAL, Code("122113", "DCM", "Scarred Myocardium"), _LV_MYOCARDIUM
        ),
        Structure.NO_REFLOW: StructureCodes(
            _ABNORMAL, Code("NO_REFLOW", PRIVATE_SCHEME, "No-reflow"), _LV_MYOCARDIUM
        ),
    }
)

_SEGMENTS = (
    ("264850008", "basal anterior"),
    ("396482007", "basal anteroseptal"),
    ("396646008", "basal inferoseptal"),
    ("264846001", "basal inferior"),
    ("396652009", "basal inferolateral"),
    ("396654005", "basal anterolateral"),
    ("264848000", "mid anterior"),
    ("396647004", "mid anteroseptal"),
    ("396649001", "mid inferoseptal"),
    ("264847005", "mid inferior"),
    ("396655006", "mid inferolateral"),
    ("396656007", "mid anterolateral"),
    ("264844003", "apical anterior"),
    ("264845002", "apical septal"),
    ("264849008", "apical inferior"),
    ("264853005", "apical lateral"),
)
AHA_CODES: Mapping[int, Code] = MappingProxyType(
    {
        number: Code(value, "SCT", f"left ventricle {name} segment")
        for number, (value, name) in enumerate(_SEGMENTS, start=1)
    }
    | {17: Code("128564006", "SCT", "Apex of left ventricle")}
)


def moment_of(name: str) -> Code | None:
    """Return the moment of the heartbeat that a quantity's full name says, None where it says none.

    Examples
    --------
    >>> moment_of("LV end-diastolic volume").meaning, moment_of("LV stroke volume")
    ('End diastole', None)
    """
    words = name.lower()
    if "end-diastol" in words:
        return END_DIASTOLE
    return END_SYSTOLE if "end-systol" in words else None
