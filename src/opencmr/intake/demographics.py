"""Sex, age, height, weight and heart rate: what of the header's claims can be true."""

import re
from dataclasses import dataclass
from datetime import date, datetime

from opencmr.anatomy.plausible import AGE_LIMIT_YEARS, HEIGHT_LIMITS_CM, WEIGHT_LIMITS_KG
from opencmr.imaging.flag import QualityFlag, Severity
from opencmr.imaging.study import Demographics

DAYS_PER_UNIT = {"D": 1.0, "W": 7.0, "M": 365.25 / 12, "Y": 365.25}
DAYS_PER_YEAR = 365.25


@dataclass(frozen=True, slots=True)
class Body:
    """PatientAge, PatientSize and PatientWeight as found; the repr is redacted."""

    age: str = ""
    size_m: float | None = None
    weight_kg: float | None = None

    def __repr__(self) -> str:
        return "Body(redacted)"


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
