"""The page of a validation: what a reader looks at first, then tables, pictures, rules."""

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from opencmr import __version__
from opencmr.report.contents import DISCLAIMER
from opencmr.report.plain_text import shown
from opencmr.report.rows import unit_text
from opencmr.report.templating import FONT, environment
from opencmr.validate.agreement import Estimate
from opencmr.validate.case import LEVELS, WHOLE, Score
from opencmr.validate.charts import bland_altman_chart, correlation_chart
from opencmr.validate.claim import SOURCE, Item
from opencmr.validate.cohort import (
    ALL,
    METRICS,
    Cohort,
    Metric,
    Presence,
    Summary,
    VolumeAgreement,
)
from opencmr.validate.gallery import Picture
from opencmr.validate.rules import RULES
from opencmr.validate.variability import PERCENTILES, Range, Variety

DRAWN = ("LVEDV", "LVESV", "LVEF", "LVM", "RVEDV", "RVESV", "RVEF")
"""Quantities that get pictures; stroke volumes follow from two of them."""
KEYS = (("dice", ALL), ("hausdorff95_mm", ALL))
NONE = "–"


@dataclass(frozen=True, slots=True)
class Fact:
    """A label and what it says."""

    label: str
    value: str


@dataclass(frozen=True, slots=True)
class Key:
    """One of the great numbers."""

    name: str
    value: str
    unit: str
    foot: str


@dataclass(frozen=True, slots=True)
class Table:
    """A table: the first ``texts`` columns are words, the others numbers."""

    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    texts: int
    hint: str = ""


def page(
    cohort: Cohort,
    facts: Sequence[tuple[str, str]],
    pictures: Sequence[Picture] = (),
    *,
    tables: Sequence[Table] = (),
    remarks: Sequence[str] = (),
) -> str:
    """Return the page's markup; the templates escape every text.

    Parameters
    ----------
    cohort : Cohort
    facts : sequence of (label, value)
        What was compared, for the head of the page.
    pictures : sequence of Picture
        Of the worst comparisons.
    tables, remarks
        What is known beside the cohort; the tables stand below its own.
    """
    env = environment()
    overall = [a for a in cohort.agreements if not a.column and a.agreement]
    drawn = [a for a in overall if a.quantity.symbol in DRAWN]
    charts = [
        chart
        for found in drawn
        for draw in (bland_altman_chart, correlation_chart)
        if (chart := draw(found, unit_text(found.quantity.unit)))
    ]
    own = [
        _overlap_table(cohort),
        _level_table(cohort),
        _agreement_table(overall),
        _group_table(cohort),
        _worst_table(cohort.worst),
    ]
    return env.get_template("validation.html.j2").render(
        facts=[Fact(label, shown(value)) for label, value in facts],
        keys=_keys(cohort),
        remarks=[*remarks, *_remarks(cohort)],
        tables=[table for table in own if table.rows],
        more=[table for table in tables if table.rows],
        pictures=pictures,
        outlines=lambda one: Markup(env.get_template("outlines.svg.j2").render(picture=one)),
        charts=charts,
        rules=RULES,
        disclaimer=DISCLAIMER,
        version=__version__,
        svg=lambda chart: Markup(env.get_template("scatter.svg.j2").render(chart=chart, font=FONT)),
    )


def claim_table(items: Sequence[Item]) -> Table:
    """Return the items of CLAIM as a table."""
    rows = tuple((str(item.number), item.topic, shown(item.text)) for item in items)
    return Table("CLAIM", ("Item", "Topic", "Known"), rows, 3, f"{SOURCE}.")


def variability_table(varieties: Sequence[Variety]) -> Table:
    """Return what a data set spans as a table."""
    rows = tuple(
        (
            shown(one.column),
            shown(one.group),
            str(one.subjects),
            str(one.stacks),
            _span(one.slices, 0),
            _span(one.slice_spacing_mm, 1),
            _span(one.row_spacing_mm, 2),
            _span(one.column_spacing_mm, 2),
            _span(one.dark, 0),
            _span(one.middle, 0),
            _span(one.bright, 0),
            _span(one.contrast, 1),
        )
        for one in varieties
    )
    head = (
        "By",
        "Group",
        "Subjects",
        "Stacks",
        "Slices",
        "Slice spacing, mm",
        "Row spacing, mm",
        "Column spacing, mm",
        *(f"Intensity, {p:g} %" for p in PERCENTILES),
        "Cavity over wall",
    )
    hint = (
        "Median over stacks and [least to greatest]. Intensities are percentiles of each stack in "
        "its own arbitrary unit; cavity over wall: mean intensities inside the reference."
    )
    return Table("Variety of the data", head, rows, 2, hint)


def _span(one: Range | None, decimals: int) -> str:
    if one is None:
        return NONE
    low, median, high = (f"{v:.{decimals}f}" for v in (one.low, one.median, one.high))
    return median if low == high else f"{median} [{low} to {high}]"


def _keys(cohort: Cohort) -> list[Key]:
    keys = []
    for field, structure in KEYS:
        found = cohort.mean(field, structure)
        if found and found.mean:
            metric = found.metric
            keys.append(
                Key(
                    f"{metric.name}, all structures",
                    f"{found.mean.value:.{metric.decimals}f}",
                    unit_text(metric.unit) if metric.unit != "1" else "",
                    _interval(found.mean, metric.decimals),
                )
            )
    for one in cohort.agreements:
        agreed = one.agreement
        if agreed and one.quantity.symbol in ("LVEF", "RVEF") and not one.column:
            limits = f"{_signed(agreed.lower.value)} to {_signed(agreed.upper.value)}"
            keys.append(
                Key(
                    f"{one.quantity.symbol} bias",
                    _signed(agreed.bias.value),
                    unit_text(one.quantity.unit),
                    f"limits {limits}",
                )
            )
    return keys


def _remarks(cohort: Cohort) -> list[str]:
    remarks = [
        f"{one.value}: no reference shows it anywhere, so it is not scored."
        for one in cohort.never_read
    ]
    for found in cohort.agreements:
        if found.without and not found.column:
            remarks.append(
                f"{found.quantity.symbol}: {found.without} cases have a reference and no "
                "measured value; agreement is over the others."
            )
    return remarks


def _overlap_table(cohort: Cohort) -> Table:
    parts = list(
        dict.fromkeys(
            s.part for s in cohort.summaries if not s.part.column and s.part.level == WHOLE
        )
    )
    by_part = {(s.part, s.metric): s for s in cohort.summaries}
    rows = tuple(
        (
            part.structure,
            part.phase,
            str(by_part[part, METRICS[0]].cases),
            *(_mean(by_part[part, metric]) for metric in METRICS),
        )
        for part in parts
    )
    return Table(
        "Overlap and surface distance",
        ("Structure", "Phase", "Cases", *(_headed(metric) for metric in METRICS)),
        rows,
        2,
        "Mean and 95 % interval over patients; n: comparisons without a value, as a mask is empty.",
    )


def _level_table(cohort: Cohort) -> Table:
    dices = {s.part: s for s in cohort.summaries if s.metric.field == "dice"}
    rows = tuple(
        (
            one.part.structure,
            one.part.level,
            one.part.phase,
            _mean(dices[one.part]),
            *_shares(one),
        )
        for one in sorted(
            (p for p in cohort.presence if p.part.level in LEVELS and p.part.phase != ALL),
            key=lambda p: (p.part.structure, LEVELS.index(p.part.level), p.part.phase),
        )
    )
    return Table(
        "Base, middle, apex",
        ("Structure", "Level", "Phase", "Dice", "Slices missed", "Slices invented"),
        rows,
        3,
        "Missed: of the slices in which the reference shows it; invented: of the others.",
    )


def _agreement_table(found: Sequence[VolumeAgreement]) -> Table:
    rows = []
    for one in found:
        agreed = one.agreement
        if agreed is None:
            continue
        decimals = 1
        rows.append(
            (
                one.quantity.symbol,
                unit_text(one.quantity.unit),
                str(agreed.cases),
                _with_interval(agreed.bias, decimals),
                _with_interval(agreed.lower, decimals),
                _with_interval(agreed.upper, decimals),
                f"{agreed.mean_absolute:.1f}",
                _with_interval(agreed.icc, 3),
                NONE if agreed.cv_percent is None else f"{agreed.cv_percent:.1f}",
                _with_interval(agreed.slope, 2),
                _with_interval(agreed.intercept, decimals),
            )
        )
    head = (
        "Quantity",
        "Unit",
        "Cases",
        "Bias",
        "Lower limit",
        "Upper limit",
        "Mean absolute",
        "ICC(2,1)",
        "CV, %",
        "Slope",
        "Intercept",
    )
    return Table("Agreement of volumes, function and mass", head, tuple(rows), 2)


def _group_table(cohort: Cohort) -> Table:
    biases = {
        (a.column, a.group): a.agreement.bias
        for a in cohort.agreements
        if a.agreement and a.quantity.symbol == "LVEF"
    }
    found = {
        (s.part.column, s.part.group, s.metric.field): s
        for s in cohort.summaries
        if s.part.column and s.part.structure == ALL
    }
    rows = tuple(
        (
            shown(column),
            shown(group),
            str(found[column, group, "dice"].cases),
            *(_mean(found[column, group, field]) for field, _ in KEYS),
            _with_interval(biases.get((column, group)), 1),
        )
        for column, group in dict.fromkeys((c, g) for c, g, _ in found)
    )
    return Table(
        "Groups", ("Column", "Group", "Cases", "Dice", "HD95, mm", "LVEF bias, %"), rows, 2
    )


def _worst_table(worst: Sequence[Score]) -> Table:
    rows = tuple(
        (
            shown(score.case),
            score.structure.value,
            score.phase,
            f"{score.dice:.3f}",
            NONE if score.hausdorff95_mm is None else f"{score.hausdorff95_mm:.1f}",
            f"{score.missed_slices} of {score.slices_with}",
            f"{score.invented_slices} of {score.slices_without}",
        )
        for score in worst
    )
    head = ("Case", "Structure", "Phase", "Dice", "HD95, mm", "Slices missed", "Slices invented")
    return Table("Look at these first", head, rows, 3, "The comparisons of lowest Dice.")


def _headed(metric: Metric) -> str:
    return metric.name if metric.unit == "1" else f"{metric.name}, {metric.unit}"


def _mean(found: Summary) -> str:
    text = _with_interval(found.mean, found.metric.decimals)
    return f"{text} (n {found.undefined})" if found.undefined else text


def _shares(one: Presence) -> tuple[str, str]:
    return f"{one.missed} of {one.slices_with}", f"{one.invented} of {one.slices_without}"


def _with_interval(one: Estimate | None, decimals: int) -> str:
    if one is None:
        return NONE
    value = _minus(f"{one.value:.{decimals}f}")
    return f"{value} [{_bounds(one, decimals)}]" if one.interval else value


def _interval(one: Estimate, decimals: int) -> str:
    return f"95 % interval {_bounds(one, decimals)}" if one.interval else "too few for an interval"


def _bounds(one: Estimate, decimals: int) -> str:
    return " to ".join(_minus(f"{end:.{decimals}f}") for end in one.interval or ())


def _signed(value: float) -> str:
    return _minus(f"{value:+.1f}")


def _minus(text: str) -> str:
    return text.replace("-", "\N{MINUS SIGN}")
