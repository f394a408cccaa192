"""Whether a run's studies were analysed, and all of them."""

import pytest

from opencmr.anatomy.reasons import Reason
from opencmr.batch.exit_status import exit_status
from opencmr.imaging.flag import LeftOut, QualityFlag, Severity
from opencmr.report.outcome import StudyOutcome

WITHHELD = QualityFlag(Severity.DO_NOT_REPORT, "NOISY", "noisy")
LOST = LeftOut("file", Reason("UNREADABLE"))
HARMLESS = LeftOut("file", Reason("NOT_AN_IMAGE"))


@pytest.mark.parametrize(
    ("outcomes", "orphans", "status"),
    [
        ([{"values": {"LVEF": 60.0}}], [HARMLESS], 0),
        ([{"values": {"LVEF": 60.0}}], [LOST], 3),
        ([{"values": {"LVEF": 60.0}}, {"error": "no heart"}], [], 3),
        ([{"values": {"LVEF": 60.0}, "flags": (WITHHELD,)}], [], 3),
        ([{"error": "no heart"}, {"error": "no heart"}], [], 4),
    ],
)
def test_the_exit_status_says_whether_a_study_was_lost(tmp_path, outcomes, orphans, status):
    assert exit_status([StudyOutcome("k", tmp_path, **one) for one in outcomes], orphans) == status
