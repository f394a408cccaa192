"""T1, T2 and T2*: every map in colour, what the wall has, and how both came about."""

from opencmr.analyses.mapping import NAME as MAPPING
from opencmr.imaging.measurement import Measurement
from opencmr.imaging.measurements import Measurements
from opencmr.imaging.relaxation import TimeMap
from opencmr.measure.relaxometry.extracellular import ECV_QUANTITIES
from opencmr.report import palette
from opencmr.report.blocks import (
    Block,
    Cell,
    ColourBar,
    Column,
    Legend,
    Line,
    Montage,
    Notes,
    Picture,
    Table,
    TableRow,
    beside,
)
from opencmr.report.charts import Bullseye, bullseye, bullseye_block
from opencmr.report.contents import Report
from opencmr.report.heart_pictures import columns_for
from opencmr.report.map_pictures import ends_ms, tiles_of
from opencmr.report.plain_text import shown
from opencmr.report.rows import TEXT_LIMIT, row_of, told_once
from opencmr.report.templating import draw

COLUMNS = (Column(), Column("Series"), Column(kind="number"), Column(share=1))
OUTLINES = (
    Legend("LV endocardium", palette.ON_DARK["endo"]),
    Legend("LV epicardium", palette.ON_DARK["epi"]),
    Legend("RV endocardium", palette.ON_DARK["rv"]),
)
FEW_SLICES = 3
"""Maps are usually of base, middle and apex: one row."""
ECV_ENDS_PERCENT = (0.0, 60.0)
"""Fixed ends of the colour scale: about that of blood is the greatest."""
ABOUT_OUTLINES = (
    "Outlines come from the cine at the moment of the heartbeat nearest to the map's and were not "
    "registered to the map: look whether they lie on the wall. One pixel on either side of the "
    "wall was left out."
)
BIASES = (
    "A normal range holds for a scanner, a field strength and a sequence alone: none but the "
    "site's own is applied. MOLLI and ShMOLLI read T1 low; T2 by preparations or spin echoes reads "
    "high."
)


MOTION = (
    "Pictures of a series that lay off the others in the plane were shifted onto them where the "
    "curve fits clearly better for it; where no shift is told, none was made. Motion through the "
    "plane and change of the heart's shape stay in."
)


def tell(report: Report) -> tuple[Block, ...]:
    """Return maps, numbers, bull's-eyes and method; nothing where no series was mapped."""
    measured = report.measurements.of(MAPPING)
    if not len(measured) and not report.maps:
        return ()
    montages = [_montage(key, found) for key, found in report.maps.items()]
    return (
        *montages,
        *_table(measured),
        *beside(*[(bullseye_block(one),) for one in _bullseyes(report, measured)]),
        _method(report),
    )


def _montage(key: str, found: TimeMap) -> Montage:
    low, high = ends_ms(found)
    tiles = tiles_of(found)
    return Montage(
        tuple(Picture(draw("tile.svg.j2", tile=tile), f"{tile.slice_number}") for tile in tiles),
        columns_for(len(tiles)) if len(tiles) > FEW_SLICES else len(tiles),
        f"{_named(found)} map",
        key,
        legend=OUTLINES if found.wall is not None else (),
        bar=ColourBar(
            palette.PERCEPTUAL,
            f"{low:g}",
            f"{high:g}",
            "ms",
            (Legend("no value", palette.DARK),),
        ),
        hint=ABOUT_OUTLINES if found.wall is not None else "",
    )


def _named(found: TimeMap) -> str:
    return f"{found.kind.text} after contrast" if found.after_contrast else found.kind.text


def _table(measured: Measurements) -> tuple[Block, ...]:
    whole = measured.whole_heart
    rows = told_once(tuple(row_of(one, one.quantity.name) for one in whole))
    if not rows:
        return ()
    return (
        Table(
            COLUMNS,
            tuple(
                TableRow(
                    (
                        Cell(row.name, small=row.symbol),
                        Cell(one.series),
                        row.cell,
                        Cell(row.reason or row.evidence, look="aside"),
                    )
                )
                for row, one in zip(rows, whole, strict=True)
            ),
            "Myocardium by tissue mapping",
        ),
    )


def _bullseyes(report: Report, measured: Measurements) -> list[Bullseye]:
    drawn = []
    for found in measured.by_segment:
        first: Measurement = next(iter(found.values()))
        mapped = report.maps.get(first.series)
        if mapped is not None and any(one.value is not None for one in found.values()):
            of_volume = first.quantity in ECV_QUANTITIES
            ends = ECV_ENDS_PERCENT if of_volume else ends_ms(mapped)
            drawn.append(bullseye(found, ends, palette.PERCEPTUAL))
    return drawn


def _method(report: Report) -> Notes:
    lines = tuple(
        Line(shown(found.made_by, TEXT_LIMIT), f"{_named(found)}, {key}:")
        for key, found in report.maps.items()
    )
    return Notes(lines, "How the maps were made", (MOTION, BIASES))
