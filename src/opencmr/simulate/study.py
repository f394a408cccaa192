"""A whole simulated examination: scouts, short-axis cine, long-axis cines, and the truth."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from opencmr.anatomy.plausible import MYOCARDIUM_G_PER_ML
from opencmr.anatomy.policy import ACDC_POLICY
from opencmr.anatomy.structures import ACDC, Structure
from opencmr.anatomy.techniques import Technique
from opencmr.anatomy.views import View
from opencmr.errors import ConfigurationError
from opencmr.geometry.grid import Grid
from opencmr.imaging.axis import heartbeat_or_single
from opencmr.imaging.image import Image
from opencmr.imaging.segmentation import Author, AuthorKind, Segmentation
from opencmr.progress import Progress, silent
from opencmr.simulate.acquire import Scan, World, acquire, world_of
from opencmr.simulate.body import HeartFrame
from opencmr.simulate.heart import (
    HeartParameters,
    HeartShape,
    beat,
    heart_shape,
)
from opencmr.simulate.physics import tissue_signals
from opencmr.simulate.tissue import Receiver, Tissue, TissueParameters, simulate_tissue

BLOOD_VALUE = 620.0
"""Stored value of blood in the heart's middle: 12-bit data with room for fat near the coils."""
AORTIC_ROOT_DEG = 43.0
"""Angle of the aortic root from the septum: the three-chamber plane passes through it."""
APICAL_MARGIN_MM = 4.0
"""How far the stack reaches beyond the apex."""


@dataclass(frozen=True, slots=True)
class Protocol:
    """How the examination is acquired; the defaults are a 1.5 T cine protocol (SCMR, JCMR 2020).

    Attributes
    ----------
    acquired : (rows, columns)
        Share of k-space that is acquired.
    slices : int or None
        Of the short-axis stack; None: as many as the heart needs.
    basal_margin_mm : float
        Height of the most basal slice's centre over the end-diastolic valve plane.
    samples : int
        Points through the slice (partial volume).
    snr : float
        Blood in the heart's middle over the noise of one channel; 0 for none.
    coil_shading : float
        0 flat, 1 surface coils without correction.
    breathing_in_plane_mm, breathing_through_plane_mm : float
        Standard deviation of each slice's displacement.
    rr_jitter_percent : float
        Standard deviation of the slices' heartbeats.
    end_diastolic_phase : int
        Phase at which the LV is largest.
    rv_delay_phases : int
        How many phases after the LV the RV is smallest.
    off_resonance_hz : float
        Field error at the body's edge; bands appear where it exceeds 1 / (2 TR).
    long_axis, scouts : bool
        Whether those series are acquired too.
    """

    field_strength_t: float = 1.5
    tr_ms: float = 3.0
    flip_deg: float = 52.0
    rows: int = 256
    columns: int = 208
    pixel_mm: float = 1.4
    thickness_mm: float = 8.0
    gap_mm: float = 2.0
    slices: int | None = None
    basal_margin_mm: float = 6.5
    phases: int = 30
    samples: int = 5
    snr: float = 45.0
    coil_shading: float = 0.6
    acquired: tuple[float, float] = (0.82, 0.95)
    breathing_in_plane_mm: float = 0.8
    breathing_through_plane_mm: float = 0.8
    rr_jitter_percent: float = 1.5
    end_diastolic_phase: int = 0
    rv_delay_phases: int = 1
    off_resonance_hz: float = 0.0
    long_axis: bool = True
    scouts: bool = True

    def __post_init__(self) -> None:
        for name, low, high in _LIMITS:
            value = getattr(self, name)
            if value is not None and not low <= value <= high:
                raise ConfigurationError(f"{name} is {value}; expected {low} to {high}")

    @classmethod
    def small(cls) -> "Protocol":
        """Return a quick protocol for tests: coarse pixels, eight phases."""
        return cls(
            rows=112, columns=112, pixel_mm=2.6, gap_mm=4.0, phases=8, samples=3, rv_delay_phases=0
        )


_LIMITS: tuple[tuple[str, float, float], ...] = (
    ("tr_ms", 2, 8),
    ("flip_deg", 5, 90),
    ("rows", 32, 1024),
    ("columns", 32, 1024),
    ("pixel_mm", 0.5, 4),
    ("thickness_mm", 0.5, 20),
    ("gap_mm", 0, 20),
    ("slices", 2, 60),
    ("basal_margin_mm", -20, 20),
    ("phases", 4, 100),
    ("samples", 1, 32),
    ("snr", 0, 1000),
    ("coil_shading", 0, 1),
    ("breathing_in_plane_mm", 0, 20),
    ("breathing_through_plane_mm", 0, 20),
    ("rr_jitter_percent", 0, 10),
    ("end_diastolic_phase", 0, 99),
    ("rv_delay_phases", -5, 5),
    ("off_resonance_hz", 0, 1000),
)


@dataclass(frozen=True, slots=True, eq=False)
class SimulatedSeries:
    """One series as the scanner would name it.

    Attributes
    ----------
    description : str
        SeriesDescription.
    images : tuple of Image
        One, or the three orientations of a scout.
    stated : tuple of mapping
        DICOM keywords and values of each picture of a slice, where they are not the cine's.
    """

    description: str
    view: View
    sequence: Technique
    images: tuple[Image, ...]
    stated: tuple[Mapping[str, Any], ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class SimulatedStudy:
    """An examination of a digital heart, and the truth about it.

    Attributes
    ----------
    series : tuple of SimulatedSeries
        In the order of acquisition.
    labels : Segmentation
        The truth on the short axis, voxel by voxel.
    shapes : tuple of HeartShape
        The heart at each phase: its volume curves and measures.
    truth : mapping from symbol to value
        From the heart's formulas: ``LVEDV`` mL, ``LVEF`` %, ``LVM`` g, ...
    truth_voxelised : mapping from symbol to value
        The same from the short axis's true labels by summation of discs: what a perfect
        reader of this stack would measure.
    tissue : Tissue or None
        What the tissue is like, where it was asked for; its series are among ``series``.
    """

    parameters: HeartParameters
    protocol: Protocol
    series: tuple[SimulatedSeries, ...]
    labels: Segmentation
    shapes: tuple[HeartShape, ...]
    truth: Mapping[str, float]
    truth_voxelised: Mapping[str, float]
    tissue: Tissue | None = None

    @property
    def whole_truth(self) -> Mapping[str, float]:
        """The heart's truth, and its tissue's."""
        return {**self.truth, **(self.tissue.truth if self.tissue else {})}

    @property
    def short_axis(self) -> SimulatedSeries:
        """The short-axis cine."""
        return next(s for s in self.series if s.view is View.SAX and s.sequence is Technique.CINE)


def simulate_study(
    parameters: HeartParameters | None = None,
    *,
    protocol: Protocol | None = None,
    tissue: TissueParameters | None = None,
    progress: Progress = silent,
) -> SimulatedStudy:
    """Simulate an examination; with maps and late enhancement where ``tissue`` is given.

    The same parameters and protocol give the same bytes.  ``progress`` is called with (what is
    being done, short-axis slices done, in all).

    Examples
    --------
    >>> study = simulate_study(HeartParameters(ef_percent=55), protocol=Protocol.small())
    >>> round(study.truth["LVEF"], 1)
    55.0
    """
    parameters = parameters or HeartParameters()
    protocol = protocol or Protocol()
    world = world_of(parameters)
    shapes = beat(
        parameters,
        protocol.phases,
        end_diastolic_phase=protocol.end_diastolic_phase % protocol.phases,
        rv_delay_phases=protocol.rv_delay_phases,
    )
    series = []
    if protocol.scouts:
        series.append(_scout(world, protocol))
    short_axis, labels = _short_axis(
        world, protocol, shapes, lambda done, total: progress("simulating", done, total)
    )
    series.append(short_axis)
    if protocol.long_axis:
        series.extend(_long_axis(world, protocol, shapes))
    shown = None
    if tissue is not None:
        shown = simulate_tissue(
            tissue,
            world,
            stack=labels.grid,
            shapes=shapes,
            field_strength_t=protocol.field_strength_t,
            receiver=_receiver(protocol),
            progress=lambda done, total: progress("simulating tissue", done, total),
        )
        series.extend(
            SimulatedSeries(one.description, View.SAX, one.technique, (one.image,), one.stated)
            for one in shown.series
        )
    return SimulatedStudy(
        parameters,
        protocol,
        tuple(series),
        labels,
        shapes,
        truth=analytic_truth(shapes),
        truth_voxelised=voxelised_truth(labels),
        tissue=shown,
    )


def _receiver(protocol: Protocol) -> Receiver:
    in_plane_mm = protocol.breathing_in_plane_mm
    return Receiver(
        protocol.thickness_mm,
        protocol.coil_shading,
        protocol.acquired,
        (in_plane_mm, in_plane_mm, protocol.breathing_through_plane_mm),
    )


def analytic_truth(shapes: tuple[HeartShape, ...]) -> dict[str, float]:
    """Return the volumes of the heart's own formulas; each ventricle at its own extremes."""
    left = np.array([shape.cavity_ml for shape in shapes])
    right = np.array([shape.rv_ml for shape in shapes])
    mass_g = shapes[int(left.argmax())].wall_ml * MYOCARDIUM_G_PER_ML
    return _volumes(left, right, mass_g)


def voxelised_truth(labels: Segmentation) -> dict[str, float]:
    """Return the same by summation of discs over a stack's true labels."""
    voxel_ml = labels.grid.voxel_mm3 / 1000

    def curve(structure: Structure) -> np.ndarray:
        return np.asarray(labels.mask(structure).sum((2, 3)) @ voxel_ml)

    left = curve(Structure.LV)
    wall_ml = curve(Structure.MYOCARDIUM)[int(left.argmax())]
    return _volumes(left, curve(Structure.RV), wall_ml * MYOCARDIUM_G_PER_ML)


def _volumes(left: np.ndarray, right: np.ndarray, mass_g: float) -> dict[str, float]:
    truth = {}
    for side, curve in (("LV", left), ("RV", right)):
        largest, smallest = float(curve.max()), float(curve.min())
        truth[f"{side}EDV"] = largest
        truth[f"{side}ESV"] = smallest
        truth[f"{side}SV"] = largest - smallest
        truth[f"{side}EF"] = 100 * (largest - smallest) / largest
    truth["LVM"] = float(mass_g)
    return truth


def plane_grid(
    centre_mm: np.ndarray,
    normal: np.ndarray,
    up: np.ndarray,
    *,
    shape: tuple[int, int, int],
    pixel_mm: float,
    step_mm: float = 1.0,
) -> Grid:
    """Return a stack of parallel planes in LPS.

    Parameters
    ----------
    centre_mm : (3,)
        Middle of the first slice.
    normal : (3,)
        DICOM's: row direction cross column direction, away from the viewer.
    up : (3,)
        What is up in the picture, as far as the plane allows.
    step_mm : float
        From slice to slice, against the normal.
    """
    normal = normal / np.linalg.norm(normal)
    down = -(up - normal * (up @ normal))
    down /= np.linalg.norm(down)
    right = np.cross(down, normal)
    slices, rows, columns = shape
    affines = np.tile(np.eye(4), (slices, 1, 1))
    affines[:, :3, 0] = down * pixel_mm
    affines[:, :3, 1] = right * pixel_mm
    affines[:, :3, 2] = normal
    corner = centre_mm - down * pixel_mm * (rows - 1) / 2 - right * pixel_mm * (columns - 1) / 2
    affines[:, :3, 3] = corner - np.arange(slices)[:, None] * step_mm * normal
    return Grid(shape, affines)


def short_axis_grid(parameters: HeartParameters, frame: HeartFrame, protocol: Protocol) -> Grid:
    """Return the short-axis stack: base first, seen from the apex, patient's left on the right."""
    step_mm = protocol.thickness_mm + protocol.gap_mm
    first_mm = parameters.long_axis_mm + protocol.basal_margin_mm
    slices = protocol.slices or int(np.ceil((first_mm + APICAL_MARGIN_MM) / step_mm)) + 1
    return plane_grid(
        frame.to_patient(np.array([14.0, 0.0, first_mm])),
        frame.axes[2],
        np.array([0.0, 0.0, 1.0]),
        shape=(slices, protocol.rows, protocol.columns),
        pixel_mm=protocol.pixel_mm,
        step_mm=step_mm,
    )


def _scan(protocol: Protocol) -> Scan:
    signals = tissue_signals(protocol.field_strength_t, protocol.flip_deg, protocol.tr_ms)
    return Scan(
        signals=signals,
        gain=BLOOD_VALUE / signals["blood"],
        thickness_mm=protocol.thickness_mm,
        samples=protocol.samples,
        shading=protocol.coil_shading,
        noise=BLOOD_VALUE / protocol.snr if protocol.snr else 0.0,
        acquired=protocol.acquired,
        off_resonance_hz=protocol.off_resonance_hz,
        flip_deg=protocol.flip_deg,
        tr_ms=protocol.tr_ms,
    )


def _random(parameters: HeartParameters, role: int) -> np.random.Generator:
    return np.random.default_rng([parameters.seed, 2, role])


def _timed(
    values: np.ndarray, grid: Grid, world: World, protocol: Protocol, random: np.random.Generator
) -> Image:
    """Return the image with each slice's heartbeat and trigger times, whole milliseconds."""
    phases, slices = values.shape[:2]
    jitter = 1 + protocol.rr_jitter_percent / 100 * np.clip(random.standard_normal(slices), -2, 2)
    rr_ms = np.rint(world.parameters.rr_ms * jitter)
    trigger_ms = np.round(np.arange(phases)[:, None] / phases * rr_ms, 2)
    return Image(values, grid, heartbeat_or_single(trigger_ms, rr_ms))


def _short_axis(
    world: World,
    protocol: Protocol,
    shapes: tuple[HeartShape, ...],
    progress: Callable[[int, int], None],
) -> tuple[SimulatedSeries, Segmentation]:
    grid = short_axis_grid(world.parameters, world.frame, protocol)
    random = _random(world.parameters, 0)
    along = np.stack([grid.affines[0, :3, i] for i in range(3)])
    along = along / np.linalg.norm(along, axis=1, keepdims=True)
    spread = np.array(
        [
            protocol.breathing_in_plane_mm,
            protocol.breathing_in_plane_mm,
            protocol.breathing_through_plane_mm,
        ]
    )
    shifts_mm = (random.standard_normal((grid.shape[0], 3)) * spread) @ along
    acquired = acquire(world, grid, shapes, _scan(protocol), random, shifts_mm, progress)
    image = _timed(acquired.values, grid, world, protocol, random)
    author = Author(AuthorKind.IMPORT, f"truth of phantom {world.parameters.seed}")
    labels = Segmentation(acquired.labels, ACDC, grid, ACDC_POLICY, author)
    return SimulatedSeries("CINE SAX STACK", View.SAX, Technique.CINE, (image,)), labels


def _long_axis(
    world: World, protocol: Protocol, shapes: tuple[HeartShape, ...]
) -> list[SimulatedSeries]:
    x, y, _ = world.frame.axes
    root = np.deg2rad(AORTIC_ROOT_DEG)
    superior, anterior = np.array([0.0, 0.0, 1.0]), np.array([0.0, -1.0, 0.0])
    planes = (
        ("CINE 2CH", View.TWO_CHAMBER, x, superior, 0.0),
        ("CINE 3CH", View.THREE_CHAMBER, np.sin(root) * x - np.cos(root) * y, superior, 0.0),
        ("CINE 4CH", View.FOUR_CHAMBER, y, anterior, 16.0),
    )
    series = []
    for role, (name, view, normal, up, aside_mm) in enumerate(planes, start=1):
        middle = np.array([aside_mm, 0.0, world.parameters.long_axis_mm * 0.75])
        grid = plane_grid(
            world.frame.to_patient(middle),
            normal,
            up,
            shape=(1, protocol.rows, protocol.columns),
            pixel_mm=protocol.pixel_mm,
        )
        random = _random(world.parameters, role)
        acquired = acquire(world, grid, shapes, _scan(protocol), random)
        image = _timed(acquired.values, grid, world, protocol, random)
        series.append(SimulatedSeries(name, view, Technique.CINE, (image,)))
    return series


def _scout(world: World, protocol: Protocol) -> SimulatedSeries:
    """Three orthogonal planes through the chest, three slices each, in one series."""
    superior, anterior, left = np.eye(3)[2], -np.eye(3)[1], np.eye(3)[0]
    planes = ((superior, anterior), (-anterior, superior), (-left, superior))
    still = (heart_shape(world.parameters, 1.0, 1.0),)
    scan = replace(_scan(protocol), samples=min(protocol.samples, 3))
    pixel_mm = protocol.pixel_mm * 1.15 * max(protocol.rows / protocol.columns, 1)
    images = []
    for role, (normal, up) in enumerate(planes, start=10):
        grid = plane_grid(
            np.array([14.0, 4.0, 12.0]) + normal * 25,
            normal,
            up,
            shape=(3, protocol.rows, protocol.columns),
            pixel_mm=pixel_mm,
            step_mm=25.0,
        )
        random = _random(world.parameters, role)
        acquired = acquire(world, grid, still, scan, random)
        images.append(_timed(acquired.values, grid, world, protocol, random))
    return SimulatedSeries("LOCALIZER", View.OTHER, Technique.SCOUT, tuple(images))
