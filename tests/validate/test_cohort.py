"""All patients together: each counts once, and intervals are what another library finds."""

import numpy as np
import pytest
from scipy import stats

from opencmr.anatomy.structures import Structure
from opencmr.measure.function.volumes import LVEDV
from opencmr.validate.case import MeasuredTwice, Score
from opencmr.validate.cohort import RESAMPLES, bootstrap_interval, summarise


def score(case, dice, phase="ED", structure=Structure.LV, level="whole", far_mm=1.0, **counts):
    slices = {"slices_with": 8, "slices_without": 2, "missed_slices": 0, "invented_slices": 0}
    return Score(
        case, phase, structure, level, dice, dice, far_mm, far_mm, 1.0, far_mm, **slices | counts
    )


def test_the_interval_is_that_of_scipy_s_bootstrap():
    values = np.random.default_rng(7).normal(0.9, 0.05, 40)
    theirs = stats.bootstrap(
        (values,), np.mean, n_resamples=RESAMPLES, method="percentile", random_state=3
    ).confidence_interval
    assert bootstrap_interval(values) == pytest.approx(tuple(theirs), abs=0.001)
    assert bootstrap_interval(values) == bootstrap_interval(values)
    assert bootstrap_interval(values[:2]) is None


def test_a_patient_counts_once_however_many_phases_were_read():
    scores = [score("a", 1.0, "ED"), *(score("b", 0.5, "between") for _ in range(9))]
    assert summarise(scores, []).mean("dice").mean.value == pytest.approx(0.75)


def test_what_has_no_distance_is_left_out_of_the_mean_and_counted():
    scores = [score("a", 0.9), score("b", 0.0, far_mm=None), score("c", 0.8, far_mm=3.0)]
    found = summarise(scores, []).mean("hausdorff95_mm")
    assert (found.cases, found.undefined, found.mean.value) == (2, 1, 2.0)
    assert summarise(scores, []).mean("dice").undefined == 0


def test_a_structure_that_no_reader_drew_is_not_scored():
    scores = [score("a", 0.9), score("a", 0.0, structure=Structure.RV, slices_with=0)]
    found = summarise(scores, [])
    assert found.never_read == (Structure.RV,)
    assert found.mean("dice").mean.value == pytest.approx(0.9)


def test_presence_is_summed_by_level():
    scores = [
        score("a", 0.9, level="base", missed_slices=1),
        score("b", 0.9, level="base", invented_slices=2),
        score("b", 0.9, level="apex"),
    ]
    found = {p.part.level: p for p in summarise(scores, []).presence}
    assert (found["base"].missed, found["base"].slices_with) == (1, 16)
    assert (found["base"].invented, found["base"].slices_without) == (2, 4)
    assert found["apex"].missed == 0


def test_groups_are_summarised_by_themselves():
    scores = [score("a", 1.0), score("b", 0.8), score("c", 0.6)]
    groups = {"vendor": {"a": "one", "b": "one", "c": "two"}}
    found = {
        s.part.group: s.mean.value
        for s in summarise(scores, [], groups).summaries
        if s.metric.field == "dice" and s.part.structure == "all"
    }
    assert found == pytest.approx({"": 0.8, "one": 0.9, "two": 0.6})


def test_agreement_counts_the_patients_that_have_one_value_alone():
    pairs = [("a", 100, 102), ("b", 150, 151), ("c", 200, 206), ("d", 90, None), ("e", None, 80)]
    measured = [MeasuredTwice(case, LVEDV, r, m) for case, r, m in pairs]
    (found,) = summarise([score("a", 1.0)], measured).agreements
    assert found.cases == ("a", "b", "c")
    assert found.without == 1
    assert found.agreement.bias.value == pytest.approx(3)


def test_the_worst_come_first():
    found = summarise([score(str(n), n / 20) for n in range(20)], []).worst
    assert [s.case for s in found[:3]] == ["0", "1", "2"]
    assert len(found) == 12
