"""What a report says, before any writer gives it a form."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from html import escape

from opencmr.analyses.plan import Planned
from opencmr.anatomy.phases import SegPhases
from opencmr.anatomy.seg_types import SegType
from opencmr.anatomy.views import LONG_AXIS_VIEWS
from opencmr.imaging.brief import brief
from opencmr.imaging.change import Comparison
from opencmr.imaging.finding import Finding
from opencmr.imaging.flag import QualityFlag
from opencmr.imaging.image import Instance
from opencmr.imaging.landmarks import Landmarks
from opencmr.imaging.measurements import Measurements
from opencmr.imaging.reading import ModelUse
from opencmr.imaging.relaxation import TimeMap
from opencmr.imaging.segmentation import Segmentation
from opencmr.imaging.study import Series, Study

DISCLAIMER = "Research use only, not for diagnosis"
HEADLINE = ("LVEDV", "LVESV", "LVEF", "LVM", "RVEDV", "RVESV", "RVEF")
SINGLE_PHASE_HEADLINE = ("LVV", "RVV")


@dataclass(frozen=True, slots=True)
class Provenance:
    """How the result came about."""

    opencmr_version: str
    models: tuple[ModelUse, ...]
    configuration: Mapping[str, object]
    created: str
    """ISO 8601 with time zone."""
    timings_s: Mapping[str, float] = field(default_factory=dict)
    packages: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Report:
    """One study's result.

    Attributes
    ----------
    study : Study
        With every series sorted.
    segmentations : mapping from a series' key to its Segmentation
    landmarks : mapping from a series' key to its Landmarks
        Of every segmented series.
    measurements : Measurements
        Each with the name of its analysis.
    flags : tuple of QualityFlag
        Study, series and measurement flags together, worst first.
    provenance : Provenance
    truth : mapping from symbol to value
        Known truth of a simulated study; empty for a real one.
    plan : tuple of Planned
        What was decided about each analysis before it ran.
    seg_phases : SegPhases
        Of which cardiac phases the labels are written as DICOM.
    seg_type : SegType
        As what DICOM Segmentation.
    maps : mapping from a series' key to its TimeMap
    findings : tuple of Finding
        What the measurements may mean: decision support.
    comparison : Comparison or None
        An earlier result of the patient beside this one.
    superseded : tuple of Instance
        Measurement reports of earlier results of the study, which this result takes the place of,
        newest first.
    """

    study: Study
    segmentations: Mapping[str, Segmentation]
    landmarks: Mapping[str, Landmarks]
    measurements: Measurements
    flags: tuple[QualityFlag, ...]
    provenance: Provenance
    truth: Mapping[str, float] = field(default_factory=dict)
    plan: tuple[Planned, ...] = ()
    seg_phases: SegPhases = SegPhases.ED_ES
    maps: Mapping[str, TimeMap] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()
    comparison: Comparison | None = None
    seg_type: SegType = SegType.BINARY
    superseded: tuple[Instance, ...] = ()

    __repr__ = brief

    def _repr_html_(self) -> str:
        """Return the key numbers and the flags as a notebook shows them."""
        numbers = [m for m in self.measurements.whole_heart if m.quantity.symbol in HEADLINE]
        rows = [(m.quantity.name, f"{m.text} {m.quantity.unit}") for m in numbers]
        rows += [(f"{flag.severity}: {flag.code}", flag.message) for flag in self.flags]
        cells = "".join(f"<tr><th>{escape(a)}</th><td>{escape(b)}</td></tr>" for a, b in rows)
        return f"<table><caption>{DISCLAIMER}</caption>{cells}</table>"

    def measured_series(self) -> tuple[Series, ...]:
        """Return the series that hold a segmentation, in study order."""
        return tuple(s for s in self.study.series if s.key in self.segmentations)

    def measured_stacks(self) -> tuple[Series, ...]:
        """Return those of them that are stacks with landmarks, not long-axis views."""
        return tuple(
            s
            for s in self.measured_series()
            if s.key in self.landmarks and s.view not in LONG_AXIS_VIEWS
        )
