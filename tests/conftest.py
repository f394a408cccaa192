"""Fixtures that every room's tests share."""

import os
from collections.abc import Callable, Generator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from opencmr.imaging.image import Image
from opencmr.imaging.segmentation import Segmentation
from opencmr.simulate import SimulatedStudy

REPOSITORY = Path(__file__).resolve().parents[1]


def _data_folder() -> Path:
    named = os.environ.get("OPENCMR_DATA")
    return Path(named) if named else REPOSITORY.parent / "shared" / "data"


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """The folder of the real data sets; skips where there is none."""
    folder = _data_folder()
    if not folder.is_dir():
        pytest.skip(f"no real data: set OPENCMR_DATA or put it at {folder}")
    return folder


@pytest.fixture
def true_labels() -> Callable[..., Callable[..., Segmentation]]:
    """Return what stands for the network on a phantom: its true labels at an image's phases."""

    def of(phantom: SimulatedStudy) -> Callable[..., Segmentation]:
        labels = phantom.labels
        cine = next(s.images[0] for s in phantom.series if s.images[0].grid == labels.grid)

        def segment(image: Image, *_: object, **__: object) -> Segmentation:
            known_ms, asked_ms = cine.trigger_ms[:, 0], image.trigger_ms[:, 0]
            phases = [int(np.argmin(np.abs(known_ms - one))) for one in asked_ms]
            return replace(labels, labels=labels.labels[phases])

        return segment

    return of


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """In CI, where the real data are there, a test that needs them may not skip."""
    report = yield
    skipped = report.skipped and not hasattr(report, "wasxfail")
    if skipped and item.get_closest_marker("real_data") and _skips_are_failures():
        report.outcome = "failed"
        report.longrepr = f"skipped in CI although the real data are there: {report.longrepr}"
    return report


def _skips_are_failures() -> bool:
    return bool(os.environ.get("CI")) and _data_folder().is_dir()
