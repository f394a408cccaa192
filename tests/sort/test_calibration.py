"""Probabilities of names: they fall with every witness that is missing, and doubt is told."""

from dataclasses import replace

import numpy as np
import pytest

from opencmr.anatomy.techniques import SequenceName
from opencmr.geometry.grid import grid_from_spacing
from opencmr.imaging.image import untimed_image
from opencmr.imaging.study import Series, SeriesHeader, Study
from opencmr.simulate import HeartParameters, Protocol, simulate_study
from opencmr.sort.calibration import KNOWS_FROM, SEQUENCE, VIEW, WITNESSES, calibrated
from opencmr.sort.examination import likeliest, named_stacks
from opencmr.sort.pictures import look_at
from opencmr.sort.sorting import evidence_of, sort_study

HEADER = SeriesHeader(
    modality="MR",
    series_description="LGE SAX",
    image_type=("ORIGINAL", "PRIMARY", "M"),
    scanning_sequence=("GR", "IR"),
    inversion_time_ms=300.0,
    contrast_agent="GD",
)


def late_enhancement(header: SeriesHeader = HEADER) -> Study:
    grid = grid_from_spacing((8, 64, 64), (8.0, 1.4, 1.4))
    image = untimed_image(np.zeros((1, *grid.shape), np.float32), grid)
    return sort_study(Study("k", (Series("s01", image, header=header),)))


@pytest.mark.parametrize("part", [SEQUENCE, VIEW])
def test_neither_votes_nor_witnesses_ever_make_a_name_less_sure(part):
    model = calibrated(part)
    assert all(weight >= 0 for weight in model.weights.values())
    assert any(weight > 0 for weight in model.weights.values())


def test_the_model_knows_every_fact_that_is_gathered_and_no_other():
    sequence, view = likeliest(late_enhancement())["s01"]
    assert set(sequence.facts) == set(calibrated(SEQUENCE).weights)
    assert set(view.facts) == set(calibrated(VIEW).weights)


def test_a_name_is_less_sure_when_the_scanner_is_silent():
    whole = named_stacks(late_enhancement())["s01"]
    silent = SeriesHeader(modality="MR", series_description="LGE SAX")
    by_words = named_stacks(late_enhancement(silent))["s01"]
    assert whole.sequence is SequenceName.LGE_MAGNITUDE
    assert by_words.sequence_probability < whole.sequence_probability


def test_what_is_too_unsure_is_unknown_and_the_likeliest_name_is_told(monkeypatch):
    certain = calibrated(SEQUENCE)
    doubtful = replace(certain, intercept=-30.0)
    monkeypatch.setattr("opencmr.sort.examination.calibrated", lambda part: doubtful)
    naming = named_stacks(late_enhancement())["s01"]
    assert naming.sequence is SequenceName.UNKNOWN
    assert naming.sequence_probability < KNOWS_FROM
    assert naming.evidence[0] == "unknown: LGE magnitude is likeliest, but too unsure to be named"


def test_each_witness_can_be_sent_out_of_the_room():
    evidence = evidence_of(late_enhancement())["s01"]
    assert WITNESSES["words"](evidence).words == ""
    assert WITNESSES["header"](evidence).header == SeriesHeader(modality="MR")
    assert not WITNESSES["geometry"](evidence).oriented
    assert WITNESSES["pictures"](evidence).pictures is None


def test_the_borders_of_a_large_heart_are_no_tags():
    heart = HeartParameters(seed=12, ef_percent=39.0, edv_ml=200.0)
    protocol = replace(
        Protocol.small(),
        phases=12,
        pixel_mm=1.8,
        rows=144,
        columns=144,
        long_axis=False,
        scouts=False,
    )
    image = simulate_study(heart, protocol=protocol).short_axis.images[0]
    found = look_at(image)
    assert found is not None
    assert not found.is_tagged
    y, x = np.indices(image.grid.shape[1:])
    grid = np.maximum((x + y) % 4 < 1, (x - y) % 4 < 1)
    tagged = look_at(replace(image, values=(image.values * (1 - 0.8 * grid)).astype(np.float32)))
    assert tagged is not None
    assert tagged.is_tagged
