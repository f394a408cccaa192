"""Studies in clean folders, one a series, by what sorting named it.

No name in the tree is made from an identifier: whoever knows a UID could try it out against an
unkeyed hash of it, and against an order by such hashes.  So studies are numbered.
"""

import json
import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from opencmr import __version__
from opencmr.errors import ConfigurationError
from opencmr.intake.dicom.deidentification.deidentifier import Deidentifier
from opencmr.intake.listing import ListedSeries
from opencmr.intake.refusal import RefusedError
from opencmr.report import contact_sheet, html
from opencmr.report.blocks import Montage
from opencmr.report.sorted_rows import plain_row
from opencmr.sort.examination import NamedSeries, missing
from opencmr.storage import write_bytes, write_json

IDENTIFYING = ("series_instance_uid", "description", "study")
"""What a row of ``opencmr sort --json`` says that the tree must not."""


@dataclass(frozen=True, slots=True)
class Copied:
    """What became of one scanner's series in the tree: its folder, or why it has none."""

    named: NamedSeries
    folder: str
    files: int
    why_not: str = ""


def write_tree(
    named: Mapping[str, Sequence[NamedSeries]],
    listed: Iterable[ListedSeries],
    folder: Path,
    how: Deidentifier | str,
    sheets: Mapping[str, Montage] | None = None,
) -> list[Copied]:
    """Write every series whose pictures were read to ``folder/study-NN/<name>/NNNN.dcm``.

    ``sort.json`` lies beside them; with copies it names the new UIDs and no description.  So does
    ``contact_sheet.html``, where there is a sheet.  The same input gives the same names.

    Parameters
    ----------
    named : mapping from a study's key to its named series
    listed : iterable of ListedSeries
        Whose files are taken.
    folder : Path
    how : Deidentifier, or "hard" or "symbolic"
        Cleans each copy; or links the files as they are.
    sheets : mapping from a study's key to its contact sheet
    """
    files = {(one.series.study_uid, one.series.uid): one.files for one in listed}
    copied: list[Copied] = []
    number = 1
    for key in sorted(named, key=lambda one: _order(named[one], how)):
        name, rows = f"study-{number:02d}", named[key]
        place = folder / name
        counts: Counter[str] = Counter()
        done = []
        for one in rows:
            uid = one.scanned.study_uid, one.scanned.uid
            done.append(_series(one, files.get(uid, ()), place, counts, how))
        copied += done
        if place.is_dir():
            number += 1
            write_json(
                place / "sort.json",
                {
                    "study": name,
                    "made_with": f"opencmr {__version__}",
                    "de-identified": isinstance(how, Deidentifier),
                    "series": [_told(one, how, name) for one in done],
                    "missing": list(missing(rows)),
                },
            )
            if sheets and key in sheets:
                page = contact_sheet.page_of(sheets[key], name, f"opencmr {__version__}")
                write_bytes(place / "contact_sheet.html", html.markup(page).encode("utf-8"))
    return copied


def _order(rows: Sequence[NamedSeries], how: Deidentifier | str) -> tuple[str, str]:
    """Return what a study is numbered by: what its copies show; where that is alike, the key."""
    shown = [plain_row(one) | dict.fromkeys(IDENTIFYING, "") for one in rows]
    uid = rows[0].scanned.study_uid
    return json.dumps(shown), how.uid(uid) if isinstance(how, Deidentifier) else uid


def _series(
    one: NamedSeries,
    files: Sequence[Path],
    study: Path,
    counts: Counter[str],
    how: Deidentifier | str,
) -> Copied:
    if not one.scanned.uid:
        return Copied(one, "", 0, "a NIfTI file: it has no DICOM header, and stays where it is")
    if not files:
        return Copied(one, "", 0, "its pictures were not read, or may hold burned-in text")
    stem = f"{one.naming.sequence.slug}_{one.naming.view.slug}"
    counts[stem] += 1
    name = f"{stem}_{counts[stem]:02d}"
    target = study / name
    target.mkdir(parents=True)
    description = f"{one.naming.sequence.value} {one.naming.view.value}"
    written, why_not = 0, ""
    for number, path in enumerate(files, start=1):
        place = target / f"{number:04d}.dcm"
        if isinstance(how, str):
            _link(path, place, how)
        else:
            try:
                write_bytes(place, how.clean(path.read_bytes(), description))
            except RefusedError as refused:
                why_not = refused.reason.sentence
                continue
        written += 1
    if not written:
        target.rmdir()
        counts[stem] -= 1
        return Copied(one, "", 0, why_not)
    left_out = why_not and f"{len(files) - written} files: {why_not}"
    return Copied(one, f"{study.name}/{name}", written, left_out)


def _link(path: Path, place: Path, how: str) -> None:
    if how == "symbolic":
        place.symlink_to(path)
        return
    try:
        os.link(path, place)
    except OSError as error:
        raise ConfigurationError(
            "the files cannot be linked from where OUT lies; name a folder of the same file "
            "system, or --link symbolic"
        ) from error


def _told(copied: Copied, how: Deidentifier | str, study: str) -> dict[str, Any]:
    row: dict[str, Any] = plain_row(copied.named) | {"study": study}
    if isinstance(how, Deidentifier):
        uid = copied.named.scanned.uid
        row |= {"series_instance_uid": how.uid(uid) if uid else "", "description": ""}
    folder = PurePosixPath(copied.folder).name or None
    return row | {"folder": folder, "files": copied.files, "why_not": copied.why_not}
