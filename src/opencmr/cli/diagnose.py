"""``opencmr diagnose``: what measurements may mean, with reasons, or why nobody can say."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from opencmr.cli import console
from opencmr.errors import ConfigurationError, InputError

if TYPE_CHECKING:
    from opencmr.imaging.finding import Finding
    from opencmr.imaging.study import Demographics

INDETERMINATE = 3
"""Exit status where no group is named."""
LARGEST_BYTES = 64 << 20
"""No file of measurements is larger."""


def diagnose(
    measurements: Annotated[
        Path | None,
        typer.Argument(
            metavar="MEASUREMENTS", help="measurements.json of a result.", show_default=False
        ),
    ] = None,
    ed: Annotated[Path | None, typer.Option(help="NIfTI stack at end-diastole.")] = None,
    es: Annotated[Path | None, typer.Option(help="NIfTI stack at end-systole.")] = None,
    height_cm: console.HeightCm = None,
    weight_kg: console.WeightKg = None,
    sex: console.Sex = None,
    age: console.AgeYears = None,
    spacing: console.Spacing = None,
    as_json: console.AsJson = False,
    quiet: console.Quiet = False,
    verbose: console.Verbose = False,
) -> None:
    """Say which of the five ACDC groups a heart's measurements resemble, and why.

    From MEASUREMENTS, or from --ed and --es. Decision support: research use only, not for
    diagnosis. Exit status 3 where no group can be named; the output says what made it so.
    """
    from opencmr.diagnose.study import find_in_rows
    from opencmr.imaging.study import Demographics
    from opencmr.models.library import read_library

    body = Demographics(
        sex=console.parse_sex(sex), age_years=age, height_cm=height_cm, weight_kg=weight_kg
    )
    card = read_library().choose_diagnosis()
    if measurements is None:
        finding = _finding_of_pair(ed, es, spacing, body) or find_in_rows([], [], body, card)
    elif ed is not None or es is not None or spacing is not None:
        raise ConfigurationError("name MEASUREMENTS, or --ed and --es (with --spacing), not both")
    else:
        finding = find_in_rows(*_rows_of_file(measurements), body, card)
    if as_json:
        console.print_json(finding.plain)
    else:
        for line in _lines(finding):
            typer.echo(line)
        typer.echo(f"Model: {card.title}; {card.terms}")
    if finding.group is None:
        raise typer.Exit(INDETERMINATE)


def _rows_of_file(path: Path) -> tuple[list[Mapping[str, object]], tuple[str, ...]]:
    """Return the rows of a ``measurements.json``, and the series that no network outlined."""
    from opencmr.diagnose.tissue_values import drawn_of

    console.require_file(path, "MEASUREMENTS")
    if not path.is_file() or path.stat().st_size > LARGEST_BYTES:
        raise InputError("MEASUREMENTS is no measurements.json: a folder, or too large")
    try:
        content = json.loads(path.read_bytes())
    except (UnicodeDecodeError, ValueError, RecursionError) as error:
        raise InputError("MEASUREMENTS is no JSON; expected measurements.json") from error
    rows = content.get("measurements") if isinstance(content, dict) else None
    if not isinstance(rows, list):
        raise InputError('MEASUREMENTS has no list "measurements"; expected measurements.json')
    return rows, drawn_of(content.get("segmentations"))


def _finding_of_pair(
    ed: Path | None, es: Path | None, spacing: str | None, body: "Demographics"
) -> "Finding | None":
    """Return the finding on a pair of stacks, as the analysis makes it; None without a heart."""
    from opencmr.intake.studies import read_pair
    from opencmr.pipeline import Configuration, analyze_study

    if ed is None or es is None:
        raise ConfigurationError("name MEASUREMENTS (measurements.json), or both --ed and --es")
    console.require_file(ed, "--ed")
    console.require_file(es, "--es")
    with read_pair(ed, es, spacing_mm=console.parse_spacing(spacing)) as studies:
        study = studies[0]
    return next(iter(analyze_study(study, Configuration(demographics=body)).findings), None)


def _lines(finding: "Finding") -> list[str]:
    """Return the finding for people."""
    from opencmr.imaging.finding import DISCLAIMER, Outcome

    lines = [DISCLAIMER]
    if finding.group is not None:
        lines.append(f"The measurements resemble the group {finding.group}")
    else:
        lines.append("Indeterminate:")
        lines += [f"  {doubt.sentence} ({doubt.code})" for doubt in finding.doubts]
    if finding.probabilities is not None and finding.novelty is not None:
        shares = ", ".join(f"{n} {100 * p:.0f} %" for n, p in finding.probabilities.items())
        lines += [
            f"Probabilities, were it one of these groups: {shares}",
            f"90 % set: {', '.join(finding.groups)}",
            f"{100 * finding.novelty:.0f} % of the training hearts resemble a group more",
        ]
    lines += [f"  - {one.sentence}" for one in finding.arguments]
    lines += [
        f"  Like an ACDC {group} case, {distance:.1f} SD a measurement away"
        for group, distance in finding.similar
    ]
    lines += [f"Disagreement: {text}" for text in finding.disagreements]
    lines.append("Rules:")
    for one in finding.criteria:
        if one.outcome is not Outcome.NOT_ASSESSABLE:
            lines.append(f"  {one.outcome.value}: {one.full_name} ({one.evidence})")
    left = [one for one in finding.criteria if one.outcome is Outcome.NOT_ASSESSABLE]
    lines += [f"  not assessable: {one.full_name}: {one.reason}" for one in left]
    return lines
