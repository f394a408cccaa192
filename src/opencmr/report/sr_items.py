"""The two content items that every part of the measurement report is made of."""

from typing import TYPE_CHECKING

from opencmr.anatomy.quantities import Code
from opencmr.report.dicom_study import LO, legal

if TYPE_CHECKING:
    import highdicom.sr

COMMENT = Code("121106", "DCM", "Comment")


def comment(
    text: str, relationship: "highdicom.sr.RelationshipTypeValues"
) -> "highdicom.sr.TextContentItem":
    """Return a remark in words."""
    from highdicom import sr

    return sr.TextContentItem(concept(COMMENT), text, relationship)


def concept(code: Code) -> "highdicom.sr.CodedConcept":
    """Return a code as content items hold it."""
    from highdicom import sr

    return sr.CodedConcept(code.value, code.scheme, legal(code.meaning, LO))
