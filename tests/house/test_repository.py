"""What may be in the repository: no data of patients, nothing of one machine."""

import hashlib
import re
import subprocess
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
MACHINE = re.compile(rb"(?<![\w.])/(?:work|farm|root|home|Users)/\w|/tmp/\w|[A-Z]:\\Users\\")
"""Paths that exist on one machine only."""
LARGEST_BYTES = 8_000_000
"""A tracked file above this size must be a network's weights."""


@pytest.fixture(scope="module")
def tracked() -> list[Path]:
    """Every file that git tracks; skips outside a git checkout (a source archive)."""
    if not (REPOSITORY / ".git").exists():
        pytest.skip("not a git checkout")
    listing = subprocess.run(
        ["git", "ls-files", "-z"], cwd=REPOSITORY, capture_output=True, check=True
    ).stdout.decode()
    names = (name for name in listing.split("\0") if name)
    return [path for name in names if (path := REPOSITORY / name).is_file()]


def _name(path: Path) -> str:
    return path.relative_to(REPOSITORY).as_posix()


def test_no_tracked_file_names_a_path_of_one_machine(tracked: list[Path]) -> None:
    this = Path(__file__).resolve()
    texts = (p for p in tracked if p != this and b"\0" not in p.read_bytes()[:8000])
    found = [
        f"{_name(path)}:{number}"
        for path in texts
        for number, line in enumerate(path.read_bytes().splitlines(), 1)
        if MACHINE.search(line)
    ]
    assert found == []


def test_no_tracked_file_is_large_unless_it_holds_weights(tracked: list[Path]) -> None:
    large = [p for p in tracked if p.stat().st_size > LARGEST_BYTES and p.suffix != ".onnx"]
    assert [_name(p) for p in large] == []


@pytest.mark.real_data
def test_no_tracked_file_is_a_copy_of_real_data(tracked: list[Path], data_folder: Path) -> None:
    sizes = {path.stat().st_size for path in tracked}
    twins = {
        _digest(path)
        for path in data_folder.rglob("*")
        if path.is_file() and path.stat().st_size in sizes and path.stat().st_size > 0
    }
    assert [_name(p) for p in tracked if _digest(p) in twins] == []


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
