"""Running a validation: folders of label maps in, a page and tables out.

With :mod:`opencmr.validate.model_run` the only module of the room that touches files.
"""

import platform
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import numpy as np
import scipy

from opencmr import __version__, storage
from opencmr.anatomy.policy import ACDC_POLICY
from opencmr.anatomy.reasons import Reason, reason_of
from opencmr.anatomy.structures import LabelScheme
from opencmr.csv_table import csv_lines, read_csv_text
from opencmr.errors import ConfigurationError, GeometryError, InputError, OpencmrError
from opencmr.imaging.segmentation import Author, AuthorKind, Segmentation
from opencmr.intake.nifti.given import stated_scheme
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
from opencmr.validate.claim import SOURCE, claim_items
from opencmr.validate.cohort import ALL, METRICS, RESAMPLES, SEED, WORST, Cohort, Groups, summarise
from opencmr.validate.conventions import Stated, choose_conventions, require_known_labels
from opencmr.validate.gallery import Picture, picture
from opencmr.validate.page import Table, claim_table, page
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
    scheme : LabelScheme or None
        What the integers of its files mean; None: what the JSON files beside them say, see
        :func:`opencmr.validate.conventions.choose_conventions`.
    suffix : str
        End of the names, before ``.nii``, that is no part of the case; other files are passed
        over.
    """

    folder: Path
    scheme: LabelScheme | None = None
    suffix: str = ""


@dataclass(frozen=True, slots=True)
class Pair:
    """A phase, or a cine, of one case in both folders."""

    case: str
    stated: str
    prediction: Path
    reference: Path


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A pair that is not compared: the prediction's file, and the reason in words."""

    file: str
    reason: str


@dataclass(frozen=True, slots=True)
class Background:
    """What is known beside the label maps, when a model was run first.

    Attributes
    ----------
    facts : tuple of (label, value)
        For the head of the page.
    remarks : tuple of str
        What the reader of the page must know.
    tables : tuple of Table
        For the page.
    claim : mapping
        Number of an item of CLAIM to what is known of it.
    results, record : mapping
        What ``results.json`` and ``run.json`` hold beside the comparison.
    versions : mapping
        Name to version of what else took part.
    written : tuple of Path
        Files that are already in the result folder.
    """

    facts: tuple[tuple[str, str], ...] = ()
    remarks: tuple[str, ...] = ()
    tables: tuple[Table, ...] = ()
    claim: Mapping[int, str] = field(default_factory=dict)
    results: Mapping[str, object] = field(default_factory=dict)
    record: Mapping[str, object] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    written: tuple[Path, ...] = ()


@dataclass(frozen=True, slots=True)
class Comparison:
    """What is compared with what.

    Attributes
    ----------
    cases : mapping
        Case to its files.
    labels, reference_labels : LabelScheme
        What the integers of either side mean.
    spacing_mm : (slice, row, column) or None
        The true spacing of every file, where theirs is missing or wrong.
    groups : mapping
        Column to case to value.
    left_out : tuple of LeftOut
        What the folders hold beside.
    """

    cases: Mapping[str, Sequence[Pair]]
    labels: LabelScheme
    reference_labels: LabelScheme
    spacing_mm: SpacingMm = None
    groups: Groups = field(default_factory=dict)
    left_out: tuple[LeftOut, ...] = ()

    def read(self, name: str) -> Case:
        """Read both sides' files of a case."""
        schemes = (self.labels, self.reference_labels)
        return _read_case(name, self.cases[name], schemes, self.spacing_mm)


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
) -> tuple[Cohort, list[Path], tuple[LeftOut, ...]]:
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
    Cohort, list of Path, tuple of LeftOut
        What was found, the files written, and what states another label convention.

    Raises
    ------
    InputError
        When a file lacks its counterpart, or is no label map.
    GeometryError
        When a file has no spacing, holds unknown labels, or lies on another grid than its
        counterpart.
    ConfigurationError
        When a side is of several label conventions and none is chosen, when the groups do not
        fit, or the output cannot be written.
    """
    inputs = [prediction.folder, reference.folder, *([groups] if groups else [])]
    with storage.result_folder(output, overwrite=overwrite, inputs=inputs) as folder:
        compared = _of_one_convention(find_cases(prediction, reference), prediction, reference)
        grouped = read_groups(groups, by, list(compared.cases)) if groups else {}
        compared = replace(compared, spacing_mm=spacing_mm, groups=grouped)
        cohort, names = compare(compared, folder, progress=progress)
    return cohort, [output / name for name in names], compared.left_out


def compare(
    compared: Comparison,
    folder: Path,
    *,
    background: Background | None = None,
    progress: Progress = silent,
) -> tuple[Cohort, list[str]]:
    """Compare both sides of every case and write page, tables and record into ``folder``.

    Returns
    -------
    Cohort, list of str
        What was found, and the names of the files written.

    Raises
    ------
    InputError, GeometryError
        As :func:`validate`.
    """
    scores: list[Score] = []
    measured: list[MeasuredTwice] = []
    for done, name in enumerate(compared.cases):
        progress("comparing", done, len(compared.cases))
        case = compared.read(name)
        scores += score_case(case)
        measured += measure_twice(case)
    progress("comparing", len(compared.cases), len(compared.cases))
    cohort = summarise(scores, measured, compared.groups)
    pictures = [
        drawn
        for score in cohort.worst
        if (drawn := picture(compared.read(score.case), score)) is not None
    ]
    return cohort, _write(folder, cohort, compared, background or Background(), pictures)


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
                f".nii.gz in {where.folder}. Compare files of the same names, and say with "
                "--suffix and --reference-suffix what their names end in beside"
            )
    cases: dict[str, list[Pair]] = {}
    for key in sorted(found, key=_natural):
        named = NAMED_PHASE.fullmatch(key)
        case = named["case"] if named else key
        stated = named["phase"].upper() if named and len(named["phase"]) == 2 else ""
        cases.setdefault(case, []).append(Pair(case, stated, found[key], truth[key]))
    return cases


def _of_one_convention(
    cases: Mapping[str, Sequence[Pair]], prediction: Side, reference: Side
) -> Comparison:
    """Return the pairs of one label convention a side, and what is of another."""
    pairs = {pair.prediction.name: pair for pairs in cases.values() for pair in pairs}
    stated: dict[str, Stated] = {
        name: (_stated(pair.prediction), _stated(pair.reference)) for name, pair in pairs.items()
    }
    chosen = choose_conventions(stated, prediction.scheme, reference.scheme)
    kept = {
        case: [pair for pair in pairs if pair.prediction.name not in chosen.left_out]
        for case, pairs in cases.items()
    }
    return Comparison(
        {case: pairs for case, pairs in kept.items() if pairs},
        chosen.prediction,
        chosen.reference,
        left_out=tuple(LeftOut(name, reason) for name, reason in chosen.left_out.items()),
    )


def _stated(path: Path) -> LabelScheme | None:
    try:
        return stated_scheme(path)
    except OpencmrError as error:
        raise naming(path, error) from error


def read_groups(
    path: Path, columns: Sequence[str], cases: Sequence[str]
) -> dict[str, dict[str, str]]:
    """Return column to case to value of a CSV file whose first column names the cases.

    Raises
    ------
    ConfigurationError
        When it is no such file, lacks a column or a case, or names a case twice.
    """
    what = "the table of groups"
    lines = csv_lines(read_csv_text(path, what), what)
    _, head = next(lines, (1, []))
    rows = [dict(zip(head, cells, strict=True)) for _, cells in lines]
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
        column: {row[head[0]]: row[column] for row in rows if row[head[0]] in wanted}
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
        one = read_labels(pair.prediction, schemes[0], spacing_mm)
        other = read_labels(pair.reference, schemes[1], spacing_mm)
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


def read_labels(path: Path, scheme: LabelScheme, spacing_mm: SpacingMm = None) -> Segmentation:
    """Read one file as labels of a scheme; every error names the file."""
    try:
        read = read_label_map(path, spacing_mm=spacing_mm)
        require_known_labels(read.labels, scheme)
        author = Author(AuthorKind.IMPORT, "file")
        return Segmentation(read.labels, scheme, read.grid, ACDC_POLICY, author)
    except OpencmrError as error:
        raise naming(path, error) from error


def naming(path: Path, error: OpencmrError) -> OpencmrError:
    """Return an error that names the file it is about."""
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
    compared: Comparison,
    background: Background,
    pictures: Sequence[Picture],
) -> list[str]:
    """Write page, tables and record; return their names."""
    files = [pair for pairs in compared.cases.values() for pair in pairs]
    facts = (
        *background.facts,
        ("Cases", str(len(compared.cases))),
        ("Files", str(len(files))),
        ("Labels", compared.labels.name),
        ("Reference's labels", compared.reference_labels.name),
        ("opencmr", __version__),
    )
    rows = result_rows(cohort)
    versions = {
        "opencmr": __version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "scipy": scipy.__version__,
        **background.versions,
    }
    claim = claim_items({**_known_of(cohort, len(files), versions), **background.claim})
    tables = (*background.tables, claim_table(claim))
    left_out = [f"Left out: {one.file}, as {one.reason}." for one in compared.left_out]
    remarks = [*background.remarks, *left_out]
    contents = {
        "report.html": page(cohort, facts, pictures, tables=tables, remarks=remarks),
        "results.csv": csv_text(RESULT_COLUMNS, rows),
        "cases.csv": csv_text(CASE_COLUMNS, case_rows(cohort)),
        "volumes.csv": csv_text(VOLUME_COLUMNS, volume_rows(cohort)),
    }
    written = [
        *background.written,
        *(
            storage.write_bytes(folder / name, text.encode("utf-8"))
            for name, text in contents.items()
        ),
    ]
    result = {
        "disclaimer": DISCLAIMER,
        "cases": list(compared.cases),
        "labels": compared.labels.name,
        "reference_labels": compared.reference_labels.name,
        "left_out": [asdict(one) for one in compared.left_out],
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
        **background.results,
        "claim": {"source": SOURCE, "items": [asdict(item) for item in claim]},
    }
    written.append(storage.write_json(folder / "results.json", result))
    record = {
        "disclaimer": DISCLAIMER,
        "study": None,
        "versions": versions,
        **background.record,
        "compared": [_hashes(pair) for pair in files],
        "files": [
            {"path": path.relative_to(folder).as_posix(), "sha256": storage.sha256_of(path)}
            for path in sorted(written)
        ],
    }
    written.append(storage.write_json(folder / storage.RUN_FILE, record))
    return [path.relative_to(folder).as_posix() for path in written]


def _known_of(cohort: Cohort, files: int, versions: Mapping[str, str]) -> dict[int, str]:
    """Return what a comparison alone knows of the items of CLAIM."""
    known = {
        23: ", ".join(f"{name} {version}" for name, version in versions.items()),
        28: f"{', '.join(metric.name for metric in METRICS)}; slices missed and invented; bias, "
        "limits of agreement, ICC(2,1), CV and Passing-Bablok line of volumes, function and mass",
        29: f"95 % intervals: {RESAMPLES} bootstrap draws over patients, seed {SEED}; Student's t "
        "for bias and limits; no test of significance is made",
        35: f"included: {len(cohort.cases)} cases, {files} labelled files; exclusions are for the "
        "author to say",
        39: f"the {min(len(cohort.worst), WORST)} comparisons of lowest Dice, with outlines where "
        "they differ",
    }
    overall = cohort.mean("dice", ALL)
    if overall and overall.mean:
        known[37] = f"mean Dice {overall.mean.value:.3f}; all figures: results.csv, cases.csv"
    return known


def _hashes(pair: Pair) -> dict[str, str]:
    return {
        "prediction_sha256": storage.sha256_of(pair.prediction),
        "reference_sha256": storage.sha256_of(pair.reference),
    }
