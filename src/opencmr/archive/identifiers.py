"""Identifiers of queries and retrievals in the study root (PS3.4 sections C.4.1.1.3, C.4.2.1.4)."""

import io
import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from pydicom.config import IGNORE
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.uid import UID
from pynetdicom.dsutils import decode

from opencmr.archive.heads import text_of
from opencmr.archive.matching import DOES_NOT_MATCH, Query, QueryRefusedError
from opencmr.archive.query_keys import (
    COUNTS,
    KEYS,
    MODALITIES_IN_STUDY,
    UNIQUE_KEYS,
    Level,
    down_to,
)
from opencmr.intake.dicom.parsing import is_cut

STUDY_ROOT_FIND = UID("1.2.840.10008.5.1.4.1.2.2.1")
STUDY_ROOT_MOVE = UID("1.2.840.10008.5.1.4.1.2.2.2")
"""SOP classes (PS3.4 section C.6.2.3)."""
CANNOT_PROCESS = 0xC000
SUCCESS, PENDING, CANCELLED = 0x0000, 0xFF00, 0xFE00
"""Statuses of C-FIND and C-MOVE (PS3.4 tables C.4-1 and C.4-2)."""
LARGEST_IDENTIFIER_BYTES = 4 << 20
"""Room for the UIDs of the largest study (proposal)."""
ANSWERED = frozenset({*(key.keyword for key in KEYS), MODALITIES_IN_STUDY, *COUNTS})
FORMS = {key.keyword: key.vr for key in KEYS} | {
    MODALITIES_IN_STUDY: "CS",
    **dict.fromkeys(COUNTS, "IS"),
}


@dataclass(frozen=True, slots=True)
class Asked:
    """What a peer asks for: a level, keys to match, and keywords to answer."""

    level: Level
    query: Query
    keywords: frozenset[str]


def read_asked(identifier: io.BytesIO | None, syntax: UID) -> Asked:
    """Return what an identifier asks for.

    Above its level it names one thing at each level, as the hierarchical model wants it.

    Raises
    ------
    QueryRefusedError
        When it cannot be read, or is none of this model.
    """
    if identifier is None or identifier.getbuffer().nbytes > LARGEST_IDENTIFIER_BYTES:
        raise QueryRefusedError(DOES_NOT_MATCH, "the identifier is missing or too large")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # they quote values
            said = decode(identifier, syntax.is_implicit_VR, syntax.is_little_endian)
            if any(map(is_cut, said.values())):
                raise ValueError
            level_said = str(said.get("QueryRetrieveLevel", "")).strip()
            elements = [one for one in said if one.keyword in ANSWERED]
            values = {one.keyword: text_of(one.value) for one in elements}
    except Exception:  # whatever hostile bytes make the reader raise
        raise QueryRefusedError(CANNOT_PROCESS, "the identifier cannot be read") from None
    if level_said not in list(Level):
        raise QueryRefusedError(DOES_NOT_MATCH, "the level is none of the study root")
    level, query = Level(level_said), Query(values)
    for above in down_to(level)[:-1]:
        if len(query.uids(UNIQUE_KEYS[above])) != 1:
            raise QueryRefusedError(DOES_NOT_MATCH, f"{UNIQUE_KEYS[above]} must be one UID")
    return Asked(level, query, frozenset(values))


@contextmanager
def refusing_what_fails() -> Iterator[None]:
    """Let a request that fails in the block be refused, whatever made it fail.

    Raises
    ------
    QueryRefusedError
    """
    try:
        yield
    except QueryRefusedError:
        raise
    except Exception as error:  # its message may quote a header
        kind = type(error).__name__
        raise QueryRefusedError(CANNOT_PROCESS, f"unexpected failure ({kind})") from None


def require_named(asked: Asked) -> None:
    """Refuse a retrieval that names nothing at its level.

    Raises
    ------
    QueryRefusedError
    """
    if not asked.query.uids(UNIQUE_KEYS[asked.level]):
        raise QueryRefusedError(DOES_NOT_MATCH, f"{UNIQUE_KEYS[asked.level]} must be UIDs")


def answer_of(asked: Asked, row: Mapping[str, str], aet: str) -> Dataset:
    """Return a match as it is told: what was asked for of it, and how to retrieve it."""
    told = Dataset()
    unique = {UNIQUE_KEYS[level] for level in down_to(asked.level)}
    for keyword in sorted((asked.keywords | unique) & row.keys()):
        _add(told, keyword, FORMS[keyword], row[keyword])
    told.SpecificCharacterSet = "ISO_IR 192"  # a name may have any letters
    told.QueryRetrieveLevel = asked.level.value
    told.RetrieveAETitle = aet
    return told


def failures_of(uids: Iterable[str]) -> Dataset:
    """Return the list of objects that were not sent (PS3.4 section C.4.2.1.4.2)."""
    told = Dataset()
    _add(told, "FailedSOPInstanceUIDList", "UI", "\\".join(uids))
    return told


def _add(told: Dataset, keyword: str, vr: str, value: str) -> None:
    # As it is kept: a warning would quote it.
    told.add(DataElement(keyword, vr, value, validation_mode=IGNORE))
