"""How long `opencmr sort` takes for a study of two thousand pictures, and how often it reads each.

    python benchmarks/sorting_speed.py -o benchmarks/sorting_speed.json

``opencmr simulate`` makes four examinations with cines and series of tissue; they are made one
study of one patient, as an examination with many repeats is.  Wall seconds of ``opencmr sort STUDY
--json`` from the start of the process to its end, on two cores, the median of some runs; all files
were read just before, so that the disk's own speed is not measured.  The processor's seconds, of
all processes together, say what a busy machine, on which the wall seconds grow, had to compute.

In a further run, which is not timed, ``strace`` counts by process how often each file is opened and
how much of it is read.  The process that walks the input reads a file's first bytes, by which it
tells DICOM from NIfTI; the process that decodes reads each whole, header and pixels at once.
"""

import argparse
import json
import os
import platform
import re
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import pydicom

SEEDS = (1, 2, 3, 4)
TISSUE = "lge,molli,post-molli,t2,t2star"
ONE_PATIENT = ("StudyInstanceUID", "PatientID", "PatientName", "StudyDate", "StudyTime", "StudyID")
CORES, RUNS, TARGET_S = 2, 3, 15.0
BUFFER_BYTES = 8192
"""What one buffered read takes at most, where the first 1,024 bytes tell the kind of a file."""
OPENCMR = (sys.executable, "-c", "from opencmr.cli import main; main()")
CALL = re.compile(r"^(\d+) +(openat|read|pread64)\((.*)\) = (\d+)")


def make_study(folder: Path, seeds: tuple[int, ...]) -> list[Path]:
    """Write one study of as many examinations as there are seeds; return its files."""
    folder.mkdir()
    first = None
    for seed in seeds:
        made = folder.with_name(f"seed{seed}")
        command = ("simulate", "-o", made, "--seed", str(seed), "--with", TISSUE, "--quiet")
        subprocess.run((*OPENCMR, *command), check=True)
        for path in sorted(made.rglob("*.dcm")):
            dataset = pydicom.dcmread(path)
            first = first or dataset
            for keyword in ONE_PATIENT:
                if keyword in first:
                    setattr(dataset, keyword, first[keyword].value)
            dataset.save_as(folder / f"{seed}_{path.name}")
        shutil.rmtree(made)
    return sorted(folder.iterdir())


def timed(study: Path, files: list[Path]) -> tuple[float, float, list[dict[str, object]]]:
    """Return the wall seconds and the processor's seconds of one run, and its rows."""
    for path in files:
        path.read_bytes()
    used, begun = processor_s(), time.perf_counter()
    done = subprocess.run((*OPENCMR, "sort", study, "--json"), capture_output=True, check=True)
    return time.perf_counter() - begun, processor_s() - used, json.loads(done.stdout)


def processor_s() -> float:
    """Return what all processes that have ended have computed."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def readings(study: Path, files: list[Path], folder: Path) -> dict[str, object] | None:
    """Return how often each process opens a file and how much of it it reads; None untold."""
    if shutil.which("strace") is None:
        return None
    trace = folder / "trace.txt"
    calls = ("strace", "-f", "-y", "-s", "0", "-o", trace, "-e", "trace=openat,read,pread64")
    subprocess.run((*calls, *OPENCMR, "sort", study, "-q"), capture_output=True, check=True)
    names = {str(path) for path in files}
    opened, read = Counter[tuple[str, str]](), Counter[tuple[str, str]]()
    for line in trace.read_text(errors="replace").splitlines():
        found = CALL.match(line)
        path = found and re.search(r'"([^"]+)"|<([^>]+)>', line[found.end(2) :])
        if not found or not path:
            continue
        named = line.rsplit("<", 1)[-1].rstrip(">") if found[2] == "openat" else path[2]
        if named in names:
            if found[2] == "openat":
                opened[found[1], named] += 1
            else:
                read[found[1], named] += int(found[4])
    sizes = {str(path): path.stat().st_size for path in files}
    whole = Counter(name for (_, name), size in read.items() if size > BUFFER_BYTES)
    return {
        "files": len(files),
        "most openings of a file by one process": max(opened.values()),
        "files of which more than the first bytes were read": len(whole),
        "most readings of a file beyond its first bytes": max(whole.values()),
        "first bytes, at most": BUFFER_BYTES,
        "bytes read per byte of the study": round(sum(read.values()) / sum(sizes.values()), 3),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=list(SEEDS))
    parser.add_argument("--runs", type=int, default=RUNS)
    parser.add_argument("-o", "--output", type=Path)
    options = parser.parse_args()
    cores = sorted(os.sched_getaffinity(0))[:CORES]
    os.sched_setaffinity(0, cores)
    with tempfile.TemporaryDirectory() as place:
        study = Path(place) / "study"
        files = make_study(study, tuple(options.seeds))
        load = os.getloadavg()[0]
        runs = [timed(study, files) for _ in range(options.runs)]
        told = readings(study, files, Path(place))
    rows = runs[0][2]
    figures = {
        "instances": len(files),
        "series": len(rows),
        "named": dict(Counter(f"{row['sequence']} {row['view']}" for row in rows)),
        "cores": len(cores),
        "machine": platform.machine(),
        "load of the machine before (processes)": round(load, 1),
        "seconds": [round(wall_s, 2) for wall_s, _, _ in runs],
        "seconds of the processor": [round(used_s, 2) for _, used_s, _ in runs],
        "median_seconds": round(statistics.median(wall_s for wall_s, _, _ in runs), 2),
        "target_seconds": TARGET_S,
        "readings": told,
    }
    text = json.dumps(figures, indent=1, ensure_ascii=False)
    print(text)
    if options.output:
        options.output.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
