"""Contours as polygon files: one text file for each image and surface, as of Sunnybrook.

The Sunnybrook Cardiac Data (Radau et al., The MIDAS Journal 2009) name a file
``IM-0001-0059-icontour-manual.txt``: ``0059`` is the image's InstanceNumber, ``icontour`` the
endocardium, ``ocontour`` the epicardium.  A line holds x (column) and y (row) in pixels.
"""

import os
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from opencmr.anatomy.policy import ACDC_POLICY
from opencmr.errors import ConfigurationError, GeometryError, InputError
from opencmr.imaging.flag import QualityFlag, Severity
from opencmr.imaging.given_contours import Contour, GivenContours, Surface
from opencmr.imaging.segmentation import Author, AuthorKind
from opencmr.storage import sha256_of_bytes

FILE_NAME = re.compile(r"IM-\d{1,9}-(?P<number>\d{1,9})-(?P<surface>[io])contour(-\w{1,20})?\.txt")
SURFACES = {"i": Surface.ENDOCARDIUM, "o": Surface.EPICARDIUM}
FIRST_PIXEL = 1.0
"""Coordinate of the first pixel's centre: seen in Sunnybrook by the images' brightness, where the
cavity is brightest against the wall with one pixel taken off x and y."""
LARGEST_BYTES = 1 << 20
"""Of one file; an outline takes some kB."""
MOST_FILES = 100_000


def read_contours(folder: Path, *, author: str, series: str | None = None) -> GivenContours:
    """Read every contour file in a folder and below it.

    Parameters
    ----------
    folder : Path
    author : str
        Who drew the contours.
    series : str or None
        Key of the series that they belong to, where the caller knows.

    Raises
    ------
    InputError, GeometryError
        When there is no contour, two are of one image and surface, or one is no polygon; the
        message names the image's number.
    ConfigurationError
        When ``folder`` is none, or the author has no name.
    """
    if not author.strip():
        raise ConfigurationError("the author of the contours needs a name")
    if not folder.is_dir():
        raise ConfigurationError(f"--contours: {folder} is no folder")
    found: dict[tuple[int, Surface], tuple[Contour, str]] = {}
    unread = 0
    for path in _text_files(folder):
        named = FILE_NAME.fullmatch(path.name)
        if named is None:
            unread += 1
            continue
        number, surface = int(named["number"]), SURFACES[named["surface"]]
        contour, digest = _read(path, number, surface)
        if (number, surface) in found:
            raise InputError(
                f"two files hold {contour.name}; expected one: leave one of them out of the folder"
            )
        found[number, surface] = contour, digest
    if not found:
        raise InputError(
            "the folder of contours holds none; expected files named as of Sunnybrook, "
            "IM-0001-0059-icontour-manual.txt (endocardium of image 59) or -ocontour- (epicardium)"
        )
    ordered = [found[key] for key in sorted(found)]
    return GivenContours(
        tuple(contour for contour, _ in ordered),
        ACDC_POLICY,
        Author(AuthorKind.READER, author.strip()),
        sha256_of_bytes("\n".join(digest for _, digest in ordered).encode("ascii")),
        series,
        (_unread(unread),) if unread else (),
    )


def _text_files(folder: Path) -> Iterator[Path]:
    """Yield the text files below a folder in order; links are not followed."""
    seen = 0
    for place, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names):
            seen += 1
            if seen > MOST_FILES:
                raise InputError(f"the folder of contours holds more than {MOST_FILES} files")
            path = Path(place, name)
            if path.suffix.lower() == ".txt" and path.is_file() and not path.is_symlink():
                yield path


def _read(path: Path, number: int, surface: Surface) -> tuple[Contour, str]:
    """Return the contour in a file and the file's hash."""
    name = f"the {surface.value} contour of image {number}"
    with path.open("rb") as file:
        data = file.read(LARGEST_BYTES + 1)
    if len(data) > LARGEST_BYTES:
        raise InputError(f"{name} has more than {LARGEST_BYTES >> 20} MiB")
    points = [
        _point(line, name, at)
        for at, line in enumerate(data.decode("ascii", "replace").splitlines(), start=1)
        if line.strip()
    ]
    columns_rows = np.array(points, dtype=np.float64).reshape(-1, 2)
    return Contour(number, surface, columns_rows[:, ::-1] - FIRST_PIXEL), sha256_of_bytes(data)


def _point(line: str, name: str, at: int) -> tuple[float, float]:
    """Return x and y of a line; the line itself is not repeated: it may hold anything."""
    try:
        x, y = map(float, line.split())
    except ValueError:
        raise InputError(f"{name}, line {at}: expected two numbers, x and y in pixels") from None
    if not (np.isfinite(x) and np.isfinite(y)):
        raise GeometryError(f"{name}, line {at}: the numbers are not finite")
    return x, y


def _unread(count: int) -> QualityFlag:
    return QualityFlag(
        Severity.INFO,
        "CONTOURS_UNREAD",
        "Text files in the folder of contours are named as neither endocardial nor epicardial "
        "contours, and were not read (papillary muscles count in the cavity).",
        f"{count} file{'s' * (count != 1)}",
    )
