"""Long axes: cut ellipses of known area and length, read by a network that knows greys."""

from dataclasses import replace
from functools import cached_property

import numpy as np
import pytest

from opencmr.analyses.analysis import Parts
from opencmr.analyses.function import NAME as FUNCTION
from opencmr.analyses.long_axes import LONG_AXES, disagreement
from opencmr.analyses.plan import plan_study
from opencmr.anatomy.policy import ACDC_POLICY
from opencmr.anatomy.structures import ACDC
from opencmr.anatomy.techniques import Technique
from opencmr.anatomy.views import View
from opencmr.geometry.grid import Grid
from opencmr.imaging.axis import Heartbeat
from opencmr.imaging.measurement import Measurement
from opencmr.imaging.measurements import Measurements
from opencmr.imaging.reading import Reading
from opencmr.imaging.study import Series, Study
from opencmr.measure.function.ejection import LVEF
from opencmr.measure.function.long_axes import measure_long_axes
from opencmr.measure.function.long_axis_view import LongAxisView
from opencmr.models.library import Library
from opencmr.models.session import Networks
from opencmr.report.blocks import Montage, Table
from opencmr.report.contents import Provenance, Report
from opencmr.report.sections import hearts, long_axis_function
from tests.grey_network import Grey, grey_card

from .conftest import CINE_RR_MS, grid, series

GREYS = np.array([0.0, 0.4, 0.7, 1.0], np.float32)
"""Of background, right ventricle, wall and cavity: between cavity and wall lies no other grey."""
WHERE = grid(np.array([0.0]), 130, 1.4)
PHASES = 6
SYSTOLE = 2
LENGTH_MM, RADIUS_MM, WALL_MM, DESCENT_MM = 84.0, 25.0, 9.0, 12.0
CARD = grey_card(
    ACDC, ACDC_POLICY, Technique.CINE, view=View.LONG_AXIS, window_px=160, name="grey_lax"
)


class GreyNetworks(Networks):
    """A library of that one model."""

    @cached_property
    def library(self) -> Library:
        return Library((CARD,), ())

    def segmentation(self, view, technique, *, name=None):
        assert (view, technique, name) == (View.LONG_AXIS, Technique.CINE, "grey_lax@1.0")
        return Grey(CARD, GREYS)


def truth_labels(radius_mm: float = RADIUS_MM) -> np.ndarray:
    """Labels ``(T, 1, Y, X)``: the cavity narrows and its valve descends; apex at the right."""
    down, right = (np.indices(WHERE.shape[1:]) - 65.0) * 1.4
    labels = np.zeros((PHASES, 1, *WHERE.shape[1:]), np.uint8)
    for phase in range(PHASES):
        emptied = 1 - abs(phase - SYSTOLE) / SYSTOLE if phase <= 2 * SYSTOLE else 0.0
        half, across = LENGTH_MM / 2, radius_mm - 8 * emptied
        below = right > -half + 14 + DESCENT_MM * emptied
        inner = (right / half) ** 2 + (down / across) ** 2 < 1
        outer = (right / (half + WALL_MM)) ** 2 + (down / (across + WALL_MM)) ** 2 < 1
        beside = (right / half) ** 2 + ((down + across + 25) / 20) ** 2 < 1
        labels[phase, 0][beside & below] = 1
        labels[phase, 0][outer & below] = 2
        labels[phase, 0][inner & below] = 3
    return labels


def across(where: Grid) -> Grid:
    """Return the grid turned by a right angle about the middle of its rows, the heart's axis."""
    affines = where.affines.copy()
    rows = where.shape[1]
    middle = affines[:, :3, 3] + affines[:, :3, 0] * (rows - 1) / 2
    affines[:, :3, 0], affines[:, :3, 2] = (
        affines[:, :3, 2] / np.linalg.norm(affines[0, :3, 2]) * where.row_spacing_mm,
        -affines[:, :3, 0] / where.row_spacing_mm,
    )
    affines[:, :3, 3] = middle - affines[:, :3, 0] * (rows - 1) / 2
    return Grid(where.shape, affines)


def long_axis(
    key: str, view: View, *, sure: float = 0.9, where: Grid = WHERE, **radius: float
) -> Series:
    values = 800 * GREYS[truth_labels(**radius)]
    times_ms = np.arange(PHASES)[:, None] / PHASES * CINE_RR_MS
    along = Heartbeat(times_ms, np.array([CINE_RR_MS]))
    one = series(key, values, along, Technique.CINE, where)
    return replace(one, view=view, view_confidence=sure)


TWO, FOUR = (
    long_axis("s05", View.TWO_CHAMBER),
    long_axis("s07", View.FOUR_CHAMBER, where=across(WHERE), radius_mm=28),
)


def read(*found: Series) -> Reading:
    networks = GreyNetworks()
    study = Study("phantom", found)
    (planned,) = plan_study(study, (LONG_AXES,), library=networks.library)
    assert planned.model == "grey_lax@1.0"
    return LONG_AXES.read(Parts(study, planned.series, planned.model), {}, networks)


@pytest.fixture(scope="module")
def reading() -> Reading:
    return read(TWO, FOUR)


def test_what_is_measured_is_what_the_labels_hold(reading: Reading) -> None:
    two, four = (reading.segmentations[key] for key in ("s05", "s07"))
    truth = measure_long_axes(
        [
            LongAxisView("2CH", "s05", replace(two, labels=truth_labels())),
            LongAxisView("4CH", "s07", replace(four, labels=truth_labels(28))),
        ]
    )
    for one in truth:
        found = reading.measurements.value(one.quantity.symbol)
        # A grey between cavity and background is of neither: that edge loses half a pixel.
        assert found == pytest.approx(one.value, rel=0.08)
    assert reading.measurements.value("MAPSE") == pytest.approx(DESCENT_MM, abs=1.5)
    assert reading.landmarks["s07"].lv.es_phase == SYSTOLE
    assert reading.flags == ()


def test_an_ejection_fraction_far_from_that_of_the_stack_is_for_a_reader(reading: Reading) -> None:
    own = reading.measurements.value("LVEF_LAX")
    for of_stack, codes in ((own - 16, ["LONG_AXES_DISAGREE"]), (own - 10, [])):
        stack = Measurements((Measurement(LVEF, of_stack),))
        flags = disagreement(reading.measurements, stack)
        assert [one.code for one in flags] == codes


def test_one_view_is_measured_by_itself() -> None:
    found = read(TWO).measurements
    assert found.find("LVEDV_LAX").evidence == "2CH"
    assert found.value("LVEDV_LAX") is not None
    assert found.find("MAPSE").reason.code == "NO_VALVE_SEEN", "nothing confirms the valve"


def test_of_several_of_one_view_the_surest_is_taken() -> None:
    study = Study("phantom", (replace(TWO, key="s03", view_confidence=0.5), TWO, FOUR))
    (planned,) = plan_study(study, (LONG_AXES,), library=Library((CARD,), ()))
    assert planned.plain["series"] == ["s05", "s07"]


@pytest.mark.parametrize(
    "other",
    [
        replace(TWO, view=View.SAX),
        replace(TWO, view=View.THREE_CHAMBER),
        replace(TWO, sequence=Technique.LGE),
        replace(TWO, image=replace(
            TWO.image, values=TWO.image.values[:1],
            along=Heartbeat(np.zeros((1, 1)), np.array([CINE_RR_MS])),
        )),
    ],
)  # fmt: skip
def test_what_is_no_two_or_four_chamber_cine_is_not_read(other: Series) -> None:
    study = Study("phantom", (other,))
    (planned,) = plan_study(study, (LONG_AXES,), library=Library((CARD,), ()))
    assert planned.plain["reason"]["code"] == "NO_LONG_AXIS"


def test_a_view_without_a_heart_is_told_and_the_other_measured() -> None:
    empty = replace(TWO, image=replace(TWO.image, values=np.zeros_like(TWO.image.values)))
    found = read(empty, FOUR)
    assert [(one.code, one.about.series) for one in found.flags] == [("NO_HEART_FOUND", "s05")]
    assert found.measurements.find("LVEDV_LAX").evidence == "4CH"


def test_without_a_model_the_plan_says_so() -> None:
    (planned,) = plan_study(Study("phantom", (TWO,)), (LONG_AXES,), library=Library((), ()))
    assert planned.plain["reason"]["code"] == "NO_MODEL"


def test_the_section_shows_numbers_beside_the_stack_and_both_phases(reading: Reading) -> None:
    of_stack = Measurements((Measurement(LVEF, 61.0, analysis=FUNCTION),))
    found = Measurements((*of_stack, *reading.measurements.found_by("long axes")))
    report = Report(
        Study("phantom", (TWO, FOUR)),
        reading.segmentations,
        reading.landmarks,
        found,
        reading.flags,
        Provenance("0", (), {}, ""),
    )
    table, montage = long_axis_function.tell(report)
    assert isinstance(table, Table)
    assert isinstance(montage, Montage)
    by_symbol = {row.cells[0].small: row.cells for row in table.rows}
    assert by_symbol["LVEF_LAX"][2].text == "61"
    assert by_symbol["MAPSE"][2].text == ""
    assert len(montage.pictures) == 4
    assert hearts.tell(report) == (), "a long axis is no stack"
    assert long_axis_function.tell(replace(report, measurements=of_stack)) == ()
