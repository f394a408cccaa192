"""Text from headers, made fit to be shown: header text is data, never markup or code."""

import itertools
import re
import unicodedata
from collections.abc import Iterable

from opencmr.anatomy.reasons import Reason
from opencmr.imaging.study import Identity

SHOWN_LIMIT = 160
"""Characters of a header's text that a report shows (DICOM LO allows 64, files do not care)."""
SHORTEST_NAME = 3
"""Parts of an identity shorter than this are too common to be looked for in other text."""
REDACTED = "[redacted]"

_HIDDEN_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})
"""Unicode categories without a shape: controls, bidirectional overrides, surrogates."""
_JOINERS = frozenset("\u200c\u200d")
"""Zero-width joiners, which Persian and Indic names need."""


def shown(text: str, limit: int = SHOWN_LIMIT) -> str:
    r"""Return ``text`` on one line, bounded, with characters that hide or reorder made visible.

    >>> shown("a\x00b\n c")
    'a⟨0000⟩b c'
    >>> shown("\u202egpj.exe")
    '⟨202E⟩gpj.exe'
    """
    cut = text[: limit + 1]
    spaced = re.sub(r"[ \t\r\n\f\v]+", " ", cut).strip(" ")
    visible = "".join(
        f"⟨{ord(c):04X}⟩"
        if unicodedata.category(c) in _HIDDEN_CATEGORIES and c not in _JOINERS
        else c
        for c in spaced
    )
    return visible if len(text) <= limit and len(visible) <= limit else visible[: limit - 1] + "…"


def prose(reason: Reason | None, limit: int = 600) -> str:
    """Return a reason's sentence, empty where there is none.

    >>> prose(Reason("BSA_UNKNOWN", "height or weight is not given")), prose(None)
    ('height or weight is not given', '')
    """
    return shown(reason.sentence, limit) if reason else ""


def person_name(name: str) -> str:
    """Return a DICOM person name (PS3.5 6.2.1.2) as a reader writes it.

    >>> person_name("Yamada^Tarou=山田^太郎=やまだ^たろう")
    'Yamada, Tarou (山田, 太郎)'
    >>> person_name("Doe^Jane^Q^Dr")
    'Doe, Jane Q Dr'
    """
    groups = [_name_group(group) for group in shown(name).split("=")]
    first, *others = [group for group in groups if group] or [""]
    return f"{first} ({others[0]})" if others else first


def _name_group(group: str) -> str:
    family, *others = (part.strip() for part in group.split("^"))
    given = " ".join(part for part in others if part)
    return ", ".join(part for part in (family, given) if part)


def iso_date(date: str) -> str:
    """Return a DICOM date as year-month-day, as much as is known, or what was there.

    >>> iso_date("20260214"), iso_date("20120000"), iso_date("00000000")
    ('2026-02-14', '2012', '')
    """
    match = re.fullmatch(r"(\d{4})(\d{2})(\d{2})", date.strip())
    if not match:
        return shown(date, 40)
    known = itertools.takewhile(lambda part: int(part) > 0, match.groups())
    return "-".join(known)


def identifying_words(identity: Identity) -> tuple[str, ...]:
    """Return the words of an identity that must not appear in a machine's files, longest first."""
    words = {
        identity.patient_id,
        identity.birth_date,
        identity.accession_number,
        identity.study_date,
        iso_date(identity.birth_date),
        iso_date(identity.study_date),
        identity.study_description,
        identity.institution,
        identity.study_id,
        *re.split(r"[\^=\s,]+", identity.patient_name),
        *re.split(r"[\^=\s,]+", identity.referring_physician),
    }
    kept = {word.strip() for word in words if len(word.strip()) >= SHORTEST_NAME}
    return tuple(sorted(kept, key=lambda word: (-len(word), word)))


def redacted(text: str, words: Iterable[str]) -> str:
    """Return ``text`` with every one of ``words`` taken out, whatever its case.

    >>> redacted("description: DOE sa cine", ("Doe",))
    'description: [redacted] sa cine'
    """
    for word in words:
        text = re.sub(rf"(?<!\w){re.escape(word)}(?!\w)", REDACTED, text, flags=re.IGNORECASE)
    return text
