"""What flows from room to room is valid, locked, and can be sent to another process."""

import pickle

import numpy as np
import pytest

from opencmr.anatomy.policy import ACDC_POLICY
from opencmr.anatomy.quantities import Code, Quantity
from opencmr.anatomy.reasons import Reason
from opencmr.anatomy.structures import ACDC
from opencmr.errors import GeometryError
from opencmr.geometry.grid import grid_from_spacing
from opencmr.imaging.axis import (
    Beats,
    Echo,
    Heartbeat,
    Preparation,
    PreparationKind,
    Single,
    untimed,
)
from opencmr.imaging.flag import About, LeftOut, QualityFlag, Severity
from opencmr.imaging.image import Image, Instance, Unit, untimed_image
from opencmr.imaging.measurement import Curve, Measurement
from opencmr.imaging.measurements import Measurements
from opencmr.imaging.reading import ModelUse, Reading
from opencmr.imaging.segmentation import Author, AuthorKind, Segmentation
from opencmr.imaging.study import Series, Study

SHAPE = (3, 2, 5, 4)
GRID = grid_from_spacing(SHAPE[1:], (8.0, 1.5, 1.5))
VOLUME = Quantity("LVEDV", "volume", "mL", 0, Code("8821-1", "LN", "ED Volume"), "Volume.")


def image() -> Image:
    times = np.arange(6, dtype=float).reshape(3, 2)
    along = Preparation(PreparationKind.INVERSION, times, times, np.full(2, 800.0))
    rows = tuple(tuple(Instance("1.4", f"1.{n}", z) for z in range(2)) for n in range(3))
    values = np.arange(120, dtype=np.float32).reshape(SHAPE)
    return Image(values, GRID, along, Unit.MILLISECONDS, ("a",), rows)


def segmentation() -> Segmentation:
    labels = np.full(SHAPE, 2, np.uint8)
    return Segmentation(labels, ACDC, GRID, ACDC_POLICY, Author(AuthorKind.IMPORT, "reader"))


def measurement() -> Measurement:
    return Measurement(VOLUME, None, Reason("SPARSE_STACK"))


CURVE = Curve(VOLUME, np.array([9.0, 5.0]), times_ms=np.array([0.0, 400.0]))
FLAG = QualityFlag(Severity.INFO, "SPARSE_STACK", "Far apart.", about=About("s01", "function"))
FLOWING = (
    GRID,
    image(),
    image().along,
    Heartbeat(np.zeros((3, 2)), np.full(2, 900.0)),
    Single(np.zeros((1, 2)), np.full(2, 900.0)),
    Echo(np.ones((3, 2)), np.zeros((3, 2)), np.full(2, 900.0)),
    Beats(np.ones((3, 2)), np.zeros((3, 2)), np.full(2, 900.0)),
    segmentation(),
    measurement(),
    CURVE,
    Measurements((measurement(), CURVE)),
    FLAG,
    LeftOut("file", Reason("TRUNCATED")),
    Reading(
        {"s01": segmentation()},
        {},
        Measurements((measurement(), CURVE)),
        (FLAG,),
        (ModelUse(*"abcde"),),
    ),
    Study("k", (Series("s01", image(), flags=(FLAG,)),)),
)


def plain(value: object) -> object:
    """Return a value as what can be compared: arrays as lists, objects as their parts."""
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, tuple):
        return [plain(item) for item in value]
    names = getattr(type(value), "__dataclass_fields__", None)
    return value if names is None else {name: plain(getattr(value, name)) for name in names}


@pytest.mark.parametrize("value", FLOWING, ids=lambda v: type(v).__name__)
def test_it_can_be_sent_to_another_process_and_comes_back_the_same(value: object) -> None:
    back = pickle.loads(pickle.dumps(value))
    assert type(back) is type(value)
    assert plain(back) == plain(value)


def test_an_image_s_arrays_are_locked_and_stay_so_when_sent() -> None:
    for one in (image(), pickle.loads(pickle.dumps(image()))):
        for array in (one.values, one.along.times_ms, one.trigger_ms, one.rr_ms):
            with pytest.raises(ValueError, match="read-only"):
                array[...] = 0


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (lambda: untimed_image(np.zeros((1, 2, 5, 5), np.float32), GRID), "values"),
        (lambda: untimed_image(np.zeros(SHAPE), GRID), "float32"),
        (lambda: Image(np.zeros(SHAPE, np.float32), GRID, untimed(2, 2)), "trigger_ms"),
        (
            lambda: Image(
                np.zeros(SHAPE, np.float32),
                GRID,
                untimed(3, 2),
                instances=((Instance("1", "2", 1),),),
            ),
            "instances",
        ),
    ],
)
def test_an_image_that_contradicts_itself_is_refused(wrong, said) -> None:
    with pytest.raises(GeometryError, match=said):
        wrong()


def test_a_cine_is_what_has_a_heartbeat() -> None:
    assert not image().is_cine
    values = np.zeros(SHAPE, np.float32)
    assert untimed_image(values, GRID).is_cine
    assert not untimed_image(values[:1], GRID).is_cine
