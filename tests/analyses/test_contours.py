"""Contours find their images by number and become labels, at the place where they were drawn."""

import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from opencmr.analyses.contours import labels_from
from opencmr.analyses.placing import place_labels
from opencmr.analyses.table import ANALYSES
from opencmr.anatomy.policy import ACDC_POLICY
from opencmr.errors import ConfigurationError, GeometryError, InputError
from opencmr.imaging.flag import Severity
from opencmr.imaging.given_contours import Contour, GivenContours, Surface
from opencmr.imaging.image import Image, Instance
from opencmr.imaging.segmentation import Author, AuthorKind
from opencmr.imaging.study import Series, StackFacts, Study
from opencmr.intake.contours import read_contours
from opencmr.intake.studies import read_studies
from opencmr.pipeline import Configuration, sorted_study

from .conftest import PHASES, SLICES

READER = Author(AuthorKind.READER, "A. Reader")
ENDO, EPI = Surface.ENDOCARDIUM, Surface.EPICARDIUM


def numbered(cine: Series, first: int = 1, key: str = "s01") -> Series:
    """The cine, its images numbered slice after slice as a scanner does."""
    instances = tuple(
        tuple(
            Instance("1.4", f"1.{z}.{t}", 1, "1", "1", first + PHASES * z + t)
            for z in range(SLICES)
        )
        for t in range(PHASES)
    )
    old = cine.image
    image = Image(old.values, old.grid, old.along, instances=instances)
    return replace(cine, key=key, image=image)


def disc(number: int, surface: Surface, radius: float, centre=(40.3, 51.8)) -> Contour:
    turn = np.linspace(0, 2 * np.pi, 400, endpoint=False)
    points = np.stack([np.sin(turn), np.cos(turn)], axis=1)
    return Contour(number, surface, np.asarray(centre) + radius * points)


def given(*contours: Contour, series: str | None = None) -> GivenContours:
    return GivenContours(contours, ACDC_POLICY, READER, "0" * 64, series)


@pytest.fixture
def study(cine: Series) -> Study:
    return Study("phantom", (numbered(cine),))


def test_a_disc_keeps_its_area_and_centre_on_the_image_of_its_number(study: Study) -> None:
    number = 1 + PHASES * 2 + 7
    inner, outer = 15.0, 22.0
    drawn = given(disc(number, EPI, outer), disc(number, ENDO, inner))
    labels, remarks = labels_from(drawn, study, ANALYSES)
    assert not remarks
    assert np.argwhere(labels.labels.any(axis=(2, 3))).tolist() == [[7, 2]]
    cavity, wall = (labels.labels[7, 2] == n for n in (3, 2))
    assert cavity.sum() == pytest.approx(np.pi * inner**2, rel=0.01)
    assert wall.sum() == pytest.approx(np.pi * (outer**2 - inner**2), rel=0.01)
    assert np.argwhere(cavity).mean(0) == pytest.approx([40.3, 51.8], abs=0.1)
    series, placed = place_labels(labels, study, ANALYSES)
    assert (series.key, placed.author) == ("s01", READER)


def test_an_outline_through_pixel_centres_adds_nothing_to_the_area(study: Study) -> None:
    square = Contour(1, ENDO, np.array([[10, 20], [10, 40], [30, 40], [30, 20]], dtype=float))
    labels, _ = labels_from(given(square), study, ANALYSES)
    assert (labels.labels == 3).sum() == 20 * 20


def test_a_number_that_is_no_image_is_named(study: Study) -> None:
    drawn = given(disc(1, ENDO, 9), disc(61, ENDO, 9), disc(99, ENDO, 9))
    with pytest.raises(InputError, match=r"images 61, 99, which s01 does not use; .* 1 to 60"):
        labels_from(drawn, study, ANALYSES)


def test_images_without_numbers_are_refused(cine: Series) -> None:
    with pytest.raises(InputError, match=r"InstanceNumber.*expected the DICOM study"):
        labels_from(given(disc(1, ENDO, 9)), Study("phantom", (cine,)), ANALYSES)


def test_numbers_of_two_cines_are_ambiguous_until_one_is_named(cine: Series) -> None:
    study = Study("phantom", (numbered(cine), numbered(cine, 31, key="s02")))
    drawn = disc(40, ENDO, 9)
    with pytest.raises(GeometryError, match=r"s01, s02\. Say which with --series"):
        labels_from(given(drawn), study, ANALYSES)
    labels, _ = labels_from(given(drawn, series="s02"), study, ANALYSES)
    assert np.argwhere(labels.labels.any(axis=(2, 3))).tolist() == [[9, 0]]
    # A number of one of them alone says which.
    assert labels_from(given(drawn, disc(1, ENDO, 9)), study, ANALYSES)[0].series == "s01"
    with pytest.raises(ConfigurationError, match="no series s03; it has s01, s02"):
        labels_from(given(drawn, series="s03"), study, ANALYSES)


def test_numbers_that_begin_anew_in_each_slice_are_refused(study: Study) -> None:
    (one,) = study.series
    instances = tuple(
        tuple(replace(picture, instance_number=t + 1) for picture in row)
        for t, row in enumerate(one.image.instances)
    )
    old = one.image
    image = Image(old.values, old.grid, old.along, instances=instances)
    with pytest.raises(GeometryError, match="several pictures of s01 have the numbers of image 3"):
        labels_from(
            given(disc(3, ENDO, 9)), replace(study, series=(replace(one, image=image),)), ANALYSES
        )


def test_slices_that_were_resampled_in_plane_are_refused(study: Study) -> None:
    (one,) = study.series
    moved = replace(one, facts=StackFacts(60, realigned_slices=2))
    with pytest.raises(GeometryError, match="2 slices of s01 were resampled"):
        labels_from(given(disc(3, ENDO, 9)), replace(study, series=(moved,)), ANALYSES)


@pytest.mark.parametrize("centre", [(3.0, 50.0), (50.0, 86.0)])
def test_a_contour_that_leaves_its_image_is_refused(
    study: Study, centre: tuple[float, float]
) -> None:
    with pytest.raises(
        GeometryError, match="endocardial contour of image 5 leaves its image of 90"
    ):
        labels_from(given(disc(5, ENDO, 9, centre)), study, ANALYSES)


def test_a_cavity_without_wall_is_told_and_weighs_more_beside_walls(study: Study) -> None:
    walled = (disc(1, ENDO, 9), disc(1, EPI, 15))
    _, (usual,) = labels_from(given(*walled, disc(5, ENDO, 9)), study, ANALYSES)
    assert (usual.severity, usual.evidence) == (Severity.INFO, "image 5")
    _, (lacking,) = labels_from(given(*walled, disc(1 + PHASES, ENDO, 9)), study, ANALYSES)
    assert (lacking.severity, lacking.evidence) == (Severity.REVIEW, "image 11")
    assert {usual.code, lacking.code} == {"EPICARDIUM_MISSING"}


def test_contours_that_cross_are_told(study: Study) -> None:
    drawn = given(disc(4, ENDO, 9), disc(4, EPI, 12, centre=(40.3, 60.0)))
    _, (flag,) = labels_from(drawn, study, ANALYSES)
    assert (flag.code, flag.evidence, flag.about.series) == ("CONTOURS_CROSS", "image 4", "s01")


@pytest.mark.real_data
def test_real_contours_lie_where_the_image_is_bright_and_not_a_pixel_beside(
    data_folder: Path, tmp_path: Path
) -> None:
    folder = data_folder / "sunnybrook"
    with zipfile.ZipFile(folder / "SC-HF-I-4_contours.zip") as archive:
        archive.extractall(tmp_path)
    with read_studies(folder / "SC-HF-I-4.zip") as studies:
        study = sorted_study(studies[0], Configuration())
    labels, remarks = labels_from(read_contours(tmp_path, author="r"), study, ANALYSES)
    assert [flag.code for flag in remarks] == ["EPICARDIUM_MISSING"]
    (walled,) = np.flatnonzero((labels.labels == 2).any(axis=(1, 2, 3)))
    values, drawn = study.series[0].image.values[walled], labels.labels[walled]

    def contrast(shift: int) -> float:
        moved = np.roll(drawn, (shift, shift), axis=(1, 2))
        return float(values[moved == 3].mean() - values[moved == 2].mean())

    assert contrast(0) > 0.3 * values[drawn == 3].mean()
    assert contrast(0) > max(contrast(1), contrast(-1))  # 1: had nothing been taken off x and y
