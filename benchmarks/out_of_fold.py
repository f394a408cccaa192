"""Masks of all ACDC patients by networks that never saw them, scored against the readers'.

Each fold is labelled by the first of the models whose card says that it did not learn from it;
a fold that all have seen is an error.  The masks, ``patientNNN_ed.nii.gz`` and ``_es``, and the
page of ``opencmr validate`` over all of them lie in FOLDER; what is trained or judged on automatic
masks takes them from there (``diagnosis.py``, ``reference_limits.py``).

    python benchmarks/out_of_fold.py FOLDER --models cine_sax@A cine_sax@B [-o RESULT.json]
"""

import argparse
import json
import re
import shutil
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from real_data import data_folder

from opencmr.models.library import model_titled

FOLDS = range(5)
METRICS = ("dice", "hausdorff95_mm")
SYMBOLS = ("LVEDV", "LVESV", "LVEF", "LVM", "RVEDV", "RVESV", "RVEF")
STATISTICS = ("bias", "sd of differences", "mean absolute difference", "ICC(2,1)")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--models", nargs="+", required=True, metavar="NAME@VERSION")
    parser.add_argument("-o", "--output", type=Path)
    options = parser.parse_args()
    by_model: dict[str, list[int]] = defaultdict(list)
    for fold in FOLDS:
        by_model[unseeing(options.models, fold)].append(fold)
    data = data_folder()
    masks, scores = options.folder / "masks", {}
    masks.mkdir(parents=True, exist_ok=True)
    for model, folds in by_model.items():
        with tempfile.TemporaryDirectory() as place:
            run = Path(place) / "run"
            chosen = ",".join(map(str, folds))
            validate(
                "--model", model, "--data", "acdc", "--data-folder", data, "--folds", chosen, run
            )
            for made in (run / "predictions").iterdir():
                shutil.copy(made, masks)
            scores[f"{model}, folds {chosen}"] = told(run)
    with tempfile.TemporaryDirectory() as place:
        readers = Path(place)
        for mask in (data / "acdc").glob("*_gt.nii.gz"):
            (readers / mask.name).symlink_to(mask)
        groups = ("--groups", data / "acdc" / "metadata.csv", "--by", "group", "--by", "fold")
        whole = options.folder / "all"
        validate(masks, readers, "--reference-suffix", "_gt", *groups, whole)
    result = {"all 80, none seen": told(whole), **scores}
    print(json.dumps(result, indent=1))
    if options.output:
        options.output.write_text(json.dumps(result, indent=1) + "\n")


def unseeing(models: Sequence[str], fold: int) -> str:
    """Return the first model that did not learn from a fold."""
    for name in models:
        said = re.search(r"folds ([\d, ]+) of", model_titled(name).training_data)
        if said and str(fold) not in re.findall(r"\d+", said[1]):
            return name
    sys.exit(f"every model has seen fold {fold}")


def validate(*arguments: object) -> None:
    """Run ``opencmr validate``; the last argument is the result folder."""
    *given, out = map(str, arguments)
    program = "from opencmr.cli import main; main()"
    command = [sys.executable, "-c", program, "validate", *given, "-o", out, "--overwrite", "-q"]
    subprocess.run(command, check=True)


def told(folder: Path) -> dict[str, Any]:
    """Return mean overlap and distance by structure and phase, and how volumes agree."""
    found: dict[str, Any] = defaultdict(dict)
    for row in json.loads((folder / "results.json").read_text())["results"]:
        value = round(row["value"], 4) if row["value"] is not None else None
        if row["metric"] in METRICS and row["level"] == "whole" and row["statistic"] == "mean":
            part = f"{row['structure']} {row['phase']}"
            if not row["group_by"]:
                found[row["metric"]][part] = [value, row["low"], row["high"]]
            elif part == "all all" and row["metric"] == "dice":
                found[f"dice by {row['group_by']}"][row["group"]] = value
        elif row["metric"] in SYMBOLS and not row["group_by"] and row["statistic"] in STATISTICS:
            found[row["metric"]][row["statistic"]] = value
    return dict(found)


if __name__ == "__main__":
    main()
