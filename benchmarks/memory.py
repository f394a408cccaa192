"""Peak memory of ``opencmr analyze`` on one study and on many, and of another checkout beside it.

    python benchmarks/memory.py -o benchmarks/memory.json [--studies 20] [--beside TREE]

The built-in heart is simulated once, coarse and in full (256 x 256 x 10 x 30); copies of the coarse
one get UIDs of their own.  Peak memory adds up the resident sets of all processes every 20 ms, so
that what two processes share counts twice.  TREE is an older checkout, which analyses the same
studies in the same run, by the same environment and the model that it shipped.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pydicom
from pydicom.uid import generate_uid
from tree_memory import TreeMemory

LEVELS = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "FrameOfReferenceUID")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--studies", type=int, default=20)
    parser.add_argument("--beside", type=Path, metavar="TREE")
    options = parser.parse_args()
    result: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as place:
        coarse, full, many = (Path(place) / name for name in ("coarse", "full", "many"))
        subprocess.run([*opencmr(), "simulate", "--small", "-o", coarse, "-q"], check=True)
        subprocess.run([*opencmr(), "simulate", "-o", full, "-q"], check=True)
        for number in range(options.studies):
            copy(coarse, many / str(number), f"study {number}")
        result["one study, MiB"] = peak_mib(coarse)
        result["one full study, MiB"] = peak_mib(full)
        if options.beside is not None:
            before = commit_of(options.beside)
            for study, name in ((coarse, "one study"), (full, "one full study")):
                then = peak_mib(study, options.beside)
                result[f"{name} at {before}, MiB"] = then
                result[f"{name}, ratio to {before}"] = round(result[f"{name}, MiB"] / then, 3)
        if options.studies:
            peak = peak_mib(many)
            result[f"{options.studies} studies, MiB"] = peak
            result["ratio to one"] = round(peak / result["one study, MiB"], 3)
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


def peak_mib(source: Path, tree: Path | None = None) -> int:
    """Return the greatest sum of resident memory of ``opencmr analyze`` and its children."""
    environment = dict(os.environ)
    if tree is not None:
        environment["PYTHONPATH"] = str(tree.resolve() / "src")
    with tempfile.TemporaryDirectory() as place:
        out = Path(place) / "out"
        process = subprocess.Popen(
            [*opencmr(), "analyze", source, "-o", out, "-q"], env=environment
        )
        memory = TreeMemory(process.pid)
        memory.start()
        status = process.wait()
        peak_bytes = memory.stop()
    if status not in (0, 3):
        raise SystemExit(f"analyze failed with {status}")
    return round(peak_bytes / 2**20)


if __name__ == "__main__":
    main()
