"""Nothing leaves the machine: no socket of the internet, no name looked up, no file at home."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

STRACE = Path("/usr/bin/strace")
CALLS_OUT = re.compile(r"\b(AF_INET6?|sin6?_port)\b|/etc/(resolv\.conf|hosts|nsswitch\.conf)|nscd")

pytestmark = pytest.mark.skipif(
    not STRACE.is_file(), reason="strace is not installed (Debian: apt-get install strace)"
)


def traced(tmp_path: Path, *words: object) -> tuple[str, set[Path]]:
    """Run ``opencmr`` with an empty home; return its system calls and the new files there."""
    home = tmp_path / "home"
    places = {"HOME": home} | {
        f"XDG_{name}_HOME": home / name.lower() for name in ("CACHE", "CONFIG", "DATA", "STATE")
    }
    home.mkdir()
    environment = {k: v for k, v in os.environ.items() if k != "ORT_DISABLE_TELEMETRY"}
    environment |= {name: str(place) for name, place in places.items()}
    log = tmp_path / "calls"
    command = [STRACE, "-f", "-qq", "-e", "trace=%network,openat,open", "-o", log]
    program = "from opencmr.cli import main; main()"
    done = subprocess.run(
        [*map(str, command), sys.executable, "-c", program, *map(str, words)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode in (0, 3), done.stderr
    return log.read_text(errors="replace"), {p for p in home.rglob("*") if p.is_file()}


@pytest.mark.parametrize("verb", ["analyze", "segment", "doctor"])
def test_a_command_calls_nobody_and_writes_nothing_at_home(
    verb, phantom_dicom, phantom_nifti, tmp_path
):
    stack = next(p for p in sorted(phantom_nifti.rglob("*.nii.gz")) if "label" not in p.name)
    words = {
        "analyze": ("analyze", phantom_dicom, "-o", tmp_path / "out"),
        "segment": ("segment", stack, "-o", tmp_path / "labels.nii.gz"),
        "doctor": ("doctor",),
    }[verb]
    calls, at_home = traced(tmp_path, *words)
    assert "onnxruntime" in calls, "the trace must cover the library that is watched"
    assert [line for line in calls.splitlines() if CALLS_OUT.search(line)] == []
    assert at_home == set()
