"""What a report tells, in words and ready-made numbers, before a page or a PDF sets it.

Pure: a :class:`Story` holds text, percentages and nothing else.  Every text in it is data that
a template must escape.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace

from opencmr.analyses.function import NAME as FUNCTION
from opencmr.anatomy.plausible import MYOCARDIUM_G_PER_ML
from opencmr.anatomy.reasons import REASON_CODES
from opencmr.imaging.flag import QualityFlag, Severity
from opencmr.imaging.measurement import Measurement, ReferenceVerdict
from opencmr.imaging.study import Series
from opencmr.report.contents import DISCLAIMER, Report
from opencmr.report.plain_text import iso_date, person_name, prose, shown
from opencmr.report.reporting_elements import CITATION, missing_elements

LV_ROWS = (
    ("LVEDV", "End-diastolic volume"),
    ("LVEDVi", "indexed"),
    ("LVESV", "End-systolic volume"),
    ("LVESVi", "indexed"),
    ("LVSV", "Stroke volume"),
    ("LVSVi", "indexed"),
    ("LVEF", "Ejection fraction"),
    ("LVCO", "Cardiac output"),
    ("LVCI", "indexed"),
    ("LVM", "Mass, end-diastole"),
    ("LVMi", "indexed"),
)
RV_ROWS = (
    ("RVEDV", "End-diastolic volume"),
    ("RVEDVi", "indexed"),
    ("RVESV", "End-systolic volume"),
    ("RVESVi", "indexed"),
    ("RVSV", "Stroke volume"),
    ("RVSVi", "indexed"),
    ("RVEF", "Ejection fraction"),
    ("RVCO", "Cardiac output"),
    ("RVCI", "indexed"),
)
GIVEN_PHASE_LV_ROWS = (
    ("LVV", "Volume at the given phase"),
    ("LVMASS", "Mass at the given phase"),
)
GIVEN_PHASE_RV_ROWS = (("RVV", "Volume at the given phase"),)
"""Of a stack at one phase, which is neither end-diastole nor end-systole."""
KEY_NUMBERS = (("LVEF",), ("LVEDVi", "LVEDV"), ("RVEF",), ("LVMi", "LVM"))
"""The four numbers set large; the first of each that has a value is shown."""
DITTO = "″"
PHASE_SUFFIX = "_PHASE"
"""Quantities that number a cardiac phase: told beside the curves and the pictures."""
EXPECTED = frozenset({"Study date", "Scanner"})
"""Study facts that are shown as not given when they are not."""
STRIP_MARGIN = 0.7
"""Width of the strip outside the normal range on either side, in widths of the range."""
TEXT_LIMIT = 600
"""Characters shown of a message, a reason or evidence."""
_SHOWN_UNITS = {"m2": "m²", "mm2": "mm²", "1": ""}


@dataclass(frozen=True, slots=True)
class Fact:
    """A labelled fact."""

    label: str
    value: str


@dataclass(frozen=True, slots=True)
class Strip:
    """Where a value lies about its normal range, in percent of a strip's width."""

    band_start: float
    band_end: float
    marker: float
    beyond: str
    """``low`` or ``high`` when the value lies off the strip, else empty."""


@dataclass(frozen=True, slots=True)
class Row:
    """One measurement as a table shows it."""

    symbol: str
    label: str
    name: str
    value: str
    unit: str
    interval: str
    range: str
    z_score: str
    verdict: str
    strip: Strip | None
    reason: str
    evidence: str
    indexed: bool = False


@dataclass(frozen=True, slots=True)
class Remark:
    """One quality flag."""

    severity: str
    code: str
    message: str
    evidence: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Banner:
    """How sure: the worst flag in plain words."""

    level: str
    """``clear``, ``review`` or ``withheld``."""
    headline: str
    advice: str


@dataclass(frozen=True, slots=True)
class TruthRow:
    """A known truth beside what was measured."""

    symbol: str
    name: str
    unit: str
    truth: str
    measured: str
    difference: str


@dataclass(frozen=True, slots=True)
class SeriesLine:
    """One series and what became of it."""

    key: str
    description: str
    view: str
    sequence: str
    confidence: str
    size: str
    spacing: str
    verdict: str
    measured: bool
    because: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class LeftOutLine:
    """Input that was not used."""

    what: str
    code: str
    reason: str
    count: int


@dataclass(frozen=True, slots=True)
class ModelLine:
    """A model and its terms."""

    name: str
    sha256: str
    terms: str
    training_data: str


@dataclass(frozen=True, slots=True)
class MissingGroup:
    """Recommended elements that are missing for one reason."""

    why: str
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Story:
    """Everything that a page or a PDF says in words."""

    disclaimer: str
    patient: str
    patient_facts: tuple[Fact, ...]
    study_facts: tuple[Fact, ...]
    measured_from: str
    banner: Banner
    remarks: tuple[Remark, ...]
    key_numbers: tuple[Row, ...]
    lv: tuple[Row, ...]
    rv: tuple[Row, ...]
    further: tuple[Row, ...]
    notes: tuple[str, ...]
    range_sources: tuple[str, ...]
    no_range_reasons: tuple[str, ...]
    truth: tuple[TruthRow, ...]
    series: tuple[SeriesLine, ...]
    left_out: tuple[LeftOutLine, ...]
    missing: tuple[MissingGroup, ...]
    missing_citation: str
    method: tuple[Fact, ...]
    models: tuple[ModelLine, ...]
    versions: tuple[Fact, ...]
    created: str
    study_key: str


def tell(report: Report) -> Story:
    """Return the story of a report."""
    whole_heart = report.measurements.whole_heart
    lv = (*_at_given_phase(report, GIVEN_PHASE_LV_ROWS), *_chamber(report, LV_ROWS))
    rv = (*_at_given_phase(report, GIVEN_PHASE_RV_ROWS), *_chamber(report, RV_ROWS))
    placed = {row.symbol for row in (*lv, *rv)} | {"BSA"}
    whole_reasons = {row.reason for row in (*lv, *rv) if not row.indexed}
    not_indexed = _distinct(
        row.reason for row in (*lv, *rv) if row.indexed and row.reason not in whole_reasons
    )
    further = tuple(
        _row(m, m.quantity.name)
        for m in whole_heart
        if (m.analysis != FUNCTION or m.quantity.symbol not in placed)
        and not m.quantity.symbol.endswith(PHASE_SUFFIX)
    )
    return Story(
        disclaimer=DISCLAIMER,
        patient=person_name(report.study.identity.patient_name) or "Name not given",
        patient_facts=_patient_facts(report),
        study_facts=_study_facts(report),
        measured_from=_measured_from(report),
        banner=_banner(report),
        remarks=tuple(_remark(flag) for flag in _worst_first(report.flags)),
        key_numbers=_key_numbers(report),
        lv=_told_once(lv),
        rv=_told_once(rv),
        further=further,
        range_sources=_distinct(
            f"{m.reference.population}: {m.reference.citation}" for m in whole_heart if m.reference
        ),
        notes=(
            *_interval_notes(report),
            *(f"Not indexed to body size: {reason}." for reason in not_indexed),
        ),
        no_range_reasons=_distinct(
            prose(m.reference_reason, TEXT_LIMIT)
            for m in whole_heart
            if m.value is not None and not m.reference
        ),
        truth=_truth(report),
        series=tuple(_series_line(series, report) for series in report.study.series),
        left_out=tuple(
            LeftOutLine(
                shown(item.what),
                item.reason.code,
                prose(item.reason, TEXT_LIMIT),
                item.count,
            )
            for item in report.study.left_out
        ),
        missing=_missing(report),
        missing_citation=CITATION,
        method=_method(report),
        models=tuple(
            ModelLine(
                shown(f"{model.name} {model.version}"),
                model.sha256,
                shown(model.terms, TEXT_LIMIT),
                shown(model.training_data, TEXT_LIMIT),
            )
            for model in report.provenance.models
        ),
        versions=_versions(report),
        created=shown(report.provenance.created, 40),
        study_key=report.study.key,
    )


def unit_text(unit: str) -> str:
    """Return a UCUM unit as a reader writes it.

    >>> unit_text("mL/m2")
    'mL/m²'
    """
    return "/".join(_SHOWN_UNITS.get(part, part) for part in unit.split("/"))


def _distinct(texts: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(shown(text, TEXT_LIMIT) for text in texts if text))


def _number(value: float | None, decimals: int) -> str:
    """Return a number with a true minus sign, or a dash when there is none."""
    if value is None or not math.isfinite(value):
        return "–"
    text = f"{value:.{decimals}f}"
    return text.replace("-", "\N{MINUS SIGN}") if float(text) else text.lstrip("-")


def _chamber(report: Report, rows: tuple[tuple[str, str], ...]) -> tuple[Row, ...]:
    function = report.measurements.of(FUNCTION)
    found = ((function.find(symbol), label) for symbol, label in rows)
    return tuple(_row(measurement, label) for measurement, label in found if measurement)


def _at_given_phase(report: Report, rows: tuple[tuple[str, str], ...]) -> tuple[Row, ...]:
    """Return the rows of a stack at one phase; none of a cine, whose curves are drawn."""
    still = {series.key for series in report.measured_series() if series.image.phases == 1}
    curves = ((report.measurements.of(FUNCTION).curve(symbol), label) for symbol, label in rows)
    return tuple(
        _row(curve.at(0), label)
        for curve, label in curves
        if curve and curve.values.size and curve.series in still
    )


def _told_once(rows: tuple[Row, ...]) -> tuple[Row, ...]:
    """Return the rows of a table without repeating why there is no value.

    An index without a value is left to a note under the table; a reason that repeats that of
    the row before becomes a ditto mark.
    """
    kept = [row for row in rows if not (row.indexed and row.reason)]
    before = ["", *(row.reason for row in kept)]
    return tuple(
        replace(row, reason=DITTO) if row.reason and row.reason == previous else row
        for row, previous in zip(kept, before, strict=False)
    )


def _key_numbers(report: Report) -> tuple[Row, ...]:
    chosen = []
    function = report.measurements.of(FUNCTION)
    for symbols in KEY_NUMBERS:
        found = [m for symbol in symbols if (m := function.find(symbol))]
        with_value = [m for m in found if m.value is not None]
        if found:
            best = (with_value or found)[0]
            chosen.append(_row(best, best.quantity.name))
    return tuple(chosen)


def _row(measurement: Measurement, label: str) -> Row:
    quantity = measurement.quantity
    reference = measurement.reference if measurement.value is not None else None
    interval = measurement.interval
    return Row(
        symbol=quantity.symbol,
        label=label,
        name=quantity.name,
        value=_number(measurement.value, quantity.decimals),
        unit=unit_text(quantity.unit),
        interval="–".join(_number(end, quantity.decimals) for end in interval) if interval else "",
        range=_range_text(reference, quantity.decimals),
        z_score=_signed(reference.z_score, 1) if reference else "",
        verdict=reference.verdict if reference else "",
        strip=_strip(measurement.value, reference),
        reason=prose(measurement.reason, TEXT_LIMIT),
        evidence=shown(measurement.evidence, TEXT_LIMIT),
        indexed=label == "indexed",
    )


def _signed(value: float | None, decimals: int) -> str:
    if value is None or not math.isfinite(value):
        return ""
    text = _number(value, decimals)
    return text if value < 0 or not float(f"{value:.{decimals}f}") else f"+{text}"


def _range_text(reference: ReferenceVerdict | None, decimals: int) -> str:
    if reference is None:
        return ""
    low, high = reference.low, reference.high
    if math.isfinite(low) and math.isfinite(high):
        return f"{_number(low, decimals)}–{_number(high, decimals)}"
    if math.isfinite(low):
        return f"≥ {_number(low, decimals)}"
    return f"≤ {_number(high, decimals)}" if math.isfinite(high) else ""


def _strip(value: float | None, reference: ReferenceVerdict | None) -> Strip | None:
    if value is None or reference is None or not math.isfinite(value):
        return None
    width = reference.high - reference.low
    if not math.isfinite(width) or width <= 0:
        return None
    total = 1 + 2 * STRIP_MARGIN
    place = ((value - reference.low) / width + STRIP_MARGIN) / total
    return Strip(
        band_start=round(100 * STRIP_MARGIN / total, 2),
        band_end=round(100 * (1 + STRIP_MARGIN) / total, 2),
        marker=round(100 * min(max(place, 0.0), 1.0), 2),
        beyond="low" if place < 0 else "high" if place > 1 else "",
    )


def _patient_facts(report: Report) -> tuple[Fact, ...]:
    identity, person = report.study.identity, report.study.demographics
    bsa_m2 = report.measurements.of(FUNCTION).value("BSA")
    facts = (
        ("ID", shown(identity.patient_id, 64)),
        ("Born", iso_date(identity.birth_date)),
        ("Sex", {"M": "male", "F": "female"}.get(person.sex or "", shown(person.sex or "", 20))),
        ("Age", _with_unit(person.age_years, 0, "years")),
        ("Height", _with_unit(person.height_cm, 0, "cm")),
        ("Weight", _with_unit(person.weight_kg, 0, "kg")),
        ("BSA", _with_unit(bsa_m2, 2, "m²")),
        ("Heart rate", _with_unit(_heart_rate_bpm(report), 0, "/min")),
    )
    return tuple(Fact(label, value) for label, value in facts if value or label != "BSA")


def _heart_rate_bpm(report: Report) -> float | None:
    measured_bpm = report.measurements.of(FUNCTION).value("HR")
    return report.study.demographics.heart_rate_bpm if measured_bpm is None else measured_bpm


def _with_unit(value: float | None, decimals: int, unit: str) -> str:
    if value is None or not math.isfinite(value):
        return ""
    return f"{_number(value, decimals)}\N{NO-BREAK SPACE}{unit}"


def _study_facts(report: Report) -> tuple[Fact, ...]:
    identity, scanner = report.study.identity, report.study.scanner
    machine = " ".join(part for part in (scanner.vendor, scanner.model) if part)
    field = _with_unit(scanner.field_strength_t, 1, "T")
    facts = (
        ("Study date", iso_date(identity.study_date)),
        ("Examination", shown(identity.study_description)),
        ("Accession", shown(identity.accession_number, 64)),
        ("Site", shown(identity.institution)),
        ("Scanner", ", ".join(part for part in (shown(machine), field) if part)),
    )
    return tuple(Fact(label, value) for label, value in facts if value or label in EXPECTED)


def _measured_from(report: Report) -> str:
    lines = []
    for series in report.measured_series():
        slices, phases = series.image.grid.shape[0], series.image.phases
        lines.append(
            f"{series.view.value} {series.sequence.value} ({series.key}): "
            f"{slices} slice{'s' * (slices != 1)}, {phases} phase{'s' * (phases != 1)}, "
            f"{_spacing(series)}"
        )
    return "; ".join(lines) or "no series was measured"


def _spacing(series: Series) -> str:
    grid = series.image.grid
    in_plane = f"{grid.row_spacing_mm:.2f} × {grid.column_spacing_mm:.2f}"
    between = grid.slice_spacing_mm
    return f"{in_plane} × {between:.1f} mm" if between else f"{in_plane} mm"


_ORDER = {Severity.DO_NOT_REPORT: 0, Severity.REVIEW: 1, Severity.INFO: 2}


def _worst_first(flags: Iterable[QualityFlag]) -> list[QualityFlag]:
    distinct = dict.fromkeys(flags)
    return sorted(distinct, key=lambda flag: _ORDER[flag.severity])


def _remark(flag: QualityFlag) -> Remark:
    known = REASON_CODES.get(flag.code)
    return Remark(
        severity=flag.severity.value,
        code=flag.code,
        message=shown(flag.message, TEXT_LIMIT),
        evidence=shown(flag.evidence, TEXT_LIMIT),
        remedy=known.remedy if known else "",
    )


def _banner(report: Report) -> Banner:
    severities = {flag.severity for flag in report.flags}
    to_check = len({f for f in report.flags if f.severity is Severity.REVIEW})
    if not report.measured_series():
        return Banner(
            "withheld",
            "Nothing was measured",
            "No series could be segmented. What was found, and why it was not used, is below.",
        )
    if Severity.DO_NOT_REPORT in severities:
        return Banner(
            "withheld",
            "Do not report these results",
            "At least one check failed. The numbers concerned are withheld; see why below.",
        )
    if to_check:
        points = "1 point needs" if to_check == 1 else f"{to_check} points need"
        return Banner(
            "review",
            "Look before use",
            f"{points} a reader’s eye before these numbers are used.",
        )
    return Banner(
        "clear",
        "Automatic checks found nothing amiss",
        "That is no proof: look at the contours before the numbers are used."
        f"{_by_the_base(report)}",
    )


def _by_the_base(report: Report) -> str:
    """Return how far the LVEF depends on the base; empty where the number shown stays the same."""
    found = report.measurements.of(FUNCTION).find("LVEF")
    if found is None or found.interval is None:
        return ""
    low, high = (_number(end, found.quantity.decimals) for end in found.interval)
    return f" LVEF {low}–{high} % {shown(found.evidence, TEXT_LIMIT)}." if low != high else ""


def _interval_notes(report: Report) -> tuple[str, ...]:
    """Say what the intervals of the tables are, where there are any."""
    function = report.measurements.of(FUNCTION)
    found = [m for symbol in ("LVEF", "RVEF") if (m := function.find(symbol)) and m.interval]
    chambers = (f"{m.quantity.symbol[:2]} {shown(m.evidence, TEXT_LIMIT)}" for m in found)
    told = ", ".join(chambers)
    return (f"Below a value: its interval over the ways to read the base, {told}.",) * bool(told)


def _truth(report: Report) -> tuple[TruthRow, ...]:
    rows = []
    function = report.measurements.of(FUNCTION)
    for symbol, truth in report.truth.items():
        measured = function.find(symbol)
        if measured is None:
            continue
        quantity, value = measured.quantity, measured.value
        rows.append(
            TruthRow(
                symbol,
                quantity.name,
                unit_text(quantity.unit),
                _number(truth, 1),
                _number(value, 1),
                "–" if value is None else _signed(value - truth, 1),
            )
        )
    return tuple(rows)


def _series_line(series: Series, report: Report) -> SeriesLine:
    measured = series.key in report.segmentations
    codes = ", ".join(flag.code for flag in series.flags)
    verdict = "measured" if measured else "not measured"
    slices, phases = series.image.grid.shape[0], series.image.phases
    return SeriesLine(
        key=series.key,
        description=shown(series.header.series_description, 80),
        view=series.view.value,
        sequence=series.sequence.value,
        confidence=f"{100 * min(series.view_confidence, series.sequence_confidence):.0f} %",
        size=f"{slices} × {phases}",
        spacing=_spacing(series),
        verdict=f"{verdict}; {codes}" if codes else verdict,
        measured=measured,
        because=tuple(shown(fact) for fact in series.because),
    )


def _missing(report: Report) -> tuple[MissingGroup, ...]:
    groups: dict[str, list[str]] = {}
    for element in missing_elements(report):
        in_chamber = element.section in {"LV", "RV"} and not element.name.startswith(
            element.section
        )
        name = f"{element.section}: {element.name.lower()}" if in_chamber else element.name
        groups.setdefault(element.why_missing, []).append(name)
    return tuple(MissingGroup(why, tuple(names)) for why, names in groups.items())


def _method(report: Report) -> tuple[Fact, ...]:
    policies = _distinct(s.policy.text for s in report.segmentations.values())
    authors = _distinct(s.author.text for s in report.segmentations.values())
    facts = [
        Fact("Measured from", _measured_from(report)),
        Fact("Contours by", "; ".join(authors) or "nobody"),
        Fact("Contour policy", "; ".join(policies) or "none"),
        Fact(
            "Volumes",
            "Summation of discs over the whole stack, gap between slices included; "
            f"mass with {MYOCARDIUM_G_PER_ML} g/mL.",
        ),
        Fact("Input SHA-256", report.study.input_sha256 or "not known"),
    ]
    facts += [
        Fact(shown(key.replace("_", " "), 60).capitalize(), _setting(value))
        for key, value in report.provenance.configuration.items()
    ]
    return tuple(facts)


def _setting(value: object) -> str:
    """Return a configured value as text; file names stay out."""
    if isinstance(value, str | int | float):
        return shown(str(value))
    if isinstance(value, list | tuple):
        return ", ".join(_setting(item) for item in value) or "none"
    return "set"


def _versions(report: Report) -> tuple[Fact, ...]:
    made = report.provenance
    packages = [
        Fact(shown(name, 60), shown(version, 60)) for name, version in made.packages.items()
    ]
    return (Fact("opencmr", shown(made.opencmr_version, 60)), *packages)
