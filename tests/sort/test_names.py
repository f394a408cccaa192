"""Names of sequence and view: each witness may be missing or lie, and the others still speak."""

import re
from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from opencmr.anatomy.techniques import SequenceName, Technique
from opencmr.anatomy.views import View, ViewName
from opencmr.geometry.grid import Grid, grid_from_spacing
from opencmr.imaging.axis import Heartbeat, Preparation, PreparationKind
from opencmr.imaging.image import Image, untimed_image
from opencmr.imaging.study import Identity, ScannerSeries, Series, SeriesHeader, Study
from opencmr.sort import words
from opencmr.sort.evidence import TYPICAL_LONG_AXIS, words_of
from opencmr.sort.examination import missing, name_series, named_stacks
from opencmr.sort.names import NAMES, VIEW_NAMES
from opencmr.sort.sorting import choose_sax_cine, sort_study

AXIS = TYPICAL_LONG_AXIS / np.linalg.norm(TYPICAL_LONG_AXIS)
HEART_MM = np.array([40.0, -30.0, 10.0])
TURNS_DEG = {"2CH": 2.0, "3CH": 62.0, "4CH": 122.0}


def grid_across(normal: np.ndarray, slices: int = 1, beside_mm: float = 0.0) -> Grid:
    normal = normal / np.linalg.norm(normal)
    right = np.cross([0.1, 0.2, 0.97], normal)
    right /= np.linalg.norm(right)
    down = np.cross(normal, right)
    affines = np.tile(np.eye(4), (slices, 1, 1))
    affines[:, :3, 0], affines[:, :3, 1] = 30 * down, 30 * right
    steps = (np.arange(slices) - (slices - 1) / 2)[:, None] * 10.0 + beside_mm
    affines[:, :3, 3] = HEART_MM - 45 * (down + right) + steps * normal
    return Grid((slices, 4, 4), affines)


def long_axis(turn_deg: float, beside_mm: float = 0.0) -> Grid:
    up = np.array([0, 0, 1.0]) - AXIS[2] * AXIS
    up /= np.linalg.norm(up)
    right = np.cross(up, AXIS)
    right = right if right[0] < 0 else -right
    held = np.cos(np.radians(turn_deg)) * up + np.sin(np.radians(turn_deg)) * right
    normal = np.cross(AXIS, held)
    towards_right = normal if normal[0] < 0 else -normal
    return grid_across(towards_right, beside_mm=beside_mm)


def cine(key: str, grid: Grid, said: str = "", phases: int = 20, **header: object) -> Series:
    values = np.zeros((phases, *grid.shape), np.float32)
    image = untimed_image(values, grid)
    if phases > 1:
        times = np.arange(phases)[:, None] * 800.0 / phases * np.ones(grid.shape[0])
        image = Image(values, grid, Heartbeat(times, np.full(grid.shape[0], 800.0)))
    stated = {"modality": "MR", "series_description": said, **header}
    return Series(
        key,
        image,
        (f"1.{key}",),
        "9",
        header=SeriesHeader(**stated),  # type: ignore[arg-type]
    )


def names_of(*series: Series) -> dict[str, tuple[str, str]]:
    named = named_stacks(sort_study(Study("k", series)))
    return {key: (one.sequence.value, one.view.value) for key, one in named.items()}


def whole_study(said: dict[str, str]) -> tuple[Series, ...]:
    return (
        cine("sax", grid_across(AXIS, 10), said.get("sax", "")),
        *(cine(key, long_axis(turn), said.get(key, "")) for key, turn in TURNS_DEG.items()),
        cine("rv", long_axis(2.0, beside_mm=40.0), said.get("rv", "")),
    )


HONEST = {"sax": "cine SAX", "2CH": "cine 2CH", "3CH": "cine 3CH", "4CH": "cine 4CH", "rv": "RV"}
SWAPPED = {"sax": "cine 4CH", "2CH": "cine SAX", "3CH": "cine 2CH", "4CH": "3CH", "rv": "2CH"}


@pytest.mark.parametrize("said", [HONEST, {}, SWAPPED])
def test_views_are_named_by_geometry_whatever_descriptions_say_or_hide(said):
    found = names_of(*whole_study(said))
    assert {key: view for key, (_, view) in found.items()} == {
        "sax": "SAX",
        "2CH": "2CH",
        "3CH": "3CH",
        "4CH": "4CH",
        "rv": "RV 2CH",
    }


def test_without_geometry_a_stack_is_named_by_its_shape_and_a_slice_by_its_words():
    def flat(one: Series) -> Series:
        grid = grid_from_spacing(one.image.grid.shape, (10.0, 1.4, 1.4))
        return replace(one, image=replace(one.image, grid=grid))

    found = names_of(*(flat(one) for one in whole_study(HONEST)))
    views = {key: view for key, (_, view) in found.items()}
    assert views["sax"] == "SAX"
    assert [views[key] for key in TURNS_DEG] == ["2CH", "3CH", "4CH"]
    assert views["rv"] == "other"


def test_pixels_alone_are_never_named_with_a_view_that_they_do_not_show():
    alone = untimed_image(
        np.zeros((1, 1, 64, 64), np.float32), grid_from_spacing((1, 64, 64), (8, 1, 1))
    )
    naming = named_stacks(sort_study(Study("k", (Series("s01", alone),))))["s01"]
    assert naming.sequence is SequenceName.UNKNOWN
    assert naming.probability < 0.5


@pytest.mark.parametrize("turn_deg", [-12.0, 0.0, 12.0])
def test_long_axis_planes_alone_tell_the_axis_of_a_turned_heart(turn_deg):
    turn = Rotation.from_rotvec(np.radians(turn_deg) * np.array([0.0, 0.0, 1.0]))
    planes = [
        cine(key, grid_across(turn.apply(np.array(long_axis(angle).normal))))
        for key, angle in TURNS_DEG.items()
    ]
    found = names_of(*planes)
    assert {key: view for key, (_, view) in found.items()} == {key: key for key in TURNS_DEG}


@pytest.mark.parametrize(
    ("topic", "said"),
    [
        (words.SHORT_AXIS, "KA"),
        (words.SHORT_AXIS, "Kurzachse"),
        (words.SHORT_AXIS, "ciné petit axe"),
        (words.SHORT_AXIS, "cine eje corto"),
        (words.SHORT_AXIS, "短轴电影"),
        (words.FOUR_CHAMBER, "4K"),
        (words.FOUR_CHAMBER, "4 cavités"),
        (words.FOUR_CHAMBER, "4 cámaras"),
        (words.FOUR_CHAMBER, "四腔心"),
        (words.TWO_CHAMBER, "VLA"),
        (words.THREE_CHAMBER, "APLAX"),
        (words.LATE_ENHANCEMENT, "Spätenhancement"),
        (words.LATE_ENHANCEMENT, "retard petit axe"),
        (words.LATE_ENHANCEMENT, "realce tardío"),
        (words.LATE_ENHANCEMENT, "延迟强化"),
        (words.LATE_ENHANCEMENT, "de_tfl_psir_sax"),
        (words.LATE_ENHANCEMENT, "2D DE SAX"),
        (words.LATE_ENHANCEMENT, "SAX DE"),
        (words.LATE_ENHANCEMENT, "Spätaufnahmen KA"),
        (words.SCOUT, "2CH_plan"),
        (words.SCOUT, "SA planning"),
        (words.SCOUT, "Planungsscan"),
        (words.RIGHT_TWO_CHAMBER, "right ventricle two chamber"),
        (words.BLACK_BLOOD, "Schwarzblut KA"),
        (words.T1_MAPPING, "T1-Kartierung"),
        (words.T2_MAPPING, "mapa T2"),
        (words.PHASE_SENSITIVE, "sensible à la phase"),
        (words.TI_SCOUT, "prueba de TI"),
        (words.TI_SCOUT, "TI-Suche"),
        (words.FLOW, "Fluss Aorta"),
        (words.TI_SCOUT, "TI_scout"),
        (words.TI_SCOUT, "Look-Locker"),
        (words.BLACK_BLOOD, "t2_tirm_sax"),
        (words.STRESS, "负荷灌注"),
    ],
)
def test_descriptions_are_understood_in_five_languages(topic, said):
    found = words_of(SeriesHeader(series_description=said))
    assert re.search(words.any_language(topic), found)


@pytest.mark.parametrize(
    ("topic", "said"),
    [
        (words.LATE_ENHANCEMENT, "localizador de corazón"),  # "of", not delayed enhancement
        (words.LATE_ENHANCEMENT, "contraste de phase aorte"),
        (words.LATE_ENHANCEMENT, "prueba de TI"),
        (words.LATE_ENHANCEMENT, "chambre de chasse"),
        (words.SCOUT, "retard plan petit axe"),  # a plane, not planning
        (words.SCOUT, "ciné plan 4 cavités"),
        (words.SHORT_AXIS, "MOLLI short T1"),
        (words.SHORT_AXIS, "short TI scout"),
    ],
)
def test_little_words_of_one_language_are_no_abbreviations_of_another(topic, said):
    found = words_of(SeriesHeader(series_description=said, protocol_name=said))
    assert not re.search(words.any_language(topic), found)


@pytest.mark.parametrize(
    ("sequence", "said", "header"),
    [
        ("cine bSSFP", "", {"sequence_name": "*tfi2d1_10"}),
        ("cine GRE", "", {"sequence_name": "*fl2d1", "flip_angle_deg": 12.0}),
        ("real-time cine", "cine temps réel", {}),
        ("tagging", "", {"sequence_name": "*fl2d1_tag"}),
        ("perfusion", "perfusion stress", {}),
        ("DENSE", "cine DENSE", {}),
        ("phase-contrast phase", "", {"image_type": ("ORIGINAL", "PRIMARY", "P")}),
        ("LGE PSIR", "PSIR", {"phases": 1, "image_type": ("ORIGINAL", "PRIMARY", "P")}),
        ("LGE magnitude", "LGE MAG", {"phases": 1, "image_type": ("ORIGINAL", "PRIMARY", "M")}),
        ("T1 map", "", {"phases": 1, "image_type": ("DERIVED", "PRIMARY", "T1 MAP")}),
        ("T2*", "T2star", {"phases": 1}),
        ("black blood", "", {"phases": 1, "scanning_sequence": ("SE", "IR")}),
        ("not cardiac", "t1 mprage", {"phases": 1, "body_part": "HEAD"}),
    ],
)
def test_sequences_are_named_by_the_header(sequence, said, header):
    found = names_of(cine("s01", grid_across(AXIS, 3), said, **header))
    assert found["s01"][0] == sequence


@pytest.mark.parametrize(("pictures", "sequence"), [(8, "T1 raw"), (25, "TI scout")])
def test_inversion_series_are_told_by_how_many_pictures_they_have(pictures, sequence):
    grid = grid_across(AXIS, 3)
    times = 100.0 + 30.0 * np.arange(pictures)[:, None] * np.ones(3)
    along = Preparation(
        PreparationKind.INVERSION, times, np.full(times.shape, np.nan), np.full(3, np.nan)
    )
    image = Image(np.zeros((pictures, *grid.shape), np.float32), grid, along)
    one = Series("s01", image, header=SeriesHeader(modality="MR"))
    assert names_of(one)["s01"][0] == sequence


def mapping_pictures(said: str, pictures: int, **header: object) -> Series:
    """Return pictures of one slice and one moment whose preparation no header states."""
    grid = grid_across(AXIS)
    times = np.full((pictures, 1), 530.0)
    along = Heartbeat(times, np.full(1, 900.0))
    image = Image(np.zeros((pictures, *grid.shape), np.float32), grid, along)
    stated = {"modality": "MR", "series_description": said, **header}
    return Series("s01", image, ("1.s01",), "9", header=SeriesHeader(**stated))  # type: ignore[arg-type]


RECOVERY = {"scanning_sequence": ("GR", "IR"), "image_type": ("ORIGINAL", "PRIMARY", "P")}


@pytest.mark.parametrize(
    ("said", "pictures", "sequence"),
    [
        ("MOLLI_T1MAP", 2, "T1 map"),  # the map, and the map in colours
        ("MOLLI_T1MAP", 1, "T1 map"),
        ("T1Map_MOLLI", 8, "T1 raw"),  # protocols carry the word too
        ("MOLLI", 8, "T1 raw"),
        ("MOLLI_FITPARAMS", 7, "derived"),
        ("T1 MOLLI residual map", 1, "derived"),
        ("MOLLI T1 error map", 1, "derived"),
        ("T2_PREP_T2MAP", 2, "T2 map"),
    ],
)
def test_maps_and_what_a_fit_left_are_told_from_raw_pictures(said, pictures, sequence):
    assert names_of(mapping_pictures(said, pictures, **RECOVERY))["s01"][0] == sequence


@pytest.mark.parametrize("typed", ["T1", "T1 MAP", "T1MAP", "T1_MAP"])
def test_a_map_is_known_by_every_spelling_of_its_image_type(typed):
    header = {"image_type": ("DERIVED", "PRIMARY", typed)}
    assert names_of(mapping_pictures("", 1, **header))["s01"][0] == "T1 map"


def test_a_name_never_contradicts_what_the_analyses_take_a_series_for():
    assert set(NAMES) == set(Technique)
    assert set(VIEW_NAMES) == set(View) - {View.LONG_AXIS}  # of networks alone, no series'
    cines = {SequenceName.CINE_BSSFP, SequenceName.CINE_GRE, SequenceName.REAL_TIME_CINE}
    assert set(NAMES[Technique.CINE]) == cines
    assert VIEW_NAMES[View.SAX] == (ViewName.SAX,)


def scanned(one: Series) -> ScannerSeries:
    return ScannerSeries(one.uids[0], "1", "k", one.header, Identity(), 1)


def roles_of(*series: Series) -> dict[str, str]:
    study = sort_study(Study("k", series))
    rows = name_series(study, map(scanned, study.series), choose_sax_cine(study).series)
    return {row.scanned.uid.removeprefix("1."): row.role for row in rows}


def test_repeats_stress_and_contrast_are_told():
    grid = grid_across(AXIS, 10)
    found = roles_of(
        cine("a", grid, "cine SAX", series_time="0930"),
        cine("b", grid, "cine SAX", series_time="0940"),
        cine("c", grid, "cine SAX stress", series_time="0950"),
        cine("d", grid, "cine SAX", series_time="1000", contrast_agent="GD"),
        cine("e", long_axis(122.0), "cine 4CH", series_time="1010"),
    )
    assert found == {
        "a": "before contrast",
        "b": "short-axis cine (measured), before contrast, repeat",
        "c": "stress, before contrast",
        "d": "after contrast",
        "e": "after contrast",
    }


def test_a_series_is_no_repeat_of_itself_and_one_of_the_same_plane_is():
    grid = grid_across(AXIS, 10)
    twice = [replace(cine(key, grid, "scout", phases=1), uids=("1.a",)) for key in ("a", "b")]
    assert roles_of(*twice)["a"] == ""
    once_more = cine("c", grid, "scout", phases=1, series_time="1000")
    assert roles_of(*twice, once_more)["c"] == "repeat"


def test_a_cine_that_shares_a_series_with_scouts_is_not_called_a_scout():
    cine_stack = replace(cine("a", grid_across(AXIS, 10)), uids=("1.a",))
    scouts = [
        replace(cine(key, grid_across(np.array(normal), 3), "scout", phases=1), uids=("1.a",))
        for key, normal in (("b", [1.0, 0, 0]), ("c", [0, 1.0, 0]), ("d", [0, 0, 1.0]))
    ]
    study = sort_study(Study("k", (*scouts, cine_stack)))
    measured = choose_sax_cine(study).series
    (row,) = name_series(study, [scanned(cine_stack)], measured)
    assert (row.naming.sequence, row.naming.view) == (SequenceName.CINE_BSSFP, ViewName.SAX)
    assert row.role == "short-axis cine (measured)"
    assert any("9 pictures of it are named scout" in why for why in row.naming.evidence)
    (without,) = name_series(study, [scanned(cine_stack)], None)
    assert without.naming.sequence is SequenceName.CINE_BSSFP


def test_what_a_standard_examination_lacks_is_named():
    study = sort_study(Study("k", whole_study({})))
    rows = name_series(study, map(scanned, study.series), None)
    assert missing(rows) == ("short-axis late enhancement",)
    assert len(missing(rows[:1])) == 4
