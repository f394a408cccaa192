"""End-diastole and end-systole that came as one NIfTI file each: which two are one heart.

Data sets name them (ACDC by frame numbers and ``Info.cfg``, M&Ms ``_sa_ED`` and ``_sa_ES``,
nnU-Net ``case_ED_0000``); pictures must agree.  Neither suffices alone, and where more than two
files could be meant, none is joined.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from opencmr.anatomy.plausible import CINE_PHASES
from opencmr.imaging.flag import QualityFlag, Severity
from opencmr.imaging.likeness import LIKE_ONE_HEART, likeness
from opencmr.intake.nifti.frames import NiftiFile, stem_of
from opencmr.intake.nifti.read import NiftiReading, read_nifti_pair

INFO_FILE = "Info.cfg"
"""States the numbers of ED and ES beside the frames of a patient (ACDC)."""
INFO_BYTES = 4096
"""More of it is not read."""
MOMENT = re.compile(
    r"(?P<before>(?:.*[^a-z])?)(?P<moment>ED|ES)(?P<after>(?:[^a-z].*)?)", re.IGNORECASE | re.DOTALL
)
"""ED or ES as a word of its own."""
FRAME_WORD = re.compile(r"[-_ .]*(?:frame|phase|time|timepoint|timestep)s?[-_ ]*$", re.IGNORECASE)
SEPARATORS = "-_ ."


@dataclass(frozen=True, slots=True)
class Pair:
    """The two files of one heart.

    Attributes
    ----------
    ed, es : NiftiFile
    case : str
        What their names begin with, with the folder; never shown.
    """

    ed: NiftiFile
    es: NiftiFile
    case: str

    @property
    def place(self) -> str:
        """Where the two lie in the input, as one."""
        return self.case.rstrip("/") or "."

    @property
    def is_one_heart(self) -> bool:
        """Whether the two lie on one grid and look like one heart."""
        return (
            self.ed.shares_grid(self.es) and likeness(self.ed.seen, self.es.seen) >= LIKE_ONE_HEART
        )

    def is_of(self, cine: NiftiFile) -> bool:
        """Whether a cine is of the same case, on the same grid, and shows the same heart."""
        follows = stem_of(cine.name).removeprefix(self.case)
        return (
            cine.phases >= CINE_PHASES
            and stem_of(cine.name).startswith(self.case)
            and (self.case[-1:] in ("", "/") or not follows[:1].isalnum())
            and "/" not in follows
            and cine.shares_grid(self.ed)
            and max(likeness(cine.seen, one.seen) for one in (self.ed, self.es)) >= LIKE_ONE_HEART
        )


def named_pairs(files: Iterable[NiftiFile]) -> list[Pair]:
    """Return every two files of one phase that are named ED and ES of one case.

    Whether they are one heart is still to be seen.
    """
    families: dict[tuple[str, str], dict[str, list[NiftiFile]]] = defaultdict(dict)
    for one in files:
        if one.phases == 1 and (said := _moment_of(one)) is not None:
            moment, *rest = said
            families[rest[0], rest[1]].setdefault(moment, []).append(one)
    return [
        Pair(family["ED"][0], family["ES"][0], FRAME_WORD.sub("", before).rstrip(SEPARATORS))
        for (before, _), family in families.items()
        if {moment: len(found) for moment, found in family.items()} == {"ED": 1, "ES": 1}
    ]


def _moment_of(one: NiftiFile) -> tuple[str, str, str] | None:
    """Return ED or ES as the file's name or ``Info.cfg`` says, and the rest of the name."""
    if (found := MOMENT.fullmatch(stem_of(one.name))) is not None:
        return found["moment"].upper(), found["before"], found["after"]
    if (frame := one.frame) is not None:
        (before, after), number = frame
        moments = [moment for moment, at in _info_beside(one.path).items() if at == number]
        return (moments[0], before, after) if len(moments) == 1 else None
    return None


def _info_beside(path: Path) -> dict[str, int]:
    """Return the frame numbers of ED and ES that the folder's ``Info.cfg`` states."""
    place = path.with_name(INFO_FILE)
    try:
        if place.is_symlink():
            return {}
        with place.open("rb") as file:
            text = file.read(INFO_BYTES).decode("ascii", "replace")
    except OSError:
        return {}
    stated = re.findall(r"^\s*(ED|ES)\s*:\s*(\d{1,4})\s*$", text, re.MULTILINE)
    return {moment: int(number) for moment, number in stated}


def place_of_frames(files: Sequence[NiftiFile]) -> str:
    """Return what the names of a cine's frames begin with, at least their folder."""
    names = [stem_of(one.name) for one in files]
    shared = next(
        (i for i, letters in enumerate(zip(*names, strict=False)) if len(set(letters)) > 1),
        min(map(len, names)),
    )
    case = FRAME_WORD.sub("", names[0][:shared].rstrip("0123456789")).rstrip(SEPARATORS)
    return case.rstrip("/") or PurePosixPath(names[0]).parent.as_posix()


def read_named_pair(
    ed: Path, es: Path, *, spacing_mm: tuple[float, float, float] | None = None
) -> NiftiReading:
    """Read the two files of one heart as an image of two phases.

    Raises
    ------
    InputError, GeometryError
        When either cannot be read, or the two are not one stack.
    """
    reading = read_nifti_pair(ed, es, spacing_mm=spacing_mm)
    joined = QualityFlag(
        Severity.INFO,
        "SERIES_PER_PHASE",
        "End-diastole and end-systole came as a file each; they were joined as they are named, "
        "and no time between them is known.",
        "2 files",
    )
    return replace(reading, flags=(*reading.flags, joined))


def not_joined() -> QualityFlag:
    """Return the flag on files that are named as one heart and do not look like it."""
    return QualityFlag(
        Severity.REVIEW,
        "SERIES_PER_PHASE",
        "Two files are named end-diastole and end-systole of one heart, but do not lie on one "
        "grid or do not look like one heart: they were not joined. Check the export.",
        "2 files",
    )
