"""Values of tissue with their limits: from measurements, from their file, from hostile rows."""

import json
from dataclasses import replace

import pytest

from opencmr.anatomy.map_kinds import MapKind
from opencmr.anatomy.ranges import RangeSource, parse_ranges
from opencmr.anatomy.reasons import Reason
from opencmr.diagnose.facts import facts_of_rows
from opencmr.diagnose.tissue_values import NO_LIMIT, drawn_of, tissue_of, tissue_of_rows
from opencmr.errors import InputError
from opencmr.imaging.measurement import Measurement
from opencmr.imaging.measurements import Measurements
from opencmr.imaging.study import Demographics
from opencmr.measure.reference import NO_RANGE, with_reference
from opencmr.measure.relaxometry.in_wall import quantities_of
from opencmr.measure.scar.extent import Pattern
from opencmr.measure.scar.in_wall import SCAR_PERCENT

T2 = quantities_of(MapKind.T2, after_contrast=False).mean
POST = quantities_of(MapKind.T1, after_contrast=True).mean


def measured(text: str = "symbol,low,high\nT2,40,52", **patient) -> Measurements:
    ranges = parse_ranges(text, RangeSource("", "", "the site's own"))
    found = (
        Measurement(T2, 55.0, series="s5", reference_reason=NO_RANGE),
        Measurement(T2, 61.0, series="s5", segment=8, reference_reason=NO_RANGE),
        Measurement(T2, None, Reason("THIN_WALL", "too few"), series="s6"),
        Measurement(POST, 400.0, series="s7", reference_reason=NO_RANGE),
        Measurement(SCAR_PERCENT, 6.0, series="s9", interval=(4.0, 9.0),
                    reference_reason=NO_RANGE,
                    evidence="pattern: mid-wall; interval: between methods"),
    )  # fmt: skip
    who = Demographics(**patient)
    return Measurements(tuple(with_reference(one, who, ranges) for one in found))


def test_a_segment_has_the_limit_of_its_own_series_wall() -> None:
    wall, segment, lost, scar = tissue_of(measured())
    assert (wall.limit, segment.limit, segment.segment) == (52.0, 52.0, 8)
    assert (lost.limit, lost.fact.value) == (None, None)
    assert (scar.pattern, scar.fact.interval) == (Pattern.MID_WALL, (4.0, 9.0))


def test_a_range_of_other_people_gives_no_limit_but_why() -> None:
    wall, segment, *_ = tissue_of(measured("symbol,sex,low,high\nT2,F,40,52"))
    assert (wall.limit, segment.limit) == (None, None)
    assert wall.no_limit is not None
    assert wall.no_limit.code == segment.no_limit.code == "DEMOGRAPHICS_UNKNOWN"  # type: ignore[union-attr]
    wall, *_ = tissue_of(measured("symbol,low,high\nLVEF,40,52"))
    assert wall.no_limit == NO_LIMIT


def test_the_file_of_measurements_says_the_same_but_for_why_something_is_missing() -> None:
    rows = json.loads(json.dumps(measured().rows()))
    told = [replace(one, no_limit=None) for one in tissue_of(measured())]
    read = [replace(one, no_limit=None) for one in tissue_of_rows(rows)]
    assert [one.fact.value for one in read] == [one.fact.value for one in told]
    assert [replace(one, fact=read[0].fact) for one in read] == [
        replace(one, fact=read[0].fact) for one in told
    ]


def test_who_outlined_a_series_is_read_from_the_file_and_nobody_is_no_reader() -> None:
    told = [
        {"series": "s1", "author_kind": "model"},
        {"series": "s2", "author_kind": "reader"},
        {"series": "s9", "author_kind": "import"},
        {"series": "s3"}, "s4", None,
    ]  # fmt: skip
    assert drawn_of(told) == ("s2", "s9")
    assert drawn_of({"s9": "reader"}) == drawn_of(None) == ()
    by_reader = {one.series: one.by_reader for one in tissue_of(measured(), drawn_of(told))}
    assert by_reader == {"s5": False, "s6": False, "s9": True}


def test_maps_of_several_series_are_no_reason_to_refuse_a_result() -> None:
    rows = [
        {"symbol": "T2", "value": 50.0, "phase": None, "segment": None, "series": key}
        for key in ("s5", "s6")
    ]
    assert facts_of_rows(rows) == {}
    assert [one.series for one in tissue_of_rows(rows)] == ["s5", "s6"]


@pytest.mark.parametrize(
    "hostile",
    [{"value": "55"}, {"value": float("nan")}, {"range": [1, 2]}, {"range": {"high": "52"}},
     {"interval": ["a", 1]}],
)  # fmt: skip
def test_rows_of_another_shape_are_refused(hostile) -> None:
    row = {"symbol": "T2", "value": 55.0, "phase": None, "segment": None}
    with pytest.raises(InputError, match=r"measurements\.json"):
        tissue_of_rows([row | hostile])
    assert tissue_of_rows([row | {"evidence": 3, "series": None}])[0].pattern is None
