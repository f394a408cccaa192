"""Pixels too coarse, too noisy and too blurred to be outlined."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from opencmr.anatomy.policy import ACDC_POLICY
from opencmr.anatomy.structures import ACDC
from opencmr.geometry.grid import grid_from_spacing
from opencmr.imaging.flag import Severity
from opencmr.imaging.image import untimed_image
from opencmr.imaging.segmentation import Author, AuthorKind, Segmentation
from opencmr.imaging.study import Demographics
from opencmr.measure import Ventricles
from opencmr.quality.pixels import (
    blur_flags,
    border_width_mm,
    coarse_flags,
    contrast_to_noise,
    noise_flags,
)
from tests.quality.conftest import heart_labels


def _ventricles(noise: float, *, phases: int = 24, spacing_mm: float = 1.5) -> Ventricles:
    """A heart whose blood is brighter than its muscle by 100."""
    labels = heart_labels(phases)
    grid = grid_from_spacing(labels.shape[1:], (10.0, spacing_mm, spacing_mm))
    values = np.array([50.0, 150.0, 50.0, 150.0])[labels]
    values += np.random.default_rng(0).normal(0, noise, labels.shape)
    masks = Segmentation(labels, ACDC, grid, ACDC_POLICY, Author(AuthorKind.IMPORT, "phantom"))
    image = untimed_image(values.astype(np.float32), grid)
    return Ventricles(masks, image, Demographics(), "s01")


@pytest.mark.parametrize("noise", [5.0, 10.0, 25.0, 100.0])
def test_contrast_to_noise_is_measured_on_a_beating_heart(noise):
    assert contrast_to_noise(_ventricles(noise)) == pytest.approx(100 / noise, rel=0.08)


def test_noise_beyond_the_contrast_is_for_review_and_ordinary_noise_is_not():
    (flag,) = noise_flags(_ventricles(25.0))
    assert (flag.code, flag.severity) == ("NOISY", Severity.REVIEW)
    assert list(noise_flags(_ventricles(10.0))) == []


def test_noise_is_not_judged_without_phases_or_change():
    assert list(noise_flags(_ventricles(60.0, phases=2))) == []
    still = _ventricles(0.0)
    quiet = untimed_image(np.zeros_like(still.image.values), still.image.grid)
    assert list(noise_flags(replace(still, image=quiet))) == []


@pytest.mark.parametrize(("spacing_mm", "codes"), [(2.4, []), (2.5, []), (2.6, ["COARSE"])])
def test_pixels_of_more_than_two_and_a_half_millimetres_are_coarse(spacing_mm, codes):
    image = _ventricles(1.0, spacing_mm=spacing_mm).image
    assert [flag.code for flag in coarse_flags(image)] == codes


def _blurred(sigma_mm: float, *, spacing_mm: float = 0.75, noise: float = 0.0) -> Ventricles:
    """A heart of fine pixels whose pictures are smoothed by a Gaussian."""
    heart = _ventricles(noise, phases=2, spacing_mm=spacing_mm)
    fine = np.repeat(np.repeat(heart.segmentation.labels, 2, 2), 2, 3)
    grid = grid_from_spacing(fine.shape[1:], (10.0, spacing_mm, spacing_mm))
    values = np.array([50.0, 150.0, 50.0, 150.0])[fine]
    values = gaussian_filter(values, (0, 0, sigma_mm / spacing_mm, sigma_mm / spacing_mm))
    values += np.random.default_rng(0).normal(0, noise, values.shape)
    masks = replace(heart.segmentation, labels=fine, grid=grid)
    return replace(heart, segmentation=masks, image=untimed_image(values.astype("f4"), grid))


@pytest.mark.parametrize("sigma_mm", [1.6, 2.0, 2.4])
def test_the_border_of_a_smoothed_step_has_the_width_of_its_gaussian(sigma_mm):
    assert border_width_mm(_blurred(sigma_mm), 0) == pytest.approx(
        np.sqrt(2 * np.pi) * sigma_mm, rel=0.1
    )


def test_a_border_that_is_wide_is_for_review_and_a_sharp_one_is_not():
    (flag,) = blur_flags(_blurred(3.0), 0)
    assert (flag.code, flag.severity) == ("BLURRED", Severity.REVIEW)
    assert list(blur_flags(_blurred(1.0), 0)) == []


def test_ordinary_noise_hides_no_blur():
    assert [flag.code for flag in blur_flags(_blurred(3.5, noise=3.0), 0)] == ["BLURRED"]


def test_without_contrast_no_border_is_measured():
    heart = _blurred(1.0)
    dark = untimed_image(np.zeros_like(heart.image.values), heart.image.grid)
    assert border_width_mm(replace(heart, image=dark), 0) is None
    inverted = untimed_image(200 - heart.image.values, heart.image.grid)
    assert border_width_mm(replace(heart, image=inverted), 0) is None
