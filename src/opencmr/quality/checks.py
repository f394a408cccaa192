"""Checks of a segmented short-axis stack.

A check is a function of the :class:`Subject` that yields flags; a new one is one function and
one line in :data:`CHECKS`.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from opencmr.anatomy.plausible import MS_PER_MINUTE
from opencmr.anatomy.structures import Structure
from opencmr.errors import GeometryError
from opencmr.imaging.flag import About, QualityFlag, Severity
from opencmr.imaging.measurements import Measurements
from opencmr.imaging.segmentation import AuthorKind
from opencmr.imaging.study import Series
from opencmr.measure.ventricles import (
    RATE_PHASES,
    Chamber,
    Unmeasurable,
    Ventricles,
    plausible_heart_rate,
)
from opencmr.quality.alternation import alternation_flags
from opencmr.quality.beat import beat_flags
from opencmr.quality.curves import frame_intervals_ms, jump_flags
from opencmr.quality.ends import cut_flags, short_flags
from opencmr.quality.in_step import out_of_step_flags
from opencmr.quality.labels import (
    fragment_percent,
    open_end_percent,
    open_ring_percent,
    rv_inside_percent,
)
from opencmr.quality.limits import (
    BASE_CUT_POINTS_PERCENT,
    BASE_WIDTH_LIMIT_POINTS,
    CUT_POINT_MARGIN_PERCENT,
    EF_CUT_POINTS_PERCENT,
    EF_HIGH_PERCENT,
    EF_LIMITS_PERCENT,
    FLICKER_STAKE_PERCENT,
    FRAGMENT_LIMIT_PERCENT,
    HEART_RATE_LIMIT_PERCENT,
    LVEDV_LIMITS_ML,
    MASS_RATIO_LIMITS_PERCENT,
    OPEN_END_LIMIT_PERCENT,
    OPEN_RING_LIMIT_PERCENT,
    RV_HOLDS_LEAST_PERCENT,
    RV_INSIDE_LIMIT_PERCENT,
    RV_SIZE_LIMITS_PERCENT,
    RV_SIZE_LOWEST_PERCENT,
    RV_SIZE_LVEF_PERCENT,
    SVDIFF_LIMITS_PERCENT,
)
from opencmr.quality.pixels import blur_flags, coarse_flags, noise_flags
from opencmr.quality.right_ventricle import right_ventricle_flags
from opencmr.quality.scope import OF_THE_RIGHT_VENTRICLE, OF_WHOLE_STACKS
from opencmr.quality.small_heart import small_heart_flags
from opencmr.quality.upside_down import upside_down_flags


@dataclass(frozen=True, eq=False)
class Subject:
    """What is judged: a series, its ventricles, and what was measured on them."""

    series: Series
    ventricles: Ventricles
    measurements: Measurements

    @cached_property
    def values(self) -> Mapping[str, float]:
        """Value of every whole-heart quantity that has one, by symbol."""
        values = self.measurements.values()
        return {symbol: value for symbol, value in values.items() if value is not None}

    @cached_property
    def judged_phases(self) -> tuple[tuple[str, int], ...]:
        """The phases whose labels make the numbers: ED and ES, or the only one there is."""
        try:
            lv = self.ventricles.lv
            return ("end-diastole", lv.ed_phase), ("end-systole", lv.es_phase)
        except Unmeasurable:
            return (("the only phase", 0),) if self.ventricles.lv_voxels[0].any() else ()

    @property
    def _is_readers(self) -> bool:
        return self.ventricles.segmentation.author.kind is AuthorKind.READER

    @cached_property
    def holds_whole_beat(self) -> bool:
        """False where a reader left phases out: then no curve can be judged."""
        labels = self.ventricles.segmentation.labels
        return not self._is_readers or bool(labels.any(axis=(1, 2, 3)).all())

    def has_no_wall_drawn(self, phase: int) -> bool:
        """Whether a reader drew the cavity alone at a phase, as is usual at end-systole."""
        return self._is_readers and not self.ventricles.myocardium_voxels[phase].any()


Check = Callable[[Subject], Iterable[QualityFlag]]


def check(
    series: Series, ventricles: Ventricles, measurements: Measurements
) -> tuple[QualityFlag, ...]:
    """Return every flag on a measured series, those of its stack first."""
    subject = Subject(series, ventricles, measurements)
    return (*series.flags, *(flag for one in CHECKS for flag in one(subject)))


def heart_found(subject: Subject) -> Iterator[QualityFlag]:
    """Find that there is a blood pool: without one nothing can be reported."""
    if not subject.ventricles.lv_voxels.any():
        yield QualityFlag(
            Severity.DO_NOT_REPORT,
            "NO_HEART_FOUND",
            "The segmentation holds no left ventricle, so nothing is reported. Check that this "
            "series is a short-axis cine.",
        )


def single_phase(subject: Subject) -> Iterator[QualityFlag]:
    """Say that one phase is neither end-diastole nor end-systole."""
    if subject.ventricles.phases == 1:
        yield QualityFlag(
            Severity.INFO,
            "SINGLE_PHASE",
            "The stack has one cardiac phase: its volume is given, but no end-diastolic or "
            "end-systolic one. Give a pair with --ed and --es.",
        )


def plausible_size(subject: Subject) -> Iterator[QualityFlag]:
    """Gate the left ventricle's size (row D25)."""
    edv_ml = subject.values.get("LVEDV")
    if edv_ml is not None and not LVEDV_LIMITS_ML[0] <= edv_ml <= LVEDV_LIMITS_ML[1]:
        yield QualityFlag(
            Severity.DO_NOT_REPORT,
            "LV_SIZE_IMPLAUSIBLE",
            "The left ventricle is too small or too large to be one: the spacing or the "
            "segmentation is wrong, and its numbers are withheld.",
            f"LVEDV {edv_ml:.0f} mL, expected {LVEDV_LIMITS_ML[0]:.0f} to "
            f"{LVEDV_LIMITS_ML[1]:.0f} mL",
        )


def plausible_function(subject: Subject) -> Iterator[QualityFlag]:
    """Limit the ejection fractions (row N04)."""
    for symbol in ("LVEF", "RVEF"):
        percent = subject.values.get(symbol)
        if percent is not None and not EF_LIMITS_PERCENT[0] <= percent <= EF_LIMITS_PERCENT[1]:
            yield QualityFlag(
                Severity.DO_NOT_REPORT,
                "EF_IMPLAUSIBLE",
                f"The {symbol[:2]} ejection fraction is beyond what is believable, so the numbers "
                "of the ventricle are withheld: check the phases and the contours.",
                f"{symbol} {percent:.0f} %, expected {EF_LIMITS_PERCENT[0]:.0f} to "
                f"{EF_LIMITS_PERCENT[1]:.0f} %",
                About(symbols=OF_WHOLE_STACKS if symbol == "LVEF" else OF_THE_RIGHT_VENTRICLE),
            )


def cavity_seen_at_es(subject: Subject) -> Iterator[QualityFlag]:
    """Doubt an ejection fraction that hardly any reader's contours give."""
    percent = subject.values.get("LVEF")
    if percent is not None and EF_HIGH_PERCENT < percent <= EF_LIMITS_PERCENT[1]:
        yield QualityFlag(
            Severity.REVIEW,
            "EF_HIGH",
            "The left ventricle ejects more than in 98 % of reference contours. In a small or "
            "thick heart the cavity closes at end-systole and its outline is lost between the "
            "trabeculae, so that too much seems ejected: look at the contours at end-systole.",
            f"LVEF {percent:.0f} %, usual up to {EF_HIGH_PERCENT:.0f} %",
            About(symbols=frozenset({"LVEF", "LVESV", "LVSV"})),
        )


def beats(subject: Subject) -> Iterator[QualityFlag]:
    """Look for a heartbeat in the volume curve of the left ventricle."""
    if not subject.holds_whole_beat:
        return
    with suppress(Unmeasurable):
        yield from beat_flags(subject.ventricles.lv)


def stroke_volumes_agree(subject: Subject) -> Iterator[QualityFlag]:
    """Compare the stroke volumes, by the spread of readers' contours (row N04)."""
    percent = subject.values.get("SVDIFF_PERCENT")
    low, high = SVDIFF_LIMITS_PERCENT
    if percent is not None and not low <= percent <= high:
        yield QualityFlag(
            Severity.REVIEW,
            "SV_DISAGREE",
            "The stroke volumes of the two ventricles differ more than in 95 % of reference "
            "contours: check the basal slices of both.",
            f"difference {percent:.0f} % of their mean, usual {low:.0f} to {high:.0f} %",
        )


def sizes_agree(subject: Subject) -> Iterator[QualityFlag]:
    """Compare the ventricles' sizes at end-diastole, by the spread of reference contours.

    A left ventricle that fails is dilated, so the right one may be small beside it; beside one
    that ejects well it may not, and it cannot hold less than the left one ejects.
    """
    left_ml, right_ml = subject.values.get("LVEDV"), subject.values.get("RVEDV")
    if left_ml is None or right_ml is None:
        return
    percent = 100 * right_ml / left_ml
    low, high = RV_SIZE_LIMITS_PERCENT
    ejected_percent = subject.values.get("LVEF", 0.0)
    if ejected_percent >= RV_SIZE_LVEF_PERCENT:
        low = RV_SIZE_LOWEST_PERCENT
    low = max(low, RV_HOLDS_LEAST_PERCENT / 100 * ejected_percent)
    if not low <= percent <= high:
        small = "right" if percent < low else "left"
        yield QualityFlag(
            Severity.REVIEW,
            "RV_SIZE_DISAGREES",
            f"The {small} ventricle is smaller beside the other than in 95 % of reference "
            "contours of hearts that eject alike: a part of it may have been missed, or too much "
            "taken for the other.",
            f"RVEDV is {percent:.0f} % of LVEDV, usual {low:.0f} to {high:.0f} %",
        )


def heart_rate_agrees(subject: Subject) -> Iterator[QualityFlag]:
    """Say that the heart rate used is another than that of the cine's own heartbeats."""
    used_bpm, own_ms = subject.values.get("HR"), subject.series.image.mean_rr_ms
    own_bpm = MS_PER_MINUTE / own_ms if own_ms else None
    if used_bpm is None or not plausible_heart_rate(own_bpm):
        return
    if abs(used_bpm / own_bpm - 1) > HEART_RATE_LIMIT_PERCENT / 100:
        yield QualityFlag(
            Severity.INFO,
            "HEART_RATE_DIFFERS",
            "The heart rate given is not that of the cine: cardiac output and the rates of "
            "emptying and filling follow the one given.",
            f"given {used_bpm:.0f} beats per minute, the cine's R-R says {own_bpm:.0f}",
        )


def mass_is_constant(subject: Subject) -> Iterator[QualityFlag]:
    """Compare mass at end-systole with mass at end-diastole (row N04)."""
    diastole_g, systole_g = subject.values.get("LVM"), subject.values.get("LVM_ES")
    if diastole_g is None or systole_g is None:
        return
    percent = 100 * systole_g / diastole_g
    low, high = MASS_RATIO_LIMITS_PERCENT
    if not low <= percent <= high:
        yield QualityFlag(
            Severity.REVIEW,
            "MASS_DISAGREES",
            "The wall weighs more or less at end-systole than at end-diastole, beyond what "
            "reference contours show: check base and apex.",
            f"mass at ES is {percent:.0f} % of that at ED, usual {low:.0f} to {high:.0f} %",
        )


def covered(subject: Subject) -> Iterator[QualityFlag]:
    """Check that the stack reaches beyond the ventricle at both ends (row N02)."""
    phases = [phase for _, phase in subject.judged_phases]
    if phases:
        with suppress(Unmeasurable):
            yield from cut_flags(subject.ventricles, phases)
        with suppress(GeometryError):
            yield from short_flags(subject.ventricles, phases[0])


def base_certain(subject: Subject) -> Iterator[QualityFlag]:
    """Say that the class or the size of the LVEF depends on how the base is read."""
    found = subject.measurements.find("LVEF")
    if found is None or found.interval is None:
        return
    low, high = found.interval
    crossed = [point for point in BASE_CUT_POINTS_PERCENT if low < point < high]
    if crossed or high - low > BASE_WIDTH_LIMIT_POINTS:
        across = f" crosses {', '.join(f'{point:.0f}' for point in crossed)} % and" * bool(crossed)
        yield QualityFlag(
            Severity.REVIEW,
            "BASE_UNCERTAIN",
            "Which basal slice belongs to the left ventricle can be read in several ways, and its "
            f"ejection fraction{across} moves by {high - low:.0f} points between them: check the "
            "basal slices at end-diastole and end-systole.",
            f"LVEF {low:.0f} to {high:.0f} %, {found.evidence}",
        )


def right_ventricle_whole(subject: Subject) -> Iterator[QualityFlag]:
    """Look for slices and parts that the right ventricle lacks."""
    with suppress(Unmeasurable, GeometryError):
        yield from right_ventricle_flags(subject.ventricles)


def labels_whole(subject: Subject) -> Iterator[QualityFlag]:
    """Look for scattered, nested or open labels where the numbers are made (row N03)."""
    for name, phase in subject.judged_phases:
        for structure in (Structure.LV, Structure.MYOCARDIUM, Structure.RV):
            percent = fragment_percent(subject.ventricles, phase, structure)
            if percent > FRAGMENT_LIMIT_PERCENT:
                yield _label_flag(
                    "LABEL_SCATTERED", f"The {structure.value} label is in pieces", name, percent
                )
        if not subject.has_no_wall_drawn(phase):
            yield from _ring_flags(subject.ventricles, name, phase)
        percent = rv_inside_percent(subject.ventricles, phase)
        if percent > RV_INSIDE_LIMIT_PERCENT:
            yield _label_flag("RV_INSIDE_LV", "The RV label lies inside the LV", name, percent)


def _ring_flags(ventricles: Ventricles, name: str, phase: int) -> Iterator[QualityFlag]:
    percent = open_ring_percent(ventricles, phase)
    if percent > OPEN_RING_LIMIT_PERCENT:
        yield _label_flag("RING_OPEN", "The myocardium does not enclose the LV", name, percent)
    percent = open_end_percent(ventricles, phase)
    if percent > OPEN_END_LIMIT_PERCENT:
        yield _label_flag(
            "RING_OPEN", "The ring of myocardium is torn on an end slice", name, percent
        )


def _label_flag(code: str, what: str, when: str, percent: float) -> QualityFlag:
    return QualityFlag(
        Severity.REVIEW, code, f"{what} at {when}: check the contours.", f"{percent:.0f} %"
    )


def slices_filled(subject: Subject) -> Iterator[QualityFlag]:
    """Look for a slice without a label between two that have one (row N03)."""
    for chamber in _chambers(subject):
        holes = np.flatnonzero(~chamber.complete & (chamber.curve_ml > 0))
        if holes.size:
            used = {phase for _, phase in subject.judged_phases} & set(holes.tolist())
            yield QualityFlag(
                Severity.REVIEW if used or holes.size > chamber.phases / 10 else Severity.INFO,
                "SLICE_EMPTY",
                f"The {chamber.structure.value} is missing on a slice between two that show it; "
                "such phases are not chosen as ED or ES while others are left.",
                f"{holes.size} of {chamber.phases} phases",
            )


def curve_steady(subject: Subject) -> Iterator[QualityFlag]:
    """Limit the steps of the volume curves between frames (row N04)."""
    if not subject.holds_whole_beat:
        return
    intervals_ms = frame_intervals_ms(subject.series.image)
    for chamber in _chambers(subject):
        yield from jump_flags(chamber, intervals_ms)


def end_slices_steady(subject: Subject) -> Iterator[QualityFlag]:
    """Look for a slice that is in and out of the LV more than once a beat (row N01).

    The valve plane and the apex pass a slice at most twice in a beat, on the way down and on
    the way back: one run of phases without the ventricle.  A second run means that the
    segmentation cannot decide, and the ejection fraction follows its choice.
    """
    if not subject.holds_whole_beat:
        return
    for chamber in _chambers(subject):
        if chamber.structure is not Structure.LV or chamber.phases < RATE_PHASES:
            continue
        shown = chamber.slices_ml > 0
        runs = np.count_nonzero(shown & ~np.roll(shown, 1, axis=0), axis=0)
        stakes = 100 * chamber.slices_ml.max(0) / chamber.curve_ml.max()
        for z in np.flatnonzero((runs > 1) & (stakes > FLICKER_STAKE_PERCENT)):
            yield QualityFlag(
                Severity.REVIEW,
                "SLICE_FLICKERS",
                "A slice at the end of the left ventricle is counted in some phases and not in "
                "others, more often than valve plane or apex can pass it: whether it counts at "
                "end-systole moves the ejection fraction by up to the share given.",
                f"slice {z + 1} in {np.count_nonzero(shown[:, z])} of {chamber.phases} phases, "
                f"in {runs[z]} runs; up to {stakes[z]:.0f} % of EDV",
            )


def _chambers(subject: Subject) -> tuple[Chamber, ...]:
    try:
        chambers = subject.ventricles.lv, subject.ventricles.rv
    except Unmeasurable:
        return ()
    return tuple(chamber for chamber in chambers if chamber.curve_ml.any())


def slices_in_step(subject: Subject) -> Iterator[QualityFlag]:
    """Look for a slice that shows another moment of the heartbeat than the others."""
    with suppress(Unmeasurable):
        yield from out_of_step_flags(subject.ventricles)


def pixels_fit(subject: Subject) -> Iterator[QualityFlag]:
    """Judge the size of the pixels, the noise in them, and how sharp they show the heart."""
    yield from coarse_flags(subject.series.image)
    yield from noise_flags(subject.ventricles)
    for _, phase in subject.judged_phases[:1]:
        yield from blur_flags(subject.ventricles, phase)


def slices_of_one_heart(subject: Subject) -> Iterator[QualityFlag]:
    """Look for slices that are larger and smaller by turns."""
    yield from alternation_flags(subject.ventricles, dict(subject.judged_phases))


def of_trained_size(subject: Subject) -> Iterator[QualityFlag]:
    """Name a heart outside the network's experience."""
    yield from small_heart_flags(subject.ventricles.segmentation)


def not_mirrored(subject: Subject) -> Iterator[QualityFlag]:
    """Hold the heart's handedness against the patient's axes (row H11)."""
    if any(m.reason and m.reason.code == "CHIRALITY_CONFLICT" for m in subject.measurements):
        yield QualityFlag(
            Severity.REVIEW,
            "CHIRALITY_CONFLICT",
            "The right ventricle lies on the other side than the patient's axes say: the image "
            "or the heart is mirrored, or base and apex were confused. No AHA segment is named.",
        )


def upright(subject: Subject) -> Iterator[QualityFlag]:
    """Hold the right ventricle's shape against the patient's axes."""
    phases = [phase for _, phase in subject.judged_phases]
    yield from upside_down_flags(subject.ventricles, phases)


def near_cut_point(subject: Subject) -> Iterator[QualityFlag]:
    """Name an ejection fraction whose class could be another on a second look."""
    percent = subject.values.get("LVEF")
    if percent is None:
        return
    nearest = min(EF_CUT_POINTS_PERCENT, key=lambda point: abs(point - percent))
    if abs(nearest - percent) <= CUT_POINT_MARGIN_PERCENT:
        yield QualityFlag(
            Severity.INFO,
            "NEAR_CUT_POINT",
            "The LV ejection fraction lies within 2 points of a cut-point of the ESC classes "
            "(at most 40, 41 to 49, at least 50 %) or of 35 %: a second reading may put it on the "
            "other side.",
            f"LVEF {percent:.1f} %, cut-point {nearest:.0f} %",
        )


CHECKS: tuple[Check, ...] = (
    heart_found,
    single_phase,
    plausible_size,
    plausible_function,
    cavity_seen_at_es,
    beats,
    stroke_volumes_agree,
    sizes_agree,
    heart_rate_agrees,
    mass_is_constant,
    covered,
    base_certain,
    right_ventricle_whole,
    labels_whole,
    slices_filled,
    curve_steady,
    end_slices_steady,
    slices_in_step,
    slices_of_one_heart,
    pixels_fit,
    of_trained_size,
    not_mirrored,
    upright,
    near_cut_point,
)
