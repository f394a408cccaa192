"""The door of relaxometry: from a path to the series of pictures that a map is fitted to."""

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from opencmr.anatomy.map_kinds import MapKind
from opencmr.errors import InputError
from opencmr.geometry.grid import Grid, grid_from_spacing
from opencmr.imaging.image import Image
from opencmr.imaging.relaxation import RelaxationSeries
from opencmr.imaging.study import SeriesHeader
from opencmr.intake.containers.files import HEAD_BYTES, Kind, kind_of, walk
from opencmr.intake.dicom.decode import DicomReader
from opencmr.intake.dicom.frame import Frame
from opencmr.intake.dicom.read import read_frames
from opencmr.intake.dicom.scaling import MAP_WORD
from opencmr.intake.leftovers import Leftovers
from opencmr.intake.nifti.geometry import without_geometry
from opencmr.intake.nifti.read import read_pictures
from opencmr.intake.nifti.write import sidecar_of
from opencmr.intake.relaxation_times import (
    T2_PREPARATION,
    axis_of,
    read_times,
    refuse_impossible,
    unknown_keys,
)
from opencmr.intake.stacks.kinds import PARALLEL_TOLERANCE_DEG, SPACING_TOLERANCE
from opencmr.intake.stacks.passes import SAME_POSITION_MM
from opencmr.intake.stacks.placement import affine_of, axes_of, centre_of, why_unplaceable
from opencmr.progress import Progress, silent
from opencmr.storage import spool

PHASE_WORDS = frozenset({"P", "PHASE", "PHASE MAP", "I", "IMAGINARY"})
"""Words of ImageType of pictures that are no signal by themselves."""
SCHEME_WORDS = re.compile(r"shmolli|molli|sasha", re.IGNORECASE)
"""Words of a series' description that name its scheme; no DICOM field does."""
SECONDS_BELOW = 20.0
"""A map of T1 or T2 whose greatest value is lower is in seconds."""


def scheme_words(header: SeriesHeader) -> str:
    """Return the scheme that a series calls itself, as it is written; empty where it has none."""
    words = SCHEME_WORDS.search(f"{header.series_description} {header.protocol_name}")
    return words[0] if words else ""


def is_nifti(path: Path) -> bool:
    """Return whether a path is a NIfTI file by its first bytes."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return kind_of(file.read(HEAD_BYTES)) is Kind.NIFTI


def read_relaxation_series(
    path: Path, kind: MapKind, *, scheme: str | None = None, progress: Progress = silent
) -> RelaxationSeries:
    """Read the one series of a path that a map can be fitted to.

    Parameters
    ----------
    path : Path
        A NIfTI file of four dimensions with its times beside it, or DICOM: a file, folder or zip.
    kind : MapKind
    scheme : str or None
        In place of what the source names.
    progress : callable

    Raises
    ------
    InputError
        When there is none, or several; the message says what was found.
    """
    if is_nifti(path):
        return _from_nifti(path, kind, scheme)
    with spool() as folder, DicomReader(captures_with_times=True) as reader:
        leftovers = Leftovers()
        files = list(walk(path, folder, leftovers))
        if any(one.kind is Kind.NIFTI for one in files):
            raise InputError(
                "a folder or archive with NIfTI files; give one NIfTI file of four dimensions, "
                "with its times in a JSON file of the same name beside it"
            )
        frames = read_frames([one.path for one in files], reader, leftovers, progress)
        if not frames:
            rows = "; ".join(f"{r.count} x {r.reason}" for r in leftovers.rows()[:4])
            raise InputError(f"no picture could be read{': ' + rows if rows else ''}")
        return series_of(frames, kind, scheme)


def _from_nifti(path: Path, kind: MapKind, scheme: str | None) -> RelaxationSeries:
    pictures = read_pictures(path)
    count, slices = pictures.values.shape[:2]
    if count == 1:
        raise InputError(_one_picture(pictures.values, slices))
    stated = read_times(sidecar_of(path), kind, count)
    named = stated.scheme if scheme is None else scheme
    times_ms = np.repeat(stated.times_ms[:, None], slices, axis=1)
    axis = axis_of(times_ms, stated.what, saturates=_saturates(named))
    image = Image(pictures.values, pictures.grid, axis, sources=(pictures.sha256,))
    remarks = (unknown_keys(stated.unknown),) if stated.unknown else ()
    return RelaxationSeries(
        image, pictures.has_geometry, named, stated.parameters, remarks, pictures.flags
    )


def _one_picture(values: np.ndarray, slices: int) -> str:
    """Say what an image of one picture a slice may be."""
    finite = values[np.isfinite(values)]
    greatest = float(finite.max(initial=0))
    if slices > 1:
        return (
            f"the image has {slices} slices of one picture; expected four dimensions x, y, slice, "
            "picture (one slice: x, y, 1, picture)"
        )
    unit = ", and by its values one in seconds" if 0 < greatest < SECONDS_BELOW else ""
    return (
        f"the image holds one picture{unit}; expected several of each slice. A map needs no fit: "
        "give the pictures that it was made from"
    )


def _saturates(scheme: str) -> bool:
    return scheme.strip().lower().startswith("sasha")


def series_of(
    frames: Iterable[Frame], kind: MapKind, scheme: str | None = None
) -> RelaxationSeries:
    """Return the one series among DICOM frames that a map can be fitted to.

    A series of pictures is the scanner's own, of one image type.  Phases are left out.

    Raises
    ------
    InputError
        When there is none or several, or its times or slices cannot be meant.
    """
    frames = list(frames)
    groups: dict[tuple[str, tuple[str, ...]], list[Frame]] = defaultdict(list)
    for frame in frames:
        kinds = tuple(word.upper() for word in frame.image_type)
        if PHASE_WORDS.isdisjoint(kinds):
            groups[frame.series_instance_uid, kinds].append(frame)
    found = [group for group in groups.values() if _distinct(group, kind) > 1]
    if not found:
        raise InputError(_nothing_to_fit(frames, kind))
    if len(found) > 1:
        names = ", ".join(
            f"series {one[0].header.series_number or 'without number'} ({len(one)} pictures)"
            for one in found
        )
        raise InputError(
            f"{len(found)} series have several {_what(found[0], kind)}s: {names}; give the folder "
            "of one"
        )
    return _from_frames(found[0], len(frames), kind, scheme)


def _from_frames(
    frames: list[Frame], of_input: int, kind: MapKind, scheme: str | None
) -> RelaxationSeries:
    remarks = []
    if of_input > len(frames):
        remarks.append(f"{len(frames)} of {of_input} pictures are of the series that was fitted")
    if scheme is None:
        scheme = scheme_words(frames[0].header) if kind is MapKind.T1 else ""
        if scheme:
            remarks.append(f"the scheme {scheme} is the one that the series calls itself")
    what = _what(frames, kind)
    slices, has_geometry = _slices_of(frames)
    tables = [_times_ms(one, kind, may_lack_one=_saturates(scheme)) for one in slices]
    for times_ms in tables:
        refuse_impossible(times_ms, what)
    if len({len(times_ms) for times_ms in tables}) > 1:
        counts = ", ".join(str(len(times_ms)) for times_ms in tables)
        raise InputError(
            f"mixed slices: those of the series have {counts} pictures; expected as many of each. "
            "A picture is missing, or two acquisitions are mixed"
        )
    ordered = [
        [one[n] for n in np.argsort(times_ms, kind="stable")]
        for one, times_ms in zip(slices, tables, strict=True)
    ]
    values = np.stack([np.stack([f.values for f in one]) for one in ordered], axis=1)
    shape = (len(slices), *frames[0].matrix)
    grid = (
        Grid(shape, np.array([affine_of(one[0]) for one in slices]))
        if has_geometry
        else grid_from_spacing(shape, (1.0, 1.0, 1.0))
    )
    axis = axis_of(np.sort(np.array(tables).T, axis=0), what, saturates=_saturates(scheme))
    image = Image(
        values, grid, axis, sources=tuple(f.sop_instance_uid for one in ordered for f in one)
    )
    flags = () if has_geometry else (without_geometry("no position, orientation and spacing"),)
    return RelaxationSeries(image, has_geometry, scheme, None, tuple(remarks), flags)


def _slices_of(frames: Sequence[Frame]) -> tuple[list[list[Frame]], bool]:
    """Return the pictures of each slice along the normal, and whether they lie anywhere."""
    if len({frame.matrix for frame in frames}) > 1:
        raise InputError("mixed pictures: the rows and columns of one series differ")
    placed = [why_unplaceable(frame) is None for frame in frames]
    if not any(placed):
        return [list(frames)], False
    if not all(placed):
        raise InputError(
            f"{placed.count(False)} of {len(frames)} pictures of the series state no usable "
            "geometry, the others do; export it again"
        )
    normal = axes_of(frames[0])[2]
    least = np.cos(np.radians(PARALLEL_TOLERANCE_DEG))
    slices: list[list[Frame]] = []
    for frame in frames:
        spacings = np.array([frame.pixel_spacing_mm, frames[0].pixel_spacing_mm])
        turned = any(
            mine @ first < least
            for mine, first in zip(axes_of(frame), axes_of(frames[0]), strict=True)
        )
        if turned or np.abs(spacings[0] / spacings[1] - 1).max() > SPACING_TOLERANCE:
            raise InputError(
                "mixed slices: the pictures of the series lie in several planes or have several "
                "spacings; give one acquisition"
            )
        for one in slices:
            if np.linalg.norm(centre_of(one[0]) - centre_of(frame)) < SAME_POSITION_MM:
                one.append(frame)
                break
        else:
            slices.append([frame])
    return sorted(slices, key=lambda one: float(centre_of(one[0]) @ normal)), True


def _what(frames: Sequence[Frame], kind: MapKind) -> str:
    """Return what the pictures of a series differ in, in words."""
    if kind is MapKind.T1:
        return "inversion time"
    prepared = {frame.t2_preparation_ms for frame in frames} - {None}
    return T2_PREPARATION if kind is MapKind.T2 and len(prepared) > 1 else "echo time"


def _stated(frames: Sequence[Frame], kind: MapKind) -> list[float | None]:
    what = _what(frames, kind)
    name = {"inversion time": "inversion_time_ms", "echo time": "echo_time_ms"}.get(
        what, "t2_preparation_ms"
    )
    return [getattr(frame, name) for frame in frames]


def _distinct(frames: Sequence[Frame], kind: MapKind) -> int:
    return len({time_ms for time_ms in _stated(frames, kind) if time_ms is not None})


def _times_ms(frames: Sequence[Frame], kind: MapKind, *, may_lack_one: bool) -> np.ndarray:
    """Return the times ``(N,)`` of the pictures of one slice."""
    stated = _stated(frames, kind)
    silent_ones = stated.count(None)
    if silent_ones > may_lack_one:
        raise InputError(
            f"{silent_ones} of {len(frames)} pictures state no {_what(frames, kind)}; expected "
            "one in each"
        )
    return np.array([np.inf if time_ms is None else time_ms for time_ms in stated])


def _nothing_to_fit(frames: Sequence[Frame], kind: MapKind) -> str:
    """Say what the input holds in place of a series for a map."""
    if any(MAP_WORD.fullmatch(word.upper()) for frame in frames for word in frame.image_type):
        return "the input holds finished maps alone, which need no fit; give their pictures"
    wanted = "inversion times" if kind is MapKind.T1 else "echo times or T2 preparations"
    return (
        f"no series for a {kind.value} map: of {len(frames)} pictures no series has several "
        f"{wanted}. Give the pictures that the map is to be made from, as DICOM that states them "
        "or as NIfTI with a sidecar"
    )
