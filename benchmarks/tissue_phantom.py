"""What the analysis reads of tissue that is known: the simulated heart's maps, ECV and scar.

    python benchmarks/tissue_phantom.py -o benchmarks/tissue_phantom.json

A heart with a scar of known mass is simulated, written as DICOM and analysed like a patient's
study.  Its pictures come from Bloch simulation and not from the curves that are fitted, so a MOLLI
reads T1 low as on a scanner.  The cine has twelve phases, to be quick.  The patient breathes a
little between cine and map, and nothing registers them: without that, what is left is of the
methods and of the contours.  Cases that the file already holds are kept.
"""

import argparse
import json
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import opencmr
from opencmr.imaging.measurement import Measurement
from opencmr.simulate import (
    HeartParameters,
    Protocol,
    ScarParameters,
    SimulatedStudy,
    TissueParameters,
    simulate_study,
    write_dicom,
)

BREATHING = Protocol(phases=12, scouts=False, long_axis=False)
STILL = replace(BREATHING, breathing_in_plane_mm=0.0, breathing_through_plane_mm=0.0)
SCARRED = TissueParameters(
    ("lge", "molli", "post-molli", "t2", "t2star"), scar=ScarParameters("LCX", 14, 0.75)
)
CASES = {
    "scar of 14 g in LCX": (BREATHING, SCARRED),
    "scar of 14 g in LCX, every breath held alike": (STILL, SCARRED),
    "healthy, SASHA": (BREATHING, TissueParameters(("lge", "sasha", "t2", "t2star"))),
}


def simulated(protocol: Protocol, tissue: TissueParameters) -> SimulatedStudy:
    """Simulate a study with the cine that says where the wall is, and its tissue."""
    return simulate_study(HeartParameters(seed=4), protocol=protocol, tissue=tissue)


def measured(study: SimulatedStudy, haematocrit: float) -> list[Measurement]:
    """Analyse the DICOM of a study."""
    with tempfile.TemporaryDirectory() as folder:
        write_dicom(study, Path(folder))
        with opencmr.read_studies(folder) as studies:
            (one,) = studies
            report = opencmr.analyze(one, haematocrit=haematocrit)
    return [one for one in report.measurements.found if isinstance(one, Measurement)]


def compared(study: SimulatedStudy, found: list[Measurement]) -> dict[str, Any]:
    """Put truth beside measurement: of the wall, and errors of healthy segments."""
    assert study.tissue is not None
    rows: dict[str, Any] = {}
    for symbol, truth in study.tissue.truth.items():
        whole = [m for m in found if m.quantity.symbol == symbol and m.segment is None]
        if not whole:
            continue
        value, reason = whole[0].value, whole[0].reason
        row: dict[str, Any] = {
            "truth": round(truth, 2),
            "measured": None if value is None else round(value, 2),
        }
        if reason is not None:
            row["reason"] = reason.code
        errors = [
            100 * (m.value / study.tissue.segments[m.segment][symbol] - 1)
            for m in found
            if m.quantity.symbol == symbol
            and m.segment is not None
            and m.value is not None
            and symbol in study.tissue.segments[m.segment]
            and study.tissue.segments[m.segment]["SCAR_MASS"] == 0
        ]
        if errors:
            row["healthy_segments"] = len(errors)
            row["segment_error_percent"] = [round(min(errors), 1), round(max(errors), 1)]
        rows[symbol] = row
    for symbol in ("SCAR_5SD", "SCAR_FWHM"):
        rule = [m for m in found if m.quantity.symbol == symbol and m.segment is None]
        if rule and rule[0].value is not None:
            truth = round(study.tissue.truth["SCAR_PERCENT"], 2)
            rows[symbol] = {"truth": truth, "measured": round(rule[0].value, 2)}
    return rows


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("-o", "--output", type=Path, default=Path("tissue_phantom.json"))
    output = parser.parse_args().output
    results = json.loads(output.read_text(encoding="utf-8")) if output.exists() else {}
    for name, (protocol, tissue) in CASES.items():
        if name in results:
            continue
        study = simulated(protocol, tissue)
        results[name] = compared(study, measured(study, tissue.haematocrit))
        print(name, json.dumps(results[name], indent=1), flush=True)
        output.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
