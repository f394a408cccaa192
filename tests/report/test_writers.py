"""The writers together."""

import hashlib
import json
from pathlib import Path

from opencmr.report.contents import Report
from opencmr.report.writers import write_report


def test_every_file_is_written_and_the_record_of_the_run_lists_it_with_its_hash(
    small_report: Report, tmp_path: Path
) -> None:
    written = write_report(small_report, tmp_path)
    on_disk = {path for path in tmp_path.rglob("*") if path.is_file()}
    assert set(written) == on_disk
    record = json.loads((tmp_path / "run.json").read_text(encoding="utf-8"))
    listed = {entry["path"]: entry["sha256"] for entry in record["files"]}
    expected = {
        path.relative_to(tmp_path).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in on_disk
        if path.name != "run.json"
    }
    assert listed == expected
    assert {"report.html", "measurements.json", "measurements.csv"} <= set(listed)
    assert "segmentation/s02_seg.nii.gz" in listed


def test_progress_runs_from_nothing_to_all(small_report: Report, tmp_path: Path) -> None:
    shares: list[float] = []
    write_report(small_report, tmp_path, lambda _what, share: shares.append(share))
    assert shares == sorted(shares)
    assert (shares[0], shares[-1]) == (0.0, 1.0)
