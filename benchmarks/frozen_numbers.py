"""What a rebuilding must not change: every number, flag and label of a fixed set of studies.

    python benchmarks/frozen_numbers.py freeze FOLDER [--source TREE] [--model M] [--also STUDY]
    python benchmarks/frozen_numbers.py compare OLD NEW [-o benchmarks/frozen_numbers.json]

``freeze`` analyses the demo's heart, every study of the real data and ten ACDC pairs, and
keeps what came out in FOLDER, which must lie outside the repository: it holds results of real
patients.  ``--source`` names another checkout, so that an old commit can be frozen today.
``compare`` prints each difference and ends with 1 when there is any; ``-o`` keeps how many there
are of each kind, without a value of a patient.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
from real_data import data_folder

REPOSITORY = Path(__file__).resolve().parents[1]
ACDC_PAIRS = ("002", "012", "037", "057", "074", "081", "085", "092", "098", "100")
"""Every group, 0.7 to 1.9 mm pixels, 5 and 10 mm slices."""
KEPT_OF_RUN = ("flags", "left_out", "series", "models")
NAMES = {
    "flags": ("code",),
    "left_out": ("code", "what"),
    "series": ("key",),
    "models": ("name", "version"),
    "measurements": ("symbol", "structure", "phase", "segment", "series"),
}
"""What names a row of each part of a result."""
NAMED_IN_KIND = ("flags",)
"""Parts whose rows' names say what kind of difference it is."""
FROM = "from.txt"
"""In a frozen folder: the commit that made it, and the model that was asked for."""
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
            if not (measured := run_file.with_name("measurements.json")).is_file():
                continue  # of the cohort, whose studies have a folder each
            run, rows = (json.loads(path.read_text()) for path in (run_file, measured))
            kept["studies"][where] = {key: run[key] for key in KEPT_OF_RUN} | {
                "measurements": rows["measurements"]
            }
            for file in sorted(run_file.parent.glob("segmentation/*_seg.nii.gz")):
                data = np.asanyarray(nibabel.load(file).dataobj).astype(np.uint8)  # type: ignore[attr-defined]
                labels[f"{where}/{file.name}"] = data
    (folder / f"{name}.json").write_text(json.dumps(kept, indent=1))
    np.savez_compressed(folder / f"{name}.npz", **labels)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Difference:
    """What differs, of which kind it is (no value of a patient), and how."""

    kind: str
    text: str


def rows_of(rows: list[Any], names: tuple[str, ...]) -> dict[str, Any]:
    """Return rows by what names them; those that share a name are counted up."""
    found: dict[str, Any] = {}
    for row in rows:
        name = " ".join(str(row[one]) for one in names if row.get(one) not in (None, ""))
        copies = sum(1 for key in found if key.split("#")[0] == name)
        found[f"{name}#{copies + 1}" if copies else name] = row
    return found


def in_part(part: str, old: Any, new: Any) -> Iterator[Difference]:
    """Yield the differences of one part of a result: rows gone, added, and changed by field.

    A field that only the new rows have is no difference: programs that read the old ones go on.
    """
    if part not in NAMES:
        if old != new:
            yield Difference(f"{part}: changed", f"{part}: {old} -> {new}")
        return
    before, after = (rows_of(rows or [], NAMES[part]) for rows in (old, new))
    for name in before | after:
        of_row = f" {name.split('#')[0]}" if part in NAMED_IN_KIND else ""
        if name not in after or name not in before:
            how = "gone" if name in before else "added"
            row = before.get(name) or after.get(name)
            yield Difference(f"{part}: {how}{of_row}", f"{part}: {how} {name}: {str(row)[:200]}")
            continue
        for field, value in before[name].items():
            other = after[name].get(field)
            if value == other:
                continue
            text = f"{part}[{name}].{field}: {str(value)[:150]} -> {str(other)[:150]}"
            how = field if field in after[name] else f"{field} gone"
            is_value = part == "measurements" and field == "value"
            what = f" {value_of(before[name], other)}" if is_value else of_row
            yield Difference(f"{part}: {how}{what}", text)


def value_of(row: dict[str, Any], now: Any) -> str:
    """Return the symbol of a measurement, and whether its value is withheld now."""
    return f"{row['symbol']} withheld" if now is None else str(row["symbol"])


def in_labels(old: Any, new: Any) -> Iterator[Difference]:
    """Yield the label maps that differ."""
    for name in sorted(set(old.files) | set(new.files)):
        if name not in old.files or name not in new.files:
            how = "gone" if name in old.files else "added"
            yield Difference(f"labels: {how}", f"labels {name}: {how}")
        elif old[name].shape != new[name].shape:
            shapes = f"{old[name].shape} -> {new[name].shape}"
            yield Difference("labels: shape", f"labels {name}: shape {shapes}")
        elif changed := int((old[name] != new[name]).sum()):
            share = f"{changed} of {(old[name] > 0).sum()} voxels differ"
            yield Difference("labels: voxels", f"labels {name}: {share}")


def in_case(old: Path, new: Path) -> Iterator[Difference]:
    """Yield every difference between two files of one case."""
    before, after = (json.loads(path.read_text()) for path in (old, new))
    for part in ("exit_status", "left_out"):
        yield from in_part(part, before.get(part), after.get(part))
    studies, others = before["studies"], after["studies"]
    for where in studies | others:
        if where not in others or where not in studies:
            how = "gone" if where in studies else "added"
            yield Difference(f"study: {how}", f"study {where}: {how}")
            continue
        for part in (*KEPT_OF_RUN, "measurements"):
            yield from in_part(part, studies[where][part], others[where][part])
    yield from in_labels(*(np.load(path.with_suffix(".npz")) for path in (old, new)))


def compare(old: Path, new: Path, output: Path | None) -> int:
    """Print every difference between two frozen folders, and return how many there are.

    ``output`` keeps how many there are of each kind, in all and by case.
    """
    found = {
        path.stem: list(in_case(path, new / path.name))
        for path in sorted(old.glob("*.json"))
        if (new / path.name).is_file()
    }
    for case, differences in found.items():
        for one in differences:
            print(f"{case}: {one.text}")
    count = sum(map(len, found.values()))
    print(f"{count} differences in {sum(map(bool, found.values()))} of {len(found)} cases")
    if output is not None:
        kinds = Counter(one.kind for differences in found.values() for one in differences)
        by_case = {
            case: dict(sorted(Counter(one.kind for one in differences).items()))
            for case, differences in found.items()
        }
        told = json.loads(output.read_text()) if output.is_file() else {}
        told[f"{name_of(old)} -> {name_of(new)}"] = {
            "cases": len(found),
            "of which differ": sum(map(bool, found.values())),
            "differences by kind": dict(sorted(kinds.items())),
            "by case": by_case,
        }
        output.write_text(json.dumps(told, indent=1) + "\n")
    return count


def name_of(folder: Path) -> str:
    """Return the commit, and the model where one was asked for, of which a folder holds results."""
    return (folder / FROM).read_text().strip()


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
    look.add_argument("-o", "--output", type=Path, help="counts of this pair go into this file")
    options = parser.parse_args()
    if options.verb == "compare":
        sys.exit(1 if compare(options.old, options.new, options.output) else 0)
    data = data_folder()
    options.folder.mkdir(parents=True, exist_ok=True)
    commit = subprocess.run(
        ["git", "-C", options.source, "rev-parse", "--short", "HEAD"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    (options.folder / FROM).write_text(" ".join(filter(None, (commit, options.model))) + "\n")
    for name, words in cases(data, options.model, options.also):
        if options.only in (None, name):
            freeze(name, words, options.source.resolve(), options.folder)
            print(name, flush=True)


if __name__ == "__main__":
    main()
