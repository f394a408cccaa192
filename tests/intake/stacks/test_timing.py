"""Slices are put together by time; gaps and heartbeats are judged by the pictures' own times."""

from dataclasses import replace

import numpy as np
import pytest

from opencmr.imaging.study import Series, SeriesHeader
from opencmr.intake.dicom.frame import Frame
from opencmr.intake.stacks.assemble import assemble_series
from opencmr.intake.stacks.timing import (
    beat_shares,
    is_doubtful,
    largest_step,
    nearest_pictures,
    uncovered_end,
)

EVEN_MS = np.arange(20) * 40.0
TEXTURE = np.arange(48, dtype=np.float32).reshape(6, 8)


def one_slice(
    z_mm: float, times_ms: np.ndarray, rr_ms: float | None = 800.0, words: str = ""
) -> list[Frame]:
    """A slice whose pictures are as bright as the time, in ms, at which they were taken."""
    header = SeriesHeader(modality="MR", slice_thickness_mm=8.0, series_description=words)
    return [
        Frame(
            (time_ms + TEXTURE / 100).astype(np.float32),
            header,
            sop_instance_uid=f"1.{z_mm:g}.{t}",
            series_instance_uid="1.1",
            frame_of_reference_uid="9.9",
            pixel_spacing_mm=(1.5, 1.5),
            image_position_mm=(0.0, 0.0, z_mm),
            image_orientation=(1.0, 0.0, 0.0, 0.0, 1.0, 0.0),
            instance_number=t + 1,
            trigger_time_ms=float(time_ms),
            rr_ms=rr_ms,
        )
        for t, time_ms in enumerate(times_ms)
    ]


def stack(*slices: list[Frame]) -> Series:
    (one,) = assemble_series(frame for frames in slices for frame in frames).series
    return one


def facts(one: Series) -> dict[str, float]:
    assert one.facts is not None
    names = ("largest_step", "uncovered_end", "doubted_heartbeats", "retimed_slices")
    return {name: round(getattr(one.facts, name), 3) for name in names}


def test_an_even_cine_has_no_gap_and_is_not_put_together_anew():
    one = stack(
        *(one_slice(10.0 * z, EVEN_MS * (1 + z / 30), 800 * (1 + z / 30)) for z in range(4))
    )
    assert facts(one) == {
        "largest_step": 1.0,
        "uncovered_end": 0.0,
        "doubted_heartbeats": 0,
        "retimed_slices": 0,
    }


@pytest.mark.parametrize(
    ("lost", "step"), [([5], 2.0), ([5, 6], 3.0), ([3, 9, 15], 2.0), ([0, 1], 3.0)]
)
def test_lost_phases_are_found_without_a_declared_number(lost, step):
    times_ms = np.delete(EVEN_MS, lost)
    one = stack(*(one_slice(10.0 * z, times_ms) for z in range(4)))
    assert facts(one)["largest_step"] == pytest.approx(step, abs=0.01)


def test_phases_lost_from_one_slice_alone_are_found():
    whole = [one_slice(10.0 * z, EVEN_MS) for z in range(3)]
    one = stack(*whole, one_slice(30.0, np.delete(EVEN_MS, [7, 8])))
    assert facts(one)["largest_step"] == pytest.approx(3.0)


@pytest.mark.parametrize("start_ms", [0.0, 15.0, 35.0])
def test_a_cine_that_starts_a_little_late_lacks_nothing(start_ms):
    assert largest_step(start_ms + EVEN_MS, 800.0) == pytest.approx(1.0)


def test_prospective_gating_leaves_the_end_open():
    one = stack(*(one_slice(10.0 * z, EVEN_MS * 0.7) for z in range(4)))
    assert facts(one)["uncovered_end"] == pytest.approx(0.3)
    assert facts(one)["doubted_heartbeats"] == 0
    assert uncovered_end(EVEN_MS, 800.0) == pytest.approx(0.0)


def test_a_heartbeat_that_the_pictures_do_not_fill_is_not_believed():
    one = stack(*(one_slice(10.0 * z, EVEN_MS, 2000.0) for z in range(4)))
    assert facts(one)["doubted_heartbeats"] == 4
    assert np.isnan(one.image.rr_ms).all()


@pytest.mark.parametrize("said", ["CINE PROSPECTIVE", "technique"])
def test_prospective_gating_that_is_said_is_believed(said):
    slices = [one_slice(10.0 * z, EVEN_MS, 2000.0, words=said) for z in range(4)]
    if said == "technique":
        slices = [
            [
                replace(f, header=replace(f.header, cardiac_synchronization="PROSPECTIVE"))
                for f in frames
            ]
            for frames in slices
        ]
    one = stack(*slices)
    assert facts(one)["doubted_heartbeats"] == 0
    assert (one.image.rr_ms == 2000).all()


@pytest.mark.parametrize("times_ms", [600 + np.arange(8) * 2.0, np.array([0, 10, 20, 500, 510.0])])
def test_pictures_that_are_no_even_cine_cast_no_doubt(times_ms):
    assert not is_doubtful(times_ms, 2000.0)


def test_slices_of_other_heart_rates_are_combined_as_shares_of_their_own_heartbeat():
    fast, slow = (np.arange(16) * 40.0, 720.0), (np.arange(16) * 40.0, 1000.0)
    one = stack(*(one_slice(10.0 * z, *(slow if z == 1 else fast)) for z in range(4)))
    assert facts(one)["retimed_slices"] == 1
    shares = np.arange(16) * 40 / 720
    np.testing.assert_allclose(one.image.trigger_ms[:, 1], shares * 1000)
    shown_ms = one.image.values[:, 1, 0, 0]
    reached = shares <= 0.62
    assert np.abs(shown_ms[reached] / 1000 - shares[reached]).max() <= 0.02 + 1e-6
    for t, row in enumerate(one.image.instances):
        assert row[1].sop_instance_uid == f"1.10.{round(shown_ms[t] / 40)}"


def test_a_slice_that_starts_elsewhere_in_the_heartbeat_is_put_in_time():
    late = np.roll(EVEN_MS, -5)
    frames = [replace(f, instance_number=t + 1) for t, f in enumerate(one_slice(20.0, late))]
    one = stack(one_slice(0.0, EVEN_MS), one_slice(10.0, EVEN_MS), frames)
    np.testing.assert_allclose(one.image.values[:, 2, 0, 0], EVEN_MS)


def test_slices_within_half_a_step_keep_their_order_and_values():
    slices = [one_slice(10.0 * z, EVEN_MS + 6.0 * z) for z in range(4)]
    one = stack(*slices)
    assert facts(one)["retimed_slices"] == 0
    for z, frames in enumerate(slices):
        for t, frame in enumerate(frames):
            np.testing.assert_array_equal(one.image.values[t, z], frame.values)


def test_a_rounded_heartbeat_shifts_nothing():
    shares = beat_shares(EVEN_MS, 760.0)
    np.testing.assert_allclose(shares, np.arange(20) / 20)


def test_a_clock_that_runs_on_through_the_slices_keeps_their_order():
    one = stack(*(one_slice(10.0 * z, EVEN_MS + 12_000.0 * z) for z in range(4)))
    assert facts(one)["retimed_slices"] == 0
    np.testing.assert_allclose(np.diff(one.image.values[:, 3, 0, 0]), 40.0)


def test_nearest_pictures_go_round_the_heartbeat():
    even = np.arange(10) / 10
    np.testing.assert_array_equal(nearest_pictures((even + 0.3) % 1.0, even), np.roll(range(10), 3))
