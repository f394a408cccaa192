"""The map of a whole series: its method by what it calls itself, every slice by its own times."""

from dataclasses import dataclass

import numpy as np

from opencmr.anatomy.map_kinds import MapKind
from opencmr.imaging.flag import About, QualityFlag, Severity
from opencmr.imaging.relaxation import RelaxationSeries
from opencmr.measure.relaxometry.method import Method, is_magnitude, map_of, scheme_named
from opencmr.measure.relaxometry.motion import (
    LARGE_MM,
    REACH_MM,
    Motion,
    laid_back,
    motion_between,
    still,
)
from opencmr.measure.relaxometry.relaxation_map import RelaxationMap

MIDDLE_SHARE = 0.4
"""Of rows and columns: where a map's heart is taken to lie as long as nobody says so; more of the
picture is chest, which breathing does not carry along (proposal)."""


@dataclass(frozen=True, slots=True, eq=False)
class SeriesMotion:
    """What was taken back of the motion between the pictures of a series.

    Attributes
    ----------
    slices : tuple of Motion
    spacing_mm : (down, right) or None
        Of the pixels; None where the source states none.
    """

    slices: tuple[Motion, ...]
    spacing_mm: tuple[float, float] | None

    @property
    def shifts_px(self) -> np.ndarray:
        """Of each picture ``(N, Z, 2)``, down and right."""
        return np.stack([one.shifts_px for one in self.slices], axis=1)

    @property
    def moved(self) -> int:
        """How many pictures were moved."""
        return int(self.shifts_px.any(-1).sum())

    @property
    def greatest(self) -> float:
        """Length of the greatest shift: in mm, in pixels where their spacing is not known."""
        lengths = np.linalg.norm(self.shifts_px * (self.spacing_mm or (1.0, 1.0)), axis=-1)
        return float(lengths.max())

    @property
    def misfit(self) -> tuple[float, float] | None:
        """Root mean square that the curve leaves in the moved slices, before and after."""
        pairs = [one.misfit for one in self.slices if one.moved]
        if not pairs:
            return None
        before, after = np.sqrt((np.array(pairs) ** 2).mean(0))
        return float(before), float(after)

    @property
    def sentence(self) -> str:
        """What was done, for the record; empty where nothing was."""
        if self.misfit is None:
            return ""
        before, after = self.misfit
        unit = "pixels" if self.spacing_mm is None else "mm"
        return (
            f"{self.moved} of {self.shifts_px[..., 0].size} pictures shifted by up to "
            f"{self.greatest:.1f} {unit}: misfit {before:.3g} before, {after:.3g} after"
        )

    def flags(self, about: About) -> tuple[QualityFlag, ...]:
        """Return that a shift is so large that the map is doubtful."""
        if self.spacing_mm is None or self.greatest <= LARGE_MM:
            return ()
        return (
            QualityFlag(
                Severity.REVIEW,
                "MOVED_PICTURES",
                f"Pictures of one map lie up to {self.greatest:.0f} mm apart in the plane. They "
                "were laid on one another, but a heart that moves so far hardly stays in its "
                "plane: the map is doubtful.",
                about=about,
            ),
        )


@dataclass(frozen=True, slots=True, eq=False)
class SeriesMap:
    """The map of a series and how it came about.

    Attributes
    ----------
    found : RelaxationMap
        ``(Z, Y, X)``.
    magnitude : bool
        The pictures were taken for magnitudes.
    motion : SeriesMotion
    """

    found: RelaxationMap
    magnitude: bool
    motion: SeriesMotion


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


def map_of_series(
    series: RelaxationSeries,
    method: Method,
    *,
    heart: np.ndarray | None = None,
    corrects_motion: bool = True,
) -> SeriesMap:
    """Return the map of a series, its pictures laid on one another where they moved.

    Parameters
    ----------
    series : RelaxationSeries
    method : Method
    heart : (Z, Y, X) bool or None
        Where it lies; a slice without any, and None, take the middle of the picture.
    corrects_motion : bool

    Raises
    ------
    InputError
        When the pictures are too few for the method.
    """
    values, times_ms = series.image.values, series.along.times_ms
    grid = series.image.grid
    magnitude = is_magnitude(values)
    spacing_mm = (grid.row_spacing_mm, grid.column_spacing_mm)
    slices, motions = [], []
    for z in range(values.shape[1]):
        pictures, motion = values[:, z], still(len(values))
        method.require_pictures(len(pictures), magnitude=magnitude)
        if corrects_motion:
            here = None if heart is None or not heart[z].any() else heart[z]
            motion = motion_between(
                pictures,
                times_ms[:, z],
                method,
                magnitude=magnitude,
                region=middle_of(grid.shape[1:]) if here is None else here,
                reach_px=(REACH_MM / spacing_mm[0], REACH_MM / spacing_mm[1]),
            )
        if motion.moved:
            pictures = laid_back(pictures, motion.shifts_px)
        slices.append(map_of(pictures, times_ms[:, z], method, magnitude=magnitude))
        motions.append(motion)
    parts = (np.stack([getattr(one, name) for one in slices]) for name in RelaxationMap.__slots__)
    known_mm = spacing_mm if series.has_geometry else None
    return SeriesMap(RelaxationMap(*parts), magnitude, SeriesMotion(tuple(motions), known_mm))


def middle_of(shape: tuple[int, ...]) -> np.ndarray:
    """Return the middle of a picture ``(Y, X) bool``."""
    middle = np.zeros(shape, dtype=bool)
    middle[
        tuple(
            slice(round(size * (1 - MIDDLE_SHARE) / 2), round(size * (1 + MIDDLE_SHARE) / 2))
            for size in shape
        )
    ] = True
    return middle
