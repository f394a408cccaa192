"""How it was measured: from what, by whom or what, with which versions."""

from opencmr.analyses.function import NAME as FUNCTION
from opencmr.anatomy.plausible import MYOCARDIUM_G_PER_ML
from opencmr.imaging.reading import ModelUse
from opencmr.report.blocks import Block, Fact, Facts, Notes
from opencmr.report.contents import Report
from opencmr.report.plain_text import shown
from opencmr.report.rows import TEXT_LIMIT, distinct, spacing_text

VOLUMES = Fact(
    "Volumes",
    "Summation of discs over the whole stack, gap between slices included; "
    f"mass with {MYOCARDIUM_G_PER_ML} g/mL.",
)

SETTINGS = {
    "model": "Model asked for",
    "seg_phases": "Phases written as DICOM SEG",
    "seg_type": "Type of the DICOM SEG",
    "precision": "Precision of the networks asked for",
    "sequence": "Sequence of the pictures",
    "normal_ranges": "Normal ranges",
    "labels_sha256": "Checksum of the given labels (SHA-256)",
    "labels_convention": "Convention of the given labels",
    "labels_author": "Author of the given labels",
    "labels_derived_from": "Given labels derived from",
    "previous_study": "Earlier study",
    "previous_measurements_sha256": "Checksum of the earlier measurements (SHA-256)",
    "same_patient_stated": "Same patient by the caller's word",
    "given_by_the_caller": "Given by the caller",
    "given_sha256": "Checksum of what the caller gave (SHA-256)",
}
"""What the page calls each key of the record of a run."""


def tell(report: Report) -> tuple[Block, ...]:
    """Return the facts of the method, of each model, and the versions."""
    made = report.provenance
    versions = {"opencmr": made.opencmr_version, **made.packages}
    told = ", ".join(f"{shown(name, 60)} {shown(number, 60)}" for name, number in versions.items())
    return (
        Facts(_method(report), "Method", is_prose=True),
        *(_model(model) for model in made.models),
        Notes(small=(f"{told}. Made {shown(made.created, 40)}.",)),
    )


def measured_from(report: Report, analysis: str = "") -> str:
    """Return the series that were outlined or mapped, with their sizes; those of one analysis."""
    lines = []
    used = report.segmentations.keys() | report.maps.keys()
    if analysis:
        used = used & {one.series for one in report.measurements.of(analysis)}
    for series in (one for one in report.study.series if one.key in used):
        slices, phases = series.image.grid.shape[0], series.image.phases
        lines.append(
            f"{series.view.value} {series.sequence.value} ({series.key}): "
            f"{slices} slice{'s' * (slices != 1)}, {phases} phase{'s' * (phases != 1)}, "
            f"{spacing_text(series)}"
        )
    return "; ".join(lines) or "no series was measured"


def _method(report: Report) -> tuple[Fact, ...]:
    policies = distinct(s.policy.text for s in report.segmentations.values())
    authors = distinct(s.drawn_by for s in report.segmentations.values())
    facts = [
        Fact("Measured from", measured_from(report)),
        Fact("Contours by", "; ".join(authors) or "nobody"),
        Fact("Contour policy", "; ".join(policies) or "none"),
        *(VOLUMES,) * bool(len(report.measurements.of(FUNCTION))),
        Fact("Checksum of the input (SHA-256)", report.study.input_sha256 or "not known"),
    ]
    facts += [
        Fact(SETTINGS.get(key) or shown(key, 60), _setting(value))
        for key, value in report.provenance.configuration.items()
    ]
    return tuple(facts)


def _setting(value: object) -> str:
    """Return a configured value as text; file names stay out."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str | int | float):
        return shown(str(value))
    if isinstance(value, list | tuple):
        return ", ".join(_setting(item) for item in value) or "none"
    return "set"


def _model(model: ModelUse) -> Facts:
    facts = (
        Fact("Model", shown(f"{model.name} {model.version}")),
        Fact("Terms", shown(model.terms, TEXT_LIMIT)),
        Fact("Training data", shown(model.training_data, TEXT_LIMIT)),
        *((Fact("Computed in", "8-bit integers"),) if model.precision == "int8" else ()),
        Fact("Checksum of the weights (SHA-256)", model.sha256, is_code=True),
    )
    return Facts(facts, is_prose=True)
