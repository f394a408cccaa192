"""The contact sheet: a picture, a name and a probability of each series, and no header's word."""

import base64
import io
import re
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image as Photograph

from opencmr.anatomy.techniques import Technique
from opencmr.geometry.grid import grid_from_spacing
from opencmr.imaging.image import untimed_image
from opencmr.imaging.study import Identity, ScannerSeries, Series, SeriesHeader, Study
from opencmr.report import contact_sheet, html
from opencmr.report.contents import Report
from opencmr.report.sections import series as section
from opencmr.sort.examination import name_series
from opencmr.sort.sorting import sort_study

HEADER = SeriesHeader(modality="MR", series_description="<b>SMITH</b>", flip_angle_deg=50.0)


def study_of(count: int, rows: int = 64, columns: int = 96, noise: float = 1.0) -> Study:
    """Stacks of a bright disc in noise, of 2 mm by 1 mm pixels."""
    random = np.random.default_rng(1)
    grid = grid_from_spacing((3, rows, columns), (8.0, 2.0, 1.0))
    y, x = np.indices((rows, columns))
    disc = 500.0 * (np.hypot(y - rows / 2, (x - columns / 2) / 2) < rows / 5)
    stacks = []
    for number in range(count):
        values = disc + 100 * noise * random.random((1, 3, rows, columns))
        image = untimed_image(values.astype(np.float32), grid)
        key = f"s{number + 1:02d}"
        stacks.append(Series(key, image, uids=(f"1.{number}",), header=HEADER))
    return sort_study(Study("k", tuple(stacks)))


def pictures_in(markup: str) -> list[Photograph.Image]:
    found = re.findall(r"data:image/jpeg;base64,([A-Za-z0-9+/=]+)", markup)
    return [Photograph.open(io.BytesIO(base64.b64decode(one))) for one in found]


def test_a_thumbnail_has_the_true_aspect_and_shows_what_is_bright():
    # 64 rows of 2 mm and 96 columns of 1 mm: higher than wide by 4 to 3.
    thumbnail = contact_sheet.thumbnail_of(study_of(1, noise=0.0).series[0].image)
    picture = Photograph.open(io.BytesIO(thumbnail.jpeg))
    assert picture.size == (120, 160)
    assert (thumbnail.width, thumbnail.height) == (0.75, 1.0)
    grey = np.asarray(picture)
    assert grey[80, 60] > 180
    assert grey[5, 5] < 20


@pytest.mark.parametrize("value", [0.0, 7.0, np.nan])
def test_a_picture_without_contrast_has_a_thumbnail_too(value):
    image = study_of(1).series[0].image
    image = replace(image, values=np.full_like(image.values, value))
    picture = Photograph.open(io.BytesIO(contact_sheet.thumbnail_of(image).jpeg))
    assert np.ptp(np.asarray(picture)) == 0


def test_twenty_noisy_series_stay_below_300_kilobytes():
    montage = contact_sheet.of_stacks(study_of(20, 192, 384))
    assert montage is not None
    markup = html.markup(contact_sheet.page_of(montage, "k", "opencmr"))
    assert len(pictures_in(markup)) == 20
    assert len(markup) < 300_000


def test_more_series_than_a_sheet_holds_are_said():
    montage = contact_sheet.of_stacks(study_of(contact_sheet.MOST + 2, 8, 8))
    assert montage is not None
    assert len(montage.pictures) == contact_sheet.MOST
    assert montage.note == "62 series, the first 60 shown"


def test_a_series_has_its_picture_or_says_that_none_was_read_and_no_header_speaks():
    study = study_of(1)
    scanned = [ScannerSeries(uid, "9", "k", HEADER, Identity(), 3) for uid in ("1.0", "1.7")]
    montage = contact_sheet.of_series(study, name_series(study, scanned, None))
    assert montage is not None
    read, unread = montage.pictures
    assert "image/jpeg" in read.drawing
    assert "no picture read" in unread.drawing
    markup = html.markup(contact_sheet.page_of(montage, "k", "opencmr"))
    assert "SMITH" not in markup
    assert len(pictures_in(markup)) == 1


def test_a_study_without_series_has_no_sheet():
    assert contact_sheet.of_stacks(Study("k", ())) is None
    assert contact_sheet.of_series(None, ()) is None


@pytest.mark.parametrize("technique", [Technique.LGE, Technique.CINE])
def test_what_the_caller_stated_is_shown_as_stated_and_not_guessed_again(technique):
    study = study_of(1)
    headless = tuple(replace(one, header=SeriesHeader()) for one in study.series)
    montage = contact_sheet.of_stacks(sort_study(replace(study, series=headless), stated=technique))
    assert montage is not None
    assert montage.pictures[0].caption == f"s01 {technique.value} · SAX · stated"


def test_the_page_shows_every_series_with_its_verdict(small_report: Report):
    sheet, table = section.tell(small_report)
    assert len(sheet.pictures) == len(table.rows) == len(small_report.study.series)
    captions = [one.caption for one in sheet.pictures]
    assert any(re.fullmatch(r"s\d\d cine bSSFP · SAX · (> 99|\d\d) %", one) for one in captions)
    assert not any("100 %" in one for one in captions)
