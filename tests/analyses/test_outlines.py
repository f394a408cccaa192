"""Contours of an RT Structure Set become labels on the slice and phase that they were drawn on."""

import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pydicom.uid import EnhancedMRImageStorage, MRImageStorage

from opencmr.analyses.contours import labels_from
from opencmr.analyses.outlines import labels_of_outlines
from opencmr.analyses.placing import place_labels
from opencmr.analyses.table import ANALYSES
from opencmr.anatomy.reasons import reason_of
from opencmr.anatomy.structures import ACDC, EMIDEC
from opencmr.anatomy.techniques import Technique
from opencmr.anatomy.views import View
from opencmr.errors import ConfigurationError, GeometryError, InputError
from opencmr.geometry.contours import outlines_mm
from opencmr.geometry.grid import Grid
from opencmr.imaging.axis import Heartbeat
from opencmr.imaging.flag import QualityFlag, Severity
from opencmr.imaging.given_contours import Surface
from opencmr.imaging.given_labels import GivenLabels
from opencmr.imaging.image import Image, Instance
from opencmr.imaging.study import Series, SeriesHeader, StackFacts, Study
from opencmr.intake.contours import read_contours
from opencmr.intake.dicom.given import read_given_objects
from opencmr.intake.studies import read_studies
from opencmr.pipeline import Configuration, sorted_study
from tests.structure_sets import Roi, circle, in_patient, saved, structure_set

PHASES, SLICES, ROWS, COLUMNS = 4, 5, 64, 72
SPACING_MM = (1.5, 1.25)
RIGHT = np.array([0.8, 0.36, -0.48])
DOWN = np.array([0.0, 0.8, 0.6])
STEPS_MM = np.array([0.0, 8, 16, 26, 34])
CENTRE = (30.2, 40.7)
CORNER_MM = np.array([-40.0, 20, 5])
MIDDLE = CORNER_MM + (ROWS - 1) / 2 * SPACING_MM[0] * DOWN
MINUTE = 0.03
"""Share of an area by which the smoothing of an outline may change it."""


def oblique_grid() -> Grid:
    """An oblique stack, unevenly spaced, one slice shifted and another one tilted."""
    normal = np.cross(RIGHT, DOWN)
    affines = np.zeros((SLICES, 4, 4))
    affines[:, :3, 0], affines[:, :3, 1] = DOWN * SPACING_MM[0], RIGHT * SPACING_MM[1]
    affines[:, :3, 3] = CORNER_MM + STEPS_MM[:, None] * normal
    affines[1, :3, 3] += 4 * RIGHT - 2 * DOWN
    tilt = np.deg2rad(4)
    affines[4, :3, 1] = (np.cos(tilt) * RIGHT + np.sin(tilt) * normal) * SPACING_MM[1]
    affines[:, 3, 3] = 1
    return Grid((SLICES, ROWS, COLUMNS), affines)


def cine_of(phases: int, *, enhanced: bool = False, key: str = "s01", root: str = "1.2") -> Series:
    def instance(t: int, z: int) -> Instance:
        uid = f"{root}.{z}" if enhanced else f"{root}.{z}.{t}"
        of = EnhancedMRImageStorage if enhanced else MRImageStorage
        return Instance(of, uid, t + 1 if enhanced else 1, f"{root}.5", "1.2.3", None)

    pictures = tuple(tuple(instance(t, z) for z in range(SLICES)) for t in range(phases))
    trigger_ms = np.repeat(np.arange(phases)[:, None] * 200.0, SLICES, axis=1)
    image = Image(
        np.zeros((phases, SLICES, ROWS, COLUMNS), np.float32),
        oblique_grid(),
        Heartbeat(trigger_ms, np.full(SLICES, 800.0)),
        instances=pictures,
    )
    return Series(
        key,
        image,
        uids=(f"{root}.5",),
        frame_of_reference_uid="1.2.3.9",
        view=View.SAX,
        sequence=Technique.CINE,
        header=SeriesHeader(modality="MR"),
    )


@pytest.fixture(params=[False, True], ids=["classic", "enhanced"])
def cine(request: pytest.FixtureRequest) -> Series:
    return cine_of(PHASES, enhanced=request.param)


@pytest.fixture
def classic() -> Series:
    return cine_of(PHASES)


@pytest.fixture
def still() -> Series:
    """A cine of which one phase was exported."""
    return cine_of(1)


def heart() -> np.ndarray:
    """ACDC labels of a heart without symmetry, another one on every picture."""
    labels = np.zeros((PHASES, SLICES, ROWS, COLUMNS), np.uint8)
    rows, columns = np.indices((ROWS, COLUMNS)) * np.array(SPACING_MM)[:, None, None]
    for t in range(PHASES):
        for z in range(SLICES):
            shrink = 1 - 0.08 * t - 0.1 * z
            beside = np.hypot((rows - 40) / 1.3, columns - 30 - 3 * t)
            around = np.hypot(rows - 45 - 2 * z, columns - 55)
            labels[t, z][beside < 20 * shrink] = 1
            labels[t, z][around < 24 * shrink] = 2
            labels[t, z][around < 16 * shrink] = 3
    return labels


def structures_of(
    labels: np.ndarray,
    series: Series,
    *,
    ring: bool = False,
    named: bool = True,
    moved: Callable[[np.ndarray], np.ndarray] = lambda points: points,
) -> list[Roi]:
    """Outline labels as a contouring program does, every region on every picture."""
    inside = {"LV endo": [3], "LV myocardium" if ring else "LV epi": [2] if ring else [2, 3],
              "RV": [1]}  # fmt: skip
    image = series.image
    rois = [Roi(name) for name in inside]
    for roi, values in zip(rois, inside.values(), strict=True):
        for t in range(image.phases):
            for z in range(SLICES):
                pictures = [image.instances[t][z]] if named else []
                for line in outlines_mm(np.isin(labels[t, z], values), SPACING_MM):
                    points = in_patient(line[:-1] / SPACING_MM, image.grid, z)
                    roi.contours.append((moved(points), pictures))
    return rois


Labels = Callable[..., tuple[GivenLabels, tuple[QualityFlag, ...]]]


@pytest.fixture
def labelled(tmp_path: Path) -> Labels:
    """Write regions as a Structure Set, read it, and lay it on a study."""

    def of(
        rois: list[Roi],
        *series: Series,
        key: str | None = None,
        stated: str | None = None,
        pictures_of: Mapping[str, Sequence[Instance]] | None = None,
    ):
        dataset = structure_set(*rois, series=stated, pictures_of=pictures_of)
        path = saved(dataset, tmp_path / "rs.dcm")
        given = read_given_objects(path, author="A. Reader", series=key)
        return labels_of_outlines(given, Study("phantom", series), ANALYSES)

    return of


def misplaced(found: np.ndarray, true: np.ndarray) -> tuple[float, int]:
    """Return the largest relative error of an area, and how many pixels within a region differ.

    Within: farther than one pixel from every pixel of another label.
    """
    areas = [
        abs(int((found[t, z] == n).sum()) / int((true[t, z] == n).sum()) - 1)
        for t in range(len(true))
        for z in range(SLICES)
        for n in (1, 2, 3)
    ]
    shifts = [(a, b) for a in (-1, 0, 1) for b in (-1, 0, 1)]
    even = np.all([np.roll(true, s, (2, 3)) == true for s in shifts], axis=0)
    return max(areas), int((found != true)[even].sum())


@pytest.mark.parametrize("ring", [False, True], ids=["endo and epi", "endo and a ring"])
def test_labels_come_back_from_their_outlines_picture_by_picture(cine, labelled, ring) -> None:
    true = heart()
    given, remarks = labelled(structures_of(true, cine, ring=ring), cine)
    worst, inner = misplaced(given.labels, true)
    assert inner == 0
    assert worst < 2 * MINUTE
    assert (given.series, given.author.text, remarks) == ("s01", "A. Reader", ())
    assert place_labels(given, Study("phantom", (cine,)), ANALYSES)[0].key == "s01"


@pytest.mark.parametrize(
    "moved",
    [
        lambda points: points + SPACING_MM[1] * RIGHT * 2,
        lambda points: points - SPACING_MM[0] * DOWN * 2,
        lambda points: points - 2 * ((points - MIDDLE) @ DOWN)[:, None] * DOWN,
    ],
    ids=["right", "up", "mirrored"],
)
def test_contours_that_were_moved_in_their_plane_do_not_match(classic, labelled, moved) -> None:
    """The test above sees what it must: a shift of two pixels, a mirror."""
    true = heart()
    given, _ = labelled(structures_of(true, classic, moved=moved), classic)
    assert misplaced(given.labels, true)[1] > 100


@pytest.mark.parametrize(
    ("moved", "words"),
    [
        (lambda points: points + 5 * np.cross(RIGHT, DOWN), "lies 5 mm off the plane"),
        (lambda points: points * (-1, 1, 1), "tilted|off the plane"),
        (lambda points: points * (1, 1, -1), "tilted|off the plane"),
        (lambda points: points[:, [1, 0, 2]], "tilted|off the plane"),
        (lambda points: points * (-1, -1, 1), "tilted|off the plane"),
    ],
    ids=["next slice", "mirrored x", "mirrored z", "swapped", "RAS"],
)
def test_contours_off_the_plane_of_their_picture_are_refused(
    classic, labelled, moved, words
) -> None:
    with pytest.raises(GeometryError, match=words) as told:
        labelled(structures_of(heart(), classic, moved=moved), classic)
    assert reason_of(told.value).code == "OFF_SLICE"


def one(
    series: Series,
    name: str,
    *radii: float,
    at: tuple[int, int] = (1, 2),
    centre: tuple[float, float] = CENTRE,
    tilt_deg: float = 0.0,
    off_mm: float = 0.0,
    named: bool = True,
    **words: object,
) -> Roi:
    """A region of concentric circles on one picture."""
    (t, z), image = at, series.image
    contours = []
    for radius in radii:
        flat = circle(centre, radius)
        points = in_patient(flat, image.grid, z)
        rise = (flat[:, 0] - centre[0]) * SPACING_MM[0] * np.tan(np.deg2rad(tilt_deg))
        points = points + np.outer(off_mm + rise, image.grid.affines[z, :3, 2])
        contours.append((points, [image.instances[t][z]] if named else []))
    return Roi(name, contours, **words)


def refused(labelled: Labels, *words: object, **more: object) -> str:
    with pytest.raises((InputError, GeometryError)) as told:
        labelled(*words, **more)
    reason = reason_of(told.value)
    return reason.code if reason else str(told.value)


def test_a_contour_lies_in_the_phase_of_its_picture_alone(cine, labelled) -> None:
    rois = [one(cine, "LV", 9, at=(1, 2)), one(cine, "epi", 14, at=(1, 2))]
    rois[0].contours += one(cine, "", 6, at=(3, 2)).contours
    given, (flag,) = labelled(rois, cine)
    assert np.argwhere(given.labels.any((2, 3))).tolist() == [[1, 2], [3, 2]]
    areas = [(given.labels[t, 2] == n).sum() for t, n in ((1, 3), (3, 3), (1, 2), (3, 2))]
    expected = np.pi * np.array([9**2, 6**2, 14**2 - 9**2, 0])
    assert areas == pytest.approx(expected, rel=0.03)
    middle = np.argwhere(given.labels[1, 2] == 3).mean(0)
    assert middle == pytest.approx(CENTRE, abs=0.1)
    assert (flag.code, flag.severity) == ("EPICARDIUM_MISSING", Severity.INFO)
    assert (flag.evidence, flag.about.series) == ("1 picture of 1 slice", "s01")


def test_a_multiframe_picture_without_its_frame_does_not_say_the_phase(labelled) -> None:
    cine = cine_of(PHASES, enhanced=True)
    roi = one(cine, "LV", 9, at=(0, 2))
    roi.contours[0] = (
        roi.contours[0][0],
        [replace(cine.image.instances[0][2], sop_class_uid="1.4")],
    )
    assert refused(labelled, [roi], cine) == "MOMENT_UNSTATED"
    # Of one frame, there is nothing to choose.
    assert labelled([roi], cine_of(1, enhanced=True))[0].labels[0, 2].any()


def test_several_pictures_of_one_place_are_refused_and_those_beside_are_no_matter(
    classic, labelled
) -> None:
    roi = one(classic, "LV", 9)
    ((points, pictures),) = roi.contours
    roi.contours = [(points, [*pictures, classic.image.instances[3][2]])]
    assert refused(labelled, [roi], classic) == "MOMENT_UNSTATED"
    roi.contours = [(points, [*pictures, classic.image.instances[3][4]])]
    given, _ = labelled([roi], classic)
    assert np.argwhere(given.labels.any((2, 3))).tolist() == [[1, 2]]


def test_without_pictures_the_place_decides_where_there_is_one_phase(still, labelled) -> None:
    true = heart()
    given, _ = labelled(structures_of(true[:1], still, named=False), still)
    worst, inner = misplaced(given.labels, true[:1])
    assert (inner, worst < 2 * MINUTE) == (0, True)
    near = one(still, "LV", 9, at=(0, 2), off_mm=3.5, named=False)
    assert labelled([near], still)[0].labels[0, 2].any()
    far = one(still, "LV", 9, at=(0, 2), off_mm=4.7, named=False)
    assert refused(labelled, [far], still) == "OFF_SLICE"
    turned = one(still, "LV", 9, at=(0, 2), tilt_deg=4, named=False)
    assert refused(labelled, [turned], still) == "OFF_SLICE"


def test_without_pictures_several_phases_or_series_are_refused(classic, still, labelled) -> None:
    roi = one(classic, "LV", 9, named=False)
    assert refused(labelled, [roi], classic) == "MOMENT_UNSTATED"
    twin = cine_of(1, key="s02", root="1.7")
    assert "s01, s02. Say which with --series" in refused(labelled, [roi], still, twin)
    assert labelled([roi], still, twin, key="s02")[0].series == "s02"
    assert labelled([roi], still, twin, stated="1.7.5")[0].series == "s02"
    away = replace(twin, frame_of_reference_uid="1.2.3.8")
    assert labelled([roi], still, away)[0].series == "s01"
    # What is not stated matches nothing.
    for frame in ("", "1.9"):
        lost = replace(roi, frame=frame)
        assert refused(labelled, [lost], replace(still, frame_of_reference_uid="")) == "OTHER_FRAME"
        assert refused(labelled, [lost], still) == "OTHER_FRAME"


def test_points_of_another_frame_of_reference_are_refused(classic, labelled) -> None:
    assert refused(labelled, [one(classic, "LV", 9, frame="1.9")], classic) == "OTHER_FRAME"


def test_pictures_and_series_that_are_not_there_are_refused(classic, labelled) -> None:
    roi = one(classic, "LV", 9)
    assert refused(labelled, [roi], classic, stated="1.2.99") == "OTHER_PICTURES"
    assert labelled([roi], classic, stated="1.2.5")[0].series == "s01"
    stranger = one(cine_of(PHASES, root="1.7"), "RV", 9)
    assert refused(labelled, [stranger], classic) == "OTHER_PICTURES"
    assert refused(labelled, [roi, stranger], classic) == "OTHER_PICTURES"
    flow = replace(classic, sequence=Technique.FLOW)
    assert refused(labelled, [roi], flow) == "OTHER_PICTURES"
    with pytest.raises(ConfigurationError, match="it has s01"):
        labelled([roi], classic, key="s07")
    moved = replace(classic, facts=StackFacts(60, realigned_slices=2))
    assert "resampled" in refused(labelled, [roi], moved)


def pictures(series: Series) -> list[Instance]:
    return [one for row in series.image.instances for one in row]


def test_of_several_series_in_the_input_the_measured_one_is_taken(cine, labelled) -> None:
    flow = replace(cine_of(PHASES, key="s02", root="1.7"), sequence=Technique.FLOW)
    long_axis = replace(cine_of(PHASES, key="s03", root="1.8"), view=View.FOUR_CHAMBER)
    alone, _ = labelled([one(cine, "RV", 9)], cine, flow, long_axis)
    rois = [one(cine, "RV", 9), one(flow, "LV", 12), one(long_axis, "LA", 7)]
    rois[0].contours += one(long_axis, "", 14, 11).contours
    given, (unread, flag) = labelled(rois, flow, cine, long_axis)
    assert np.array_equal(given.labels, alone.labels)
    assert (given.series, given.scheme, unread.code) == ("s01", ACDC, "CONTOURS_UNREAD")
    assert (flag.code, flag.severity) == ("OTHER_SERIES", Severity.INFO)
    assert (flag.evidence, flag.about.series) == ("1 of s02, 2 of s03", "s01")
    # Other coordinates are the others' matter, and so is a plane that is not theirs.
    strange = [rois[0], replace(one(flow, "RV", 12, tilt_deg=30), frame="1.9")]
    assert np.array_equal(labelled(strange, cine, flow, long_axis)[0].labels, alone.labels)


def test_of_several_series_that_are_measured_the_caller_says_which(classic, labelled) -> None:
    other = cine_of(PHASES, key="s02", root="1.7")
    rois = [one(classic, "RV", 9), one(other, "RV", 12, at=(2, 3))]
    assert "s01, s02. Say which with --series" in refused(labelled, rois, classic, other)
    for key, place in (("s01", [1, 2]), ("s02", [2, 3])):
        given, (flag,) = labelled(rois[::-1], classic, other, key=key)
        assert given.series == key
        assert np.argwhere(given.labels.any((2, 3))).tolist() == [place]
        assert (flag.code, flag.severity) == ("OTHER_SERIES", Severity.INFO)


def test_each_series_has_the_convention_of_its_own_structures(classic, labelled) -> None:
    late = replace(cine_of(1, key="s02", root="1.7"), sequence=Technique.LGE)
    rois = [one(classic, "RV", 12), one(late, "LV", 9, at=(0, 2)), one(late, "scar", 4, at=(0, 1))]
    assert "s01, s02. Say which with --series" in refused(labelled, rois, classic, late)
    assert labelled(rois, classic, late, key="s01")[0].scheme is ACDC
    assert labelled(rois, classic, late, key="s02")[0].scheme is EMIDEC
    # Late enhancement without scar is not measured, and so the cine is meant.
    given, _ = labelled(rois[:2], classic, late)
    assert (given.series, given.scheme) == ("s01", ACDC)
    both = [one(late, "RV", 9, at=(0, 2)), one(late, "scar", 4, at=(0, 1))]
    assert "scar and the right ventricle" in refused(labelled, both, classic, late)


def test_pictures_elsewhere_are_left_out_where_the_object_says_so_itself(classic, labelled) -> None:
    away = cine_of(PHASES, key="s09", root="1.7")
    rois = [one(classic, "RV", 9), one(away, "LV", 12)]
    stated = {"1.2.5": pictures(classic), "1.7.5": pictures(away)}
    given, (flag,) = labelled(rois, classic, pictures_of=stated)
    assert np.argwhere(given.labels.any((2, 3))).tolist() == [[1, 2]]
    assert (flag.code, flag.severity, flag.evidence) == (
        "OTHER_SERIES",
        Severity.REVIEW,
        "1 of 1 that were left out",
    )
    # A picture of the measured series that is missing is no other series.
    missing = {"1.2.5": [*pictures(classic), *pictures(away)], "1.7.5": []}
    for stated in (missing, {"1.2.5": pictures(classic)}, {}):
        assert refused(labelled, rois, classic, pictures_of=stated) == "OTHER_PICTURES"
    # Slices that are a series each: nobody knows whether one of them is missing.
    stated = {"1.2.5": pictures(classic), "1.7.5": pictures(away)}
    sliced = replace(classic, uids=("1.2.5", "1.2.6"))
    assert refused(labelled, rois, sliced, pictures_of=stated) == "OTHER_PICTURES"


def test_what_was_left_out_of_a_series_split_in_two_is_to_be_looked_at(classic, labelled) -> None:
    still = replace(cine_of(1, key="s02", root="1.7"), uids=classic.uids, view=View.OTHER)
    rois = [one(classic, "RV", 9), one(still, "RV", 12, at=(0, 1))]
    _, (flag,) = labelled(rois, classic, still)
    assert (flag.code, flag.severity) == ("OTHER_SERIES", Severity.REVIEW)


def test_a_tilt_of_rounding_is_none_and_one_of_degrees_is_refused(classic, labelled) -> None:
    assert labelled([one(classic, "LV", 9, tilt_deg=1)], classic)[0].labels.any()
    assert refused(labelled, [one(classic, "LV", 9, tilt_deg=4)], classic) == "OFF_SLICE"
    assert refused(labelled, [one(classic, "LV", 9, tilt_deg=80)], classic) == "OFF_SLICE"
    rounded = one(classic, "LV", 3)
    rounded.contours = [(points.round(1), pictures) for points, pictures in rounded.contours]
    assert labelled([rounded], classic)[0].labels.any()


def test_outlines_within_one_another_are_even_and_odd(classic, labelled) -> None:
    given, _ = labelled([one(classic, "RV", 16, 12, 6)], classic)
    expected = np.pi * (16**2 - 12**2 + 6**2)
    assert (given.labels == 1).sum() == pytest.approx(expected, rel=0.03)


def test_a_keyhole_is_a_hole(classic, labelled) -> None:
    """One outline that runs in to the hole's edge and back on the same line."""
    outer, inner = circle(CENTRE, 14), circle(CENTRE, 8)
    points = np.concatenate([outer, outer[:1], inner[:1], inner[::-1]])
    in_mm = in_patient(points, classic.image.grid, 2)
    roi = Roi("myocardium", [(in_mm, [classic.image.instances[1][2]])])
    given, _ = labelled([roi], classic)
    expected = np.pi * (14**2 - 8**2)
    assert (given.labels == 2).sum() == pytest.approx(expected, rel=0.03)
    assert not given.labels[1, 2, 30, 40]


def beside(series: Series, roi: Roi, columns: float, radius: float = 9) -> Roi:
    more = one(series, "", radius, centre=(CENTRE[0], CENTRE[1] + columns))
    return replace(roi, contours=[*roi.contours, *more.contours])


def test_two_parts_are_both_and_contours_that_cross_or_coincide_are_refused(
    classic, labelled
) -> None:
    roi = one(classic, "RV", 9)
    given, _ = labelled([beside(classic, roi, -20)], classic)
    assert (given.labels == 1).sum() == pytest.approx(2 * np.pi * 81, rel=0.03)
    assert refused(labelled, [beside(classic, roi, 8)], classic) == "CONTOURS_CONTRADICT"
    for radius in (9, 9.1):
        twice = beside(classic, roi, 0, radius)
        assert refused(labelled, [twice], classic) == "CONTOURS_CONTRADICT"
    crossing = replace(beside(classic, roi, 8), kind="CLOSEDPLANAR_XOR")
    given, _ = labelled([crossing], classic)
    both = (given.labels == 1).sum()
    assert 0 < both < 2 * np.pi * 81 - 100
    cancelled = replace(beside(classic, roi, 0), kind="CLOSEDPLANAR_XOR")
    assert refused(labelled, [cancelled], classic) == "CONTOURS_CONTRADICT"


def test_two_regions_of_one_structure_may_share_no_picture(classic, labelled) -> None:
    first, second = one(classic, "LV", 9), one(classic, "endo", 8)
    assert refused(labelled, [first, second], classic) == "CONTOURS_CONTRADICT"
    later = one(classic, "endo", 8, at=(2, 2))
    given, _ = labelled([first, later], classic)
    assert given.labels.any((2, 3)).sum() == 2


def test_structure_sets_together_are_as_one_and_none_draws_what_another_does(
    classic, labelled, tmp_path
) -> None:
    rois = [one(classic, "LV", 9), one(classic, "epi", 12)]
    together, _ = labelled(rois, classic)
    folder = tmp_path / "several"
    folder.mkdir()

    def laid() -> GivenLabels:
        given = read_given_objects(folder, author="A. Reader")
        return labels_of_outlines(given, Study("phantom", (classic,)), ANALYSES)[0]

    for roi in rois:
        saved(structure_set(roi), folder / f"{roi.name}.dcm")
    assert np.array_equal(laid().labels, together.labels)
    saved(structure_set(one(classic, "endo", 8)), folder / "second.dcm")
    with pytest.raises(GeometryError, match=r"ROI 1 of LV\.dcm and ROI 1 of second\.dcm") as told:
        laid()
    assert reason_of(told.value).code == "CONTOURS_CONTRADICT"


def test_an_epicardium_without_any_cavity_in_its_phase_is_refused(classic, labelled) -> None:
    epi = one(classic, "epi", 14)
    assert refused(labelled, [epi], classic) == "ENDOCARDIUM_MISSING"
    elsewhere = one(classic, "endo", 9, at=(2, 2))
    assert refused(labelled, [epi, elsewhere], classic) == "ENDOCARDIUM_MISSING"
    # Beside a cavity of the same phase, it is an apex of muscle.
    above = one(classic, "endo", 9, at=(1, 1))
    given, (flag,) = labelled([epi, above], classic)
    assert (given.labels[1, 2] == 2).sum() == pytest.approx(np.pi * 14**2, rel=0.03)
    assert (flag.code, flag.severity) == ("EPICARDIUM_MISSING", Severity.REVIEW)


def test_the_wall_itself_is_drawn_where_the_epicardium_is_too(classic, labelled) -> None:
    rois = [one(classic, "epi", 14), one(classic, "myocardium", 14, 9)]
    given, _ = labelled(rois, classic)
    assert (given.labels == 2).sum() == pytest.approx(np.pi * (14**2 - 9**2), rel=0.03)


def test_a_cavity_outside_its_wall_is_told(classic, labelled) -> None:
    rois = [one(classic, "endo", 9), one(classic, "epi", 12, centre=(30, 52))]
    _, (flag,) = labelled(rois, classic)
    assert (flag.code, flag.severity) == ("CONTOURS_CROSS", Severity.REVIEW)


def test_a_contour_that_leaves_its_image_or_holds_no_pixel_is_refused(classic, labelled) -> None:
    outside = one(classic, "LV", 9, centre=(3.0, 40.0))
    assert "a contour of ROI 1 leaves its image" in refused(labelled, [outside], classic)
    assert "no pixel's centre" in refused(labelled, [one(classic, "LV", 0.1)], classic)


def test_more_contours_than_a_structure_has_parts_are_refused(classic, labelled) -> None:
    roi = one(classic, "LV", 9)
    roi.contours *= 101
    assert refused(labelled, [roi], classic) == "CONTOURS_CONTRADICT"


@pytest.mark.real_data
def test_a_readers_polygons_give_the_same_labels_as_a_structure_set(
    data_folder: Path, tmp_path: Path
) -> None:
    folder = data_folder / "sunnybrook"
    with zipfile.ZipFile(folder / "SC-HF-I-4_contours.zip") as archive:
        archive.extractall(tmp_path / "polygons")
    with read_studies(folder / "SC-HF-I-4.zip") as studies:
        study = sorted_study(studies[0], Configuration())
    polygons = read_contours(tmp_path / "polygons", author="r")
    expected, told = labels_from(polygons, study, ANALYSES)
    series = next(one for one in study.series if one.key == expected.series)
    image = series.image
    where = {
        image.instances[t][z].instance_number: (t, z)
        for t in range(image.phases)
        for z in range(image.grid.shape[0])
    }
    frame = series.frame_of_reference_uid
    rois = {Surface.ENDOCARDIUM: Roi("LV endo", frame=frame)}
    rois[Surface.EPICARDIUM] = Roi("LV epi", frame=frame)
    for contour in polygons.contours:
        t, z = where[contour.image_number]
        points = in_patient(contour.points, image.grid, z)
        rois[contour.surface].contours.append((points, [image.instances[t][z]]))
    dataset = structure_set(*rois.values(), series=series.uids[0])
    given = read_given_objects(saved(dataset, tmp_path / "rs.dcm"), author="r")
    found, remarks = labels_of_outlines(given, study, ANALYSES)
    assert np.array_equal(found.labels, expected.labels)
    assert [flag.code for flag in remarks] == [flag.code for flag in told]
