"""Running a validation: folders of label maps in, a page and tables out.

The only module of the room that touches files.
"""

import csv
import platform
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import scipy

from opencmr import __version__, storage
from opencmr.anatomy.policy import ACDC_POLICY
from opencmr.anatomy.reasons import Reason, reason_of
from opencmr.anatomy.structures import ACDC, LabelScheme
from opencmr.errors import ConfigurationError, GeometryError, InputError, OpencmrError
from opencmr.imaging.segmentation import Author, AuthorKind, Segmentation
from opencmr.intake.nifti.read import read_label_map
from opencmr.progress import Progress, silent
from opencmr.report.contents import DISCLAIMER
from opencmr.report.tables import csv_text
from opencmr.validate.case import (
    Case,
    MeasuredTwice,
    Score,
    measure_twice,
    require_one_grid,
    score_case,
)
from opencmr.validate.cohort import Cohort, summarise
from opencmr.validate.gallery import Picture, picture
from opencmr.validate.page import page
from opencmr.validate.rules import RULES
from opencmr.validate.tables import (
    CASE_COLUMNS,
    RESULT_COLUMNS,
    VOLUME_COLUMNS,
    case_rows,
    result_rows,
    volume_rows,
)

ENDINGS = (".nii.gz", ".nii")
NAMED_PHASE = re.compile(r"(?P<case>.+?)[-_ .](?P<phase>ed|es|frame[-_ ]?\d+)", re.IGNORECASE)
"""``patient001_ed`` and ``patient001_frame12``: a case, and one of its phases."""

SpacingMm = tuple[float, float, float] | None


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two folders.

    Attributes
    ----------
    folder : Path
    scheme : LabelScheme
        What the integers of its files mean.
    suffix : str
        End of the names, before ``.nii``, that is no part of the case; other files are passed
        over.
    """

    folder: Path
    scheme: LabelScheme = ACDC
    suffix: str = ""


@dataclass(frozen=True, slots=True)
class Pair:
    """A phase, or a cine, of one case in both folders."""

    case: str
    stated: str
    prediction: Path
    reference: Path


def validate(
    prediction: Side,
    reference: Side,
    output: Path,
    *,
    spacing_mm: SpacingMm = None,
    groups: Path | None = None,
    by: Sequence[str] = (),
    overwrite: bool = False,
    progress: Progress = silent,
) -> tuple[Cohort, list[Path]]:
    """Compare every label map with the reference of the same name and write the result.

    Parameters
    ----------
    prediction, reference : Side
    output : Path
        Result folder; see :func:`opencmr.storage.result_folder`.
    spacing_mm : (slice, row, column) or None
        The true spacing of every file, where theirs is missing or wrong.
    groups : Path or None
        CSV file whose first column names the cases.
    by : sequence of str
        Columns of ``groups`` whose values make groups of patients.

    Returns
    -------
    Cohort, list of Path
        What was found, and the files written.

    Raises
    ------
    InputError
        When a file lacks its counterpart, is no label map, or holds unknown labels.
    GeometryError
        When a file has no spacing, or lies on another grid than its counterpart.
    ConfigurationError
        When the groups do not fit, or the output cannot be written.
    """
    inputs = [prediction.folder, reference.folder, *([groups] if groups else [])]
    with storage.result_folder(output, overwrite=overwrite, inputs=inputs) as folder:
        cases = find_cases(prediction, reference)
        grouped = read_groups(groups, by, list(cases)) if groups else {}

        def read(name: str) -> Case:
            schemes = (prediction.scheme, reference.scheme)
            return _read_case(name, cases[name], schemes, spacing_mm)

        scores: list[Score] = []
        measured: list[MeasuredTwice] = []
        for done, name in enumerate(cases):
            progress("comparing", done, len(cases))
            case = read(name)
            scores += score_case(case)
            measured += measure_twice(case)
        progress("comparing", len(cases), len(cases))
        cohort = summarise(scores, measured, grouped)
        pictures = [
            drawn
            for score in cohort.worst
            if (drawn := picture(read(score.case), score)) is not None
        ]
        names = _write(folder, cohort, cases, (prediction, reference), pictures)
    return cohort, [output / name for name in names]


def find_cases(prediction: Side, reference: Side) -> dict[str, list[Pair]]:
    """Return the files of each case, both folders' side by side.

    Raises
    ------
    InputError
        When a folder holds no label map, a file has no counterpart, or two have one name.
    """
    found, truth = _files(prediction), _files(reference)
    for mine, other, where in ((found, truth, reference), (truth, found, prediction)):
        alone = sorted(set(mine) - set(other))
        if alone:
            more = f" (and {len(alone) - 1} more)" if len(alone) > 1 else ""
            raise InputError(
                f"{mine[alone[0]]}{more} has no counterpart {alone[0]}{where.suffix}.nii or "
                f".nii.gz in {where.folder}"
            )
    cases: dict[str, list[Pair]] = {}
    for key in sorted(found, key=_natural):
        named = NAMED_PHASE.fullmatch(key)
        case = named["case"] if named else key
        stated = named["phase"].upper() if named and len(named["phase"]) == 2 else ""
        cases.setdefault(case, []).append(Pair(case, stated, found[key], truth[key]))
    return cases


def read_groups(
    path: Path, columns: Sequence[str], cases: Sequence[str]
) -> dict[str, dict[str, str]]:
    """Return column to case to value of a CSV file whose first column names the cases.

    Raises
    ------
    ConfigurationError
        When it is no such file, lacks a column or a case, or names a case twice.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as lines:
            reader = csv.DictReader(lines)
            head = list(reader.fieldnames or ())
            rows = list(reader)
    except (UnicodeDecodeError, csv.Error) as error:
        raise ConfigurationError(f"{path} is no CSV file in UTF-8") from error
    missing = [column for column in columns if column not in head[1:]]
    if missing:
        raise ConfigurationError(
            f"{path} has no column {missing[0]!r}; its columns are {', '.join(head[1:])}"
        )
    named = [row[head[0]] for row in rows]
    twice = [name for name in dict.fromkeys(named) if named.count(name) > 1]
    if twice:
        raise ConfigurationError(f"{path} names the case {twice[0]} more than once")
    absent = [case for case in cases if case not in named]
    if absent:
        raise ConfigurationError(
            f"{path} lacks the case {absent[0]} in its first column {head[0]!r}"
        )
    wanted = set(cases)
    return {
        column: {row[head[0]]: row[column] or "" for row in rows if row[head[0]] in wanted}
        for column in columns
    }


def _natural(name: str) -> list[tuple[int, str]]:
    """Return what sorts frame 2 before frame 12."""
    parts = re.findall(r"\d+|\D+", name)
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in parts]


def _files(side: Side) -> dict[str, Path]:
    """Return the label maps of a folder by name, ending and suffix taken off."""
    found: dict[str, Path] = {}
    for path in sorted(side.folder.iterdir()):
        ending = next((e for e in ENDINGS if path.name.lower().endswith(e)), None)
        if ending is None or path.name.startswith(".") or not path.is_file():
            continue
        stem = path.name[: -len(ending)]
        if not stem.endswith(side.suffix) or stem == side.suffix:
            continue
        key = stem.removesuffix(side.suffix)
        if key in found:
            raise InputError(f"{found[key]} and {path} have one name: {key}")
        found[key] = path
    if not found:
        raise InputError(
            f"{side.folder} holds no file that ends in {side.suffix}.nii or {side.suffix}.nii.gz"
        )
    return found


def _read_case(
    name: str,
    pairs: Sequence[Pair],
    schemes: tuple[LabelScheme, LabelScheme],
    spacing_mm: SpacingMm,
) -> Case:
    """Read one case's files, each phase after the other."""
    found: list[Segmentation] = []
    truth: list[Segmentation] = []
    stated: list[str] = []
    for pair in pairs:
        one = _read(pair.prediction, schemes[0], spacing_mm)
        other = _read(pair.reference, schemes[1], spacing_mm)
        _require_match(pair.prediction, one, pair.reference, other)
        _require_one_stack(pairs[0].reference, truth, pair.reference, other)
        found.append(one)
        truth.append(other)
        stated += [pair.stated] * one.labels.shape[0]
    if len(pairs) > 1 and any(one.labels.shape[0] > 1 for one in truth):
        raise InputError(
            f"{pairs[0].reference} and the other files of the case {name} hold several phases "
            "each; expected one a file, or one file"
        )
    if len({s for s in stated if s}) < len([s for s in stated if s]):
        raise InputError(f"{pairs[0].reference}: the case {name} names a phase twice")
    return Case(name, _joined(found), _joined(truth), tuple(stated))


def _read(path: Path, scheme: LabelScheme, spacing_mm: SpacingMm) -> Segmentation:
    """Read one file as labels of a scheme; every error names the file."""
    try:
        read = read_label_map(path, spacing_mm=spacing_mm)
        author = Author(AuthorKind.IMPORT, "file")
        return Segmentation(read.labels, scheme, read.grid, ACDC_POLICY, author)
    except OpencmrError as error:
        raise _naming(path, error) from error


def _naming(path: Path, error: OpencmrError) -> OpencmrError:
    reason = reason_of(error)
    if reason is None:
        return type(error)(f"{path}: {error}")
    return type(error)(Reason(reason.code, f"{path}: {reason.sentence}"))


def _require_match(
    prediction: Path, found: Segmentation, reference: Path, truth: Segmentation
) -> None:
    if found.labels.shape[0] != truth.labels.shape[0]:
        raise GeometryError(
            f"{prediction} holds {found.labels.shape[0]} phases, "
            f"its reference {reference} {truth.labels.shape[0]}"
        )
    try:
        require_one_grid(found.grid, truth.grid)
    except GeometryError as error:
        raise GeometryError(
            f"{prediction} lies on another grid than {reference}: {error}"
        ) from error


def _require_one_stack(
    first: Path, read: Sequence[Segmentation], path: Path, now: Segmentation
) -> None:
    if not read:
        return
    try:
        require_one_grid(read[0].grid, now.grid)
    except GeometryError as error:
        raise GeometryError(
            f"{path} lies on another grid than {first} of the same case: {error}"
        ) from error


def _joined(parts: Sequence[Segmentation]) -> Segmentation:
    first = parts[0]
    labels = np.concatenate([part.labels for part in parts])
    return Segmentation(labels, first.scheme, first.grid, first.policy, first.author)


def _write(
    folder: Path,
    cohort: Cohort,
    cases: Mapping[str, Sequence[Pair]],
    sides: tuple[Side, Side],
    pictures: Sequence[Picture],
) -> list[str]:
    """Write page, tables and record; return their names."""
    prediction, reference = sides
    files = [pair for pairs in cases.values() for pair in pairs]
    facts = (
        ("Cases", str(len(cases))),
        ("Files", str(len(files))),
        ("Labels", prediction.scheme.name),
        ("Reference's labels", reference.scheme.name),
        ("opencmr", __version__),
    )
    rows = result_rows(cohort)
    contents = {
        "report.html": page(cohort, facts, pictures),
        "results.csv": csv_text(RESULT_COLUMNS, rows),
        "cases.csv": csv_text(CASE_COLUMNS, case_rows(cohort)),
        "volumes.csv": csv_text(VOLUME_COLUMNS, volume_rows(cohort)),
    }
    written = [
        storage.write_bytes(folder / name, text.encode("utf-8")) for name, text in contents.items()
    ]
    result = {
        "disclaimer": DISCLAIMER,
        "cases": list(cases),
        "labels": prediction.scheme.name,
        "reference_labels": reference.scheme.name,
        "never_read": [one.value for one in cohort.never_read],
        "results": rows,
        "worst": [
            {
                "case": s.case,
                "structure": s.structure.value,
                "phase": s.phase,
                "dice": round(s.dice, 6),
            }
            for s in cohort.worst
        ],
        "rules": dict(RULES),
    }
    written.append(storage.write_json(folder / "results.json", result))
    record = {
        "disclaimer": DISCLAIMER,
        "study": None,
        "versions": {
            "opencmr": __version__,
            "python": platform.python_version(),
            "numpy": np.__version__,
            "scipy": scipy.__version__,
        },
        "compared": [_hashes(pair) for pair in files],
        "files": [
            {"path": path.name, "sha256": storage.sha256_of(path)} for path in sorted(written)
        ],
    }
    written.append(storage.write_json(folder / storage.RUN_FILE, record))
    return [path.name for path in written]


def _hashes(pair: Pair) -> dict[str, str]:
    return {
        "prediction_sha256": storage.sha256_of(pair.prediction),
        "reference_sha256": storage.sha256_of(pair.reference),
    }
