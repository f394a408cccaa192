"""Hostile files: a fixed sample of the mutants of ``benchmarks/fuzz.py``."""

import json
import subprocess
import sys
from pathlib import Path

PROGRAM = Path(__file__).resolve().parents[2] / "benchmarks" / "fuzz.py"


def test_no_mutant_raises_anything_but_the_documented_errors() -> None:
    done = subprocess.run([sys.executable, PROGRAM, "--sample"], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:] or done.stdout
    found = json.loads(done.stdout)
    for kind in ("dicom", "nifti", "archive"):
        assert found[kind]["exceptions"] == {}
        assert found[kind]["read"] > 0
        assert found[kind]["refused"]
    assert sum(found[kind]["mutants"] for kind in ("dicom", "nifti", "archive")) >= 500
    assert found["parent_peak_mib"] < 2048
