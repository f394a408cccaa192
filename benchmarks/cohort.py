"""Time and peak memory of ``opencmr analyze`` on the ACDC pairs as one cohort.

    python benchmarks/cohort.py -o benchmarks/cohort.json [--patients 80] [--jobs 1 2]

Each number of jobs begins anew; then the same command is given again, which finds all studies
finished.  Peak memory adds up the resident sets of all processes every 20 ms.
"""

import argparse
import csv
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tree_memory import TreeMemory

DATA = Path(os.environ.get("OPENCMR_DATA", Path(__file__).parents[2] / "shared" / "data"))
PROGRAM = [sys.executable, "-c", "from opencmr.cli import main; main()"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--patients", type=int, default=80)
    parser.add_argument("--jobs", type=int, nargs="+", default=[1, 2])
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        place = Path(temporary)
        patients = copied(options.patients, place / "in")
        result: dict[str, object] = {"patients": patients, "cores": len(os.sched_getaffinity(0))}
        for jobs in options.jobs:
            out = place / f"jobs-{jobs}"
            result[f"jobs {jobs}"] = measured(place / "in", out, jobs) | rows(out)
            result[f"jobs {jobs}, all finished"] = measured(place / "in", out, jobs)
    options.output.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result, indent=1))


def copied(wanted: int, folder: Path) -> int:
    """Copy ED and ES of the first patients, without the readers' labels."""
    folder.mkdir()
    patients = sorted({path.name.split("_")[0] for path in (DATA / "acdc").glob("*_ed.nii.gz")})
    for patient in patients[:wanted]:
        for moment in ("ed", "es"):
            shutil.copy(DATA / "acdc" / f"{patient}_{moment}.nii.gz", folder)
    return min(wanted, len(patients))


def measured(source: Path, out: Path, jobs: int) -> dict[str, float]:
    """Return seconds and peak memory of one run."""
    words = ["analyze", source, "-o", out, "--jobs", str(jobs), "-q"]
    begun_s = time.monotonic()
    process = subprocess.Popen([*PROGRAM, *words])
    memory = TreeMemory(process.pid)
    memory.start()
    status = process.wait()
    seconds, peak_bytes = time.monotonic() - begun_s, memory.stop()
    if status not in (0, 3):
        raise SystemExit(f"analyze failed with {status}")
    return {"seconds": round(seconds, 1), "peak memory, MiB": round(peak_bytes / 2**20)}


def rows(out: Path) -> dict[str, int]:
    """Return how many studies the table holds, and how many failed."""
    with (out / "cohort.csv").open(newline="", encoding="utf-8") as file:
        errors = [row["error"] for row in csv.DictReader(file)]
    return {"studies": len(errors), "failed": sum(map(bool, errors))}


if __name__ == "__main__":
    main()
