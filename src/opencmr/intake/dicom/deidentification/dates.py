"""What becomes of dates and times: shifted by whole days, or removed."""

import datetime
import re
from enum import StrEnum

MOST_SHIFT_DAYS = 3652
"""Dates are shifted back by one day to ten years."""
A_TIME = re.compile(r"([01]\d|2[0-3])([0-5]\d([0-5]\d(\.\d{1,6})?)?)?")
REQUIRED = {
    "ContentDate": "20000101",
    "ContentTime": "000000",
    "AcquisitionDateTime": "20000101000000",
    "FrameAcquisitionDateTime": "20000101000000",
    "FrameReferenceDateTime": "20000101000000",
}
"""What stands, where times are removed, for those that an enhanced image must state."""


class Dates(StrEnum):
    """What becomes of dates and times."""

    SHIFT = "shift"
    REMOVE = "remove"


def shifted(kind: str, stated: str, days: int) -> str:
    """Return a date ``days`` later, with the time of the day as it is; empty for what is none.

    Parameters
    ----------
    kind : str
        Value representation: DA, TM or DT (PS3.5 6.2); an offset from UTC is left out.
    stated : str
    days : int

    Examples
    --------
    >>> shifted("DT", "20240301101500.5+0100", -1)
    '20240229101500.5'
    >>> shifted("TM", "Jane", -1)
    ''
    """
    stated = stated.strip()
    if kind == "TM":
        return stated if A_TIME.fullmatch(stated) else ""
    try:
        day = datetime.datetime.strptime(stated[:8], "%Y%m%d").date()
        moved = day + datetime.timedelta(days=days)
    except (ValueError, OverflowError):
        return ""
    date = f"{moved.year:04d}{moved:%m%d}"
    time = re.split(r"[+-]", stated[8:])[0]
    return date if kind == "DA" else date + (time if A_TIME.fullmatch(time) else "")
