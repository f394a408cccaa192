"""From the files of one study to decoded frames, each instance once."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from opencmr.anatomy.reasons import Reason
from opencmr.imaging.study import short_hash
from opencmr.intake.containers import limits
from opencmr.intake.dicom.decode import DicomReader
from opencmr.intake.dicom.frame import Frame
from opencmr.intake.leftovers import Leftovers
from opencmr.intake.refusal import Refusal
from opencmr.progress import Progress, silent

READING = "reading"
TOO_MUCH = Reason("TOO_LARGE", "All decoded pixels of the study together would exceed 4 GiB.")
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


@dataclass(slots=True)
class Instances:
    """The instances of one study that were read so far.

    Attributes
    ----------
    leftovers : Leftovers
        Counts the copies and conflicts among them.
    by_uid : dict from SOP instance UID to frames
        None marks a conflict.
    bytes_left : int
    """

    leftovers: Leftovers
    by_uid: dict[str, tuple[Frame, ...] | None] = field(default_factory=dict)
    bytes_left: int = field(default_factory=lambda: limits.STUDY_DECODED_BYTES)

    @property
    def frames(self) -> list[Frame]:
        """Every frame of every instance that is there once."""
        return [frame for found in self.by_uid.values() if found for frame in found]

    def add(self, frames: tuple[Frame, ...]) -> None:
        """Take an instance's frames, unless it is there already or contradicts what is there."""
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
        what = image_name(frame.series_instance_uid)
        self.leftovers.add(what, reason, study_uid=frame.study_instance_uid)


def read_frames(
    paths: Iterable[Path], reader: DicomReader, leftovers: Leftovers, progress: Progress = silent
) -> list[Frame]:
    """Decode the DICOM files of one study; ``leftovers`` counts what is not read."""
    instances = Instances(leftovers)
    paths = tuple(paths)
    for done, path in enumerate(paths, start=1):
        progress(READING, done, len(paths))
        read = reader.read(path)
        if isinstance(read, Refusal):
            leave_out(read, leftovers)
        else:
            instances.add(read)
    return instances.frames


def leave_out(refusal: Refusal, leftovers: Leftovers) -> None:
    """Count a file that was not read."""
    what = image_name(refusal.series_instance_uid)
    leftovers.add(what, refusal.reason, study_uid=refusal.study_instance_uid)


def image_name(series_uid: str) -> str:
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
