"""Write the reference pages that follow from the code: ``make reference``.

A test compares the pages with what this makes, so they cannot say what is not so.
"""

import ast
from itertools import pairwise
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent
GENERATED = "<!-- Made by make_reference.py; run `make reference` after a change. -->\n"


def table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    """Return a Markdown table."""
    lines = [head, tuple("---" for _ in head), *rows]
    return "".join(f"| {' | '.join(map(_cell, line))} |\n" for line in lines)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;").replace("\n", " ")


def quantities() -> str:
    """Return the page of quantities."""
    from opencmr.measure.registry import EVERY_QUANTITY

    rows = [
        (
            f"`{q.symbol}`",
            q.name,
            q.unit,
            str(q.decimals),
            f"{q.code.value} ({q.code.scheme})",
            q.meaning,
        )
        for q in EVERY_QUANTITY
    ]
    return (
        f"{GENERATED}# Quantities\n\n"
        "Every number that opencmr measures. The symbol is the same in the report, in\n"
        "`measurements.json`, in `measurements.csv` and in the source. Units are UCUM. Decimals\n"
        "are those of the report; the files hold more. Codes: `LN` LOINC, `SCT` SNOMED CT, `DCM`\n"
        "DICOM, `99OPENCMR` where no public code was found. A value that cannot be measured is\n"
        "null, with its reason. How the numbers are made: [volumes](../explanation/volumes.md),\n"
        "[wall thickness](../explanation/wall-thickness.md).\n\n"
    ) + table(("symbol", "name", "unit", "decimals", "code", "meaning"), rows)


def reason_codes() -> str:
    """Return the page of reason codes."""
    from opencmr.anatomy.reasons import REASON_CODES

    rows = [(f"`{c.code}`", c.meaning, c.remedy) for c in REASON_CODES.values()]
    return (
        f"{GENERATED}# Reason codes\n\n"
        "Why something was left out, withheld or flagged. The codes stand in the report and in\n"
        "`run.json`; the text beside a code there says what was found in that study. A flag has a\n"
        "severity: *info* (the numbers stand), *review* (a reader must look), *do not report*\n"
        "(the numbers concerned are withheld).\n\n"
    ) + table(("code", "meaning", "what to do"), rows)


def limits() -> str:
    """Return the page of the limits of the quality checks."""
    from opencmr.quality import limits as module

    body = ast.parse(Path(module.__file__).read_text("utf-8")).body
    rows = []
    for named, said in pairwise(body):
        if isinstance(named, ast.Assign) and isinstance(named.targets[0], ast.Name):
            name = named.targets[0].id
            source = ast.literal_eval(said.value) if isinstance(said, ast.Expr) else ""
            value = getattr(module, name)
            shown = ", ".join(f"{v:g}" for v in value) if isinstance(value, tuple) else f"{value:g}"
            rows.append((f"`{name}`", shown, " ".join(source.split())))
    return (
        f"{GENERATED}# Limits of the quality checks\n\n"
        "Every limit with its source, or the word *proposal* where none was found. Reference\n"
        "masks are the ED and ES masks of 80 ACDC patients (Bernard et al., IEEE TMI 2018),\n"
        "measured by `benchmarks/reference_limits.py`. The unit stands in the name.\n"
        "What follows from each: [report safety](../explanation/report-safety.md).\n\n"
    ) + table(("limit", "value", "meaning and source"), rows)


def rules() -> str:
    """Return the page of the rules of diagnosis."""
    from opencmr.diagnose.rule_table import RULES

    rows = [
        (
            rule.criterion,
            " and ".join(
                f"`{one.symbol}` {one.comparison.value} {one.cut_point:g} {one.unit}"
                for one in rule.conditions
            ),
            ", ".join(f"{one.margin:g}" for one in rule.conditions),
            rule.population,
            rule.papillary.value if rule.papillary else "any",
            rule.strength.value,
            rule.source,
        )
        for rule in RULES
    ]
    return (
        f"{GENERATED}# Rules of diagnosis\n\n"
        "Research use only, not for diagnosis. Each row is a criterion and what must hold for it,\n"
        "for whom, and under which contour policy. A value within the margin of its cut-point, or\n"
        "whose interval crosses it, is *near the cut-point*. Rows of one criterion are for groups\n"
        "apart; while sex or age is unknown it is assessable only where all of them agree.\n"
        "Symbols in capitals: [quantities](quantities.md); in small letters:\n"
        "[diagnosis](../explanation/diagnosis.md).\n\n"
    ) + table(
        ("criterion", "condition", "margin", "population", "contour policy", "strength", "source"),
        rows,
    )


def commands() -> str:
    """Return the page of commands."""
    import typer

    from opencmr.cli.application import application

    group: Any = typer.main.get_command(application)
    parts = [
        f"{GENERATED}# Commands\n\n",
        "`opencmr COMMAND --help` prints the same.\n\n",
        f"{group.epilog}\n",
    ]
    for name, command in group.commands.items():
        parts.append(f"\n## opencmr {name}\n\n{_paragraphs(command.help)}\n\n")
        rows = [_parameter(p) for p in command.params if p.name != "help"]
        parts.append(table(("argument or option", "meaning"), rows))
    return "".join(parts)


def _paragraphs(text: str | None) -> str:
    return "\n\n".join(" ".join(p.split()) for p in (text or "").strip().split("\n\n"))


def _parameter(parameter: Any) -> tuple[str, str]:
    """Return how a parameter is written and what it means."""
    if parameter.param_type_name == "argument":
        written = f"`{parameter.metavar or parameter.name.upper()}`"
    else:
        value = "" if parameter.is_flag else " " + (parameter.metavar or "VALUE")
        written = ", ".join(f"`{o}{value}`" for o in parameter.opts)
    meaning = [parameter.help or ""]
    if parameter.required and parameter.param_type_name == "option":
        meaning.append("Required.")
    default = parameter.default
    if isinstance(default, (str, int, float, Path)) and not isinstance(default, bool):
        meaning.append(f"Default: `{default}`.")
    return written, " ".join(filter(None, meaning))


PAGES = {
    "quantities.md": quantities,
    "reason-codes.md": reason_codes,
    "limits.md": limits,
    "rules.md": rules,
    "commands.md": commands,
}


def main() -> None:
    """Write every page."""
    for name, make in PAGES.items():
        (FOLDER / name).write_text(make(), encoding="utf-8")


if __name__ == "__main__":
    main()
