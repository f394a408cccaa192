"""The lines on a long-axis view lie where the short-axis slices were measured."""

import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image as Picture

from opencmr.anatomy.techniques import Technique
from opencmr.anatomy.views import View
from opencmr.geometry.grid import Grid, grid_from_spacing
from opencmr.imaging.axis import Heartbeat
from opencmr.imaging.image import Image
from opencmr.imaging.study import Series
from opencmr.report.blocks import Montage
from opencmr.report.contents import Report
from opencmr.report.long_axis_pictures import long_axes, same_moment
from opencmr.report.sections import long_axis

FRAME = "1.2.3.9"
ABOVE_MM = 60.0
"""From the first row of the long axis to the first short-axis slice."""
LONG_MM = 1.0
ROWS, COLUMNS, PHASES = 170, 101, 6


def _long_grid() -> Grid:
    """Rows run along the stack's normal; through the middle of the short-axis pictures."""
    affine = np.zeros((1, 4, 4))
    affine[0, 2, 0] = affine[0, 0, 1] = LONG_MM
    affine[0, :, 3] = (0.0, 45.0, -ABOVE_MM, 1.0)
    return Grid((1, ROWS, COLUMNS), affine)


def _with_view(report: Report, *, frame: str = FRAME, view: View = View.FOUR_CHAMBER) -> Report:
    """Add a long-axis cine that is bright in the plane of each short-axis slice."""
    stack = report.study.series[1]
    values = np.zeros((PHASES, 1, ROWS, COLUMNS), dtype=np.float32)
    for position_mm in stack.image.grid.slice_positions_mm:
        values[:, :, round((position_mm + ABOVE_MM) / LONG_MM)] = 100.0
    times_ms = (np.arange(PHASES) * 920.0 / PHASES)[:, None]
    image = Image(values, _long_grid(), Heartbeat(times_ms, np.full(1, 920.0)))
    cine = Series("s03", image, frame_of_reference_uid=frame, view=view, sequence=Technique.CINE)
    series = (report.study.series[0], replace(stack, frame_of_reference_uid=FRAME), cine)
    return replace(report, study=replace(report.study, series=series))


def test_each_line_lies_on_its_slice(small_report: Report) -> None:
    report = _with_view(small_report)
    masks = report.segmentations["s02"]
    (view,) = long_axes(report.study, report.study.series[1], masks, 0)
    labelled = np.flatnonzero(masks.labels[0].any((1, 2)))
    assert [cut.slice_number for cut in view.cuts] == [int(z) + 1 for z in labelled]
    grey = np.asarray(Picture.open(io.BytesIO(view.jpeg)), dtype=float)
    a_pixel_mm = view.height_mm / grey.shape[0]
    for cut in view.cuts:
        assert cut.start[1] == pytest.approx(cut.end[1], abs=0.02)
        row = int(cut.start[1] / a_pixel_mm)
        assert grey[row - 1 : row + 2].mean(1).max() > 100
        assert grey[row + 8 : row + 12].mean() < 60
    heights = [cut.start[1] for cut in view.cuts]
    assert np.diff(heights) == pytest.approx(10.0, abs=0.02)


@pytest.mark.parametrize(
    ("frame", "view"),
    [("1.2.3.10", View.FOUR_CHAMBER), ("", View.FOUR_CHAMBER), (FRAME, View.RVOT)],
)
def test_a_view_of_another_frame_or_plane_is_not_drawn(
    small_report: Report, frame: str, view: View
) -> None:
    assert long_axis.tell(_with_view(small_report, frame=frame, view=view)) == ()


def test_where_the_stack_names_no_frame_nothing_is_drawn(small_report: Report) -> None:
    report = _with_view(small_report, frame="")
    series = tuple(replace(one, frame_of_reference_uid="") for one in report.study.series)
    assert long_axis.tell(replace(report, study=replace(report.study, series=series))) == ()
    assert long_axis.tell(small_report) == ()


def test_an_unknown_orientation_is_not_drawn(small_report: Report) -> None:
    report = _with_view(small_report)
    cine = report.study.series[2]
    loose = grid_from_spacing((1, ROWS, COLUMNS), (8.0, 1.0, 1.0))
    image = Image(cine.image.values, loose, cine.image.along)
    series = (*report.study.series[:2], replace(cine, image=image))
    assert long_axis.tell(replace(report, study=replace(report.study, series=series))) == ()


def test_the_section_names_view_series_and_moment(small_report: Report) -> None:
    (montage,) = long_axis.tell(_with_view(small_report))
    assert isinstance(montage, Montage)
    assert montage.pictures[0].caption == "4CH, s03, phase 1 of 6, 0 ms"


def test_the_same_moment_is_found_across_the_r_wave(small_report: Report) -> None:
    image = small_report.study.series[1].image
    times_ms = np.array([[40.0], [300.0], [600.0], [905.0]])
    other = Image(
        np.zeros((4, 1, ROWS, COLUMNS), dtype=np.float32),
        _long_grid(),
        Heartbeat(times_ms, np.full(1, 920.0)),
    )
    assert same_moment(other, image, 0) == 3
