"""Scar in the wall of the digital heart: its place, its mass, and what it does to each segment.

Angles and heights are those of ``heart.py``: from the septum's middle towards the anterior wall,
and from the epicardial apex to the base.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from scipy.optimize import brentq

from opencmr.anatomy.plausible import MYOCARDIUM_G_PER_ML
from opencmr.errors import ConfigurationError
from opencmr.simulate.body import cover
from opencmr.simulate.heart import HeartShape, radial_modulation

TERRITORIES: Mapping[str, float] = MappingProxyType({"LAD": 60.0, "RCA": -60.0, "LCX": 180.0})
"""Angle of the middle of each coronary artery's territory, 120 degrees wide: anterior wall and
anterior septum, inferior wall and inferior septum, lateral wall (Cerqueira et al., Circulation
2002; 105:539)."""
HALF_ANGLE_DEG, MIDDLE_HEIGHT, HALF_HEIGHT = 60.0, 0.52, 0.42
"""A scar is an ellipse on the wall that fills its territory at most; heights are shares of the
base's (plausible)."""
_QUADRATURE = (360, 400)


@dataclass(frozen=True, slots=True)
class ScarParameters:
    """A scar from the endocardium outwards, in the territory of a coronary artery.

    Attributes
    ----------
    territory : str
        ``LAD``, ``RCA`` or ``LCX``.
    mass_g : float
        No-reflow included.
    transmurality : float
        Share of the wall's thickness, up to 1.
    no_reflow_g : float
        Mass of the dark core.
    """

    territory: str = "LCX"
    mass_g: float = 14.0
    transmurality: float = 0.75
    no_reflow_g: float = 0.0

    def __post_init__(self) -> None:
        if self.territory not in TERRITORIES:
            raise ConfigurationError(
                f"territory is {self.territory!r}; expected {', '.join(TERRITORIES)}"
            )
        if not 0 < self.transmurality <= 1:
            raise ConfigurationError(
                f"transmurality is {self.transmurality:g}; expected more than 0 and at most 1"
            )
        if not self.mass_g > 0:
            raise ConfigurationError(f"a scar's mass is {self.mass_g:g} g; expected more than 0")
        if not 0 <= self.no_reflow_g < self.mass_g:
            raise ConfigurationError(
                f"no-reflow of {self.no_reflow_g:g} g is a part of the scar; expected less than "
                f"{self.mass_g:g} g"
            )


@dataclass(frozen=True, slots=True)
class Patch:
    """An ellipse on the wall of one shape, to a depth.

    Attributes
    ----------
    middle_deg : float
    size : float
        1 fills the territory.
    transmurality : float
    shape : HeartShape
    """

    middle_deg: float
    size: float
    transmurality: float
    shape: HeartShape

    def share(self, position_mm: np.ndarray, pixel_mm: float) -> np.ndarray:
        """Return how much of each point ``(3, ...)`` in heart coordinates it fills, 0 to 1.

        Points of the cavity count as the wall beside them; the painter lays blood over them.
        """
        x, y, z = position_mm
        radius = np.hypot(x, y)
        safe = np.maximum(radius, 1e-6)
        rounded = radius / radial_modulation(x / safe, y / safe)
        apart = self._apart(np.arctan2(y, x), z)
        half_mm = self.size * np.deg2rad(HALF_ANGLE_DEG) * self.shape.epi_radius_mm
        across = cover((apart - 1) * half_mm, pixel_mm)
        if self.transmurality == 1:  # it ends where the wall does, whose edge the painter draws
            return np.asarray(across)
        return np.asarray(across * cover(rounded - self.outer_mm(z), pixel_mm))

    def outer_mm(self, z_mm: np.ndarray) -> np.ndarray:
        """Return the radius to which it reaches at a height."""
        inner_mm = inner_radius_mm(self.shape, z_mm)
        return np.asarray(
            inner_mm + self.transmurality * (self.shape.epi_radius_at(z_mm) - inner_mm)
        )

    def cells(self) -> np.ndarray:
        """Return its volume in mm3 in each cell ``(A, H)`` of angle and height."""
        theta, z_mm, cell = _cells(self.shape)
        area = (np.square(self.outer_mm(z_mm)) - np.square(inner_radius_mm(self.shape, z_mm))) / 2
        return np.asarray((self._apart(theta, z_mm) <= 1) * area * cell)

    def mass_g(self) -> float:
        """Return its mass by quadrature over angle and height."""
        return float(self.cells().sum() * MYOCARDIUM_G_PER_ML / 1000)

    def _apart(self, theta: np.ndarray, z_mm: np.ndarray) -> np.ndarray:
        """Return the distance from its middle, 1 at its edge."""
        turn = np.angle(np.exp(1j * (theta - np.deg2rad(self.middle_deg))))
        height = z_mm / self.shape.base_mm - MIDDLE_HEIGHT
        return np.asarray(
            np.hypot(turn / np.deg2rad(HALF_ANGLE_DEG), height / HALF_HEIGHT) / self.size
        )


def inner_radius_mm(shape: HeartShape, z_mm: np.ndarray) -> np.ndarray:
    """Return the endocardial radius at a height, 0 below the cavity."""
    share = (z_mm - shape.centre_mm) / shape.endo_half_axis_mm
    return np.asarray(shape.endo_radius_mm * np.sqrt(np.maximum(1 - share * share, 0)))


def _cells(shape: HeartShape) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return angles ``(A, 1)``, heights ``(H,)`` of the wall, and angle times height of a cell."""
    angles, heights = _QUADRATURE
    theta = (np.arange(angles)[:, None] + 0.5) / angles * 2 * np.pi - np.pi
    z_mm = (np.arange(heights) + 0.5) / heights * shape.base_mm
    modulation = radial_modulation(np.cos(theta), np.sin(theta))
    return theta, z_mm, modulation**2 * (2 * np.pi / angles) * (shape.base_mm / heights)


@dataclass(frozen=True, slots=True)
class Scar:
    """A scar of known mass: the whole and its core without reflow."""

    whole: Patch
    core: Patch | None

    def shares(self, position_mm: np.ndarray, pixel_mm: float) -> tuple[np.ndarray, np.ndarray]:
        """Return the shares of scar without its core, and of the core."""
        whole = self.whole.share(position_mm, pixel_mm)
        if self.core is None:
            return whole, np.zeros_like(whole)
        core = np.minimum(self.core.share(position_mm, pixel_mm), whole)
        return whole - core, core


def scar_of(parameters: ScarParameters, shape: HeartShape) -> Scar:
    """Return the scar on one shape of the heart.

    Raises
    ------
    ConfigurationError
        When the mass does not fit the territory at this transmurality.
    """
    middle_deg = TERRITORIES[parameters.territory]
    whole = _patch(middle_deg, parameters.mass_g, parameters.transmurality, shape)
    if not parameters.no_reflow_g:
        return Scar(whole, None)
    # As deep as wide in proportion: the core is the scar made smaller in all directions.
    thinner = (parameters.no_reflow_g / parameters.mass_g) ** (1 / 3)
    core = _patch(middle_deg, parameters.no_reflow_g, parameters.transmurality * thinner, shape)
    return Scar(whole, core)


def _patch(middle_deg: float, mass_g: float, transmurality: float, shape: HeartShape) -> Patch:
    def mass_of(size: float) -> float:
        return Patch(middle_deg, size, transmurality, shape).mass_g()

    greatest_g = mass_of(1.0)
    if mass_g > greatest_g:
        raise ConfigurationError(
            f"a scar of {mass_g:g} g does not fit its territory at a transmurality of "
            f"{transmurality:.2g}; at most {greatest_g:.0f} g do"
        )
    size = brentq(lambda size: mass_of(size) - mass_g, 0.01, 1.0, xtol=1e-5)
    return Patch(middle_deg, float(size), transmurality, shape)


def segment_grams(shape: HeartShape, scar: Scar | None) -> dict[int, tuple[float, float, float]]:
    """Return grams of healthy muscle, scar without core, and core of each AHA segment.

    Basal, mid and apical are equal thirds of the cavity's length; segment 17 lies below it.  Six
    walls of 60 degrees each in the upper thirds, four of 90 in the apical one, the first border of
    the septum at 60 or 45 degrees from its middle.
    """
    theta, z_mm, cell = _cells(shape)
    inner, outer = inner_radius_mm(shape, z_mm), shape.epi_radius_at(z_mm)
    wall = (np.square(outer) - np.square(inner)) / 2 * cell
    patches = (scar.whole, scar.core) if scar else (None, None)
    whole, core = (np.zeros_like(wall) if one is None else one.cells() for one in patches)
    segments = _segments(shape, np.rad2deg(theta), z_mm)
    found = {}
    for number in range(1, 18):
        parts = (
            float(one[segments == number].sum()) * MYOCARDIUM_G_PER_ML / 1000
            for one in (wall - whole, whole - core, core)
        )
        healthy, scarred, dark = parts
        found[number] = (healthy, scarred, dark)
    return found


def _segments(shape: HeartShape, theta_deg: np.ndarray, z_mm: np.ndarray) -> np.ndarray:
    """Return the AHA number of angles ``(A, 1)`` and heights ``(H,)``: ``(A, H)``."""
    bottom_mm = shape.centre_mm - shape.endo_half_axis_mm
    third = np.floor((shape.base_mm - z_mm) / (shape.base_mm - bottom_mm) * 3)
    six = np.floor(np.mod(120 - theta_deg, 360) / 60) + 1
    four = np.floor(np.mod(135 - theta_deg, 360) / 90) + 13
    upper = six + 6 * np.clip(third, 0, 1)
    return np.asarray(np.where(z_mm < bottom_mm, 17, np.where(third >= 2, four, upper)), dtype=int)
