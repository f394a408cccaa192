"""What a kill leaves: commands stopped by SIGKILL at random times, every output judged.

``analyze``, ``analyze --overwrite`` and ``segment`` run in turn on the small built-in heart and
are killed between their start and a little after the end of an undisturbed run; every third kill
falls into the last tenth, where the result is put in its place.  Then the next start in that
folder sweeps.  The output must be absent, the earlier result or the new one, each whole, right
after the kill and after the sweep; the sweep must restore an earlier result and leave nothing
hidden.

    python benchmarks/kills.py [--kills 100] [-o benchmarks/kills.json]
"""

import argparse
import collections
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from opencmr import storage
from opencmr.simulate import Protocol, simulate_study, write_dicom, write_nifti

PROGRAM = "from opencmr.cli import main; main()"
SEED = 20261125


def command(verb: str, source: Path, out: Path) -> list[str]:
    """Return the words after ``opencmr``."""
    if verb == "segment":
        return ["segment", str(source / "sax.nii.gz"), "-o", str(out / "l.nii.gz"), "--overwrite"]
    return ["analyze", str(source), "-o", str(out), *verb.split()[1:]]


def start(words: list[str], spool: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *words],
        env={**os.environ, "TMPDIR": str(spool)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def state_of(verb: str, out: Path, earlier: dict[str, bytes]) -> str:
    """Return absent, old, new, or BROKEN."""
    if verb == "segment":
        labels, described = out / "l.nii.gz", out / "l.json"
        if not labels.exists():
            return "absent"
        whole = described.exists() and (labels.read_bytes() != b"old") == (
            described.read_bytes() != earlier["l.json"]
        )
    else:
        if not out.exists():
            return "absent"
        files = {p.relative_to(out).as_posix() for p in out.rglob("*") if p.is_file()}
        record = json.loads((out / "run.json").read_bytes()) if "run.json" in files else None
        listed = {row["path"]: row["sha256"] for row in record["files"]} if record else {}
        whole = files == listed.keys() | {"run.json"} and all(
            storage.sha256_of(out / path) == digest for path, digest in listed.items()
        )
    if not whole:
        return "BROKEN"
    first = "l.nii.gz" if verb == "segment" else "run.json"
    return "old" if (out / first).read_bytes() == earlier.get(first) else "new"


def prepared(verb: str, place: Path, result: Path) -> dict[str, bytes]:
    """Put an earlier result where the command replaces one, and return its files."""
    out = place / "out"
    if verb == "analyze --overwrite":
        shutil.copytree(result, out)
    elif verb == "segment":
        out.mkdir()
        (out / "l.nii.gz").write_bytes(b"old")
        (out / "l.json").write_text('{"labels": "old", "scheme": "old"}')
    return {p.name: p.read_bytes() for p in out.glob("*") if p.is_file()}


def hidden(*folders: Path) -> list[str]:
    return [p.name for folder in folders if folder.is_dir() for p in folder.glob(".opencmr*")]


def killed(verb: str, source: Path, result: Path, place: Path, after_s: float) -> tuple[str, str]:
    """Kill one run and return the state of its output before and after the next start."""
    earlier = prepared(verb, place, result)
    out, spool = place / "out", place / "spool"
    spool.mkdir()
    process = start(command(verb, source, out), spool)
    time.sleep(after_s)
    process.send_signal(signal.SIGKILL)
    process.wait()
    before = state_of(verb, out, earlier)
    for folder in {place, spool, out if verb == "segment" else place}:
        with storage.result_folder(folder / "next", overwrite=True):
            pass
        (folder / "next").rmdir()
    after = state_of(verb, out, earlier)
    lost = after == "absent" and bool(earlier)
    return before, "BROKEN" if lost or hidden(place, spool, out) else after


def undisturbed_s(verb: str, source: Path, result: Path, place: Path) -> float:
    prepared(verb, place, result)
    begun = time.perf_counter()
    (place / "spool").mkdir()
    start(command(verb, source, place / "out"), place / "spool").wait()
    return time.perf_counter() - begun


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("-o", "--output", type=Path)
    options = parser.parse_args()
    random = np.random.default_rng(SEED)
    verbs = ("analyze", "analyze --overwrite", "segment")
    seen: dict[str, collections.Counter[str]] = {verb: collections.Counter() for verb in verbs}
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        study = simulate_study(protocol=Protocol.small())
        write_dicom(study, folder / "dicom")
        write_nifti(study, folder / "nifti")
        result = folder / "result"
        start(["analyze", str(folder / "dicom"), "-o", str(result)], folder).wait()
        sources = {verb: folder / ("nifti" if verb == "segment" else "dicom") for verb in verbs}
        whole_s = {}
        for number, verb in enumerate(verbs):
            (place := folder / f"whole{number}").mkdir()
            whole_s[verb] = undisturbed_s(verb, sources[verb], result, place)
        for number in range(options.kills):
            verb = verbs[number % len(verbs)]
            earliest = 0.9 if number // len(verbs) % 3 == 2 else 0.0
            after_s = whole_s[verb] * float(random.uniform(earliest, 1.1))
            (place := folder / str(number)).mkdir()
            states = killed(verb, sources[verb], result, place, after_s)
            seen[verb][" -> ".join(states)] += 1
            print(f"{number:3} {verb:20} {after_s:5.2f} s  {states[0]} -> {states[1]}", flush=True)
            shutil.rmtree(place)
    broken = sum(n for c in seen.values() for states, n in c.items() if "BROKEN" in states)
    if options.output:
        content = {"kills": options.kills, "broken": broken, "states": seen}
        options.output.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    sys.exit(broken > 0)


if __name__ == "__main__":
    main()
