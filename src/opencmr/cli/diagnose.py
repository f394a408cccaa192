"""``opencmr diagnose``: what measurements may mean, with reasons, or why nobody can say."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from opencmr.anatomy.plausible import AGE_LIMIT_YEARS, HEIGHT_LIMITS_CM, WEIGHT_LIMITS_KG
from opencmr.cli import console
from opencmr.errors import ConfigurationError, InputError

if TYPE_CHECKING:
    from opencmr.diagnose.facts import Fact
    from opencmr.diagnose.opinion import Opinion
    from opencmr.imaging.study import Demographics, Study
    from opencmr.models.session import Networks

INDETERMINATE = 3
"""Exit status where no group is named."""
LARGEST_BYTES = 64 << 20
"""No file of measurements is larger."""
CONTRASTS = (0.973, 1.027)
"""Exponents of the grey values that move none by more than 1 % of their range (reliability row
N12)."""


def diagnose(
    measurements: Annotated[
        Path | None,
        typer.Argument(
            metavar="MEASUREMENTS", help="measurements.json of a result.", show_default=False
        ),
    ] = None,
    ed: Annotated[Path | None, typer.Option(help="NIfTI stack at end-diastole.")] = None,
    es: Annotated[Path | None, typer.Option(help="NIfTI stack at end-systole.")] = None,
    height_cm: Annotated[
        float | None,
        typer.Option(
            min=HEIGHT_LIMITS_CM[0], max=HEIGHT_LIMITS_CM[1], help="Body height, for indexing."
        ),
    ] = None,
    weight_kg: Annotated[
        float | None,
        typer.Option(
            min=WEIGHT_LIMITS_KG[0], max=WEIGHT_LIMITS_KG[1], help="Body weight, for indexing."
        ),
    ] = None,
    sex: Annotated[str | None, typer.Option(help="M or F.")] = None,
    age: Annotated[float | None, typer.Option(min=0, max=AGE_LIMIT_YEARS, help="Years.")] = None,
    spacing: console.Spacing = None,
    as_json: console.AsJson = False,
    quiet: console.Quiet = False,
    verbose: console.Verbose = False,
) -> None:
    """Say which of the five ACDC groups a heart's measurements resemble, and why.

    From MEASUREMENTS, or from --ed and --es. Decision support: research use only, not for
    diagnosis. Exit status 3 where no group can be named; the output says what made it so.
    """
    from opencmr.diagnose.body import with_indices
    from opencmr.diagnose.classifier import load_classifier
    from opencmr.diagnose.opinion import form_opinion
    from opencmr.imaging.study import Demographics
    from opencmr.models.session import Networks

    if sex is not None and sex.upper() not in ("M", "F"):
        raise typer.BadParameter("--sex takes M or F")
    body = Demographics(
        sex=sex.upper() if sex else None, age_years=age, height_cm=height_cm, weight_kg=weight_kg
    )
    networks = Networks()
    card = networks.library.choose_diagnosis()
    classifier = load_classifier(card)
    others: Mapping[str, Mapping[str, Fact]] = {}
    if measurements is None:
        facts, others = _facts_of_pair(ed, es, spacing, body, networks)
    elif ed is not None or es is not None or spacing is not None:
        raise ConfigurationError("name MEASUREMENTS, or --ed and --es (with --spacing), not both")
    else:
        facts = with_indices(_facts_of_file(measurements), body)
    opinion = form_opinion(facts, classifier, sex=body.sex, age_years=body.age_years, others=others)
    model = {"name": card.name, "version": card.version, "sha256": card.sha256}
    if as_json:
        console.print_json({**opinion.plain, "model": {**model, "terms": card.terms}})
    else:
        for line in _lines(opinion):
            typer.echo(line)
        typer.echo(f"Model: {card.title}; {card.terms}")
    if opinion.group is None:
        raise typer.Exit(INDETERMINATE)


def _facts_of_file(path: Path) -> dict[str, "Fact"]:
    from opencmr.diagnose.facts import facts_of_rows

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
    return facts_of_rows(rows)


def _facts_of_pair(
    ed: Path | None,
    es: Path | None,
    spacing: str | None,
    body: "Demographics",
    networks: "Networks",
) -> tuple[dict[str, "Fact"], dict[str, dict[str, "Fact"]]]:
    """Return the facts of a pair of stacks, and those under slightly other contrasts."""
    from opencmr.intake.studies import read_pair

    if ed is None or es is None:
        raise ConfigurationError("name MEASUREMENTS (measurements.json), or both --ed and --es")
    console.require_file(ed, "--ed")
    console.require_file(es, "--es")
    with read_pair(ed, es, spacing_mm=console.parse_spacing(spacing)) as studies:
        study = studies[0]
    others = {
        f"grey values moved by up to 1 % ({word})": _facts_of_study(
            _with_contrast(study, exponent), body, networks
        )
        for word, exponent in zip(("brighter", "darker"), CONTRASTS, strict=True)
    }
    return _facts_of_study(study, body, networks), others


def _with_contrast(study: "Study", exponent: float) -> "Study":
    from dataclasses import replace

    (series,) = study.series
    values = series.image.values
    low, high = values.min(), values.max()
    changed = low + (high - low) * ((values - low) / (high - low)) ** exponent
    image = replace(series.image, values=changed.astype(values.dtype))
    return replace(study, series=(replace(series, image=image),))


def _facts_of_study(
    study: "Study", body: "Demographics", networks: "Networks"
) -> dict[str, "Fact"]:
    """Return what the analysis measured and did not withhold, and the wall's shape."""
    from opencmr.diagnose.facts import facts_of, with_values
    from opencmr.diagnose.shape import shape_values
    from opencmr.imaging.flag import Severity
    from opencmr.measure import Ventricles
    from opencmr.measure.ventricles import Unmeasurable
    from opencmr.pipeline import Configuration, analyze_study

    report = analyze_study(study, Configuration(demographics=body), networks=networks)
    facts = facts_of(report.measurements)
    spoilt = any(flag.severity is Severity.DO_NOT_REPORT for flag in report.flags)
    for series in report.measured_series():
        if spoilt:
            break
        segmentation = report.segmentations[series.key]
        ventricles = Ventricles(segmentation, series.image, report.study.demographics, series.key)
        try:
            facts = with_values(facts, shape_values(ventricles))
        except Unmeasurable:
            continue  # the sheets that need no wall answer
    return facts


def _lines(opinion: "Opinion") -> list[str]:
    """Return the opinion for people."""
    from opencmr.diagnose.opinion import DISCLAIMER
    from opencmr.diagnose.rules import Outcome

    answer = opinion.answer
    lines = [DISCLAIMER]
    if opinion.group is not None:
        lines.append(f"The measurements resemble the group {opinion.group}")
    else:
        lines.append("Indeterminate:")
        lines += [f"  {doubt.sentence} ({doubt.code})" for doubt in opinion.doubts]
    if answer is not None:
        shares = ", ".join(f"{n} {100 * p:.0f} %" for n, p in answer.probabilities.items())
        lines += [
            f"Probabilities: {shares}",
            f"90 % set: {', '.join(answer.groups)}",
            f"{100 * answer.novelty:.0f} % of the training hearts lie nearer to their group",
        ]
    lines += [f"  - {one.sentence}" for one in opinion.arguments]
    lines += [
        f"  Like an ACDC {group} case, {distance:.1f} SD a measurement away"
        for group, distance in opinion.similar
    ]
    lines += [f"Disagreement: {text}" for text in opinion.disagreements]
    lines.append("Rules:")
    for one in opinion.judgements:
        if one.outcome is not Outcome.NOT_ASSESSABLE:
            lines.append(f"  {one.outcome.value}: {one.rule.criterion} ({one.evidence})")
    left = [one for one in opinion.judgements if one.outcome is Outcome.NOT_ASSESSABLE]
    lines += [f"  not assessable: {one.rule.criterion}: {one.reason}" for one in left]
    return lines
