"""Who was examined, when and on which scanner."""

from opencmr.analyses.function import NAME as FUNCTION
from opencmr.anatomy.techniques import Technique
from opencmr.report.blocks import Beside, Block, Fact, Facts
from opencmr.report.contents import Report
from opencmr.report.plain_text import iso_date, person_name, shown
from opencmr.report.rows import distinct, with_unit

EXPECTED = frozenset({"Study date", "Scanner"})
"""Study facts that are shown as not given when they are not."""
SHARES = (1.3, 1.0)
LINE_NAME_LIMIT = 60
"""Characters of the name at the head of a printed page, so that ID and date keep their place."""


def tell(report: Report) -> tuple[Block, ...]:
    """Return the patient beside the study."""
    name = person_name(report.study.identity.patient_name) or "Name not given"
    patient = Facts(_patient(report), name, is_subject=True)
    study = Facts(_study(report))
    return (Beside(((patient,), (study,)), shares=SHARES, is_ruled=True),)


def line(report: Report) -> str:
    """Return name, ID and date of the study on one line, as far as they are known."""
    who = report.study.identity
    date = iso_date(who.study_date)
    parts = (
        shown(person_name(who.patient_name), LINE_NAME_LIMIT),
        f"ID {patient_id}" if (patient_id := shown(who.patient_id, 64)) else "",
        f"study of {date}" if date else "",
    )
    return " · ".join(part for part in parts if part) or "Patient not named in the input"


def _patient(report: Report) -> tuple[Fact, ...]:
    identity, person = report.study.identity, report.study.demographics
    bsa_m2 = report.measurements.of(FUNCTION).value("BSA")
    facts = (
        ("ID", shown(identity.patient_id, 64)),
        ("Born", iso_date(identity.birth_date)),
        ("Sex", {"M": "male", "F": "female"}.get(person.sex or "", shown(person.sex or "", 20))),
        ("Age", with_unit(person.age_years, 0, "years")),
        ("Height", with_unit(person.height_cm, 0, "cm")),
        ("Weight", with_unit(person.weight_kg, 0, "kg")),
        ("BSA", with_unit(bsa_m2, 2, "m²")),
        ("Heart rate", with_unit(_heart_rate_bpm(report), 0, "/min")),
    )
    return tuple(Fact(label, value) for label, value in facts if value or label != "BSA")


def _heart_rate_bpm(report: Report) -> float | None:
    measured_bpm = report.measurements.of(FUNCTION).value("HR")
    return report.study.demographics.heart_rate_bpm if measured_bpm is None else measured_bpm


def _study(report: Report) -> tuple[Fact, ...]:
    identity, scanner = report.study.identity, report.study.scanner
    machine = " ".join(part for part in (scanner.vendor, scanner.model) if part)
    field = with_unit(scanner.field_strength_t, 1, "T")
    facts = (
        ("Study date", iso_date(identity.study_date)),
        ("Examination", shown(identity.study_description)),
        ("Accession", shown(identity.accession_number, 64)),
        ("Referring physician", person_name(identity.referring_physician)),
        ("Site", shown(identity.institution)),
        ("Scanner", ", ".join(part for part in (shown(machine), field) if part)),
        ("Sequences", _sequences(report)),
        ("Contrast agent", _contrast_agents(report)),
    )
    return tuple(Fact(label, value) for label, value in facts if value or label in EXPECTED)


def _sequences(report: Report) -> str:
    """Return the kinds of sequence that were recognised, in study order."""
    found = (series.sequence for series in report.study.series)
    return ", ".join(distinct(one.value for one in found if one is not Technique.OTHER))


def _contrast_agents(report: Report) -> str:
    """Return the agents as the headers name them, each once."""
    named = distinct(series.header.contrast_agent for series in report.study.series)
    return shown(", ".join(named))
