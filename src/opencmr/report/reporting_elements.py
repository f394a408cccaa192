"""What a CMR report should hold, and what of it this one does not.

The elements recommended for every report, and those for left and right ventricular function,
of Hundley et al., SCMR guidelines for reporting, JCMR 2022; 24:29, tables 1 and 2.
"""

from collections.abc import Callable
from dataclasses import dataclass

from opencmr.analyses.function import NAME as FUNCTION
from opencmr.imaging.flag import Severity
from opencmr.report.contents import Report
from opencmr.report.plain_text import iso_date, person_name, prose, shown

CITATION = "SCMR reporting guidelines, JCMR 2022; 24:29, tables 1 and 2"
READER = "For the reader to add"
INPUT = "Not in the input"
UNFIT = "Could not be measured"
WITHHELD = "Withheld, see the top"
NOT_ASSESSED = "Not assessed by this version"


@dataclass(frozen=True, slots=True)
class ReportingElement:
    """One recommended element.

    Attributes
    ----------
    section, name : str
        Where it belongs and what it is called.
    present : function
        Whether the report shows it.
    why_missing : str
    symbols : tuple of str
        Quantities of function that it tells.
    """

    section: str
    name: str
    present: Callable[[Report], bool]
    why_missing: str
    symbols: tuple[str, ...] = ()

    def why(self, report: Report) -> str:
        """Return why the report does not hold it."""
        if not self.symbols:
            return self.why_missing
        for planned in report.plan:
            if planned.analysis.name == FUNCTION and planned.reason is not None:
                return f"Not measured ({prose(planned.reason)})"
        grave = {one.code for one in report.flags if one.severity is Severity.DO_NOT_REPORT}
        function = report.measurements.of(FUNCTION)
        found = [function.find(symbol) for symbol in self.symbols]
        found += [one for symbol in self.symbols for one in function.segments(symbol).values()]
        reasons = {one.reason.code for one in found if one and one.reason}
        return WITHHELD if reasons & grave else self.why_missing


def _never(_: Report) -> bool:
    return False


def _has_value(symbol: str) -> Callable[[Report], bool]:
    return lambda report: report.measurements.of(FUNCTION).value(symbol) is not None


def _measured(section: str, name: str, symbol: str) -> ReportingElement:
    return ReportingElement(section, name, _has_value(symbol), UNFIT, (symbol,))


def _wall_thickness(report: Report) -> bool:
    function = report.measurements.of(FUNCTION)
    on_segments = (one.value for one in function.segments("WT").values())
    values = (function.value("WT_MEAN"), function.value("WT_MAX"), *on_segments)
    return any(value is not None for value in values)


def _pair(symbol: str, index: str) -> tuple[ReportingElement, ReportingElement]:
    """Return a value and its index: either may be there alone."""
    return (
        _measured("LV", symbol, symbol),
        _measured("LV", f"{symbol}, indexed", index),
    )


ELEMENTS: tuple[ReportingElement, ...] = (
    ReportingElement(
        "Administrative",
        "Site of service",
        lambda r: bool(shown(r.study.identity.institution)),
        INPUT,
    ),
    ReportingElement(
        "Administrative",
        "Scanner",
        lambda r: bool(shown(f"{r.study.scanner.vendor} {r.study.scanner.model}")),
        INPUT,
    ),
    ReportingElement(
        "Patient", "Unique patient ID", lambda r: bool(shown(r.study.identity.patient_id)), INPUT
    ),
    ReportingElement(
        "Patient",
        "Date of birth or age",
        lambda r: (
            bool(iso_date(r.study.identity.birth_date))
            or r.study.demographics.age_years is not None
        ),
        INPUT,
    ),
    ReportingElement("Patient", "Sex", lambda r: r.study.demographics.sex is not None, INPUT),
    ReportingElement("Patient", "Reason for a limited examination", _never, READER),
    ReportingElement("Patient", "Summary of findings by the reader", _never, READER),
    ReportingElement("Patient", "Physician's signature and date", _never, READER),
    ReportingElement(
        "Patient",
        "Referring physician",
        lambda r: bool(person_name(r.study.identity.referring_physician)),
        READER,
    ),
    ReportingElement(
        "Study", "Date of procedure", lambda r: bool(iso_date(r.study.identity.study_date)), INPUT
    ),
    ReportingElement("Study", "Personnel", _never, READER),
    ReportingElement(
        "History", "Height", lambda r: r.study.demographics.height_cm is not None, INPUT
    ),
    ReportingElement(
        "History", "Weight", lambda r: r.study.demographics.weight_kg is not None, INPUT
    ),
    _measured("History", "Body surface area", "BSA"),
    ReportingElement(
        "History",
        "Heart rate",
        lambda r: r.study.demographics.heart_rate_bpm is not None or _has_value("HR")(r),
        INPUT,
    ),
    ReportingElement("History", "Rhythm", _never, READER),
    ReportingElement("History", "Blood pressure", _never, READER),
    *_pair("LVEDV", "LVEDVi"),
    *_pair("LVESV", "LVESVi"),
    *_pair("LVSV", "LVSVi"),
    _measured("LV", "LVEF", "LVEF"),
    _measured("LV", "Cardiac output", "LVCO"),
    _measured("LV", "Cardiac index", "LVCI"),
    _measured("LV", "Mass", "LVM"),
    _measured("LV", "Mass, indexed", "LVMi"),
    ReportingElement(
        "LV", "End-diastolic wall thickness", _wall_thickness, UNFIT, ("WT_MEAN", "WT_MAX", "WT")
    ),
    ReportingElement("LV", "Regional wall motion", _never, NOT_ASSESSED),
    ReportingElement("LV", "Aneurysms", _never, NOT_ASSESSED),
    _measured("RV", "RVEF", "RVEF"),
    ReportingElement("RV", "Regional wall motion", _never, NOT_ASSESSED),
)


def missing_elements(report: Report) -> tuple[ReportingElement, ...]:
    """Return the recommended elements that this report does not hold."""
    return tuple(element for element in ELEMENTS if not element.present(report))
