"""A study at a glance: one small picture of each series, with what it was named and how surely."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image as Photograph

from opencmr.imaging.image import Image
from opencmr.imaging.study import Series, Study
from opencmr.report.blocks import Montage, Page, Picture
from opencmr.report.contents import DISCLAIMER
from opencmr.report.heart_pictures import encoded, greyed, window_of
from opencmr.report.templating import draw
from opencmr.sort.examination import NamedSeries, Naming, named_stacks

LONGER_SIDE_PX = 160
JPEG_QUALITY = 72
"""Some 5 kB a picture: twenty series stay below 200 kB."""
MOST = 60
"""Pictures of one sheet at most."""
COLUMNS = 5
MOST_CERTAIN_PERCENT = 99.0
TITLE = "Contact sheet"
ABOUT = (
    "The middle slice of each series. The percentage is the probability that the names of sequence "
    "and view are both right, fitted on simulated studies: it says what to look at first."
)


@dataclass(frozen=True, slots=True)
class Thumbnail:
    """A small picture, longer side 1; without any where nothing could be read."""

    jpeg: bytes
    width: float
    height: float


NOTHING_READ = Thumbnail(b"", 1.0, 1.0)


def thumbnail_of(image: Image) -> Thumbnail:
    """Return the middle slice of the first phase, in true aspect."""
    grid = image.grid
    values = image.values[0, grid.shape[0] // 2]
    height, width = grid.shape[1] * grid.row_spacing_mm, grid.shape[2] * grid.column_spacing_mm
    longer = max(height, width)
    grey = greyed(values, *window_of(values, np.zeros(values.shape, dtype=bool)))
    size = (
        max(round(LONGER_SIDE_PX * width / longer), 1),
        max(round(LONGER_SIDE_PX * height / longer), 1),
    )
    small = Photograph.fromarray(grey).resize(size, Photograph.Resampling.LANCZOS)
    return Thumbnail(
        encoded(small, "JPEG", quality=JPEG_QUALITY), size[0] / max(size), size[1] / max(size)
    )


def of_stacks(study: Study) -> Montage | None:
    """Return the sheet of a sorted study, a picture for each stack; None where there is none."""
    namings = named_stacks(study)
    return _sheet(
        [
            (f"{one.key} {_said_of(one, namings[one.key])}", thumbnail_of(one.image))
            for one in study.series[:MOST]
        ],
        len(study.series),
    )


def of_series(study: Study | None, named: Sequence[NamedSeries]) -> Montage | None:
    """Return the sheet of a study's named series, with no word of their headers.

    Parameters
    ----------
    study : Study or None
        None where no picture could be read.
    named : sequence of NamedSeries
    """
    stacks = () if study is None else study.series
    shown = []
    for one in named[:MOST]:
        uid = one.scanned.uid
        found = next((stack for stack in stacks if not uid or uid in stack.uids), None)
        picture = NOTHING_READ if found is None else thumbnail_of(found.image)
        shown.append((verdict(one.naming), picture))
    return _sheet(shown, len(named))


def _said_of(one: Series, naming: Naming) -> str:
    """Return what the caller stated, as it was stated, or else the names and their probability."""
    if one.is_stated:
        return f"{one.sequence.value} · {one.view.value} · stated"
    return verdict(naming)


def verdict(naming: Naming) -> str:
    """Return the names and the probability that both are right, as a caption: never certain."""
    percent = 100 * naming.probability
    sure = "> 99" if percent > MOST_CERTAIN_PERCENT else f"{percent:.0f}"
    return f"{naming.sequence.value} · {naming.view.value} · {sure} %"


def page_of(montage: Montage, key: str, made_by: str) -> Page:
    """Return a page that holds a sheet and nothing else."""
    return Page(
        subject=TITLE, disclaimer=DISCLAIMER, made_by=f"{made_by} · study {key}", blocks=(montage,)
    )


def _sheet(shown: Iterable[tuple[str, Thumbnail]], series: int) -> Montage | None:
    pictures = tuple(
        Picture(draw("thumbnail.svg.j2", thumbnail=thumbnail, described=caption), caption)
        for caption, thumbnail in shown
    )
    if not pictures:
        return None
    note = f"{series} series" + (f", the first {MOST} shown" if series > MOST else "")
    return Montage(pictures, COLUMNS, TITLE, note=note, hint=ABOUT)
