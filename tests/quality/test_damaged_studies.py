"""Good studies damaged: a fixed sample of ``benchmarks/damaged_studies.py``."""

import json
import subprocess
import sys
from pathlib import Path

PROGRAM = Path(__file__).resolve().parents[2] / "benchmarks" / "damaged_studies.py"


def test_no_number_moves_without_a_flag_that_names_the_cause() -> None:
    done = subprocess.run([sys.executable, PROGRAM, "--sample"], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout)
    rows = found["built-in heart"]["damaged"]
    assert found["unsaid"] == []
    assert all(row["moved"] or row["LVEF"] is None for row in rows), "a damage that does nothing"
    assert found["built-in heart"]["undamaged"]["LVEF"] > 50
