"""The door of intake: from a path to studies."""

import statistics
import weakref
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, fields, replace
from functools import partial
from pathlib import Path
from typing import TypeVar, overload

import numpy as np

from opencmr.anatomy.plausible import MS_PER_MINUTE
from opencmr.anatomy.reasons import REASON_CODES, Reason
from opencmr.errors import GeometryError, InputError
from opencmr.imaging.flag import LeftOut, QualityFlag, Severity
from opencmr.imaging.study import Identity, Scanner, Series, Study, short_hash
from opencmr.intake.containers.limits import DecodeLimits
from opencmr.intake.demographics import Body, demographics_of
from opencmr.intake.dicom.decode import DicomReader
from opencmr.intake.dicom.frame import Frame
from opencmr.intake.dicom.read import read_frames
from opencmr.intake.index import (
    Entry,
    Index,
    Indexed,
    IndexedDicom,
    IndexedNifti,
    digest_of,
    index_input,
)
from opencmr.intake.leftovers import Leftovers
from opencmr.intake.listing import ListedSeries
from opencmr.intake.nifti.frames import read_nifti_frames
from opencmr.intake.nifti.pairs import read_named_pair
from opencmr.intake.nifti.read import NiftiReading, read_nifti, read_nifti_pair, require_image
from opencmr.intake.stacks.assemble import assemble_series
from opencmr.progress import Progress, silent
from opencmr.storage import spool

ASSEMBLING = "building stacks"
DAMAGE_CODES = frozenset(
    {
        "TRUNCATED",
        "UNREADABLE",
        "NESTING",
        "TOO_LARGE",
        "DECODE_TIMEOUT",
        "DECODE_CRASH",
        "DECODE_FAILED",
        "UNKNOWN_TRANSFER_SYNTAX",
        "UID_CONFLICT",
        "SCALING_CONFLICT",
        "BAD_SCALING",
    }
)
"""What is left out with these codes is missed: the study was meant to have it."""

Part = TypeVar("Part", Identity, Scanner, Body)


class Studies(Sequence[Study]):
    """The studies of an input in the order of their keys, each read when it is asked for.

    A study is not kept: memory holds those that the caller keeps.  Iterating passes over a
    study of which nothing can be used after all, and names it in ``left_out``.

    Close it, or use it in a ``with``, to delete what was unpacked from archives.

    Parameters
    ----------
    readers : sequence of callable
        Each reads one study, or raises an :class:`InputError`.
    left_out : sequence of LeftOut
        What belongs to none of the studies.
    resources : ExitStack
        What the readers need.
    listed : sequence of ListedSeries
        Every scanner's series whose header could be read, used or not.
    entries : sequence of Entry
        What is known of each study before it is read; empty where they were not made from files
        of an input.
    """

    def __init__(
        self,
        readers: Sequence[Callable[[], Study]],
        left_out: Iterable[LeftOut] = (),
        resources: ExitStack | None = None,
        listed: Iterable[ListedSeries] = (),
        entries: Iterable[Entry] = (),
    ) -> None:
        self._readers = tuple(readers)
        self.left_out = tuple(left_out)
        self.listed = tuple(listed)
        self.entries = tuple(entries)
        self.close = weakref.finalize(self, (resources or ExitStack()).close)

    def __enter__(self) -> "Studies":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __reduce__(self) -> tuple[type["Studies"], tuple[object, ...]]:
        """Pickle what another process needs to read the studies, as long as this one is open."""
        return Studies, (self._readers, self.left_out, None, (), self.entries)

    def __repr__(self) -> str:
        studies = "1 study" if len(self) == 1 else f"{len(self)} studies"
        kinds = "1 kind" if len(self.left_out) == 1 else f"{len(self.left_out)} kinds"
        return f"Studies({studies}, {kinds} of input left out)"

    def __len__(self) -> int:
        return len(self._readers)

    @overload
    def __getitem__(self, index: int) -> Study: ...
    @overload
    def __getitem__(self, index: slice) -> list[Study]: ...
    def __getitem__(self, index: int | slice) -> Study | list[Study]:
        chosen = self._readers[index]
        return chosen() if callable(chosen) else [read() for read in chosen]

    def __iter__(self) -> Iterator[Study]:
        """Yield each study.

        Raises
        ------
        InputError
            At the end, when none could be used.
        """
        lost = 0
        for read in self._readers:
            try:
                study = read()
            except _EmptyStudyError as empty:
                lost += 1
                self.left_out = tuple(dict.fromkeys((*self.left_out, *empty.rows)))
                continue
            yield study
            del study  # before the next is read
        if lost and lost == len(self):
            raise InputError(_nothing_found(self.left_out))


class _EmptyStudyError(InputError):
    """A study of which nothing can be used."""

    def __init__(self, rows: tuple[LeftOut, ...]) -> None:
        self.rows = rows
        super().__init__(_nothing_found(rows))


def read_studies(
    path: Path,
    *,
    spacing_mm: tuple[float, float, float] | None = None,
    progress: Progress = silent,
    decode_limits: DecodeLimits | None = None,
    is_listing_enough: bool = False,
) -> Studies:
    """Read a file, folder, zip archive or DICOMDIR of DICOM or NIfTI images.

    The headers are read at once, the pixels when a study is asked for; those of an input that
    holds one study at once too.

    Parameters
    ----------
    path : Path
    spacing_mm : (slice, row, column) or None
        For NIfTI files that lack it; DICOM states its own, and its studies are flagged.
    progress : callable
    decode_limits : DecodeLimits or None
    is_listing_enough : bool
        An input of which series can be listed and no study be made is none to be refused.

    Raises
    ------
    InputError
        When nothing in it can be analysed; the message says what was found instead.
    ConfigurationError, StorageError
        When there is no temporary space, or it runs full.
    """
    with ExitStack() as resources:
        spooled = resources.enter_context(spool())
        reader = resources.enter_context(DicomReader(decode_limits))
        index = index_input(path, spooled, reader, progress, spacing_mm=spacing_mm)
        reader.rest()  # before its frames are copied into stacks
        loader = _Loader(index, reader, spacing_mm, progress)
        lost: tuple[LeftOut, ...] = ()
        only: list[Study] = []
        try:
            only += [loader.decoded()] if index.decoded is not None else []
        except _EmptyStudyError as empty:
            lost = empty.rows
        orphans = (*loader.orphans(), *lost)
        if only:
            entries = [one.entry for one in index.studies]
            return Studies([lambda: only[0]], orphans, resources.pop_all(), index.listed, entries)
        if lost or not index.studies:
            if is_listing_enough and index.listed:
                return Studies([], orphans, resources.pop_all(), index.listed)
            raise InputError(_nothing_found(orphans))
        readers = [partial(loader.read, study) for study in index.studies]
        entries = [one.entry for one in index.studies]
        return Studies(readers, orphans, resources.pop_all(), index.listed, entries)


def read_pair(
    ed: Path, es: Path, *, spacing_mm: tuple[float, float, float] | None = None
) -> Studies:
    """Read a pair of NIfTI stacks, end-diastole and end-systole, as one study of two phases.

    Raises
    ------
    InputError, GeometryError
        When either cannot be read, or the two are not one stack.
    """
    study = _nifti_study(read_nifti_pair(ed, es, spacing_mm=spacing_mm), ())
    entry = Entry(study.key, study.input_sha256, ed.name, (ed.name, es.name))
    return Studies([lambda: study], entries=[entry])


@dataclass(frozen=True, slots=True)
class _Loader:
    """Reads the studies of an index."""

    index: Index
    reader: DicomReader
    spacing_mm: tuple[float, float, float] | None
    progress: Progress

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle what reading one of several studies needs; nobody watches it there."""
        index = replace(self.index, decoded=None, listed=())
        return _Loader, (index, self.reader, self.spacing_mm, silent)

    def orphans(self) -> tuple[LeftOut, ...]:
        """Return what was left out and belongs to none of the studies."""
        leftovers = self.index.leftovers
        known = {one.uid for one in self.index.studies if isinstance(one, IndexedDicom)}
        uids = sorted({""} | leftovers.study_uids() - known)
        return tuple(row for uid in uids for row in leftovers.rows(uid))

    def decoded(self) -> Study:
        """Return the only study, whose pixels came with the index."""
        (indexed,) = self.index.studies
        found = self.index.decoded
        if isinstance(found, NiftiReading) or isinstance(indexed, IndexedNifti):
            assert isinstance(found, NiftiReading)
            return _nifti_study(found, self.index.leftovers.rows())
        assert found is not None
        return self._dicom_study(indexed, found.frames, found.leftovers)

    def read(self, indexed: Indexed) -> Study:
        """Decode and assemble one of several studies."""
        if isinstance(indexed, IndexedNifti):
            return _nifti_study(self._nifti(indexed), self.index.leftovers.rows())
        leftovers = Leftovers()
        frames = read_frames(indexed.files, self.reader, leftovers, self.progress)
        self.reader.rest()
        return self._dicom_study(indexed, frames, leftovers)

    def _nifti(self, indexed: IndexedNifti) -> NiftiReading:
        if indexed.is_pair:
            return read_named_pair(*indexed.paths, spacing_mm=self.spacing_mm)
        if len(indexed.paths) > 1:
            return read_nifti_frames(indexed.paths, spacing_mm=self.spacing_mm)
        reading = require_image(read_nifti(indexed.paths[0], spacing_mm=self.spacing_mm))
        return replace(reading, flags=(*reading.flags, *indexed.flags))

    def _dicom_study(
        self, indexed: IndexedDicom, frames: list[Frame], leftovers: Leftovers
    ) -> Study:
        leftovers = leftovers.moved(indexed.joined_uids, indexed.uid)
        leftovers += self.index.leftovers.of_study(indexed.uid)
        self.progress(ASSEMBLING, 0, 1)
        study = _dicom_study(indexed, frames, leftovers)
        self.progress(ASSEMBLING, 1, 1)
        study = replace(study, flags=(*study.flags, *indexed.flags))
        if self.spacing_mm is None:
            return study
        return replace(study, flags=(*study.flags, _spacing_ignored()))


def _nifti_study(reading: NiftiReading, left_out: tuple[LeftOut, ...]) -> Study:
    digest = digest_of(set(reading.image.sources))
    series = Series(key="s01", image=reading.image, flags=reading.flags)
    return Study(short_hash(digest), (series,), left_out=left_out, input_sha256=digest)


def _dicom_study(indexed: IndexedDicom, frames: list[Frame], leftovers: Leftovers) -> Study:
    """Return one study, or raise where nothing in it can be used."""
    uid = indexed.uid
    frames.sort(key=lambda frame: (frame.content_sha256, frame.frame_number))
    try:
        assembled = assemble_series(frames)
    except GeometryError:
        leftovers.add(
            f"study {short_hash(uid)}", Reason("NO_GEOMETRY"), study_uid=uid, count=len(frames)
        )
        raise _EmptyStudyError(leftovers.rows(uid)) from None
    if not assembled.series:
        for row in assembled.left_out:
            leftovers.add(row.what, row.reason, study_uid=uid, count=row.count)
        raise _EmptyStudyError(leftovers.rows(uid))
    identity = _merged(Identity, (frame.identity for frame in frames))
    demographics, flags = demographics_of(
        next((frame.patient.sex for frame in frames if frame.patient.sex), ""),
        _merged(Body, (frame.body for frame in frames)),
        identity.birth_date,
        identity.study_date,
        _heart_rate_bpm(assembled.series),
    )
    rows = leftovers.rows(uid)
    unknown = leftovers.rows() if uid else ()
    return Study(
        key=indexed.key,
        series=assembled.series,
        uid=uid,
        identity=identity,
        demographics=demographics,
        scanner=_merged(Scanner, (frame.scanner for frame in frames)),
        left_out=(*rows, *assembled.left_out, *unknown),
        flags=(*flags, *_damage_flags(rows), *_header_flags(frames)),
        input_sha256=digest_of({frame.content_sha256 for frame in frames}),
    )


def _merged(kind: type[Part], parts: Iterable[Part]) -> Part:
    """Return for each field the first part's value that says something."""
    found: dict[str, object] = {}
    for part in dict.fromkeys(parts):
        for one in fields(kind):
            stated = getattr(part, one.name)
            if stated not in (None, ""):
                found.setdefault(one.name, stated)
    return kind(**found)  # type: ignore[arg-type]


def _heart_rate_bpm(series: Iterable[Series]) -> float | None:
    """Return the median rate of the gated pictures; scouts' heart rates are not measured."""
    heartbeats_ms: list[float] = []
    for one in series:
        trigger_ms, rr_ms = one.image.trigger_ms, one.image.rr_ms
        gated = (trigger_ms >= 0) & (trigger_ms <= rr_ms)
        heartbeats_ms.extend(np.broadcast_to(rr_ms, trigger_ms.shape)[gated].tolist())
    return MS_PER_MINUTE / statistics.median(heartbeats_ms) if heartbeats_ms else None


def _damage_flags(rows: Iterable[LeftOut]) -> list[QualityFlag]:
    """Say in the study what was meant to be part of it and could not be read."""
    counts: dict[str, int] = defaultdict(int)
    for row in rows:
        if row.reason.code in DAMAGE_CODES:
            counts[row.reason.code] += row.count
    return [
        QualityFlag(
            Severity.REVIEW,
            code,
            f"Images of this study were left out: {REASON_CODES[code].meaning} "
            f"{REASON_CODES[code].remedy}",
            f"{count} files",
        )
        for code, count in sorted(counts.items())
    ]


def _header_flags(frames: Sequence[Frame]) -> Iterator[QualityFlag]:
    """Say what the headers state otherwise than they should, and what they state of the pixels."""
    keywords = sorted({keyword for frame in frames for keyword in frame.repaired_numbers})
    if keywords:
        yield QualityFlag(
            Severity.INFO,
            "NUMBERS_REPAIRED",
            "The headers state numbers with a decimal comma or as text; they were read as meant.",
            ", ".join(keywords),
        )
    lossy = sum(frame.is_lossy for frame in frames)
    if lossy:
        yield QualityFlag(
            Severity.INFO,
            "LOSSY",
            "Pictures were compressed with loss: fine borders may have been changed.",
            f"{lossy} of {len(frames)} pictures",
        )


def _spacing_ignored() -> QualityFlag:
    return QualityFlag(
        Severity.REVIEW,
        "SPACING_IGNORED",
        "The spacing given by hand was not used: DICOM states its own, which was measured with.",
    )


def _nothing_found(rows: Sequence[LeftOut]) -> str:
    if not rows:
        return "nothing to analyse: the input is empty; expected MR images as DICOM or NIfTI"
    found = "; ".join(
        f"{row.count} x {row.what}: {row.reason.code}, {row.reason.sentence}" for row in rows[:8]
    )
    more = f"; and {len(rows) - 8} further kinds" if len(rows) > 8 else ""
    return f"nothing to analyse: expected MR images as DICOM or NIfTI, found {found}{more}"
