"""Which curve a series of pictures is fitted with, and the map of a whole picture by it."""

import re
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from opencmr.anatomy.map_kinds import MapKind
from opencmr.errors import ConfigurationError, InputError
from opencmr.measure.relaxometry.decay import T2_LIMITS_MS, exponential_decay, truncated_decay
from opencmr.measure.relaxometry.exponential import Curve
from opencmr.measure.relaxometry.recovery import (
    SHMOLLI_PICTURES,
    T1_LIMITS_MS,
    t1_inversion_recovery,
    t1_saturation_recovery,
    t1_shmolli,
)
from opencmr.measure.relaxometry.relaxation_map import RelaxationMap

SIGNED_SHARE = 0.01
"""Of all values by size, so many must be below zero in signed pictures; an interpolation of
magnitudes leaves less (proposal)."""


class Scheme(StrEnum):
    """How the pictures of a series follow one another."""

    THREE_PARAMETERS = "three parameters"
    """Nothing is said: Look-Locker's correction, which changes nothing after a full inversion
    whose recovery nothing drives."""
    MOLLI = "MOLLI"
    SHMOLLI = "ShMOLLI"
    SASHA = "SASHA"
    IR = "IR"


@dataclass(frozen=True, slots=True)
class Method:
    """What is fitted to the pictures.

    Attributes
    ----------
    kind : MapKind
    scheme : Scheme
        Of T1; the others have none.
    parameters : int or None
        2 or 3 where someone chose; None for the method's own.
    pictures : int or None
        How many pictures a named scheme has (5(3)3: 8); None where it names none.

    Raises
    ------
    ConfigurationError
        When the parts do not fit together.
    """

    kind: MapKind
    scheme: Scheme = Scheme.THREE_PARAMETERS
    parameters: int | None = None
    pictures: int | None = None

    def __post_init__(self) -> None:
        if self.parameters not in (None, 2, 3):
            raise ConfigurationError(f"a fit has 2 or 3 parameters, found {self.parameters}")
        if self.kind is not MapKind.T1 and self.scheme is not Scheme.THREE_PARAMETERS:
            raise ConfigurationError(
                f"the scheme {self.scheme.value} is one of T1, and the map asked for is "
                f"{self.kind.value}; name no scheme, or ask for --kind t1"
            )
        if self.parameters == 2 and self.kind is MapKind.T1 and self.scheme is not Scheme.SASHA:
            raise ConfigurationError(
                "two parameters fit a saturation recovery alone; an inversion recovery needs three"
            )

    @property
    def fitted_parameters(self) -> int:
        """How many parameters the curve has."""
        if self.parameters is not None:
            return self.parameters
        return 3 if self.kind is MapKind.T1 else 2

    @property
    def restores_polarity(self) -> bool:
        """Whether magnitudes are signed before the fit."""
        return self.kind is MapKind.T1 and self.scheme is not Scheme.SASHA

    @property
    def corrects_look_locker(self) -> bool:
        """Whether T1 is T1* (B/A - 1)."""
        return self.restores_polarity and self.scheme is not Scheme.IR

    @property
    def truncates(self) -> bool:
        """Whether late echoes in the noise are left out."""
        return self.kind is MapKind.T2_STAR and self.parameters != 3

    @property
    def function(self) -> Curve:
        """The function of time that is fitted to every picture."""
        if self.fitted_parameters == 3:
            return Curve.OFFSET
        return Curve.SATURATION if self.kind is MapKind.T1 else Curve.DECAY

    @property
    def limits_ms(self) -> tuple[float, float]:
        """Between which times the fit looks."""
        return T1_LIMITS_MS if self.kind is MapKind.T1 else T2_LIMITS_MS

    @property
    def curve(self) -> str:
        """The curve in words, for the record."""
        if self.kind is not MapKind.T1:
            offset = " + C" if self.fitted_parameters == 3 else ""
            late = ", late echoes in the noise left out" if self.truncates else ""
            return f"S = M exp(-t/T){offset}{late}"
        if self.fitted_parameters == 2:
            return "S = A (1 - exp(-t/T1))"
        if not self.corrects_look_locker:
            return "S = A - B exp(-t/T1)"
        chosen = ", of 5, 6 or 7 pictures" if self.scheme is Scheme.SHMOLLI else ""
        return f"S = A - B exp(-t/T1*), T1 = T1* (B/A - 1){chosen}"

    def require_pictures(self, count: int, *, magnitude: bool) -> None:
        """Refuse a series of too few pictures, or of another number than its scheme has.

        Raises
        ------
        InputError
            Says how many are needed.
        """
        least = self.fitted_parameters + (magnitude and self.restores_polarity)
        if self.pictures is not None and count != self.pictures:
            raise InputError(
                f"the scheme names {self.pictures} pictures, the series has {count}: one is "
                "missing or too many"
            )
        if self.scheme is Scheme.SHMOLLI and count != SHMOLLI_PICTURES:
            raise InputError(
                f"ShMOLLI has {SHMOLLI_PICTURES} pictures (5 + 1 + 1), the series has {count}"
            )
        if count < least:
            raise InputError(
                f"{count} pictures are too few for a map: {self.fitted_parameters} parameters of "
                f"{'magnitudes' if magnitude else 'signals'} need {least} or more"
            )


def scheme_named(text: str) -> tuple[Scheme, int | None]:
    """Return the scheme that a text names, and its number of pictures where counts stand in it.

    Pictures are counted, pauses in brackets are not.

    Examples
    --------
    >>> scheme_named("MOLLI 5(3)3")[1], scheme_named("molli 4(1)3(1)2")[1]
    (8, 9)
    >>> scheme_named("ShMOLLI")
    (<Scheme.SHMOLLI: 'ShMOLLI'>, None)

    Raises
    ------
    ConfigurationError
        When it is none of the schemes.
    """
    found = re.fullmatch(
        r"\s*(shmolli|molli|sasha|ir)(?![a-z])[\s:_-]*([\d()sb\s+,-]*)", text.lower()
    )
    if found is None:
        names = ", ".join(one.value for one in Scheme if one is not Scheme.THREE_PARAMETERS)
        raise ConfigurationError(
            f"the scheme {text!r} is unknown; expected one of {names}, with counts such as "
            "MOLLI 5(3)3 or without, or none for a fit of three parameters"
        )
    scheme = next(one for one in Scheme if one.value.lower() == found[1])
    counts = [int(one) for one in re.findall(r"\d+", re.sub(r"\(.*?\)", " ", found[2]))]
    return scheme, sum(counts) or None


def is_magnitude(values: np.ndarray) -> bool:
    """Return whether pictures hold magnitudes, whose sign is lost, and no signed signals.

    Examples
    --------
    >>> is_magnitude(np.array([3.0, 1.0, 5.0])), is_magnitude(np.array([-3.0, 1.0, 5.0]))
    (True, False)
    """
    finite = values[np.isfinite(values)]
    below = -finite[finite < 0].sum(dtype=np.float64)
    return bool(below <= SIGNED_SHARE * np.abs(finite).sum(dtype=np.float64))


def map_of(
    values: np.ndarray, times_ms: np.ndarray, method: Method, *, magnitude: bool
) -> RelaxationMap:
    """Return the map of one slice.

    Parameters
    ----------
    values : (N, Y, X)
        In any order.
    times_ms : (N,)
        Of each picture; infinite for one without preparation.
    method : Method
    magnitude : bool

    Raises
    ------
    InputError
        When the pictures are too few for the method.
    """
    method.require_pictures(len(values), magnitude=magnitude)
    order = np.argsort(times_ms, kind="stable")
    signals = np.asarray(values, dtype=np.float64)[order].reshape(len(order), -1)
    times_ms = np.asarray(times_ms, dtype=np.float64)[order]
    restored = magnitude and method.restores_polarity
    if method.scheme is Scheme.SHMOLLI:
        found = t1_shmolli(signals, times_ms, magnitude=restored)
    elif method.scheme is Scheme.SASHA:
        found = t1_saturation_recovery(signals, times_ms, parameters=method.fitted_parameters)
    elif method.kind is MapKind.T1:
        found = t1_inversion_recovery(
            signals, times_ms, look_locker=method.corrects_look_locker, magnitude=restored
        )
    elif method.truncates:
        found = truncated_decay(signals, times_ms)
    else:
        found = exponential_decay(signals, times_ms, parameters=method.fitted_parameters)
    return found.reshaped(values.shape[1:])
