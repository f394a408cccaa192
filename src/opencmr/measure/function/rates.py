"""Peak ejection and peak filling rate of the left ventricle.

The volume curve is fitted by a Fourier series of :data:`HARMONICS` harmonics of the heartbeat
(least squares over the phases that count, at their true times), and the rates are the extremes
of its derivative.  A difference of neighbouring phases would read low on coarse cines and
high on noisy ones.  A basal slice that comes or goes over the beat makes no rate.
"""

import numpy as np

from opencmr.anatomy.quantities import Quantity
from opencmr.anatomy.structures import Structure
from opencmr.imaging.phase_times import phase_shares
from opencmr.measure.function.base import vanishing_slices
from opencmr.measure.scalars import Scalar, private, table
from opencmr.measure.ventricles import RATE_PHASES, Unmeasurable, Ventricles

HARMONICS = 5
"""Harmonics of the fitted curve: 11 coefficients from at least 12 phases (proposal)."""
SAMPLES = 720
"""Points of the heartbeat at which the derivative is evaluated."""

_METHOD = f"Fourier series of {HARMONICS} harmonics fitted to the volume curve"

LVPER = Quantity(
    "LVPER",
    "LV peak ejection rate",
    "mL/s",
    0,
    private("LVPER", "Left ventricular peak ejection rate"),
    f"Steepest fall of the left ventricular volume; {_METHOD}.",
)
LVPFR = Quantity(
    "LVPFR",
    "LV peak filling rate",
    "mL/s",
    0,
    private("LVPFR", "Left ventricular peak filling rate"),
    f"Steepest rise of the left ventricular volume; {_METHOD}.",
)
LVPER_EDV = Quantity(
    "LVPER_EDV",
    "LV peak ejection rate over EDV",
    "/s",
    1,
    private("LVPER_EDV", "Left ventricular peak ejection rate over end-diastolic volume"),
    "LVPER over LVEDV.",
)
LVPFR_EDV = Quantity(
    "LVPFR_EDV",
    "LV peak filling rate over EDV",
    "/s",
    1,
    private("LVPFR_EDV", "Left ventricular peak filling rate over end-diastolic volume"),
    "LVPFR over LVEDV.",
)


def rates_ml_s(curve_ml: np.ndarray, share: np.ndarray, rr_s: float) -> np.ndarray:
    """Return the derivative ``(SAMPLES,)`` in mL/s of the fitted periodic volume curve.

    Parameters
    ----------
    curve_ml : (T,) mL
    share : (T,)
        Time of each phase as a fraction of the heartbeat.
    rr_s : float
        Length of the heartbeat.

    Examples
    --------
    >>> share = np.arange(20) / 20
    >>> rates = rates_ml_s(100 + 40 * np.cos(2 * np.pi * share), share, 0.8)
    >>> bool(np.isclose(-rates.min(), 40 * 2 * np.pi / 0.8, rtol=1e-4))
    True
    """
    order = 2 * np.pi * np.arange(1, HARMONICS + 1)
    at = order * share[:, None]
    design = np.column_stack([np.ones(share.size), np.cos(at), np.sin(at)])
    fitted = np.linalg.lstsq(design, curve_ml, rcond=None)[0]
    cosines, sines = fitted[1 : HARMONICS + 1], fitted[HARMONICS + 1 :]
    fine = order * (np.arange(SAMPLES) / SAMPLES)[:, None]
    return np.asarray((np.cos(fine) @ (order * sines) - np.sin(fine) @ (order * cosines)) / rr_s)


def lv_rates_ml_s(ventricles: Ventricles) -> np.ndarray:
    """Return the derivative of the left ventricle's volume over the heartbeat, in mL/s.

    A basal slice that the labels lose would be a step of the curve: how the volume changes is
    taken from the other slices, how much from the stroke volume of all.
    """
    chamber = ventricles.lv
    counted = chamber.eligible
    if int(counted.sum()) < RATE_PHASES:
        raise Unmeasurable(
            "TOO_FEW_PHASES", f"{int(counted.sum())} usable phases; a rate needs {RATE_PHASES}"
        )
    share = phase_shares(ventricles.image)
    curve_ml = _steady_curve_ml(ventricles)
    return rates_ml_s(curve_ml[counted], share[counted], 60 / ventricles.heart_rate_bpm)


def _steady_curve_ml(ventricles: Ventricles) -> np.ndarray:
    """Return the curve ``(T,)`` of the slices that stay, scaled to the stroke volume of all."""
    chamber = ventricles.lv
    vanishing = sorted(vanishing_slices(ventricles))
    if not vanishing:
        return chamber.curve_ml
    curve_ml = np.delete(chamber.slices_ml, vanishing, axis=1).sum(1)
    swing_ml = curve_ml[chamber.ed_phase] - curve_ml[chamber.es_phase]
    if swing_ml <= 0:
        raise Unmeasurable("NOT_FINITE", "the slices that stay over the beat do not empty")
    return np.asarray(curve_ml * (chamber.sv_ml / swing_ml))


def _ejection(ventricles: Ventricles) -> float:
    return float(-lv_rates_ml_s(ventricles).min())


def _filling(ventricles: Ventricles) -> float:
    return float(lv_rates_ml_s(ventricles).max())


RATES = table(
    Scalar(LVPER, Structure.LV, _ejection),
    Scalar(LVPFR, Structure.LV, _filling),
    Scalar(LVPER_EDV, Structure.LV, lambda v: _ejection(v) / v.lv.edv_ml),
    Scalar(LVPFR_EDV, Structure.LV, lambda v: _filling(v) / v.lv.edv_ml),
)
