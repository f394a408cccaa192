"""The index: completed from what an earlier version kept, results beside what was received."""

import shutil
import sqlite3
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from pydicom.dataset import Dataset
from sqlalchemy import insert

from opencmr.archive import index
from opencmr.archive.database import JOBS, STUDIES, Database, JobState
from opencmr.archive.index import Index, heads_of, replace_result
from opencmr.archive.matching import Query
from opencmr.archive.query_keys import Level
from opencmr.archive.result_places import result_of
from opencmr.archive.store import Store
from opencmr.archive.worker import Worker

from .senders import STUDY, as_received, instance

EVERY = Query({})
TABLES = ("found_studies", "found_series", "found_images")


class Kept:
    """A node's store and index that can be stopped and started."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.start()

    def start(self) -> None:
        self.database = Database(f"sqlite:///{self.folder / 'node.db'}")
        self.store = Store(self.folder, self.database, least_free_bytes=1 << 20)
        self.told: list[str] = []
        self.index = Index(self.database, self.folder, self.told.append)
        assert self.index.is_complete(60)

    def stop(self) -> None:
        self.index.stop()
        self.store.close()
        self.database.close()

    def again(self) -> None:
        self.stop()
        self.start()

    def count(self) -> int:
        rows = self.index.found(Level.STUDY, EVERY)
        return sum(int(row["NumberOfStudyRelatedInstances"]) for row in rows)

    def write_result(self, instances: int, *uids: str) -> None:
        objects = self.folder / result_of(STUDY, instances) / "dicom"
        objects.mkdir(parents=True)
        for uid in uids:
            result(uid).save_as(objects / f"{uid}.dcm", enforce_file_format=True)


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Kept]:
    found = Kept(tmp_path)
    yield found
    found.stop()


def result(uid: str) -> Dataset:
    d = instance(1, STUDY)
    d.SOPInstanceUID = d.file_meta.MediaStorageSOPInstanceUID = uid
    d.file_meta.MediaStorageSOPClassUID = d.SOPClassUID
    d.SeriesInstanceUID, d.Modality = f"{STUDY}.900", "SR"
    return d


def modalities(kept: Kept) -> list[str]:
    return [row["ModalitiesInStudy"] for row in kept.index.found(Level.STUDY, EVERY)]


def test_a_data_base_of_an_earlier_version_loses_nothing_and_can_be_asked(
    kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(index, "BATCH", 4)
    for number in range(10):
        kept.store.keep(as_received(instance(number, STUDY)))
    kept.stop()
    file = sqlite3.connect(kept.folder / "node.db")
    rows = file.execute("SELECT * FROM instances ORDER BY 1").fetchall()
    for table in TABLES:
        file.execute(f"DROP TABLE {table}")
    file.commit()
    file.close()
    kept.start()
    file = sqlite3.connect(kept.folder / "node.db")
    assert file.execute("SELECT * FROM instances ORDER BY 1").fetchall() == rows
    file.close()
    assert kept.count() == 10
    (study,) = kept.index.found(Level.STUDY, Query({"PatientName": "canary*"}))
    assert (study["PatientID"], study["ModalitiesInStudy"]) == ("CANARY-ID", "MR")
    kept.again()
    assert kept.count() == 10
    assert kept.told == []


def test_files_that_were_deleted_while_the_node_was_stopped_are_not_found(kept: Kept) -> None:
    for number in range(3):
        kept.store.keep(as_received(instance(number, STUDY)))
    kept.store.keep(as_received(instance(1, "1.2.3")))
    first = sorted(kept.store.files_of(STUDY).glob("*.dcm"))[0]
    content = first.read_bytes()
    first.unlink()
    shutil.rmtree(kept.store.files_of("1.2.3"))
    kept.again()
    assert kept.count() == 2
    assert [row["StudyInstanceUID"] for row in kept.index.found(Level.STUDY, EVERY)] == [STUDY]
    first.write_bytes(content)  # from a copy
    kept.again()
    assert kept.count() == 3


def test_a_file_that_nobody_can_read_is_found_by_the_uids_of_its_acknowledgement(
    kept: Kept,
) -> None:
    kept.store.keep(as_received(instance(1, STUDY)))
    (path,) = kept.store.files_of(STUDY).glob("*.dcm")
    path.write_bytes(b"no DICOM")
    with kept.database.transaction() as connection:
        for table in TABLES:
            connection.exec_driver_sql(f"DELETE FROM {table}")
    kept.again()
    (held,) = kept.index.held(Level.STUDY, Query({"StudyInstanceUID": STUDY}))
    assert held.sop_instance_uid == f"{STUDY}.1.1"


def test_the_valid_result_of_a_study_is_found_beside_what_was_received(kept: Kept) -> None:
    kept.store.keep(as_received(instance(1, STUDY)))
    kept.write_result(1, "1.2.5", "1.2.6")
    job = {"study_instance_uid": STUDY, "instances": 1, "state": JobState.DONE}
    with kept.database.transaction() as connection:
        connection.execute(insert(JOBS).values(**job, lost=0, reason=""))
    kept.again()  # one of an earlier version
    assert (kept.count(), modalities(kept)) == (3, ["MR\\SR"])
    kept.write_result(2, "1.2.7")
    with kept.database.transaction() as connection:
        replace_result(connection, STUDY, heads_of(kept.folder, result_of(STUDY, 2)))
    held = kept.index.held(Level.STUDY, Query({"StudyInstanceUID": STUDY}))
    assert {one.sop_instance_uid for one in held} == {f"{STUDY}.1.1", "1.2.7"}


def test_a_result_that_an_archive_sends_back_is_there_once_and_stays(kept: Kept) -> None:
    kept.store.keep(as_received(instance(1, STUDY)))
    kept.write_result(1, "1.2.5")
    with kept.database.transaction() as connection:
        replace_result(connection, STUDY, heads_of(kept.folder, result_of(STUDY, 1)))
    assert kept.count() == 2
    kept.store.keep(as_received(result("1.2.5")))
    assert kept.count() == 2
    with kept.database.transaction() as connection:
        replace_result(connection, STUDY, [])
    assert kept.count() == 2


class Analysis:
    """Writes one object."""

    def __call__(self, source: Path, place: Path, supersedes: Path | None) -> str:
        objects = place / "dicom"
        objects.mkdir(parents=True)
        result("1.2.5").save_as(objects / "sr.dcm", enforce_file_format=True)
        (place / "run.json").write_text("{}")
        return ""


def test_a_result_can_be_found_when_its_analysis_has_ended(kept: Kept) -> None:
    kept.store.keep(as_received(instance(1, STUDY)))
    worker = Worker(kept.database, kept.store, Analysis(), quiet_s=0.1)
    until = time.monotonic() + 60
    while kept.count() < 2 and time.monotonic() < until:
        time.sleep(0.1)
    worker.stop()
    assert modalities(kept) == ["MR\\SR"]
    with kept.database.transaction() as connection:
        (study,) = connection.execute(STUDIES.select()).all()
    assert study.settled == 1


@pytest.mark.filterwarnings("ignore:Invalid value for VR")
def test_a_hostile_head_is_kept_and_shows_what_is_legal_of_it(kept: Kept) -> None:
    raw = as_received(instance(1, STUDY)).dataset
    d = instance(1, STUDY)
    changed = {
        b"CANARY^NAME ": b"\x1b$B\x07\xff^NAME\\ ",
        b"CANARY-ID ": b"\xff\x00\x1b[31mX ",
    }
    for old, new in changed.items():
        assert len(new) <= len(old) or old not in raw
        raw = raw.replace(old, new.ljust(len(old)))
    assert kept.store.keep(replace(as_received(d), dataset=raw))
    (row,) = kept.index.found(Level.STUDY, EVERY)
    assert not any(letter < " " for value in row.values() for letter in value)
    assert row["StudyDate"] == ""
