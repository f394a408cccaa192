"""PS3.15 table E.1-1 row by row: a copy does what the action code says, or is stricter.

``table_e1_1.csv`` holds facts of the table, of edition 2026c: tag, action of the basic profile, and
of the options that ``deid`` claims.  Of the 33 rows that came after 2024d the options are left
empty, which is the stricter test.
"""

import csv
import io
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pydicom
import pytest
from pydicom.datadict import dictionary_VR
from pydicom.dataset import Dataset

from opencmr.intake.dicom.deidentification.dates import REQUIRED, Dates
from opencmr.intake.dicom.deidentification.deidentifier import Deidentifier
from tests.intake.dicom.deidentification.test_deidentifier import bytes_of, picture

DOCS = Path(__file__).resolve().parents[4] / "docs" / "how-to" / "deidentify.md"
REPEATED = {"50xx,xxxx": "501e,3000", "60xx,3000": "601e,3000", "60xx,4000": "601e,4000"}
OF_COMMANDS_AND_META = ("0000", "0002")
"""Groups that no data set holds (PS3.7, PS3.10)."""
STATED = {
    "AE": ["SCANNER1"],
    "AS": ["044Y"],
    "CS": ["MR", "M", "JANE"],
    "DA": ["20240310", "20010203"],
    "DS": ["61.5"],
    "DT": ["20240310101500", "20010203040506"],
    "IS": ["7"],
    "LO": ["cine SAX", "7", "Jane Doe"],
    "LT": ["cine SAX", "of Jane, T2 prep. duration = 25 ms"],
    "OB": [b"cine SAX"],
    "PN": ["Doe^Jane", "Cine^Sax"],
    "SH": ["cine SAX", "7", "MR"],
    "ST": ["cine SAX"],
    "TM": ["101500", "040506"],
    "UC": ["cine SAX"],
    "UI": ["1.2.3.4", "1.2.3.5"],
    "UN": [b"cine SAX"],
    "UR": ["http://jane.example"],
    "US": [4],
    "UT": ["cine SAX"],
}
"""Values that are right for each representation; some are on the lists of what is kept."""


@dataclass(frozen=True)
class Row:
    tag: str
    attribute: str
    basic: str
    clean_descriptors: str
    modified_dates: str
    patient_characteristics: str
    safe_private: str

    @property
    def number(self) -> int:
        return int(REPEATED.get(self.tag, self.tag).replace(",", ""), 16)


def rows() -> list[Row]:
    with (Path(__file__).parent / "table_e1_1.csv").open(encoding="utf-8") as file:
        return [Row(**row) for row in csv.DictReader(file)]


PLANTED = [
    one for one in rows() if one.tag != "odd" and not one.tag.startswith(OF_COMMANDS_AND_META)
]


def representation(row: Row) -> str:
    try:
        return dictionary_VR(row.number).split(" or ")[0]
    except KeyError:  # younger than the dictionary
        return "SQ" if row.attribute.endswith("Sequence") else "LO"


def stated(row: Row, turn: int) -> object:
    """Return the ``turn``-th value that a picture states for a row."""
    kind = representation(row)
    if kind != "SQ":
        return STATED[kind][turn % len(STATED[kind])]
    item = Dataset()
    item.SeriesDescription, item.StudyDate, item.StudyInstanceUID = "cine", "20240310", "1.2.3.4"
    item.EchoTime, item.Modality = "1.5", "MR"
    return [item]


OPTIONS = ("clean_descriptors", "modified_dates", "patient_characteristics")
TURNS = range(6)
"""After which every row has had each of its values (one to three)."""
HOLDERS = (None, "PerFrameFunctionalGroupsSequence")


@cache
def kept(holder: str | None, turn: int, dates: Dates, keeps: bool) -> Dataset:
    """Return the copy of a picture that states every row, each with its ``turn``-th value."""
    dataset = picture()
    target = dataset if holder is None else Dataset()
    for row in PLANTED:
        target.add_new(row.number, representation(row), stated(row, turn))
    if holder is not None:
        setattr(dataset, holder, [target])
    data = Deidentifier(b"salt", keeps, dates).clean(bytes_of(dataset))
    copy = pydicom.dcmread(io.BytesIO(data))
    return copy if holder is None else copy[holder][0]


def permitted(row: Row, dates: Dates, keeps: bool) -> set[str]:
    """Return the actions that the basic profile and the options in use permit for a row."""
    found = {*row.basic.replace("*", "").split("/"), row.clean_descriptors}
    found |= {row.modified_dates} if dates is Dates.SHIFT else set()
    found |= {row.patient_characteristics} if keeps else set()
    return found - {""}


def is_dummy(value: str) -> bool:
    return value in REQUIRED.values() or bool(re.fullmatch("ANON-[0-9A-F]{12}", value))


def is_fit(row: Row, actions: set[str], before: object, after: object) -> bool:
    """Return whether what a copy holds of a row, where it is there at all, is what actions ask."""
    if "K" in actions:
        return True
    if after in ("", None):
        return bool(actions - {"X"})
    if "C" in actions and row.modified_dates and representation(row) == "TM":
        return after == before  # the times of the day stay, as the docs say
    if "C" in actions and row.clean_descriptors:
        return isinstance(after, str) and not re.search("jane|doe", after, re.IGNORECASE)
    if "U" in actions or ("C" in actions and row.modified_dates):
        return after != before
    return bool(actions & set("ZD")) and is_dummy(str(after))


@pytest.mark.parametrize("holder", HOLDERS)
@pytest.mark.parametrize("dates", list(Dates))
@pytest.mark.parametrize("keeps", [False, True])
def test_every_row_is_treated_as_its_action_asks_or_more_strictly(holder, dates, keeps):
    unfit = [
        (row.tag, row.attribute, row.basic, copy[row.number].value)
        for turn in TURNS
        for copy in [kept(holder, turn, dates, keeps)]
        for row in PLANTED
        if row.number in copy
        and not is_fit(row, permitted(row, dates, keeps), stated(row, turn), copy[row.number].value)
    ]
    assert unfit == []
    assert len(PLANTED) > 640


def test_the_docs_name_every_row_that_is_not_removed_and_no_other():
    left = {
        row.tag
        for row in PLANTED
        for holder in HOLDERS
        for turn in TURNS
        if row.number in kept(holder, turn, Dates.SHIFT, True)
    }
    section = DOCS.read_text(encoding="utf-8").split("## Row by row")[1].split("\n## ")[0]
    told = {one.lower() for one in re.findall(r"\(([0-9A-F]{4},[0-9A-F]{4})\)", section)}
    assert told == left
    removed = [one for one in PLANTED if one.tag not in left]
    numbers = {
        len(rows()),
        len(PLANTED),
        len(removed),
        sum("X" not in one.basic for one in removed),
        *(sum(bool(getattr(one, option)) for one in removed) for option in OPTIONS),
    }
    assert numbers <= {int(one) for one in re.findall(r"\b\d{2,3}\b", section)}


def test_the_uid_of_the_file_is_replaced_too():
    copy = kept(None, 0, Dates.SHIFT, True)
    assert copy.file_meta.MediaStorageSOPInstanceUID == copy.SOPInstanceUID
    assert copy.SOPInstanceUID.startswith("2.25.")
