"""Normal ranges: applied where sex, age and policy fit, and nowhere else."""

from dataclasses import replace

import pytest

from opencmr.anatomy.policy import BasalRule, ContourPolicy, PapillaryRule
from opencmr.anatomy.ranges import Acquisition, RangeSource, normal_ranges, parse_ranges
from opencmr.anatomy.reasons import REASON_CODES
from opencmr.imaging.measurement import Measurement, ReferenceVerdict
from opencmr.imaging.study import Demographics
from opencmr.measure import QUANTITIES, measure_all
from opencmr.measure.function.ejection import LVCO, LVEF
from opencmr.measure.reference import verdict

IN_CAVITY = ContourPolicy(PapillaryRule.IN_CAVITY, BasalRule.AS_SEGMENTED)
MAN, WOMAN = Demographics("M", 60.0), Demographics("F", 60.0)


def lvef(percent: float) -> Measurement:
    return Measurement(LVEF, percent, policy=IN_CAVITY)


# The Healthy Hearts Consortium, 60 to 69 years: men 47-72 %, women 51-74 %.
@pytest.mark.parametrize(
    ("percent", "who", "side", "z"),
    [
        (59.5, MAN, "within", 0.0),
        (46.0, MAN, "below", -2.1168),
        (72.1, MAN, "above", 1.97568),
        (72.1, WOMAN, "within", 1.63617),
        (50.0, WOMAN, "below", -2.13043),
    ],
)
def test_a_value_lies_within_below_or_above(percent, who, side, z) -> None:
    found = verdict(lvef(percent), who)
    assert isinstance(found, ReferenceVerdict)
    assert found.verdict == side
    assert found.z_score == pytest.approx(z, abs=1e-4)
    assert "17:746" in found.citation
    assert "95 % prediction interval" in found.population


@pytest.mark.parametrize(
    "who",
    [Demographics(), Demographics("M"), Demographics(None, 60.0), Demographics("O", 60.0)],
)
def test_without_sex_or_age_no_range_is_applied_and_it_is_said(who) -> None:
    assert str(verdict(lvef(60.0), who)).startswith("DEMOGRAPHICS_UNKNOWN")


@pytest.mark.parametrize(("age", "applies"), [(17.9, False), (18, True), (101, True)])
def test_a_range_holds_for_its_ages_alone(age, applies) -> None:
    found = verdict(lvef(60.0), Demographics("M", age))
    assert isinstance(found, ReferenceVerdict) == applies
    assert applies or str(found).startswith("AGE_OUTSIDE_RANGE")


@pytest.mark.parametrize(
    "policy", [None, ContourPolicy(PapillaryRule.IN_MASS, BasalRule.AS_SEGMENTED)]
)
def test_no_range_is_applied_across_contour_policies(policy) -> None:
    assert str(verdict(replace(lvef(60.0), policy=policy), MAN)).startswith("POLICY_MISMATCH")


def test_a_quantity_without_a_range_says_so() -> None:
    found = verdict(Measurement(LVCO, 5.0, policy=IN_CAVITY), MAN)
    assert str(found).startswith("NO_RANGE")


def test_a_sites_own_ranges_stand_in_for_the_packaged_ones() -> None:
    own = parse_ranges("symbol,low,high\nLVEF,30,40", RangeSource("people", "limits", "ours"))
    found = verdict(lvef(50.0), Demographics(), own)
    assert isinstance(found, ReferenceVerdict)
    assert (found.verdict, found.z_score, found.citation) == ("above", None, "ours")


THREE_TESLA = parse_ranges(
    "symbol,low,high,field_strength_t,sequence\nLVEF,30,40,3,cine",
    RangeSource("people", "limits", "ours"),
)


def test_no_range_is_applied_across_field_and_sequence_and_no_header_is_quoted() -> None:
    ours = verdict(lvef(50.0), MAN, THREE_TESLA, Acquisition(2.89, names="CINE sax"))
    assert isinstance(ours, ReferenceVerdict)
    hold = "OTHER_SCANNER: the normal ranges hold for 3 T cine; "
    for made, why in (
        (Acquisition(1.5, "Acme", "CINE Doe"), "this was made at 1.5 T"),
        (Acquisition(3.0, "Acme", "LGE Doe"), "the headers name another vendor or sequence"),
        (Acquisition(names="CINE Doe"), "the field strength is not known"),
    ):
        found = str(verdict(lvef(50.0), MAN, THREE_TESLA, made))
        assert found.startswith(hold + why)
        assert "Doe" not in found


def test_what_a_sites_table_lacks_for_a_scanner_is_judged_by_the_packaged_ranges() -> None:
    both = (*THREE_TESLA, *normal_ranges())
    found = verdict(lvef(50.0), MAN, both, Acquisition(1.5, names="cine"))
    assert isinstance(found, ReferenceVerdict)
    assert "17:746" in found.citation


def test_every_range_is_of_a_quantity_and_has_its_source() -> None:
    symbols = {quantity.symbol for quantity in QUANTITIES}
    for one in normal_ranges():
        assert one.symbol in symbols
        assert "table" in one.source.citation


def test_measuring_puts_the_verdict_beside_the_value_or_says_why_not(tube_ventricles) -> None:
    for _, measurement in measure_all(tube_ventricles).points():
        assert (measurement.reference is None) == (measurement.reference_reason is not None)
        if measurement.reference is None:
            assert measurement.reference_reason.code in REASON_CODES
        if measurement.value is None:
            assert measurement.reason.code in REASON_CODES
    ranged = {m.quantity.symbol for _, m in measure_all(tube_ventricles).points() if m.reference}
    assert {"LVEDV", "LVEDVi", "LVEF", "LVMi", "RVEF"} <= ranged
