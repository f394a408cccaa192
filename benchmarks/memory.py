"""Peak memory of ``opencmr analyze`` on one study and on many, and of another checkout beside it.

    python benchmarks/memory.py -o benchmarks/memory.json [--studies 20] [--runs 20] [--beside TREE]

The built-in heart is simulated once, coarse and in full (256 x 256 x 10 x 30); copies of the coarse
one get UIDs of their own.  Two figures of each run: the resident sets of all processes, added up
every 20 ms, so that what two processes share counts twice; and the sum of their proportional sets
(PSS), ten times a second, in which it counts once.  The turns of threads make the peak of one study
differ by a fifth from run to run: the greatest of RUNS counts, by default as many as there are
studies, for of twenty studies in one input the greatest counts too.  TREE is an older checkout,
which analyses the same studies in the same run, by the same environment and the model that it
shipped.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pydicom
from pydicom.uid import generate_uid
from tree_memory import TreeMemory

RESIDENT, PROPORTIONAL = "resident sets summed, MiB", "proportional sets summed, MiB"
LEVELS = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "FrameOfReferenceUID")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--studies", type=int, default=20)
    parser.add_argument("--runs", type=int, help="of one study; else as many as studies")
    parser.add_argument("--beside", type=Path, metavar="TREE")
    options = parser.parse_args()
    result: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as place:
        coarse, full, many = (Path(place) / name for name in ("coarse", "full", "many"))
        subprocess.run([*opencmr(), "simulate", "--small", "-o", coarse, "-q"], check=True)
        subprocess.run([*opencmr(), "simulate", "-o", full, "-q"], check=True)
        for number in range(options.studies):
            copy(coarse, many / str(number), f"study {number}")
        runs = options.runs or options.studies or 1
        cases = {"one study": (coarse, runs), "one full study": (full, 1)}
        all_of_them = f"{options.studies} studies"
        if options.studies:
            cases[all_of_them] = many, 1
        trees = {"": None}
        if options.beside is not None:
            trees[f" at {commit_of(options.beside)}"] = options.beside
        for when, tree in trees.items():
            for name, (source, runs) in cases.items():
                result |= peaks(f"{name}{when}", source, runs, tree)
                options.output.write_text(json.dumps(result, indent=1) + "\n")
            for kind in (RESIDENT, PROPORTIONAL) if options.studies else ():
                ratio = result[f"{all_of_them}{when}, {kind}"] / result[f"one study{when}, {kind}"]
                result[f"{all_of_them}{when}, {kind}, ratio to one"] = round(ratio, 3)
    options.output.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result, indent=1))


def opencmr() -> list[str]:
    return [sys.executable, "-c", "from opencmr.cli import main; main()"]


def copy(source: Path, target: Path, salt: str) -> None:
    """Copy a study's files under UIDs of their own."""
    shutil.copytree(source, target)
    for path in target.rglob("*.dcm"):
        dataset = pydicom.dcmread(path)
        for keyword in LEVELS:
            dataset[keyword].value = generate_uid(entropy_srcs=[salt, str(dataset[keyword].value)])
        dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
        dataset.save_as(path)


def commit_of(tree: Path) -> str:
    """Return the commit of a checkout."""
    asked = ("git", "-C", str(tree), "rev-parse", "--short", "HEAD")
    return subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip()


def peaks(name: str, source: Path, runs: int, tree: Path | None) -> dict[str, float]:
    """Return the greatest memory of some runs of ``opencmr analyze``, and the least seconds."""
    resident, proportional, seconds = zip(*(run(source, tree) for _ in range(runs)), strict=True)
    return {
        f"{name}, {RESIDENT}": max(resident),
        f"{name}, {PROPORTIONAL}": max(proportional),
        f"{name}, s": min(seconds),
    }


def run(source: Path, tree: Path | None) -> tuple[int, int, float]:
    """Return the peaks of resident and of proportional memory in MiB, and the seconds of a run."""
    environment = dict(os.environ)
    if tree is not None:
        environment["PYTHONPATH"] = str(tree.resolve() / "src")
    with tempfile.TemporaryDirectory() as place:
        begun_s = time.monotonic()
        process = subprocess.Popen(
            [*opencmr(), "analyze", source, "-o", Path(place) / "out", "-q"], env=environment
        )
        memory = TreeMemory(process.pid, proportional=True)
        memory.start()
        status = process.wait()
        seconds = round(time.monotonic() - begun_s, 1)
        peak_bytes = memory.stop()
    if status not in (0, 3):
        raise SystemExit(f"analyze failed with {status}")
    return round(peak_bytes / 2**20), round(memory.peak_proportional_bytes / 2**20), seconds


if __name__ == "__main__":
    main()
