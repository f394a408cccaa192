"""From a read heart to its finding: what is withheld, what is looked at twice."""

from dataclasses import replace

import numpy as np
import pytest

from opencmr.anatomy.reasons import Reason
from opencmr.diagnose import study
from opencmr.diagnose.classifier import Classifier, Sheet
from opencmr.diagnose.facts import Fact
from opencmr.diagnose.study import find
from opencmr.diagnose.tissue_values import NO_LIMIT, TissueValue
from opencmr.imaging.finding import Outcome
from opencmr.imaging.flag import About, QualityFlag, Severity
from opencmr.imaging.reading import Reading
from opencmr.imaging.study import Demographics, Series
from opencmr.measure import Ventricles, measure_all
from opencmr.measure.landmarks import find_landmarks
from opencmr.models.library import read_library
from opencmr.simulate import HeartParameters, Protocol, simulate_study

CARD = read_library().choose_diagnosis()
ADULT = Demographics(sex="F", age_years=40.0)


@pytest.fixture(scope="module")
def beating() -> tuple[Reading, Series]:
    """The simulated heart read by its true labels."""
    phantom = simulate_study(HeartParameters(seed=3), protocol=Protocol.small())
    (image,) = next(s.images for s in phantom.series if s.images[0].grid == phantom.labels.grid)
    ventricles = Ventricles(phantom.labels, image, ADULT, "s01")
    reading = Reading(
        {"s01": phantom.labels}, {"s01": find_landmarks(ventricles)}, measure_all(ventricles)
    )
    return reading, Series("s01", image)


SHEET = Sheet(
    name="ejection",
    symbols=("LVEF",),
    mean=(45.0,),
    sd=(10.0,),
    coefficients=((9.0,), (-9.0,)),
    intercepts=(0.0, 0.0),
    scores=tuple(float(v) for v in np.linspace(0.005, 0.995, 100)),
    centres=((1.0,), (-1.0,)),
    precisions=(((1.0,),),) * 2,
    defining=(),
    distances=tuple(float(v) for v in range(100)),
    shortfalls=(0.0,) * 100,
)
"""Of two classes: the first above an ejection fraction of 45 %, else the second, and sure of it."""


@pytest.fixture
def by_ejection(monkeypatch: pytest.MonkeyPatch) -> None:
    made = Classifier(classes=("A", "B"), sheets=(SHEET,), spans={}, cases=())
    monkeypatch.setattr(study, "load_classifier", lambda _: made)


def never(_: Series) -> Reading:
    raise AssertionError("there was nothing to read again")


@pytest.mark.parametrize("symbols", [frozenset(), frozenset({"LVEDV", "LVESV"})])
def test_where_anything_is_withheld_nothing_is_concluded(beating, symbols) -> None:
    heart, series = beating
    flag = QualityFlag(
        Severity.DO_NOT_REPORT, "MISSING_SLICE", "A gap.", "", About("s01", "", symbols)
    )
    found = find(replace(heart, flags=(flag,)), series, ADULT, CARD, never)
    assert {one.outcome for one in found.criteria} == {Outcome.NOT_ASSESSABLE}
    assert found.probabilities is None
    assert [doubt.code for doubt in found.doubts] == ["MISSING_SLICE"]
    assert not found.arguments
    assert not found.similar


def test_a_flag_that_only_asks_for_a_look_leaves_the_rules(beating) -> None:
    heart, series = beating
    flag = QualityFlag(Severity.REVIEW, "SPARSE_STACK", "Look.", "", About("s01"))
    found = find(replace(heart, flags=(flag,)), series, ADULT, CARD, lambda _: Reading())
    assert Outcome.MET in {one.outcome for one in found.criteria}


def test_a_group_is_named_where_other_contrasts_say_the_same(beating, by_ejection) -> None:
    heart, series = beating
    looked_at: list[Series] = []

    def again(other: Series) -> Reading:
        looked_at.append(other)
        return replace(heart, segmentations={})

    found = find(heart, series, ADULT, CARD, again)
    assert (found.group, found.doubts) == ("A", ())
    original = series.image.values
    (one, other) = (seen.image for seen in looked_at)
    for image in (one, other):
        assert 2 <= image.phases <= 4
        phases = [
            int(np.argmin(np.abs(series.image.trigger_ms[:, 0] - t)))
            for t in image.trigger_ms[:, 0]
        ]
        before = original[phases]
        moved = np.abs(image.values - before).max() / (before.max() - before.min())
        assert 0.005 < moved <= 0.0101
    assert one.values.mean() > other.values.mean()


def test_a_heart_that_is_lost_at_another_contrast_is_none(beating, by_ejection) -> None:
    heart, series = beating
    found = find(heart, series, ADULT, CARD, lambda _: Reading())
    assert found.group is None
    assert [doubt.code for doubt in found.doubts] == ["ANSWER_CHANGES"]
    assert "brighter" in found.doubts[0].sentence
    assert found.probabilities is not None


def test_what_is_indeterminate_already_is_not_read_again(beating, by_ejection) -> None:
    heart, series = beating
    child = replace(ADULT, age_years=9.0)
    found = find(heart, series, child, CARD, never)
    assert found.group is None
    assert [doubt.code for doubt in found.doubts] == ["AGE_OUTSIDE_RANGE"]
    assert found.model is not None
    assert found.model.sha256 == CARD.sha256


def test_a_normal_heart_with_inflamed_tissue_is_a_disagreement(beating, monkeypatch) -> None:
    heart, series = beating
    made = Classifier(classes=("NOR", "DCM"), sheets=(SHEET,), spans={}, cases=())
    monkeypatch.setattr(study, "load_classifier", lambda _: made)
    inflamed, healthy = (
        (TissueValue("T2", "s2", None, Fact(ms), 52.0, NO_LIMIT),) for ms in (70.0, 45.0)
    )
    told, untold = (
        find(heart, series, ADULT, CARD, None, tissue).disagreements
        for tissue in (inflamed, healthy)
    )
    assert len(told) == len(untold) + 1
    assert "T2-based" in told[-1]
    assert "reads no tissue, says NOR" in told[-1]


def test_a_reading_without_a_value_says_why(beating) -> None:
    heart, series = beating
    reason = Reason("NO_TIMING", "one phase")
    lost = replace(
        heart,
        measurements=type(heart.measurements)(
            tuple(one.withheld(reason) for one in heart.measurements)
        ),
        segmentations={},
    )
    found = find(lost, series, ADULT, CARD, never)
    assert [doubt.code for doubt in found.doubts] == ["NO_TIMING"]
