"""What a CMR report should hold, and what of it this one does not.

The elements recommended for every report, and those for left and right ventricular function,
of Hundley et al., SCMR guidelines for reporting, JCMR 2022; 24:29, tables 1 and 2.
"""

from collections.abc import Callable
from dataclasses import dataclass

from opencmr.analyses.function import NAME as FUNCTION
from opencmr.report.contents import Report

CITATION = "SCMR reporting guidelines, JCMR 2022; 24:29, tables 1 and 2"
READER = "For the reader to add"
INPUT = "Not in the input"
UNFIT = "Could not be measured"
NOT_ASSESSED = "Not assessed by this version"


@dataclass(frozen=True, slots=True)
class ReportingElement:
    """One recommended element: where it belongs, how to see that it is there, why it is not."""

    section: str
    name: str
    present: Callable[[Report], bool]
    why_missing: str


def _never(_: Report) -> bool:
    return False


def _measured(*symbols: str) -> Callable[[Report], bool]:
    def present(report: Report) -> bool:
        function = report.measurements.of(FUNCTION)
        return all(function.value(symbol) is not None for symbol in symbols)

    return present


def _wall_thickness(report: Report) -> bool:
    function = report.measurements.of(FUNCTION)
    on_segments = (one.value for one in function.segments("WT").values())
    values = (function.value("WT_MEAN"), function.value("WT_MAX"), *on_segments)
    return any(value is not None for value in values)


ELEMENTS: tuple[ReportingElement, ...] = (
    ReportingElement(
        "Administrative", "Site of service", lambda r: bool(r.study.identity.institution), INPUT
    ),
    ReportingElement(
        "Administrative",
        "Scanner",
        lambda r: bool(r.study.scanner.model or r.study.scanner.vendor),
        INPUT,
    ),
    ReportingElement(
        "Patient", "Unique patient ID", lambda r: bool(r.study.identity.patient_id), INPUT
    ),
    ReportingElement(
        "Patient",
        "Date of birth or age",
        lambda r: bool(r.study.identity.birth_date) or r.study.demographics.age_years is not None,
        INPUT,
    ),
    ReportingElement("Patient", "Sex", lambda r: r.study.demographics.sex is not None, INPUT),
    ReportingElement("Patient", "Reason for a limited examination", _never, READER),
    ReportingElement("Patient", "Summary of findings", _never, READER),
    ReportingElement("Patient", "Physician's signature and date", _never, READER),
    ReportingElement("Patient", "Referring physician", _never, READER),
    ReportingElement(
        "Study", "Date of procedure", lambda r: bool(r.study.identity.study_date), INPUT
    ),
    ReportingElement("Study", "Personnel", _never, READER),
    ReportingElement(
        "History", "Height", lambda r: r.study.demographics.height_cm is not None, INPUT
    ),
    ReportingElement(
        "History", "Weight", lambda r: r.study.demographics.weight_kg is not None, INPUT
    ),
    ReportingElement("History", "Body surface area", _measured("BSA"), UNFIT),
    ReportingElement(
        "History",
        "Heart rate",
        lambda r: r.study.demographics.heart_rate_bpm is not None or _measured("HR")(r),
        INPUT,
    ),
    ReportingElement("History", "Rhythm", _never, READER),
    ReportingElement("History", "Blood pressure", _never, READER),
    ReportingElement("LV", "LVEDV and index", _measured("LVEDV", "LVEDVi"), UNFIT),
    ReportingElement("LV", "LVESV and index", _measured("LVESV", "LVESVi"), UNFIT),
    ReportingElement("LV", "LVSV and index", _measured("LVSV", "LVSVi"), UNFIT),
    ReportingElement("LV", "LVEF", _measured("LVEF"), UNFIT),
    ReportingElement("LV", "Cardiac output and index", _measured("LVCO", "LVCI"), UNFIT),
    ReportingElement("LV", "LV mass and index", _measured("LVM", "LVMi"), UNFIT),
    ReportingElement("LV", "End-diastolic wall thickness", _wall_thickness, UNFIT),
    ReportingElement("LV", "Regional wall motion", _never, NOT_ASSESSED),
    ReportingElement("LV", "Aneurysms", _never, NOT_ASSESSED),
    ReportingElement("RV", "RVEF", _measured("RVEF"), UNFIT),
    ReportingElement("RV", "Regional wall motion", _never, NOT_ASSESSED),
)


def missing_elements(report: Report) -> tuple[ReportingElement, ...]:
    """Return the recommended elements that this report does not hold."""
    return tuple(element for element in ELEMENTS if not element.present(report))
