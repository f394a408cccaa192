"""The times of a series of pictures: what a sidecar states, and whether it can be meant."""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from opencmr.anatomy.map_kinds import MapKind
from opencmr.errors import InputError
from opencmr.imaging.axis import Echo, Preparation, PreparationKind

SIDECAR_BYTES = 1 << 20
"""A sidecar of BIDS has some kilobytes."""
EQUAL_MS = 0.01
"""Times closer than this are one time twice."""
SHOWN_KEYS = 8
"""So many unknown keys are named."""
_SECONDS_MS = 1000.0


@dataclass(frozen=True, slots=True)
class TimeKey:
    """A key of a sidecar whose list holds the time of each picture.

    Attributes
    ----------
    name : str
    what : str
        What the times are, in words.
    unit_ms : float
    kinds : frozenset of MapKind
        The maps that are made from them.
    """

    name: str
    what: str
    unit_ms: float
    kinds: frozenset[MapKind]


_T1 = frozenset({MapKind.T1})
_T2 = frozenset({MapKind.T2})
_DECAYS = frozenset({MapKind.T2, MapKind.T2_STAR})
T2_PREPARATION = "T2 preparation"
TIME_KEYS = (
    TimeKey("InversionTime", "inversion time", _SECONDS_MS, _T1),
    TimeKey("inversion_times_ms", "inversion time", 1.0, _T1),
    TimeKey("t2prep_ms", T2_PREPARATION, 1.0, _T2),
    TimeKey("EchoTime", "echo time", _SECONDS_MS, _DECAYS),
    TimeKey("echo_times_ms", "echo time", 1.0, _DECAYS),
)
"""Those of BIDS are in seconds (BIDS 1.9, MRI metadata); a preparation goes before echo times."""
OTHER_KEYS = frozenset({"scheme", "fit_parameters"})
SPANS_MS = {
    "inversion time": (20.0, 30_000.0),
    T2_PREPARATION: (5.0, 2000.0),
    "echo time": (2.0, 2000.0),
}
"""The longest time of a series lies between; below, seconds were taken for milliseconds, above,
milliseconds for seconds."""
EXAMPLES = {
    MapKind.T1: '{"inversion_times_ms": [100, 180, 1100, ...], "scheme": "MOLLI"}',
    MapKind.T2: '{"t2prep_ms": [0, 25, 55]} or {"echo_times_ms": [10, 20, 30, ...]}',
    MapKind.T2_STAR: '{"echo_times_ms": [1.3, 3.5, 5.7, ...]}',
}


@dataclass(frozen=True, slots=True, eq=False)
class StatedTimes:
    """What a sidecar says.

    Attributes
    ----------
    times_ms : (N,)
        Infinite for a picture without preparation.
    what : str
        What they are, in words.
    scheme : str
        Empty where none is named.
    parameters : int or None
    unknown : tuple of str
        Keys that mean nothing here.
    """

    times_ms: np.ndarray
    what: str
    scheme: str
    parameters: int | None
    unknown: tuple[str, ...]


def read_times(path: Path, kind: MapKind, pictures: int) -> StatedTimes:
    """Read the sidecar of a NIfTI file.

    Parameters
    ----------
    path : Path
        The JSON file.
    kind : MapKind
    pictures : int
        How many times it must state.

    Raises
    ------
    InputError
        When it is missing, is no such sidecar, or states times that cannot be meant; the message
        says what to write.
    """
    stated = _read_object(path, kind)
    found = [key for key in TIME_KEYS if kind in key.kinds and _is_list(stated.get(key.name))]
    if not found:
        raise InputError(
            f"{path.name} holds no list of times for a {kind.value} map; write {EXAMPLES[kind]}, "
            "one time for each picture in their order"
        )
    scheme = stated.get("scheme", "")
    if not isinstance(scheme, str):
        raise InputError(f"the scheme in {path.name} must be a text such as MOLLI")
    saturates = scheme.strip().lower().startswith("sasha")
    first = found[0]
    times_ms = _times_of(stated[first.name], first, may_be_null=saturates)
    for other in found[1:]:
        if other.what == first.what:
            again_ms = _times_of(stated[other.name], other, may_be_null=saturates)
            if len(again_ms) != len(times_ms) or _differ(times_ms, again_ms):
                raise InputError(
                    f"{first.name} and {other.name} state different times; keep one of them"
                )
    if len(times_ms) != pictures:
        raise InputError(
            f"{first.name} holds {len(times_ms)} times, the image {pictures} pictures; expected "
            "one time for each picture in their order"
        )
    refuse_impossible(times_ms, first.what)
    parameters = stated.get("fit_parameters")
    if parameters not in (None, 2, 3) or isinstance(parameters, bool):
        raise InputError("fit_parameters must be 2 or 3")
    known = OTHER_KEYS | {key.name for key in TIME_KEYS}
    unknown = tuple(sorted(key for key in stated if key not in known))
    return StatedTimes(times_ms, first.what, scheme, parameters, unknown)


def refuse_impossible(times_ms: np.ndarray, what: str) -> None:
    """Refuse times ``(N,)`` of the pictures of one slice that cannot be meant.

    Repeats of one preparation are measured twice on purpose; repeats of an inversion or an echo
    are two acquisitions mixed.

    Raises
    ------
    InputError
        Names the time that is wrong.
    """
    finite_ms = np.sort(times_ms[np.isfinite(times_ms)])
    if not finite_ms.size:
        raise InputError(f"no picture has an {what}")
    if finite_ms[0] < 0:
        raise InputError(f"the {what} {finite_ms[0]:g} ms is negative; a time counts from 0")
    low_ms, high_ms = SPANS_MS[what]
    if finite_ms[-1] < low_ms:
        raise InputError(
            f"the longest {what} is {finite_ms[-1]:g} ms, which looks like seconds given as "
            "milliseconds; give milliseconds"
        )
    if finite_ms[-1] > high_ms:
        raise InputError(
            f"the longest {what} is {finite_ms[-1] / _SECONDS_MS:g} s, which looks like "
            "milliseconds given as seconds; the keys of BIDS are in seconds"
        )
    twice = np.flatnonzero(np.diff(finite_ms) < EQUAL_MS)
    twice_without = np.count_nonzero(~np.isfinite(times_ms)) > 1
    if what != T2_PREPARATION and (twice.size or twice_without):
        doubled = f"{finite_ms[twice[0]]:g} ms" if twice.size else "without end"
        raise InputError(
            f"the {what} {doubled} is there twice; expected one picture at each: is one of two "
            "acquisitions mixed in, or a time wrong?"
        )
    if finite_ms[-1] - finite_ms[0] < EQUAL_MS:
        raise InputError(f"every picture has the {what} {finite_ms[0]:g} ms: nothing to fit")


def axis_of(times_ms: np.ndarray, what: str, *, saturates: bool) -> Preparation | Echo:
    """Return the axis of pictures at the times ``(N, Z)``; no heartbeat is known of them."""
    trigger_ms, rr_ms = np.full(times_ms.shape, np.nan), np.full(times_ms.shape[1], np.nan)
    if what == "echo time":
        return Echo(times_ms, trigger_ms, rr_ms)
    prepared = PreparationKind.SATURATION if saturates else PreparationKind.INVERSION
    if what == T2_PREPARATION:
        prepared = PreparationKind.T2_PREPARATION
    return Preparation(prepared, times_ms, trigger_ms, rr_ms)


def unknown_keys(keys: Sequence[str]) -> str:
    """Return a remark on keys that were not used."""
    more = f" and {len(keys) - SHOWN_KEYS} more" if len(keys) > SHOWN_KEYS else ""
    return f"keys of the sidecar that were not used: {', '.join(keys[:SHOWN_KEYS])}{more}"


def _read_object(path: Path, kind: MapKind) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            content = file.read(SIDECAR_BYTES + 1)
    except OSError:
        raise InputError(
            f"the sidecar {path.name} beside the image is missing, and with it the times; write "
            f"{EXAMPLES[kind]} into it, one time for each picture in their order"
        ) from None
    try:
        stated = json.loads(content) if len(content) <= SIDECAR_BYTES else None
    except (ValueError, RecursionError):
        stated = None
    if not isinstance(stated, dict):
        raise InputError(f"the sidecar {path.name} is no JSON object; write {EXAMPLES[kind]}")
    return stated


def _is_list(value: object) -> bool:
    """Whether a value states a time for each picture; one number alone is of all of them."""
    return isinstance(value, list)


def _times_of(values: Sequence[Any], key: TimeKey, *, may_be_null: bool) -> np.ndarray:
    times_ms = []
    for value in values:
        if value is None and may_be_null:
            times_ms.append(math.inf)
            continue
        if isinstance(value, bool) or not isinstance(value, int | float) or math.isnan(value):
            raise InputError(f"{key.name} must hold numbers alone, one for each picture")
        if math.isinf(value) and not (may_be_null and value > 0):
            raise InputError(f"{key.name} holds a time without end; expected a number")
        times_ms.append(float(value) * key.unit_ms)
    return np.array(times_ms)


def _differ(one_ms: np.ndarray, other_ms: np.ndarray) -> bool:
    return not np.allclose(one_ms, other_ms, atol=EQUAL_MS, rtol=1e-6)
