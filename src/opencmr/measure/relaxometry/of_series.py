"""The map of a whole series: its method by what it calls itself, every slice by its own times."""

import numpy as np

from opencmr.imaging.relaxation import MapKind, RelaxationSeries
from opencmr.measure.relaxometry.method import Method, is_magnitude, map_of, scheme_named
from opencmr.measure.relaxometry.relaxation_map import RelaxationMap


def method_of(series: RelaxationSeries, kind: MapKind) -> Method:
    """Return the method that the source or the caller names.

    Raises
    ------
    ConfigurationError
        When the scheme is unknown or does not fit the map.
    """
    if not series.scheme:
        return Method(kind, parameters=series.parameters)
    named, pictures = scheme_named(series.scheme)
    return Method(kind, named, series.parameters, pictures)


def map_of_series(series: RelaxationSeries, method: Method) -> tuple[RelaxationMap, bool]:
    """Return the map ``(Z, Y, X)``, and whether the pictures were taken for magnitudes.

    Raises
    ------
    InputError
        When the pictures are too few for the method.
    """
    values, times_ms = series.image.values, series.along.times_ms
    magnitude = is_magnitude(values)
    slices = [
        map_of(values[:, z], times_ms[:, z], method, magnitude=magnitude)
        for z in range(values.shape[1])
    ]
    parts = (np.stack([getattr(one, name) for one in slices]) for name in RelaxationMap.__slots__)
    return RelaxationMap(*parts), magnitude
