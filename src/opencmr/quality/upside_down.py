"""Whether the heart stands upright between the patient's axes.

A mirror that exchanges left and right is seen by the heart's handedness.  One that exchanges
anterior and inferior leaves septum and long axis where they were; what it turns over is the shape
of the right ventricle, which tapers towards the anterior insertion and is blunt on the diaphragm.
"""

from collections.abc import Iterator, Sequence

import numpy as np

from opencmr.anatomy.structures import Structure
from opencmr.imaging.flag import QualityFlag, Severity
from opencmr.measure.ventricles import Ventricles
from opencmr.measure.wall.anchors import Insertions, anterior_sign, unit_vectors
from opencmr.quality.limits import UPSIDE_DOWN_SKEWNESS

LEAST_RV_PX = 30
"""Fewer pixels of the right ventricle on a slice have no shape."""


def upside_down_flags(ventricles: Ventricles, phases: Sequence[int]) -> Iterator[QualityFlag]:
    """Name a right ventricle that tapers away from where the patient's axes say anterior is."""
    if not phases or not ventricles.segmentation.grid.orientation_known:
        return
    found = float(np.mean([anterior_skewness(ventricles, phase) for phase in phases]))
    if found < -UPSIDE_DOWN_SKEWNESS:
        yield QualityFlag(
            Severity.REVIEW,
            "UPSIDE_DOWN",
            "The right ventricle tapers towards the side that the patient's axes call inferior: "
            "the images may be upside down, and anterior and inferior AHA segments exchanged.",
            f"skewness {found:.2f}, upside down below {-UPSIDE_DOWN_SKEWNESS:g}",
        )


def anterior_skewness(ventricles: Ventricles, phase: int) -> float:
    """Return how far the right ventricle tapers towards anterior, beside the left one.

    The skewness of its pixels across the line that joins the centres of both ventricles, positive
    with the long tail anterior by the patient's axes; the mean of the slices, by their area.  Not
    a number where no slice shows both ventricles.
    """
    skewness, areas_px = [], []
    for z in range(ventricles.image.grid.shape[0]):
        left, right = (
            np.argwhere(ventricles.plane(structure, phase, z)) * ventricles.spacing_mm
            for structure in (Structure.LV, Structure.RV)
        )
        if len(right) < LEAST_RV_PX or not len(left):
            continue
        towards_right = right.mean(0) - left.mean(0)
        angle = float(np.arctan2(towards_right[1], towards_right[0]))
        across_mm = right @ unit_vectors(np.array([angle + np.pi / 2]))[0]
        sign = anterior_sign(ventricles.segmentation.grid, z, Insertions(angle, 0.0))
        skewness.append(sign * _skewness(across_mm))
        areas_px.append(len(right))
    return float(np.average(skewness, weights=areas_px)) if areas_px else float("nan")


def _skewness(values: np.ndarray) -> float:
    """Return the third standardised moment of ``values (N,)``; 0 where they do not differ.

    ``scipy.stats`` has it too, and would take every analysis 46 MB and a third of a second.
    """
    away = values - values.mean()
    spread = float(np.sqrt((away**2).mean()))
    return float((away**3).mean() / spread**3) if spread else 0.0
