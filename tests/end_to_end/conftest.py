"""The small phantom as files, and the command line as a function."""

import dataclasses
import io
import json
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import pytest

from opencmr.cli import main
from opencmr.simulate import (
    HeartParameters,
    Protocol,
    SimulatedStudy,
    simulate_study,
    write_dicom,
    write_nifti,
)


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What a run of the command left."""

    status: int
    out: str
    err: str

    @property
    def json(self):
        return json.loads(self.out)


@pytest.fixture(scope="session")
def opencmr():
    """Run ``opencmr`` with the given words, in this process."""

    def run(*words: object) -> Outcome:
        out, err, before = io.StringIO(), io.StringIO(), sys.argv
        status = 0
        try:
            sys.argv = ["opencmr", *map(str, words)]
            with redirect_stdout(out), redirect_stderr(err):
                main()
        except SystemExit as stop:
            status = stop.code if isinstance(stop.code, int) else int(stop.code is not None)
        finally:
            sys.argv = before
        return Outcome(status, out.getvalue(), err.getvalue())

    return run


@pytest.fixture(scope="session")
def phantom() -> SimulatedStudy:
    return simulate_study(
        HeartParameters(seed=3),
        protocol=dataclasses.replace(
            Protocol.small(), pixel_mm=1.8, rows=144, columns=128, phases=6, gap_mm=2.0
        ),
    )


@pytest.fixture(scope="session")
def phantom_dicom(phantom, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("phantom-dicom")
    write_dicom(phantom, folder)
    return folder


@pytest.fixture(scope="session")
def phantom_nifti(phantom, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("phantom-nifti")
    write_nifti(phantom, folder)
    return folder


@pytest.fixture(scope="session")
def analysed(opencmr, phantom_dicom, tmp_path_factory) -> tuple[Outcome, Path]:
    """The phantom analysed from DICOM: what the command said, and its result folder."""
    out = tmp_path_factory.mktemp("analysed") / "result"
    return opencmr("analyze", phantom_dicom, "-o", out, "--json"), out


@pytest.fixture(scope="session")
def stack_labels(analysed) -> Path:
    """Labels of the short-axis stack in that result."""
    run = json.loads((analysed[1] / "run.json").read_text())
    (key,) = next(row for row in run["plan"] if row["name"] == "ventricular function")["series"]
    return analysed[1] / "segmentation" / f"{key}_seg.nii.gz"
