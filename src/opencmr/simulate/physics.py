"""The physics of a cine: tissues, the balanced-SSFP signal, coils, k-space and noise."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from scipy import fft

from opencmr.errors import ConfigurationError

FAT_SHIFT_PPM = 3.4
"""Chemical shift of fat against water."""
PROTON_MHZ_PER_T = 42.577
"""Gyromagnetic ratio of the proton over 2 pi (CODATA)."""


@dataclass(frozen=True, slots=True)
class Tissue:
    """One tissue's relaxation and proton density.

    Attributes
    ----------
    t1_ms, t2_ms : (at 1.5 T, at 3 T)
    proton_density : float
        Relative to blood plasma.
    fat : bool
        Whether it resonates at fat's frequency.
    source : str
        Where such values are published.  The numbers here were set after these works, not copied
        from their tables: good for a picture, not a reference for relaxometry.
    """

    t1_ms: tuple[float, float]
    t2_ms: tuple[float, float]
    proton_density: float
    source: str
    fat: bool = False


_STANISZ = "Stanisz et al., MRM 2005; 54:507 (T1, T2); proton density plausible"
_DE_BAZELAIRE = "de Bazelaire et al., Radiology 2004; 230:652 (T1, T2); proton density plausible"

TISSUES: Mapping[str, Tissue] = MappingProxyType(
    {
        "blood": Tissue(
            (1550, 1736),
            (250, 200),
            1.0,
            "T1: Dabir et al., JCMR 2014; 16:69 (native blood pool); "
            "T2, oxygenated: plausible, raised for inflow",
        ),
        "venous blood": Tissue((1550, 1800), (190, 140), 1.0, "T2 lower than arterial: plausible"),
        "myocardium": Tissue(
            (950, 1052),
            (50, 45),
            0.74,
            "T1: Dabir et al., JCMR 2014; 16:69; T2: plausible; density lowered for magnetisation "
            "transfer",
        ),
        "skeletal muscle": Tissue((1008, 1412), (44, 50), 0.72, _STANISZ),
        "fat": Tissue((343, 382), (58, 68), 0.95, _DE_BAZELAIRE, fat=True),
        "liver": Tissue((586, 809), (46, 34), 0.75, _DE_BAZELAIRE),
        "spleen": Tissue((1057, 1328), (79, 61), 0.85, _DE_BAZELAIRE),
        "vessel wall": Tissue((950, 1050), (45, 42), 0.55, "plausible"),
        "lung": Tissue((1200, 1270), (40, 35), 0.16, "effective, with small vessels: plausible"),
        "bone marrow": Tissue((549, 586), (49, 49), 0.42, _DE_BAZELAIRE),
        "cortical bone": Tissue((250, 250), (1, 1), 0.1, "plausible"),
        "cerebrospinal fluid": Tissue((4000, 4000), (1500, 1500), 1.0, "plausible"),
        "stomach content": Tissue((1400, 1600), (110, 100), 0.7, "plausible"),
        "air": Tissue((1000, 1000), (1, 1), 0.0, "no protons"),
    }
)


def bssfp_signal(
    t1_ms: np.ndarray | float,
    t2_ms: np.ndarray | float,
    proton_density: np.ndarray | float,
    *,
    flip_deg: float,
    tr_ms: float,
    off_resonance_hz: np.ndarray | float = 0.0,
) -> np.ndarray:
    """Return the magnitude of the balanced-SSFP steady state at the echo (TE = TR/2).

    Radio-frequency pulses alternate in phase, so that the middle of the pass band is on
    resonance.  Freeman and Hill, J Magn Reson 1971; 4:366; in the form of Bernstein, King and
    Zhou, Handbook of MRI Pulse Sequences (2004), section 14.1.

    Examples
    --------
    On resonance it is ``M sin(a) sqrt(E2) (1-E1) / (1 - (E1-E2) cos(a) - E1 E2)``:

    >>> round(float(bssfp_signal(1000.0, 50.0, 1.0, flip_deg=60, tr_ms=3.0)), 4)
    0.0753
    """
    e1 = np.exp(-tr_ms / np.asarray(t1_ms, dtype=np.float64))
    e2 = np.exp(-tr_ms / np.asarray(t2_ms, dtype=np.float64))
    flip = np.deg2rad(flip_deg)
    turn = np.pi + 2 * np.pi * np.asarray(off_resonance_hz) * tr_ms / 1000
    denominator = (1 - e1 * np.cos(flip)) * (1 - e2 * np.cos(turn)) - e2 * (e1 - np.cos(flip)) * (
        e2 - np.cos(turn)
    )
    after_pulse = (1 - e1) * np.sin(flip) * np.abs(1 - e2 * np.exp(-1j * turn)) / denominator
    return np.asarray(proton_density * after_pulse * np.sqrt(e2))


def tissue_signals(field_strength_t: float, flip_deg: float, tr_ms: float) -> Mapping[str, float]:
    """Return every tissue's signal, fat with the sign of its pass band.

    At the echo fat and water are opposed when fat's frequency lies an odd number of pass bands
    away (Hargreaves et al., MRM 2003; 50:210); voxels that hold both then cancel, which draws
    the dark line around fat that every cine shows.

    Raises
    ------
    ConfigurationError
        For another field strength than 1.5 or 3 T.
    """
    if field_strength_t not in (1.5, 3.0):
        raise ConfigurationError(f"field strength is {field_strength_t} T; expected 1.5 or 3")
    which = 0 if field_strength_t == 1.5 else 1
    fat_hz = FAT_SHIFT_PPM * PROTON_MHZ_PER_T * field_strength_t
    bands = round(fat_hz * tr_ms / 1000)
    signals = {}
    for name, tissue in TISSUES.items():
        signal = float(
            bssfp_signal(
                tissue.t1_ms[which],
                tissue.t2_ms[which],
                tissue.proton_density,
                flip_deg=flip_deg,
                tr_ms=tr_ms,
            )
        )
        signals[name] = -signal if tissue.fat and bands % 2 else signal
    return MappingProxyType(signals)


def field_error_hz(position_mm: np.ndarray, edge_hz: float) -> np.ndarray:
    """Return the field's error at LPS positions ``(3, ...)``: none in the heart, rising outwards.

    A shim is good in the heart and poor at the lung's and the body's edges (plausible).
    """
    x, y, z = position_mm
    bowl = np.square((x - 20) / 160) + np.square((y + 5) / 130) + np.square(z / 160)
    return np.asarray(edge_hz * (bowl + 0.25 * (z - x) / 160), dtype=np.float32)


def band_profile(off_resonance_hz: np.ndarray, *, flip_deg: float, tr_ms: float) -> np.ndarray:
    """Return the share of the on-resonance signal that is left, for muscle at 1.5 T."""
    muscle = TISSUES["skeletal muscle"]
    t1_ms, t2_ms = muscle.t1_ms[0], muscle.t2_ms[0]
    off = bssfp_signal(
        t1_ms, t2_ms, 1.0, flip_deg=flip_deg, tr_ms=tr_ms, off_resonance_hz=off_resonance_hz
    )
    on = bssfp_signal(t1_ms, t2_ms, 1.0, flip_deg=flip_deg, tr_ms=tr_ms)
    return np.asarray(off / on, dtype=np.float32)


def coil_sensitivity(position_mm: np.ndarray, shading: float) -> np.ndarray:
    """Return the receive sensitivity at LPS positions ``(3, ...)``: an anterior array, a spine one.

    The magnitude of a sum of squares, 1 in the heart's middle; ``shading`` 0 is flat, 1 is a
    surface coil without correction.  Smooth and plausible, no electromagnetic model.
    """
    x, y, z = position_mm
    anterior = np.exp(-(((y + 115) / 110) ** 2) - ((x - 10) / 170) ** 2 - (z / 190) ** 2)
    posterior = 0.75 * np.exp(-(((y - 135) / 110) ** 2) - (x / 190) ** 2 - (z / 220) ** 2)
    middle = np.hypot(np.exp(-((105 / 110) ** 2)), 0.75 * np.exp(-((145 / 110) ** 2)))
    return np.asarray((np.hypot(anterior, posterior) / middle + 0.05) ** shading, dtype=np.float32)


def k_space_window(shape: tuple[int, int], acquired: tuple[float, float]) -> np.ndarray:
    """Return the k-space window ``(Y, X // 2 + 1)`` of a scan that acquired a share of each axis.

    Cosine edges over the outer fifth leave a little Gibbs ringing, as vendors' filters do.
    """
    rows = _edge(np.abs(fft.fftfreq(shape[0])) * 2, acquired[0])
    columns = _edge(np.abs(fft.rfftfreq(shape[1])) * 2, acquired[1])
    return np.asarray(rows[:, None] * columns[None, :], dtype=np.float32)


def _edge(frequency: np.ndarray, acquired: float) -> np.ndarray:
    start = 0.8 * acquired
    ramp = np.clip((frequency - start) / (acquired - start), 0, 1)
    return np.asarray(0.5 * (1 + np.cos(np.pi * ramp)) * (frequency <= acquired))


def magnitude_image(
    signal: np.ndarray,
    window: np.ndarray | None,
    noise: float,
    random: np.random.Generator,
) -> np.ndarray:
    """Return the magnitude of a signal after k-space window and complex noise.

    Parameters
    ----------
    signal : (Y, X) float32 or complex64
        Where real, it may be negative (fat).
    window : (Y, X // 2 + 1) or None
    noise : float
        Standard deviation of the noise in each of the two channels *after* the window, so that
        the magnitude is Rician with that sigma (Gudbjartsson and Patz, MRM 1995; 34:910).

    Returns
    -------
    (Y, X) float32
    """
    shape = signal.shape
    if np.iscomplexobj(signal):
        return _magnitude_of_complex(signal, window, noise, random)
    if noise <= 0:
        clean = signal if window is None else _filtered(signal, window)
        return np.asarray(np.abs(clean), dtype=np.float32)
    draws = random.standard_normal((2, *shape), dtype=np.float32)
    if window is None:
        return np.asarray(np.hypot(signal + noise * draws[0], noise * draws[1]), dtype=np.float32)
    gain = np.sqrt(_mean_power(window, shape[1]))
    real = _filtered(signal + np.float32(noise / gain) * draws[0], window)
    imaginary = _filtered(np.float32(noise / gain) * draws[1], window)
    return np.asarray(np.hypot(real, imaginary), dtype=np.float32)


def _magnitude_of_complex(
    signal: np.ndarray, window: np.ndarray | None, noise: float, random: np.random.Generator
) -> np.ndarray:
    gain = 1.0 if window is None else np.sqrt(_mean_power(window, signal.shape[1]))
    draws = random.standard_normal((2, *signal.shape), dtype=np.float32)
    parts = [
        part + np.float32(noise / gain) * draw
        for part, draw in zip((signal.real, signal.imag), draws, strict=True)
    ]
    real, imaginary = parts if window is None else (_filtered(one, window) for one in parts)
    return np.asarray(np.hypot(real, imaginary), dtype=np.float32)


def _filtered(image: np.ndarray, window: np.ndarray) -> np.ndarray:
    return np.asarray(fft.irfft2(fft.rfft2(image.astype(np.float32)) * window, s=image.shape))


def _mean_power(window: np.ndarray, columns: int) -> float:
    """Mean of the squared window over the whole k-space, of which rfft keeps a half."""
    weights = np.full(window.shape[1], 2.0)
    weights[0] = 1
    if columns % 2 == 0:
        weights[-1] = 1
    return float((window.astype(np.float64) ** 2 * weights).sum() / (window.shape[0] * columns))
