"""De-identification of a file, folder, zip or DICOMDIR: clean copies in folders without names.

A file is read by the process that may be killed before it is parsed here (ADR 0004).
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pydicom.uid import UID

from opencmr import storage
from opencmr.anatomy.reasons import Reason
from opencmr.errors import ConfigurationError, InputError
from opencmr.imaging.flag import LeftOut
from opencmr.imaging.study import number_or_last
from opencmr.intake.containers.files import HEAD_BYTES, Kind, walk
from opencmr.intake.dicom.decode import DicomReader
from opencmr.intake.dicom.deidentification.deidentifier import Deidentifier, told_apart_by
from opencmr.intake.dicom.deidentification.table import is_standard
from opencmr.intake.dicom.frame import Frame
from opencmr.intake.leftovers import Leftovers
from opencmr.intake.refusal import Refusal, RefusedError
from opencmr.progress import Progress, silent

LOOKING, CLEANING = "reading headers", "de-identifying"
CLASS_ELEMENT = re.compile(rb"\x02\x00\x02\x00UI..([0-9.]{1,64})", re.DOTALL)
"""MediaStorageSOPClassUID, in explicit little endian as all meta information (PS3.10 7.1)."""
NO_DICOM = frozenset({"file", "archive entry"})
"""What :func:`walk` calls a file that looks like none."""
STUDY_DIGITS = 12


@dataclass(frozen=True, slots=True)
class Copies:
    """The clean copies of one series, under names that say nothing of the patient.

    Attributes
    ----------
    study, series : str
        Folders: ``study-`` and a part of the new StudyInstanceUID; ``series-`` and its number
        within the study.
    files : int
    """

    study: str
    series: str
    files: int


@dataclass(frozen=True, slots=True)
class Deidentified:
    """What was written, and what was refused and why; neither holds an identifier."""

    copies: tuple[Copies, ...]
    refused: tuple[LeftOut, ...]

    @property
    def is_whole(self) -> bool:
        """Whether all but files that are no image at all was written."""
        other = Reason("NOT_AN_IMAGE")
        return all(row.what in NO_DICOM and row.reason == other for row in self.refused)


@dataclass(frozen=True, slots=True)
class _Found:
    path: Path
    first: Frame

    @property
    def order(self) -> tuple[int, str, str]:
        number = number_or_last(self.first.instance_number)
        return number, self.first.sop_instance_uid, str(self.path)


def deidentify(
    source: Path, folder: Path, how: Deidentifier, progress: Progress = silent
) -> Deidentified:
    """Write a clean copy of every MR picture in ``source`` to ``folder/STUDY/SERIES/NNNN.dcm``.

    Parameters
    ----------
    source : Path
        File, folder, zip archive or DICOMDIR.
    folder : Path
        Exists and is empty.
    how : Deidentifier
    progress : callable

    Raises
    ------
    InputError
        When no picture in it may be written; the message says what was found.
    ConfigurationError
        When one new identifier is given for several patients.
    """
    _refuse_result(source)
    leftovers = Leftovers()
    with storage.spool() as spool, DicomReader() as reader:
        found = list(_pictures(source, spool, reader, leftovers, progress))
        reader.rest()
        if how.new_id and len({_patient(one.first) for one in found}) > 1:
            raise ConfigurationError("--new-id names one patient, and the input holds several")
        copies = tuple(_copies(found, folder, how, leftovers, progress))
    rows = leftovers.rows()
    if not copies:
        said = "; ".join(f"{one.count} x {one.what}: {one.reason.sentence}" for one in rows[:8])
        raise InputError(
            f"nothing to de-identify: expected MR images as DICOM, found {said or 'nothing'}"
        )
    return Deidentified(copies, rows)


def _refuse_result(source: Path) -> None:
    if source.is_dir() and (
        storage.is_collection(source)
        or any(storage.is_ours(source / name) for name in ("measurements.json", "report.html"))
    ):
        raise InputError("the input is a result of opencmr; name the study that it was made of")


def _pictures(
    source: Path, spool: Path, reader: DicomReader, leftovers: Leftovers, progress: Progress
) -> Iterator[_Found]:
    """Yield the pictures whose headers a process that may be killed could read."""
    for candidate in walk(source, spool, leftovers):
        progress(LOOKING, candidate.done, candidate.total)
        if candidate.kind is Kind.NIFTI:
            leftovers.add("NIfTI file", Reason("NOT_MR", "A NIfTI file: no DICOM header."))
            continue
        read = reader.read(candidate.path, pixels_of=())
        if isinstance(read, Refusal):
            leftovers.add(class_name(candidate.path), read.reason)
        else:
            yield _Found(candidate.path, read[0])


def _copies(
    found: list[_Found], folder: Path, how: Deidentifier, leftovers: Leftovers, progress: Progress
) -> Iterator[Copies]:
    """Write and yield what each series becomes, series in the order of their numbers."""
    series: dict[tuple[str, int, str], list[_Found]] = defaultdict(list)
    for one in found:
        number = number_or_last(one.first.header.series_number)
        uid = one.first.series_instance_uid
        series[how.uid(one.first.study_instance_uid), number, uid].append(one)
    counts: Counter[str] = Counter()
    done = 0
    for (study_uid, *_), files in sorted(series.items(), key=lambda item: item[0]):
        study = f"study-{_short(study_uid)}"
        counts[study] += 1
        place = folder / study / f"series-{counts[study]:02d}"
        written = 0
        for one in sorted(files, key=lambda one: one.order):
            try:
                clean = how.clean(one.path.read_bytes())
            except RefusedError as refused:
                leftovers.add(class_name(one.path), refused.reason)
            except OSError:
                raise
            except Exception:  # a header that the reader understood may still not be writable
                leftovers.add(class_name(one.path), Reason("UNREADABLE"))
            else:
                written += 1
                place.mkdir(parents=True, exist_ok=True)
                storage.write_bytes(place / f"{written:04d}.dcm", clean)
            done += 1
            progress(CLEANING, done, len(found))
        if written:
            yield Copies(study, place.name, written)
        else:
            counts[study] -= 1


def _short(study_uid: str) -> str:
    return f"{int(study_uid.removeprefix('2.25.')):032x}"[:STUDY_DIGITS]


def _patient(frame: Frame) -> str:
    key = frame.patient
    return told_apart_by(key.patient_id, key.name, key.birth_date)


def class_name(path: Path) -> str:
    """Return what a DICOM file holds, by the name of its class in the standard."""
    with path.open("rb") as file:
        found = CLASS_ELEMENT.search(file.read(HEAD_BYTES))
    stated = found[1].decode("ascii") if found else ""
    return UID(stated).name.removesuffix(" Storage") if is_standard(stated) else "DICOM file"
