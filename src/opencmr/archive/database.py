"""The index and the queue: which instances are kept, and what became of each study.

Plain SQL through SQLAlchemy: SQLite beside the files by default; nothing here is SQLite's own but
the settings of a new connection.  What queries are answered from holds patients' names, as the
files beside it do: a SQLite file is its owner's alone to read.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Any

from sqlalchemy import (
    Boolean,
    Column,
    Connection,
    Engine,
    ForeignKey,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    create_engine,
    event,
)
from sqlalchemy.exc import DBAPIError

from opencmr.archive.query_keys import Level, keys_of
from opencmr.errors import StorageError

UID_LENGTH = 64
"""PS3.5 section 9.1."""
BUSY_S = 30.0
"""How long a transaction waits for another one's."""


class JobState(StrEnum):
    """What became of the analysis of a study as it was at one count of instances."""

    RUNNING = "running"
    PUT_BACK = "put back"
    DONE = "done"
    FAILED = "failed"
    OVERTAKEN = "overtaken"
    SUPERSEDED = "superseded"


class SendState(StrEnum):
    """What became of something that is to be sent."""

    WAITING = "waiting"
    ASKED = "asked"
    """Stored there, and its destination is asked to commit itself."""
    DONE = "done"
    FAILED = "failed"
    SUPERSEDED = "superseded"


METADATA = MetaData()
INSTANCES = Table(
    "instances",
    METADATA,
    Column("sop_instance_uid", String(UID_LENGTH), primary_key=True),
    Column("sop_class_uid", String(UID_LENGTH), nullable=False),
    Column("study_instance_uid", String(UID_LENGTH), nullable=False, index=True),
    Column("dataset_sha256", String(64), nullable=False),
    Column("path", String(128), nullable=False, unique=True),
)
"""Each row is a whole file that was acknowledged; ``path`` is below the folder of the store."""
CONFLICTS = Table(
    "conflicts",
    METADATA,
    Column("path", String(160), primary_key=True),
    Column("sop_instance_uid", String(UID_LENGTH), nullable=False),
    Column("study_instance_uid", String(UID_LENGTH), nullable=False),
)
"""Files of instances whose UID was kept already with other content: refused, and kept beside it."""
STUDIES = Table(
    "studies",
    METADATA,
    Column("study_instance_uid", String(UID_LENGTH), primary_key=True),
    Column("instances", Integer, nullable=False),
    Column("settled", Integer, nullable=False),
)
"""``settled``: of how many instances the last ended job was; fewer than there are, and the study
waits.  A conflict in a study counts as one more.  The count only grows, so that with the study it
names what was analysed."""
JOBS = Table(
    "jobs",
    METADATA,
    Column("job", Integer, primary_key=True),
    Column("study_instance_uid", ForeignKey("studies.study_instance_uid"), nullable=False),
    Column("instances", Integer, nullable=False),
    Column("state", String(16), nullable=False),
    Column("leased_by", String(32)),
    Column("lost", Integer, nullable=False),
    Column("reason", Text, nullable=False),
    Column("supersedes", ForeignKey("jobs.job")),
    UniqueConstraint("study_instance_uid", "instances"),
)
"""``lost``: how often the process of this analysis died.  ``reason``: why there is no result, or
what the study lacked of the expected instances."""
DELIVERIES = Table(
    "deliveries",
    METADATA,
    Column("job", ForeignKey("jobs.job"), primary_key=True),
    Column("destination", String(300), primary_key=True),
    Column("state", String(16), nullable=False),
    Column("attempts", Integer, nullable=False),
)
COMMITMENTS = Table(
    "commitments",
    METADATA,
    Column("transaction_uid", String(UID_LENGTH), primary_key=True),
    Column("calling_aet", String(16), primary_key=True),
    Column("asked", Text, nullable=False),
    Column("state", String(16), nullable=False),
    Column("attempts", Integer, nullable=False),
)
"""``asked``: JSON, a list of (SOP class UID, SOP instance UID)."""


CONFIRMATIONS = Table(
    "confirmations",
    METADATA,
    Column("transaction_uid", String(UID_LENGTH), primary_key=True),
    Column("job", ForeignKey("jobs.job"), nullable=False),
    Column("destination", String(300), nullable=False),
    Column("asked", Text, nullable=False),
    Column("state", String(16), nullable=False),
)
"""Whether a delivery is safe, as its destination was asked; ``asked``: JSON, SOP instance UIDs."""


def _columns(level: Level, *primary: str) -> list[Column[Any]]:
    return [
        Column(key.keyword, String(key.length), primary_key=key.keyword in primary, nullable=False)
        for key in keys_of(level)
    ]


FOUND_STUDIES = Table("found_studies", METADATA, *_columns(Level.STUDY, "StudyInstanceUID"))
FOUND_SERIES = Table(
    "found_series",
    METADATA,
    Column("StudyInstanceUID", String(UID_LENGTH), primary_key=True),
    *_columns(Level.SERIES, "SeriesInstanceUID"),
)
FOUND_IMAGES = Table(
    "found_images",
    METADATA,
    *_columns(Level.IMAGE, "SOPInstanceUID"),
    Column("SeriesInstanceUID", String(UID_LENGTH), nullable=False),
    Column("StudyInstanceUID", String(UID_LENGTH), nullable=False, index=True),
    Column("path", String(160), nullable=False, unique=True),
    Column("is_there", Boolean, nullable=False),
)
"""What queries are answered from: heads of the instances and of the objects of valid results;
columns are keywords of PS3.6.  ``path`` is below the node's folder; ``is_there``: whether there was
such a file when the node was started, or later."""


class Database:
    """Transactions on the tables, each durable when it ends.

    Parameters
    ----------
    url : str
        As SQLAlchemy reads it.

    Raises
    ------
    StorageError
        When it cannot be opened.
    """

    def __init__(self, url: str) -> None:
        self._engine = create_engine(url)
        if self._engine.dialect.name == "sqlite":
            _settle_sqlite(self._engine)
            _keep_from_others(self._engine.url.database)
        try:
            METADATA.create_all(self._engine)
        except DBAPIError as error:
            raise StorageError(
                "the index cannot be opened: it is damaged, or of another program; restore it "
                "from a copy, or name another folder"
            ) from error

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """Yield a connection; what was done on it is durable after the block, or undone by it."""
        with self._engine.begin() as connection:
            yield connection

    def close(self) -> None:
        """Close every connection."""
        self._engine.dispose()


def _keep_from_others(path: str | None) -> None:
    """Let nobody but its owner read a file of SQLite, and so what it makes beside it."""
    if path is None or path in ("", ":memory:"):
        return
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        Path(path).chmod(0o600)
    except OSError:
        raise StorageError(
            "the index cannot be opened; may this user write in the folder?"
        ) from None


def _settle_sqlite(engine: Engine) -> None:
    """Make commits durable over a loss of power, and transactions wait for one another."""

    @event.listens_for(engine, "connect")
    def _(connection: Any, _record: object) -> None:
        # SQLAlchemy begins transactions itself, below.
        connection.isolation_level = None
        cursor = connection.cursor()
        cursor.execute(f"PRAGMA busy_timeout = {BUSY_S * 1000:.0f}")
        cursor.execute("PRAGMA journal_mode = WAL")
        cursor.execute("PRAGMA synchronous = FULL")
        cursor.execute("PRAGMA foreign_keys = ON")
        cursor.close()

    @event.listens_for(engine, "begin")
    def _(connection: Connection) -> None:
        # A transaction that first reads and then writes would fail, not wait, beside another.
        connection.exec_driver_sql("BEGIN IMMEDIATE")
