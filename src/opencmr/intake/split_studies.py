"""Studies that hold one slice each of what was one study: joined, or named.

Some exports give every slice a StudyInstanceUID of its own.  Only an identifier, a day
and a coordinate system that are stated and equal show that they belong together.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from opencmr.imaging.flag import QualityFlag, Severity
from opencmr.intake.dicom.frame import Frame
from opencmr.intake.stacks.joining import WHOLE_STACK_SLICES
from opencmr.intake.stacks.placement import axes_of, centre_of


@dataclass(frozen=True, slots=True)
class Plane:
    """Where a picture lies: what stacks share (``kind``), and its place along their normal."""

    frame_of_reference_uid: str
    kind: tuple[object, ...]
    place_mm: int


def plane_of(frame: Frame) -> Plane:
    """Return the plane of a picture that has a place in the patient, to the millimetre."""
    right, down, normal = axes_of(frame)
    assert frame.pixel_spacing_mm is not None
    kind = (
        frame.matrix,
        tuple(round(one, 2) for one in frame.pixel_spacing_mm),
        tuple(np.round([*right, *down], 2).tolist()),
    )
    return Plane(frame.frame_of_reference_uid, kind, round(float(centre_of(frame) @ normal)))


@dataclass(frozen=True, slots=True)
class Part:
    """A study of one slice: its UID, whose it is and of which day (empty: not stated)."""

    uid: str
    patient_id: str
    day: str
    plane: Plane


def parts_of_studies(parts: Iterable[Part]) -> tuple[list[list[Part]], list[list[Part]]]:
    """Return the parts that are one study, and those that may be but do not prove it.

    Parts of a study are three or more parallel slices of one coordinate system at different
    places.  Identifiers that differ contradict.
    """
    sure: list[list[Part]] = []
    unsure: list[list[Part]] = []
    stacks: dict[tuple[object, ...], list[Part]] = defaultdict(list)
    for part in parts:
        plane = part.plane
        stacks[plane.kind, plane.frame_of_reference_uid, part.patient_id].append(part)
    for (_, _, patient_id), stack in stacks.items():
        days: dict[str, list[Part]] = defaultdict(list)
        for part in stack:
            days[part.day].append(part)
        reference = stack[0].plane.frame_of_reference_uid
        is_stated = patient_id and reference and all(days)
        whole = [day for day in days.values() if is_stated and _is_stack(day)]
        rest = [part for day in days.values() if day not in whole for part in day]
        sure += whole
        unsure += [rest] if _is_stack(rest) else []
    return sure, unsure


def _is_stack(parts: list[Part]) -> bool:
    places = {part.plane.place_mm for part in parts}
    return len(parts) >= WHOLE_STACK_SLICES and len(places) == len(parts)


def split_flag(count: int, *, joined: bool) -> QualityFlag:
    """Return the flag on a study that came in parts."""
    if joined:
        return QualityFlag(
            Severity.INFO,
            "STUDY_SPLIT",
            "Every slice came as a study of its own; identifier and day are the same, and they "
            "were joined.",
            f"{count} studies",
        )
    return QualityFlag(
        Severity.REVIEW,
        "STUDY_SPLIT",
        "This study holds one slice and others hold its neighbours. They were not joined, as "
        "identifier and day do not prove that they belong together: volumes of a part of the "
        "heart mean nothing. Export the study again.",
        f"{count} studies",
    )
