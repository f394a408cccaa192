"""Cines that came as one NIfTI file a frame: which files belong together, and their image.

Names may say which frame a file is, pictures whether it may be true; neither suffices alone.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path

import numpy as np

from opencmr.anatomy.plausible import CINE_PHASES
from opencmr.errors import InputError
from opencmr.geometry.grid import Grid
from opencmr.imaging.flag import QualityFlag, Severity
from opencmr.imaging.likeness import LIKE_ONE_HEART, likeness, thumbnail
from opencmr.intake.containers import limits
from opencmr.intake.nifti.read import NiftiReading, as_phases, read_nifti, require_image

SAME_GRID_MM = 1e-2
"""Grids whose affines differ by less are identical: a float's rounding."""
FRAME_TOKEN = re.compile(
    r"(?P<before>.*(?:^|[^a-z])(?:frame|phase|time|timepoint|timestep)s?[-_ ]?)(?P<number>\d{1,4})"
    r"(?P<after>(?:[^\d].*)?)",
    re.IGNORECASE,
)
"""A word that says frame, phase or time, and its number; never that of a case."""


@dataclass(frozen=True, slots=True, eq=False)
class NiftiFile:
    """What must be known of a NIfTI file to find the others of its cine.

    Attributes
    ----------
    name : str
        In the input, with its folder; never shown.
    phases : int
    grid : Grid
    seen : (Z, 32, 32) float32
        Its first phase in little.
    """

    path: Path
    name: str
    sha256: str
    phases: int
    grid: Grid
    seen: np.ndarray = field(repr=False)

    @property
    def frame(self) -> tuple[tuple[str, str], int] | None:
        """The rest of its name, and the number of the frame that the name states."""
        found = FRAME_TOKEN.fullmatch(stem_of(self.name))
        return ((found["before"], found["after"]), int(found["number"])) if found else None

    def shares_grid(self, other: "NiftiFile") -> bool:
        """Return whether the two lie on one grid."""
        mine, its = self.grid, other.grid
        return mine.shape == its.shape and bool(
            np.abs(mine.affines - its.affines).max() < SAME_GRID_MM
        )


def stem_of(name: str) -> str:
    """Return a file's name, with its folder, without the suffix.

    >>> stem_of("a/patient001_ed.nii.gz")
    'a/patient001_ed'
    """
    return re.sub(r"\.nii(\.gz)?$", "", name, flags=re.IGNORECASE)


def nifti_file(path: Path, name: str, reading: NiftiReading) -> NiftiFile:
    """Return what to remember of a file that was read."""
    image = reading.image
    (sha256,) = image.sources
    return NiftiFile(path, name, sha256, image.phases, image.grid, thumbnail(image.values[0]))


def frames_of_cines(files: Iterable[NiftiFile]) -> list[tuple[NiftiFile, ...]]:
    """Return the files that are the frames of one cine, in their order.

    Their names differ in the number of a frame alone, the numbers leave no gap, and the files
    hold one phase each of one heart on one grid.
    """
    families: dict[tuple[str, str], dict[int, NiftiFile]] = defaultdict(dict)
    for one in files:
        if one.phases == 1 and (said := one.frame) is not None:
            families[said[0]][said[1]] = one
    cines = []
    for family in families.values():
        numbers = sorted(family)
        frames = tuple(family[number] for number in numbers)
        is_whole = len(numbers) >= CINE_PHASES and len(numbers) == numbers[-1] - numbers[0] + 1
        values_bytes = 4 * len(numbers) * int(np.prod(frames[0].grid.shape))
        if (
            is_whole
            and values_bytes <= limits.DECODED_BYTES
            and all(_are_of_one_heart(a, b) for a, b in pairwise(frames))
        ):
            cines.append(frames)
    return cines


def lone_frames(files: Iterable[NiftiFile]) -> list[tuple[NiftiFile, ...]]:
    """Return runs of files, by name, that look like the frames of one cine."""
    runs: list[list[NiftiFile]] = []
    for one in sorted((f for f in files if f.phases == 1), key=_natural):
        if runs and _are_of_one_heart(runs[-1][-1], one):
            runs[-1].append(one)
        else:
            runs.append([one])
    return [tuple(run) for run in runs if len(run) >= CINE_PHASES]


def _natural(one: NiftiFile) -> tuple[tuple[int, str], ...]:
    parts = re.findall(r"\d+|\D+", one.name)
    return tuple((int(part), "") if part.isdecimal() else (-1, part) for part in parts)


def _are_of_one_heart(one: NiftiFile, other: NiftiFile) -> bool:
    return one.shares_grid(other) and likeness(one.seen, other.seen) >= LIKE_ONE_HEART


def read_nifti_frames(
    paths: Sequence[Path], *, spacing_mm: tuple[float, float, float] | None = None
) -> NiftiReading:
    """Read files of one phase each as a cine in their order; its times are unknown.

    Raises
    ------
    InputError, GeometryError
        When one cannot be read or is no picture, or they no longer fit together.
    """
    readings = [require_image(read_nifti(path, spacing_mm=spacing_mm)) for path in paths]
    if len({reading.image.values.shape for reading in readings}) > 1:
        raise InputError("the files of one cine have changed while they were read")
    joined = QualityFlag(
        Severity.INFO,
        "SERIES_PER_PHASE",
        "Every cardiac phase came as a file of its own; they were joined in the order that their "
        "names state, and no time between them is known.",
        f"{len(paths)} files",
    )
    cine = as_phases(readings)
    return replace(cine, flags=(*cine.flags, joined))
