"""A study is read and a result is put in place where POSIX's own modules and calls are missing."""

import subprocess
import sys

import pytest


@pytest.mark.long
def test_a_study_is_sorted_alike_without_posix(opencmr, phantom_dicom, without_posix, tmp_path):
    usual = opencmr("sort", phantom_dicom, "-o", tmp_path / "usual")
    words = ("sort", str(phantom_dicom), "-o", str(tmp_path / "other"))
    other = subprocess.run(
        [sys.executable, "-m", "opencmr", *words],
        env=without_posix,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (other.returncode, usual.status) == (0, 0), other.stderr
    names = [
        sorted(
            path.relative_to(tmp_path / name).as_posix() for path in (tmp_path / name).rglob("*")
        )
        for name in ("usual", "other")
    ]
    assert names[0] == names[1]
    assert any(name.endswith(".dcm") for name in names[1])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["other", "usual"]
