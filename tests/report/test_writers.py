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
    told: list[tuple[str, int, int]] = []
    write_report(small_report, tmp_path, lambda *said: told.append(said))
    counts = [done for _, done, _ in told]
    assert counts == list(range(told[0][2] + 1))
    assert {(what, total) for what, _, total in told} == {("reporting", counts[-1])}


def test_what_lay_beside_is_listed_as_part_of_the_result(
    small_report: Report, tmp_path: Path
) -> None:
    beside = tmp_path / "simulated" / "1.dcm"
    beside.parent.mkdir()
    beside.write_bytes(b"x")
    write_report(small_report, tmp_path, beside=[beside])
    record = json.loads((tmp_path / "run.json").read_text(encoding="utf-8"))
    assert "simulated/1.dcm" in {entry["path"] for entry in record["files"]}
