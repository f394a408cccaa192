"""What a rebuilding must not change: every number, flag and label of a fixed set of studies.

    python benchmarks/frozen_numbers.py freeze FOLDER [--source TREE] [--model M] [--also STUDY]
    python benchmarks/frozen_numbers.py compare OLD NEW

``freeze`` analyses the demo's heart, every study of the real data and ten ACDC pairs, and
keeps what came out in FOLDER, which must lie outside the repository: it holds results of real
patients.  ``--source`` names another checkout, so that an old commit can be frozen today.
``compare`` prints each difference and ends with 1 when there is any.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nibabel
import numpy as np

REPOSITORY = Path(__file__).resolve().parents[1]
ACDC_PAIRS = ("002", "012", "037", "057", "074", "081", "085", "092", "098", "100")
"""Every group, 0.7 to 1.9 mm pixels, 5 and 10 mm slices."""
KEPT_OF_RUN = ("flags", "left_out", "series", "models")
PROGRAM = "from opencmr.cli import main; main()"


def cases(data: Path, model: str | None, also: list[Path]) -> Iterator[tuple[str, list[str]]]:
    """Yield the name of each case and the words after ``opencmr``."""
    if model is None:
        yield "demo", ["demo"]  # which takes no model
    for name, words in analysed(data, also):
        of_model = [] if model is None else ["--model", model]
        yield name, ["analyze", "--json", *of_model, *words]


def analysed(data: Path, also: list[Path]) -> Iterator[tuple[str, list[str]]]:
    """Yield the name of each input and the words that name it to ``opencmr analyze``."""
    for place in sorted((data / "sunnybrook").glob("SC-HF-I-?.zip")):
        yield place.stem, [str(place)]
    yield "localizers", [str(data / "sunnybrook" / "localizers.zip")]
    for folder in ("siemens_multiview", "t1_t2_phantoms", "hostile"):
        yield folder, [str(data / folder)]
    for place in sorted((data / "lge_native").glob("*.nii*")):
        yield f"lge_{place.name.split('.')[0]}", [str(place)]
    yield "emidec_native", [str(data / "emidec" / "native_samples.zip")]
    for number in ACDC_PAIRS:
        ed, es = (str(data / "acdc" / f"patient{number}_{p}.nii.gz") for p in ("ed", "es"))
        yield f"acdc_{number}", ["--ed", ed, "--es", es]
    for place in also:
        yield place.name, [str(place)]


def freeze(name: str, words: list[str], source: Path, folder: Path) -> None:
    """Run one case and keep its numbers (``NAME.json``) and labels (``NAME.npz``)."""
    environment = os.environ | {"PYTHONPATH": str(source / "src")}
    with tempfile.TemporaryDirectory() as place:
        out = Path(place) / "out"
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, *words, "-o", str(out)],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        kept: dict[str, Any] = {"exit_status": done.returncode, "studies": {}}
        if "--json" in words and done.stdout:
            said = json.loads(done.stdout)
            kept["left_out"] = said.get("left_out")
        labels: dict[str, np.ndarray] = {}
        for run_file in sorted(out.rglob("run.json")):
            where = run_file.parent.relative_to(out).as_posix()
            run = json.loads(run_file.read_text())
            rows = json.loads(run_file.with_name("measurements.json").read_text())
            kept["studies"][where] = {key: run[key] for key in KEPT_OF_RUN} | {
                "measurements": rows["measurements"]
            }
            for file in sorted(run_file.parent.glob("segmentation/*_seg.nii.gz")):
                data = np.asanyarray(nibabel.load(file).dataobj).astype(np.uint8)  # type: ignore[attr-defined]
                labels[f"{where}/{file.name}"] = data
    (folder / f"{name}.json").write_text(json.dumps(kept, indent=1))
    np.savez_compressed(folder / f"{name}.npz", **labels)  # type: ignore[arg-type]


def differences(old: Any, new: Any, where: str = "") -> Iterator[str]:
    """Yield each place where two values of JSON differ; what is only added is no difference."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in old:
            if key in new:
                yield from differences(old[key], new[key], f"{where}.{key}")
            else:
                yield f"{where}.{key}: gone"
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for index, (one, other) in enumerate(zip(old, new, strict=True)):
            name = one.get("symbol", index) if isinstance(one, dict) else index
            yield from differences(one, other, f"{where}[{name}]")
    elif old != new:
        yield f"{where}: {str(old)[:120]} -> {str(new)[:120]}"


def compare(old: Path, new: Path) -> int:
    """Print every difference between two frozen folders and return how many there are."""
    count = 0
    for path in sorted(old.glob("*.json")):
        other = new / path.name
        if not other.is_file():
            print(f"{path.stem}: not in {new}")
            count += 1
            continue
        found = list(differences(json.loads(path.read_text()), json.loads(other.read_text())))
        before, after = (np.load(p.with_suffix(".npz")) for p in (path, other))
        for name in sorted(set(before.files) | set(after.files)):
            if name not in before.files or name not in after.files:
                found.append(f"labels {name}: only in one")
            elif before[name].shape != after[name].shape:
                found.append(f"labels {name}: shape {before[name].shape} -> {after[name].shape}")
            elif changed := int((before[name] != after[name]).sum()):
                found.append(
                    f"labels {name}: {changed} of {(before[name] > 0).sum()} voxels differ"
                )
        for line in found:
            print(f"{path.stem}: {line}")
        count += len(found)
    print(f"{count} differences")
    return count


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    verbs = parser.add_subparsers(dest="verb", required=True)
    keep = verbs.add_parser("freeze")
    keep.add_argument("folder", type=Path)
    keep.add_argument("--source", type=Path, default=REPOSITORY)
    keep.add_argument("--only", help="name of one case")
    keep.add_argument("--model", help="as of `opencmr analyze`, to tell code from network")
    keep.add_argument("--also", type=Path, action="append", default=[], help="one more study")
    look = verbs.add_parser("compare")
    look.add_argument("old", type=Path)
    look.add_argument("new", type=Path)
    options = parser.parse_args()
    if options.verb == "compare":
        sys.exit(1 if compare(options.old, options.new) else 0)
    data = Path(os.environ.get("OPENCMR_DATA", REPOSITORY.parent / "shared" / "data"))
    options.folder.mkdir(parents=True, exist_ok=True)
    for name, words in cases(data, options.model, options.also):
        if options.only in (None, name):
            freeze(name, words, options.source.resolve(), options.folder)
            print(name, flush=True)


if __name__ == "__main__":
    main()
