"""Fixtures that every room's tests share."""

import os
from collections.abc import Generator
from pathlib import Path

import pytest

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
