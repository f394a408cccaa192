"""Peak memory of ``opencmr analyze`` on one study and on many.

    python benchmarks/memory.py -o benchmarks/memory.json [--studies 20] [--full]

The built-in heart is simulated once; its copies get UIDs of their own.  Peak memory adds up the
resident sets of all processes every 20 ms.
"""

import argparse
import json
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
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--studies", type=int, default=20)
    parser.add_argument(
        "--full", action="store_true", help="256 x 256 x 10 x 30, not the coarse heart"
    )
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        study = Path(place) / "study"
        small = () if options.full else ("--small",)
        subprocess.run([*opencmr(), "simulate", *small, "-o", study, "-q"], check=True)
        dicom = study / "dicom" if (study / "dicom").is_dir() else study
        many = Path(place) / "many"
        for number in range(options.studies):
            copy(dicom, many / str(number), f"study {number}")
        result = {
            "one study, MiB": peak_mib(dicom, Path(place) / "a"),
            f"{options.studies} studies, MiB": peak_mib(many, Path(place) / "b"),
        }
    one, all_of_them = result.values()
    result["ratio"] = round(all_of_them / one, 3)
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


def peak_mib(source: Path, out: Path) -> int:
    """Return the greatest sum of resident memory of ``opencmr analyze`` and its children."""
    process = subprocess.Popen([*opencmr(), "analyze", source, "-o", out, "-q"])
    memory = TreeMemory(process.pid)
    memory.start()
    status = process.wait()
    peak_bytes = memory.stop()
    if status not in (0, 3):
        raise SystemExit(f"analyze failed with {status}")
    return round(peak_bytes / 2**20)


if __name__ == "__main__":
    main()
