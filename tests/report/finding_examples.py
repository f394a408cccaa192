"""Findings of every kind, and a report that holds one."""

from dataclasses import replace

from opencmr.anatomy.reasons import Reason
from opencmr.imaging.finding import Argument, Criterion, Finding, Outcome
from opencmr.report.contents import Report

SHARES = {"NOR": 0.01, "MINF": 0.1, "DCM": 0.86, "HCM": 0.0, "RV": 0.03}
ARGUMENT = Argument(
    "LVEF",
    "LV ejection fraction",
    "%",
    0,
    26.0,
    "DCM",
    "MINF",
    1.2,
    {"DCM": (7.0, 35.0), "MINF": (20.0, 42.0)},
    38.0,
)


def criterion(name: str, outcome: Outcome, reason: Reason | None = None) -> Criterion:
    evidence = "" if reason else "LVEDVi 140.0 mL/m2, cut-point > 100"
    return Criterion(name, outcome, reason, evidence, "adults", "a source", "guideline")


CRITERIA = (
    criterion("LV dilated", Outcome.MET),
    criterion("RV dilated", Outcome.NOT_MET),
    criterion("LVEF low", Outcome.NEAR),
    criterion("iron", Outcome.NOT_ASSESSABLE, Reason("NOT_ASSESSABLE", "T2* was not measured")),
)
NAMED = Finding(
    CRITERIA,
    (),
    SHARES,
    tuple(SHARES),
    ("DCM",),
    0.4,
    (ARGUMENT,),
    (("DCM", 0.7), ("MINF", 0.9)),
    ("ACDC's definition of MINF is met; the classifier says DCM",),
    "measurements",
)
DOUBT = Reason("LIKE_NO_GROUP", "97 % of the training hearts resemble a group more")
DOUBTFUL = replace(NAMED, doubts=(DOUBT,), disagreements=())
WITHHELD = Finding(
    tuple(
        criterion(one.criterion, Outcome.NOT_ASSESSABLE, Reason("MISSING_SLICE", "withheld"))
        for one in CRITERIA
    ),
    (Reason("MISSING_SLICE", "measurements of this heart are withheld"),),
    classes=tuple(SHARES),
)


def with_finding(report: Report, finding: Finding) -> Report:
    return replace(report, findings=(finding,))
