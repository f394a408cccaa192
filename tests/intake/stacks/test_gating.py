"""Pictures that no R wave started are put in time by what moves, or refused."""

import numpy as np
import pytest

from opencmr.imaging.study import Series, SeriesHeader
from opencmr.intake.dicom.frame import Frame
from opencmr.intake.stacks.assemble import Assembled, assemble_series
from opencmr.intake.stacks.gating import find_gating

BEAT = 20
SIDE = 64
STEP_MS = 45.0
ROWS, COLUMNS = np.mgrid[0:SIDE, 0:SIDE]


def volume(share: np.ndarray | float) -> np.ndarray:
    """A heartbeat that empties fast and fills in two steps, 1 to 0 to 1."""
    share = np.asarray(share) % 1.0
    return np.interp(share, [0, 0.05, 0.35, 0.4, 0.55, 0.85, 1.0], [1, 1, 0, 0, 0.7, 0.75, 1.0])


def pictures(z: int, moments: np.ndarray, noise: float = 2.0) -> np.ndarray:
    """A bright disc in a grey chest that beats, smaller towards the apex."""
    random = np.random.default_rng(z)
    chest = 100 + 30 * np.sin(ROWS / 5 + z) + 20 * np.cos(COLUMNS / 7)
    radius = (14 - z) * (0.55 + 0.45 * volume(moments / BEAT))
    reach = np.hypot(ROWS - 32, COLUMNS - 30)
    disc = np.clip(radius[:, None, None] - reach + 0.5, 0, 1)
    values = chest + disc * (300 - chest) + random.normal(0, noise, (len(moments), SIDE, SIDE))
    return values.astype(np.float32)


def slices(size: int, offsets: list[int], **looks: float) -> list[np.ndarray]:
    return [pictures(z, o + np.arange(size), **looks) for z, o in enumerate(offsets)]


def assembled(
    stack: list[np.ndarray], *, timed: bool = True, rr_ms: float | None = None, words: str = "SAX"
) -> Assembled:
    header = SeriesHeader(modality="MR", slice_thickness_mm=8.0, series_description=words)
    return assemble_series(
        Frame(
            picture,
            header,
            sop_instance_uid=f"1.{z}.{t}",
            series_instance_uid="1.1",
            frame_of_reference_uid="9.9",
            pixel_spacing_mm=(1.5, 1.5),
            image_position_mm=(0.0, 0.0, 10.0 * z),
            image_orientation=(1.0, 0.0, 0.0, 0.0, 1.0, 0.0),
            instance_number=t + 1,
            cardiac_number_of_images=len(one),
            trigger_time_ms=t * STEP_MS if timed else None,
            rr_ms=rr_ms,
        )
        for z, one in enumerate(stack)
        for t, picture in enumerate(one)
    )


def only(found: Assembled) -> Series:
    (one,) = found.series
    assert one.facts is not None
    return one


ANYWHERE = [0, 7, 13, 4, 18, 10]


@pytest.mark.parametrize("timed", [True, False])
def test_slices_of_one_and_a_half_beats_are_put_in_time(timed):
    found = assembled(slices(30, ANYWHERE), timed=timed)
    one = only(found)
    assert (one.facts.gated_slices, one.facts.ungated) == (6, False)
    assert (one.image.phases, one.facts.declared_phases) == (BEAT, 0)
    moments = []
    for z, offset in enumerate(ANYWHERE):
        number = int(one.image.instances[0][z].sop_instance_uid.split(".")[2])
        moments.append((number + offset) % BEAT)
    apart = np.abs(np.array(moments) - moments[0])
    assert np.minimum(apart, BEAT - apart).max() <= 1
    if timed:
        np.testing.assert_allclose(one.image.rr_ms, BEAT * STEP_MS)
    assert [(left.reason.code, left.count) for left in found.left_out] == [
        ("GATED_FROM_IMAGES", 60)
    ]


def test_what_repeats_but_does_not_tell_its_moment_is_refused():
    one = only(assembled(slices(30, ANYWHERE, noise=400.0), words="SAX REALTIME"))
    assert (one.facts.gated_slices, one.facts.ungated) == (0, True)


def test_a_single_beat_that_begins_anywhere_is_refused():
    one = only(assembled(slices(BEAT, ANYWHERE)))
    assert (one.facts.gated_slices, one.facts.ungated) == (0, True)
    assert one.image.phases == BEAT


def test_a_gated_cine_whose_header_lost_the_heartbeat_stays_as_it_is():
    stack = slices(BEAT, [0] * 6)
    one = only(assembled(stack))
    assert (one.facts.gated_slices, one.facts.ungated) == (0, False)
    np.testing.assert_array_equal(one.image.values[:, 3], stack[3])


def test_a_stated_heartbeat_is_believed():
    one = only(assembled(slices(BEAT, ANYWHERE), rr_ms=BEAT * STEP_MS))
    assert (one.facts.gated_slices, one.facts.ungated) == (0, False)


def test_nothing_that_moves_tells_nothing():
    still = [pictures(z, np.zeros(30)) for z in range(4)]
    gating, repeats = find_gating(still)
    assert not repeats
    assert gating.displaced == 0
