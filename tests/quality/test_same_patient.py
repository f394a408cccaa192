"""An earlier result of somebody else is never taken."""

import pytest

from opencmr.errors import ConfigurationError
from opencmr.imaging.change import EarlierResult
from opencmr.imaging.study import Identity
from opencmr.quality.same_patient import require_same_patient

CANARY = "CANARY-4711"


def result(patient_id: str, issuer: str = "") -> EarlierResult:
    return EarlierResult("k", {}, patient_id=patient_id, issuer_of_patient_id=issuer)


def who(patient_id: str, issuer: str = "") -> Identity:
    return Identity(patient_id=patient_id, issuer_of_patient_id=issuer)


@pytest.mark.parametrize("stated", [True, False])
@pytest.mark.parametrize("blanks", ["", " "])
def test_equal_identifiers_are_one_patient(stated: bool, blanks: str) -> None:
    earlier = result(CANARY, "Hospital A")
    assert require_same_patient(who(CANARY + blanks, "Hospital A"), earlier, stated=stated)


@pytest.mark.parametrize("stated", [True, False])
@pytest.mark.parametrize(
    ("now", "then"),
    [
        ((CANARY, ""), ("CANARY-4712", "")),
        ((CANARY, ""), (CANARY.lower(), "")),
        ((CANARY, "Hospital A"), (CANARY, "Hospital B")),
    ],
)
def test_identifiers_that_contradict_are_refused_whatever_is_stated(now, then, stated) -> None:
    with pytest.raises(ConfigurationError, match="another patient") as refused:
        require_same_patient(who(*now), result(*then), stated=stated)
    assert "CANARY" not in str(refused.value).upper()


@pytest.mark.parametrize(
    ("now", "then", "named"),
    [
        (("", ""), (CANARY, ""), "this study states no patient's"),
        (("  ", ""), ("", ""), "this study states no patient's"),
        ((CANARY, ""), ("", ""), "the earlier result states no patient's"),
        ((CANARY, "Hospital A"), (CANARY, ""), "the earlier result states no issuer"),
        ((CANARY, ""), (CANARY, "Hospital A"), "this study states no issuer"),
    ],
)
def test_what_is_missing_is_named_and_may_be_vouched_for(now, then, named) -> None:
    with pytest.raises(ConfigurationError, match="--same-patient") as refused:
        require_same_patient(who(*now), result(*then), stated=False)
    assert str(refused.value).startswith(named)
    assert CANARY not in str(refused.value)
    assert not require_same_patient(who(*now), result(*then), stated=True)


def test_the_identifiers_of_an_earlier_result_stay_out_of_its_repr() -> None:
    assert CANARY not in repr(result(CANARY, CANARY))
