"""The door of intake: from a path to studies."""

import statistics
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TypeVar

from opencmr.anatomy.plausible import MS_PER_MINUTE
from opencmr.anatomy.reasons import REASON_CODES, Reason, reason_of
from opencmr.errors import GeometryError, InputError, OpencmrError
from opencmr.imaging.flag import LeftOut, QualityFlag, Severity
from opencmr.imaging.study import Identity, Scanner, Series, Study, short_hash
from opencmr.intake import limits
from opencmr.intake.assemble import assemble_series
from opencmr.intake.demographics import Body, demographics_of
from opencmr.intake.frame import Frame
from opencmr.intake.leftovers import Leftovers
from opencmr.intake.limits import DecodeLimits
from opencmr.intake.nifti import NiftiReading, read_nifti, read_nifti_pair, require_image
from opencmr.intake.read import TOO_MUCH, read_frames
from opencmr.progress import Progress, silent
from opencmr.storage import sha256_of_bytes, spool

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
    }
)
"""What is left out with these codes is missed: the study was meant to have it."""

Part = TypeVar("Part", Identity, Scanner, Body)


@dataclass(frozen=True, slots=True)
class IntakeResult:
    """What came in.

    Attributes
    ----------
    studies : tuple of Study
        In the order of their keys; series not yet sorted by view and sequence.
    left_out : tuple of LeftOut
        What belongs to none of the studies.
    """

    studies: tuple[Study, ...]
    left_out: tuple[LeftOut, ...]


def read_studies(
    path: Path,
    *,
    spacing_mm: tuple[float, float, float] | None = None,
    progress: Progress = silent,
    decode_limits: DecodeLimits | None = None,
) -> IntakeResult:
    """Read a file, folder, zip archive or DICOMDIR of DICOM or NIfTI images.

    Parameters
    ----------
    path : Path
    spacing_mm : (slice, row, column) or None
        For NIfTI files that lack it; DICOM states its own, and its studies are flagged.
    progress : callable
    decode_limits : DecodeLimits or None

    Raises
    ------
    InputError
        When nothing in it can be analysed; the message says what was found instead.
    ConfigurationError, StorageError
        When there is no temporary space, or it runs full.
    """
    leftovers = Leftovers()
    with spool() as spooled:
        read = read_frames(
            path,
            spool=spooled,
            leftovers=leftovers,
            progress=progress,
            decode_limits=decode_limits,
        )
        bytes_left = limits.INPUT_DECODED_BYTES - sum(one.values.nbytes for one in read.frames)
        readings = _read_nifti_files(read.nifti, spacing_mm, leftovers, bytes_left)
    studies = [_nifti_study(reading, leftovers.rows()) for reading in readings]
    by_study: dict[str, list[Frame]] = defaultdict(list)
    for frame in read.frames:
        by_study[frame.study_instance_uid].append(frame)
    del read
    total = len(by_study)
    for done, uid in enumerate(sorted(by_study)):
        progress(ASSEMBLING, done, total)
        study = _dicom_study(uid, by_study.pop(uid), leftovers)
        if study is not None:
            more = () if spacing_mm is None else (_spacing_ignored(),)
            studies.append(replace(study, flags=(*study.flags, *more)))
    if total:
        progress(ASSEMBLING, total, total)
    known = {study.uid for study in studies}
    orphans = [
        row for uid in sorted({""} | leftovers.study_uids() - known) for row in leftovers.rows(uid)
    ]
    if not studies:
        raise InputError(_nothing_found(orphans))
    studies.sort(key=lambda study: study.key)
    return IntakeResult(tuple(studies), tuple(orphans))


def read_pair(ed: Path, es: Path, *, spacing_mm: tuple[float, float, float] | None = None) -> Study:
    """Read a pair of NIfTI stacks, end-diastole and end-systole, as one study of two phases.

    Raises
    ------
    InputError, GeometryError
        When either cannot be read, or the two are not one stack.
    """
    return _nifti_study(read_nifti_pair(ed, es, spacing_mm=spacing_mm), ())


def _read_nifti_files(
    paths: Sequence[Path],
    spacing_mm: tuple[float, float, float] | None,
    leftovers: Leftovers,
    bytes_left: int,
) -> list[NiftiReading]:
    readings: dict[tuple[str, ...], NiftiReading] = {}
    for path in paths:
        try:
            reading = require_image(read_nifti(path, spacing_mm=spacing_mm))
        except OpencmrError as error:
            leftovers.add("NIfTI file", reason_of(error) or Reason("UNREADABLE", str(error)))
            continue
        except Exception:  # one hostile file never stops the others
            leftovers.add("NIfTI file", Reason("UNREADABLE"))
            continue
        if reading.image.sources in readings:
            leftovers.add("NIfTI file", Reason("DUPLICATE", "The same file is there twice."))
            continue
        bytes_left -= reading.image.values.nbytes
        if bytes_left < 0:
            leftovers.add("NIfTI file", TOO_MUCH)
            continue
        readings[reading.image.sources] = reading
    return list(readings.values())


def _nifti_study(reading: NiftiReading, left_out: tuple[LeftOut, ...]) -> Study:
    digest = _digest(reading.image.sources)
    series = Series(key="s01", image=reading.image, flags=reading.flags)
    return Study(short_hash(digest), (series,), left_out=left_out, input_sha256=digest)


def _digest(hashes: Iterable[str]) -> str:
    return sha256_of_bytes("\n".join(sorted(set(hashes))).encode("ascii"))


def _dicom_study(uid: str, frames: list[Frame], leftovers: Leftovers) -> Study | None:
    """Return one study, or None when it is refused or nothing in it has a place."""
    frames.sort(key=lambda frame: (frame.content_sha256, frame.frame_number))
    if _mixes_patients(frames):
        what = f"study {short_hash(uid)}"
        leftovers.add(what, Reason("PATIENT_MIX"), study_uid=uid, count=len(frames))
        return None
    try:
        assembled = assemble_series(frames)
    except GeometryError:
        leftovers.add(
            f"study {short_hash(uid)}", Reason("NO_GEOMETRY"), study_uid=uid, count=len(frames)
        )
        return None
    if not assembled.series:
        for row in assembled.left_out:
            leftovers.add(row.what, row.reason, study_uid=uid, count=row.count)
        return None
    identity = _merged(Identity, (frame.identity for frame in frames))
    demographics, flags = demographics_of(
        next((frame.patient.sex for frame in frames if frame.patient.sex), ""),
        _merged(Body, (frame.body for frame in frames)),
        identity.birth_date,
        identity.study_date,
        _heart_rate_bpm(frames),
    )
    digest = _digest(frame.content_sha256 for frame in frames)
    rows = leftovers.rows(uid)
    unknown = leftovers.rows() if uid else ()
    return Study(
        key=short_hash(uid or digest),
        series=assembled.series,
        uid=uid,
        identity=identity,
        demographics=demographics,
        scanner=_merged(Scanner, (frame.scanner for frame in frames)),
        left_out=(*rows, *assembled.left_out, *unknown),
        flags=(*flags, *_damage_flags(rows)),
        input_sha256=digest,
    )


def _mixes_patients(frames: Sequence[Frame]) -> bool:
    """Whether two identifiers, birth dates or sexes stand under one study UID."""
    keys = {frame.patient for frame in frames}
    return any(one.contradicts(other) for one in keys for other in keys)


def _merged(kind: type[Part], parts: Iterable[Part]) -> Part:
    """Return for each field the first part's value that says something."""
    found: dict[str, object] = {}
    for part in dict.fromkeys(parts):
        for one in fields(kind):
            stated = getattr(part, one.name)
            if stated not in (None, ""):
                found.setdefault(one.name, stated)
    return kind(**found)  # type: ignore[arg-type]


def _heart_rate_bpm(frames: Iterable[Frame]) -> float | None:
    """Return the median rate of the gated pictures; scouts' heart rates are not measured."""
    heartbeats_ms = [
        frame.rr_ms
        for frame in frames
        if frame.rr_ms is not None and 0 <= (frame.trigger_time_ms or -1.0) <= frame.rr_ms
    ]
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
