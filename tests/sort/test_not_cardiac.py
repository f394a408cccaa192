"""What shows no heart gets no name: a fixed sample of ``benchmarks/not_cardiac.py``."""

import json
import subprocess
import sys
from pathlib import Path

PROGRAM = Path(__file__).resolve().parents[2] / "benchmarks" / "not_cardiac.py"


def test_what_shows_no_heart_is_refused_or_unnamed() -> None:
    command = [sys.executable, PROGRAM, "--every", "40", "--heartless"]
    done = subprocess.run(command, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout)["without a heart"]
    assert found["inputs"] >= 15
    assert found["unnamed"] > 0
    assert found["wrong"] == []
