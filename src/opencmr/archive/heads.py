"""What the index keeps of an object: the values of its head, each of legal form or nothing.

Whatever a hostile head holds, an object is kept and can be found by its UIDs.
"""

import unicodedata
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pydicom
from pydicom.dataset import Dataset

from opencmr.archive.matching import DATE, NUMBER, TIME
from opencmr.archive.names import UID_FORM
from opencmr.archive.query_keys import KEYS, Key

Head = Mapping[str, str]
"""From keyword to value; every key of ``KEYS`` is there."""
SPECIFIC_CHARACTER_SET = 0x00080005
TAGS = [SPECIFIC_CHARACTER_SET, *(key.tag for key in KEYS)]
_FORMS = {"UI": UID_FORM, "DA": DATE, "TM": TIME, "IS": NUMBER}


def head_of(dataset: Dataset) -> dict[str, str]:
    """Return what is kept of a data set."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # they quote values
        return {key.keyword: _value(dataset, key) for key in KEYS}


def read_head_of_file(path: Path) -> dict[str, str] | None:
    """Return what is kept of a file; nothing where it is gone or cannot be read as DICOM."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            dataset = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=TAGS)
    except Exception:  # hostile bytes raise anything
        return None
    return head_of(dataset)


def _value(dataset: Dataset, key: Key) -> str:
    try:
        found = dataset[key.tag].value if key.tag in dataset else ""
        text = text_of(found)[: key.length].strip()
    except Exception:  # what cannot be decoded is not known
        return ""
    form = _FORMS.get(key.vr)
    return text if form is None or form.fullmatch(text) else ""


def text_of(found: Any) -> str:
    """Return one value as text without controls, several with a backslash between them."""
    if isinstance(found, pydicom.multival.MultiValue):
        found = "\\".join(str(one) for one in found)
    text = str("" if found is None else found).strip("\0 ")
    return "".join(c for c in text if unicodedata.category(c) not in ("Cc", "Cs"))
