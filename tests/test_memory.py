"""What is free goes back to the system, where the C library can be told so."""

import ctypes
import subprocess
import sys

import pytest

from opencmr.memory import give_back_memory

FREED_MIB = 64
SCRIPT = f"""
from pathlib import Path
from opencmr.memory import give_back_memory

def resident_mib():
    rss, = (line for line in Path("/proc/self/status").read_text().splitlines() if "VmRSS" in line)
    return int(rss.split()[1]) / 1024

# Pieces below the size that is mapped alone; one that stays keeps those below it from the system.
pieces = [bytearray(50_000) for _ in range({FREED_MIB} * 20)]
last = bytearray(50_000)
pieces.clear()
held = resident_mib()
give_back_memory()
print(held - resident_mib())
"""


@pytest.mark.skipif(
    sys.platform != "linux" or not hasattr(ctypes.CDLL(None), "malloc_trim"),
    reason="glibc alone can be told",
)
def test_pages_that_are_free_below_one_in_use_leave_the_process() -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True
    )
    assert float(done.stdout) > FREED_MIB / 2


def test_where_the_c_library_cannot_be_told_nothing_happens(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda _: object())
    give_back_memory()
