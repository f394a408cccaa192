"""A cohort: what is done again, what never, and what stands in its tables."""

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from opencmr import storage
from opencmr.batch import cohort
from opencmr.batch.cohort import Done, Place, analyze_cohort
from opencmr.batch.processes import Lost
from opencmr.errors import ConfigurationError, ModelError, StorageError
from opencmr.imaging.study import Demographics, Study
from opencmr.intake.index import Entry
from opencmr.intake.studies import Studies
from opencmr.models.session import Networks
from opencmr.pipeline import Configuration

PLAIN = Configuration()


def result(
    folder: Path, key: str, lvef: float = 60.0, configuration: Configuration = PLAIN
) -> None:
    """Write what a study's result is known by."""
    measured = {
        "symbol": "LVEF", "value": lvef, "unit": "%", "interval": [lvef - 1, lvef + 1],
        "phase": None, "segment": None,
    }  # fmt: skip
    path = storage.write_json(folder / "measurements.json", {"measurements": [measured]})
    record = {
        "disclaimer": "d",
        "study": key,
        "input_sha256": f"sha-{key}",
        "configuration": configuration.record,
        "versions": {"opencmr": "9.9"},
        "models": [{"name": "m", "version": "1"}],
        "series": [],
        "flags": [],
        "files": [{"path": path.name, "sha256": storage.sha256_of(path)}],
    }
    storage.write_json(folder / "run.json", record)


class InThisProcess:
    """Stands for the processes; the number in ``kills`` takes its process with it."""

    kills: tuple[int, ...] = ()
    asked: list[int]

    def __init__(self, task, jobs: int) -> None:
        self.task = task

    def answers(self, numbers: Sequence[int], waiting_still):
        type(self).asked = list(numbers)
        for number in numbers:
            waiting_still()
            yield number, Lost(-9) if number in self.kills else self.task(number)


@pytest.fixture
def run(monkeypatch, tmp_path):
    """Run a cohort of three studies; ``fails`` maps a key to what its analysis raises."""

    def running(fails=None, kills=(), overwrite=False, configuration=PLAIN, **more):
        def analysed(study, configuration, new, *_, **__):
            if study.key in (fails or {}):
                raise fails[study.key]
            result(new, study.key, configuration=configuration)

        monkeypatch.setattr(InThisProcess, "kills", kills)
        monkeypatch.setattr(cohort, "Processes", InThisProcess)
        monkeypatch.setattr(cohort, "analyze_one", analysed)
        keys = ["a1", "b2", "c3"]
        studies = Studies(
            [lambda key=key: Study(key, (), input_sha256=f"sha-{key}") for key in keys],
            entries=[Entry(key, f"sha-{key}", f"Zanzibar/{key}") for key in keys],
        )
        place = Place(tmp_path / "out", Path("shown"), overwrite)
        return analyze_cohort(studies, [configuration] * 3, place, **more)

    return running


def table(tmp_path: Path, name: str = "cohort.csv") -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO((tmp_path / "out" / name).read_text("utf-8"))))


def test_one_bad_study_stops_no_other_and_its_row_says_why(run, tmp_path):
    outcomes = run(fails={"b2": ConfigurationError("no heart")}, kills=(2,))
    assert [bool(one.error) for one in outcomes] == [False, True, True]
    good, bad, killed = table(tmp_path)
    assert (good["LVEF"], good["LVEF_low"], good["LVEF_high"]) == ("60.0", "59.0", "61.0")
    assert (good["model"], good["opencmr_version"], good["error"]) == ("m@1", "9.9", "")
    assert (bad["error"], bad["LVEF"]) == ("no heart", "")
    assert "memory" in killed["error"]
    assert sorted(path.name for path in (tmp_path / "out").iterdir() if path.is_dir()) == ["a1"]


def test_the_message_of_a_foreign_failure_is_not_told(run, tmp_path):
    lines = []
    run(fails={"a1": ValueError("Zanzibar"), "b2": PermissionError("Zanzibar")}, tell=lines.append)
    assert "Zanzibar" not in (tmp_path / "out" / "cohort.csv").read_text() + "".join(lines)


def test_what_is_finished_is_not_done_again_and_tells_the_same(run, tmp_path):
    run(kills=(1,))
    before = (tmp_path / "out" / "a1" / "run.json").stat().st_mtime_ns
    run()
    assert InThisProcess.asked == [1]
    assert (tmp_path / "out" / "a1" / "run.json").stat().st_mtime_ns == before
    whole = (tmp_path / "out" / "cohort.csv").read_bytes()
    run()
    assert InThisProcess.asked == []
    assert (tmp_path / "out" / "cohort.csv").read_bytes() == whole
    run(overwrite=True)
    assert InThisProcess.asked == [0, 1, 2]


@pytest.mark.parametrize(
    ("other", "named"),
    [
        (Configuration(model="m@1"), "--model (then newest that fits, now m@1)"),
        (Configuration(spacing_mm=(8.0, 1.0, 1.0)), "--spacing"),
        (
            Configuration(demographics=Demographics(height_cm=170.0)),
            "--height-cm (then not given, now given)",
        ),
    ],
)
def test_a_result_made_otherwise_is_neither_taken_nor_replaced(run, tmp_path, other, named):
    run()
    kept = (tmp_path / "out" / "a1" / "run.json").read_bytes()
    outcomes = run(configuration=other)
    assert all("--overwrite" in one.error and named in one.error for one in outcomes)
    assert all("170" not in one.error for one in outcomes)
    assert (tmp_path / "out" / "a1" / "run.json").read_bytes() == kept
    assert not any(one.error for one in run(configuration=other, overwrite=True))


@pytest.mark.parametrize("error", [ModelError("no model"), StorageError(28, "full")])
def test_what_every_study_would_fail_of_stops_the_run_and_keeps_the_finished(run, tmp_path, error):
    with pytest.raises(type(error)):
        run(fails={"b2": error})
    assert (tmp_path / "out" / "a1" / "run.json").exists()
    assert not (tmp_path / "out" / "cohort.csv").exists()
    run()
    assert InThisProcess.asked == [1, 2]


def test_labels_and_inputs_stand_where_they_may(run, tmp_path):
    lines = []
    labels, inputs = ["Anna", "=1+1", "Cleo"], [f"in/Zanzibar/{n}" for n in range(3)]
    run(labels=labels, inputs=inputs, tell=lines.append)
    assert [one["label"] for one in table(tmp_path)] == ["Anna", "'=1+1", "Cleo"]
    assert [one["input"] for one in table(tmp_path, "key.csv")] == inputs
    for path in (tmp_path / "out").rglob("*"):
        text = path.read_text("utf-8") if path.is_file() else ""
        assert ("Anna" in text) == (path.name in ("cohort.csv", "cohort.html")), path.name
        assert ("Zanzibar" in text) == (path.name == "key.csv"), path.name
    assert "Anna" not in "".join(lines)


def test_a_table_that_was_changed_is_not_replaced(run, tmp_path):
    run()
    (tmp_path / "out" / "cohort.csv").write_text("mine")
    with pytest.raises(ConfigurationError, match="changed"):
        run(overwrite=True)
    assert (tmp_path / "out" / "cohort.csv").read_text() == "mine"


def test_the_folder_of_one_study_does_not_become_a_cohort(run, tmp_path):
    result(tmp_path / "out", "k")
    with pytest.raises(ConfigurationError, match="one study"):
        run(overwrite=True)


def test_progress_counts_studies_and_lines_tell_which_and_how_long(run):
    seen, lines = [], []
    run(progress=lambda *step: seen.append(step), tell=lines.append)
    assert list(dict.fromkeys(seen)) == [("studies", n, 3) for n in range(4)]
    assert len(seen) > 4  # it is drawn while nothing comes
    assert lines[0].startswith("study 1 of 3, a1: done; about ")
    assert lines[-1] == "study 3 of 3, c3: done"


def test_a_whole_cohort_is_an_earlier_result_that_one_study_may_replace(run, tmp_path):
    run()
    record = json.loads((tmp_path / "out" / "run.json").read_bytes())
    assert record["studies"] == 3
    assert {one["path"] for one in record["files"]} == {"cohort.csv", "key.csv", "cohort.html"}
    with storage.result_folder(tmp_path / "out", overwrite=True) as new:
        (new / "other").write_text("new")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["other"]


def test_networks_of_processes_share_the_cores(run, monkeypatch):
    asked = []
    monkeypatch.setattr(cohort, "usable_cores", lambda: 8)
    monkeypatch.setattr(
        cohort, "Networks", lambda threads, **_: asked.append(threads) or Networks()
    )
    for jobs in (1, 3, 20):
        run(jobs=jobs)
    assert asked == [8, 2, 1]
    assert Done().remarks == ()
