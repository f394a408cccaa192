"""Maps of relaxation times on the page and as files."""

import json
from dataclasses import replace
from pathlib import Path

import nibabel
import numpy as np
import pytest

from opencmr.analyses.mapping import NAME as MAPPING
from opencmr.anatomy.aha import AHA_SEGMENTS
from opencmr.anatomy.map_kinds import MapKind
from opencmr.anatomy.policy import ACDC_POLICY
from opencmr.anatomy.reasons import Reason
from opencmr.anatomy.structures import ACDC
from opencmr.imaging.measurement import Measurement
from opencmr.imaging.measurements import Measurements
from opencmr.imaging.relaxation import TimeMap
from opencmr.imaging.segmentation import Author, AuthorKind, Segmentation
from opencmr.measure.relaxometry.extracellular import ECV
from opencmr.measure.relaxometry.in_wall import OF_MAPS
from opencmr.report import html, maps, palette, pdf
from opencmr.report.blocks import Beside, Bullseye, Montage, Notes, Table
from opencmr.report.contents import Report
from opencmr.report.map_pictures import colours
from opencmr.report.sections import tissue, truth
from opencmr.report.sections.table import page_of
from opencmr.report.writers import write_report

from .conftest import sax_grid

T1 = OF_MAPS[MapKind.T1, False]


@pytest.fixture
def mapped(small_report: Report) -> Report:
    """A report with a T1 map of three slices, a ring in each, and one slice partly unfitted."""
    grid = sax_grid(3, 60, 50)
    rows, columns = np.indices((60, 50))
    radius = np.hypot(rows - 30, columns - 25)
    labels = np.zeros((1, 3, 60, 50), np.uint8)
    labels[:, :, radius < 14] = 2
    labels[:, :, radius < 9] = 3
    values_ms = np.where(labels[0] == 2, 1000.0, 1600.0)
    values_ms[1, :4] = np.nan
    wall = Segmentation(labels, ACDC, grid, ACDC_POLICY, Author(AuthorKind.READER, "truth"))
    found = TimeMap(MapKind.T1, values_ms, grid, "MOLLI: 8 pictures, S = A", wall=wall)
    why = Reason("OUT_OF_PLANE", "no slice of the map is mid-ventricular")
    measurements = (
        Measurement(T1.mean, 1000.0, series="s02", evidence="500 pixels"),
        Measurement(T1.septum, None, why, series="s02"),
        *(
            Measurement(T1.mean, 900.0 + one.number, segment=one.number, series="s02")
            for one in AHA_SEGMENTS
        ),
    )
    return replace(
        small_report,
        maps={"s02": found},
        measurements=Measurements(measurements).found_by(MAPPING),
    )


def test_a_map_is_a_montage_in_colour_with_a_bar_in_ms(mapped: Report) -> None:
    montage = tissue.tell(mapped)[0]
    assert isinstance(montage, Montage)
    assert [one.caption for one in montage.pictures] == ["1", "2", "3"]
    assert montage.title == "T1 map"
    assert montage.bar is not None
    assert (montage.bar.low, montage.bar.high, montage.bar.unit) == ("0", "2000", "ms")
    assert "not registered" in " ".join(montage.hint.split())


def test_what_was_shifted_stands_with_the_misfit_before_and_after(mapped: Report) -> None:
    told = "3 of 8 pictures shifted by up to 4.7 mm: misfit 25.1 before, 1.2 after"
    found = replace(mapped.maps["s02"], made_by=f"MOLLI: 8 pictures, S = A; {told}")
    notes = tissue.tell(replace(mapped, maps={"s02": found}))[-1]
    assert isinstance(notes, Notes)
    assert told in notes.lines[0].text
    assert "where no shift is told, none was made" in " ".join(notes.small)


def test_the_truth_of_tissue_stands_beside_its_only_measurement(mapped: Report) -> None:
    known = {"T1": 1010.0, "T1_SEPTUM": 990.0, "ECV": 26.0}
    (table,) = truth.tell(replace(mapped, truth=known))
    assert isinstance(table, Table)
    shown = [[cell.text for cell in row.cells[1:4]] for row in table.rows]
    assert shown == [["1010.0", "1000.0", "\N{MINUS SIGN}10.0"], ["990.0", "–", "–"]]
    again = Measurements((Measurement(T1.mean, 900.0, series="s03"),)).found_by(MAPPING)
    both = Measurements((*mapped.measurements.found, *again.found))
    (table,) = truth.tell(replace(mapped, measurements=both, truth=known))
    assert [row.cells[1].text for row in table.rows] == ["990.0"]


def test_a_pictures_colour_is_that_of_the_bar_and_no_value_is_dark() -> None:
    shown = colours(np.array([[500.0, 5000.0, np.nan]]), (0.0, 2000.0))[0]
    assert tuple(shown[0]) == palette.rgb(palette.mix(palette.PERCEPTUAL, 0.25))
    assert tuple(shown[1]) == palette.rgb(palette.PERCEPTUAL[-1])
    assert tuple(shown[2]) == palette.rgb(palette.DARK)


def test_the_palette_grows_evenly_in_brightness() -> None:
    red, green, blue = np.array([palette.rgb(stop) for stop in palette.PERCEPTUAL]).T / 255
    linear = (
        np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4) for c in (red, green, blue)
    )
    luminance = np.array([0.2126, 0.7152, 0.0722]) @ np.array(list(linear))
    lightness = 116 * np.cbrt(luminance) - 16
    steps = np.diff(lightness)
    assert steps.min() > 0.6 * steps.max()


def test_numbers_reasons_segments_and_method_are_told(mapped: Report) -> None:
    blocks = tissue.tell(mapped)
    (table,) = (one for one in blocks if isinstance(one, Table))
    told = [[cell.text for cell in row.cells] for row in table.rows]
    assert told[0] == ["Myocardial T1", "s02", "1000", "500 pixels"]
    assert told[1][2:] == ["no value", "no slice of the map is mid-ventricular"]
    assert any(isinstance(one, Beside) for one in blocks)
    notes = blocks[-1]
    assert isinstance(notes, Notes)
    assert "MOLLI: 8 pictures" in notes.lines[0].text


def test_the_colours_of_segments_are_on_a_scale_of_their_own_quantity(mapped: Report) -> None:
    volumes = tuple(Measurement(ECV, 24.0 + n, segment=n, series="s02") for n in range(1, 17))
    both = Measurements((*mapped.measurements, *volumes)).found_by(MAPPING)
    (columns,) = (
        one for one in tissue.tell(replace(mapped, measurements=both)) if isinstance(one, Beside)
    )
    bars = [one.bar for column in columns.columns for one in column if isinstance(one, Bullseye)]
    assert [(bar.unit, bar.low, bar.high) for bar in bars] == [
        ("ms", "0", "2000"),
        ("%", "0", "60"),
    ]


def test_a_map_without_a_wall_is_shown_whole_and_promises_no_outline(mapped: Report) -> None:
    bare = replace(
        mapped,
        maps={"s02": replace(mapped.maps["s02"], wall=None)},
        measurements=Measurements(),
    )
    montage, notes = tissue.tell(bare)
    assert isinstance(montage, Montage)
    assert montage.legend == ()
    assert montage.hint == ""
    assert 'viewBox="0 0 70.0 84.0"' in montage.pictures[0].drawing
    assert isinstance(notes, Notes)


def test_a_study_without_maps_has_no_word_of_them(small_report: Report) -> None:
    assert tissue.tell(small_report) == ()


def test_page_and_pdf_show_the_map(mapped: Report) -> None:
    page = page_of(mapped)
    assert "Tissue mapping" in page.subject
    markup = html.markup(page)
    assert "T1 map" in markup
    assert "Further measurements" not in markup
    assert pdf.document(page).startswith(b"%PDF-")


def test_a_map_is_written_where_it_lies_with_nan_where_nothing_was_fitted(
    mapped: Report, tmp_path: Path
) -> None:
    written = maps.write(mapped, tmp_path)
    assert [path.name for path in written] == ["s02_t1.nii.gz", "s02_t1.json"]
    image = nibabel.load(written[0])
    values = np.asarray(image.dataobj).T
    found = mapped.maps["s02"]
    assert np.array_equal(values, found.values_ms, equal_nan=True)
    assert np.isnan(values[1, :4]).all()
    place = image.affine @ [7, 5, 2, 1]
    assert place[:3] == pytest.approx(found.grid.position_mm(2, 5, 7) * [-1, -1, 1], abs=1e-3)
    assert json.loads(written[1].read_text())["unit"] == "ms"


def test_the_record_of_the_run_lists_the_maps(mapped: Report, tmp_path: Path) -> None:
    write_report(mapped, tmp_path)
    record = json.loads((tmp_path / "run.json").read_text())
    assert "maps/s02_t1.nii.gz" in {one["path"] for one in record["files"]}
