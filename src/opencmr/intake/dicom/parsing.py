"""From hostile bytes to a DICOM data set, and to values that may be anything.

Runs in the decoding process only: every byte here is hostile until proven otherwise.
"""

import io
import math
import zlib
from typing import Any

import pydicom
from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.filereader import _read_file_meta_info, read_preamble
from pydicom.multival import MultiValue
from pydicom.sequence import Sequence
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    EnhancedMRImageStorage,
    ExplicitVRLittleEndian,
    LegacyConvertedEnhancedMRImageStorage,
    MRImageStorage,
    ParametricMapStorage,
)

from opencmr.intake.containers import limits
from opencmr.intake.refusal import RefusedError

ENHANCED_CLASSES = frozenset(
    {EnhancedMRImageStorage, LegacyConvertedEnhancedMRImageStorage, ParametricMapStorage}
)
"""SOP classes whose frames are described by functional groups (PS3.3 C.7.6.16)."""
IMAGE_CLASSES = ENHANCED_CLASSES | {MRImageStorage}
PIXEL_KEYWORDS = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")
NUMBER_VRS = frozenset({"DS", "IS", "FD", "FL", "SS", "US", "SL", "UL"})
"""Value representations of numbers (PS3.5 6.2)."""
UNDEFINED_LENGTH = 0xFFFFFFFF


def open_dicom(data: bytes) -> Dataset:
    """Parse a DICOM file that may lack preamble and meta information.

    Raises
    ------
    RefusedError
        ``NESTING``, or when inflating it ``TOO_LARGE``, ``TRUNCATED`` or ``UNREADABLE``.
    """
    try:
        return pydicom.dcmread(io.BytesIO(_inflated(data)), force=True)
    except RecursionError as error:
        raise RefusedError("NESTING") from error


def refuse_damaged(dataset: Dataset) -> None:
    """Refuse what was read but is not whole.

    Raises
    ------
    RefusedError
        ``TRUNCATED``, ``NESTING``, or ``NOT_AN_IMAGE`` for an object without pixels.
    """
    _refuse_truncated(dataset)
    _refuse_deep(dataset)


def refuse_cut(dataset: Dataset) -> None:
    """Refuse an object that has no pixels to lack, and is not whole.

    Raises
    ------
    RefusedError
        ``TRUNCATED`` or ``NESTING``.
    """
    if any(map(is_cut, dataset.values())):
        raise RefusedError("TRUNCATED")
    _refuse_deep(dataset)


def _inflated(data: bytes) -> bytes:
    """Return the file in explicit little endian if it is deflated, within the limits.

    pydicom inflates without a limit: 1 MB then takes 3 GB.
    """
    file = io.BytesIO(data)
    if read_preamble(file, force=True) is None and data[:1] != b"\x02":
        return data
    meta = _read_file_meta_info(file)
    if meta.get("TransferSyntaxUID") != DeflatedExplicitVRLittleEndian:
        return data
    ceiling = min(limits.INSTANCE_BYTES, limits.INFLATION_RATIO * len(data))
    ceiling = max(ceiling, limits.INFLATION_FLOOR_BYTES)
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        body = inflater.decompress(data[file.tell() :], ceiling + 1)
    except zlib.error as error:
        raise RefusedError("UNREADABLE", "The deflated data set is damaged.") from error
    if len(body) > ceiling:
        raise RefusedError("TOO_LARGE", "The deflated data set inflates more than 200-fold.")
    if not inflater.eof:
        raise RefusedError("TRUNCATED")
    syntax = ExplicitVRLittleEndian.encode() + b"\0"
    element = b"\x02\0\x10\0UI" + len(syntax).to_bytes(2, "little") + syntax
    return bytes(128) + b"DICM" + element + body


def is_cut(element: Any) -> bool:
    """Whether an element, as it was read, is longer than its file: it keeps the declared length."""
    declared, value = getattr(element, "length", UNDEFINED_LENGTH), element.value
    is_known = declared != UNDEFINED_LENGTH and isinstance(value, bytes)
    return is_known and len(value) < declared


def _refuse_truncated(dataset: Dataset) -> None:
    """Refuse a file in which an element is longer than the file, or the pixels are missing."""
    for element in dataset.values():
        if is_cut(element):
            raise RefusedError("TRUNCATED")
    if not any(keyword in dataset for keyword in PIXEL_KEYWORDS):
        if len(dataset) == 0 or sop_class_of(dataset) in IMAGE_CLASSES:
            raise RefusedError("TRUNCATED")
        raise RefusedError("NOT_AN_IMAGE", "A DICOM object without pixels.")


def _refuse_deep(dataset: Dataset) -> None:
    """Refuse sequences nested deeper than the limit; without recursion, as far as needed."""
    waiting = [(dataset, 0)]
    while waiting:
        current, depth = waiting.pop()
        if depth > limits.NESTING:
            raise RefusedError("NESTING")
        for tag in list(current.keys()):
            if _vr_of(current, tag) == "SQ":
                try:
                    items = current[tag].value or ()
                except RecursionError as error:
                    raise RefusedError("NESTING") from error
                except Exception:  # a sequence that cannot be parsed has no depth to fear
                    continue
                waiting.extend((item, depth + 1) for item in items)


def _vr_of(dataset: Dataset, tag: Any) -> str:
    element = dataset.get_item(tag)
    vr = getattr(element, "VR", None)
    if vr is None or vr == "UN":
        try:
            return str(dictionary_VR(tag))
        except KeyError:
            return str(vr or "UN")
    return str(vr)


def sop_class_of(dataset: Dataset) -> str:
    """Return the SOP class UID, from the meta information where the data set lacks it."""
    meta = getattr(dataset, "file_meta", None)
    return text(dataset, "SOPClassUID") or (text(meta, "MediaStorageSOPClassUID") if meta else "")


def value(dataset: Dataset | None, keyword: str) -> Any:
    """Return an element's value, or None where it is absent or cannot be converted."""
    tag = tag_for_keyword(keyword)
    if dataset is None or tag is None or tag not in dataset.keys():  # noqa: SIM118  (faster)
        return None
    try:
        found = dataset[tag].value
    except Exception:  # any bytes may stand in any element
        return None
    return None if found is None or found == "" else found


def text(dataset: Dataset | None, keyword: str) -> str:
    """Return an element as text as it was stored, several values joined by backslashes."""
    found = value(dataset, keyword)
    if isinstance(found, MultiValue | list | tuple):
        return "\\".join(str(part) for part in found)
    return "" if found is None else str(found)


def texts(dataset: Dataset | None, keyword: str) -> list[str]:
    """Return an element's values as stripped texts."""
    return [part.strip() for part in text(dataset, keyword).split("\\") if part.strip()]


def numbers(dataset: Dataset | None, keyword: str, count: int) -> list[float] | None:
    """Return exactly ``count`` numbers, finite or not, or None."""
    parts = _parts(value(dataset, keyword))
    found = [_number(part) for part in parts]
    if len(found) != count or None in found:
        return None
    return [one for one in found if one is not None]


def number(dataset: Dataset | None, keyword: str) -> float | None:
    """Return the first of an element's values as a finite number, or None."""
    result = _number(next(iter(_parts(value(dataset, keyword))), None))
    return result if result is not None and math.isfinite(result) else None


def _parts(found: Any) -> list[Any]:
    """Return an element's values; a text element holds several with backslashes in between."""
    if isinstance(found, str):
        return found.split("\\")
    return list(found) if isinstance(found, MultiValue | list | tuple) else [found]


def _number(part: Any) -> float | None:
    """Return a number, also one that is text or has a decimal comma (PS3.5 6.2 knows neither)."""
    if isinstance(part, str) and part.count(",") == 1 and "." not in part:
        part = part.replace(",", ".")
    try:
        return float(part)
    except (TypeError, ValueError):
        return None


def repaired_numbers(dataset: Dataset) -> list[str]:
    """Return the keywords of the numbers that were read although they are no DICOM numbers.

    pydicom converts an element when it is asked for and keeps as text what it cannot convert, so
    that this names what was asked for before, in items of sequences too.
    """
    found: set[str] = set()
    waiting = [dataset]
    while waiting:
        current = waiting.pop()
        for tag in list(current.keys()):
            element = current.get_item(tag)
            if not isinstance(element, DataElement):
                continue
            items = element.value if isinstance(element.value, list | Sequence) else ()
            waiting.extend(item for item in items if isinstance(item, Dataset))
            if element.VR != "SQ" and element.keyword and _is_text_for_a_number(element):
                found.add(element.keyword)
    return sorted(found)


def _is_text_for_a_number(element: DataElement) -> bool:
    parts = _parts(element.value)
    return (
        all(isinstance(part, str) and _number(part) is not None for part in parts)
        and dictionary_VR(element.tag) in NUMBER_VRS
    )


def whole(dataset: Dataset | None, keyword: str) -> int | None:
    """Return an element as a whole number, or None."""
    found = number(dataset, keyword)
    return None if found is None else int(found)


def frames_of(dataset: Dataset) -> int:
    """Return the number of frames, at least 1."""
    return max(whole(dataset, "NumberOfFrames") or 1, 1)
