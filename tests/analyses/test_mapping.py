"""Tissue mapping against tissue of known times, and what gives no number."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from opencmr.analyses.analysis import Parts
from opencmr.analyses.function import NAME as FUNCTION
from opencmr.analyses.mapping import NAME, TISSUE_MAPPING
from opencmr.analyses.plan import plan_study
from opencmr.anatomy.map_kinds import MapKind
from opencmr.anatomy.techniques import Technique
from opencmr.imaging.axis import Heartbeat, Preparation, PreparationKind
from opencmr.imaging.flag import About, QualityFlag, Severity
from opencmr.imaging.image import Unit
from opencmr.imaging.reading import Reading
from opencmr.imaging.segmentation import Segmentation
from opencmr.imaging.study import Demographics, Scanner, Series, Study
from opencmr.measure.relaxometry.method import Method, map_of
from opencmr.measure.ventricles import Unmeasurable
from opencmr.measure.wall.carried import carried_to, nearest_phase
from opencmr.models.session import Networks
from opencmr.quality.withhold import withhold
from opencmr.sort.roles import is_finished_map
from opencmr.sort.sorting import sort_study

from .conftest import (
    CINE_GRID,
    MAP_GRID,
    MOLLI_MS,
    MOMENT,
    T1_MS,
    T2_MS,
    T2_STAR_MS,
    Tissue,
    echoes,
    finished,
    grid,
    labels_at,
    molli,
    tissue_at,
    with_axis,
)

GLOBAL_T1_MS = (1000.0, 1100.0)


def study_of(*series: Series, field_t: float | None = None) -> Study:
    return Study("phantom", series, scanner=Scanner(field_strength_t=field_t))


def read(study: Study, function: Reading | None) -> Reading:
    """The analysis on every series that the plan gives it, after that of function."""
    (planned,) = plan_study(study, (TISSUE_MAPPING,))
    assert planned.runs, planned.text
    earlier = {} if function is None else {FUNCTION: function}
    return TISSUE_MAPPING.read(Parts(study, planned.series), earlier, Networks())


@pytest.fixture
def after_function(contours: Segmentation) -> Reading:
    return Reading({"s01": contours})


def reason_codes(reading: Reading) -> set[str]:
    return {m.reason.code for m in reading.measurements.whole_heart if m.reason}


def test_t1_of_wall_and_septum_is_that_of_the_tissue_wherever_the_map_lies_in_plane(
    cine: Series, after_function: Reading
) -> None:
    found = read(study_of(cine, molli()), after_function).measurements
    assert found.value("T1_SEPTUM") == pytest.approx(T1_MS.septum, rel=0.002)
    assert GLOBAL_T1_MS[0] < found.value("T1") < GLOBAL_T1_MS[1]
    assert 0 < found.value("T1_SD") < 60
    assert "phase 8" in found.find("T1").evidence
    assert "not registered" in found.find("T1").evidence


def moved(series: Series, pictures: dict[int, tuple[float, float]]) -> Series:
    """A series of which some pictures lie further down and right, in mm."""
    image = series.image
    values = image.values.copy()
    for n, (down_mm, right_mm) in pictures.items():
        px = down_mm / image.grid.row_spacing_mm, right_mm / image.grid.column_spacing_mm
        values[n] = ndimage.shift(values[n], (0, *px), order=1, mode="nearest")
    return replace(series, image=replace(image, values=values))


def test_a_series_that_lies_still_is_not_touched(cine: Series, after_function: Reading) -> None:
    found = read(study_of(cine, molli()), after_function).maps["s02"]
    plain = map_of(molli().image.values[:, 0], MOLLI_MS, Method(MapKind.T1), magnitude=True)
    np.testing.assert_array_equal(found.values_ms[0], plain.values_ms.astype(np.float32))
    assert "shifted" not in found.made_by


@pytest.mark.parametrize(("mm", "is_large"), [(6.0, False), (14.4, True)])
def test_pictures_that_moved_are_laid_on_the_others_and_told(
    cine: Series, after_function: Reading, mm: float, is_large: bool
) -> None:
    series = moved(molli(), {2: (mm, 0.0), 5: (-3.6, 2.4)})
    reading = read(study_of(cine, series), after_function)
    plain = read(study_of(cine, molli()), after_function)
    found, still = reading.measurements, plain.measurements
    assert found.value("T1_SEPTUM") == pytest.approx(T1_MS.septum, rel=0.01)
    assert found.value("T1_SD") == pytest.approx(still.value("T1_SD"), rel=0.3)
    assert "6 of 24 pictures shifted by up to" in reading.maps["s02"].made_by
    assert [f.about.series for f in reading.flags if f.code == "MOVED_PICTURES"] == (
        ["s02"] if is_large else []
    )


def test_each_aha_segment_holds_its_own_tissue(cine: Series, after_function: Reading) -> None:
    by_segment = read(study_of(cine, molli()), after_function).measurements.segments("T1")
    assert sorted(by_segment) == list(range(1, 18))
    for number in (11, 12):
        assert by_segment[number].value == pytest.approx(T1_MS.wall, rel=0.002), number
    for number in (8, 9):
        assert by_segment[number].value == pytest.approx(T1_MS.septum, rel=0.002), number
    assert by_segment[17].reason is not None


def test_the_walls_outline_on_the_map_is_the_one_of_its_own_moment(
    cine: Series, after_function: Reading
) -> None:
    reading = read(study_of(cine, molli()), after_function)
    carried = reading.maps["s02"].wall
    assert carried is not None
    truth = labels_at(MAP_GRID, MOMENT)
    for label in (1, 2, 3):
        one, other = carried.labels[0] == label, truth == label
        assert (
            2 * (one & other).sum() / (one.sum() + other.sum()) > 0.93
        )  # the heart is 1.6 % wider 2 mm nearer its base


@pytest.mark.parametrize("moment", [0.0, 0.2, 0.4, 0.95])
def test_the_phase_is_found_as_a_fraction_of_each_heartbeat(cine: Series, moment: float) -> None:
    phase = nearest_phase(cine.image, molli(moment=moment).image)
    apart = abs(phase / 10 - moment) % 1
    assert min(apart, 1 - apart) <= 0.0501


def test_maps_in_ms_do_not_mind_the_brightness_of_the_pictures(
    cine: Series, after_function: Reading
) -> None:
    one, other = (
        read(study_of(cine, molli(scale=scale)), after_function).measurements.values()
        for scale in (1.0, 0.03)
    )
    assert one == pytest.approx(other, rel=1e-4)


def test_a_map_after_contrast_is_another_quantity(cine: Series, after_function: Reading) -> None:
    post = Tissue(450.0, 420.0, 300.0, 200.0)
    study = study_of(cine, molli(), molli("s03", tissue=post, contrast_agent="Gadolinium"))
    found = read(study, after_function).measurements
    assert found.value("T1_SEPTUM") == pytest.approx(T1_MS.septum, rel=0.002)
    assert found.value("T1_POST_SEPTUM") == pytest.approx(post.septum, rel=0.002)


AFTER = Tissue(450.0, 420.0, 300.0, 200.0)
HAEMATOCRIT = 0.42


def ecv_of(wall_ms: float, after_ms: float) -> float:
    of_blood = 1 / AFTER.blood - 1 / T1_MS.blood
    return 100 * (1 - HAEMATOCRIT) * (1 / after_ms - 1 / wall_ms) / of_blood


def test_extracellular_volume_of_wall_and_septum_is_that_of_the_tissue(
    cine: Series, after_function: Reading
) -> None:
    study = study_of(cine, molli(), molli("s03", tissue=AFTER, contrast_agent="Gadolinium"))
    study = replace(study, demographics=Demographics(haematocrit=HAEMATOCRIT))
    found = read(study, after_function).measurements
    expected = ecv_of(T1_MS.septum, AFTER.septum)
    assert found.value("ECV_SEPTUM") == pytest.approx(expected, rel=0.01)
    by_segment = found.segments("ECV")
    assert by_segment[8].value == pytest.approx(expected, rel=0.01)
    assert by_segment[11].value == pytest.approx(ecv_of(T1_MS.wall, AFTER.wall), rel=0.01)


@pytest.mark.parametrize(
    ("haematocrit", "has_native", "code"),
    [(None, True, "NO_HAEMATOCRIT"), (0.42, False, "NO_NATIVE_T1")],
)
def test_extracellular_volume_that_lacks_something_says_what(
    cine: Series, after_function: Reading, haematocrit: float | None, has_native: bool, code: str
) -> None:
    native = (molli(),) if has_native else ()
    study = study_of(cine, *native, molli("s03", tissue=AFTER, contrast_agent="Gadolinium"))
    study = replace(study, demographics=Demographics(haematocrit=haematocrit))
    found = read(study, after_function).measurements
    assert found.find("ECV").value is None
    assert found.find("ECV").reason.code == code
    assert found.value("T1_POST_SEPTUM") == pytest.approx(AFTER.septum, rel=0.002)


@pytest.mark.parametrize(
    ("field_t", "description", "is_given"),
    [
        (1.5, "T1 MOLLI", True),
        (1.494, "T1 MOLLI", True),
        (3.0, "T1 MOLLI", False),
        (None, "T1 MOLLI", False),
    ],
)
def test_a_synthetic_haematocrit_is_used_on_request_where_it_was_made_and_labelled(
    cine: Series, after_function: Reading, field_t: float | None, description: str, is_given: bool
) -> None:
    native = molli()
    native = replace(native, header=replace(native.header, series_description=description))
    study = study_of(cine, native, molli("s03", tissue=AFTER, contrast_agent="Gadolinium"))
    study = replace(
        study,
        scanner=Scanner(field_strength_t=field_t),
        demographics=Demographics(may_use_synthetic_haematocrit=True),
    )
    found = read(study, after_function)
    ecv = found.measurements.find("ECV_SEPTUM")
    flags = [one for one in found.flags if one.code == "SYNTHETIC_HAEMATOCRIT"]
    if not is_given:
        assert ecv.reason.code == "NO_HAEMATOCRIT"
        assert flags == []
        return
    haematocrit = 866.0 / T1_MS.blood - 0.1232
    expected = ecv_of(T1_MS.septum, AFTER.septum) * (1 - haematocrit) / (1 - HAEMATOCRIT)
    assert ecv.value == pytest.approx(expected, rel=0.01)
    assert "synthetic haematocrit" in ecv.evidence
    assert [one.about.series for one in flags] == ["s03"]
    measured = replace(study, demographics=Demographics(haematocrit=0.3,
                       may_use_synthetic_haematocrit=True))  # fmt: skip
    again = read(measured, after_function)
    assert "synthetic" not in again.measurements.find("ECV_SEPTUM").evidence
    assert not [one for one in again.flags if one.code == "SYNTHETIC_HAEMATOCRIT"]


def test_a_map_of_another_scheme_gives_no_synthetic_haematocrit(
    cine: Series, after_function: Reading
) -> None:
    values = tissue_at(MAP_GRID, MOMENT, T1_MS)
    native = finished("s02", values, Technique.T1_MAPPING, Unit.MILLISECONDS, "T1 MAP")
    header = replace(native.header, series_description="ShMOLLI T1 map")
    study = study_of(
        cine,
        replace(native, header=header),
        molli("s03", tissue=AFTER, contrast_agent="Gadolinium"),
    )
    study = replace(
        study,
        scanner=Scanner(field_strength_t=1.5),
        demographics=Demographics(may_use_synthetic_haematocrit=True),
    )
    reason = read(study, after_function).measurements.find("ECV").reason
    assert (reason.code, "shmolli" in reason.sentence) == ("NO_HAEMATOCRIT", True)


def test_without_contrast_nothing_is_said_of_extracellular_volume(
    cine: Series, after_function: Reading
) -> None:
    assert read(study_of(cine, molli()), after_function).measurements.find("ECV") is None


def test_t2_of_spin_echoes_and_t2_star_of_gradient_echoes(
    cine: Series, after_function: Reading
) -> None:
    study = study_of(
        cine,
        echoes("s02", np.arange(10.0, 90, 10), T2_MS, Technique.T2_STAR_MAPPING, "SE"),
        echoes("s03", np.arange(1.5, 18, 2), T2_STAR_MS, Technique.T2_STAR_MAPPING, "GR"),
        field_t=1.5,
    )
    reading = read(study, after_function)
    assert reading.measurements.value("T2_SEPTUM") == pytest.approx(T2_MS.septum, rel=0.01)
    assert reading.measurements.value("T2S_SEPTUM") == pytest.approx(T2_STAR_MS.septum, rel=0.01)
    (mark,) = (flag for flag in reading.flags if flag.code == "SHORT_T2_STAR")
    assert "20 ms" in mark.message
    elsewhere = read(replace(study, scanner=Scanner(field_strength_t=3.0)), after_function)
    assert not any(flag.code == "SHORT_T2_STAR" for flag in elsewhere.flags)


def test_a_scanners_map_in_ms_is_measured_like_a_fitted_one(
    cine: Series, after_function: Reading
) -> None:
    values = tissue_at(MAP_GRID, MOMENT, T1_MS)
    values[:, :5] = 0
    scanners = finished("s03", values, Technique.T1_MAPPING, Unit.MILLISECONDS, "T1 MAP")
    reading = read(study_of(cine, molli(), scanners), after_function)
    fitted, given = (reading.measurements.of(series=key).values() for key in ("s02", "s03"))
    assert given == pytest.approx(fitted, rel=0.002)
    assert np.isnan(reading.maps["s03"].values_ms[:, :5]).all()


@pytest.mark.parametrize(
    ("technique", "image_type", "scale"),
    [
        (Technique.T1_MAPPING, "T1 MAP", 0.001),
        (Technique.T2_MAPPING, "T2 MAP", 10.0),
        (Technique.T1_MAPPING, "T1 MAP", 10.0),
    ],
)
def test_a_map_in_another_unit_gives_no_number(
    cine: Series, after_function: Reading, technique: Technique, image_type: str, scale: float
) -> None:
    values = scale * tissue_at(MAP_GRID, MOMENT, T1_MS)
    map_ = finished("s02", values, technique, Unit.ARBITRARY, image_type)
    reading = read(study_of(cine, map_), after_function)
    assert reason_codes(reading) == {"MAP_UNIT"}
    assert not any(reading.measurements.values().values())
    assert reading.maps == {}


def test_a_t1_map_that_names_no_unit_and_can_be_in_ms_is_taken_so_and_remarked(
    cine: Series, after_function: Reading
) -> None:
    values = tissue_at(MAP_GRID, MOMENT, T1_MS)
    map_ = finished("s02", values, Technique.T1_MAPPING, Unit.ARBITRARY, "T1 MAP")
    reading = read(study_of(cine, map_), after_function)
    assert reading.measurements.value("T1_SEPTUM") == pytest.approx(T1_MS.septum)
    assert [(f.severity, f.code) for f in reading.flags] == [(Severity.REVIEW, "MAP_UNIT")]


def _times(series: Series, change: dict[int, float]) -> Series:
    times_ms = np.array(series.image.along.times_ms)
    for place, time_ms in change.items():
        times_ms[place] = time_ms
    old = series.image.along
    return with_axis(
        series, Preparation(PreparationKind.INVERSION, times_ms, old.trigger_ms, old.rr_ms)
    )


@pytest.mark.parametrize(
    ("spoilt", "said"),
    [
        (_times(molli(), {3: np.inf}), "1 of 8 pictures state no inversion time"),
        (_times(molli(), {3: 260.0}), "inversion time 260 ms is there twice"),
        (_times(molli(), dict(enumerate(MOLLI_MS / 1000))), "seconds given as milliseconds"),
        (
            with_axis(molli(), Heartbeat(np.full((8, 3), np.nan), np.full(3, np.nan))),
            "state no three different inversion or echo times",
        ),
    ],
)
def test_a_series_whose_times_cannot_be_meant_gives_no_number_and_says_which(
    cine: Series, after_function: Reading, spoilt: Series, said: str
) -> None:
    reading = read(study_of(cine, spoilt), after_function)
    (only,) = reading.measurements
    assert only.reason.code == "NOT_MAPPED"
    assert said in only.reason.sentence
    assert said in reading.flags[0].message
    assert reading.maps == {}


T2_PREPARED_MS = np.array([0.0, 25.0, 55.0])


def t2_prepared(times_ms: np.ndarray = T2_PREPARED_MS) -> Series:
    """Pictures that decay over the preparation, the first of them without an offset."""
    shaped = echoes("s02", T2_PREPARED_MS, T2_MS, Technique.T2_MAPPING, "GR")
    old = shaped.image.along
    stated_ms = np.repeat(times_ms[:, None], 3, axis=1)
    return with_axis(
        shaped, Preparation(PreparationKind.T2_PREPARATION, stated_ms, old.trigger_ms, old.rr_ms)
    )


def test_t2_of_pictures_after_t2_preparations_is_that_of_the_tissue(
    cine: Series, after_function: Reading
) -> None:
    found = read(study_of(cine, t2_prepared()), after_function).measurements
    assert found.value("T2_SEPTUM") == pytest.approx(T2_MS.septum, rel=0.002)
    assert found.segments("T2")[11].value == pytest.approx(T2_MS.wall, rel=0.002)


@pytest.mark.parametrize("silent", [np.nan, np.inf])
def test_a_t2_preparation_that_is_not_stated_is_never_guessed(
    cine: Series, after_function: Reading, silent: float
) -> None:
    spoilt = t2_prepared(np.array([silent, 25.0, 55.0]))
    (only,) = read(study_of(cine, spoilt), after_function).measurements
    assert only.reason.code == "NOT_MAPPED"
    assert "1 of 3 pictures state no T2 preparation" in only.reason.sentence


def test_a_scout_of_inversion_times_is_no_map(cine: Series, after_function: Reading) -> None:
    series = molli()
    old = series.image.along
    trigger_ms = np.repeat(np.linspace(0, 700, 8)[:, None], 3, axis=1)
    scout = Preparation(old.kind, old.times_ms, trigger_ms, old.rr_ms)
    reading = read(study_of(cine, with_axis(series, scout)), after_function)
    assert reason_codes(reading) == {"NOT_MAPPED"}


def test_without_contours_there_is_a_map_and_no_number(cine: Series) -> None:
    reading = read(study_of(molli()), None)
    assert reading.maps["s02"].kind is MapKind.T1
    assert reading.maps["s02"].wall is None
    assert reason_codes(reading) == {"NO_CONTOURS"}
    assert not any(reading.measurements.values().values())


@pytest.mark.parametrize("symbols", [frozenset({"LVEDV"}), frozenset()])
def test_a_gap_between_a_maps_slices_spoils_volumes_and_not_the_map(
    cine: Series, after_function: Reading, symbols: frozenset[str]
) -> None:
    flag = QualityFlag(
        Severity.DO_NOT_REPORT, "MISSING_SLICE", "A gap.", about=About("s02", symbols=symbols)
    )
    reading = read(study_of(cine, replace(molli(), flags=(flag,))), after_function)
    found = withhold(reading.measurements, reading.flags)
    assert (found.value("T1") is not None) == bool(symbols)


def test_contours_that_must_not_be_reported_are_not_carried(
    cine: Series, contours: Segmentation
) -> None:
    flag = QualityFlag(Severity.DO_NOT_REPORT, "UPSIDE_DOWN", "It hangs.")
    reading = read(study_of(cine, molli()), Reading({"s01": contours}, flags=(flag,)))
    assert reason_codes(reading) == {"NO_CONTOURS"}


@pytest.mark.parametrize("uid", ["", "9.9"])
def test_contours_of_another_frame_of_reference_are_not_carried(
    cine: Series, after_function: Reading, uid: str
) -> None:
    map_ = replace(molli(), frame_of_reference_uid=uid)
    assert reason_codes(read(study_of(cine, map_), after_function)) == {"OTHER_FRAME"}
    if not uid:
        nowhere = replace(cine, frame_of_reference_uid="")
        assert reason_codes(read(study_of(nowhere, map_), after_function)) == {"OTHER_FRAME"}


def test_a_map_without_a_trigger_time_gets_no_contours(
    cine: Series, after_function: Reading
) -> None:
    series = molli()
    along = series.image.along
    untimed = Preparation(along.kind, along.times_ms, np.full((8, 3), np.nan), along.rr_ms)
    reading = read(study_of(cine, with_axis(series, untimed)), after_function)
    assert reason_codes(reading) == {"NO_TIMING"}


def test_slices_off_the_cines_or_tilted_against_it_get_no_contours(
    contours: Segmentation,
) -> None:
    far = grid(np.array([-200.0, 60.0]), 96, 1.2)
    with pytest.raises(Unmeasurable, match="OUT_OF_PLANE"):
        carried_to(far, contours, 0)
    tilted = MAP_GRID.affines.copy()
    lean = np.deg2rad(20)
    turn = np.array([[1, 0, 0], [0, np.cos(lean), -np.sin(lean)], [0, np.sin(lean), np.cos(lean)]])
    tilted[:, :3, :] = turn @ tilted[:, :3, :]
    with pytest.raises(Unmeasurable, match="OUT_OF_PLANE"):
        carried_to(type(MAP_GRID)(MAP_GRID.shape, tilted), contours, 0)


def test_carried_to_its_own_grid_the_contours_stay_as_they_are(contours: Segmentation) -> None:
    carried = carried_to(CINE_GRID, contours, 4)
    assert np.array_equal(carried.segmentation.labels[0], contours.labels[4])
    assert carried.source_slices == tuple(range(6))


def test_a_study_without_such_a_series_says_so_in_its_plan(cine: Series) -> None:
    (planned,) = plan_study(study_of(cine), (TISSUE_MAPPING,))
    assert planned.plain["reason"]["code"] == "NO_MAPPING"


def test_every_mapping_series_stands_in_the_plan_and_phase_pictures_do_not(cine: Series) -> None:
    phase = replace(molli("s04"), header=replace(molli().header, image_type=("ORIGINAL", "P")))
    (planned,) = plan_study(study_of(cine, molli(), molli("s03"), phase), (TISSUE_MAPPING,))
    assert planned.plain["series"] == ["s02", "s03"]
    assert planned.analysis.name == NAME


def test_sorting_knows_a_t2_star_map_by_its_image_type() -> None:
    values = tissue_at(MAP_GRID, MOMENT, T2_STAR_MS)
    for word in ("T2_STAR MAP", "T2* MAP"):
        map_ = finished("s01", values, Technique.OTHER, Unit.ARBITRARY, word)
        (sorted_map,) = sort_study(study_of(map_)).series
        assert sorted_map.sequence is Technique.T2_STAR_MAPPING


@pytest.mark.parametrize(
    ("described", "is_map"),
    [
        ("ShMOLLI_192i_e11_T1MAP", True),
        ("MyoMaps_T2_Map", True),
        ("T2* map", True),
        ("T1 mapping native", False),
        ("ShMOLLI_192i_e11", False),
    ],
)
def test_one_picture_of_a_slice_is_a_map_by_its_name(described: str, is_map: bool) -> None:
    values = tissue_at(MAP_GRID, MOMENT, T1_MS)
    one = finished("s01", values, Technique.T1_MAPPING, Unit.ARBITRARY, "P")
    named = replace(one, header=replace(one.header, series_description=described))
    assert is_finished_map(named) == is_map
