"""How fast opencmr is on two cores, and how fast beside nnU-Net.

One run measures, in turn within each round so that a drift of the machine touches all alike:

1. ``opencmr analyze`` of a 10-slice, 30-phase, 256 x 256 short-axis cine of the built-in heart,
   written as DICOM beforehand: wall seconds from the start of the process to its end, of which
   inside the network and outside it, and peak memory (the resident sets of all its processes
   added up, sampled every 20 ms; pages that processes share count once for each).
2. The segmentation alone of the same stack, from decoded images to labels on the same grid: by
   opencmr (``segment_short_axis``: finding the heart, resampling, network, clean-up) and by
   nnU-Net's default 2-D ACDC configuration with random weights (``nnunet_network.py``; what is
   included is said there).  Loading and a first warm-up call are not counted on either side; both
   have two threads and 32-bit floats.  nnU-Net is timed on a few phases, spread over the beat, and
   multiplied up to all of them: it treats every phase alike.

    python benchmarks/speed.py [-o benchmarks/speed.json] [--environment FOLDER]

nnU-Net is installed into a virtual environment of its own, kept in FOLDER where named: first
PyTorch alone, then nnU-Net without the parts that its default network never imports.  Pip's own
settings apply; where PyPI's PyTorch is a CUDA build, ``PIP_INDEX_URL`` may name the CPU builds.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from clocked_opencmr import clocked_networks
from tree_memory import TreeMemory

from opencmr.anatomy.techniques import Technique
from opencmr.anatomy.views import View
from opencmr.imaging.image import Image, untimed_image
from opencmr.intake.studies import read_studies
from opencmr.models.runner import SegmentationRunner
from opencmr.models.session import Networks
from opencmr.quality.stacks import judge_stacks
from opencmr.segment.short_axis import segment_short_axis
from opencmr.simulate import Protocol, simulate_study, write_dicom
from opencmr.sort.sorting import choose_sax_cine, sort_study

HERE = Path(__file__).parent
CORES = 2
GIB = 2**30

FINISHED = (0, 3)
"""Exit statuses of an analysis that ran to its end; 3: with a flag "do not report"."""

PYTORCH = ["torch==2.13.0"]
NNUNET = [
    "nnunetv2==2.8.1",
    "acvl-utils==0.2.6",
    "batchgenerators==0.25.5",
    "batchgeneratorsv2==0.3.6",
    "dynamic-network-architectures==0.4.4",
]
"""Installed without dependencies: among those, timm brings torchvision, which no U-Net needs."""
NNUNET_IMPORTS = [
    "SimpleITK",
    "blosc2",
    "nibabel",
    "numpy",
    "pandas",
    "scikit-image",
    "scipy",
    "tifffile",
    "tqdm",
]
"""What importing and running nnU-Net's predictor takes."""

TARGETS = {
    "analyze: wall": ("≤", 60.0),
    "analyze: outside the network": ("≤", 10.0),
    "analyze: peak memory": ("≤", 2.0),
    "nnU-Net with mirroring / opencmr": ("≥", 10.0),
}


def keep_to_cores(count: int) -> list[int]:
    """Keep this process and all that it starts to ``count`` cores."""
    cores = sorted(os.sched_getaffinity(0))[:count]
    os.sched_setaffinity(0, cores)
    return cores


def make_cine(folder: Path, phases: int) -> None:
    protocol = Protocol(
        rows=256, columns=256, slices=10, phases=phases, long_axis=False, scouts=False
    )
    write_dicom(simulate_study(protocol=protocol), folder)


def read_cine(folder: Path) -> Image:
    (study,) = read_studies(folder)
    series = choose_sax_cine(judge_stacks(sort_study(study))).series
    assert series is not None, "no short-axis cine found in the simulated study"
    return series.image


def time_analyze(cine: Path, folder: Path) -> dict[str, Any]:
    """Run one whole analysis in a process of its own."""
    seconds_file, output = folder / "seconds.json", folder / "out"
    command = [sys.executable, str(HERE / "clocked_opencmr.py"), str(seconds_file)]
    command += ["analyze", str(cine), "-o", str(output), "--overwrite", "--quiet"]
    start = time.perf_counter()
    process = subprocess.Popen(command)
    memory = TreeMemory(process.pid)
    memory.start()
    status = process.wait()
    wall = time.perf_counter() - start
    peak_bytes = memory.stop()
    if status not in FINISHED:
        raise SystemExit(f"opencmr analyze ended with status {status}")
    network = json.loads(seconds_file.read_text())
    return {
        "wall_s": wall,
        "network_s": network["seconds"],
        "outside_s": wall - network["seconds"],
        "peak_gib": peak_bytes / GIB,
        "network_calls": network["calls"],
        "exit_status": status,
        "stages_s": json.loads((output / "run.json").read_text())["timings_s"],
    }


def time_segmentation(image: Image, network: SegmentationRunner) -> dict[str, Any]:
    """Time opencmr's segmentation of the decoded stack with a loaded network."""
    with clocked_networks() as clock:
        start = time.perf_counter()
        segmentation = segment_short_axis(image, network)
        seconds = time.perf_counter() - start
    assert segmentation is not None, "no heart found in the simulated study"
    return {"seconds": seconds, "network_s": clock.seconds, "network_slices": clock.slices}


def one_phase(image: Image) -> Image:
    return untimed_image(image.values[:1], image.grid)


def make_environment(folder: Path) -> Path:
    """Return the interpreter of an environment with nnU-Net, made unless it is there."""
    interpreter = folder / "bin" / "python"
    finished = folder / "nnunet-installed"
    wanted = "\n".join([*PYTORCH, *NNUNET, *NNUNET_IMPORTS])
    if finished.exists() and finished.read_text() == wanted:
        return interpreter
    venv.create(folder, with_pip=True, clear=True)
    pip = [str(interpreter), "-m", "pip", "install", "--quiet"]
    subprocess.run([*pip, *PYTORCH], check=True)
    # Named again, so that pip keeps to this PyTorch.
    subprocess.run([*pip, *PYTORCH, *NNUNET_IMPORTS], check=True)
    subprocess.run([*pip, "--no-deps", *NNUNET], check=True)
    finished.write_text(wanted)
    return interpreter


def time_nnunet(interpreter: Path, stack: Path, phases: Sequence[int]) -> dict[str, Any]:
    command = [str(interpreter), str(HERE / "nnunet_network.py"), str(stack)]
    command += ["--threads", str(CORES), "--phases", *map(str, phases)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def whole_stack(timed: list[dict[str, Any]], phases: int, key: str) -> float:
    """Return the seconds of all ``phases`` from those that were timed."""
    return phases * statistics.fmean(phase[key] for phase in timed)


def spread_phases(phases: int, count: int, shift: int) -> list[int]:
    """Return ``count`` of ``phases``, evenly spread; each ``shift`` gives others."""
    starts = np.linspace(0, phases, min(count, phases), endpoint=False).astype(int)
    return sorted((start + shift) % phases for start in starts.tolist())


def measure(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    interpreter = make_environment(options.environment or folder / "environment")
    cine = folder / "cine"
    make_cine(cine, options.phases)
    image = read_cine(cine)
    network = Networks().segmentation(View.SAX, Technique.CINE, name=options.model)
    segment_short_axis(one_phase(image), network)
    stack = folder / "stack.npz"
    grid = image.grid
    spacing_mm = (grid.slice_spacing_mm, grid.row_spacing_mm, grid.column_spacing_mm)
    np.savez(stack, values=image.values.astype(np.float32), spacing_mm=spacing_mm)
    rounds = []
    for number in range(options.rounds):
        phases = spread_phases(image.phases, options.nnunet_phases, number)
        timed = {
            "analyze": time_analyze(cine, folder),
            "opencmr": time_segmentation(image, network),
            "nnU-Net": time_nnunet(interpreter, stack, phases),
        }
        rounds.append(timed)
        print(f"round {number + 1}: analyze {timed['analyze']['wall_s']:.1f} s", flush=True)
    return {
        "stack": {"shape_tzyx": list(image.values.shape), "spacing_mm": list(spacing_mm)},
        "machine": machine(network),
        "figures": figures(rounds, image.phases),
        "rounds": rounds,
    }


def machine(network: SegmentationRunner) -> dict[str, Any]:
    return {
        "processor": processor_name(),
        "cores": CORES,
        "load_of_others_at_the_start": psutil.getloadavg()[0],
        "model": network.card.title,
        "model_sha256": network.card.sha256,
        "versions": {p: version(p) for p in ("opencmr", "numpy", "onnxruntime")}
        | {"python": platform.python_version()},
    }


def processor_name() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((x.split(":", 1)[1].strip() for x in lines if x.startswith("model name")), "")


def figures(rounds: list[dict[str, Any]], phases: int) -> dict[str, dict[str, Any]]:
    """Return each figure's minimum, median and maximum over the rounds; ratios round by round."""
    analyses = [timed["analyze"] for timed in rounds]
    ours = [timed["opencmr"] for timed in rounds]
    found = {
        "analyze: wall": ("s", [a["wall_s"] for a in analyses]),
        "analyze: inside the network": ("s", [a["network_s"] for a in analyses]),
        "analyze: outside the network": ("s", [a["outside_s"] for a in analyses]),
        "analyze: peak memory": ("GiB", [a["peak_gib"] for a in analyses]),
        "opencmr segmentation": ("s", [o["seconds"] for o in ours]),
        "opencmr segmentation, network alone": ("s", [o["network_s"] for o in ours]),
    }
    for name in ("without mirroring", "with mirroring"):
        timed = [t["nnU-Net"]["timed"][name] for t in rounds]
        whole = [whole_stack(t, phases, "seconds") for t in timed]
        alone = [whole_stack(t, phases, "network_seconds") for t in timed]
        found[f"nnU-Net {name}"] = ("s", whole)
        found[f"nnU-Net {name}, network alone"] = ("s", alone)
        found[f"nnU-Net {name} / opencmr"] = (
            "times",
            [a / b["seconds"] for a, b in zip(whole, ours, strict=True)],
        )
        found[f"nnU-Net {name} / opencmr, networks alone"] = (
            "times",
            [a / b["network_s"] for a, b in zip(alone, ours, strict=True)],
        )
    return {name: summary(name, unit, values) for name, (unit, values) in found.items()}


def summary(name: str, unit: str, values: list[float]) -> dict[str, Any]:
    middle = statistics.median(values)
    entry: dict[str, Any] = {
        "unit": unit,
        "min": round(min(values), 3),
        "median": round(middle, 3),
        "max": round(max(values), 3),
    }
    if name in TARGETS:
        sign, bound = TARGETS[name]
        entry["target"] = f"{sign} {bound:g}"
        entry["met"] = middle <= bound if sign == "≤" else middle >= bound
    return entry


def print_table(result: dict[str, Any]) -> None:
    phases, slices, rows, columns = result["stack"]["shape_tzyx"]
    print(f"\n{slices} slices, {phases} phases, {rows} x {columns}; {CORES} cores")
    print(f"{'':<54} {'min':>8} {'median':>8} {'max':>8}")
    for name, entry in result["figures"].items():
        target = f"  target {entry['target']}: {entry['met']}" if "target" in entry else ""
        numbers = " ".join(f"{entry[key]:>8.2f}" for key in ("min", "median", "max"))
        print(f"{name:<54} {numbers} {entry['unit']}{target}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-o", "--output", type=Path, help="JSON file for the result")
    parser.add_argument("--environment", type=Path, help="folder that keeps nnU-Net's environment")
    parser.add_argument("--model", help="segmentation model; the newest by default")
    parser.add_argument("--rounds", type=int, default=3, help="how often everything is timed")
    parser.add_argument("--phases", type=int, default=30, help="phases of the cine")
    parser.add_argument(
        "--nnunet-phases", type=int, default=3, help="phases that nnU-Net is timed on, each round"
    )
    options = parser.parse_args()
    keep_to_cores(CORES)
    with tempfile.TemporaryDirectory() as folder:
        result = measure(options, Path(folder))
    print_table(result)
    if options.output:
        options.output.write_text(json.dumps(result, indent=2, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
