"""Whether a value matches a key of a query (PS3.4 section C.2.2.2); nothing here reads anything.

Single value, list of UIDs, universal, wild card and range matching.  Names are compared without
regard to case, all else as it stands.
"""

import re
from collections.abc import Callable, Mapping

from opencmr.archive.names import UID_FORM
from opencmr.archive.query_keys import KEYS, MODALITIES_IN_STUDY
from opencmr.errors import OpencmrError

DATE = re.compile(r"\d{8}", re.ASCII)
TIME = re.compile(r"(\d{2}){1,3}|\d{6}\.\d{1,6}", re.ASCII)
NUMBER = re.compile(r"[+-]?\d{1,11}", re.ASCII)
"""PS3.5 section 6.2, DA, TM and IS."""
MOST_UIDS, MOST_VALUES = 50_000, 64
"""Of one key (proposal): UIDs of a whole study at once, and modalities."""


class QueryRefusedError(OpencmrError):
    """A query that is not answered, with the status that says so; holds nothing that came."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


DOES_NOT_MATCH = 0xA900
"""Identifier does not match SOP class (PS3.4 tables C.4-1 and C.4-2)."""


class Query:
    """What a query asks for: the keys with values, judged once.

    Parameters
    ----------
    keys : mapping from keyword to str
        Several values of one key stand behind one another with a backslash between them.

    Raises
    ------
    QueryRefusedError
        When a UID, date, time or number is none, or there are too many values.

    Examples
    --------
    >>> query = Query({"PatientName": "doe*", "StudyDate": "20260101-"})
    >>> query.matches({"PatientName": "Doe^Jane", "StudyDate": "20260304"})
    True
    """

    def __init__(self, keys: Mapping[str, str]) -> None:
        forms = {key.keyword: key.vr for key in KEYS} | {MODALITIES_IN_STUDY: "CS"}
        self._tests = {
            keyword: _Test(forms[keyword], values)
            for keyword, values in keys.items()
            if keyword in forms and values.strip("* ")
        }

    def matches(self, row: Mapping[str, str]) -> bool:
        """Whether a row matches every key whose keyword it has."""
        return all(
            test.matches(row[keyword]) for keyword, test in self._tests.items() if keyword in row
        )

    def uids(self, keyword: str) -> frozenset[str]:
        """Return the UIDs asked for under a keyword; none where it asks for all."""
        test = self._tests.get(keyword)
        return frozenset() if test is None else test.values


class _Test:
    def __init__(self, vr: str, text: str) -> None:
        values = [one.strip(" \0") for one in text.split("\\")]
        most = MOST_UIDS if vr == "UI" else MOST_VALUES
        if len(values) > most:
            raise QueryRefusedError(DOES_NOT_MATCH, f"more than {most} values of a key")
        if not all(map(_FORMS.get(vr, _is_any), values)):
            raise QueryRefusedError(DOES_NOT_MATCH, f"a key has no value of the form {vr}")
        self._vr = vr
        self.values = frozenset(_folded(vr, one) for one in values)

    def matches(self, held: str) -> bool:
        """Whether one of the values that are held matches one of those that are asked for."""
        if self._vr == "UI":
            return held in self.values
        there = {_folded(self._vr, one) for one in held.split("\\")}
        if self._vr == "PN":
            there |= {group for one in there for group in one.split("=")}
        test = _TESTS.get(self._vr, matches_wildcards)
        return any(test(asked, one) for asked in self.values for one in there)


def _folded(vr: str, value: str) -> str:
    """Return a value as it is compared."""
    value = value.strip(" \0")
    if vr == "PN":
        return value.casefold().rstrip("^=")
    return str(int(value)) if vr == "IS" and NUMBER.fullmatch(value) else value


def _is_any(_: str) -> bool:
    return True


def _ends(value: str) -> tuple[str, str]:
    """Return first and last of a range; a single value is both."""
    first, hyphen, last = (part.strip() for part in value.partition("-"))
    return first, (last if hyphen else first)


def _is_range(form: re.Pattern[str], value: str) -> bool:
    ends = [end for end in _ends(value) if end]
    return bool(ends) and all(map(form.fullmatch, ends))


def _is_in_dates(asked: str, held: str) -> bool:
    first, last = _ends(asked)
    return bool(held) and first <= held <= (last or "9")


def _is_in_times(asked: str, held: str) -> bool:
    # 10 is the hour from 10 on, 1030 the minute: what is left out is open.
    first, last = _ends(asked)
    known = held.replace(".", "").ljust(12, "0")
    earliest, latest = first.replace(".", "").ljust(12, "0"), last.replace(".", "").ljust(12, "9")
    return bool(held) and earliest <= known <= latest


def _is_same(asked: str, held: str) -> bool:
    return asked == held


_FORMS: dict[str, Callable[[str], bool]] = {
    "UI": lambda value: bool(UID_FORM.fullmatch(value)),
    "DA": lambda value: _is_range(DATE, value),
    "TM": lambda value: _is_range(TIME, value),
    "IS": lambda value: bool(NUMBER.fullmatch(value)),
}
_TESTS: dict[str, Callable[[str, str], bool]] = {
    "DA": _is_in_dates,
    "TM": _is_in_times,
    "IS": _is_same,
}


def matches_wildcards(pattern: str, text: str) -> bool:
    """Whether ``text`` is of a pattern in which * is any letters and ? one letter.

    Whatever the pattern, in time of the square of the text's length: no going back but to the
    last star.

    >>> matches_wildcards("D?E^*", "DOE^JANE"), matches_wildcards("DOE", "DOE^JANE")
    (True, False)
    """
    at = here = 0
    star, resume = -1, 0
    while here < len(text):
        if at < len(pattern) and pattern[at] == "*":
            star, resume = at, here
            at += 1
        elif at < len(pattern) and pattern[at] in ("?", text[here]):
            at += 1
            here += 1
        elif star >= 0:
            resume += 1
            at, here = star + 1, resume
        else:
            return False
    return not pattern[at:].strip("*")
