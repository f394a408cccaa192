"""Time and peak memory of ``opencmr analyze`` on the ACDC pairs as one cohort, and its table.

    python benchmarks/cohort.py -o benchmarks/cohort.json [--patients 80] [--jobs 1 2] [--checked 8]

Each number of jobs begins anew; then the same command is given again, which finds all studies
finished.  Peak memory adds up the resident sets of all processes every 20 ms, and is told for each
quarter of the time too: memory that grows with the number of studies grows from one to the next.
Of some patients, spread over the set, each value and flag of the table is compared with a run on
that patient alone.  ``load before`` is the work of others that waited for a core when it began.
"""

import argparse
import contextlib
import csv
import itertools
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from real_data import data_folder
from tree_memory import TreeMemory

PAIRED_BY_NAME = "SERIES_PER_PHASE"
"""What is said of a pair that was found in a folder, and not of one that the caller names."""
SPELL_S = 2.0
"""Peaks are taken in spells of this length."""
PROGRAM = [sys.executable, "-c", "from opencmr.cli import main; main()"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--patients", type=int, default=80)
    parser.add_argument("--jobs", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--checked", type=int, default=8, metavar="PATIENTS")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        place = Path(temporary)
        patients = copied(options.patients, place / "in")
        result: dict[str, object] = {"patients": patients, "cores": len(os.sched_getaffinity(0))}
        for jobs in options.jobs:
            out = place / f"jobs-{jobs}"
            result[f"jobs {jobs}"] = measured(place / "in", out, jobs) | rows(out)
            write(options.output, result)
            result[f"jobs {jobs}, all finished"] = measured(place / "in", out, jobs)
            write(options.output, result)
            result[f"jobs {jobs}, against single runs"] = checked(
                place / "in", out, options.checked
            )
            write(options.output, result)
    print(json.dumps(result, indent=1))


def write(file: Path, result: dict[str, object]) -> None:
    """Write what is known so far."""
    file.write_text(json.dumps(result, indent=1) + "\n")


def copied(wanted: int, folder: Path) -> int:
    """Copy ED and ES of the first patients, without the readers' labels."""
    folder.mkdir()
    acdc = data_folder() / "acdc"
    patients = sorted({path.name.split("_")[0] for path in acdc.glob("*_ed.nii.gz")})
    for patient in patients[:wanted]:
        for moment in ("ed", "es"):
            shutil.copy(acdc / f"{patient}_{moment}.nii.gz", folder)
    return min(wanted, len(patients))


def measured(source: Path, out: Path, jobs: int) -> dict[str, object]:
    """Return seconds and peak memory of one run, of its quarters too where it is long enough."""
    words = ["analyze", source, "-o", out, "--jobs", str(jobs), "-q"]
    load, begun_s = os.getloadavg()[0], time.monotonic()
    process = subprocess.Popen([*PROGRAM, *words])
    peaks_mib = list[int]()
    status = None
    while status is None:
        memory = TreeMemory(process.pid)
        memory.start()
        with contextlib.suppress(subprocess.TimeoutExpired):
            status = process.wait(SPELL_S)
        peaks_mib.append(round(memory.stop() / 2**20))
    seconds = time.monotonic() - begun_s
    if status not in (0, 3):
        raise SystemExit(f"analyze failed with {status}")
    quarters = [round(len(peaks_mib) * part / 4) for part in range(5)]
    by_quarter = [max(peaks_mib[a:b], default=None) for a, b in itertools.pairwise(quarters)]
    return {
        "seconds": round(seconds, 1),
        "load before": round(load, 1),
        "peak memory, MiB": max(peaks_mib),
        "peak memory by quarter of the time, MiB": by_quarter,
    }


def rows(out: Path) -> dict[str, int]:
    """Return how many studies the table holds, and how many failed."""
    with (out / "cohort.csv").open(newline="", encoding="utf-8") as file:
        errors = [row["error"] for row in csv.DictReader(file)]
    return {"studies": len(errors), "failed": sum(map(bool, errors))}


def checked(source: Path, out: Path, wanted: int) -> dict[str, object]:
    """Return how many values of the table equal those of single runs, and which do not."""
    with (out / "key.csv").open(newline="", encoding="utf-8") as file:
        patients = {
            row["key"]: Path(row["input"]).name.split("_")[0] for row in csv.DictReader(file)
        }
    with (out / "cohort.csv").open(newline="", encoding="utf-8") as file:
        table = [row for row in csv.DictReader(file) if row["key"]]
    compared, apart = 0, []
    for row in table[:: max(1, len(table) // wanted)][:wanted]:
        study = single(source, patients[row["key"]], out.parent / "single")
        told = {s: "" if v is None else str(v) for s, v in study["measurements"].items()}
        told["flags"] = " ".join(dict.fromkeys(study["flags"]))
        found = row | {"flags": row["flags"].replace(f"{PAIRED_BY_NAME} ", "")}
        compared += len(told)
        apart += [f"{row['key']} {name}" for name, text in told.items() if found[name] != text]
    return {"patients": min(wanted, len(table)), "values": compared, "apart": apart}


def single(source: Path, patient: str, out: Path) -> dict[str, Any]:
    """Return what ``analyze --json`` says of one patient's pair by itself."""
    pair = [source / f"{patient}_{moment}.nii.gz" for moment in ("ed", "es")]
    words = ["analyze", "--ed", pair[0], "--es", pair[1], "-o", out, "--overwrite", "--json", "-q"]
    told = subprocess.run([*PROGRAM, *words], stdout=subprocess.PIPE, check=False).stdout
    (study,) = json.loads(told)["studies"]
    return study


if __name__ == "__main__":
    main()
