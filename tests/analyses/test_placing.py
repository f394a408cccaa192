"""Given labels find their series by the grid, or an error says what is wrong with them."""

from dataclasses import replace

import numpy as np
import pytest

from opencmr.analyses.placing import place_labels
from opencmr.analyses.plan import plan_study
from opencmr.analyses.table import ANALYSES
from opencmr.anatomy.policy import ACDC_POLICY
from opencmr.anatomy.structures import ACDC, EMIDEC, LabelScheme
from opencmr.anatomy.techniques import Technique
from opencmr.errors import ConfigurationError, GeometryError, InputError
from opencmr.imaging.given_labels import GivenLabels
from opencmr.imaging.segmentation import Author, AuthorKind, Segmentation
from opencmr.imaging.study import Series, Study

from .conftest import CINE_GRID, MAP_GRID, series
from .test_scar import late_enhancement, truth_labels

READER = Author(AuthorKind.READER, "A. Reader")


def given(labels: np.ndarray, scheme: LabelScheme = ACDC, grid=CINE_GRID, **more) -> GivenLabels:
    told = {"sha256": "0" * 64, "file": "mine.nii.gz", **more}
    return GivenLabels(labels.astype(np.uint8), grid, scheme, ACDC_POLICY, READER, **told)


@pytest.fixture
def study(cine: Series) -> Study:
    return Study("phantom", (cine, late_enhancement()))


def test_labels_of_every_phase_belong_to_the_cine(study: Study, contours: Segmentation) -> None:
    found, placed = place_labels(given(contours.labels, derived_from="net 1"), study, ANALYSES)
    assert found.key == "s01"
    assert np.array_equal(placed.labels, contours.labels)
    assert (placed.author, placed.derived_from) == (READER, "net 1")


def test_labels_of_scar_belong_to_the_late_enhancement(study: Study) -> None:
    found, placed = place_labels(given(truth_labels()[None], EMIDEC), study, ANALYSES)
    assert found.key == "s02"
    assert placed.scheme is EMIDEC


def test_the_labelled_cine_is_measured_though_another_would_be_chosen(
    cine: Series, contours: Segmentation
) -> None:
    later = replace(cine, key="s09", header=replace(cine.header, series_time="235959"))
    study = Study("phantom", (cine, later))
    (usual,) = (one for one in plan_study(study, ANALYSES) if one.runs)
    assert [one.key for one in usual.series.values()] == ["s09"]
    labels = given(contours.labels, series="s01")
    labelled, _ = place_labels(labels, study, ANALYSES)
    (planned,) = (one for one in plan_study(study, ANALYSES, labelled=labelled) if one.runs)
    assert [one.key for one in planned.series.values()] == ["s01"]
    assert planned.model is None


def test_two_cines_on_one_grid_are_ambiguous_until_one_is_named(
    cine: Series, contours: Segmentation
) -> None:
    study = Study("phantom", (cine, replace(cine, key="s02")))
    with pytest.raises(GeometryError, match=r"mine\.nii\.gz may belong .* s01 .* s02 .* --series"):
        place_labels(given(contours.labels), study, ANALYSES)
    found, _ = place_labels(given(contours.labels, series="s02"), study, ANALYSES)
    assert found.key == "s02"
    with pytest.raises(ConfigurationError, match="no series s03; it has s01, s02"):
        place_labels(given(contours.labels, series="s03"), study, ANALYSES)


def test_labels_on_another_grid_are_refused_with_what_was_expected(
    study: Study, contours: Segmentation
) -> None:
    labels = np.ones((len(contours.labels), *MAP_GRID.shape))
    with pytest.raises(GeometryError, match=r"mine\.nii\.gz lies on another grid .*3 x 96 .* s01"):
        place_labels(given(labels, grid=MAP_GRID), study, ANALYSES)


def test_labels_beside_the_stack_are_refused_with_the_distance(
    study: Study, contours: Segmentation
) -> None:
    affines = CINE_GRID.affines.copy()
    affines[:, 2, 3] += 2.5
    grid = replace(CINE_GRID, affines=affines)
    with pytest.raises(GeometryError, match=r"s01 .* up to 2\.5 mm away"):
        place_labels(given(contours.labels, grid=grid), study, ANALYSES)


def test_another_number_of_phases_is_refused(study: Study, contours: Segmentation) -> None:
    with pytest.raises(GeometryError, match=r"mine\.nii\.gz has 2 phases; .* s01 .* 10 phases"):
        place_labels(given(contours.labels[:2]), study, ANALYSES)


def test_values_out_of_the_convention_are_named(study: Study, contours: Segmentation) -> None:
    labels = contours.labels.copy()
    labels[0, 0, 0, :2] = (4, 77)
    with pytest.raises(InputError, match=r"mine\.nii\.gz holds the label values 4, 77; .* 3 LV"):
        place_labels(given(labels), study, ANALYSES)


def test_empty_labels_are_refused(study: Study, contours: Segmentation) -> None:
    with pytest.raises(InputError, match=r"mine\.nii\.gz is empty"):
        place_labels(given(np.zeros_like(contours.labels)), study, ANALYSES)


def test_labels_without_scar_are_not_measured_on_late_enhancement(study: Study) -> None:
    wall = np.minimum(truth_labels(), 2)[None]
    with pytest.raises(InputError, match=r"convention acdc, and lies on s02 .* scar"):
        place_labels(given(wall), study, ANALYSES)


def test_labels_on_a_series_that_is_not_measured_are_refused(contours: Segmentation) -> None:
    along = late_enhancement().image.along
    t1 = series("s05", np.ones((1, *CINE_GRID.shape)), along, Technique.T1_MAPPING, CINE_GRID)
    with pytest.raises(InputError, match=r"s05 .* nothing is measured there"):
        place_labels(given(contours.labels[:1]), Study("phantom", (t1,)), ANALYSES)
