"""Fixtures that every room's tests share."""

import os
from collections.abc import Callable, Generator
from dataclasses import replace
from pathlib import Path

import hypothesis
import numpy as np
import pytest

from opencmr.imaging.image import Image
from opencmr.imaging.segmentation import Segmentation
from opencmr.simulate import SimulatedStudy

REPOSITORY = Path(__file__).resolve().parents[1]


# A busy machine is no fault of the code: nothing here is timed.
hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")


def pytest_configure() -> None:
    """Give each of several workers a core of its own.

    The threads of one worker's network otherwise wait, busily, for cores that the other's hold: a
    third of the time of a run on two cores.
    """
    worker = os.environ.get("PYTEST_XDIST_WORKER", "")
    if worker and hasattr(os, "sched_getaffinity"):
        cores = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, {cores[int(worker.removeprefix("gw")) % len(cores)]})


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


WITHOUT_POSIX = """
import builtins, os, select, signal

usual = builtins.__import__

def without_posix(name, globals=None, *rest, **more):
    if name in ("fcntl", "resource") and (globals or {}).get("__name__", "").startswith("opencmr"):
        raise ModuleNotFoundError(name)
    return usual(name, globals, *rest, **more)

builtins.__import__ = without_posix
for module, names in (
    (select, ("poll", "epoll")),
    (signal, ("alarm", "setitimer", "SIGALRM")),
    (os, ("O_NOFOLLOW", "pread", "pwrite", "readv", "sched_getaffinity")),
):
    for name in names:
        delattr(module, name)
"""
"""Takes from opencmr, in every Python that reads it, what Windows has not."""


@pytest.fixture(scope="session")
def without_posix(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of a process, and its children, without POSIX's own modules and calls."""
    folder = tmp_path_factory.mktemp("without-posix")
    (folder / "sitecustomize.py").write_text(WITHOUT_POSIX)
    paths = (str(folder), os.environ.get("PYTHONPATH", ""))
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))}


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
