"""From a path to decoded frames and NIfTI files, each instance once."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from opencmr.anatomy.reasons import Reason
from opencmr.imaging.study import short_hash
from opencmr.intake import limits
from opencmr.intake.decode import DicomReader
from opencmr.intake.files import Kind, walk
from opencmr.intake.frame import Frame
from opencmr.intake.leftovers import Leftovers
from opencmr.intake.limits import DecodeLimits
from opencmr.intake.refusal import Refusal
from opencmr.progress import Progress, silent

READING = "reading"
TOO_MUCH = Reason("TOO_LARGE", "All decoded pixels together would exceed 4 GiB.")
WHAT_A_PICTURE_SAYS = (
    "study_instance_uid",
    "series_instance_uid",
    "frame_of_reference_uid",
    "patient",
    "pixel_spacing_mm",
    "image_position_mm",
    "image_orientation",
    "trigger_time_ms",
    "rr_ms",
    "image_type",
    "scaling",
)
"""Two copies of an instance that agree in these and in their values mean the same; archives
rewrite the rest (PS3.4 coercion)."""


@dataclass(frozen=True, slots=True)
class FramesRead:
    """What an input holds.

    Attributes
    ----------
    frames : tuple of Frame
    nifti : tuple of Path
        NIfTI files, which stay readable as long as the spool folder.
    """

    frames: tuple[Frame, ...]
    nifti: tuple[Path, ...]


@dataclass(slots=True)
class _Instances:
    """The instances read so far, by SOP instance UID; None marks a conflict."""

    by_uid: dict[str, tuple[Frame, ...] | None]
    leftovers: Leftovers
    bytes_left: int

    def add(self, frames: tuple[Frame, ...]) -> None:
        first = frames[0]
        uid = first.sop_instance_uid or first.content_sha256
        if uid not in self.by_uid:
            self.bytes_left -= sum(frame.values.nbytes for frame in frames)
            if self.bytes_left < 0:
                self._leave_out(first, TOO_MUCH)
                return
            self.by_uid[uid] = frames
            return
        known = self.by_uid[uid]
        if known is not None and _are_the_same(known, frames):
            self._leave_out(first, Reason("DUPLICATE"))
            return
        self._leave_out(first, Reason("UID_CONFLICT"))
        if known is not None:
            self._leave_out(known[0], Reason("UID_CONFLICT"))
            self.by_uid[uid] = None

    def _leave_out(self, frame: Frame, reason: Reason) -> None:
        what = _series_name(frame.series_instance_uid)
        self.leftovers.add(what, reason, study_uid=frame.study_instance_uid)


def read_frames(
    path: Path,
    *,
    spool: Path,
    leftovers: Leftovers,
    progress: Progress = silent,
    decode_limits: DecodeLimits | None = None,
) -> FramesRead:
    """Read every DICOM image of a file, folder, zip archive or DICOMDIR.

    Parameters
    ----------
    path : Path
    spool : Path
        An empty folder for members of archives.
    leftovers : Leftovers
        Counts what is not read.
    progress : callable
    decode_limits : DecodeLimits or None

    Raises
    ------
    InputError
        When there is nothing at ``path``.
    """
    instances = _Instances({}, leftovers, limits.INPUT_DECODED_BYTES)
    nifti: list[Path] = []
    with DicomReader(decode_limits) as reader:
        for candidate in walk(path, spool, leftovers):
            progress(READING, candidate.done, candidate.total)
            if candidate.kind is Kind.NIFTI:
                nifti.append(candidate.path)
                continue
            read = reader.read(candidate.path)
            if isinstance(read, Refusal):
                what = _series_name(read.series_instance_uid)
                leftovers.add(what, read.reason, study_uid=read.study_instance_uid)
            else:
                instances.add(read)
    frames = [frame for found in instances.by_uid.values() if found for frame in found]
    return FramesRead(tuple(frames), tuple(nifti))


def _series_name(series_uid: str) -> str:
    """Name a series by a hash: UIDs of some exports hold a patient's number."""
    return f"image of series {short_hash(series_uid)}" if series_uid else "DICOM file"


def _are_the_same(one: tuple[Frame, ...], other: tuple[Frame, ...]) -> bool:
    """Whether two readings of a SOP instance UID mean the same picture."""
    if one[0].content_sha256 == other[0].content_sha256:
        return True
    return len(one) == len(other) and all(
        np.array_equal(mine.values, theirs.values)
        and all(getattr(mine, name) == getattr(theirs, name) for name in WHAT_A_PICTURE_SAYS)
        for mine, theirs in zip(one, other, strict=True)
    )
