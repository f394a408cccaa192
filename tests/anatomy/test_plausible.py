"""One truth of what a body can be, at every door."""

import pytest
from typer.testing import CliRunner

from opencmr.anatomy.plausible import (
    HEART_RATE_LIMITS_BPM,
    HEIGHT_LIMITS_CM,
    WEIGHT_LIMITS_KG,
)
from opencmr.cli.application import application
from opencmr.imaging.study import Demographics
from opencmr.intake.demographics import Body, demographics_of
from opencmr.measure.body_size import plausible_size

BESIDE = 1e-6


def test_the_index_takes_the_greatest_height_that_a_header_may_state() -> None:
    tallest_cm = HEIGHT_LIMITS_CM[1]
    body = Body(size_m=tallest_cm / 100, weight_kg=150.0)
    stated, flags = demographics_of("F", body, "", "", None)
    assert flags == ()
    assert plausible_size(stated) == pytest.approx((tallest_cm, 150.0))


def test_a_header_beyond_the_limits_is_not_used() -> None:
    for height_cm in (HEIGHT_LIMITS_CM[0] - BESIDE, HEIGHT_LIMITS_CM[1] + BESIDE):
        stated, flags = demographics_of("F", Body(size_m=height_cm / 100), "", "", None)
        assert (stated, len(flags)) == (Demographics("F"), 1)


@pytest.mark.parametrize(
    ("option", "limits"),
    [
        ("--height-cm", HEIGHT_LIMITS_CM),
        ("--weight-kg", WEIGHT_LIMITS_KG),
        ("--heart-rate", HEART_RATE_LIMITS_BPM),
    ],
)
def test_the_command_line_takes_what_a_header_may_state_and_no_more(
    tmp_path, option, limits
) -> None:
    for value, refused in (
        (limits[0], False),
        (limits[1], False),
        (limits[0] - BESIDE, True),
        (limits[1] + BESIDE, True),
    ):
        said = CliRunner().invoke(
            application,
            ["analyze", str(tmp_path / "no"), "-o", str(tmp_path / "out"), option, str(value)],
        )
        assert ("does not exist" not in said.output) == refused
