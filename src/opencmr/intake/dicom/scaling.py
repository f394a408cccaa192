"""From stored to real values: which of the scalings in a header holds.

DV = PV x RS + RI is the standard's rescaling.  Philips scanners add a private scale: the
floating value FP = DV / (RS x SS) is comparable between slices whose RS differ, DV is not
(Chenevert et al., Transl Oncol 2014;7:65, PMC3998685).  On a map of relaxation times DV is
already in the map's unit, and every other scaling must say the same.
"""

import re
from dataclasses import dataclass

MAP_WORD = re.compile(r"(T1|T2|T2\*|T2[_ ]?STAR|R1|R2|R2\*|ECV)([_ ]?MAP.*)?")
"""Words of ImageType that make a picture a map of relaxation."""
TIME_UNITS = frozenset({"ms", "s", "msec"})
SLOPE_LIMITS = (1e-9, 1e9)
"""Slopes outside are none that a scanner writes (proposal; Philips' reach from 1e-5 to 1e5)."""
RESOLVED = 1 << 24
"""Whole numbers up to this are told apart by a float32; beyond, an intercept drowns the pixels."""
AGREEMENT = 1e-3
"""Relative: two scalings of a map that differ by less say the same (1 ms in 1000 ms)."""


@dataclass(frozen=True, slots=True)
class Linear:
    """``slope`` x stored + ``intercept``."""

    slope: float
    intercept: float

    def at(self, stored: float) -> float:
        """Return the value of one stored number."""
        return self.slope * stored + self.intercept


@dataclass(frozen=True, slots=True)
class Scalings:
    """The scalings that one frame's header states; None where it is silent.

    Attributes
    ----------
    rescale : Linear or None
        (0028,1053) and (0028,1052).
    philips : (SS, SI) or None
        (2005,100E) and (2005,100D).
    real_world : Linear or None
        The first linear real world value mapping.
    rescale_type, real_world_unit : str
    image_type : tuple of str
    """

    rescale: Linear | None = None
    philips: tuple[float, float] | None = None
    real_world: Linear | None = None
    rescale_type: str = ""
    real_world_unit: str = ""
    image_type: tuple[str, ...] = ()

    @property
    def is_relaxation_map(self) -> bool:
        """Whether the values are relaxation times or rates, or an extracellular volume."""
        words = (word.upper() for word in self.image_type)
        units = {self.rescale_type.lower(), self.real_world_unit.lower()}
        return any(MAP_WORD.fullmatch(word) for word in words) or bool(units & TIME_UNITS)

    @property
    def has_quantity(self) -> bool:
        """Whether the rescaled values claim a unit of their own."""
        return self.rescale_type.lower() not in ("", "us", "normalized")

    @property
    def floating(self) -> Linear | None:
        """Philips' floating value as a function of the stored one."""
        if self.philips is None or self.philips[0] == 0:
            return None
        scale_slope, scale_intercept = self.philips
        if self.rescale is None or self.rescale.slope == 0:
            return Linear(1 / scale_slope, -scale_intercept / scale_slope)
        return Linear(1 / scale_slope, self.rescale.intercept / (self.rescale.slope * scale_slope))


def choose_scaling(scalings: Scalings) -> tuple[Linear, str]:
    """Return the scaling that holds and its name.

    Examples
    --------
    >>> choose_scaling(Scalings(rescale=Linear(2.0, -5.0)))
    (Linear(slope=2.0, intercept=-5.0), 'rescale')
    >>> choose_scaling(Scalings(rescale=Linear(2.0, 0.0), philips=(4.0, 0.0)))
    (Linear(slope=0.25, intercept=0.0), 'philips')
    """
    display = scalings.rescale or Linear(1.0, 0.0)
    name = "stored" if scalings.rescale is None else "rescale"
    if scalings.is_relaxation_map:
        if scalings.rescale is None and scalings.real_world is not None:
            return scalings.real_world, "real world"
        return display, name
    if scalings.floating is not None and not scalings.has_quantity:
        return scalings.floating, "philips"
    return display, name


def doubt_about(linear: Linear, *, may_mirror: bool = False) -> str:
    """Return why a scaling cannot be meant, or nothing.

    A picture whose bright is dark is none that a network was trained on; a velocity, or a
    picture that is shown inverted (``may_mirror``), may have a negative slope.  A slope of zero
    leaves no signal and is judged there.

    Examples
    --------
    >>> doubt_about(Linear(-1.0, 4095.0))
    'The slope of the scaling is negative: bright would be dark.'
    >>> doubt_about(Linear(0.25, -1024.0))
    ''
    """
    size = abs(linear.slope)
    if linear.slope < 0 and not may_mirror:
        return "The slope of the scaling is negative: bright would be dark."
    if size and not SLOPE_LIMITS[0] <= size <= SLOPE_LIMITS[1]:
        return "The slope of the scaling is beyond reason."
    if size and not abs(linear.intercept) <= RESOLVED * size:
        return "The intercept of the scaling is beyond reason: the pixels drown in it."
    return ""


def scalings_conflict(scalings: Scalings, low: float, high: float) -> bool:
    """Return whether a relaxation map's scalings disagree between two stored values.

    Pictures that are no such map have no unit to disagree about.
    """
    if not scalings.is_relaxation_map:
        return False
    chosen, _ = choose_scaling(scalings)
    others = [one for one in (scalings.floating, scalings.real_world) if one is not None]
    size = max(abs(chosen.at(low)), abs(chosen.at(high)))
    return any(
        abs(other.at(stored) - chosen.at(stored)) > AGREEMENT * size
        for other in others
        for stored in (low, high)
    )
