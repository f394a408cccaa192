"""The decoding process is held as far as its system can: by POSIX, or by Python's watchdog."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from opencmr.intake.dicom.restraint import open_regular
from opencmr.intake.refusal import RefusedError

HANGS = """
import os
from opencmr.intake.dicom.restraint import HAS_ALARM, end_after
with open(os.devnull, "wb") as nothing:
    end_after(60, nothing)
    end_after(0, nothing)
    end_after(1, nothing)
    print(HAS_ALARM, flush=True)
    sum(iter(int, 1))  # one call that never ends and never lets another thread run
"""


@pytest.mark.parametrize("has_posix", [True, False])
def test_a_call_that_never_returns_is_ended(without_posix: dict[str, str], has_posix: bool) -> None:
    environment = dict(os.environ) if has_posix else without_posix
    ended = subprocess.run(
        [sys.executable, "-c", HANGS], env=environment, capture_output=True, timeout=60, check=False
    )
    assert ended.returncode != 0
    assert ended.stdout.split() == [str(has_posix).encode()]
    assert ended.stderr == b""


@pytest.mark.parametrize("has_flag", [True, False])
def test_links_pipes_and_folders_are_not_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, has_flag: bool
) -> None:
    if not has_flag:
        monkeypatch.delattr(os, "O_NOFOLLOW")
    file = tmp_path / "file"
    file.write_bytes(b"some")
    with os.fdopen(open_regular(str(file)), "rb") as opened:
        assert opened.read() == b"some"
    (tmp_path / "link").symlink_to(file)
    os.mkfifo(tmp_path / "pipe")
    for name in ("link", "pipe", "."):
        with pytest.raises((RefusedError, OSError)):
            open_regular(str(tmp_path / name))


def test_the_intake_reads_and_refuses_alike_without_posix(without_posix: dict[str, str]) -> None:
    """Some tests of decoding, run again where neither limits, alarm nor poll are there."""
    chosen = "signed or hostile or outlives or never_ends"
    ran = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-q", "-p", "no:xdist", "-p", "no:cacheprovider"),
            *("-k", chosen, Path(__file__).with_name("test_decode.py")),
        ],
        env=without_posix,
        cwd=Path(__file__).parents[3],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout[-3000:] + ran.stderr[-1000:]
