"""The left ventricle on long-axis pictures: ellipses whose truth is known."""

import numpy as np
import pytest

from opencmr.measure.function.area_length import area_length_ml, long_axis_cavity
from opencmr.measure.ventricles import Unmeasurable

SPACING = (1.2, 0.9)
LENGTH, RADIUS, WALL = 80.0, 24.0, 9.0
CENTRE = np.array([100.0, 95.0])


def drawn(angle_deg, *, length=LENGTH, radius=RADIUS, open_at=None, shape=(180, 220)):
    """Return cavity and wall of an ellipse turned by an angle, cut off above ``open_at`` mm."""
    down, right = np.indices(shape) * np.array(SPACING)[:, None, None]
    cosine, sine = np.cos(np.radians(angle_deg)), np.sin(np.radians(angle_deg))
    along = (down - CENTRE[0]) * cosine + (right - CENTRE[1]) * sine
    across = -(down - CENTRE[0]) * sine + (right - CENTRE[1]) * cosine
    inner = (2 * along / length) ** 2 + (across / radius) ** 2 < 1
    outer = (along / (length / 2 + WALL)) ** 2 + (across / (radius + WALL)) ** 2 < 1
    below = along > -length / 2 + (open_at or 0.0)
    return inner & below, outer & ~inner & below


@pytest.mark.parametrize("angle_deg", [0, 37, 90, 200, 301])
def test_valve_apex_and_length_are_found_whichever_way_the_heart_lies(angle_deg):
    cut = 16.0
    found = long_axis_cavity(*drawn(angle_deg, open_at=cut), SPACING)
    half = RADIUS * np.sqrt(1 - (1 - 2 * cut / LENGTH) ** 2)
    apart = np.linalg.norm(found.hinges_mm[1] - found.hinges_mm[0])
    # A hinge is found where the wall ends: within what counts as lined by it.
    assert apart == pytest.approx(2 * half, abs=4.0)
    assert found.length_mm == pytest.approx(LENGTH - cut, abs=2.5)
    axis = np.array([np.cos(np.radians(angle_deg)), np.sin(np.radians(angle_deg))])
    assert found.apex_mm - CENTRE == pytest.approx(axis * LENGTH / 2, abs=3.0)


def test_the_volume_of_an_ellipsoid_is_exact():
    """Of an ellipsoid with axes L, D1, D2: pi / 6 L D1 D2, from its two planes."""

    def whole(radius):
        cavity, wall = drawn(20, radius=radius, open_at=0.0)
        found = long_axis_cavity(cavity, wall & (np.arange(180)[:, None] > 60), SPACING)
        half = np.array([LENGTH / 2, 0.0])
        return type(found)(np.stack([CENTRE - half, CENTRE - half]), CENTRE + half, found.area_mm2)

    truth_ml = np.pi / 6 * LENGTH * (2 * RADIUS) * (2 * 18.0) / 1000
    assert area_length_ml(whole(RADIUS), whole(18.0)) == pytest.approx(truth_ml, rel=0.01)
    single_ml = np.pi / 6 * LENGTH * (2 * RADIUS) ** 2 / 1000
    assert area_length_ml(whole(RADIUS)) == pytest.approx(single_ml, rel=0.01)


def test_the_shorter_length_counts():
    long, short = (
        long_axis_cavity(*drawn(10, length=length, open_at=14.0), SPACING) for length in (90, 70)
    )
    expected = 8 * long.area_mm2 * short.area_mm2 / (3 * np.pi * short.length_mm) / 1000
    assert area_length_ml(long, short) == area_length_ml(short, long) == pytest.approx(expected)


def test_a_cavity_that_opens_nowhere_has_no_valve():
    with pytest.raises(Unmeasurable) as refused:
        long_axis_cavity(*drawn(0), SPACING)
    assert refused.value.reason.code == "NO_VALVE_SEEN"


def test_a_gap_of_the_wall_is_no_valve():
    cavity, wall = drawn(0)
    wall[60:66, :] = False
    with pytest.raises(Unmeasurable) as refused:
        long_axis_cavity(cavity, wall, SPACING)
    assert refused.value.reason.code == "NO_VALVE_SEEN"


@pytest.mark.parametrize("without", ["cavity", "wall"])
def test_nothing_is_measured_where_nothing_is_seen(without):
    cavity, wall = drawn(0, open_at=16.0)
    nothing = np.zeros_like(cavity)
    with pytest.raises(Unmeasurable) as refused:
        long_axis_cavity(*((nothing, wall) if without == "cavity" else (cavity, nothing)), SPACING)
    assert refused.value.reason.code == "NO_HEART_FOUND"
