"""The colours of labels as ITK-SNAP and 3D Slicer read them."""

from pathlib import Path

from opencmr.anatomy.structures import LabelScheme, Structure
from opencmr.report.palette import ON_DARK, rgb
from opencmr.storage import write_bytes

COLOURS = {
    Structure.LV: ON_DARK["endo"],
    Structure.MYOCARDIUM: ON_DARK["epi"],
    Structure.RV: ON_DARK["rv"],
    Structure.SCAR: ON_DARK["scar"],
    Structure.NO_REFLOW: "#cc79a7",
}
"""Those of the outlines; no-reflow is the reddish purple of Okabe and Ito."""


def write_colour_tables(stem: Path, scheme: LabelScheme) -> list[Path]:
    """Write ``<stem>.label`` (ITK-SNAP) and ``<stem>.ctbl`` (3D Slicer)."""
    texts = {".label": itk_snap_table(scheme), ".ctbl": slicer_table(scheme)}
    paths = [stem.with_name(f"{stem.name}{end}") for end in texts]
    for path, text in zip(paths, texts.values(), strict=True):
        write_bytes(path, text.encode("ascii"))
    return paths


def itk_snap_table(scheme: LabelScheme) -> str:
    """Return a label description file: index, colour, opacity, visibility, mesh, name."""
    rows = ["# ITK-SnAP Label Description File", '0 0 0 0 0 0 0 "Clear Label"']
    for label, structure in sorted(scheme.structures.items()):
        red, green, blue = rgb(COLOURS[structure])
        rows.append(f'{label} {red} {green} {blue} 1 1 1 "{structure.value}"')
    return "\n".join(rows) + "\n"


def slicer_table(scheme: LabelScheme) -> str:
    """Return a colour table file: index, name, colour, opacity out of 255."""
    rows = ["# Color table file", "0 background 0 0 0 0"]
    for label, structure in sorted(scheme.structures.items()):
        red, green, blue = rgb(COLOURS[structure])
        rows.append(f"{label} {structure.value} {red} {green} {blue} 255")
    return "\n".join(rows) + "\n"
