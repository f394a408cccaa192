"""Late enhancement against a heart of known scar, read by a network that knows greys."""

from dataclasses import replace
from functools import cached_property

import numpy as np
import pytest

from opencmr.analyses.analysis import Parts
from opencmr.analyses.function import NAME as FUNCTION
from opencmr.analyses.plan import plan_study
from opencmr.analyses.scar import LATE_ENHANCEMENT
from opencmr.analyses.table import ANALYSES
from opencmr.anatomy.plausible import MYOCARDIUM_G_PER_ML
from opencmr.anatomy.policy import EMIDEC_POLICY
from opencmr.anatomy.structures import EMIDEC
from opencmr.anatomy.techniques import Technique
from opencmr.anatomy.views import View
from opencmr.imaging.axis import Heartbeat, Single
from opencmr.imaging.landmarks import Cycle, Landmarks
from opencmr.imaging.reading import Reading
from opencmr.imaging.segmentation import Author, AuthorKind, Segmentation
from opencmr.imaging.study import Series, Study
from opencmr.models.library import Library
from opencmr.models.session import Networks
from opencmr.report.blocks import Table
from opencmr.report.contents import Provenance, Report
from opencmr.report.sections import enhancement
from opencmr.sort.roles import SHORT_AXIS_LGE
from tests.grey_network import Grey, grey_card
from tests.grey_wall import GreyWall, grey_wall_card

from .conftest import (
    CINE_GRID,
    MAP_RR_MS,
    MOMENT,
    SLICES,
    labels_at,
    molli,
    radii_mm,
    series,
)

GREYS = np.array([0.0, 0.5, 0.25, 0.75, 1.0], np.float32)
"""Of background, cavity, wall, scar and no-reflow."""
HALF_SECTOR_DEG = 55.0
"""Scar lies in the inner half of the wall, so far to either side of the middle of the free wall."""
CARD = grey_card(EMIDEC, EMIDEC_POLICY, Technique.LGE)


class GreyNetworks(Networks):
    """A library of that one model."""

    @cached_property
    def library(self) -> Library:
        return Library((CARD,), ())

    def segmentation(self, view, technique, *, name=None):
        wanted = {Technique.LGE: "grey@1.0", Technique.CINE: None}
        assert (view, name) == (View.SAX, wanted[technique])
        return Grey(CARD, GREYS)


def truth_labels() -> np.ndarray:
    """EMIDEC labels of the stack: no right ventricle, scar and in one slice no-reflow."""
    heart = labels_at(CINE_GRID, MOMENT)
    labels = np.select([heart == 3, heart == 2], [1, 2], 0).astype(np.uint8)
    rows, columns = np.indices(CINE_GRID.shape[1:])
    pixels = np.stack([rows, columns, np.zeros_like(rows), np.ones_like(rows)])
    inner_mm, outer_mm = radii_mm(MOMENT)
    for z in range(SLICES):
        x, y, height, _ = np.einsum("ij,jyx->iyx", CINE_GRID.affines[z], pixels)
        radius_mm = np.hypot(x, y) / (1 + 0.008 * height)
        sector = np.abs(np.arctan2(y, x)) < np.deg2rad(HALF_SECTOR_DEG)
        scar = (labels[z] == 2) & sector & (radius_mm < (inner_mm + outer_mm) / 2)
        labels[z][scar] = 3
        if z == 2:
            labels[z][scar & (np.abs(y) < 5) & (radius_mm > inner_mm + 1.5)] = 4
    return labels


def late_enhancement(*, brighter_half: float = 0.0, **header: object) -> Series:
    labels = truth_labels()
    values = 900 * GREYS[labels].astype(np.float64)
    values[:, :45][labels[:, :45] == 2] += 900 * brighter_half
    noise = np.random.default_rng(3).normal(0, 4, values.shape)
    along = Single(np.full((1, SLICES), MOMENT * MAP_RR_MS), np.full(SLICES, MAP_RR_MS))
    pixels = np.clip(values + noise * (labels > 0), 0, 900)
    return series("s02", pixels[None], along, Technique.LGE, CINE_GRID, **header)


def read(
    study: Study, function: Reading | None = None, networks: GreyNetworks | None = None
) -> Reading:
    networks = networks or GreyNetworks()
    (planned,) = plan_study(study, (LATE_ENHANCEMENT,), library=networks.library)
    assert planned.model == "grey@1.0"
    earlier = {} if function is None else {FUNCTION: function}
    return LATE_ENHANCEMENT.read(Parts(study, planned.series, planned.model), earlier, networks)


@pytest.fixture(scope="module")
def reading(cine: Series, contours: Segmentation) -> Reading:
    study = Study("phantom", (cine, late_enhancement()))
    return read(study, Reading({"s01": contours}))


def test_masses_and_share_of_scar_are_those_of_the_labels(reading: Reading) -> None:
    truth = truth_labels()
    gram = 1.4 * 1.4 * 8 / 1000 * MYOCARDIUM_G_PER_ML
    found = reading.measurements
    assert found.value("SCAR_MASS") == pytest.approx((truth >= 3).sum() * gram, rel=0.02)
    share = 100 * (truth >= 3).sum() / (truth >= 2).sum()
    assert found.value("SCAR_PERCENT") == pytest.approx(share, abs=0.5)
    assert found.value("NO_REFLOW_MASS") == pytest.approx((truth == 4).sum() * gram, rel=0.1)
    assert "subendocardial" in found.find("SCAR_PERCENT").evidence


def test_the_rules_stand_beside_it_and_their_spread_is_the_interval(reading: Reading) -> None:
    found = reading.measurements
    methods = [found.value(symbol) for symbol in ("SCAR_PERCENT", "SCAR_5SD", "SCAR_FWHM")]
    assert found.value("SCAR_5SD") == pytest.approx(found.value("SCAR_PERCENT"), abs=1)
    assert found.find("SCAR_PERCENT").interval == pytest.approx((min(methods), max(methods)))
    assert not any(flag.code == "SCAR_UNCERTAIN" for flag in reading.flags)


def test_methods_that_differ_widely_are_flagged_for_a_reader(cine: Series) -> None:
    found = read(Study("phantom", (cine, late_enhancement(brighter_half=0.09))))
    low, high = found.measurements.find("SCAR_PERCENT").interval
    assert high - low > 20
    (flag,) = (flag for flag in found.flags if flag.code == "SCAR_UNCERTAIN")
    assert flag.about.series == "s02"


def test_a_network_that_is_poor_at_scar_by_its_own_card_is_said_to_be(cine: Series) -> None:
    stack = late_enhancement()
    for overlap, said in ((0.5, ["WEAK_MODEL"]), (0.9, [])):
        card = CARD.model_copy(update={"figures": {"unseen": {"Dice SCAR": overlap}}})
        networks = GreyNetworks()
        networks.segmentation = lambda *_, card=card, **__: Grey(card, GREYS)
        parts = Parts(Study("phantom", (cine, stack)), {SHORT_AXIS_LGE.name: stack}, "grey@1.0")
        flags = LATE_ENHANCEMENT.read(parts, {}, networks).flags
        assert [flag.code for flag in flags if flag.code == "WEAK_MODEL"] == said


def test_given_labels_are_measured_without_a_network(cine: Series, contours: Segmentation) -> None:
    stack = late_enhancement()
    drawn = replace(contours, labels=truth_labels()[None], scheme=EMIDEC)
    roles = {SHORT_AXIS_LGE.name: stack}
    parts = Parts(Study("phantom", (cine, stack)), roles, labels={"s02": drawn})
    networks = Networks()
    networks.segmentation = None
    found = LATE_ENHANCEMENT.read(parts, {}, networks)
    gram = 1.4 * 1.4 * 8 / 1000 * MYOCARDIUM_G_PER_ML
    truth_g = (drawn.labels >= 3).sum() * gram
    assert found.measurements.value("SCAR_MASS") == pytest.approx(truth_g, rel=1e-6)
    assert found.segmentations["s02"] is drawn
    assert found.models == ()
    assert not any(flag.code == "WEAK_MODEL" for flag in found.flags)


def test_scar_reaches_through_the_segments_where_it_lies(reading: Reading) -> None:
    segments = reading.measurements.segments("SCAR_REACH")
    inner_mm, outer_mm = radii_mm(MOMENT)
    middle_mm = (inner_mm + outer_mm) / 2
    within = (middle_mm**2 - inner_mm**2) / (outer_mm**2 - inner_mm**2)
    for number in (11, 12):
        # The septum takes 108 to 116 degrees, and each part of the free wall a quarter of the rest.
        assert segments[number].value == pytest.approx(100 * within * 55 / 62, abs=6)
        assert "26-50 %" in segments[number].evidence
    for number in (2, 3, 8, 9):
        assert segments[number].value == pytest.approx(0, abs=0.5)
    assert segments[17].reason.code == "NOT_ASSESSABLE"


def test_without_contours_of_a_cine_segments_have_no_name_and_masses_stay(cine: Series) -> None:
    found = read(Study("phantom", (cine, late_enhancement()))).measurements
    assert found.value("SCAR_MASS") is not None
    codes = {m.reason.code for n, m in found.segments("SCAR_REACH").items() if n < 17}
    assert codes == {"NO_CONTOURS"}


def test_without_a_trigger_time_the_end_diastolic_right_ventricle_names_the_segments(
    cine: Series, contours: Segmentation, reading: Reading
) -> None:
    untimed = late_enhancement()
    along = Single(np.full((1, SLICES), np.nan), np.full(SLICES, np.nan))
    untimed = replace(untimed, image=replace(untimed.image, along=along))
    marks = Landmarks(Cycle(0, 4), None, None, tuple(range(SLICES)))
    function = Reading({"s01": contours}, {"s01": marks})
    found = read(Study("phantom", (cine, untimed)), function).measurements.segments("SCAR_REACH")
    for number, one in reading.measurements.segments("SCAR_REACH").items():
        if one.value is not None:
            assert found[number].value == pytest.approx(one.value, abs=5)


def test_without_a_model_the_plan_says_so_and_nothing_else_breaks(cine: Series) -> None:
    study = Study("phantom", (cine, late_enhancement()))
    empty = Library((), ())
    (planned,) = plan_study(study, (LATE_ENHANCEMENT,), model="cine_sax", library=empty)
    assert not planned.runs
    assert planned.plain["reason"] == {
        "code": "NO_MODEL",
        "sentence": "no segmentation model for SAX LGE is installed",
    }
    rows = {one.analysis.name: one.runs for one in plan_study(study, ANALYSES)}
    assert rows == {
        "ventricular function": True,
        "long axes": False,
        "tissue mapping": False,
        "late enhancement": True,
    }


def test_a_model_named_for_the_cine_does_not_keep_scar_from_being_read(cine: Series) -> None:
    study = Study("phantom", (cine, late_enhancement()))
    library = Library((CARD,), ())
    (planned,) = plan_study(study, (LATE_ENHANCEMENT,), model="cine_sax", library=library)
    assert planned.model == "grey@1.0"


@pytest.mark.parametrize(
    "other",
    [
        molli(),
        replace(late_enhancement(), view=View.FOUR_CHAMBER),
        late_enhancement(image_type=("ORIGINAL", "PHASE")),
    ],
)
def test_what_is_no_short_axis_late_enhancement_is_not_read(cine: Series, other: Series) -> None:
    (planned,) = plan_study(Study("phantom", (cine, other)), (LATE_ENHANCEMENT,))
    assert planned.plain["reason"]["code"] == "NO_LGE"


def test_pictures_over_the_heartbeat_are_no_late_enhancement(cine: Series) -> None:
    stack = np.repeat(late_enhancement().image.values, 3, axis=0)
    along = Heartbeat(np.full((3, SLICES), np.nan), np.full(SLICES, np.nan))
    one = series("s02", stack, along, Technique.LGE, CINE_GRID)
    (planned,) = plan_study(Study("phantom", (cine, one)), (LATE_ENHANCEMENT,))
    assert planned.plain["reason"]["code"] == "NO_LGE"


def test_of_several_the_one_of_most_slices_is_read_and_the_others_are_named(cine: Series) -> None:
    few = late_enhancement()
    image = few.image
    part = series("s03", image.values[:, :4], Single(image.trigger_ms[:, :4], image.rr_ms[:4]),
                  Technique.LGE, CINE_GRID.select(range(4)))  # fmt: skip
    library = Library((CARD,), ())
    (planned,) = plan_study(
        Study("phantom", (cine, part, few)), (LATE_ENHANCEMENT,), library=library
    )
    assert planned.plain["series"] == ["s02"]
    (flag,) = planned.flags
    assert flag.code == "SEVERAL_LGE"
    assert "not s03" in flag.evidence


def test_the_section_tells_scar_rules_and_reach(cine: Series, reading: Reading) -> None:
    report = Report(
        Study("phantom", (cine, late_enhancement())),
        reading.segmentations,
        reading.landmarks,
        reading.measurements.found_by("late enhancement"),
        reading.flags,
        Provenance("0", (), {}, ""),
    )
    (side,) = enhancement.tell(report)
    table = side.columns[0][0]
    assert isinstance(table, Table)
    assert [row.cells[0].small for row in table.rows] == [
        "SCAR_MASS", "SCAR_PERCENT", "SCAR_5SD", "SCAR_FWHM", "NO_REFLOW_MASS",
    ]  # fmt: skip
    assert side.columns[1][0].title == "Transmurality of scar"
    bare = replace(report, measurements=report.measurements.of("nothing"))
    assert enhancement.tell(bare) == ()


class TwoLooks(GreyNetworks):
    """A second look by greys too, whose card tells how well infarcts it never saw were found."""

    dice = 0.5

    def second_look(self, card):
        figures = {"unseen": {"Dice SCAR": self.dice}}
        second = grey_wall_card(card.name).model_copy(update={"figures": figures})
        return GreyWall(second, np.array([0.0, 0.5, 0.25, 0.75, 1.0]))


@pytest.fixture(scope="module")
def twice(cine: Series, contours: Segmentation) -> Reading:
    study = Study("phantom", (cine, late_enhancement()))
    return read(study, Reading({"s01": contours}), TwoLooks())


def test_a_second_look_is_named_beside_the_first(twice: Reading) -> None:
    assert [model.name for model in twice.models] == ["grey", "walls"]
    assert twice.segmentations["s02"].drawn_by == "grey 1.0, looked at again by walls 1.0"


def test_a_weak_second_look_is_flagged_by_its_own_figures(twice: Reading) -> None:
    (weak,) = (flag for flag in twice.flags if flag.code == "WEAK_MODEL")
    assert "Dice 0.50" in weak.evidence


def test_given_labels_are_not_looked_at_again(cine: Series, contours: Segmentation) -> None:
    late = late_enhancement()
    study = Study("phantom", (cine, late))
    given = Segmentation(
        truth_labels()[None],
        EMIDEC,
        late.image.grid,
        EMIDEC_POLICY,
        Author(AuthorKind.READER, "a reader"),
    )
    networks = TwoLooks()
    (planned,) = plan_study(study, (LATE_ENHANCEMENT,), library=networks.library)
    parts = Parts(study, planned.series, planned.model, labels={"s02": given})
    reading = LATE_ENHANCEMENT.read(parts, {FUNCTION: Reading({"s01": contours})}, networks)
    assert reading.segmentations["s02"] is given
    assert reading.models == ()
