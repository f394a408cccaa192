"""Answers, sets, novelty and reasons of a classifier whose every number is known."""

import json

import numpy as np
import pytest

from opencmr.anatomy.policy import PapillaryRule
from opencmr.anatomy.reasons import Reason
from opencmr.diagnose.classifier import Answer, Case, Classifier, Sheet, Span, read_classifier
from opencmr.diagnose.facts import Fact
from opencmr.diagnose.features import base_readings, feature_values
from opencmr.diagnose.opinion import Opinion, form_opinion
from opencmr.errors import ModelError
from opencmr.imaging.finding import Outcome

HUNDRED = tuple(float(v) for v in np.linspace(0.005, 0.995, 100))


def sheet(name: str, symbols: tuple[str, ...], slopes: tuple[float, ...], **other: object) -> Sheet:
    """Group A where the sum of slope times standardised value is positive, else B."""
    count = len(symbols)
    fields: dict[str, object] = {
        "name": name,
        "symbols": symbols,
        "mean": (50.0,) * count,
        "sd": (10.0,) * count,
        "coefficients": (slopes, tuple(-s for s in slopes)),
        "intercepts": (0.0, 0.0),
        "scores": HUNDRED,
        "centres": ((1.0,) * count, (-1.0,) * count),
        "precisions": (tuple(map(tuple, np.eye(count).tolist())),) * 2,
        "defining": (),
        "distances": tuple(float(v) for v in range(100)),
        "shortfalls": (0.0,) * 100,
    }
    return Sheet(**fields | other)  # type: ignore[arg-type]


def classifier(*sheets: Sheet) -> Classifier:
    return Classifier(
        classes=("A", "B"),
        sheets=sheets or (sheet("ef", ("LVEF",), (3.0,)),),
        spans={"LVEF": {"A": Span(low=55, high=70), "B": Span(low=20, high=45)}},
        cases=(Case(group="A", values={"LVEF": 1.0}), Case(group="B", values={"LVEF": -1.0})),
    )


def opinion(values: dict[str, float], made: Classifier | None = None, **more: object) -> Opinion:
    facts = {symbol: Fact(value) for symbol, value in values.items()}
    return form_opinion(facts, made or classifier(), **more)  # type: ignore[arg-type]


def test_the_shares_are_those_of_the_logistic_formula() -> None:
    found = opinion({"LVEF": 60.0}).answer
    assert found is not None
    assert found.probabilities["A"] == pytest.approx(1 / (1 + np.exp(-6.0)))
    assert sum(found.probabilities.values()) == pytest.approx(1)


def test_a_group_is_in_the_set_where_a_tenth_of_the_training_fits_no_better() -> None:
    """Scores lie at 0.005, 0.015, ...: 90 of 100 below 0.9."""
    one = classifier().sheets[0]
    assert one.is_in_set(0.15)
    assert not one.is_in_set(0.08)


def test_a_clear_heart_is_named_and_a_heart_between_is_not() -> None:
    clear = opinion({"LVEF": 60.0})
    assert (clear.group, clear.doubts) == ("A", ())
    between = opinion({"LVEF": 50.5})
    assert between.group is None
    assert {doubt.code for doubt in between.doubts} == {"SEVERAL_GROUPS"}


def test_a_heart_far_from_every_group_is_like_none() -> None:
    far = opinion({"LVEF": 300.0})
    assert far.answer is not None
    assert far.answer.novelty > 0.95
    assert "LIKE_NO_GROUP" in {doubt.code for doubt in far.doubts}
    assert opinion({"LVEF": 61.0}).finding().plain["novel"] == pytest.approx(0, abs=0.02)


def test_a_heart_that_fits_no_definition_is_like_none_however_near_it_lies() -> None:
    """A wall of 18 mm and an ejection fraction of 48 %: neither normal nor hypertrophic in ACDC."""
    made = Classifier(
        classes=("NOR", "HCM"),
        sheets=(
            sheet(
                "ef",
                ("LVEF",),
                (3.0,),
                defining=("LVEF", "WT_MAX"),
                shortfalls=(-1.0,) * 100,
            ),
        ),
        spans={},
        cases=(),
    )
    usual, unusual = {"LVEF": 60.0, "WT_MAX": 9.0}, {"LVEF": 48.0, "WT_MAX": 18.0}
    assert "LIKE_NO_GROUP" not in {doubt.code for doubt in opinion(usual, made).doubts}
    assert "LIKE_NO_GROUP" in {doubt.code for doubt in opinion(unusual, made).doubts}
    untold = opinion({"LVEF": 60.0}, made)
    assert [doubt.code for doubt in untold.doubts] == ["NOT_ASSESSABLE"]


def test_another_reading_that_answers_otherwise_makes_it_indeterminate_and_is_named() -> None:
    found = opinion({"LVEF": 60.0}, others={"darker": {"LVEF": Fact(38.0)}})
    assert found.group is None
    assert [str(d) for d in found.doubts] == ["ANSWER_CHANGES: A becomes B with: darker"]
    lost = opinion({"LVEF": 60.0}, others={"darker": {}})
    assert "nothing" in lost.doubts[0].sentence


def test_the_interval_of_the_base_is_a_reading_too() -> None:
    facts = {
        "LVEDV": Fact(200.0, interval=(180.0, 200.0)),
        "LVESV": Fact(80.0, interval=(80.0, 130.0)),
        "LVEF": Fact(60.0, interval=(35.0, 60.0)),
    }
    found = form_opinion(facts, classifier())
    assert found.group is None
    assert "lowest LVEF by the base" in found.doubts[0].sentence
    narrow = facts | {
        "LVESV": Fact(80.0, interval=(78.0, 84.0)),
        "LVEF": Fact(60.0, interval=(58.0, 61.0)),
    }
    assert form_opinion(narrow, classifier()).group == "A"


def test_readings_of_the_base_keep_what_belongs_together() -> None:
    facts = {
        "LVEDV": Fact(200.0, interval=(180.0, 200.0)),
        "LVESV": Fact(100.0, interval=(100.0, 120.0)),
        "LVEF": Fact(50.0, interval=(40.0, 50.0)),
        "LVM": Fact(120.0, interval=(110.0, 120.0)),
        "LVEDVi": Fact(100.0),
        "LVMi": Fact(60.0),
    }
    readings = base_readings(facts)
    low = feature_values(readings["lowest LVEF by the base"])
    assert low["LVEF"] == pytest.approx(40)
    assert low["LVESV"] == pytest.approx(120)
    assert low["LVEDV"] == pytest.approx(200)
    small = feature_values(readings["smallest LVEDV by the base"])
    assert small["LVEDVi"] == pytest.approx(90)
    assert small["LVMi"] == pytest.approx(55)
    assert small["LVEF"] == pytest.approx(50)
    assert small["mass_to_volume"] == pytest.approx(110 / 180)


def test_an_answer_that_hangs_on_the_bodys_size_is_none() -> None:
    both = classifier(
        sheet("with size", ("LVEF", "LVEDVi"), (1.0, 5.0)), sheet("without", ("LVEF",), (3.0,))
    )
    agreeing = opinion({"LVEF": 60.0, "LVEDVi": 60.0}, both)
    assert agreeing.group == "A"
    hanging = opinion({"LVEF": 60.0, "LVEDVi": 40.0}, both)
    assert hanging.group is None
    assert any("without body size" in doubt.sentence for doubt in hanging.doubts)
    missing = opinion({"LVEF": 60.0}, both)
    assert missing.group == "A"
    assert missing.finding().plain["read_from"] == "without"


def test_too_little_measured_gives_no_share_but_every_name_and_the_reason() -> None:
    facts = {"LVEF": Fact(None, Reason("EF_IMPLAUSIBLE"))}
    found = form_opinion(facts, classifier())
    assert found.finding().plain["probabilities"] == {"A": None, "B": None}
    assert [doubt.code for doubt in found.doubts] == ["EF_IMPLAUSIBLE"]
    assert found.group is None


def test_the_turning_value_turns_the_answer() -> None:
    two = classifier(sheet("two", ("LVEF", "RVEF"), (2.0, 1.0)))
    values = {"LVEF": 58.0, "RVEF": 44.0}
    found = opinion(values, two)
    for argument in found.arguments:
        assert argument.turning_value is not None
        moved = values | {argument.symbol: argument.turning_value}
        answer = opinion(moved, two).answer
        assert answer is not None
        assert answer.shares == pytest.approx([0.5, 0.5])
    speaking = {one.symbol: one.speaks_for for one in found.arguments}
    assert speaking == {"LVEF": "A", "RVEF": "B"}


def test_the_most_similar_training_case_is_the_nearest_and_has_no_identity() -> None:
    found = opinion({"LVEF": 57.0})
    assert found.similar[0] == ("A", pytest.approx(0.3))
    assert found.finding().plain["similar"][0] == {"case": "an ACDC A case", "distance_sd": 0.3}  # type: ignore[index]


def test_rules_and_classifier_that_disagree_are_shown() -> None:
    acdc = Classifier(
        classes=("DCM", "HCM"), sheets=(sheet("ef", ("LVEF",), (3.0,)),), spans={}, cases=()
    )
    found = opinion({"LVEF": 70.0, "WT_MAX": 20.0, "LVEDVi": 60.0}, acdc)
    assert found.group == "DCM"
    assert any("hypertrophic" in text and "is met" in text for text in found.disagreements)
    assert any("no definition of it is met" in text for text in found.disagreements)


def test_every_opinion_says_that_it_is_no_diagnosis_and_is_plain_json() -> None:
    for values in ({"LVEF": 60.0}, {"LVEF": 50.0}, {}):
        plain = opinion(values).finding().plain
        assert "not for diagnosis" in str(plain["disclaimer"])
        json.dumps(plain, allow_nan=False)


def test_a_classifier_comes_back_from_its_file() -> None:
    made = classifier()
    read = read_classifier(made.model_dump_json().encode())
    assert read == made
    values = {"LVEF": 47.0}
    assert Answer(read.classes, read.sheets[0], values).probabilities == (
        Answer(made.classes, made.sheets[0], values).probabilities
    )


@pytest.mark.parametrize(
    "change",
    [
        {"mean": [50.0, 1.0]},
        {"sd": [0.0]},
        {"coefficients": [[1.0, 2.0], [1.0, 2.0]]},
        {"precisions": [[[1.0]]]},
        {"symbols": ["no such measurement"]},
        {"scores": []},
        {"shortfalls": [0.0]},
        {"defining": ["no such measurement"]},
        {"centres": [["NaN"], [1.0]]},
        {"surprise": 1},
    ],
)
def test_a_sheet_that_contradicts_itself_is_refused(change) -> None:
    plain = json.loads(classifier().model_dump_json())
    plain["sheets"][0] |= change
    with pytest.raises(ModelError, match="classifier is wrong"):
        read_classifier(json.dumps(plain).encode())


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b"\xff\xfe", b'{"classes": ["A", "B"]}'])
def test_what_is_no_classifier_is_refused(content) -> None:
    with pytest.raises(ModelError):
        read_classifier(content)


@pytest.mark.parametrize(
    ("age_years", "named"), [(None, True), (18.0, True), (17.9, False), (3.0, False)]
)
def test_a_classifier_of_adults_is_not_asked_about_children(age_years, named) -> None:
    found = opinion({"LVEF": 60.0}, age_years=age_years)
    assert (found.answer is not None) == named
    assert named or [doubt.code for doubt in found.doubts] == ["AGE_OUTSIDE_RANGE"]
    assert found.judgements


def test_volumes_of_another_contour_rule_are_left_to_the_rules() -> None:
    facts = {
        "LVEF": Fact(60.0),
        "LVEDV": Fact(150.0, papillary=PapillaryRule.IN_MASS),
        "WT_MAX": Fact(18.0),
    }
    found = form_opinion(facts, classifier())
    assert found.answer is None
    assert [doubt.code for doubt in found.doubts] == ["POLICY_MISMATCH"]
    met = {one.rule.criterion for one in found.judgements if one.outcome is Outcome.MET}
    assert "Wall as thick as in hypertrophic cardiomyopathy (15 mm or more)" in met
    same = facts | {"LVEDV": Fact(150.0, papillary=PapillaryRule.IN_CAVITY)}
    assert form_opinion(same, classifier()).answer is not None


def test_no_argument_turns_where_no_heart_of_any_group_lies() -> None:
    two = classifier(sheet("two", ("LVEF", "RVEF"), (2.0, 1.0)))
    spans = {"RVEF": {"A": Span(low=50, high=70), "B": Span(low=20, high=45)}}
    limited = two.model_copy(update={"spans": spans})
    values = {"LVEF": 68.0, "RVEF": 40.0}
    turning = {one.symbol: one.turning_value for one in opinion(values, limited).arguments}
    assert turning["LVEF"] is not None
    assert turning["RVEF"] is None
    free = {one.symbol: one.turning_value for one in opinion(values, two).arguments}
    assert free["RVEF"] == pytest.approx(14.0)
