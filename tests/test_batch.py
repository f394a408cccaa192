"""Many studies of one input: one at a time in memory, and one that fails stops no other."""

import weakref
from pathlib import Path

import numpy as np
import pytest

from opencmr import batch
from opencmr.errors import GeometryError
from opencmr.geometry.grid import Grid
from opencmr.imaging.image import untimed_image
from opencmr.imaging.study import Series, Study
from opencmr.intake.studies import Studies
from opencmr.pipeline import Configuration
from opencmr.progress import silent

GRID = Grid((3, 8, 8), np.eye(4) + np.array([np.diag([0.0, 0, 0, 0])] * 3))


class Reader:
    """Makes studies and remembers what of each is still alive when the next is asked for."""

    def __init__(self) -> None:
        self.alive: list[int] = []
        self._made: list[weakref.ref[np.ndarray]] = []

    def __call__(self) -> Study:
        self.alive.append(sum(one() is not None for one in self._made))
        values = np.zeros((2, *GRID.shape), np.float32)
        self._made.append(weakref.ref(values))
        return Study(f"k{len(self._made)}", (Series("s01", untimed_image(values, GRID)),))


@pytest.mark.parametrize("fails", [False, True])
def test_a_study_is_forgotten_before_the_next_is_read(monkeypatch, tmp_path, fails):
    def analysed(study, *_, **__):
        if fails:
            raise GeometryError("no heart")
        return study

    monkeypatch.setattr(batch, "analyze_study", analysed)
    monkeypatch.setattr(batch, "write_report", lambda *_, **__: None)
    monkeypatch.setattr(batch, "outcome_of", lambda study, folder: batch.Outcome(study.key, folder))
    reader = Reader()
    outcomes = batch.analyze_studies(
        Studies([reader] * 4), Configuration(), tmp_path, Path("shown"), silent
    )
    assert [one.key for one in outcomes] == ["k1", "k2", "k3", "k4"]
    assert [one.error for one in outcomes] == ["no heart" if fails else ""] * 4
    assert reader.alive == [0, 0, 0, 0]
