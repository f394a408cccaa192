"""When each cardiac phase lies, from the trigger times of all slices."""

import numpy as np

from opencmr.imaging.image import Image


def phase_times_ms(image: Image) -> np.ndarray | None:
    """Return the mean time ``(T,)`` of each phase after the R wave, None where unknown.

    From the trigger times; where one is missing or they do not rise, spread evenly over the
    mean heartbeat.
    """
    known = np.isfinite(image.trigger_ms).all()
    if known and image.phases > 1:
        times_ms = np.asarray(image.trigger_ms.mean(axis=1))
        if (np.diff(times_ms) > 0).all():
            return times_ms
    if image.mean_rr_ms is not None:
        return np.arange(image.phases) / image.phases * image.mean_rr_ms
    return None


def time_step_ms(image: Image) -> float | None:
    """Return the median time between neighbouring phases, None where unknown or of one phase."""
    times_ms = phase_times_ms(image)
    return None if times_ms is None or len(times_ms) < 2 else float(np.median(np.diff(times_ms)))


def phase_shares(image: Image) -> np.ndarray:
    """Return the time of each phase ``(T,)`` as a fraction of the heartbeat.

    From the trigger times, each slice's over its own R-R interval and averaged over the
    slices; evenly spread where the source does not state them.
    """
    shares = image.trigger_ms / image.rr_ms
    even = np.arange(image.phases) / image.phases
    usable = np.isfinite(shares).all(0)
    if not usable.any():
        return even
    mean = shares[:, usable].mean(1)
    return np.asarray(mean) if mean.max() - mean.min() < 1 else even
