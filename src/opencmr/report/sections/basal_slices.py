"""The slices on which the volumes depend, to be looked at, with what each choice gives."""

from collections.abc import Callable, Iterator

from opencmr.analyses.function import NAME as FUNCTION
from opencmr.analyses.long_axes import valve_heights_mm
from opencmr.anatomy.structures import Structure
from opencmr.errors import GeometryError
from opencmr.imaging.landmarks import Cycle, Landmarks
from opencmr.imaging.measurements import Measurements
from opencmr.imaging.study import Series
from opencmr.measure.function.base import Base, BaseReading, find_base
from opencmr.measure.ventricles import Unmeasurable, Ventricles
from opencmr.report.blocks import Block, Cell, Column, Montage, Picture, Table, TableRow
from opencmr.report.contents import Report
from opencmr.report.heart_pictures import HeartPictures
from opencmr.report.phases import phase_text
from opencmr.report.rows import number
from opencmr.report.templating import draw

CHAMBERS = (("LV", Structure.LV), ("RV", Structure.RV))
VALUES: tuple[tuple[str, str, Callable[[BaseReading], float]], ...] = (
    ("EF", "%", lambda reading: reading.ef_percent),
    ("EDV", "mL", lambda reading: reading.edv_ml),
    ("ESV", "mL", lambda reading: reading.esv_ml),
    ("M", "g", lambda reading: reading.mass_g),
)
"""Ends of a symbol after LV or RV, the unit, and the value of a reading."""
LEAST_COLUMNS = 4
"""Of the montage: four pictures of two slices make a row."""
ABOUT = (
    "Outlines as measured. A slice that counts where nothing is outlined takes the area that it "
    "has at the other phase, or that of the next slice, changed as the next slice changes."
)


def tell(report: Report) -> tuple[Block, ...]:
    """Return pictures and table of each ventricle whose interval is shown."""
    return tuple(block for series in report.measured_stacks() for block in _blocks(report, series))


def _blocks(report: Report, series: Series) -> Iterator[Block]:
    landmarks: Landmarks = report.landmarks[series.key]
    segmentation = report.segmentations[series.key]
    pictures: HeartPictures | None = None
    heart: Ventricles | None = None
    for chamber, structure in CHAMBERS:
        cycle = landmarks.lv if chamber == "LV" else landmarks.rv
        found = report.measurements.of(FUNCTION, series.key).find(f"{chamber}EF")
        if cycle is None or found is None or found.value is None or found.interval is None:
            continue
        heart = heart or Ventricles(
            segmentation,
            series.image,
            report.study.demographics,
            series.key,
            valve_heights_mm=valve_heights_mm(report.study, report.segmentations, series),
        )
        try:
            base = find_base(heart, structure)
        except (Unmeasurable, GeometryError):
            continue
        pictures = pictures or HeartPictures(series, segmentation, landmarks)
        yield _montage(pictures, series, chamber, cycle, base, landmarks)
        yield _table(report.measurements.of(FUNCTION, series.key), chamber, base)


def _montage(
    pictures: HeartPictures,
    series: Series,
    chamber: str,
    cycle: Cycle,
    base: Base,
    landmarks: Landmarks,
) -> Montage:
    phases = (("ED", cycle.ed_phase), ("ES", cycle.es_phase))
    slices = [z for z in landmarks.base_first if z in base.slices]
    drawn = [(called, pictures.tile(phase, z)) for z in slices for called, phase in phases]
    when = "; ".join(f"{called} {phase_text(series.image, phase)}" for called, phase in phases)
    return Montage(
        tuple(
            Picture(draw("tile.svg.j2", tile=tile), f"{called}, slice {tile.caption}")
            for called, tile in drawn
        ),
        max(LEAST_COLUMNS, min(len(drawn), 6)),
        f"{chamber}: {base.text} at the base",
        when,
        hint=ABOUT,
    )


def _table(function: Measurements, chamber: str, base: Base) -> Table:
    """Return the readings, without what is withheld elsewhere on the page."""
    shown = [
        (f"{chamber}{end}", unit, of)
        for end, unit, of in VALUES
        if function.value(f"{chamber}{end}") is not None
    ]
    columns = (
        Column("The base read", share=1),
        *(Column(symbol, "number") for symbol, _, _ in shown),
    )
    rows = (
        TableRow(
            (
                Cell("as labelled" if reading.choice is None else reading.choice.text),
                *(Cell(number(of(reading), 0), unit) for _, unit, of in shown),
            ),
            is_strong=reading.choice is None,
        )
        for reading in base.readings
    )
    return Table(columns, tuple(rows))
