"""Bloch simulation: magnetisation under pulses, waits and readouts, of many tissues at once.

Pulses are instantaneous rotations; between them the magnetisation precesses and relaxes.  Spoiled
means that no transverse magnetisation is left.  There is no slice profile, no diffusion, no flow
and no magnetisation transfer.  F. Bloch, Phys Rev 1946; 70:460.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from opencmr.errors import ConfigurationError

REFOCUSING_PULSES = 4
"""Of a T2 preparation (MLEV-4; Brittain et al., MRM 1995; 33:689)."""


class Spins:
    """Magnetisation of isochromats, all arrays of one shape; thermal equilibrium at first.

    Parameters
    ----------
    t1_ms, t2_ms, density : array
        Broadcast against each other and the off-resonance.
    off_resonance_hz : array or float

    Attributes
    ----------
    transverse : complex128
    longitudinal : float64
    """

    def __init__(
        self,
        t1_ms: np.ndarray | float,
        t2_ms: np.ndarray | float,
        density: np.ndarray | float = 1.0,
        off_resonance_hz: np.ndarray | float = 0.0,
    ) -> None:
        self._t1_ms, self._t2_ms, self._density, self._hz = np.broadcast_arrays(
            *(np.asarray(one, dtype=float) for one in (t1_ms, t2_ms, density, off_resonance_hz))
        )
        if min(self._t1_ms.min(), self._t2_ms.min()) <= 0:
            raise ConfigurationError("T1 and T2 must be greater than 0 ms")
        self.longitudinal = self._density.copy()
        self.transverse = np.zeros(self._density.shape, dtype=complex)

    def rest(self, duration_ms: float) -> None:
        """Let the magnetisation precess and relax.

        Raises
        ------
        ConfigurationError
            When the duration is negative: the pulse train does not fit the heartbeat.
        """
        if duration_ms < 0:
            raise ConfigurationError(
                f"the pulse train is {-duration_ms:.0f} ms too long for the heartbeat; use a "
                "lower heart rate"
            )
        turn = 2j * np.pi * self._hz * duration_ms / 1000
        self.transverse = self.transverse * np.exp(turn - duration_ms / self._t2_ms)
        left = np.exp(-duration_ms / self._t1_ms)
        self.longitudinal = self._density + (self.longitudinal - self._density) * left

    def pulse(self, flip_deg: float, phase_deg: float = 0.0) -> None:
        """Rotate about the axis in the transverse plane at ``phase_deg``."""
        axis = np.exp(1j * np.deg2rad(phase_deg))
        sine, cosine = np.sin(np.deg2rad(flip_deg)), np.cos(np.deg2rad(flip_deg))
        along = self.transverse / axis
        across, z = along.imag, self.longitudinal
        self.longitudinal = z * cosine - across * sine
        self.transverse = (along.real + 1j * (across * cosine + z * sine)) * axis

    def spoil(self) -> None:
        """Lose the transverse magnetisation."""
        self.transverse = np.zeros_like(self.transverse)

    def invert(self, efficiency: float = 1.0) -> None:
        """Invert: ``-efficiency`` of the longitudinal magnetisation is left; then spoil."""
        self.longitudinal = -efficiency * self.longitudinal
        self.spoil()

    def saturate(self, efficiency: float = 1.0) -> None:
        """Saturate: ``1 - efficiency`` of the longitudinal magnetisation is left; then spoil."""
        self.longitudinal = (1 - efficiency) * self.longitudinal
        self.spoil()

    def prepare_t2(self, duration_ms: float) -> None:
        """Tip down, refocus, tip up, spoil: ``exp(-duration / T2)`` of it is left along z."""
        gap_ms = duration_ms / REFOCUSING_PULSES
        self.pulse(90)
        self.rest(gap_ms / 2)
        for n in range(REFOCUSING_PULSES):
            self.pulse(180, 90 if n % 4 in (0, 1) else -90)
            self.rest(gap_ms if n + 1 < REFOCUSING_PULSES else gap_ms / 2)
        self.pulse(-90)
        self.spoil()


@dataclass(frozen=True, slots=True)
class Readout:
    """A train of equal pulses that reads one picture, or a part of it.

    Attributes
    ----------
    flip_deg, tr_ms : float
    lines : int
    centre : int
        The line through the centre of k-space, which gives a picture its contrast.
    echo_ms : float or None
        After the pulse; None is half of ``tr_ms``.
    ramp : int
        Pulses of growing angle before the first line (balanced readouts).
    """

    flip_deg: float
    tr_ms: float
    lines: int
    centre: int
    echo_ms: float | None = None
    ramp: int = 0

    @property
    def to_echo_ms(self) -> float:
        """From a pulse to its echo."""
        return self.tr_ms / 2 if self.echo_ms is None else self.echo_ms

    @property
    def before_ms(self) -> float:
        """From the first pulse to the echo of the central line."""
        return (self.ramp + self.centre) * self.tr_ms + self.to_echo_ms

    @property
    def after_ms(self) -> float:
        """From that echo to the end."""
        return (self.ramp + self.lines) * self.tr_ms - self.before_ms

    def balanced(self, spins: Spins) -> np.ndarray:
        """Read by balanced SSFP, pulses alternating in phase; return the signal, complex.

        What is transverse at the end is spoiled.
        """
        signal = np.zeros_like(spins.transverse)
        for n in range(self.ramp + self.lines):
            flip_deg = self.flip_deg * min((n + 1) / (self.ramp + 1), 1.0)
            phase_deg = 180.0 * (n % 2)
            spins.pulse(flip_deg, phase_deg)
            spins.rest(self.to_echo_ms)
            if n == self.ramp + self.centre:
                signal = spins.transverse * -1j * np.exp(-1j * np.deg2rad(phase_deg))
            spins.rest(self.tr_ms - self.to_echo_ms)
        spins.spoil()
        return signal

    def spoiled(self, spins: Spins) -> np.ndarray:
        """Read by spoiled gradient echoes; return the signal, complex."""
        return np.asarray(self.spoiled_echoes(spins, (self.to_echo_ms,))[0])

    def spoiled_echoes(self, spins: Spins, echoes_ms: Sequence[float]) -> np.ndarray:
        """Return the signal ``(E, ...)`` at several echoes of the central pulse."""
        signals = np.zeros((len(echoes_ms), *spins.transverse.shape), dtype=complex)
        for n in range(self.lines):
            spins.pulse(self.flip_deg)
            now_ms = 0.0
            for e, echo_ms in enumerate(echoes_ms):
                spins.rest(echo_ms - now_ms)
                now_ms = echo_ms
                if n == self.centre:
                    signals[e] = spins.transverse * -1j
            spins.rest(self.tr_ms - now_ms)
            spins.spoil()
        return signals


def lorentzian_hz(t2_prime_ms: np.ndarray | float, count: int) -> np.ndarray:
    """Return frequencies ``(..., count)`` whose mean signal decays with ``T2'``.

    Quantiles of a Lorentzian of half width ``1 / (2 pi T2')`` at half maximum: the spread of the
    field inside a voxel, by which T2* is shorter than T2.  Infinite T2' is no spread.
    """
    quantile = (np.arange(count) + 0.5) / count
    width_hz = 1000 / (2 * np.pi * np.asarray(t2_prime_ms, dtype=float))
    return np.asarray(width_hz[..., None] * np.tan(np.pi * (quantile - 0.5)))
