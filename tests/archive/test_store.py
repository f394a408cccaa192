"""Instances on disk: whole, once, under names that nobody chose."""

import stat
import threading
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom import dcmread
from sqlalchemy import select

from opencmr import storage
from opencmr.archive import store as store_module
from opencmr.archive.database import INSTANCES, STUDIES, Database
from opencmr.archive.names import UID_FORM
from opencmr.archive.result_places import RESULT_OBJECTS
from opencmr.archive.store import OURS, NotKeptError, Received, Store
from opencmr.intake.studies import read_studies
from opencmr.report import dicom_study
from opencmr.simulate import HeartParameters, Protocol, simulate_study, write_dicom

from .senders import STUDY, as_received, instance, received

SMALL = 1 << 20


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = Database(f"sqlite:///{tmp_path / 'node.db'}")
    yield opened
    opened.close()


@pytest.fixture
def store(tmp_path: Path, database: Database) -> Iterator[Store]:
    opened = Store(tmp_path, database, least_free_bytes=SMALL)
    yield opened
    opened.close()


def counts(database: Database) -> dict[str, int]:
    with database.transaction() as connection:
        rows = connection.execute(select(STUDIES.c.study_instance_uid, STUDIES.c.instances))
        return {row[0]: row[1] for row in rows}


def files_below(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def test_an_instance_is_kept_whole_for_its_owner_alone_with_an_empty_preamble(
    store: Store, database: Database, tmp_path: Path
) -> None:
    assert store.keep(received(7, text="as it came"))
    (path,) = files_below(tmp_path / "instances")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.read_bytes()[:132] == bytes(128) + b"DICM"
    assert path.read_bytes().endswith(received(7, text="as it came").dataset)
    read = dcmread(path)
    assert (read.SeriesDescription, read.SOPInstanceUID) == ("as it came", f"{STUDY}.1.7")
    assert read.file_meta.MediaStorageSOPInstanceUID == read.SOPInstanceUID
    assert counts(database) == {STUDY: 1}
    assert files_below(tmp_path / "incoming") == []


def test_the_same_again_counts_once_and_another_of_the_same_uid_is_refused(
    store: Store, database: Database, tmp_path: Path
) -> None:
    assert store.keep(received(1))
    assert not store.keep(received(1))
    with pytest.raises(NotKeptError) as refused:
        store.keep(received(1, text="other"))
    assert refused.value.status == store_module.UID_CONFLICT
    with pytest.raises(NotKeptError):
        store.keep(received(1, text="other"))  # is not kept twice
    # The study has changed: it is analysed again, with both.
    assert counts(database) == {STUDY: 2}
    kept = files_below(store.files_of(STUDY))
    assert sorted(dcmread(path).SeriesDescription for path in kept) == ["", "other"]
    assert store.holds(str(received(1).sop_class_uid), received(1).sop_instance_uid)
    store.close()
    again = Store(tmp_path, database, least_free_bytes=SMALL)
    assert files_below(again.files_of(STUDY)) == kept
    assert again.quarantined == 0
    again.close()


def test_two_contents_of_one_uid_that_come_at_once_are_both_kept(
    store: Store, database: Database
) -> None:
    outcomes: list[object] = []

    def write(text: str) -> None:
        try:
            outcomes.append(store.keep(received(1, text=text)))
        except NotKeptError as refused:
            outcomes.append(refused.status)

    writers = [threading.Thread(target=write, args=(text,)) for text in "abbb"]
    for one in writers:
        one.start()
    for one in writers:
        one.join()
    assert outcomes.count(True) == 1
    assert counts(database) == {STUDY: 2}
    assert len(files_below(store.files_of(STUDY))) == 2


def test_an_instance_of_two_studies_goes_to_quarantine_and_counts_in_neither(
    store: Store, database: Database, tmp_path: Path
) -> None:
    assert store.keep(received(1))
    other = instance(1)
    other.StudyInstanceUID = "1.2.3"
    for _ in range(2):
        with pytest.raises(NotKeptError):
            store.keep(as_received(other))
    assert counts(database) == {STUDY: 1}
    (path,) = files_below(tmp_path / "quarantine")
    assert dcmread(path).StudyInstanceUID == "1.2.3"


def test_the_analysis_leaves_out_both_contents_of_one_uid_and_says_so(
    store: Store, tmp_path: Path
) -> None:
    protocol = replace(Protocol(), pixel_mm=4.0, rows=64, columns=64, phases=4)
    write_dicom(simulate_study(HeartParameters(seed=3), protocol=protocol), tmp_path / "sent")
    sent = [dcmread(path) for path in sorted((tmp_path / "sent").rglob("*.dcm"))]
    changed = deepcopy(sent[0])
    changed.PixelData = bytes(reversed(changed.PixelData))
    for d in sent:
        assert store.keep(as_received(d))
    with pytest.raises(NotKeptError):
        store.keep(as_received(changed))
    with read_studies(store.files_of(str(sent[0].StudyInstanceUID))) as studies:
        (study,) = studies
        assert "UID_CONFLICT" in {flag.code for flag in study.flags}


def test_a_result_that_comes_back_is_kept_and_is_no_reason_to_analyse_again(
    store: Store, database: Database
) -> None:
    """As it was sent, and as an archive may change it."""
    assert store.keep(received(1))
    d = instance(2, STUDY)
    d.ManufacturerModelName = OURS
    assert store.keep(as_received(d))
    d.PatientID = "coerced"
    with pytest.raises(NotKeptError):
        store.keep(as_received(d))
    assert counts(database) == {STUDY: 1}
    assert len(files_below(store.files_of(STUDY))) == 3


def test_ten_writers_of_one_study_lose_nothing(
    store: Store, database: Database, tmp_path: Path
) -> None:
    new: list[bool] = []

    def write() -> None:
        new.extend(store.keep(received(number)) for number in range(20))

    writers = [threading.Thread(target=write) for _ in range(10)]
    for one in writers:
        one.start()
    for one in writers:
        one.join()
    assert len(new) == 200
    assert new.count(True) == 20
    assert counts(database) == {STUDY: 20}
    assert len(files_below(tmp_path / "instances")) == 20


@pytest.mark.parametrize(
    ("one", "status"),
    [
        (received(1, sop_instance_uid="../../x"), store_module.CANNOT_UNDERSTAND),
        (received(1, sop_instance_uid="/etc/x\0"), store_module.CANNOT_UNDERSTAND),
        (received(1, sop_instance_uid="1.2.3"), store_module.DOES_NOT_MATCH),
        (received(1, sop_class_uid="1.2.3"), store_module.DOES_NOT_MATCH),
        (received(1, study="../../x"), store_module.CANNOT_UNDERSTAND),
        (received(1, study=""), store_module.CANNOT_UNDERSTAND),
        (Received("1.2", "1.2.3", "1.2.840.10008.1.2.1", b""), store_module.DOES_NOT_MATCH),
        (
            Received(
                "1.2",
                "1.2.3",
                "1.2.840.10008.1.2",
                b"\x08\x00\x15\x11\xff\xff\xff\xff\xfe\xff\x00\xe0\xff\xff\xff\xff" * 3000,
            ),
            store_module.CANNOT_UNDERSTAND,
        ),
    ],
)
@pytest.mark.filterwarnings("ignore:Invalid value for VR UI")
def test_what_is_not_what_it_is_said_to_be_leaves_nothing(
    one: Received, status: int, store: Store, tmp_path: Path
) -> None:
    with pytest.raises(NotKeptError) as refused:
        store.keep(one)
    assert refused.value.status == status
    assert files_below(tmp_path / "instances") == files_below(tmp_path / "incoming") == []


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
@given(st.binary(max_size=200), st.text(max_size=70))
def test_no_bytes_and_no_uid_write_outside(
    store: Store, tmp_path: Path, dataset: bytes, uid: str
) -> None:
    with pytest.raises(NotKeptError):
        store.keep(Received("1.2.3", uid, "1.2.840.10008.1.2.1", dataset))
    assert files_below(tmp_path / "instances") == []


def test_a_disk_nearly_full_refuses_and_recovers_by_itself(
    tmp_path: Path, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(tmp_path, database, least_free_bytes=1 << 60)
    with pytest.raises(NotKeptError) as refused:
        store.keep(received(1))
    assert refused.value.status == store_module.OUT_OF_RESOURCES
    monkeypatch.setattr(store, "_least_free_bytes", SMALL)
    assert store.keep(received(1))
    store.close()


@pytest.mark.parametrize(
    ("number", "status", "next_works"),
    [(28, store_module.OUT_OF_RESOURCES, True), (5, store_module.NOT_STORED, False)],
)
def test_a_failed_flush_is_never_success_and_after_an_input_error_nothing_is_believed(
    number: int,
    status: int,
    next_works: bool,
    store: Store,
    database: Database,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(_descriptor: int) -> None:
        raise OSError(number, "planted")

    with monkeypatch.context() as planted:
        planted.setattr(store_module.os, "fsync", fail)
        with pytest.raises(NotKeptError) as refused:
            store.keep(received(1))
    assert refused.value.status == status
    assert counts(database) == {}
    if next_works:
        assert store.keep(received(1))
    else:
        with pytest.raises(NotKeptError, match="start the node again"):
            store.keep(received(1))


def test_what_a_crash_left_is_swept_and_what_was_never_acknowledged_is_set_apart(
    tmp_path: Path, database: Database
) -> None:
    store = Store(tmp_path, database, least_free_bytes=SMALL)
    store.keep(received(1))
    store.close()
    (kept,) = files_below(tmp_path / "instances")
    (tmp_path / "incoming" / "a.part").write_bytes(b"half")
    kept.with_name("orphan.dcm").write_bytes(b"moved, and no row")
    again = Store(tmp_path, database, least_free_bytes=SMALL)
    assert again.quarantined == 1
    assert files_below(tmp_path / "instances") == [kept]
    assert files_below(tmp_path / "incoming") == []
    assert [one.read_bytes() for one in files_below(tmp_path / "quarantine")] == [
        b"moved, and no row"
    ]
    again.close()


def test_the_index_is_durable_over_a_loss_of_power(database: Database) -> None:
    with database.transaction() as connection:
        mode = connection.exec_driver_sql("PRAGMA journal_mode").scalar()
        synchronous = connection.exec_driver_sql("PRAGMA synchronous").scalar()
    assert (mode, synchronous) == ("wal", 2)


def test_the_index_names_every_file_and_is_its_owners_alone_to_read(
    store: Store, database: Database
) -> None:
    store.keep(received(3))
    with database.transaction() as connection:
        (row,) = connection.execute(select(INSTANCES)).all()
    assert (store.folder / row.path).is_file()
    assert row.dataset_sha256 == storage.sha256_of_bytes(received(3).dataset)
    files = list(store.folder.glob("node.db*"))  # queries by name are answered from it
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}


def test_a_uid_and_the_place_of_objects_are_what_the_report_says() -> None:
    assert UID_FORM.pattern == dicom_study.UID_PATTERN.pattern
    assert UID_FORM.flags == dicom_study.UID_PATTERN.flags
    assert RESULT_OBJECTS == dicom_study.FOLDER
    assert OURS == dicom_study.MADE_BY
