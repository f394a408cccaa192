"""Whether the pictures are fine, quiet and sharp enough to be outlined."""

from collections.abc import Iterator

import numpy as np
from scipy.ndimage import distance_transform_edt

from opencmr.anatomy.structures import Structure
from opencmr.imaging.flag import QualityFlag, Severity
from opencmr.imaging.image import Image
from opencmr.measure.ventricles import Ventricles
from opencmr.quality.limits import BORDER_WIDTH_MM, COARSE_MM, CONTRAST_TO_NOISE

NOISE_PHASES = 3
"""Fewer phases give no second difference over time."""
MEDIAN_TO_SD = 1.4826
"""Standard deviation of a normal distribution over its median absolute deviation."""
BORDER_REACH_MM = 3.0
"""So near to the outline of the cavity the border of blood and muscle is looked for."""
STEEP_PERCENTILE = 90
"""Of the slopes there: the border's own, not those of what lies beside it."""


def coarse_flags(image: Image) -> Iterator[QualityFlag]:
    """Name pixels that are coarse beside the wall."""
    row_mm, column_mm = image.grid.row_spacing_mm, image.grid.column_spacing_mm
    if max(row_mm, column_mm) > COARSE_MM:
        yield QualityFlag(
            Severity.REVIEW,
            "COARSE",
            "The pixels are coarse beside the wall of the heart: volumes and mass are rough.",
            f"{row_mm:.2f} x {column_mm:.2f} mm, expected at most {COARSE_MM:g} mm",
        )


def noise_flags(ventricles: Ventricles) -> Iterator[QualityFlag]:
    """Name noise that is strong beside the contrast of blood and muscle."""
    found = contrast_to_noise(ventricles)
    if found is not None and found < CONTRAST_TO_NOISE:
        yield QualityFlag(
            Severity.REVIEW,
            "NOISY",
            "Noise is strong beside the contrast of blood and muscle: outlines, and with them the "
            "ejection fraction, follow it. Review the contours.",
            f"contrast to noise {found:.1f}, expected at least {CONTRAST_TO_NOISE:g}",
        )


def contrast_to_noise(ventricles: Ventricles) -> float | None:
    """Return the difference of blood and muscle over the noise, or None where it is unknown.

    The noise is that of second differences over time where three phases in a row show the heart:
    there signal changes smoothly, and the median is not moved by borders that pass.
    """
    segmentation, image = ventricles.segmentation, ventricles.image
    if image.phases < NOISE_PHASES or segmentation.labels.shape != image.values.shape:
        return None
    rows, columns = ventricles.heart_box
    labels = segmentation.labels[:, :, rows, columns]
    values = image.values[:, :, rows, columns]
    blood = segmentation.scheme.mask(labels, Structure.LV)
    muscle = segmentation.scheme.mask(labels, Structure.MYOCARDIUM)
    heart = blood | muscle
    stays = heart[:-2] & heart[1:-1] & heart[2:]
    if not (blood.any() and muscle.any() and stays.any()):
        return None
    second = values[:-2][stays] - 2 * values[1:-1][stays] + values[2:][stays]
    noise = MEDIAN_TO_SD * float(np.median(np.abs(second))) / np.sqrt(6)
    contrast = float(np.median(values[blood]) - np.median(values[muscle]))
    return contrast / noise if noise > 0 else None


def blur_flags(ventricles: Ventricles, phase: int) -> Iterator[QualityFlag]:
    """Name a border of blood and muscle that is too wide to be placed."""
    found_mm = border_width_mm(ventricles, phase)
    if found_mm is not None and found_mm > BORDER_WIDTH_MM:
        yield QualityFlag(
            Severity.REVIEW,
            "BLURRED",
            "Blood passes into muscle over a wide border, as in pictures that are smoothed or "
            "taken while the heart or the chest moved: small cavities seem larger or smaller than "
            "they are, and the ejection fraction with them. Review the contours at end-systole.",
            f"border {found_mm:.1f} mm wide, expected at most {BORDER_WIDTH_MM:g} mm",
        )


def border_width_mm(ventricles: Ventricles, phase: int) -> float | None:
    """Return over what length blood passes into muscle, or None where it is unknown.

    The difference of their medians over the slope across the outline of the cavity: a straight
    step smoothed by a Gaussian of standard deviation s is 2.5 s wide.
    """
    segmentation, image = ventricles.segmentation, ventricles.image
    if segmentation.labels.shape != image.values.shape:
        return None
    rows, columns = ventricles.heart_box
    slopes, blood_values, muscle_values = [], [], []
    for z in np.flatnonzero(ventricles.lv_voxels[phase] * ventricles.myocardium_voxels[phase]):
        values = image.values[phase, z, rows, columns].astype(np.float64)
        blood = ventricles.near_heart(Structure.LV, phase, int(z))
        muscle = ventricles.near_heart(Structure.MYOCARDIUM, phase, int(z))
        spacing_mm = ventricles.spacing_mm
        inside_mm = distance_transform_edt(blood, sampling=spacing_mm)
        inside_mm = inside_mm - distance_transform_edt(~blood, sampling=spacing_mm)
        inwards = np.array(np.gradient(inside_mm, *spacing_mm))
        steps = np.array(np.gradient(values, *spacing_mm))
        length = np.maximum(np.hypot(*inwards), np.finfo(np.float64).eps)
        border = (np.abs(inside_mm) <= BORDER_REACH_MM) & (blood | muscle)
        slopes.append(((inwards * steps).sum(0) / length)[border])
        blood_values.append(values[blood])
        muscle_values.append(values[muscle])
    if not any(slope.size for slope in slopes):  # nor where pixels are larger than the border
        return None
    contrast = np.median(np.concatenate(blood_values)) - np.median(np.concatenate(muscle_values))
    slope = float(np.percentile(np.concatenate(slopes), STEEP_PERCENTILE))
    return float(contrast) / slope if contrast > 0 and slope > 0 else None
