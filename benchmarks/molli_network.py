"""A physics-informed network that gives T1 from the first four or five pictures of a MOLLI.

    python benchmarks/molli_network.py -o benchmarks/molli_network.json

It learns from Bloch simulation of the pulse train alone.  Of each pixel it names the Look-Locker
parameters ``T1*`` and ``B/A``, whose curve must meet the noise-free pictures.  ``T1* (B/A - 1)`` is
its *reading*, which learns what the exact fit of all eight pictures would say without noise;
``T1* (B/A - 1) exp(delta)`` is its *corrected* T1, which learns the true one, so that ``delta`` is
the bias of MOLLI.  Each has a 95 % interval.  It stands beside the exact fit of all pictures and of
as few: on signals that it never saw, on those that it was not made for, and on the phantoms of
``relaxometry.py``.

Everything is drawn from fixed seeds; one minute of one quiet core.
"""

import argparse
import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice, pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from real_data import data_folder
from relaxometry import Archive, vials_of
from scipy.io import loadmat
from scipy.stats import chi2
from torch import nn

from opencmr.anatomy.map_kinds import MapKind
from opencmr.measure.relaxometry.method import Method, Scheme, map_of
from opencmr.measure.relaxometry.recovery import t1_inversion_recovery
from opencmr.simulate.bloch import Spins
from opencmr.simulate.pulse_trains import INVERSION_STEP_MS, SINGLE_SHOT, scheme_of

COUNTS = (4, 5)
LEVELS = (0.5, 0.025, 0.975)
"""Quantiles that the network names; the outer two hold 95 %."""
CURVE_WEIGHT = 0.03
"""Of the curve in the loss, beside the quantiles of log T1."""
CURVE_FLOOR = 0.01
"""Share of the greatest picture below which the curve need not meet the pictures: it is a model."""
CORRECTION_LIMIT = 0.5
"""Greatest ``delta``; simulated MOLLI read T1 wrong by less."""
WIDTH, STEPS, BATCH = 64, 1200, 1024
PHANTOM_PIXELS, PHANTOM_SNR = 150, 25
TRUSTED = 0.99
"""Share of pixels from the trained range that the check of the curve lets pass."""
NORMAL_95 = 1.96
NOISE_MARGIN = 1.5
"""Of the noise that the network was trained with, before it warns."""
NOISE_KNOWN_WITHIN = 0.1
"""Relative SD of the noise that the network is told: a series gives it only so well."""


@dataclass(frozen=True)
class Range:
    """What simulated signals are drawn from, evenly or evenly in the logarithm (T1, T2, SNR)."""

    t1_ms: tuple[float, float] = (200.0, 2500.0)
    t2_ms: tuple[float, float] = (30.0, 250.0)
    heart_rate_bpm: tuple[float, float] = (40.0, 120.0)
    beat_variation: float = 0.05
    """Relative SD of a heartbeat's length."""
    first_ms: tuple[float, float] = (95.0, 150.0)
    efficiency: tuple[float, float] = (0.9, 1.0)
    off_resonance_hz: tuple[float, float] = (-60.0, 60.0)
    flip_deg: tuple[float, float] = (26.0, 37.0)
    """35 degrees are asked for; the field of the transmitter gives less or a little more."""
    snr: tuple[float, float] = (10.0, 300.0)
    """Of the greatest picture.  The heart has 10 to 60, the phantoms up to several hundred."""
    scheme: str = "5(3)3"
    second_tissue: tuple[float, float] | None = None
    """T1 of a second tissue that fills half of each pixel."""


TRAINED = Range()
TESTED = replace(TRAINED, snr=(10.0, 60.0))


@dataclass(frozen=True, eq=False)
class Signals:
    """``S`` heartbeat sequences of ``P`` pixels, ``N`` pictures in the order of acquisition.

    Attributes
    ----------
    times_ms : (S, N)
    clean : (S, P, N)
        Noise-free magnitudes, the greatest 1.
    t1_ms, reading_ms, noise : (S, P)
        The true T1, and the exact fit of all clean pictures.
    heart_rate_bpm : (S,)
    """

    times_ms: np.ndarray
    clean: np.ndarray
    t1_ms: np.ndarray
    reading_ms: np.ndarray
    noise: np.ndarray
    heart_rate_bpm: np.ndarray

    def measured(self, generator: np.random.Generator) -> np.ndarray:
        """Return magnitudes with Rician noise (S, P, N)."""
        real, imaginary = generator.standard_normal((2, *self.clean.shape))
        return np.hypot(
            self.clean + self.noise[..., None] * real, self.noise[..., None] * imaginary
        )


def play(
    spins: Spins, scheme: str, rhythm_ms: Sequence[float], first_ms: float, efficiency, flip_deg
) -> tuple[np.ndarray, np.ndarray]:
    """Return times (N,) and signals (N, P) of a MOLLI whose heartbeats differ in length.

    Pictures are taken at one moment of every heartbeat; efficiency and flip angle may be ``(P,)``.
    """
    readout = replace(SINGLE_SHOT, flip_deg=flip_deg)
    beats_ms = iter(rhythm_ms)
    times_ms, signals, pause = [], [], 0
    for inversion, (count, next_pause) in enumerate(scheme_of(scheme)):
        now_ms = first_ms + INVERSION_STEP_MS * inversion
        if inversion:
            recovery_ms = sum(next(beats_ms) for _ in range(pause + 1))
            spins.rest(recovery_ms - readout.after_ms - now_ms)
        spins.invert(efficiency)
        spins.rest(now_ms - readout.before_ms)
        for n in range(count):
            if n:
                beat_ms = next(beats_ms)
                spins.rest(beat_ms - readout.before_ms - readout.after_ms)
                now_ms += beat_ms
            signals.append(readout.balanced(spins))
            times_ms.append(now_ms)
        pause = next_pause
    return np.array(times_ms), np.array(signals)


def beats(generator: np.random.Generator, mean_ms: float, variation: float) -> Iterator[float]:
    """Draw heartbeats; none is so short that two pictures would overlap."""
    while True:
        yield max(mean_ms * (1 + variation * generator.standard_normal()), 350.0)


def draw(generator: np.random.Generator, what: Range, sequences: int, pixels: int) -> Signals:
    """Draw and simulate signals."""

    def evenly_in_log(limits):
        return np.exp(generator.uniform(*np.log(limits), pixels))

    parts = []
    for _ in range(sequences):
        t1_ms = evenly_in_log(what.t1_ms)
        t2_ms = np.minimum(evenly_in_log(what.t2_ms), 0.9 * t1_ms)
        rate_bpm = generator.uniform(*what.heart_rate_bpm)
        first_ms = generator.uniform(*what.first_ms)
        hz, efficiency, flip_deg = (
            generator.uniform(*limits, pixels)
            for limits in (what.off_resonance_hz, what.efficiency, what.flip_deg)
        )
        rhythm_ms = list(islice(beats(generator, 60000 / rate_bpm, what.beat_variation), 20))
        pulses = (what.scheme, rhythm_ms, first_ms, efficiency, flip_deg)
        times_ms, signals = play(Spins(t1_ms, t2_ms, off_resonance_hz=hz), *pulses)
        if what.second_tissue:
            other = Spins(evenly_in_log(what.second_tissue), 50, off_resonance_hz=hz)
            signals = (signals + play(other, *pulses)[1]) / 2
        clean = np.abs(signals).T
        clean /= clean.max(1, keepdims=True)
        reading_ms = exact(clean, times_ms, len(times_ms)).t1_ms
        noise = 1 / evenly_in_log(what.snr)
        parts.append((times_ms, clean, t1_ms, reading_ms, noise, rate_bpm))
    return Signals(*(np.array(part) for part in zip(*parts, strict=True)))


class T1Network(nn.Module):
    """From ``N`` scaled magnitudes, their times in seconds and the noise to a curve and T1."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self.count = count
        self.layers = nn.Sequential(
            nn.Linear(2 * count + 1, WIDTH),
            nn.SiLU(),
            nn.Linear(WIDTH, WIDTH),
            nn.SiLU(),
            nn.Linear(WIDTH, WIDTH),
            nn.SiLU(),
            nn.Linear(WIDTH, 7),
        )

    def forward(
        self, pictures: torch.Tensor, times_s: torch.Tensor, noise: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Return ``T1*`` (s) and ``B/A - 1`` (P,), and quantiles of log T1 (s) (P, 2, 3).

        First those of the reading, then those of the corrected T1.
        """
        greatest = pictures.amax(1, keepdim=True)
        told = torch.cat([pictures / greatest, times_s, (noise[:, None] / greatest).log() + 4], 1)
        apparent, drive, delta, *widths = self.layers(told).unbind(1)
        reading = apparent + drive
        corrected = reading + CORRECTION_LIMIT * torch.tanh(delta)
        below, above, below_corrected, above_corrected = (
            nn.functional.softplus(one - 2) for one in widths
        )
        quantiles = [
            torch.stack([reading, reading - below, reading + above], 1),
            torch.stack([corrected, corrected - below_corrected, corrected + above_corrected], 1),
        ]
        return apparent.exp(), drive.exp(), torch.stack(quantiles, 1)


def curve_through(
    pictures: torch.Tensor, times_s: torch.Tensor, apparent_s: torch.Tensor, drive: torch.Tensor
) -> torch.Tensor:
    """Return magnitudes (P, N) of the curve with these parameters, its amplitude by projection."""
    curve = (1 - (1 + drive[:, None]) * torch.exp(-times_s / apparent_s[:, None])).abs()
    amplitude = (pictures * curve).sum(1) / (curve**2).sum(1).clamp_min(1e-6)
    return amplitude[:, None] * curve


def loss_of(
    network: T1Network,
    pictures: torch.Tensor,
    clean: torch.Tensor,
    times_s: torch.Tensor,
    noise: torch.Tensor,
    told_noise: torch.Tensor,
    log_t1_s: torch.Tensor,
) -> torch.Tensor:
    """Pinball loss of the quantiles, and the distance of the named curve from clean pictures.

    ``log_t1_s`` (P, 2) are the reading and the true T1.
    """
    apparent_s, drive, quantiles = network(pictures, times_s, told_noise)
    beyond = log_t1_s[..., None] - quantiles
    levels = torch.tensor(LEVELS)
    pinball = torch.maximum(levels * beyond, (levels - 1) * beyond).sum((1, 2)).mean()
    left = (curve_through(clean, times_s, apparent_s, drive) - clean).abs()
    curve = (left / (noise[:, None] + CURVE_FLOOR)).mean()
    return pinball + CURVE_WEIGHT * curve


def train(signals: Signals, count: int, *, steps: int = STEPS, seed: int = 1) -> T1Network:
    """Return a network trained on the first pictures of simulated signals, noise drawn anew."""
    torch.manual_seed(seed)
    chance = torch.Generator().manual_seed(seed)
    clean = torch.tensor(signals.clean[..., :count], dtype=torch.float32).reshape(-1, count)
    per_sequence = signals.clean.shape[1]
    times_s = torch.tensor(signals.times_ms[:, :count] / 1000, dtype=torch.float32)
    both_ms = np.stack([signals.reading_ms, signals.t1_ms], axis=-1).reshape(-1, 2)
    log_t1_s = torch.tensor(np.log(both_ms / 1000), dtype=torch.float32)
    usable = torch.isfinite(log_t1_s).all(1).nonzero()[:, 0]
    low, high = np.log(TRAINED.snr)
    network = T1Network(count)
    optimiser = torch.optim.AdamW(network.parameters(), lr=5e-3, weight_decay=1e-5, fused=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 5e-3, total_steps=steps)
    for _ in range(steps):
        chosen = usable[torch.randint(len(usable), (BATCH,), generator=chance)]
        noise = torch.exp(-(low + (high - low) * torch.rand(BATCH, generator=chance)))
        parts = noise[:, None, None] * torch.randn(BATCH, count, 2, generator=chance)
        pictures = torch.hypot(clean[chosen] + parts[..., 0], parts[..., 1])
        told = noise * torch.exp(NOISE_KNOWN_WITHIN * torch.randn(BATCH, generator=chance))
        loss = loss_of(
            network,
            pictures,
            clean[chosen],
            times_s[chosen // per_sequence],
            noise,
            told,
            log_t1_s[chosen],
        )
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        schedule.step()
    return network.eval()


@dataclass(frozen=True, eq=False)
class Answer:
    """T1 of pixels, its 95 % interval, and whether the method itself warns; all (P,)."""

    t1_ms: np.ndarray
    low_ms: np.ndarray
    high_ms: np.ndarray
    warned: np.ndarray


def joined(answers: Sequence[Answer]) -> Answer:
    return Answer(
        *(
            np.concatenate([getattr(one, name) for one in answers])
            for name in Answer.__dataclass_fields__
        )
    )


class Trusting:
    """A network, and when its answer is not to be trusted.

    It warns where an interval leaves the trained range, where there is more noise than it was
    trained with, where times are not those of one inversion, or where the curve that it names
    misses the pictures by more than it does in 99 % of signals from the trained range.
    """

    def __init__(self, network: T1Network, seen: Signals, generator: np.random.Generator) -> None:
        self._network = network
        self.count = network.count
        misfits = [self._name(*one)[1] for one in each_sequence(seen, generator)]
        self.limit = float(np.quantile(np.concatenate(misfits), TRUSTED))

    def _name(
        self, pictures: np.ndarray, times_ms: np.ndarray, noise: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the quantiles in ms (P, 2, 3) and the misfit of the curve (P,)."""
        few = pictures[:, : self.count]
        times_s = np.broadcast_to(times_ms[: self.count] / 1000, few.shape)
        # Less noise than any that was trained with is no harm.
        noise = np.maximum(noise, few.max(1) / TRAINED.snr[1])
        told = [torch.tensor(one.copy(), dtype=torch.float32) for one in (few, times_s, noise)]
        with torch.no_grad():
            apparent_s, drive, quantiles = self._network(*told)
            left = curve_through(told[0], told[1], apparent_s, drive) - told[0]
            scale = told[2][:, None] + CURVE_FLOOR * told[0].amax(1, keepdim=True)
            misfit = ((left / scale) ** 2).mean(1).sqrt()
        return 1000 * quantiles.exp().double().numpy(), misfit.double().numpy()

    def answer(
        self, pictures: np.ndarray, times_ms: np.ndarray, noise: np.ndarray
    ) -> tuple[Answer, Answer]:
        """Return reading and corrected T1 of pictures (P, N) in the order of acquisition.

        ``noise`` (P,) is in their unit.
        """
        quantiles_ms, misfit = self._name(pictures, times_ms, noise)
        noisy = noise * TRAINED.snr[0] > NOISE_MARGIN * pictures[:, : self.count].max(1)
        doubtful = noisy | (misfit > self.limit) | (not timed_as_trained(times_ms[: self.count]))
        least_ms, greatest_ms = TRAINED.t1_ms
        outside = (quantiles_ms[..., 1] < least_ms) | (quantiles_ms[..., 2] > greatest_ms)
        reading, corrected = (
            Answer(*quantiles_ms[:, one].T, doubtful | outside[:, one]) for one in (0, 1)
        )
        return reading, corrected


def timed_as_trained(times_ms: np.ndarray) -> bool:
    """Return whether pictures follow one inversion at heartbeats of the trained range."""
    longest_ms, shortest_ms = (60000 / rate for rate in TRAINED.heart_rate_bpm)
    margin = 1 + 3 * TRAINED.beat_variation
    steps_ms = np.diff(times_ms)
    low_ms, high_ms = TRAINED.first_ms
    fits = (steps_ms >= shortest_ms / margin) & (steps_ms <= longest_ms * margin)
    return bool(low_ms <= times_ms[0] <= high_ms and fits.all())


def each_sequence(
    signals: Signals, generator: np.random.Generator
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Give pictures (P, N), their times and the noise that is told, sequence by sequence."""
    told = signals.noise * np.exp(
        NOISE_KNOWN_WITHIN * generator.standard_normal(signals.noise.shape)
    )
    yield from zip(signals.measured(generator), signals.times_ms, told, strict=True)


def of_fit(value_ms: np.ndarray, standard_error_ms: np.ndarray) -> Answer:
    """Return a fit's answer; it warns where there is none, or no error of it."""
    half_ms = NORMAL_95 * standard_error_ms
    return Answer(value_ms, value_ms - half_ms, value_ms + half_ms, ~np.isfinite(half_ms))


def exact(pictures: np.ndarray, times_ms: np.ndarray, count: int) -> Answer:
    """Return the exact fit of the first pictures (P, N)."""
    order = np.argsort(times_ms[:count])
    found = t1_inversion_recovery(
        pictures[:, :count].T[order], times_ms[:count][order], look_locker=True, magnitude=True
    )
    return of_fit(found.values_ms, found.standard_error_ms)


def row_of(answer: Answer, truth_ms: np.ndarray | float) -> dict[str, Any]:
    """Figures over the pixels that have an answer; shares and errors in percent."""
    found = np.isfinite(answer.t1_ms) & np.isfinite(answer.low_ms)
    error = 100 * (answer.t1_ms / truth_ms - 1)
    inside = (answer.low_ms <= truth_ms) & (truth_ms <= answer.high_ms)
    kept = error[found]
    half = (
        50 * (answer.high_ms - answer.low_ms)[found] / np.broadcast_to(truth_ms, found.shape)[found]
    )

    def rounded(value):
        return round(float(value), 2)

    row = {
        "pixels": len(error),
        "no_answer": rounded(100 * np.mean(~found)),
        "warned": rounded(100 * np.mean(answer.warned)),
        "silent": rounded(100 * np.mean(~answer.warned & ~inside)),
    }
    if found.any():
        row |= {
            "bias": rounded(np.median(kept)),
            "sd": rounded(np.std(kept)),
            "error_95": rounded(np.quantile(np.abs(kept), 0.95)),
            "half_interval": rounded(np.median(half)),
            "coverage": rounded(100 * np.mean(inside[found])),
        }
    return row


Answers = dict[str, Answer]


def answers_of(
    networks: Sequence[Trusting],
    signals: Signals,
    generator: np.random.Generator,
    stated: Callable[[np.ndarray], np.ndarray] = np.asarray,
) -> Answers:
    """Answers of every method, the pixels of all sequences in a row; times as ``stated`` says."""
    total = signals.clean.shape[-1]
    rows: dict[str, list[Answer]] = {}
    for pictures, times_ms, noise in each_sequence(signals, generator):
        said_ms = stated(times_ms)
        for name, count in (("all", total), *((str(count), count) for count in COUNTS)):
            rows.setdefault(f"exact {name}", []).append(exact(pictures, said_ms, count))
        for name, answer in named(networks, pictures, said_ms, noise):
            rows.setdefault(name, []).append(answer)
    return {name: joined(parts) for name, parts in rows.items()}


def named(
    networks: Sequence[Trusting], pictures: np.ndarray, times_ms: np.ndarray, noise: np.ndarray
) -> Iterator[tuple[str, Answer]]:
    """Give the answers of the networks by name."""
    for one in networks:
        reading, corrected = one.answer(pictures, times_ms, noise)
        yield f"network {one.count}", reading
        yield f"network {one.count} corrected", corrected


def rows_of(answers: Answers, signals: Signals, which: np.ndarray | None = None) -> dict[str, Any]:
    """Figures against the clean fit of all pictures, and against the truth."""
    found = {}
    for label, reference_ms in (
        ("against_full_fit_without_noise", signals.reading_ms.ravel()),
        ("against_truth", signals.t1_ms.ravel()),
    ):
        known = np.isfinite(reference_ms) & (True if which is None else which)
        found[label] = {
            name: row_of(chosen(answer, known), reference_ms[known])
            for name, answer in answers.items()
            if name.startswith("exact") or name.endswith("corrected") == (label == "against_truth")
        }
    return found


def chosen(answer: Answer, which: np.ndarray) -> Answer:
    return Answer(*(getattr(answer, name)[which] for name in Answer.__dataclass_fields__))


def held_out(networks: Sequence[Trusting], signals: Signals, seed: int) -> dict[str, Any]:
    """Figures on simulated signals from the trained range, whole and by T1, heart rate, SNR."""
    answers = answers_of(networks, signals, np.random.default_rng(seed))
    rate_bpm = np.repeat(signals.heart_rate_bpm, signals.t1_ms.shape[1])
    rows = {"all": rows_of(answers, signals)}
    for label, values, edges in (
        ("T1 {:g}-{:g} ms", signals.t1_ms.ravel(), (200, 500, 900, 1300, 1800, 2500)),
        ("heart rate {:g}-{:g}", rate_bpm, (40, 60, 80, 100, 120)),
        ("SNR {:g}-{:g}", 1 / signals.noise.ravel(), (10, 20, 40, 60)),
    ):
        for low, high in pairwise(edges):
            which = (values >= low) & (values <= high)
            rows[label.format(low, high)] = rows_of(answers, signals, which)
    return rows


FAILURES: dict[str, Range] = {
    "T1 80-160 ms": replace(TESTED, t1_ms=(80, 160)),
    "T1 3000-4500 ms": replace(TESTED, t1_ms=(3000, 4500)),
    "T2 5-12 ms": replace(TESTED, t2_ms=(5, 12)),
    "flip angle 50-70 deg": replace(TESTED, flip_deg=(50, 70)),
    "flip angle 8-15 deg": replace(TESTED, flip_deg=(8, 15)),
    "inversion efficiency 0.5-0.7": replace(TESTED, efficiency=(0.5, 0.7)),
    "saturation for inversion": replace(TESTED, efficiency=(-0.05, 0.05)),
    "off-resonance 140-180 Hz": replace(TESTED, off_resonance_hz=(140, 180)),
    "scheme 3(3)3(3)5": replace(TESTED, scheme="3(3)3(3)5"),
    "half the pixel a tissue of 250-350 ms": replace(
        TESTED, t1_ms=(900, 2000), second_tissue=(250, 350)
    ),
    "SNR 3-6": replace(TESTED, snr=(3, 6)),
}


def nominal_times(times_ms: np.ndarray) -> np.ndarray:
    """Return the times of 5(3)3 as if every heartbeat had lasted a second."""
    first_ms = times_ms[0]
    starts = np.repeat([first_ms, first_ms + INVERSION_STEP_MS], (5, 3))
    return starts + 1000.0 * np.array([0, 1, 2, 3, 4, 0, 1, 2])


WRONG_TIMES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "all times stated 30 ms long": lambda times_ms: times_ms + 30,
    "all times stated 30 ms short": lambda times_ms: times_ms - 30,
    "times stated for 60 bpm": nominal_times,
}


def failures(networks: Sequence[Trusting], seed: int) -> dict[str, Any]:
    """Figures outside of the trained range, and with times that the header states wrongly."""
    rows = {}
    cases = {name: (what, np.asarray) for name, what in FAILURES.items()}
    cases |= {name: (TESTED, stated) for name, stated in WRONG_TIMES.items()}
    for n, (name, (what, stated)) in enumerate(cases.items()):
        signals = draw(np.random.default_rng((seed, n)), what, 8, 80)
        answers = answers_of(networks, signals, np.random.default_rng((seed, n, 1)), stated)
        rows[name] = rows_of(answers, signals)
    return rows


@dataclass(frozen=True, eq=False)
class Phantom:
    """Pixels of one T1: pictures (P, N) in the order of acquisition, what their source reads."""

    pictures: np.ndarray
    times_ms: np.ndarray
    reference_ms: float


def phantoms(folder: Path) -> dict[str, tuple[Method, list[Phantom]]]:
    """Read the even regions of the phantoms of ``relaxometry.py``."""
    archive = Archive(folder / "mapping_testdata.zip")
    pictures, times_ms = archive.pictures("dicomT1/raw/", "InversionTime")
    truth_ms = archive.datasets("dicomT1/map/")[0].pixel_array.astype(float)
    regions = [truth_ms == value for value in np.unique(truth_ms) if value]
    digital = regions_of(pictures, times_ms, truth_ms, regions)
    series = "Konrad_Shmolli/ShMOLLI_192i_e11"
    pictures, times_ms = archive.pictures(f"{series}_12/", "InversionTime")
    map_ms = archive.datasets(f"{series}_T1MAP_14/IM-0003-0002")[0].pixel_array.astype(float)
    explained = archive.datasets(f"{series}_FITPARAMS_15/IM-0004-0001")[0].pixel_array
    regions = vials_of(map_ms, (explained > 0) & (map_ms > 80), 150)
    shmolli = regions_of(pictures, times_ms, map_ms, regions)
    held = loadmat(folder / "molli_vials.mat")
    pictures, times_s = np.split(held["MOLLIT1wTI"][0, 0], 2)
    map_ms = 1000 * held["MOLLIoffLineT1Map"][0]
    regions = vials_of(map_ms, (map_ms > 80) & (map_ms < 4000), 40)
    vials = regions_of(pictures, 1000 * times_s[:, 0, 0], map_ms, regions)
    return {
        "digital": (Method(MapKind.T1), digital),
        "ShMOLLI": (Method(MapKind.T1, Scheme.SHMOLLI), shmolli),
        "MOLLI vials": (Method(MapKind.T1, Scheme.MOLLI), vials),
    }


def regions_of(
    pictures: np.ndarray, times_ms: np.ndarray, map_ms: np.ndarray, regions: Sequence[np.ndarray]
) -> list[Phantom]:
    """Return as many pixels of every region, those of the first inversion first."""
    late = (times_ms > times_ms[0]) & (times_ms < times_ms[0] + 400)
    order = np.argsort(late, kind="stable")
    generator = np.random.default_rng(0)
    found = []
    for region in regions:
        places = np.flatnonzero(region)
        some = generator.permutation(places)[:PHANTOM_PIXELS]
        values = pictures.reshape(len(pictures), -1)[order][:, some].T
        found.append(Phantom(values, times_ms[order], float(np.median(map_ms[region]))))
    return found


def noise_of(regions: Sequence[Phantom], count: int) -> float:
    """Return the noise of a series by what the exact fits of its first pictures leave."""
    left = []
    for one in regions:
        found = t1_inversion_recovery(
            one.pictures[:, :count].T, one.times_ms[:count], look_locker=True, magnitude=True
        )
        left.append(found.residual)
    typical = np.sqrt(chi2.median(count - 3) / count)
    return float(np.nanmedian(np.concatenate(left)) / typical)


def on_phantoms(networks: Sequence[Trusting], folder: Path) -> dict[str, Any]:
    """Figures against the truth of the digital phantom and the maps that came with the others.

    As they are, and with Rician noise of an SNR of 25 added; by whether T1 was trained.
    """
    rows: dict[str, Any] = {}
    for name, (method, regions) in phantoms(folder).items():
        rows[name] = {"as it is": phantom_rows(networks, method, regions)}
        generator = np.random.default_rng(1)
        noisy = [replace(one, pictures=with_noise(one.pictures, generator)) for one in regions]
        rows[name]["SNR 25"] = phantom_rows(networks, method, noisy)
    return rows


def with_noise(pictures: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Return pictures (P, N) with Rician noise of an SNR of 25 in each pixel."""
    sd = pictures.max(1, keepdims=True) / PHANTOM_SNR
    real, imaginary = sd * generator.standard_normal((2, *pictures.shape))
    return np.asarray(np.hypot(pictures + real, imaginary))


def phantom_rows(
    networks: Sequence[Trusting], method: Method, regions: Sequence[Phantom]
) -> dict[str, Any]:
    # Every pixel in its own unit: a series' noise is then one share of the greatest picture.
    regions = [
        replace(one, pictures=one.pictures / one.pictures.max(1, keepdims=True)) for one in regions
    ]
    noise = {one.count: noise_of(regions, one.count) for one in networks}
    answers: dict[str, list[Answer]] = {}
    for one in regions:
        full = map_of(one.pictures.T[:, None], one.times_ms, method, magnitude=True)
        answers.setdefault("exact all", []).append(
            of_fit(full.values_ms[0], full.standard_error_ms[0])
        )
        for count in COUNTS:
            answers.setdefault(f"exact {count}", []).append(
                exact(one.pictures, one.times_ms, count)
            )
        for network in networks:
            told = np.full(len(one.pictures), noise[network.count])
            for name, answer in named([network], one.pictures, one.times_ms, told):
                answers.setdefault(name, []).append(answer)
    reference_ms = np.repeat(
        [one.reference_ms for one in regions], [len(one.pictures) for one in regions]
    )
    trained = (reference_ms >= TRAINED.t1_ms[0]) & (reference_ms <= TRAINED.t1_ms[1])
    together = {name: joined(parts) for name, parts in answers.items()}
    rows: dict[str, Any] = {
        "noise_percent": {count: round(100 * sd, 2) for count, sd in noise.items()}
    }
    for label, which in (("T1 trained", trained), ("T1 not trained", ~trained)):
        if which.any():
            rows[label] = {
                name: row_of(chosen(answer, which), reference_ms[which])
                for name, answer in together.items()
            }
    rows["regions"] = [
        {
            "reference_ms": round(one.reference_ms),
            "bias": {
                name: row_of(parts[n], one.reference_ms).get("bias")
                for name, parts in answers.items()
            },
        }
        for n, one in enumerate(regions)
    ]
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-o", "--output", type=Path, required=True)
    output = parser.parse_args().output
    torch.set_num_threads(1)
    learnt = draw(np.random.default_rng(1), TRAINED, 80, 250)
    begun_s = time.process_time()
    networks = [train(learnt, count) for count in COUNTS]
    training_s = time.process_time() - begun_s
    seen = draw(np.random.default_rng(2), TRAINED, 10, 200)
    trusting = [Trusting(one, seen, np.random.default_rng(3)) for one in networks]
    figures = {
        "training_cpu_s": round(training_s),
        "misfit_limit": {one.count: round(one.limit, 2) for one in trusting},
        "held_out": held_out(trusting, draw(np.random.default_rng(4), TESTED, 40, 100), 5),
        "failures": failures(trusting, 6),
        "phantoms": on_phantoms(trusting, data_folder() / "t1_t2_phantoms"),
    }
    output.write_text(json.dumps(figures, indent=1) + "\n")
    print(json.dumps(figures["held_out"]["all"], indent=1))


if __name__ == "__main__":
    main()
