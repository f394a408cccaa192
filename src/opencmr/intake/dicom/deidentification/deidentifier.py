"""De-identification of one DICOM image: what is on the lists is kept, all else is dropped.

The lists stand in :mod:`table`, the words in :mod:`terms`, and
what becomes of the pixels' bytes in :mod:`pixels`.  Pictures that may have text
burned in are refused; faces are not looked for.
"""

import hmac
import io
import math
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from pydicom.config import disable_value_validation
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filewriter import correct_ambiguous_vr_element
from pydicom.sequence import Sequence
from pydicom.uid import UID, ImplicitVRLittleEndian

from opencmr.intake.dicom.deidentification import table
from opencmr.intake.dicom.deidentification.dates import (
    MOST_SHIFT_DAYS,
    REQUIRED,
    Dates,
    shifted,
)
from opencmr.intake.dicom.deidentification.pixels import PIXELS, clean_pixels, hides_overlay
from opencmr.intake.dicom.deidentification.table import Option
from opencmr.intake.dicom.deidentification.terms import (
    OTHER_SEQUENCES,
    UNITS,
    cleaned_description,
    is_pulse_sequence,
    known_terms,
)
from opencmr.intake.dicom.headers import T2_PREPARATION_WORDS
from opencmr.intake.dicom.parsing import (
    ENHANCED_CLASSES,
    IMAGE_CLASSES,
    numbers,
    open_dicom,
    sop_class_of,
    text,
    texts,
)
from opencmr.intake.dicom.pixels import GUESSED_SYNTAXES
from opencmr.intake.refusal import RefusedError


@dataclass(frozen=True, slots=True)
class Deidentifier:
    """Cleans images; those of one key keep what they have in common.

    Attributes
    ----------
    key : bytes
        Secret and random: without it neither new UIDs nor shifted dates can be led back.
    keeps_characteristics : bool
        Sex, age, height and weight are kept.
    dates : Dates
        Dates of one patient are shifted by the same number of days, so that intervals stay; or
        dates and times are removed.
    new_id : str
        Patient identifier and name, in place of one made with the key.
    """

    key: bytes
    keeps_characteristics: bool = False
    dates: Dates = Dates.SHIFT
    new_id: str = ""

    @property
    def options(self) -> tuple[Option, ...]:
        """The profile and the options of PS3.15 annex E that are used."""
        found = [Option.BASIC, Option.CLEAN_DESCRIPTORS, Option.SAFE_PRIVATE]
        found += [Option.MODIFIED_DATES] if self.dates is Dates.SHIFT else []
        found += [Option.CHARACTERISTICS] if self.keeps_characteristics else []
        return tuple(sorted(found))

    def uid(self, old: str) -> str:
        """Return what stands for a UID: the same for the same, under root 2.25 (PS3.5 B.2)."""
        return f"2.25.{int.from_bytes(self._digest('uid', old)[:16], 'big')}"

    def label(self, patient: str) -> str:
        """Return what stands for a patient, of whom the header says ``patient``."""
        return self.new_id or f"ANON-{self._digest('patient', patient).hex()[:12].upper()}"

    def shift_days(self, patient: str) -> int:
        """Return by how many days a patient's dates are shifted, less than 0."""
        return -1 - int.from_bytes(self._digest("shift", patient)[:8], "big") % MOST_SHIFT_DAYS

    def _digest(self, purpose: str, old: str) -> bytes:
        said = f"{purpose}:{old}".encode("utf-8", "surrogatepass")
        return hmac.digest(self.key, said, "sha256")

    def clean(self, data: bytes, description: str | None = None) -> bytes:
        """Return a file that holds what is on the lists.

        Parameters
        ----------
        data : bytes
        description : str, optional
            Replaces that of its series, of which otherwise the known words are left.

        Raises
        ------
        RefusedError
            When the file cannot be parsed, is no MR picture, or may have text burned in.
        """
        with _silence():
            return self._cleaned(open_dicom(data), description)

    def _cleaned(self, old: Dataset, description: str | None) -> bytes:
        syntax = _syntax_of(old)
        refuse_unsafe(old, syntax)
        new = self._kept(old, _Context(old, self.shift_days(patient_of(old)), names_in(old)))
        for keyword in PIXELS:
            if keyword in old:
                element, syntax = clean_pixels(old, keyword, syntax)
                new.add(element)
        self._describe(old, new)
        if description is not None:
            new.SeriesDescription = description
            new.pop("ProtocolName", None)
        return _written(new, syntax)

    def _describe(self, old: Dataset, new: Dataset) -> None:
        """Add what a picture must state of itself, patient, scanner and its de-identification."""
        if "SOPClassUID" not in new or "SOPInstanceUID" not in new:
            new.SOPClassUID = sop_class_of(old)
            new.SOPInstanceUID = self.uid(text(old.file_meta, "MediaStorageSOPInstanceUID"))
        new.SpecificCharacterSet = "ISO_IR 192"
        vendor = text(old, "Manufacturer").lower()
        known = (one for one in table.VENDORS if one.lower().split()[0] in vendor)
        new.Manufacturer = next(known, "")
        new.PatientName = label = self.label(patient_of(old))
        # Who has no identifier gets none: what is one patient to reading stays one.
        new.PatientID = label if self.new_id or text(old, "PatientID").strip() else ""
        for keyword in table.EMPTY:
            if keyword not in new:
                setattr(new, keyword, "")
        if text(old, "ContrastBolusAgent").strip():
            new.ContrastBolusAgent = "contrast agent"
        if said := T2_PREPARATION_WORDS.search(text(old, "ImageComments")):
            new.ImageComments = f"T2 prep. duration = {said[1]} ms"
        new.PatientIdentityRemoved = "YES"
        new.DeidentificationMethod = table.METHOD
        new.DeidentificationMethodCodeSequence = [_code(one) for one in self.options]
        is_shifted = self.dates is Dates.SHIFT
        new.LongitudinalTemporalInformationModified = "MODIFIED" if is_shifted else "REMOVED"

    def _kept(self, old: Dataset, context: "_Context") -> Dataset:
        new = Dataset()
        for element in _elements(old, context.whole):
            if element.tag.is_private:
                for kept in self._private(element, old, context):
                    new.add(kept)
            elif (one := self._element(element, context)) is not None:
                new.add(one)
        return new

    def _element(self, element: DataElement, context: "_Context") -> DataElement | None:
        keyword, kind, value = element.keyword, str(element.VR), element.value
        if kind == "SQ":
            if keyword == table.UNITS_SEQUENCE:
                return DataElement(element.tag, "SQ", Sequence(map(_unit, value)))
            if keyword not in table.SEQUENCES:
                return None
            items = Sequence(self._kept(item, context) for item in value)
            if keyword == "ModalityLUTSequence":
                items = Sequence(map(_with_table, items, value))
            return DataElement(element.tag, "SQ", items)
        if kind in table.NUMBERS:
            is_listed = element.tag.group in table.NUMBER_GROUPS or keyword in table.REAL_WORLD
            if is_listed:
                return element if _are_numbers(value) else None
        return self._named(element, context)

    def _named(self, element: DataElement, context: "_Context") -> DataElement | None:
        """Return what is left of an element that is kept by its name."""
        keyword, kind, value = element.keyword, str(element.VR), element.value
        parts = [value] if isinstance(value, str) else list(value or ()) if _several(value) else []
        kept: Any = None
        if keyword in table.MOMENTS:
            kept = self._moment(keyword, kind, str(value or ""), context)
        elif keyword in table.UIDS:
            stated = str(value or "").strip()
            kept = stated if not stated or table.is_standard(stated) else self.uid(stated)
        elif keyword in table.CODES:
            kept = known_terms(parts, keeps_places=keyword in table.PLACED_CODES)
        elif keyword in table.PULSE_SEQUENCES:
            kept = str(value).strip() if is_pulse_sequence(str(value).strip()) else None
        elif keyword in table.DESCRIPTIONS:
            kept = cleaned_description(" ".join(map(str, parts)), context.names)[:64]
        elif self.keeps_characteristics and keyword in table.CHARACTERISTICS:
            is_fit = re.fullmatch(table.CHARACTERISTICS[keyword], str(value).strip())
            kept = _rounded_age(str(value).strip()) if is_fit else None
        is_code = keyword in table.CODES  # some must be stated, if empty
        return DataElement(element.tag, kind, kept or "") if kept or is_code else None

    def _moment(self, keyword: str, kind: str, stated: str, context: "_Context") -> str:
        if self.dates is Dates.SHIFT:
            return shifted(kind, stated, context.shift_days)
        is_required = stated.strip() and sop_class_of(context.whole) in ENHANCED_CLASSES
        return REQUIRED.get(keyword, "") if is_required else ""

    def _private(
        self, element: DataElement, old: Dataset, context: "_Context"
    ) -> Iterator[DataElement]:
        """Yield a safe private element and its creator; one under another creator is none."""
        tag, value = int(element.tag), element.value
        creator = table.SAFE_PRIVATE.get(tag)
        if creator is None:
            return
        place = tag & 0xFFFF0000 | (tag & 0xFF00) >> 8
        if place in old and str(old[place].value).strip().lower() != creator.lower():
            return
        kept: DataElement | None = None
        if str(element.VR) == "SQ":
            items = Sequence(self._kept(item, context) for item in value)
            kept = DataElement(tag, "SQ", items)
        elif tag == table.GE_SEQUENCE:
            name = str(value).strip()
            kept = DataElement(tag, "LO", name) if name.lower() in OTHER_SEQUENCES else None
        elif str(element.VR) in table.NUMBERS:
            kept = element if _are_numbers(value) else None
        elif _are_numbers(value):  # of unknown representation, and read as a number all the same
            kept = DataElement(tag, "FD", float(value))
        if kept is not None:
            yield DataElement(place, "LO", creator)
            yield kept


@dataclass(frozen=True, slots=True)
class _Context:
    """What cleaning an element needs to know of its file."""

    whole: Dataset
    shift_days: int
    names: tuple[str, ...]


def told_apart_by(patient_id: str, name: str, birth_date: str) -> str:
    """Return what tells a patient from others: the identifier, or else name and birth date."""
    return patient_id.strip() or f"{name.strip()}\\{birth_date.strip()}"


def patient_of(dataset: Dataset) -> str:
    """Return what tells the patient of a picture from others."""
    stated = (text(dataset, one) for one in ("PatientID", "PatientName", "PatientBirthDate"))
    return told_apart_by(*stated)


def names_in(dataset: Dataset) -> tuple[str, ...]:
    """Return the names and identifiers of people that a header states."""
    named = [text(dataset, one) for one in ("PatientID", "OtherPatientIDs", "AccessionNumber")]
    found = (str(one.value) for one in _elements(dataset, dataset) if str(one.VR) == "PN")
    return (*named, *found)


def refuse_unsafe(dataset: Dataset, syntax: UID) -> None:
    """Refuse what is no MR picture, and pictures that may have text burned in.

    Raises
    ------
    RefusedError
        ``NOT_MR``, ``NOT_MEASURABLE_PIXELS`` or ``UNKNOWN_TRANSFER_SYNTAX``.
    """
    if sop_class_of(dataset) not in IMAGE_CLASSES:
        raise RefusedError("NOT_MR", "No MR image: what it shows or says may identify.")
    if text(dataset, "BurnedInAnnotation").strip().upper() == "YES":
        raise RefusedError("NOT_MEASURABLE_PIXELS", "Text is burned into the pixels.")
    if text(dataset, "PhotometricInterpretation").strip() not in ("MONOCHROME1", "MONOCHROME2", ""):
        raise RefusedError("NOT_MEASURABLE_PIXELS", "Colour: text may be burned into the pixels.")
    words = " ".join(texts(dataset, "ImageType")).upper()
    is_converted = text(dataset, "ConversionType").strip() in table.CONVERSIONS
    if is_converted or table.DRAWN_ON.search(words):
        raise RefusedError(
            "NOT_MEASURABLE_PIXELS", "A picture of a screen or page: text may be burned in."
        )
    if not table.is_standard(syntax) or not syntax.is_transfer_syntax:
        raise RefusedError("UNKNOWN_TRANSFER_SYNTAX", "No encoding of the standard.")
    if hides_overlay(dataset, syntax):
        raise RefusedError(
            "NOT_MEASURABLE_PIXELS", "An overlay is compressed together with the pixels."
        )


def _syntax_of(dataset: Dataset) -> UID:
    """Return the transfer syntax, that in which it was read where the file states none."""
    meta = getattr(dataset, "file_meta", None)
    if meta is not None and (stated := text(meta, "TransferSyntaxUID")):
        return UID(stated)
    is_implicit, is_little = dataset.original_encoding
    return UID(GUESSED_SYNTAXES.get((bool(is_implicit), bool(is_little)), ImplicitVRLittleEndian))


def _elements(dataset: Dataset, whole: Dataset) -> Iterator[DataElement]:
    """Yield what can be read of a data set; what cannot is dropped."""
    is_little = bool(whole.original_encoding[1]) if whole.original_encoding else True
    for tag in list(dataset.keys()):
        try:
            element = dataset[tag]
            if " or " in str(element.VR):
                correct_ambiguous_vr_element(element, whole, is_little)
            yield element
        except Exception:  # damaged elements raise anything
            continue


@contextmanager
def _silence() -> Iterator[None]:
    """Keep pydicom from telling of odd values, which it quotes."""
    with warnings.catch_warnings(), disable_value_validation():
        warnings.simplefilter("ignore")
        yield


def _several(value: Any) -> bool:
    return isinstance(value, list | tuple) or hasattr(value, "append")


def _are_numbers(value: Any) -> bool:
    parts = value if _several(value) else [value]
    try:
        return all(one is None or one == "" or math.isfinite(float(one)) for one in parts)
    except (TypeError, ValueError):
        return False


def _rounded_age(stated: str) -> str:
    is_old = stated.endswith("Y") and int(stated[:3]) > table.OLDEST_YEARS
    return f"{table.OLDEST_YEARS + 1:03d}Y" if is_old else stated


def _with_table(new: Dataset, old: Dataset) -> Dataset:
    """Return an item with as much of its look-up table as it declares (PS3.3 C.11.1.1)."""
    declared = numbers(new, "LUTDescriptor", 3)
    if declared and "LUTData" in old:
        entries = int(declared[0]) & 0xFFFF or 1 << 16
        element = old["LUTData"]
        is_bytes = isinstance(element.value, bytes)
        kept = element.value[: 2 * entries] if is_bytes else element.value
        new.add(DataElement(element.tag, element.VR, kept))
    return new


def _unit(item: Dataset) -> Dataset:
    stated = text(item, "CodeValue").strip()
    unit = Dataset()
    unit.CodeValue = unit.CodeMeaning = stated if stated in UNITS else "1"
    unit.CodingSchemeDesignator = "UCUM"
    return unit


def _code(option: Option) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator = option.value, "DCM"
    item.CodeMeaning = option.meaning
    return item


def _written(new: Dataset, syntax: UID) -> bytes:
    """Return the bytes of a file."""
    new.file_meta = FileMetaDataset()
    new.file_meta.TransferSyntaxUID = syntax
    new.file_meta.MediaStorageSOPClassUID = new.SOPClassUID
    new.file_meta.MediaStorageSOPInstanceUID = new.SOPInstanceUID
    target = io.BytesIO()
    new.save_as(target, enforce_file_format=True)
    return target.getvalue()
