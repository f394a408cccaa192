"""The beating biventricular heart: closed formulas, so that every volume is known.

Coordinates here are the heart's own, in mm: ``z`` runs along the left ventricle's long axis
from the epicardial apex (0, fixed in space) to the base, ``x`` from the left ventricle to the
right one, and ``y`` completes a right-handed frame (towards the anterior wall).  The angle
``theta`` is measured from ``x`` to ``y``; the septum lies at 0.

The left ventricle is a pair of prolate ellipsoids with one centre, cut by the valve plane.  The
muscle is incompressible: what the cavity loses in length and width, the wall gains in thickness.
The right ventricle is a crescent on the left one's epicardium, between two insertion lines.
"""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from scipy.interpolate import PchipInterpolator
from scipy.optimize import brentq

from opencmr.anatomy.plausible import MS_PER_MINUTE, MYOCARDIUM_G_PER_ML
from opencmr.errors import ConfigurationError

TRUNCATION = 0.40
"""Height of the valve plane over the equator, as a share of the epicardial half axis."""
LENGTH_OVER_CUBE_ROOT = 1.80
"""Long axis over the cube root of the end-diastolic volume: 50 to 54 mm wide at 150 mL."""
APICAL_WALL_SHARE = 0.62
"""Thickness of the apex over the wall's at the equator at end-diastole (plausible)."""
RV_APEX_SHARE = 0.16
"""Height of the RV's apex over the LV's, as a share of the long axis."""
RV_BLUNTNESS = 0.42
"""Exponent of the crescent's depth across the septum: 0.5 is an ellipse, less is blunter."""
RV_CONUS_MM = 8.0
"""How far the RV's outflow reaches above the LV's valve plane anteriorly."""
RV_INFERIOR_DIP_MM = 3.0
"""How far the tricuspid plane lies below the LV's valve plane inferiorly."""
RV_WALL_MM = 3.0
"""Thickness of the RV's free wall at end-diastole."""
MASS_BRACKET_G = (1.0, 1500.0)
"""Masses among which that of a wall's thickness is looked for."""
_QUADRATURE = (320, 320)

# Volume over the beat, 1 at end-diastole and 0 at end-systole, on systole's and diastole's own
# clocks: isovolumetric start, ejection; rapid filling, diastasis, atrial contraction.
_SYSTOLE = ((0.0, 1.0), (0.14, 0.98), (0.36, 0.70), (0.60, 0.30), (0.85, 0.04), (1.0, 0.0))
_DIASTOLE = (
    (0.0, 0.0),
    (0.09, 0.05),
    (0.20, 0.32),
    (0.33, 0.64),
    (0.46, 0.75),
    (0.70, 0.79),
    (0.86, 0.95),
    (1.0, 1.0),
)


@dataclass(frozen=True, slots=True)
class HeartParameters:
    """What a digital heart is like; every default is a healthy adult's.

    Attributes
    ----------
    edv_ml, ef_percent : float
        Of the left ventricle, papillary muscles counted in the cavity.
    lv_mass_g : float
        Left ventricular mass without papillary muscles; :func:`mass_of_wall_g` gives it for a
        wall thickness.
    rv_edv_ml : float
    rv_ef_percent : float or None
        None: the ventricles' stroke volumes are equal.
    heart_rate_bpm : float
    longitudinal_shortening_percent : float
        Of the epicardial long axis, at end-systole.
    twist_deg : float
        Rotation of the apex against the base at end-systole.
    rv_insertion_deg : float
        Half the angle of the septum, seen from the LV's centre.
    papillary_radius_mm : float
    atrial_size : float
        Of both atria at end-diastole, in length, over the usual one.
    atrial_filling_percent : float
        By how much they are longer and wider at end-systole.
    sex, age_years, height_cm, weight_kg
        Of the imaginary patient.
    seed : int
        Decides trabeculae, texture, noise and UIDs, never a volume.

    Raises
    ------
    ConfigurationError
        When a value is outside what a heart can be, or values contradict each other.
    """

    edv_ml: float = 150.0
    ef_percent: float = 60.0
    lv_mass_g: float = 115.0
    rv_edv_ml: float = 165.0
    rv_ef_percent: float | None = None
    heart_rate_bpm: float = 68.0
    longitudinal_shortening_percent: float = 18.0
    twist_deg: float = 12.0
    rv_insertion_deg: float = 64.0
    papillary_radius_mm: float = 4.5
    atrial_size: float = 1.0
    atrial_filling_percent: float = 6.0
    sex: str = "M"
    age_years: float = 45.0
    height_cm: float = 178.0
    weight_kg: float = 76.0
    seed: int = 1

    def __post_init__(self) -> None:
        for name, low, high in _LIMITS:
            value = getattr(self, name)
            if value is not None and not low <= value <= high:
                raise ConfigurationError(f"{name} is {value}; expected {low} to {high}")
        if self.sex not in ("M", "F"):
            raise ConfigurationError(f"sex is {self.sex!r}; expected 'M' or 'F'")
        if not 0 < self.right_ef_percent <= 85:
            raise ConfigurationError(
                f"a stroke volume of {self.stroke_volume_ml:.0f} mL does not fit an RV of "
                f"{self.rv_edv_ml:.0f} mL; give rv_ef_percent or a larger rv_edv_ml"
            )

    @property
    def esv_ml(self) -> float:
        """End-systolic volume of the left ventricle."""
        return self.edv_ml * (1 - self.ef_percent / 100)

    @property
    def stroke_volume_ml(self) -> float:
        """Stroke volume of the left ventricle."""
        return self.edv_ml - self.esv_ml

    @property
    def right_ef_percent(self) -> float:
        """Ejection fraction of the right ventricle, given or from equal stroke volumes."""
        if self.rv_ef_percent is not None:
            return self.rv_ef_percent
        return 100 * self.stroke_volume_ml / self.rv_edv_ml

    @property
    def rv_esv_ml(self) -> float:
        """End-systolic volume of the right ventricle."""
        return self.rv_edv_ml * (1 - self.right_ef_percent / 100)

    @property
    def wall_ml(self) -> float:
        """Volume of the left ventricular muscle, the same in every phase."""
        return self.lv_mass_g / MYOCARDIUM_G_PER_ML

    @property
    def rr_ms(self) -> float:
        """Length of a heartbeat."""
        return MS_PER_MINUTE / self.heart_rate_bpm

    @property
    def long_axis_mm(self) -> float:
        """Epicardial apex to valve plane at end-diastole."""
        return float(LENGTH_OVER_CUBE_ROOT * np.cbrt(self.edv_ml * 1000))


_LIMITS: tuple[tuple[str, float, float], ...] = (
    ("edv_ml", 40, 450),
    ("ef_percent", 5, 85),
    ("lv_mass_g", 30, 500),
    ("rv_edv_ml", 40, 450),
    ("rv_ef_percent", 5, 85),
    ("heart_rate_bpm", 30, 200),
    ("longitudinal_shortening_percent", 0, 30),
    ("twist_deg", -40, 40),
    ("rv_insertion_deg", 40, 80),
    ("papillary_radius_mm", 0, 8),
    ("atrial_size", 0.4, 1.6),
    ("atrial_filling_percent", 0, 60),
    ("age_years", 18, 120),
    ("height_cm", 120, 220),
    ("weight_kg", 30, 250),
    ("seed", 0, 2**31 - 1),
)


@dataclass(frozen=True)
class HeartShape:
    """The ventricles at one moment; all lengths in mm, all formulas closed.

    Attributes
    ----------
    filling, rv_filling : float
        1 at end-diastole, 0 at end-systole, of each ventricle.
    base_mm : float
        Height of the LV's valve plane over the epicardial apex.
    epi_half_axis_mm, epi_radius_mm : float
        Half axes of the epicardial ellipsoid; its centre is the endocardial one's too.
    endo_half_axis_mm, endo_radius_mm : float
    rv_depth_mm : float
        Distance from septum to free wall where it is greatest.
    parameters : HeartParameters
    """

    parameters: HeartParameters
    filling: float
    rv_filling: float
    base_mm: float
    epi_half_axis_mm: float
    epi_radius_mm: float
    endo_half_axis_mm: float
    endo_radius_mm: float
    rv_depth_mm: float

    @property
    def centre_mm(self) -> float:
        """Height of the ellipsoids' common centre."""
        return self.epi_half_axis_mm

    @property
    def wall_mm(self) -> float:
        """Thickness of the wall at the equator."""
        return self.epi_radius_mm - self.endo_radius_mm

    @property
    def rv_wall_mm(self) -> float:
        """Thickness of the right ventricle's free wall."""
        return RV_WALL_MM * (1 + 0.35 * (1 - self.rv_filling))

    @property
    def cavity_ml(self) -> float:
        """Volume of the left ventricular cavity."""
        return _cut_ellipsoid_ml(
            self.endo_radius_mm, self.endo_half_axis_mm, self.base_mm - self.centre_mm
        )

    @property
    def wall_ml(self) -> float:
        """Volume of the left ventricular wall."""
        outer_ml = _cut_ellipsoid_ml(
            self.epi_radius_mm, self.epi_half_axis_mm, self.base_mm - self.centre_mm
        )
        return outer_ml - self.cavity_ml

    @cached_property
    def rv_ml(self) -> float:
        """Volume of the right ventricular cavity."""
        linear, square = _rv_coefficients(self)
        return linear * self.rv_depth_mm + square * self.rv_depth_mm**2

    def epi_radius_at(self, z_mm: np.ndarray) -> np.ndarray:
        """Return the epicardial radius at a height; the ellipsoid continues above the base."""
        share = (z_mm - self.centre_mm) / self.epi_half_axis_mm
        return np.asarray(self.epi_radius_mm * np.sqrt(np.maximum(1 - share * share, 0)))

    def rv_top_mm(self, sine: np.ndarray) -> np.ndarray:
        """Return the height where the RV ends: lower inferiorly, a conus anteriorly."""
        rise = np.where(sine > 0, RV_CONUS_MM, RV_INFERIOR_DIP_MM)
        return np.asarray(self.base_mm + rise * sine)

    def rv_profile(self, theta: np.ndarray, z_mm: np.ndarray) -> np.ndarray:
        """Return the RV's depth over the epicardium as a share of ``rv_depth_mm``."""
        apex_mm = RV_APEX_SHARE * self.base_mm
        height = np.clip((z_mm - apex_mm) / (self.base_mm - apex_mm), 0, 1.2)
        rise = np.minimum(height / 0.8, 1)
        insertion = np.deg2rad(self.parameters.rv_insertion_deg) * (0.62 + 0.38 * rise)
        turn = np.square(theta / insertion)
        across = np.maximum(1 - turn, 0) ** RV_BLUNTNESS * (1 + 0.3 * turn)
        along = np.sqrt(rise * (2 - rise)) * rise**0.25
        return np.asarray(across * along * (1 + 0.12 * np.sin(theta) * height))


_OUTLINE = ((0.022, -0.015), 0.014)
"""Second and third harmonic of the LV's outline: nearly round, as hearts are (plausible)."""


def radial_modulation(cosine: np.ndarray, sine: np.ndarray) -> np.ndarray:
    """Return how far the LV's outline departs from a circle, by the angle's cosine and sine.

    The mean of its square over the angle is 1, so that no area and no volume changes.
    """
    double_cosine = cosine * cosine - sine * sine
    double_sine = 2 * cosine * sine
    triple_cosine = cosine * (4 * cosine * cosine - 3)
    two, three = _OUTLINE
    return np.asarray(
        (1 + two[0] * double_cosine + two[1] * double_sine + three * triple_cosine)
        / np.sqrt(1 + (two[0] ** 2 + two[1] ** 2 + three**2) / 2)
    )


def _ellipsoid_factor(share: float) -> float:
    return 2 / 3 + share - share**3 / 3


def _cut_ellipsoid_ml(radius_mm: float, half_axis_mm: float, cut_mm: float) -> float:
    """Volume of an ellipsoid of revolution below a plane ``cut_mm`` over its centre."""
    factor = _ellipsoid_factor(cut_mm / half_axis_mm)
    return float(np.pi * radius_mm**2 * half_axis_mm * factor / 1000)


def _radius_of_volume_mm(volume_ml: float, half_axis_mm: float, cut_mm: float) -> float:
    factor = _ellipsoid_factor(cut_mm / half_axis_mm)
    return float(np.sqrt(volume_ml * 1000 / (np.pi * half_axis_mm * factor)))


def _rv_coefficients(shape: HeartShape) -> tuple[float, float]:
    """Return the coefficients in mL of the RV's volume: linear and square in its depth.

    The crescent between ``R`` and ``R + h`` has the area ``∫ (R h + h²/2) dθ``.
    """
    angles, heights = _QUADRATURE
    limit = np.deg2rad(shape.parameters.rv_insertion_deg)
    theta = (np.arange(angles) + 0.5) / angles * 2 * limit - limit
    cosine, sine = np.cos(theta), np.sin(theta)
    bottom_mm = RV_APEX_SHARE * shape.base_mm
    reach_mm = shape.rv_top_mm(sine) - bottom_mm
    z_mm = bottom_mm + (np.arange(heights)[:, None] + 0.5) / heights * reach_mm
    profile = shape.rv_profile(theta, z_mm)
    radius_mm = shape.epi_radius_at(z_mm) * radial_modulation(cosine, sine)
    cell = reach_mm / heights * (2 * limit / angles) / 1000
    return float((radius_mm * profile * cell).sum()), float((profile**2 / 2 * cell).sum())


def end_systole_share(heart_rate_bpm: float) -> float:
    """Return when the LV is smallest, as a share of the heartbeat.

    Electromechanical systole ``546 - 2.1 HR`` ms (Weissler et al., Circulation 1968; 37:149),
    less 60 ms from the Q wave to the rise of the curve (plausible).
    """
    return float(
        np.clip((546 - 2.1 * heart_rate_bpm - 60) * heart_rate_bpm / MS_PER_MINUTE, 0.25, 0.6)
    )


def filling_curve(share: np.ndarray, end_systole: float) -> np.ndarray:
    """Return the filling, 1 at end-diastole and 0 at end-systole, over the heartbeat.

    Parameters
    ----------
    share : array
        Time after end-diastole as a share of the heartbeat; taken modulo 1.
    end_systole : float
        Share at which the ventricle is smallest.
    """
    systole, diastole = np.array(_SYSTOLE), np.array(_DIASTOLE)
    times = np.append(
        systole[:-1, 0] * end_systole, end_systole + diastole[:, 0] * (1 - end_systole)
    )
    levels = np.append(systole[:-1, 1], diastole[:, 1])
    return np.asarray(np.clip(PchipInterpolator(times, levels)(np.mod(share, 1.0)), 0, 1))


def heart_shape(parameters: HeartParameters, filling: float, rv_filling: float) -> HeartShape:
    """Return the ventricles at a filling (1 end-diastole, 0 end-systole).

    Raises
    ------
    ConfigurationError
        When the parameters leave no room for a cavity.
    """
    emptied = 1 - filling
    shortening = parameters.longitudinal_shortening_percent / 100
    base_mm = parameters.long_axis_mm * (1 - shortening * emptied)
    cavity_ml = parameters.esv_ml + (parameters.edv_ml - parameters.esv_ml) * filling
    epi_half_axis_mm = base_mm / (1 + TRUNCATION)
    cut_mm = base_mm - epi_half_axis_mm
    epi_radius_mm = _radius_of_volume_mm(cavity_ml + parameters.wall_ml, epi_half_axis_mm, cut_mm)
    apical_mm = _apical_wall_mm(parameters) * (1 + 0.35 * emptied)
    endo_half_axis_mm = epi_half_axis_mm - apical_mm
    if endo_half_axis_mm <= cut_mm:
        raise ConfigurationError(
            f"{parameters.lv_mass_g:g} g of muscle leave no cavity at the apex of a ventricle of "
            f"{parameters.edv_ml:g} mL; use less mass or a larger edv_ml"
        )
    endo_radius_mm = _radius_of_volume_mm(cavity_ml, endo_half_axis_mm, cut_mm)
    shape = HeartShape(
        parameters,
        filling,
        rv_filling,
        base_mm,
        epi_half_axis_mm,
        epi_radius_mm,
        endo_half_axis_mm,
        endo_radius_mm,
        rv_depth_mm=0.0,
    )
    linear, square = _rv_coefficients(shape)
    rv_ml = parameters.rv_esv_ml + (parameters.rv_edv_ml - parameters.rv_esv_ml) * rv_filling
    depth_mm = (-linear + np.sqrt(linear**2 + 4 * square * rv_ml)) / (2 * square)
    return replace(shape, rv_depth_mm=float(depth_mm))


def _apical_wall_mm(parameters: HeartParameters) -> float:
    """Thickness of the apex at end-diastole, a share of the equator's."""
    half_axis_mm = parameters.long_axis_mm / (1 + TRUNCATION)
    cut_mm = parameters.long_axis_mm - half_axis_mm
    outer_mm = _radius_of_volume_mm(parameters.edv_ml + parameters.wall_ml, half_axis_mm, cut_mm)
    inner_mm = _radius_of_volume_mm(parameters.edv_ml, half_axis_mm, cut_mm)
    return APICAL_WALL_SHARE * (outer_mm - inner_mm)


def beat(
    parameters: HeartParameters,
    phases: int,
    *,
    end_diastolic_phase: int = 0,
    rv_delay_phases: int = 0,
) -> tuple[HeartShape, ...]:
    """Return the heart at each of ``phases`` equal steps of the heartbeat.

    End-systole is moved to the nearest phase, so that both extremes are pictured and the
    volumes of the parameters are the greatest and the smallest of the cine.

    Parameters
    ----------
    end_diastolic_phase : int
        The phase at which the LV is largest.
    rv_delay_phases : int
        How many phases later the RV is smallest.

    Raises
    ------
    ConfigurationError
        For fewer than two phases.
    """
    if phases < 2:
        raise ConfigurationError(f"a beat needs two phases or more, found {phases}")
    step = int(np.clip(round(end_systole_share(parameters.heart_rate_bpm) * phases), 1, phases - 1))
    rv_step = int(np.clip(step + rv_delay_phases, 1, phases - 1))
    share = (np.arange(phases) - end_diastolic_phase) % phases / phases
    left = filling_curve(share, step / phases)
    right = filling_curve(share, rv_step / phases)
    return tuple(
        heart_shape(parameters, float(a), float(b)) for a, b in zip(left, right, strict=True)
    )


def mass_of_wall_g(edv_ml: float, wall_mm: float) -> float:
    """Return the LV mass whose wall is ``wall_mm`` thick at the equator at end-diastole.

    Raises
    ------
    ConfigurationError
        When no mass makes such a wall.

    Examples
    --------
    >>> round(mass_of_wall_g(150, 7.5))
    115
    """
    thinnest_mm, thickest_mm = (_equatorial_wall_mm(edv_ml, mass_g) for mass_g in MASS_BRACKET_G)
    if not thinnest_mm <= wall_mm <= thickest_mm:
        raise ConfigurationError(
            f"a wall of {wall_mm:g} mm fits no heart of {edv_ml:g} mL; expected "
            f"{thinnest_mm:.1f} to {thickest_mm:.1f} mm"
        )
    return float(
        brentq(lambda mass_g: _equatorial_wall_mm(edv_ml, mass_g) - wall_mm, *MASS_BRACKET_G)
    )


def _equatorial_wall_mm(edv_ml: float, mass_g: float) -> float:
    half_axis_mm = float(LENGTH_OVER_CUBE_ROOT * np.cbrt(edv_ml * 1000)) / (1 + TRUNCATION)
    cut_mm = TRUNCATION * half_axis_mm
    wall_ml = mass_g / MYOCARDIUM_G_PER_ML
    outer_mm = _radius_of_volume_mm(edv_ml + wall_ml, half_axis_mm, cut_mm)
    apical_mm = APICAL_WALL_SHARE * (outer_mm - _radius_of_volume_mm(edv_ml, half_axis_mm, cut_mm))
    return outer_mm - _radius_of_volume_mm(edv_ml, half_axis_mm - apical_mm, cut_mm)
