"""What was measured, to be looked at: volume curves, the beating heart, every outlined slice."""

from collections.abc import Mapping

from opencmr.anatomy.structures import Structure
from opencmr.imaging.landmarks import Landmarks
from opencmr.imaging.study import Series
from opencmr.report import palette
from opencmr.report.blocks import Block, Chart, Legend, Montage, Movie, Picture, Viewer, beside
from opencmr.report.charts import CurveChart, curve_chart
from opencmr.report.contents import Report
from opencmr.report.heart_pictures import ASSUMED_BEAT_MS, HeartPictures, Moving, Panel
from opencmr.report.templating import draw
from opencmr.report.viewer import cine_of

SHARES = (1.0, 1.06)
CONTOURS = {
    "endo": Legend("LV endocardium", palette.ON_DARK["endo"]),
    "epi": Legend("LV epicardium", palette.ON_DARK["epi"]),
    "rv": Legend("RV endocardium", palette.ON_DARK["rv"]),
}
SCAR = {"scar": Legend("Scar", palette.ON_DARK["scar"])}
ABOUT_CURVES = (
    "Volume in mL. Open circle: end-diastole; filled: end-systole, each ventricle by its own curve."
)
ABOUT_SLICES = (
    "Slices base first, numbered as stacked; true aspect; outlines smoothed; volumes come from "
    "the labels, wall thickness from these outlines."
)


ABOUT_VIEWER = (
    "Contours and areas as measured; a slice's volume is its area times what it stands for along "
    "the stack. Letters: anterior, posterior, left, right, head, foot. Pictures are compressed: "
    "judge noise and edges on the original."
)


def tell(report: Report) -> tuple[Block, ...]:
    """Return the pictures of every segmented series whose slices have an order."""
    measured = report.measured_stacks()
    several = len(measured) > 1
    return tuple(
        block
        for series in measured
        for block in _heart(report, series, series.key if several else "")
    )


def _heart(report: Report, series: Series, name: str) -> tuple[Block, ...]:
    landmarks = report.landmarks[series.key]
    pictures = HeartPictures(series, report.segmentations[series.key], landmarks)
    phases = shown_phases(landmarks)
    curves, moving = curve_chart(report, series), pictures.moving()
    has_scar = Structure.SCAR in report.segmentations[series.key].scheme.structures.values()
    contours = CONTOURS | SCAR if has_scar else CONTOURS
    legend = tuple(contours.values())
    cine = cine_of(report, series, pictures)
    panels = [pictures.panel(called, phase) for called, phase in phases]
    return (
        *beside(
            (_chart(curves, name),) if curves else (),
            (_movie(moving),) if moving else (),
            shares=SHARES,
        ),
        *((_viewer(series, contours, cine, name),) if cine else ()),
        *(
            _montage(panel, name, legend, is_first=place == 0, is_last=place == len(panels) - 1)
            for place, panel in enumerate(panels)
        ),
    )


def shown_phases(landmarks: Landmarks) -> tuple[tuple[str, int], ...]:
    """Return which phases are shown, and as what: those of the RV too where they differ."""
    lv, rv = landmarks.lv, landmarks.rv
    if lv is None and rv is None:
        return (("Outlines", 0),)
    cycles = [(chamber, cycle) for chamber, cycle in (("LV", lv), ("RV", rv)) if cycle]
    moments = []
    for name, phases in (
        ("end-diastole", [cycle.ed_phase for _, cycle in cycles]),
        ("end-systole", [cycle.es_phase for _, cycle in cycles]),
    ):
        if len(cycles) > 1 and len(set(phases)) == 1:
            moments.append((name.capitalize(), phases[0]))
        else:
            moments += [
                (f"{chamber} {name}", phase)
                for (chamber, _), phase in zip(cycles, phases, strict=True)
            ]
    return tuple(moments)


def _chart(curves: CurveChart, name: str) -> Chart:
    return Chart(
        draw("curves.svg.j2", chart=curves),
        "Volumes over the beat",
        name,
        ABOUT_CURVES,
        tuple(Legend(curve.name, curve.colour, curve.summary) for curve in curves.curves),
    )


def _movie(moving: Moving) -> Movie:
    slices = ", ".join(str(number) for number in moving.slice_numbers)
    time = ", in real time" if moving.beat_known else " (length assumed)"
    return Movie(
        moving.webp,
        moving.still,
        moving.width,
        moving.height,
        "The beating heart",
        f"Slices {slices}; {moving.frames} frames a beat of {moving.beat_ms:.0f} ms{time}.",
        "Moving short-axis slices with outlines",
    )


def _viewer(
    series: Series, contours: Mapping[str, Legend], cine: Mapping[str, object], name: str
) -> Viewer:
    beat_ms = series.image.mean_rr_ms
    rate = (
        f"Played at {ASSUMED_BEAT_MS:.0f} ms a beat: the input does not say how long it was. "
        if beat_ms is None
        else f"Played at its own {beat_ms:.0f} ms a beat. "
    )
    return Viewer("Every slice and phase", contours, cine, name, rate + ABOUT_VIEWER)


def _montage(
    panel: Panel, name: str, legend: tuple[Legend, ...], *, is_first: bool, is_last: bool
) -> Montage:
    return Montage(
        tuple(Picture(draw("tile.svg.j2", tile=tile), tile.caption) for tile in panel.tiles),
        panel.columns,
        panel.name,
        ", ".join(part for part in (panel.when, name) if part),
        legend=legend if is_last else (),
        hint=ABOUT_SLICES if is_last else "",
        has_switch=is_first,
    )
