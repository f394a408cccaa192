"""The pulse trains of mapping and late enhancement, played on spins heartbeat by heartbeat.

Each returns times and complex signals of the pictures ``(N, ...)``, as the central line of k-space
gives them.  Pictures are made at one moment of every heartbeat.
"""

import re
from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq

from opencmr.errors import ConfigurationError
from opencmr.simulate.bloch import Readout, Spins

SINGLE_SHOT = Readout(flip_deg=35, tr_ms=2.7, lines=56, centre=24, ramp=5)
"""Balanced single-shot picture of MOLLI and ShMOLLI (after Kellman and Hansen, JCMR 2014; 16:2)."""
SASHA_SHOT = Readout(flip_deg=70, tr_ms=2.7, lines=56, centre=24, ramp=5)
T2_SHOT = SASHA_SHOT
T2_STAR_SHOT = Readout(flip_deg=18, tr_ms=20.0, lines=8, centre=4)
LATE_SHOT = Readout(flip_deg=20, tr_ms=5.0, lines=25, centre=12, echo_ms=2.0)
"""A segment of the inversion-recovery gradient echo of late enhancement."""
T2_PREPARATIONS_MS = (0.0, 25.0, 55.0)
T2_STAR_ECHOES_MS = tuple(2.2 + 2.3 * n for n in range(7))
FIRST_INVERSION_MS, INVERSION_STEP_MS = 120.0, 80.0
SASHA_PICTURES = 10
BEATS_TO_STEADY = 8
"""Heartbeats after which a segmented scan is steady within 0.1 %."""
NULL_SEARCH_MS = (80.0, 700.0)


@dataclass(frozen=True, slots=True, eq=False)
class Pictures:
    """Pictures of one pulse train.

    Attributes
    ----------
    times_ms : (N,)
        Of preparation or echo; infinite for a picture without preparation.
    signals : (N, ...) complex
    """

    times_ms: np.ndarray
    signals: np.ndarray


def scheme_of(text: str) -> tuple[tuple[int, int], ...]:
    """Return pictures and pauses in heartbeats of each inversion of a MOLLI.

    >>> scheme_of("5(3)3"), scheme_of("4(1)3(1)2")
    (((5, 3), (3, 0)), ((4, 1), (3, 1), (2, 0)))
    """
    if not re.fullmatch(r"[1-9](\([1-9]\)[1-9])*", text):
        raise ConfigurationError(f"the scheme {text!r} is none; expected one such as 5(3)3")
    numbers = [int(one) for one in re.findall(r"\d", text)]
    return tuple(zip(numbers[::2], [*numbers[1::2], 0], strict=True))


def molli(
    spins: Spins,
    scheme: str,
    *,
    rr_ms: float,
    efficiency: float,
    readout: Readout = SINGLE_SHOT,
    first_ms: float = FIRST_INVERSION_MS,
) -> Pictures:
    """Play a modified Look-Locker inversion recovery (Messroghli et al., MRM 2004; 52:141).

    ShMOLLI is the scheme 5(1)1(1)1 (Piechnik et al., JCMR 2010; 12:69).
    """
    times_ms, signals = [], []
    pause = 0
    for inversion, (count, next_pause) in enumerate(scheme_of(scheme)):
        delay_ms = first_ms + INVERSION_STEP_MS * inversion
        if inversion:
            spins.rest((pause + 1) * rr_ms - readout.after_ms - delay_ms)
        spins.invert(efficiency)
        spins.rest(delay_ms - readout.before_ms)
        for n in range(count):
            if n:
                spins.rest(rr_ms - readout.before_ms - readout.after_ms)
            signals.append(readout.balanced(spins))
            times_ms.append(delay_ms + n * rr_ms)
        pause = next_pause
    return Pictures(np.array(times_ms), np.array(signals))


def sasha(
    spins: Spins, *, rr_ms: float, efficiency: float, readout: Readout = SASHA_SHOT
) -> Pictures:
    """Play a saturation recovery: a picture of equilibrium, then ten, one saturation a heartbeat.

    Chow et al., MRM 2014; 71:2082.
    """
    longest_ms = rr_ms - readout.after_ms - 5
    delays_ms = np.round(np.linspace(readout.before_ms + 15, longest_ms, SASHA_PICTURES))
    signals = [readout.balanced(spins)]
    for delay_ms in delays_ms:
        spins.rest(rr_ms - readout.after_ms - delay_ms)
        spins.saturate(efficiency)
        spins.rest(delay_ms - readout.before_ms)
        signals.append(readout.balanced(spins))
    return Pictures(np.append(np.inf, delays_ms), np.array(signals))


def t2_preparations(
    spins: Spins, *, rr_ms: float, pause: int = 3, readout: Readout = T2_SHOT
) -> Pictures:
    """Play single shots after T2 preparations, with heartbeats of recovery between (Giri 2009)."""
    signals = []
    for n, prepared_ms in enumerate(T2_PREPARATIONS_MS):
        if n:
            spins.rest((pause + 1) * rr_ms - readout.after_ms - readout.before_ms - prepared_ms)
        if prepared_ms:
            spins.prepare_t2(prepared_ms)
        signals.append(readout.balanced(spins))
    return Pictures(np.array(T2_PREPARATIONS_MS), np.array(signals))


def t2_star_echoes(spins: Spins, *, rr_ms: float, readout: Readout = T2_STAR_SHOT) -> Pictures:
    """Play a segmented multi-echo gradient echo until it is steady.

    The last axis of the spins is the spread of frequencies inside a voxel, which is averaged.
    """
    signals = np.zeros((len(T2_STAR_ECHOES_MS), *spins.transverse.shape), dtype=complex)
    for _ in range(BEATS_TO_STEADY):
        signals = readout.spoiled_echoes(spins, T2_STAR_ECHOES_MS)
        spins.rest(rr_ms - readout.lines * readout.tr_ms)
    return Pictures(np.array(T2_STAR_ECHOES_MS), signals.mean(-1))


def late_enhancement(
    spins: Spins,
    inversion_ms: float,
    *,
    rr_ms: float,
    efficiency: float,
    readout: Readout = LATE_SHOT,
) -> Pictures:
    """Play a segmented inversion-recovery gradient echo, an inversion every second heartbeat.

    Simonetti et al., Radiology 2001; 218:215.
    """
    signal = np.zeros_like(spins.transverse)
    for _ in range(BEATS_TO_STEADY):
        spins.invert(efficiency)
        spins.rest(inversion_ms - readout.before_ms)
        signal = readout.spoiled(spins)
        spins.rest(2 * rr_ms - inversion_ms - readout.after_ms)
    return Pictures(np.array([inversion_ms]), signal[None])


def nulling_inversion_ms(t1_ms: float, t2_ms: float, *, rr_ms: float, efficiency: float) -> float:
    """Return the inversion time at which late enhancement shows a tissue black.

    Raises
    ------
    ConfigurationError
        When none between 80 and 700 ms does.
    """

    def signal(inversion_ms: float) -> float:
        spins = Spins(np.array([t1_ms]), np.array([t2_ms]))
        train = late_enhancement(spins, inversion_ms, rr_ms=rr_ms, efficiency=efficiency)
        return float(train.signals.real[0, 0])

    low_ms, high_ms = NULL_SEARCH_MS[0], min(NULL_SEARCH_MS[1], 1.8 * rr_ms)
    if signal(low_ms) * signal(high_ms) > 0:
        raise ConfigurationError(
            f"no inversion time between {low_ms:g} and {high_ms:g} ms nulls a T1 of {t1_ms:.0f} ms"
        )
    return float(brentq(signal, low_ms, high_ms, xtol=0.1))
