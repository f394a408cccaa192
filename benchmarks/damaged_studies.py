"""Good studies damaged in known ways: what moves without a flag that names why.

Every kind and dose of ``study_damages.py`` is made of the built-in heart and of a real cine, read,
segmented and measured like any input.  "Unsaid" is what moves LVEF by more than 3 points or LVEDV
by more than 10 % while no code that names the cause is among the flags.

    python benchmarks/damaged_studies.py [--sample] [-o benchmarks/damaged_studies.json]
"""

import argparse
import copy
import json
import sys
import tempfile
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pydicom
from real_data import data_folder
from study_damages import KINDS, Cine, Kind, in_order

from opencmr.anatomy.structures import Structure
from opencmr.imaging.flag import Severity
from opencmr.intake.studies import read_studies
from opencmr.models.session import Networks
from opencmr.pipeline import Configuration, analyze_study
from opencmr.report.contents import Report
from opencmr.simulate import HeartParameters, Protocol, simulate_study, write_dicom

EF_POINTS = 3.0
EDV_PERCENT = 10.0
SMALL = Protocol(phases=12, pixel_mm=1.8, rows=192, columns=160, long_axis=False, scouts=False)
OTHER_HEART = HeartParameters(edv_ml=110, ef_percent=72)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-o", "--output", type=Path)
    parser.add_argument("--sample", action="store_true", help="a few kinds, built-in heart alone")
    options = parser.parse_args()
    kinds = [kind for kind in KINDS if kind.sampled or not options.sample]
    networks = Networks()
    with tempfile.TemporaryDirectory() as place:
        studies = {"built-in heart": built_in(Path(place))}
        if not options.sample:
            studies["SC-HF-I-4"] = sunnybrook(Path(place))
        result = {name: table(cine, kinds, Path(place), networks) for name, cine in studies.items()}
    unsaid = [
        f"{name}: {row['kind']}, {row['dose']}"
        for name, rows in result.items()
        for row in rows["damaged"]
        if row["unsaid"]
    ]
    text = json.dumps({"unsaid": unsaid, **result}, indent=1)
    if options.output:
        options.output.write_text(text + "\n")
    print(text)


def built_in(place: Path) -> Cine:
    """Return the built-in heart's cine, with another heart beside it."""
    found = []
    for name, heart in (("one", HeartParameters()), ("other", OTHER_HEART)):
        write_dicom(simulate_study(heart, protocol=SMALL), place / name)
        found.append(_cine(place / name))
    return replace(found[0], other=found[1])


def sunnybrook(place: Path) -> Cine:
    """Return the real cine, with another patient's beside it."""
    data = data_folder() / "sunnybrook"
    found = []
    for name in ("SC-HF-I-4", "SC-HF-I-6"):
        with zipfile.ZipFile(data / f"{name}.zip") as archive:
            archive.extractall(place / name)
        found.append(_cine(place / name))
    return replace(found[0], other=found[1])


def _cine(folder: Path) -> Cine:
    """Return the cine that is measured in a folder."""
    report = _analysed(folder, Networks())
    series = report.measured_series()[0]
    order = list(report.landmarks[series.key].base_first)
    origins = series.image.grid.affines[:, :3, 3]
    towards_apex = origins[order[-1]] - origins[order[0]]
    labels = report.segmentations[series.key]
    shown = np.flatnonzero(labels.mask(Structure.LV).any((0, 2, 3))[order])
    pictures = [pydicom.dcmread(path) for path in sorted(folder.rglob("*.dcm"))]
    wanted = {one.sop_instance_uid for row in series.image.instances for one in row}
    slices = in_order(
        [p for p in pictures if p.SOPInstanceUID in wanted],
        towards_apex / np.linalg.norm(towards_apex),
    )
    return Cine(slices, (int(shown[0]), int(shown[-1])))


def table(cine: Cine, kinds: list[Kind], place: Path, networks: Networks) -> dict[str, object]:
    """Return what the undamaged cine measures, and each damage's row."""
    good, _ = _measured(cine.pictures, place, networks)
    rows = []
    for kind in kinds:
        print(f"{kind.name}, {kind.dose}", file=sys.stderr)
        values, flags = _measured(kind.damage(copy.deepcopy(cine)), place, networks)
        moved = _moved(values, good)
        named = sorted({code for code in flags if code in kind.named_by})
        rows.append(
            {
                "kind": kind.name,
                "dose": kind.dose,
                **values,
                "moved": moved,
                "named by": {code: flags[code] for code in named},
                "unsaid": moved and not named,
                "other flags": sorted(
                    code for code in flags if code not in named and flags[code] != "info"
                ),
            }
        )
    return {"undamaged": good, "damaged": rows}


def _moved(values: dict[str, float | None], good: dict[str, float | None]) -> bool:
    ef, edv = values["LVEF"], values["LVEDV"]
    assert good["LVEF"]
    assert good["LVEDV"]
    return (ef is not None and abs(ef - good["LVEF"]) > EF_POINTS) or (
        edv is not None and abs(edv / good["LVEDV"] - 1) > EDV_PERCENT / 100
    )


def _measured(
    pictures: list[pydicom.Dataset], place: Path, networks: Networks
) -> tuple[dict[str, float | None], dict[str, str]]:
    """Return LVEF and LVEDV, and the gravest severity of each code."""
    with tempfile.TemporaryDirectory(dir=place) as folder:
        for number, picture in enumerate(pictures):
            picture.save_as(Path(folder) / f"{number:05}.dcm")
        try:
            report = _analysed(Path(folder), networks)
        except Exception as error:  # a refusal is an answer, and says its code
            return {"LVEF": None, "LVEDV": None}, {type(error).__name__: str(error)[:80]}
    values = report.measurements.values()
    rounded = {
        symbol: None if values.get(symbol) is None else round(float(values[symbol] or 0), 1)
        for symbol in ("LVEF", "LVEDV")
    }
    codes: dict[str, str] = {row.reason.code: "left out" for row in report.study.left_out}
    order = list(Severity)
    for flag in sorted(report.flags, key=lambda f: order.index(f.severity)):
        codes[flag.code] = flag.severity.value
    return rounded, codes


def _analysed(folder: Path, networks: Networks) -> Report:
    (study,) = read_studies(folder)
    return analyze_study(study, Configuration(), networks=networks)


if __name__ == "__main__":
    main()
