"""Sorting: what a series shows, by geometry and timing, whatever was typed into it."""

import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import ndimage
from scipy.spatial.transform import Rotation

from opencmr.anatomy.reasons import REASON_CODES
from opencmr.anatomy.techniques import SequenceName, Technique
from opencmr.anatomy.views import View
from opencmr.errors import ConfigurationError
from opencmr.geometry.grid import Grid, grid_from_spacing
from opencmr.imaging.axis import Beats, Echo, Heartbeat, Preparation, PreparationKind
from opencmr.imaging.flag import QualityFlag, Severity
from opencmr.imaging.image import Image, untimed_image
from opencmr.imaging.study import Series, SeriesHeader, Study
from opencmr.sort.evidence import TYPICAL_LONG_AXIS, gather_evidence, turn_about_deg
from opencmr.sort.examination import named_stacks
from opencmr.sort.pictures import look_at
from opencmr.sort.roles import choose_late_enhancement
from opencmr.sort.rules import SEQUENCE_RULES, TURNS_DEG, VIEW_RULES, weigh
from opencmr.sort.sorting import choose_sax_cine, find_long_axis, sort_study

AXIS = TYPICAL_LONG_AXIS / np.linalg.norm(TYPICAL_LONG_AXIS)
HEART_MM = np.array([40.0, -30.0, 10.0])
LONG_AXIS_VIEWS = (View.TWO_CHAMBER, View.THREE_CHAMBER, View.FOUR_CHAMBER)


def grid_across(
    normal: np.ndarray, centre: np.ndarray = HEART_MM, slices: int = 1, spacing_mm: float = 10.0
) -> Grid:
    """A stack of 4 x 4 pixels of 30 mm, centred on a point."""
    normal = normal / np.linalg.norm(normal)
    right = np.cross([0.1, 0.2, 0.97], normal)
    right /= np.linalg.norm(right)
    down = np.cross(normal, right)
    affines = np.tile(np.eye(4), (slices, 1, 1))
    affines[:, :3, 0], affines[:, :3, 1] = 30 * down, 30 * right
    steps = (np.arange(slices) - (slices - 1) / 2)[:, None] * spacing_mm
    affines[:, :3, 3] = centre - 45 * (down + right) + steps * normal
    return Grid((slices, 4, 4), affines)


def series(key: str, grid: Grid, phases: int = 20, **facts: object) -> Series:
    """A series whose trigger times sweep the heartbeat when there is more than one phase."""
    header = {
        name: facts.pop(name) for name in list(facts) if name in SeriesHeader.__dataclass_fields__
    }
    values = np.zeros((phases, *grid.shape), np.float32)
    image = untimed_image(values, grid)
    if phases > 1:
        times = np.arange(phases)[:, None] * 800.0 / phases * np.ones(grid.shape[0])
        image = Image(values, grid, Heartbeat(times, np.full(grid.shape[0], 800.0)))
    said = SeriesHeader(**({"modality": "MR"} | header))  # type: ignore[arg-type]
    stated: dict[str, object] = {"uids": (f"1.{key}",), "frame_of_reference_uid": "9"}
    return Series(key, image, header=said, **(stated | facts))  # type: ignore[arg-type]


def long_axis_plane(turn_deg: float, axis: np.ndarray = AXIS, beside_mm: float = 0.0) -> Grid:
    """A plane that holds the long axis, turned about it."""
    up = np.array([0, 0, 1.0]) - axis[2] * axis
    up /= np.linalg.norm(up)
    right = np.cross(up, axis)
    right = right if right[0] < 0 else -right
    held = np.cos(np.radians(turn_deg)) * up + np.sin(np.radians(turn_deg)) * right
    normal = np.cross(axis, held)
    return grid_across(normal, HEART_MM + beside_mm * normal)


def sorted_series(*them: Series) -> dict[str, Series]:
    return {one.key: one for one in sort_study(Study("k", them)).series}


def flag(severity: Severity, code: str) -> QualityFlag:
    return QualityFlag(severity, code, "made up")


def test_the_short_axis_cine_is_found_when_every_description_lies():
    study = sort_study(
        Study(
            "k",
            (
                series("s01", grid_across(AXIS, slices=10), series_description="cine 4CH"),
                series("s02", long_axis_plane(2), series_description="cine SAX stack"),
                series("s03", long_axis_plane(62), series_description="SAX"),
                series("s04", long_axis_plane(122), series_description="short axis"),
                series("s05", grid_across(np.array([0, 0, 1.0]), slices=9), 1),
            ),
        )
    )
    views = {one.key: one.view for one in study.series}
    assert views["s01"] is View.SAX
    assert [views[f"s0{i}"] for i in (2, 3, 4)] == list(LONG_AXIS_VIEWS)
    choice = choose_sax_cine(study)
    assert choice.series is not None
    assert choice.series.key == "s01"
    assert not choice.flags


turned = st.tuples(*[st.floats(-0.25, 0.25)] * 3)


@settings(max_examples=40)
@given(turned, st.floats(-15, 15), st.booleans())
def test_long_axis_views_are_told_by_their_turn_about_the_axis(turn, error_deg, backwards):
    axis = Rotation.from_rotvec(turn).apply(AXIS)
    normal = -axis if backwards else axis
    found = sorted_series(
        series("sax", grid_across(normal, slices=9)),
        *(
            series(view.value, long_axis_plane(TURNS_DEG[view] + error_deg, axis))
            for view in LONG_AXIS_VIEWS
        ),
    )
    assert found["sax"].view is View.SAX
    for view in LONG_AXIS_VIEWS:
        assert found[view.value].view is view
        assert found[view.value].sequence is Technique.CINE


def test_long_axis_views_are_told_without_a_short_axis_stack_too():
    found = sorted_series(
        *(series(v.value, long_axis_plane(TURNS_DEG[v])) for v in LONG_AXIS_VIEWS)
    )
    assert [one.view for one in found.values()] == list(LONG_AXIS_VIEWS)


def test_a_plane_beside_the_left_ventricle_is_none_of_its_views():
    found = sorted_series(
        series("sax", grid_across(AXIS, slices=9)),
        *(series(v.value, long_axis_plane(TURNS_DEG[v])) for v in LONG_AXIS_VIEWS),
        series("right", long_axis_plane(2, beside_mm=45.0), series_description="2CH"),
    )
    assert found["right"].view is View.OTHER
    assert any("45 mm beside" in reason for reason in found["right"].because)


def test_planes_in_another_frame_of_reference_are_never_combined():
    found = sorted_series(
        series("sax", grid_across(AXIS, slices=9)),
        *(series(v.value, long_axis_plane(TURNS_DEG[v])) for v in LONG_AXIS_VIEWS),
        series("far", long_axis_plane(2, beside_mm=45.0), frame_of_reference_uid="8"),
    )
    assert found["far"].view is View.TWO_CHAMBER


@pytest.mark.parametrize("normal", [(0, 0, 1.0), (0, 1.0, 0), (1.0, 0, 0)])
def test_a_cine_stack_along_a_body_axis_is_no_short_axis(normal):
    found = sorted_series(
        series("s01", grid_across(np.array(normal), slices=12), series_description="cine SAX")
    )
    assert found["s01"].view is View.OTHER


def test_a_mirrored_heart_is_still_taken_for_short_axis_but_less_surely():
    usual = sorted_series(series("s01", grid_across(AXIS, slices=10)))["s01"]
    mirrored = sorted_series(series("s01", grid_across(AXIS * [-1, 1, 1], slices=10)))["s01"]
    assert mirrored.view is View.SAX
    assert mirrored.view_confidence < usual.view_confidence - 0.2


def test_a_stack_without_orientation_is_taken_for_short_axis_and_says_so():
    grid = grid_from_spacing((9, 4, 4), (10.0, 1.5, 1.5))
    (one,) = sort_study(
        Study("k", (Series("s01", untimed_image(np.zeros((1, 9, 4, 4), np.float32), grid)),))
    ).series
    assert one.view is View.SAX
    assert 0.5 < one.view_confidence < 0.8
    assert any("unknown orientation" in reason for reason in one.because)
    assert one.sequence is Technique.OTHER


def test_a_pair_of_stacks_is_taken_for_a_cine():
    grid = grid_from_spacing((9, 4, 4), (10.0, 1.5, 1.5))
    study = sort_study(
        Study("k", (Series("s01", untimed_image(np.zeros((2, 9, 4, 4), np.float32), grid)),))
    )
    assert study.series[0].sequence is Technique.CINE
    assert choose_sax_cine(study).series is not None


def test_a_nifti_cine_without_timing_is_a_cine():
    grid = grid_from_spacing((9, 4, 4), (10.0, 1.5, 1.5))
    image = untimed_image(np.zeros((25, 9, 4, 4), np.float32), grid)
    assert sorted_series(Series("s01", image))["s01"].sequence is Technique.CINE


SINGLE = {"phases": 1}
STILL = {"phases": 8, "still": True}


@pytest.mark.parametrize(
    ("kind", "facts"),
    [
        (Technique.CINE, {}),
        (Technique.CINE, {"series_description": "LGE psir"}),
        (
            Technique.FLOW,
            {"image_type": ("ORIGINAL", "PRIMARY", "P"), "series_description": "cine"},
        ),
        (
            Technique.LGE,
            {
                "phases": 1,
                "inversion_time_ms": 300.0,
                "scanning_sequence": ("GR", "IR"),
                "contrast_agent": "Gd",
            },
        ),
        (Technique.LGE, {"phases": 1, "series_description": "PSIR de sax"}),
        (Technique.T1_MAPPING, {**STILL, "series_description": "MOLLI native"}),
        (Technique.T1_MAPPING, {**SINGLE, "image_type": ("DERIVED", "PRIMARY", "T1 MAP")}),
        (Technique.T2_MAPPING, {**SINGLE, "series_description": "T2 Map SAX"}),
        (Technique.SCOUT, {**SINGLE, "series_description": "Localizer"}),
        (Technique.OTHER, {**SINGLE}),
        (Technique.OTHER, {**STILL}),
    ],
)
def test_sequences_are_told_by_timing_and_header(kind, facts):
    facts = dict(facts)
    still = facts.pop("still", False)
    one = series("s01", grid_across(AXIS, slices=3), **facts)
    if still:
        image = one.image
        beat = Heartbeat(600 + 0.01 * image.trigger_ms, image.rr_ms)
        one = replace(one, image=replace(image, along=beat))
    assert sorted_series(one)["s01"].sequence is kind


def test_stacks_of_several_orientations_under_one_uid_are_scouts():
    normals = np.eye(3)
    them = [
        replace(
            series(f"s0{i}", grid_across(normals[i], slices=5, spacing_mm=18.0), 1), uids=("1",)
        )
        for i in range(3)
    ]
    for one in sorted_series(*them).values():
        assert one.sequence is Technique.SCOUT
        assert one.sequence_confidence > 0.8


def sax_study(*them: Series) -> Study:
    return sort_study(Study("k", them))


def chosen(*them: Series) -> str | None:
    choice = choose_sax_cine(sax_study(*them))
    return choice.series.key if choice.series else None


def test_the_stack_that_covers_the_heart_is_chosen():
    few = series("few", grid_across(AXIS, slices=3), 40)
    many = series("many", grid_across(AXIS, slices=10), 25)
    assert chosen(few, many) == "many"


def test_the_stack_with_enough_phases_is_chosen():
    coarse = series("coarse", grid_across(AXIS, slices=11), 8)
    fine = series("fine", grid_across(AXIS, slices=10), 25)
    assert chosen(coarse, fine) == "fine"


def test_a_complete_stack_is_chosen_before_one_that_misses_a_slice():
    whole = series("whole", grid_across(AXIS, slices=9))
    gappy = series("gappy", grid_across(AXIS, slices=11))
    gappy = replace(gappy, flags=(flag(Severity.DO_NOT_REPORT, "MISSING_SLICE"),))
    assert chosen(gappy, whole) == "whole"


def test_of_equal_stacks_the_latest_is_chosen():
    first = series("first", grid_across(AXIS, slices=10), series_time="100000")
    second = series("second", grid_across(AXIS, slices=10), series_time="101500")
    assert chosen(second, first) == "second"
    assert chosen(first, second) == "second"


LATER = {"series_time": "1005"}


@pytest.mark.parametrize(
    ("more", "decided_by"),
    [
        ({"series_description": "CINE SAX DOBUTAMINE 40"}, "at rest"),
        ({"series_description": "sax cine stress"}, "at rest"),
        ({"rr_ms": 600.0}, "at rest"),
        ({"series_description": "SAX REALTIME"}, "gated"),
        ({"contrast_agent": "GADOBUTROL"}, "before contrast"),
        ({"series_description": "CINE SAX POST GD"}, "before contrast"),
    ],
)
def test_a_later_cine_of_another_state_is_named_with_what_decided(more, decided_by):
    rr_ms = more.pop("rr_ms", 800.0) if "rr_ms" in more else 800.0
    first = series("s01", grid_across(AXIS, slices=10), series_time="0930")
    second = series("s02", grid_across(AXIS, slices=12), **LATER, **more)
    image = Image(
        second.image.values,
        second.image.grid,
        Heartbeat(second.image.trigger_ms * rr_ms / 800, np.full(12, rr_ms)),
    )
    choice = choose_sax_cine(sax_study(first, replace(second, image=image)))
    assert choice.series is not None
    assert choice.series.key == "s01"
    (named,) = choice.flags
    assert (named.code, named.severity) == ("SEVERAL_CINES", Severity.REVIEW)
    assert "not s02" in named.evidence
    assert named.evidence.endswith(decided_by)
    assert [one.plain["decided_by"] for one in choice.candidates] == [None, decided_by]


def test_a_cine_after_contrast_or_under_stress_is_measured_when_it_is_alone():
    for said in ("CINE SAX POST GD", "CINE SAX STRESS"):
        only = series("s01", grid_across(AXIS, slices=10), series_description=said)
        choice = choose_sax_cine(sax_study(only))
        assert choice.series is not None
        assert not choice.flags


def test_a_flawed_cine_at_rest_is_never_replaced_by_one_under_stress():
    flawed = series(
        "s01", grid_across(AXIS, slices=10), flags=(flag(Severity.DO_NOT_REPORT, "MISSING_SLICE"),)
    )
    whole = series("s02", grid_across(AXIS, slices=10), series_description="sax stress", **LATER)
    choice = choose_sax_cine(sax_study(flawed, whole))
    assert choice.series is not None
    assert choice.series.key == "s01"


def test_a_slower_heart_later_is_no_stress_and_the_latest_repeat_counts():
    first = series("s01", grid_across(AXIS, slices=10), series_time="0930")
    times = first.image.trigger_ms * 1.3
    slower = Image(first.image.values, first.image.grid, Heartbeat(times, np.full(10, 1040.0)))
    second = replace(series("s02", grid_across(AXIS, slices=10), **LATER), image=slower)
    choice = choose_sax_cine(sax_study(first, second))
    assert choice.series is not None
    assert choice.series.key == "s02"
    assert choice.flags[0].evidence.endswith("made last")


def test_a_study_without_a_short_axis_cine_says_so():
    choice = choose_sax_cine(sax_study(series("s01", long_axis_plane(2))))
    assert choice.series is None
    assert [f.code for f in choice.flags] == ["NO_SAX_CINE"]
    assert choice.flags[0].code in REASON_CODES
    assert choice.flags[0].severity is Severity.DO_NOT_REPORT


def test_the_only_stack_of_a_file_is_measured_even_where_its_orientation_speaks_against_it():
    axial = grid_across(np.array([0, 0, 1.0]), slices=9)
    image = untimed_image(np.zeros((25, 9, 4, 4), np.float32), axial)
    choice = choose_sax_cine(sax_study(Series("s01", image)))
    assert choice.series is not None
    assert [(f.code, f.severity) for f in choice.flags] == [("VIEW_UNCERTAIN", Severity.REVIEW)]
    assert chosen(series("s01", axial)) is None


def test_a_late_enhancement_stack_with_a_header_is_not_measured_as_a_cine():
    lge = series("s01", grid_across(AXIS, slices=10), 1, series_description="LGE SAX")
    assert chosen(lge) is None


def _file(phases: int = 1) -> Series:
    """A tilted stack from a file without a header."""
    grid = grid_across(np.array([0, 0, 1.0]), slices=9)
    values = np.random.default_rng(0).random((phases, *grid.shape)).astype(np.float32)
    return Series("s01", untimed_image(values, grid))


def test_a_stack_that_is_stated_to_be_late_enhancement_is_one_and_no_cine():
    study = sort_study(Study("study", (_file(),)), stated=Technique.LGE)
    (one,) = study.series
    assert (one.sequence, one.view) == (Technique.LGE, View.SAX)
    assert choose_late_enhancement(study).series is one
    choice = choose_sax_cine(study)
    assert choice.series is None
    assert choice.flags[0].severity is Severity.INFO


def test_a_stack_that_is_stated_to_be_a_cine_is_measured_without_a_doubt():
    study = sort_study(Study("study", (_file(),)), stated=Technique.CINE)
    choice = choose_sax_cine(study)
    assert choice.series is study.series[0]
    assert choice.flags == ()


def test_of_a_series_with_a_header_nothing_can_be_stated():
    study = sax_study(series("s01", grid_across(AXIS, slices=10)))
    with pytest.raises(ConfigurationError, match="NIfTI files alone"):
        sort_study(study, stated=Technique.LGE)


def test_an_empty_study_is_sorted():
    assert sort_study(Study("k", ())).series == ()
    assert choose_sax_cine(Study("k", ())).series is None


@settings(max_examples=60)
@given(
    st.tuples(*[st.floats(-1, 1)] * 3).filter(lambda v: np.linalg.norm(v) > 0.1),
    st.integers(1, 12),
    st.integers(1, 30),
    st.text(max_size=20),
)
def test_every_series_gets_an_answer_with_a_confidence_and_a_reason(normal, slices, phases, text):
    one = series("s01", grid_across(np.array(normal), slices=slices), phases)
    one = replace(one, header=replace(one.header, series_description=text, protocol_name=text))
    found = sorted_series(one)["s01"]
    assert 0 < found.view_confidence <= 1
    assert 0 < found.sequence_confidence <= 1
    assert len(found.because) >= 2
    # A description may hold a name: reasons are our own words alone.
    own = {rule.because for rule in (*SEQUENCE_RULES, *VIEW_RULES)}
    if len(text.strip()) >= 4 and not any(text in words for words in own):
        assert not any(text in why for why in found.because)


def test_the_turn_of_a_plane_does_not_depend_on_the_sense_of_its_normal():
    normal = np.asarray(long_axis_plane(62).normal)
    assert turn_about_deg(normal, AXIS) == pytest.approx(62.0, abs=1e-6)
    assert turn_about_deg(-normal, AXIS) == pytest.approx(62.0, abs=1e-6)


def test_a_confidence_falls_when_evidence_speaks_for_two_answers():
    grid = grid_across(AXIS, slices=10)
    axis = find_long_axis([], None)

    def confidence(description: str) -> float:
        one = series("s01", grid, series_description=description)
        evidence = gather_evidence(one, axis, other_orientations=False)
        return weigh(VIEW_RULES, evidence, tuple(View))[1]

    assert confidence("4CH") < confidence("") < confidence("SAX")


def test_what_a_human_typed_never_weighs_more_than_geometry_or_timing():
    for rule in (*VIEW_RULES, *SEQUENCE_RULES):
        if rule.because.startswith("described"):
            assert rule.weight <= 2.5


@pytest.mark.real_data
def test_the_views_of_a_real_study_are_found_although_its_descriptions_lie(data_folder: Path):
    from opencmr.intake.studies import read_studies

    path = data_folder / "siemens_multiview" / "patient1.zip"
    (study,) = read_studies(path)
    study = sort_study(study)
    views = [one.view for one in study.series]
    lax = [View.FOUR_CHAMBER, View.THREE_CHAMBER, View.TWO_CHAMBER]
    assert views == [View.SAX, *lax, View.OTHER, View.RVOT]
    assert {one.sequence for one in study.series} == {Technique.CINE}
    sax = choose_sax_cine(study).series
    assert sax is not None
    assert sax.image.values.shape[:2] == (25, 6)
    assert len(sax.uids) == 6
    assert sax.image.grid.slice_spacing_mm == pytest.approx(17.7, abs=0.01)
    assert set(np.round(sax.image.rr_ms)) == {776, 814, 829, 831, 860, 863}


@pytest.mark.real_data
def test_a_real_cine_is_told_from_the_scouts_in_its_own_series(data_folder: Path, tmp_path: Path):
    from opencmr.intake.studies import read_studies

    folder = data_folder / "sunnybrook"
    for name, kept in (("SC-HF-I-1", ""), ("localizers", "SCD0000101")):
        with zipfile.ZipFile(folder / f"{name}.zip") as archive:
            for number, entry in enumerate(sorted(archive.namelist())):
                if kept in entry and not entry.endswith("/"):
                    (tmp_path / f"{name}{number}").write_bytes(archive.read(entry))
    studies = read_studies(tmp_path)
    (cine,) = (
        one.image for study in studies for one in sort_study(study).series if one.image.is_cine
    )
    assert cine.values.shape == (20, 12, 256, 256)
    assert cine.grid.slice_spacing_mm == pytest.approx(10.0, abs=1e-3)
    assert cine.grid.row_spacing_mm == pytest.approx(1.367188)


@pytest.mark.parametrize("timed", [True, False])
@pytest.mark.parametrize("said", ["T1 MOLLI SAX", "cine trufi sax"])
def test_pictures_after_different_preparations_are_never_a_cine(timed, said):
    grid = grid_across(AXIS, HEART_MM, slices=10)
    shape = (8, grid.shape[0])
    times = np.arange(8)[:, None] * 500.0 * np.ones(grid.shape[0]) + 100
    # Trigger times that sweep the heartbeat, as a scanner may state them, do not make it one.
    trigger = (
        np.arange(8)[:, None] * 100.0 * np.ones(grid.shape[0]) if timed else np.full(shape, np.nan)
    )
    along = Preparation(PreparationKind.INVERSION, times, trigger, np.full(grid.shape[0], 800.0))
    image = Image(np.zeros((8, *grid.shape), np.float32), grid, along)
    header = SeriesHeader(modality="MR", series_description=said)
    one = Series("s01", image, header=header, uids=("1.1",), frame_of_reference_uid="9")
    study = sort_study(Study("k", (one,)))
    assert study.series[0].sequence is Technique.T1_MAPPING
    assert choose_sax_cine(study).series is None


def test_a_molli_stack_whose_header_states_no_times_is_no_cine():
    one = series(
        "s01", grid_across(AXIS, HEART_MM, slices=10), phases=8, series_description="T1 MOLLI SAX"
    )
    still = replace(one, image=untimed_image(one.image.values, one.image.grid))
    study = sort_study(Study("k", (still,)))
    assert study.series[0].sequence is Technique.T1_MAPPING


@pytest.mark.parametrize("kind", [Echo, Beats])
@pytest.mark.parametrize("said", ["", "cine trufi sax"])
def test_pictures_of_different_echoes_or_beats_are_never_a_cine(kind, said):
    grid = grid_across(AXIS, HEART_MM, slices=10)
    times = np.arange(40)[:, None] * 900.0 * np.ones(grid.shape[0])
    # Trigger times that sweep the heartbeat, as a scanner may state them, do not make it one.
    image = Image(
        np.zeros((40, *grid.shape), np.float32),
        grid,
        kind(times, np.mod(times * 1.1, 800.0), np.full(grid.shape[0], 800.0)),
    )
    header = SeriesHeader(modality="MR", series_description=said)
    study = sort_study(Study("k", (Series("s01", image, header=header, uids=("1.1",)),)))
    assert study.series[0].sequence is not Technique.CINE
    assert choose_sax_cine(study).series is None
    assert (study.series[0].sequence is Technique.T2_STAR_MAPPING) is (kind is Echo)


def test_the_magnitude_of_velocities_is_flow_and_not_the_cine():
    grid = grid_across(AXIS, HEART_MM, slices=10)
    found = sorted_series(
        series("s01", grid, image_type=("ORIGINAL", "PRIMARY", "M"), partner="s02"),
        series("s02", grid, image_type=("ORIGINAL", "PRIMARY", "P"), partner="s01"),
    )
    assert {one.sequence for one in found.values()} == {Technique.FLOW}
    one = series("s01", grid)
    encoded = replace(one, image=replace(one.image, venc_cm_s=150.0))
    assert sorted_series(encoded)["s01"].sequence is Technique.FLOW
    assert any("150 cm/s" in why for why in sorted_series(encoded)["s01"].because)


def beating(phases: int = 16, size: int = 160, seed: int = 0) -> np.ndarray:
    """A bright disc that contracts and relaxes once in textured tissue, ``(T, 3, Y, X)``."""
    rng = np.random.default_rng(seed)
    y, x = np.indices((size, size)) - size / 2
    tissue = 300 + 20 * rng.normal(size=(size, size))
    radii = 18 - 6 * np.sin(np.pi * np.arange(phases) / phases) ** 2
    discs = 500 / (1 + np.exp(np.hypot(x, y) - radii[:, None, None]))
    noise = rng.normal(0, 8, (phases, 3, size, size))
    return np.asarray((tissue + discs)[:, None] + noise, dtype=np.float32)


def of_pictures(values: np.ndarray) -> Series:
    """A series with the header and the times of a cine, and these pictures."""
    grid = grid_from_spacing(values.shape[1:], (8.0, 1.4, 1.4))
    grid = Grid(grid.shape, np.stack([grid_across(AXIS, slices=3).affines[z] for z in range(3)]))
    scale = np.diag([1.4 / 30, 1.4 / 30, 1.0, 1.0])
    grid = Grid(grid.shape, grid.affines @ scale)
    times = np.arange(len(values))[:, None] * 800.0 / len(values) * np.ones(3)
    image = Image(values, grid, Heartbeat(times, np.full(3, 800.0)))
    header = SeriesHeader(modality="MR", series_description="CINE SAX")
    return Series("s01", image, header=header)


def _tags(values: np.ndarray) -> np.ndarray:
    y, x = np.indices(values.shape[2:])
    fade = np.exp(-np.arange(len(values)) / 12)[:, None, None, None]
    return values * (1 - 0.8 * fade * np.maximum((x + y) % 8 < 2, (x - y) % 8 < 2))


def _first_pass(values: np.ndarray) -> np.ndarray:
    gain = np.interp(np.arange(len(values)), [0, 4, 8, len(values)], [0.35, 0.4, 1.0, 0.7])
    return values[:1] * gain[:, None, None, None]


def _still(values: np.ndarray) -> np.ndarray:
    noise = np.random.default_rng(1).normal(0, 20, values.shape)
    return np.repeat(values[:1], len(values), 0) + noise


def _beats(values: np.ndarray) -> np.ndarray:
    return np.concatenate([values, values[: len(values) // 2]])


@pytest.mark.parametrize(
    ("made", "said"),
    [(_tags, "tagging"), (_first_pass, "brightness"), (_still, "no heart beats"), (_beats, "1.5")],
)
def test_what_is_no_cine_by_its_pictures_is_none_whatever_its_header_says(made, said):
    values = np.asarray(made(beating()), dtype=np.float32)
    study = sort_study(Study("k", (of_pictures(values),)))
    (one,) = study.series
    assert one.sequence is Technique.OTHER
    assert any(said in reason for reason in one.because)
    assert choose_sax_cine(study).series is None


@pytest.mark.parametrize("noise", [0.0, 0.05, 0.1, 0.2])
@pytest.mark.parametrize("phases", [8, 12, 16, 30, 40])
def test_a_beating_heart_stays_a_cine_however_noisy(noise, phases):
    values = beating(phases)
    values = values + np.random.default_rng(2).normal(0, noise * 800, values.shape)
    study = sort_study(Study("k", (of_pictures(values.astype(np.float32)),)))
    assert study.series[0].sequence is Technique.CINE


def _camera(picture: np.ndarray, phases: int = 16) -> np.ndarray:
    """A picture panned to and fro once, ``(T, 3, Y, X)``."""
    swing = 6 * np.sin(np.pi * np.arange(phases) / phases) ** 2
    panned = [ndimage.shift(picture, (0.6 * s, s), order=1, mode="reflect") for s in swing]
    return np.repeat(np.array(panned, dtype=np.float32)[:, None], 3, 1)


@pytest.mark.parametrize(("grain", "said"), [(6.0, "move as a whole"), (0.0, "noise")])
def test_pictures_that_a_camera_moves_over_show_no_heart(grain, said):
    random = np.random.default_rng(4)
    picture = ndimage.gaussian_filter(random.normal(size=(160, 160)), grain)
    picture = 500 + 200 * picture / picture.std()
    study = sort_study(Study("k", (of_pictures(_camera(picture)),)))
    assert study.series[0].sequence is Technique.OTHER
    assert any(said in reason for reason in study.series[0].because)


def test_lines_are_tags_where_a_heart_beats_under_them_and_else_a_pattern():
    y, x = np.indices((160, 160))
    bars = 300.0 + 250.0 * (x % 8 < 4) * (np.hypot(y - 80, x - 80) < 60)
    still = _still(np.repeat(_camera(bars)[:1], 16, 0))
    for values, is_tagging in ((_tags(beating()), True), (still, False), (_camera(bars), False)):
        study = sort_study(Study("k", (of_pictures(np.asarray(values, dtype=np.float32)),)))
        (named,) = named_stacks(study).values()
        assert study.series[0].sequence is Technique.OTHER
        assert (named.sequence is SequenceName.TAGGING) is is_tagging


@pytest.mark.parametrize("at", [(0.5, 0.5), (0.3, 0.6)])
@pytest.mark.parametrize("radius", [10, 14])
def test_a_lone_thing_that_a_camera_pans_over_is_no_heart_and_one_that_contracts_may_be(at, radius):
    y, x = np.indices((160, 160)) - 160 * np.array(at)[:, None, None]
    swing = np.sin(np.pi * np.arange(16) / 16) ** 2
    panned = [500 / (1 + np.exp(np.hypot(x - 6 * s, y - 3 * s) - radius)) for s in swing]
    contracting = [500 / (1 + np.exp(np.hypot(x, y) - radius * (1 - 0.3 * s))) for s in swing]
    noise = np.random.default_rng(3).normal(100, 2, (16, 3, 160, 160))
    for pictures, is_whole in ((panned, True), (contracting, False)):
        values = (np.array(pictures)[:, None] + noise).astype(np.float32)
        found = look_at(of_pictures(values).image)
        assert found is not None
        assert (found.shift_percent >= 80) == is_whole
        named = sort_study(Study("k", (of_pictures(values),))).series[0].sequence
        assert named is (Technique.OTHER if is_whole else Technique.CINE)


@given(
    shift=st.tuples(st.floats(-1, 1), st.floats(-1, 1)),
    scale=st.floats(0.97, 1.03),
    seed=st.integers(0, 9),
)
@settings(max_examples=15)
def test_any_affine_motion_of_the_whole_is_told(shift, scale, seed):
    """A small motion of a smooth picture explains nearly all change."""
    assume(np.hypot(*shift) > 0.2 or abs(scale - 1) > 0.005)
    picture = ndimage.gaussian_filter(np.random.default_rng(seed).normal(size=(96, 96)), 5.0)
    picture = 500 + 200 * picture / picture.std()
    middle = (np.array(picture.shape) - 1) / 2
    steps = np.linspace(0, 1, 8)
    moved = [
        ndimage.affine_transform(
            picture,
            np.eye(2) * (1 + (scale - 1) * s),
            -middle * (scale - 1) * s + np.multiply(shift, s),
            mode="reflect",
        )
        for s in steps
    ]
    values = np.repeat(np.array(moved, dtype=np.float32)[:, None], 3, 1)
    found = look_at(of_pictures(values).image)
    assert found is not None
    assert found.moves_as_a_whole


def test_a_plane_along_the_body_is_a_scout_beside_other_planes_alone():
    transaxial = series("s01", grid_across(np.array([0.0, 0.0, 1.0])), phases=1)
    alone = sorted_series(transaxial)
    beside = sorted_series(transaxial, series("s02", grid_across(AXIS, slices=8)))
    assert alone["s01"].sequence is Technique.OTHER
    assert beside["s01"].sequence is Technique.SCOUT
