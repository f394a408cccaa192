"""One study, and many after each other: what stays in memory, and what is told."""

import weakref

import numpy as np
import pytest

from opencmr.anatomy.reasons import Reason
from opencmr.batch import cohort
from opencmr.batch.cohort import Done, Place, StudyTask
from opencmr.batch.one_study import with_orphans
from opencmr.errors import GeometryError
from opencmr.geometry.grid import Grid
from opencmr.imaging.flag import LeftOut
from opencmr.imaging.image import untimed_image
from opencmr.imaging.study import Series, Study
from opencmr.intake.index import Entry
from opencmr.intake.studies import Studies
from opencmr.models.session import Networks
from opencmr.pipeline import Configuration

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

    monkeypatch.setattr(cohort, "analyze_one", analysed)
    reader = Reader()
    entries = [Entry(f"k{n}", "", "") for n in range(4)]
    task = StudyTask(
        Studies([reader] * 4, entries=entries),
        [Configuration()] * 4,
        Place(tmp_path, tmp_path),
        Networks(),
    )
    assert [task(n) for n in range(4)] == [Done("no heart" if fails else "")] * 4
    assert reader.alive == [0, 0, 0, 0]


def test_what_belongs_to_no_study_is_named_once_in_each():
    row = LeftOut("file", Reason("UNREADABLE"))
    study = with_orphans(Reader()(), (row,))
    assert study.left_out == (row,)
    assert with_orphans(study, (row,)).left_out == (row,)
