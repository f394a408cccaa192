"""Whether the pixels of the measured series are fine enough, and quiet enough, to be outlined."""

from collections.abc import Iterator

import numpy as np

from opencmr.anatomy.structures import Structure
from opencmr.imaging.flag import QualityFlag, Severity
from opencmr.imaging.image import Image
from opencmr.measure.ventricles import Ventricles
from opencmr.quality.limits import COARSE_MM, CONTRAST_TO_NOISE

NOISE_PHASES = 3
"""Fewer phases give no second difference over time."""
MEDIAN_TO_SD = 1.4826
"""Standard deviation of a normal distribution over its median absolute deviation."""


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
