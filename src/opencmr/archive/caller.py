"""Who is at the other end of an association that was made to us, and what it is answered."""

from pydicom.dataset import Dataset
from pynetdicom.association import Association

LONGEST_COMMENT = 64
"""Characters of an error comment (PS3.7 annex C, LO)."""


def caller_of(association: Association) -> tuple[str, str]:
    """Return the title that the caller claims, and its address."""
    requestor = association.requestor
    aet = str(getattr(requestor.primitive, "calling_ae_title", "")).strip()
    return aet, str(requestor.address)


def answer(status: int, comment: str) -> Dataset:
    """Return a status with a comment, without identifiers."""
    told = Dataset()
    told.Status = status
    told.ErrorComment = comment[:LONGEST_COMMENT]
    return told
