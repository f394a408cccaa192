"""``import opencmr`` stays light, and its public face small."""

import json
import subprocess
import sys

import pytest

HEAVY = {
    "httpx",
    "matplotlib",
    "nibabel",
    "numpy",
    "onnx",
    "onnxruntime",
    "pydantic",
    "pydicom",
    "pynetdicom",
    "scipy",
    "skimage",
    "torch",
    "typst",
}
"""Packages that take long to load; a command loads them when it runs, never before."""

PUBLIC_NAMES = 10


def _said_by(script: str) -> list[str]:
    """Return the list of strings that ``script`` prints as JSON in a fresh interpreter."""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=120
    )
    said: list[str] = json.loads(done.stdout)
    return said


@pytest.mark.parametrize("module", ["opencmr", "opencmr.cli", "opencmr.cli.application"])
def test_importing_loads_nothing_heavy(module: str) -> None:
    loaded = _said_by(f"import {module}, json, sys; print(json.dumps(sorted(sys.modules)))")
    assert {name.partition(".")[0] for name in loaded} & HEAVY == set()


def test_the_package_has_at_most_ten_public_names_and_all_of_them_exist() -> None:
    names = _said_by(
        "import json, opencmr\n"
        "names = {n for n in dir(opencmr) if not n.startswith('_')}\n"
        "names |= set(getattr(opencmr, '__all__', ()))\n"
        "for name in names: getattr(opencmr, name)\n"
        "print(json.dumps(sorted(names)))"
    )
    assert len(names) <= PUBLIC_NAMES


@pytest.mark.parametrize("module", ["opencmr.pipeline", "opencmr.batch.cohort"])
def test_an_analysis_loads_no_statistics(module: str) -> None:
    """``scipy.stats`` alone takes a third of a second and 46 MB, in each process of a cohort."""
    loaded = _said_by(f"import {module}, json, sys; print(json.dumps(sorted(sys.modules)))")
    assert {"scipy.interpolate", "scipy.optimize", "scipy.stats"} & set(loaded) == set()
