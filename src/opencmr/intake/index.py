"""Which studies an input holds, by the headers of its files alone.

The pixels of one study at a time fit in memory; those of an archive need not.  As most inputs
hold one study, its pixels are decoded in passing, until a second study appears.
"""

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from os.path import commonpath
from pathlib import Path

from opencmr.anatomy.reasons import Reason, reason_of
from opencmr.errors import OpencmrError
from opencmr.imaging.flag import LeftOut, QualityFlag
from opencmr.imaging.likeness import phases_apart
from opencmr.imaging.study import short_hash
from opencmr.intake.containers import limits
from opencmr.intake.containers.files import Candidate, Kind, walk
from opencmr.intake.dicom.decode import NOT_TRIED, DicomReader
from opencmr.intake.dicom.frame import Frame, PatientKey
from opencmr.intake.dicom.read import READING, Instances, image_name, leave_out
from opencmr.intake.leftovers import Leftovers
from opencmr.intake.listing import ListedSeries, Listing
from opencmr.intake.nifti.frames import NiftiFile, frames_of_cines, lone_frames, nifti_file
from opencmr.intake.nifti.pairs import named_pairs, not_joined, place_of_frames
from opencmr.intake.nifti.read import NiftiReading, read_nifti, require_image
from opencmr.intake.refusal import Refusal
from opencmr.intake.split_studies import Part, Plane, parts_of_studies, plane_of, split_flag
from opencmr.intake.stacks.assemble import misplaced
from opencmr.progress import Progress
from opencmr.storage import sha256_of_bytes


@dataclass(frozen=True, slots=True)
class Entry:
    """What is known of a study before it is read.

    Attributes
    ----------
    key : str
        Hash that names the study.
    input_sha256 : str
        Hash over those of its files; of the study that is read the same, where all could be used.
    place : str
        Where it lies in the input, a POSIX path: a folder, a file, or a file's name without what
        tells ED from ES or frame from frame.  It may identify.
    names : tuple of str
        Of its files, where they are NIfTI.
    patient_id : str
        PatientID of the headers; empty where they state none.
    """

    key: str
    input_sha256: str
    place: str = field(repr=False)
    names: tuple[str, ...] = field(default=(), repr=False)
    patient_id: str = field(default="", repr=False)


@dataclass(slots=True)
class IndexedDicom:
    """The DICOM files of one study.

    Attributes
    ----------
    uid : str
        StudyInstanceUID; empty where the headers state none.
    files : dict from Path to (SOP instance UID, SeriesInstanceUID)
    patients : dict of PatientKey
        By key and spelling of the name.
    pictures : int
    placed : int
        Pictures with a usable place in the patient.
    without_place : Counter of LeftOut
    hashes : set of str
        Of the files' contents.
    place : str
        The folder of its files in the input, or its only file.
    planes : set of Plane
        Of the placed pictures; no more than two are kept.
    days : set of str
        Dates of the study, as the headers state them.
    joined_uids : frozenset of str
        Further StudyInstanceUIDs that its files came with.
    flags : tuple of QualityFlag
        What its headers are remarked with.
    """

    uid: str
    files: dict[Path, tuple[str, str]] = field(default_factory=dict)
    patients: dict[tuple[PatientKey, str], PatientKey] = field(default_factory=dict)
    pictures: int = 0
    placed: int = 0
    without_place: Counter[LeftOut] = field(default_factory=Counter)
    hashes: set[str] = field(default_factory=set)
    place: str = ""
    planes: set[Plane] = field(default_factory=set)
    days: set[str] = field(default_factory=set)
    joined_uids: frozenset[str] = frozenset()
    flags: tuple[QualityFlag, ...] = ()

    @property
    def key(self) -> str:
        """Hash that names the study and holds no identifier."""
        return short_hash(self.uid or digest_of(self.hashes))

    @property
    def mixes_patients(self) -> bool:
        """Whether two identifiers, birth dates, sexes or families stand under one study UID."""
        keys = self.patients.values()
        return len(keys) > limits.PATIENT_SPELLINGS or any(
            one.contradicts(other) for one in keys for other in keys
        )

    @property
    def entry(self) -> Entry:
        """What is known of it before it is read."""
        identifiers = sorted({key.patient_id for key in self.patients.values()} - {""})
        patient_id = identifiers[0] if identifiers else ""
        return Entry(self.key, digest_of(self.hashes), self.place, (), patient_id)

    def add(self, path: Path, name: str, frames: tuple[Frame, ...]) -> None:
        """Take a file into the study; ``name`` is where it lies in the input."""
        self.place = _shared_place(self.place, name)
        self.files[path] = frames[0].sop_instance_uid, frames[0].series_instance_uid
        self.hashes.add(frames[0].content_sha256)
        self.pictures += len(frames)
        self.days.add(frames[0].identity.study_date.strip())
        for frame in frames:
            self.patients.setdefault((frame.patient, frame.patient.name), frame.patient)
            problem = misplaced(frame)
            if problem is None:
                self.placed += 1
                if len(self.planes) < 2:
                    self.planes.add(plane_of(frame))
            else:
                self.without_place[problem] += 1

    @property
    def part(self) -> Part | None:
        """The study as one slice of another, or None where it is more than a slice."""
        if len(self.planes) != 1 or len(self.days) != 1:
            return None
        identifiers = {key.patient_id for key in self.patients.values()}
        (plane,), (day,) = self.planes, self.days
        return Part(self.uid, identifiers.pop() if len(identifiers) == 1 else "", day, plane)


def joined(parts: Sequence[IndexedDicom]) -> IndexedDicom:
    """Return several studies as one."""
    first, *others = sorted(parts, key=lambda study: study.uid)
    whole = replace(
        first,
        files={path: uids for study in parts for path, uids in study.files.items()},
        patients={name: key for study in parts for name, key in study.patients.items()},
        pictures=sum(study.pictures for study in parts),
        placed=sum(study.placed for study in parts),
        without_place=sum((study.without_place for study in parts), Counter()),
        hashes={one for study in parts for one in study.hashes},
        place=_shared_place(*(study.place for study in parts)),
        joined_uids=frozenset(study.uid for study in others),
    )
    whole.flags = (split_flag(len(parts), joined=True),)
    return whole


@dataclass(frozen=True, slots=True)
class IndexedNifti:
    """A NIfTI file that is a study by itself, the frames of one cine, or ED and ES of one heart.

    Attributes
    ----------
    files : tuple of NiftiFile
        In the order of the phases.
    place : str
        In the input.
    is_pair : bool
        They are end-diastole and end-systole.
    copies : frozenset of str
        Hashes of further files that show phases of the same cine.
    flags : tuple of QualityFlag
    """

    files: tuple[NiftiFile, ...]
    place: str
    is_pair: bool = False
    copies: frozenset[str] = frozenset()
    flags: tuple[QualityFlag, ...] = ()

    @property
    def paths(self) -> tuple[Path, ...]:
        """Where the files lie."""
        return tuple(one.path for one in self.files)

    @property
    def sha256s(self) -> frozenset[str]:
        """Their hashes."""
        return frozenset(one.sha256 for one in self.files)

    @property
    def entry(self) -> Entry:
        """What is known of it before it is read."""
        names = tuple(one.name for one in self.files)
        return Entry(self.key, digest_of(set(self.sha256s)), self.place, names)

    @property
    def key(self) -> str:
        """Hash that names the study."""
        return short_hash(digest_of(set(self.sha256s)))


Indexed = IndexedDicom | IndexedNifti


@dataclass(slots=True)
class Index:
    """What an input holds.

    Attributes
    ----------
    studies : list of IndexedDicom or IndexedNifti
        In the order of their keys.
    leftovers : Leftovers
        What was left out so far.
    decoded : Instances, NiftiReading or None
        What the only study holds; None where there are several.
    listed : tuple of ListedSeries
        Every series whose header could be read, and every NIfTI picture.
    """

    studies: list[Indexed]
    leftovers: Leftovers
    decoded: Instances | NiftiReading | None
    listed: tuple[ListedSeries, ...] = ()


def index_input(
    path: Path,
    spool: Path,
    reader: DicomReader,
    progress: Progress,
    *,
    spacing_mm: tuple[float, float, float] | None = None,
) -> Index:
    """Read the headers of a file, folder, zip archive or DICOMDIR.

    Parameters
    ----------
    path : Path
    spool : Path
        An empty folder for members of archives; the index is good as long as it lasts.
    reader : DicomReader
    progress : callable
    spacing_mm : (slice, row, column) or None
        For NIfTI files that lack it.

    Raises
    ------
    InputError
        When there is nothing at ``path``.
    """
    indexing = _Indexing(reader, spacing_mm)
    for candidate in walk(path, spool, indexing.leftovers):
        progress(READING, candidate.done, candidate.total)
        indexing.add(candidate)
    return indexing.finished()


def digest_of(hashes: set[str]) -> str:
    """Return the hash over hashes in any order."""
    return sha256_of_bytes("\n".join(sorted(hashes)).encode("ascii"))


class _Indexing:
    """An index that is being made."""

    def __init__(self, reader: DicomReader, spacing_mm: tuple[float, float, float] | None) -> None:
        self.leftovers = Leftovers()
        self._listing = Listing()
        self._reader = reader
        self._spacing_mm = spacing_mm
        self._dicom: dict[str, IndexedDicom] = {}
        self._nifti: dict[str, NiftiFile] = {}
        self._decoded: Instances | NiftiReading | None = None
        self._refused_s = 0.0

    def add(self, candidate: Candidate) -> None:
        if candidate.kind is Kind.NIFTI:
            self._add_nifti(candidate.path, candidate.name)
        else:
            self._add_dicom(candidate.path, candidate.name)

    def _add_dicom(self, path: Path, name: str) -> None:
        is_first = not self._dicom and not self._nifti
        wanted = None if is_first else list(self._dicom) if self._decoded else []
        read = self._reader.read(path, pixels_of=wanted)
        if isinstance(read, Refusal):
            leave_out(read, self.leftovers)
            self._listing.refuse(read)
            return
        self._listing.add(path, read)
        uid = read[0].study_instance_uid
        if is_first:
            self._decoded = Instances(Leftovers())
        elif uid not in self._dicom:
            self._decoded = None
        self._dicom.setdefault(uid, IndexedDicom(uid)).add(path, name, read)
        if isinstance(self._decoded, Instances):
            self._decoded.add(read)

    def _add_nifti(self, path: Path, name: str) -> None:
        """Read a file whole, as only its values tell a picture from a label map."""
        if self._refused_s > limits.OVERRUN_S:
            self.leftovers.add("NIfTI file", NOT_TRIED)
            return
        is_first = not self._dicom and not self._nifti
        self._decoded = None  # before the next takes memory
        begun_s = time.monotonic()
        try:
            reading = require_image(read_nifti(path, spacing_mm=self._spacing_mm))
        except Exception as error:  # one hostile file never stops the others
            known = isinstance(error, OpencmrError)
            said = Reason("UNREADABLE", str(error) if known else "")
            self.leftovers.add("NIfTI file", reason_of(error) or said)
            self._refused_s += time.monotonic() - begun_s
            return
        (sha256,) = reading.image.sources
        if sha256 in self._nifti:
            self.leftovers.add("NIfTI file", Reason("DUPLICATE", "The same file is there twice."))
            return
        self._decoded = reading if is_first else None
        self._nifti[sha256] = nifti_file(path, name, reading)
        self._listing.add_nifti(sha256, path)

    def finished(self) -> Index:
        self._refuse_instances_of_two_studies()
        self._join_parts_of_studies()
        dicom = [study for study in self._dicom.values() if self._is_usable(study)]
        studies: list[Indexed] = [*dicom, *self._nifti_studies()]
        studies.sort(key=lambda study: study.key)
        decoded = self._decoded if studies else None
        return Index(studies, self.leftovers, decoded, self._listing.rows(_keys_of(studies)))

    def _nifti_studies(self) -> list[IndexedNifti]:
        """Return the studies that NIfTI files are: joined frames, pairs, and files alone."""
        files = tuple(self._nifti.values())
        studies = [IndexedNifti(cine, place_of_frames(cine)) for cine in frames_of_cines(files)]
        taken = {sha256 for study in studies for sha256 in study.sha256s}
        copies: dict[str, frozenset[str]] = {}
        flags: dict[str, tuple[QualityFlag, ...]] = {}
        for pair in named_pairs(one for one in files if one.sha256 not in taken):
            both = frozenset({pair.ed.sha256, pair.es.sha256})
            cine = next((one for one in files if pair.is_of(one)), None)
            if cine is not None:
                copies[cine.sha256] = copies.get(cine.sha256, frozenset()) | both
                reason = Reason("DUPLICATE", "ED and ES of a cine that is there as a whole.")
                self.leftovers.add("NIfTI file", reason, count=2)
            elif pair.is_one_heart:
                studies.append(IndexedNifti((pair.ed, pair.es), pair.place, is_pair=True))
            else:
                flags |= dict.fromkeys(both, (not_joined(),))
                continue
            taken |= both
        alone = [one for one in files if one.sha256 not in taken]
        for run in lone_frames(alone):
            flags |= {one.sha256: (phases_apart(len(run), "files"),) for one in run}
        return studies + [
            IndexedNifti(
                (one,),
                one.name,
                copies=copies.get(one.sha256, frozenset()),
                flags=flags.get(one.sha256, ()),
            )
            for one in alone
        ]

    def _refuse_instances_of_two_studies(self) -> None:
        """Leave out what claims to be one instance and stands in two studies."""
        studies = Counter(
            sop
            for study in self._dicom.values()
            for sop in {sop for sop, _ in study.files.values() if sop}
        )
        for study in self._dicom.values():
            for path, (sop, series) in list(study.files.items()):
                if studies[sop] > 1:
                    del study.files[path]
                    what = image_name(series)
                    self.leftovers.add(what, Reason("UID_CONFLICT"), study_uid=study.uid)

    def _join_parts_of_studies(self) -> None:
        """Join studies of one slice each, or name them."""
        parts = [part for study in self._dicom.values() if (part := study.part) is not None]
        sure, unsure = parts_of_studies(parts)
        for stack in sure:
            whole = joined([self._dicom[part.uid] for part in stack])
            if whole.mixes_patients:
                unsure.append(stack)
                continue
            for part in stack:
                del self._dicom[part.uid]
            self._dicom[whole.uid] = whole
            self.leftovers = self.leftovers.moved(whole.joined_uids, whole.uid)
        for stack in unsure:
            for part in stack:
                self._dicom[part.uid].flags = (split_flag(len(stack), joined=False),)

    def _is_usable(self, study: IndexedDicom) -> bool:
        """Whether a study can be one; what rules it out is counted."""
        if study.mixes_patients:
            what = f"study {short_hash(study.uid)}"
            mix, count = Reason("PATIENT_MIX"), study.pictures
            self.leftovers.add(what, mix, study_uid=study.uid, count=count)
            self._listing.refuse_study(study.uid, mix)
            return False
        if study.placed == 0:
            for row, count in study.without_place.items():
                self.leftovers.add(row.what, row.reason, study_uid=study.uid, count=count)
        return bool(study.placed and study.files)


def _keys_of(studies: Sequence[Indexed]) -> dict[str, str]:
    """Return the key of the study that each study UID, and each NIfTI file, belongs to."""
    keys: dict[str, str] = {}
    for one in studies:
        if isinstance(one, IndexedDicom):
            keys |= dict.fromkeys((one.uid, *one.joined_uids), one.key)
        else:
            keys |= dict.fromkeys(one.sha256s | one.copies, one.key)
    return keys


def _shared_place(*places: str) -> str:
    """Return the folder that places in the input share; empty ones say nothing."""
    return commonpath([place for place in places if place] or [""])
