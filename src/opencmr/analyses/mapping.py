"""Tissue mapping: T1, T2 and T2* of every pixel, and of the myocardium where it is known."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.ndimage import distance_transform_edt

from opencmr.analyses.analysis import Analysis, Earlier, Parts, flags_of
from opencmr.analyses.cine_contours import CineContours
from opencmr.analyses.function import NAME as FUNCTION
from opencmr.anatomy.map_kinds import MapKind
from opencmr.anatomy.reasons import Reason
from opencmr.anatomy.techniques import Technique
from opencmr.errors import ConfigurationError, InputError
from opencmr.geometry.grid import Grid
from opencmr.imaging.axis import Echo, Preparation, PreparationKind
from opencmr.imaging.flag import About, QualityFlag, Severity
from opencmr.imaging.image import Unit
from opencmr.imaging.measurement import Measurement
from opencmr.imaging.measurements import Measurements
from opencmr.imaging.reading import Reading
from opencmr.imaging.relaxation import RelaxationSeries, TimeMap
from opencmr.imaging.study import Series, Study
from opencmr.intake.relaxation_series import scheme_words
from opencmr.intake.relaxation_times import T2_PREPARATION, refuse_impossible
from opencmr.measure.relaxometry.extracellular import (
    ECV_QUANTITIES,
    SYNTHETIC_FIELD_T,
    T1OfRegions,
    measure_ecv,
    synthetic_haematocrit,
)
from opencmr.measure.relaxometry.in_wall import (
    blood_time_ms,
    iron_mark_ms,
    measure_in_wall,
    null,
    quantities_of,
)
from opencmr.measure.relaxometry.of_series import map_of_series, method_of
from opencmr.measure.ventricles import Unmeasurable
from opencmr.measure.wall.carried import PARALLEL_DEG, Carried
from opencmr.measure.wall.profile import WallProfile
from opencmr.models.session import Networks
from opencmr.sort.roles import MAPS, is_finished_map

NAME = "tissue mapping"
KINDS = {
    Technique.T1_MAPPING: MapKind.T1,
    Technique.T2_MAPPING: MapKind.T2,
    Technique.T2_STAR_MAPPING: MapKind.T2_STAR,
}
T1_GREATEST_MS = (500.0, 5000.0)
"""Where the 99th percentile of a T1 map of a chest in ms lies: blood has 1500 to 2000, water 4000;
in seconds it is 2, in tenths of ms 15,000 or more (proposal)."""
ONE_MOMENT_SHARE = 0.3
"""Of the heartbeat: pictures whose trigger times span more show different moments: a scout of
inversion times, not a map (proposal)."""
ABOUT_HEART_MM = 10.0
"""What is nearer to the heart is registered with it: its outline is the clearest edge that it has
(proposal)."""
SAME_SLICE_MM = 5.0
"""Maps before and after contrast whose planes lie further apart show other muscle (proposal)."""
OF_PICTURES = frozenset(
    {"MISSING_FRAMES", "REPEATED_SLICE", "SATURATED", "LOSSY", "SCALING_CONFLICT", "BAD_SCALING"}
)
"""What was found wrong with a stack that matters to its map, too."""


def read(parts: Parts, earlier: Earlier, networks: Networks) -> Reading:
    """Give a map of every mapping series, and measure it where the cine says where the wall is."""
    maps: dict[str, TimeMap] = {}
    measurements: list[Measurement] = []
    flags: list[QualityFlag] = []
    cine = CineContours(parts.study, earlier)
    t1_maps: list[_T1Map] = []
    for series in parts.series.values():
        with parts.clock("map"):
            kind, after = kind_of(series), bool(series.header.contrast_agent)
            wall = _wall_of(cine, series)
            try:
                found, moved = _map_of(series, kind, wall, after_contrast=after)
            except (InputError, ConfigurationError, Unmeasurable) as refused:
                reason = _reason_of(refused)
                mean = quantities_of(kind, after_contrast=after).mean
                measurements.append(null(mean, series.key, reason))
                flags.append(_not_mapped(series, kind, reason))
                continue
        with parts.clock("measure"):
            wanted = quantities_of(kind, after_contrast=after).all
            if isinstance(wall, Reason):
                of_map = tuple(null(one, series.key, wall) for one in wanted)
            else:
                carried, profile = wall
                found = replace(found, wall=carried.segmentation)
                try:
                    of_map = measure_in_wall(found, carried, profile, series.key)
                    if kind is MapKind.T1:
                        blood_ms = _blood_ms(found, carried)
                        scheme = scheme_words(series.header).lower()
                        t1_maps.append(_T1Map(found, blood_ms, of_map, scheme))
                except Unmeasurable as unfit:
                    of_map = tuple(null(one, series.key, unfit.reason) for one in wanted)
        maps[series.key] = found
        measurements += of_map
        flags += [*_of_map(series), *moved, *_iron(parts.study, series, kind, of_map)]
    spaces, remarks = _extracellular(t1_maps, parts.study)
    measurements += spaces
    flags += remarks
    return Reading(measurements=Measurements(tuple(measurements)), flags=tuple(flags), maps=maps)


TISSUE_MAPPING = Analysis(NAME, (MAPS,), read, after=(FUNCTION,))


@dataclass(frozen=True, slots=True, eq=False)
class _T1Map:
    """A T1 map with what was measured in it."""

    found: TimeMap
    blood_ms: float | None
    measured: tuple[Measurement, ...]
    scheme: str
    """Of its pulses, in small letters; empty where no word of the header names it."""

    @property
    def series(self) -> str:
        return self.measured[0].series

    @property
    def regions(self) -> T1OfRegions | Reason:
        if self.blood_ms is None:
            return Reason("THIN_WALL", f"too little of the cavity is seen in {self.series}")
        wanted = quantities_of(MapKind.T1, after_contrast=self.found.after_contrast)
        whole = {one.quantity: one.value for one in self.measured if one.segment is None}
        segments = {one.segment: one.value for one in self.measured}
        return T1OfRegions(
            self.series,
            self.blood_ms,
            whole[wanted.mean],
            whole[wanted.septum],
            {n: value for n, value in segments.items() if n is not None and value is not None},
        )

    def lies_at(self, other: Grid) -> bool:
        """Whether it has as many slices, each at the place of the other's."""
        own = self.found.grid
        if own.shape[0] != other.shape[0]:
            return False
        normals = own.affines[:, :3, 2], other.affines[:, :3, 2]
        parallel = np.abs((normals[0] * normals[1]).sum(1)) > np.cos(np.radians(PARALLEL_DEG))
        apart_mm = ((_middles_mm(own) - _middles_mm(other)) * normals[0]).sum(1)
        return bool((parallel & (np.abs(apart_mm) < SAME_SLICE_MM)).all())


def _wall_of(cine: CineContours, series: Series) -> tuple[Carried, WallProfile] | Reason:
    try:
        return cine.carried(series)
    except Unmeasurable as unfit:
        return unfit.reason


def _blood_ms(found: TimeMap, carried: Carried) -> float | None:
    try:
        return blood_time_ms(found, carried)
    except Unmeasurable:
        return None


def _middles_mm(grid: Grid) -> np.ndarray:
    rows, columns = grid.shape[1:]
    return np.array(
        [grid.position_mm(z, (rows - 1) / 2, (columns - 1) / 2) for z in range(grid.shape[0])]
    )


def _extracellular(
    t1_maps: Sequence[_T1Map], study: Study
) -> tuple[list[Measurement], list[QualityFlag]]:
    """Return the extracellular volume at every map after contrast; of a study without one, none."""
    found: list[Measurement] = []
    flags: list[QualityFlag] = []
    for post in (one for one in t1_maps if one.found.after_contrast):
        native = next(
            (
                one
                for one in t1_maps
                if not one.found.after_contrast and one.lies_at(post.found.grid)
            ),
            None,
        )
        if native is None:
            reason = Reason("NO_NATIVE_T1", "no T1 map before contrast lies at its slices")
            found += [null(one, post.series, reason) for one in ECV_QUANTITIES]
            continue
        spaces, remarks = _space_of(native, post, study)
        found += spaces
        flags += remarks
    return found, flags


def _space_of(
    native: _T1Map, post: _T1Map, study: Study
) -> tuple[tuple[Measurement, ...], tuple[QualityFlag, ...]]:
    """Return the extracellular volume of two maps of the same slices, and remarks."""

    def lacking(reason: Reason) -> tuple[tuple[Measurement, ...], tuple[QualityFlag, ...]]:
        return tuple(null(one, post.series, reason) for one in ECV_QUANTITIES), ()

    if isinstance(haematocrit := _haematocrit(native, study), Reason):
        return lacking(haematocrit)
    if isinstance(before := native.regions, Reason):
        return lacking(before)
    if isinstance(after := post.regions, Reason):
        return lacking(after)
    is_synthetic = study.demographics.haematocrit is None
    spaces = measure_ecv(before, after, haematocrit, is_synthetic=is_synthetic)
    return spaces, (_synthetic(haematocrit, post.series),) if is_synthetic else ()


def _haematocrit(native: _T1Map, study: Study) -> float | Reason:
    """Return the haematocrit: what is stated, else on request what T1 of blood goes with."""
    stated, field_t = study.demographics.haematocrit, study.scanner.field_strength_t
    if stated is not None:
        return stated
    if not study.demographics.may_use_synthetic_haematocrit:
        return Reason("NO_HAEMATOCRIT", "the haematocrit is not given")
    low_t, high_t = SYNTHETIC_FIELD_T
    if field_t is None or not low_t <= field_t <= high_t:
        where = "an unknown field strength" if field_t is None else f"{field_t:g} T"
        return Reason(
            "NO_HAEMATOCRIT", f"a synthetic haematocrit is known for 1.5 T alone, not for {where}"
        )
    if native.scheme not in ("", "molli"):
        return Reason(
            "NO_HAEMATOCRIT",
            f"a synthetic haematocrit is known for T1 by MOLLI alone, not by {native.scheme}",
        )
    found = None if native.blood_ms is None else synthetic_haematocrit(native.blood_ms)
    if found is None:
        return Reason("NO_HAEMATOCRIT", f"T1 of blood in {native.series} goes with none")
    return found


def _synthetic(haematocrit: float, series: str) -> QualityFlag:
    return QualityFlag(
        Severity.REVIEW,
        "SYNTHETIC_HAEMATOCRIT",
        f"The extracellular volume rests on a haematocrit of {haematocrit:.2f} that nobody "
        "measured: it was estimated from T1 of blood, as was asked for. It may be wrong by several "
        "points, and in children it hardly follows the measured one.",
        about=About(series, NAME, frozenset(one.symbol for one in ECV_QUANTITIES)),
    )


def kind_of(series: Series) -> MapKind:
    """Return what a mapping series is a map of.

    Echoes of spin echoes decay with T2, those of gradient echoes with T2*.
    """
    if isinstance(series.image.along, Echo):
        spin = "SE" in series.header.scanning_sequence
        gradient = "GR" in series.header.scanning_sequence
        if spin or (not gradient and series.sequence is Technique.T2_MAPPING):
            return MapKind.T2
        return MapKind.T2_STAR
    if isinstance(series.image.along, Preparation):
        prepared = series.image.along.kind is PreparationKind.T2_PREPARATION
        return MapKind.T2 if prepared else MapKind.T1
    return KINDS[series.sequence]


def _map_of(
    series: Series,
    kind: MapKind,
    wall: tuple[Carried, WallProfile] | Reason,
    *,
    after_contrast: bool,
) -> tuple[TimeMap, tuple[QualityFlag, ...]]:
    """Return the map of a series, the scanner's own as it is, pictures fitted; and its remarks."""
    grid = series.image.grid
    if is_finished_map(series):
        values_ms = _in_ms(series, kind)
        return TimeMap(kind, values_ms, grid, "the scanner's own map", after_contrast), ()
    pictures = _pictures_of(series, kind)
    method = method_of(pictures, kind)
    heart = None if isinstance(wall, Reason) else _heart_of(wall[0])
    mapped = map_of_series(pictures, method, heart=heart)
    named = f"{pictures.scheme}: " if pictures.scheme else ""
    made_by = f"{named}{len(series.image.values)} pictures, {method.curve}"
    if mapped.motion.sentence:
        made_by += f"; {mapped.motion.sentence}"
    found = TimeMap(kind, mapped.found.values_ms, grid, made_by, after_contrast)
    return found, mapped.motion.flags(About(series.key, NAME))


def _heart_of(carried: Carried) -> np.ndarray:
    """Return where the heart lies ``(Z, Y, X) bool``, with what lies close about it."""
    grid = carried.segmentation.grid
    labelled = carried.segmentation.labels[0].astype(bool)
    apart_mm = [
        distance_transform_edt(~one, sampling=(grid.row_spacing_mm, grid.column_spacing_mm))
        if one.any()
        else np.full(one.shape, np.inf)
        for one in labelled
    ]
    return np.asarray(np.stack(apart_mm) <= ABOUT_HEART_MM)


def _in_ms(series: Series, kind: MapKind) -> np.ndarray:
    """Return a scanner's map ``(Z, Y, X)`` in ms, NaN where it holds none.

    Where no unit is stated, a T1 map must have the values of one in ms; T2 and T2* maps may be
    in tenths of ms, which their values cannot tell.
    """
    values = series.image.values[0].astype(np.float64)
    values = np.where(np.isfinite(values) & (values > 0), values, np.nan)
    if series.image.unit is Unit.MILLISECONDS:
        return values
    known = values[np.isfinite(values)]
    greatest = float(np.percentile(known, 99)) if known.size else 0.0
    if kind is MapKind.T1 and T1_GREATEST_MS[0] <= greatest <= T1_GREATEST_MS[1]:
        return values
    raise Unmeasurable(
        "MAP_UNIT",
        f"the {kind.text} map names no unit of ms and reaches {greatest:.4g}; it may be in "
        "seconds, in tenths of ms or no times at all",
    )


def _pictures_of(series: Series, kind: MapKind) -> RelaxationSeries:
    """Return the pictures of a series with times that can be meant.

    Raises
    ------
    InputError
        Says which time is missing, twice, or impossible.
    """
    along = series.image.along
    if not isinstance(along, Preparation | Echo):
        raise InputError(
            f"{series.image.phases} pictures state no three different inversion or echo times "
            f"or T2 preparations; expected one in each picture of a {kind.text} series"
        )
    scheme = scheme_words(series.header) if kind is MapKind.T1 else ""
    what = "echo time"
    if isinstance(along, Preparation):
        is_t2 = along.kind is PreparationKind.T2_PREPARATION
        what = T2_PREPARATION if is_t2 else "inversion time"
    may_lack = scheme.lower() == "sasha"
    for times_ms in along.times_ms.T:
        silent = int((~np.isfinite(times_ms)).sum())
        if silent > may_lack:
            raise InputError(
                f"{silent} of {times_ms.size} pictures state no {what}; expected one in each"
            )
        refuse_impossible(times_ms, what)
    _refuse_scout(series)
    return RelaxationSeries(series.image, scheme=scheme)


def _refuse_scout(series: Series) -> None:
    """Refuse pictures that show the heart at several moments of the heartbeat."""
    trigger_ms, rr_ms = series.image.trigger_ms, series.image.mean_rr_ms
    if rr_ms is not None and np.isfinite(trigger_ms).all():
        span = float(np.ptp(trigger_ms, axis=0).max()) / rr_ms
        if ONE_MOMENT_SHARE < span <= 1:
            raise InputError(
                f"its pictures span {100 * span:.0f} % of the heartbeat, as those of a scout of "
                "inversion times do; a map needs them at one moment"
            )


def _reason_of(refused: Exception) -> Reason:
    if isinstance(refused, Unmeasurable):
        return refused.reason
    return Reason("NOT_MAPPED", str(refused))


def _not_mapped(series: Series, kind: MapKind, reason: Reason) -> QualityFlag:
    return QualityFlag(
        Severity.REVIEW,
        reason.code,
        f"The {kind.text} series {series.key} gives no map: {reason.sentence}.",
        about=About(series.key, NAME),
    )


def _of_map(series: Series) -> tuple[QualityFlag, ...]:
    """Return the flags of the series itself, and a remark on a unit that was assumed."""
    own = flags_of(series, NAME, OF_PICTURES)
    if not is_finished_map(series) or series.image.unit is Unit.MILLISECONDS:
        return own
    assumed = QualityFlag(
        Severity.REVIEW,
        "MAP_UNIT",
        f"The map of {series.key} names no unit and was taken to be in ms, as its values are those "
        "of a T1 map in ms.",
        about=About(series.key, NAME),
    )
    return (*own, assumed)


def _iron(
    study: Study, series: Series, kind: MapKind, measured: tuple[Measurement, ...]
) -> tuple[QualityFlag, ...]:
    """Mark a septal T2* at 1.5 T that is as short as with iron."""
    if kind is not MapKind.T2_STAR:
        return ()
    wanted = quantities_of(kind, after_contrast=False).septum
    septum = next(one for one in measured if one.quantity == wanted)
    mark_ms = iron_mark_ms(septum, study.scanner.field_strength_t)
    if mark_ms is None:
        return ()
    return (
        QualityFlag(
            Severity.REVIEW,
            "SHORT_T2_STAR",
            f"Septal T2* lies below {mark_ms:g} ms at 1.5 T, as with iron in the muscle (marks: 20 "
            "and 10 ms). Look at the map: fat, veins and air beside the wall shorten it too.",
            f"{septum.text} ms",
            About(series.key, NAME),
        ),
    )
