"""The tissue part of a simulated examination: maps and late enhancement, and their truth.

How much of every tissue each pixel holds is painted once; a picture is that times what the Bloch
simulation gives each tissue, which is then received by the same coils as the cine.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from opencmr.anatomy.techniques import Technique
from opencmr.errors import ConfigurationError
from opencmr.geometry.grid import Grid
from opencmr.imaging.axis import Axis, Echo, Preparation, PreparationKind, Single
from opencmr.imaging.image import Image
from opencmr.simulate import pulse_trains
from opencmr.simulate.acquire import LARGEST_VALUE, World, heart_window, slice_points
from opencmr.simulate.bloch import Readout, Spins, lorentzian_hz
from opencmr.simulate.body import paint_body
from opencmr.simulate.heart import HeartShape
from opencmr.simulate.painter import LEFT_WALL, HeartPainter
from opencmr.simulate.physics import coil_sensitivity, k_space_window, magnitude_image
from opencmr.simulate.pulse_trains import Pictures
from opencmr.simulate.relaxation import (
    BLOOD,
    MUSCLE,
    NO_REFLOW,
    SCAR,
    TISSUE_NAMES,
    Relaxation,
    Times,
    field_index,
    table_with,
    times_of,
)
from opencmr.simulate.scar import Scar, ScarParameters, scar_of, segment_grams

AGENT = "gadobutrol (simulated)"
MOMENT = 0.72
"""Of the heartbeat: mid-diastole, when the heart moves least."""
MAP_HEIGHTS = (0.75, 0.5, 0.27)
"""Of the base: the basal, mid and apical slice of a map."""
BRIGHTEST_VALUE = 900.0
"""Stored value of blood or muscle where a series shows them brightest."""
SPREAD = 1024
"""Frequencies inside a voxel of a T2* series."""
SAMPLES = 3
"""Points through a slice."""


@dataclass(frozen=True, slots=True)
class TissueParameters:
    """What the tissue is like and how it is imaged.

    Attributes
    ----------
    series : tuple of str
        Names of :data:`SERIES`.
    haematocrit : float
        A fraction.
    ecv_percent, scar_ecv_percent : float
    plasma_mm : float
        Agent in plasma in mmol/L: more makes the blood of late enhancement brighter.
    t1_ms, t2_ms, t2_star_ms : float or None
        Of healthy muscle before contrast; None for the table's.
    scar : ScarParameters or None
    inversion_ms : float or None
        Of late enhancement; None nulls healthy muscle.
    inversion_efficiency, saturation_efficiency : float
    off_resonance_hz : float
        In the whole picture.
    flip_scale : float
        Of every readout's flip angle: 1 is what was asked for.
    snr : float
        Brightest blood or muscle of a series over the noise; 0 for none.
    molli, post_molli : str
        Schemes.
    """

    series: tuple[str, ...] = ("lge", "molli", "post-molli", "t2", "t2star")
    haematocrit: float = 0.42
    ecv_percent: float = 26.0
    scar_ecv_percent: float = 58.0
    plasma_mm: float = 0.9
    t1_ms: float | None = None
    t2_ms: float | None = None
    t2_star_ms: float | None = None
    scar: ScarParameters | None = None
    inversion_ms: float | None = None
    inversion_efficiency: float = 0.96
    saturation_efficiency: float = 0.99
    off_resonance_hz: float = 0.0
    flip_scale: float = 1.0
    snr: float = 60.0
    molli: str = "5(3)3"
    post_molli: str = "4(1)3(1)2"

    def __post_init__(self) -> None:
        for name in self.series:
            if name not in SERIES:
                raise ConfigurationError(
                    f"there is no series {name!r}; expected some of {', '.join(SERIES)}"
                )
        for name, low, high in _LIMITS:
            value = getattr(self, name)
            if value is not None and not low <= value <= high:
                raise ConfigurationError(f"{name} is {value:g}; expected {low:g} to {high:g}")

    def table(self, field_strength_t: float) -> Mapping[str, Relaxation]:
        """Return the relaxation of this patient's tissues."""
        given = {"t1_ms": self.t1_ms, "t2_ms": self.t2_ms, "t2_star_ms": self.t2_star_ms}
        return table_with(
            haematocrit=self.haematocrit,
            ecv_percent=self.ecv_percent,
            scar_ecv_percent=self.scar_ecv_percent,
            muscle={name: value for name, value in given.items() if value is not None},
            field_strength_t=field_strength_t,
        )


_LIMITS: tuple[tuple[str, float, float], ...] = (
    ("haematocrit", 0.15, 0.7),
    ("ecv_percent", 10, 90),
    ("scar_ecv_percent", 10, 95),
    ("plasma_mm", 0.1, 5),
    ("t1_ms", 300, 3000),
    ("t2_ms", 10, 300),
    ("t2_star_ms", 1, 200),
    ("inversion_ms", 80, 1500),
    ("inversion_efficiency", 0.5, 1),
    ("saturation_efficiency", 0.5, 1),
    ("off_resonance_hz", -200, 200),
    ("flip_scale", 0.3, 1.5),
    ("snr", 0, 1000),
)


@dataclass(frozen=True, slots=True, eq=False)
class TissueSeries:
    """One series of pictures that show tissue.

    Attributes
    ----------
    description : str
    technique : Technique
    image : Image
    stated : tuple of mapping
        DICOM keywords and values of each picture.
    """

    description: str
    technique: Technique
    image: Image
    stated: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True, slots=True, eq=False)
class Tissue:
    """The series, and the truth about the tissue.

    Attributes
    ----------
    truth : mapping from symbol to value
        ``T1``, ``T2``, ``T2S``, ``T1_POST`` in ms and ``ECV`` in percent, of the whole wall, with
        ``_SEPTUM`` of its middle septum; ``SCAR_MASS`` g and ``SCAR_PERCENT``, no-reflow counted.
    segments : mapping from AHA segment to the same
    """

    parameters: TissueParameters
    series: tuple[TissueSeries, ...]
    truth: Mapping[str, float]
    segments: Mapping[int, Mapping[str, float]] = field(repr=False)


@dataclass(frozen=True, slots=True)
class _Scanner:
    """What the pulse trains need to know."""

    parameters: TissueParameters
    native: Times
    post: Times
    rr_ms: float

    def spins(self, times: Times, *, spread: bool = False) -> Spins:
        """Return all tissues, with or without the spread of frequencies inside a voxel."""
        hz = times.shift_hz + self.parameters.off_resonance_hz
        if not spread:
            return Spins(times.t1_ms, times.t2_ms, times.density, hz)
        t2_prime_ms = 1 / np.maximum(1 / times.t2_star_ms - 1 / times.t2_ms, 1e-9)
        return Spins(
            times.t1_ms[:, None],
            times.t2_ms[:, None],
            times.density[:, None],
            hz[:, None] + lorentzian_hz(t2_prime_ms, SPREAD),
        )

    def readout(self, readout: Readout) -> Readout:
        """Return the readout with the flip angle that is reached."""
        return replace(readout, flip_deg=readout.flip_deg * self.parameters.flip_scale)

    def molli(self, times: Times, scheme: str, first_ms: float) -> Pictures:
        return pulse_trains.molli(
            self.spins(times),
            scheme,
            rr_ms=self.rr_ms,
            efficiency=self.parameters.inversion_efficiency,
            readout=self.readout(pulse_trains.SINGLE_SHOT),
            first_ms=first_ms,
        )

    def late_enhancement(self) -> Pictures:
        efficiency = self.parameters.inversion_efficiency
        inversion_ms = self.parameters.inversion_ms
        if inversion_ms is None:
            muscle = self.post.names.index(MUSCLE)
            inversion_ms = pulse_trains.nulling_inversion_ms(
                float(self.post.t1_ms[muscle]),
                float(self.post.t2_ms[muscle]),
                rr_ms=self.rr_ms,
                efficiency=efficiency,
            )
        return pulse_trains.late_enhancement(
            self.spins(self.post),
            round(inversion_ms),
            rr_ms=self.rr_ms,
            efficiency=efficiency,
            readout=self.readout(pulse_trains.LATE_SHOT),
        )


@dataclass(frozen=True, slots=True)
class SeriesKind:
    """One kind of tissue series.

    Attributes
    ----------
    description : str
        SeriesDescription; names the scheme, which no DICOM field does.
    technique : Technique
    differs : str
        In what its pictures differ: ``inversion``, ``saturation``, ``T2 preparation``, ``echo`` or
        ``none``.
    readout : Readout
    play : function of the scanner
    after_contrast : bool
    """

    description: Callable[[TissueParameters], str]
    technique: Technique
    differs: str
    readout: Readout
    play: Callable[[_Scanner], Pictures]
    after_contrast: bool = False


SERIES: Mapping[str, SeriesKind] = {
    "molli": SeriesKind(
        lambda p: f"MOLLI {p.molli} native SAX",
        Technique.T1_MAPPING,
        "inversion",
        pulse_trains.SINGLE_SHOT,
        lambda s: s.molli(s.native, s.parameters.molli, 120.0),
    ),
    "shmolli": SeriesKind(
        lambda p: "ShMOLLI native SAX",
        Technique.T1_MAPPING,
        "inversion",
        pulse_trains.SINGLE_SHOT,
        lambda s: s.molli(s.native, "5(1)1(1)1", 100.0),
    ),
    "sasha": SeriesKind(
        lambda p: "SASHA native SAX",
        Technique.T1_MAPPING,
        "saturation",
        pulse_trains.SASHA_SHOT,
        lambda s: pulse_trains.sasha(
            s.spins(s.native),
            rr_ms=s.rr_ms,
            efficiency=s.parameters.saturation_efficiency,
            readout=s.readout(pulse_trains.SASHA_SHOT),
        ),
    ),
    "t2": SeriesKind(
        lambda p: "T2 map T2prep SAX",
        Technique.T2_MAPPING,
        "T2 preparation",
        pulse_trains.T2_SHOT,
        lambda s: pulse_trains.t2_preparations(
            s.spins(s.native), rr_ms=s.rr_ms, readout=s.readout(pulse_trains.T2_SHOT)
        ),
    ),
    "t2star": SeriesKind(
        lambda p: "T2 star multi-echo SAX",
        Technique.T2_STAR_MAPPING,
        "echo",
        pulse_trains.T2_STAR_SHOT,
        lambda s: pulse_trains.t2_star_echoes(
            s.spins(s.native, spread=True),
            rr_ms=s.rr_ms,
            readout=s.readout(pulse_trains.T2_STAR_SHOT),
        ),
    ),
    "lge": SeriesKind(
        lambda p: "LGE SAX",
        Technique.LGE,
        "none",
        pulse_trains.LATE_SHOT,
        _Scanner.late_enhancement,
        after_contrast=True,
    ),
    "post-molli": SeriesKind(
        lambda p: f"MOLLI {p.post_molli} post contrast SAX",
        Technique.T1_MAPPING,
        "inversion",
        pulse_trains.SINGLE_SHOT,
        lambda s: s.molli(s.post, s.parameters.post_molli, 120.0),
        after_contrast=True,
    ),
}
"""In the order of an examination."""


@dataclass(frozen=True, slots=True, eq=False)
class Receiver:
    """How pictures are received: the cine's coils, thickness and k-space.

    Attributes
    ----------
    thickness_mm, shading : float
    acquired : (rows, columns)
    breathing_mm : (along columns, along rows, through)
        Standard deviation of each slice's displacement.
    """

    thickness_mm: float
    shading: float
    acquired: tuple[float, float]
    breathing_mm: tuple[float, float, float]


def simulate_tissue(
    parameters: TissueParameters,
    world: World,
    *,
    stack: Grid,
    shapes: Sequence[HeartShape],
    field_strength_t: float,
    receiver: Receiver,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Tissue:
    """Simulate the tissue series of an examination.

    Parameters
    ----------
    stack : Grid
        Of the short-axis cine: late enhancement is made on its slices, maps on three of them.
    shapes : sequence of HeartShape
        The cine's phases; that at :data:`MOMENT` of the heartbeat is shown.
    """
    field_index(field_strength_t)
    phase = round(MOMENT * len(shapes)) % len(shapes)
    shape = shapes[phase]
    scar = scar_of(parameters.scar, shape) if parameters.scar else None
    table = parameters.table(field_strength_t)
    scanner = _Scanner(
        parameters,
        times_of(table, field_strength_t),
        times_of(table, field_strength_t, plasma_mm=parameters.plasma_mm),
        world.parameters.rr_ms,
    )
    random = np.random.default_rng([world.parameters.seed, 3])
    shifts_mm = _shifts_mm(stack, receiver, random)
    of_maps = _map_slices(world, stack, shape)
    wanted = [(name, SERIES[name]) for name in SERIES if name in parameters.series]
    slices = {
        z for name, _ in wanted for z in (range(stack.shape[0]) if name == "lge" else of_maps)
    }
    shares = {}
    for done, z in enumerate(sorted(slices), start=1):
        shares[z] = _shares(
            world, stack, z, shape, scar, shifts_mm[z], phase / len(shapes), receiver
        )
        progress(done, len(slices))
    trigger_ms = round(world.parameters.rr_ms * phase / len(shapes), 2)
    series = []
    for name, kind in wanted:
        chosen = list(range(stack.shape[0])) if name == "lge" else of_maps
        grid = Grid((len(chosen), *stack.shape[1:]), stack.affines[chosen])
        pictures = kind.play(scanner)
        values = _received(
            pictures.signals, grid, [shares[z] for z in chosen], receiver, parameters.snr, random
        )
        axis = _axis(kind, pictures.times_ms, grid.shape[0], trigger_ms, scanner.rr_ms)
        series.append(
            TissueSeries(
                kind.description(parameters),
                kind.technique,
                Image(values, grid, axis),
                tuple(_stated(kind, parameters, float(ms)) for ms in pictures.times_ms),
            )
        )
    truth, segments = tissue_truth(
        scanner.native, scanner.post, parameters.haematocrit, shape, scar
    )
    return Tissue(parameters, tuple(series), truth, segments)


def _map_slices(world: World, stack: Grid, shape: HeartShape) -> list[int]:
    """Return the slices of the stack that lie nearest to a map's heights."""
    rows, columns = stack.shape[1:]
    middles = np.array(
        [stack.position_mm(z, (rows - 1) / 2, (columns - 1) / 2) for z in range(stack.shape[0])]
    )
    heights = world.frame.to_heart(middles.T)[2] / shape.base_mm
    return sorted({int(np.abs(heights - one).argmin()) for one in MAP_HEIGHTS})


def _shifts_mm(stack: Grid, receiver: Receiver, random: np.random.Generator) -> np.ndarray:
    """Return where the patient lay ``(Z, 3)`` LPS at each slice: one breath for all its series."""
    along = np.stack([stack.affines[0, :3, i] for i in range(3)])
    along = along / np.linalg.norm(along, axis=1, keepdims=True)
    drawn = random.standard_normal((stack.shape[0], 3)) * np.array(receiver.breathing_mm)
    return np.asarray(drawn @ along)


def _shares(
    world: World,
    stack: Grid,
    z: int,
    shape: HeartShape,
    scar: Scar | None,
    shift_mm: np.ndarray,
    share: float,
    receiver: Receiver,
) -> np.ndarray:
    """Return how much of every tissue each pixel holds: ``(K, Y, X)`` float32.

    Density of the tissue's own irregularities and inflow included, so that the sum is near 1.
    """
    pixel_mm = float(np.sqrt(stack.pixel_mm2))
    offsets_mm = ((np.arange(SAMPLES) + 0.5) / SAMPLES - 0.5) * receiver.thickness_mm
    points = slice_points(stack, z, offsets_mm) - shift_mm.astype(np.float32)[:, None, None, None]
    one_each = np.eye(len(TISSUE_NAMES), dtype=np.float32)[..., None, None, None]
    signals: dict[str, np.ndarray] = dict(zip(TISSUE_NAMES, one_each, strict=True))
    still = paint_body(points, world.body, signals, pixel_mm)
    shares = np.asarray(still.signal.mean(1))
    window = heart_window(world, points)
    if window is None:
        return shares
    region = (..., *window)
    position = world.frame.to_heart(points[region]).astype(np.float32)
    if scar is not None:
        scarred, dark = (one.astype(np.float32) for one in scar.shares(position, pixel_mm))
        signals[LEFT_WALL] = (
            signals[MUSCLE] * (1 - scarred - dark)
            + signals[SCAR] * scarred
            + signals[NO_REFLOW] * dark
        )
    painter = HeartPainter(position, still.room[region], world.heart, signals, pixel_mm)
    shares[region] = painter.paint(shape, still.signal[region], share).signal.mean(1)
    return shares


def _received(
    signals: np.ndarray,
    grid: Grid,
    shares: Sequence[np.ndarray],
    receiver: Receiver,
    snr: float,
    random: np.random.Generator,
) -> np.ndarray:
    """Return stored values ``(N, Z, Y, X)`` float32 of signals ``(N, K)``."""
    seen = [TISSUE_NAMES.index(name) for name in (BLOOD, MUSCLE, SCAR)]
    gain = BRIGHTEST_VALUE / float(np.abs(signals[:, seen]).max())
    window = k_space_window(grid.shape[1:], receiver.acquired)
    noise = BRIGHTEST_VALUE / snr if snr else 0.0
    values = np.zeros((len(signals), *grid.shape), dtype=np.float32)
    for z, share in enumerate(shares):
        shading = coil_sensitivity(slice_points(grid, z, np.zeros(1))[:, 0], receiver.shading)
        for n, signal in enumerate(signals):
            picture = np.tensordot((signal * gain).astype(np.complex64), share, axes=1)
            values[n, z] = magnitude_image(picture * shading, window, noise, random)
    np.clip(np.rint(values, out=values), 0, LARGEST_VALUE, out=values)
    return values


def _axis(
    kind: SeriesKind, times_ms: np.ndarray, slices: int, trigger_ms: float, rr_ms: float
) -> Axis:
    table_ms = np.repeat(times_ms[:, None], slices, axis=1)
    trigger, rr = np.full(table_ms.shape, trigger_ms), np.full(slices, round(rr_ms))
    if kind.differs == "none":
        return Single(trigger, rr)
    if kind.differs == "echo":
        return Echo(table_ms, trigger, rr)
    return Preparation(PreparationKind(kind.differs), table_ms, trigger, rr)


def _stated(kind: SeriesKind, parameters: TissueParameters, time_ms: float) -> dict[str, Any]:
    """Return what the header of a picture says of how it was made.

    The places are the standard's; a T2 preparation has none, and stands in the comments as Siemens
    writes it.
    """
    readout = kind.readout
    stated: dict[str, Any] = {
        "RepetitionTime": readout.tr_ms,
        "EchoTime": time_ms if kind.differs == "echo" else readout.to_echo_ms,
        "FlipAngle": readout.flip_deg,
        "SequenceVariant": "SP" if readout.ramp == 0 else "SS",
    }
    if kind.differs in ("inversion", "none"):
        stated["ScanningSequence"] = ["GR", "IR"]
    if kind.differs in ("inversion", "saturation", "none") and np.isfinite(time_ms):
        stated["InversionTime"] = time_ms
    if kind.differs == "T2 preparation":
        stated["ImageComments"] = f"T2 prep. duration = {time_ms:g} ms"
    if kind.after_contrast:
        stated["ContrastBolusAgent"] = AGENT
    return stated


def tissue_truth(
    native: Times, post: Times, haematocrit: float, shape: HeartShape, scar: Scar | None
) -> tuple[dict[str, float], dict[int, dict[str, float]]]:
    """Return the truth of the wall, and of each AHA segment: means weighted by mass."""
    grams = {n: np.array(parts) for n, parts in segment_grams(shape, scar).items()}
    kinds = [native.names.index(name) for name in (MUSCLE, SCAR, NO_REFLOW)]
    blood = native.names.index(BLOOD)
    faster = 1 / post.t1_ms - 1 / native.t1_ms
    of_kinds = {
        "T1": native.t1_ms[kinds],
        "T2": native.t2_ms[kinds],
        "T2S": native.t2_star_ms[kinds],
        "T1_POST": post.t1_ms[kinds],
        "ECV": 100 * (1 - haematocrit) * faster[kinds] / faster[blood],
    }

    def means(parts: np.ndarray) -> dict[str, float]:
        return {symbol: float(parts @ of / parts.sum()) for symbol, of in of_kinds.items()}

    def with_scar(parts: np.ndarray) -> dict[str, float]:
        scarred = float(parts[1:].sum())
        return {
            **means(parts),
            "SCAR_MASS": scarred,
            "SCAR_PERCENT": 100 * scarred / float(parts.sum()),
        }

    septum = means(grams[8] + grams[9])
    whole = with_scar(np.sum(list(grams.values()), axis=0))
    truth = {**whole, **{f"{symbol}_SEPTUM": value for symbol, value in septum.items()}}
    return truth, {number: with_scar(parts) for number, parts in grams.items()}
