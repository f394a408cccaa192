"""Sex, age, height, weight and heart rate: what of the header's claims can be true."""

import re
from dataclasses import dataclass
from datetime import date, datetime

from opencmr.accents import without_accents
from opencmr.anatomy.plausible import AGE_LIMIT_YEARS, HEIGHT_LIMITS_CM, WEIGHT_LIMITS_KG
from opencmr.imaging.flag import QualityFlag, Severity
from opencmr.imaging.study import Demographics

DAYS_PER_UNIT = {"D": 1.0, "W": 7.0, "M": 365.25 / 12, "Y": 365.25}
DAYS_PER_YEAR = 365.25

NO_NAME = re.compile(r"anon\w*|unknown|none|noname|deidentified|removed")
"""Words that stand for a name that was removed."""
LETTERS = str.maketrans(
    {"ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "ı": "i", "æ": "ae", "œ": "oe"}
)
"""Letters that Unicode does not take apart."""


@dataclass(frozen=True, slots=True)
class Body:
    """PatientAge, PatientSize and PatientWeight as found; the repr is redacted."""

    age: str = ""
    size_m: float | None = None
    weight_kg: float | None = None

    def __repr__(self) -> str:
        return "Body(redacted)"


def names_contradict(one: str, other: str) -> bool:
    """Return whether two DICOM names (PS3.5, PN) have family names of different people.

    One person is written in many ways: case, accents, the order of the names, a middle or a
    second family name, no caret at all.  So no word of either's family name may stand anywhere
    in the other's name.  Names in different scripts, removed and garbled ones say nothing.

    Examples
    --------
    >>> names_contradict("Doe^Jane", "Smith^Jane")
    True
    >>> names_contradict("MÜLLER^EVA", "Eva Maria Mueller")
    False
    """
    if any(sign in name for name in (one, other) for sign in "?\N{REPLACEMENT CHARACTER}"):
        return False
    (family, words), (others_family, others_words) = _words_of(one), _words_of(other)
    if family & others_words or others_family & words:
        return False
    if any(NO_NAME.fullmatch(word) for word in words | others_words):
        return False
    scripts = [{word.isascii() for word in names} for names in (family, others_family)]
    return bool(scripts[0] & scripts[1])


def _words_of(name: str) -> tuple[frozenset[str], frozenset[str]]:
    """Return the plain words of the family name, and of the whole name, in every script."""
    groups = [_plain(group).split("^") for group in name.split("=")]
    words = [[re.findall(r"[^\W_]+", part) for part in parts] for parts in groups]
    family = frozenset(word for parts in words for word in parts[0])
    return family, frozenset(word for parts in words for part in parts for word in part)


def _plain(text: str) -> str:
    """Return text in small letters without accents, umlauts written with or without an e."""
    bare = without_accents(text.casefold().translate(LETTERS))
    return re.sub("([aou])e", r"\1", bare).replace("'", "")


def age_in_years(text: str) -> float | None:
    """Return a DICOM age string (PS3.5, AS) in years, or None.

    >>> age_in_years("045Y"), age_in_years("018M"), age_in_years("45")
    (45.0, 1.5, None)
    """
    match = re.fullmatch(r"(\d{3})([DWMY])", text)
    if match is None:
        return None
    years = int(match[1]) * DAYS_PER_UNIT[match[2]] / DAYS_PER_YEAR
    return years if years <= AGE_LIMIT_YEARS else None


def age_at(birth_date: str, study_date: str) -> float | None:
    """Return the age in years at the study from two DICOM dates, or None."""
    born, seen = _date(birth_date), _date(study_date)
    if born is None or seen is None:
        return None
    years = (seen - born).days / DAYS_PER_YEAR
    return years if 0 <= years <= AGE_LIMIT_YEARS else None


def _date(text: str) -> date | None:
    try:
        return datetime.strptime(text, "%Y%m%d").date()
    except ValueError:
        return None


def demographics_of(
    sex: str, body: Body, birth_date: str, study_date: str, heart_rate_bpm: float | None
) -> tuple[Demographics, tuple[QualityFlag, ...]]:
    """Return what can be true, and a flag for what cannot.

    A height is stated in metres (PS3.3 C.7.2.2); one that is impossible in metres is not
    guessed to be centimetres or inches but left unknown.
    """
    age = age_in_years(body.age)
    if age is None:
        age = age_at(birth_date, study_date)
    height_cm = None if body.size_m is None else body.size_m * 100
    flags: list[QualityFlag] = []
    if height_cm is not None and not HEIGHT_LIMITS_CM[0] <= height_cm <= HEIGHT_LIMITS_CM[1]:
        flags.append(_implausible("height", "--height-cm"))
        height_cm = None
    weight_kg = body.weight_kg
    if weight_kg is not None and not WEIGHT_LIMITS_KG[0] <= weight_kg <= WEIGHT_LIMITS_KG[1]:
        flags.append(_implausible("weight", "--weight-kg"))
        weight_kg = None
    known_sex = sex if sex in ("M", "F") else None
    return Demographics(known_sex, age, height_cm, weight_kg, heart_rate_bpm), tuple(flags)


def _implausible(what: str, option: str) -> QualityFlag:
    return QualityFlag(
        Severity.INFO,
        "BSA_UNKNOWN",
        f"The header's {what} cannot be true in the unit that DICOM prescribes and is not used. "
        f"Give {option}.",
    )
