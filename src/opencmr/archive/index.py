"""What the node holds, as it can be asked for: received instances and objects of valid results.

An instance is in the index with its acknowledgement, in one transaction; a result with the end of
its analysis.  What an earlier version kept without its head is read when the node starts.
"""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, Row, Table, delete, func, insert, select, update

from opencmr.archive.database import (
    FOUND_IMAGES,
    FOUND_SERIES,
    FOUND_STUDIES,
    INSTANCES,
    JOBS,
    Database,
    JobState,
)
from opencmr.archive.heads import Head, read_head_of_file
from opencmr.archive.matching import Query
from opencmr.archive.query_keys import (
    KEYS,
    MODALITIES_IN_STUDY,
    UNIQUE_KEYS,
    Level,
    down_to,
    keys_of,
)
from opencmr.archive.result_places import RESULTS, objects_of, result_of

BATCH = 256
"""Rows of one statement or transaction at most."""
AGAIN_S = 30.0
"""After a failure of the disk the index is completed again so much later."""
Values = dict[str, str]
Located = tuple[Head, str]
"""A head, and the path of its file below the node's folder."""
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Held:
    """An object that can be sent: its UID and its file, which may be gone meanwhile."""

    sop_instance_uid: str
    path: Path


class Index:
    """Answers what is held; completes itself in a thread of its own when the node starts.

    Parameters
    ----------
    database : Database
    folder : Path
        Of the node.
    tell : callable
        Given lines for people, without identifiers.
    """

    def __init__(
        self, database: Database, folder: Path, tell: Callable[[str], None] = lambda _: None
    ) -> None:
        self._database = database
        self._folder = folder
        self._tell = tell
        self._is_stopped = threading.Event()
        self._is_complete = threading.Event()
        self._thread = threading.Thread(target=self._complete, name="index", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Complete nothing more."""
        self._is_stopped.set()
        self._thread.join()

    def is_complete(self, patience_s: float) -> bool:
        """Whether all that is kept is in the index, at once or within so many seconds."""
        return self._is_complete.wait(patience_s)

    def found(self, level: Level, query: Query) -> list[Values]:
        """Return what matches a query, from keyword to value for each thing of its level."""
        rows = self._studies(query)
        if level is not Level.STUDY:
            rows = [one for study in rows for one in self._series(study, query)]
        if level is Level.IMAGE:
            rows = [one for series in rows for one in self._images(series, query)]
        return rows

    def held(self, level: Level, query: Query) -> list[Held]:
        """Return the objects of what a query names by UIDs, in order of series and number."""
        images = FOUND_IMAGES.c
        uids = {name: query.uids(name) for name in map(UNIQUE_KEYS.get, down_to(level)) if name}
        rows: list[Values] = []
        for some in _batches(sorted(uids["StudyInstanceUID"])):
            of_studies = select(FOUND_IMAGES).where(
                images.StudyInstanceUID.in_(some), images.is_there
            )
            with self._database.transaction() as connection:
                found = map(_plain, connection.execute(of_studies))
                rows += [one for one in found if all(one[name] in uids[name] for name in uids)]
        rows.sort(key=_place)
        return [Held(one["SOPInstanceUID"], self._folder / one["path"]) for one in rows]

    def _studies(self, query: Query) -> list[Values]:
        uids = sorted(query.uids("StudyInstanceUID"))
        some_of = [FOUND_STUDIES.c.StudyInstanceUID.in_(some) for some in _batches(uids)]
        every = select(FOUND_STUDIES).order_by(FOUND_STUDIES.c.StudyInstanceUID)
        rows: list[Values] = []
        for one in [every.where(some) for some in some_of] or [every]:
            with self._database.transaction() as connection:
                rows += filter(query.matches, map(_plain, connection.execute(one)))
        known: list[Values] = []
        for batch in _batches(rows):  # others may write in between
            with self._database.transaction() as connection:
                about = _about_studies(connection, [row["StudyInstanceUID"] for row in batch])
            there = [row for row in batch if row["StudyInstanceUID"] in about]
            known += [row | about[row["StudyInstanceUID"]] for row in there]
        return [row for row in known if query.matches(row)]

    def _series(self, study: Values, query: Query) -> list[Values]:
        uid = study["StudyInstanceUID"]
        of_study = select(FOUND_SERIES).where(FOUND_SERIES.c.StudyInstanceUID == uid)
        with self._database.transaction() as connection:
            counts = _counts(connection, [uid])[uid]
            found = list(map(_plain, connection.execute(of_study)))
        rows = [
            study | one | {"NumberOfSeriesRelatedInstances": str(counts[one["SeriesInstanceUID"]])}
            for one in found
            if one["SeriesInstanceUID"] in counts
        ]
        return sorted(filter(query.matches, rows), key=_place)

    def _images(self, series: Values, query: Query) -> list[Values]:
        images = FOUND_IMAGES.c
        of_series = select(*(images[key.keyword] for key in keys_of(Level.IMAGE))).where(
            images.StudyInstanceUID == series["StudyInstanceUID"],
            images.SeriesInstanceUID == series["SeriesInstanceUID"],
            images.is_there,
        )
        with self._database.transaction() as connection:
            rows = [series | _plain(found) for found in connection.execute(of_series)]
        return sorted(filter(query.matches, rows), key=_place)

    # The thread that completes the index -----------------------------------------------------

    def _complete(self) -> None:
        while not self._is_stopped.is_set():
            try:
                self._read_what_is_missing()
            except Exception as error:  # the disk may be full: look again, and say so
                self._tell(f"the index: unexpected failure ({type(error).__name__}); trying again")
                self._is_stopped.wait(AGAIN_S)
                continue
            if not self._is_stopped.is_set():
                self._is_complete.set()
            return

    def _read_what_is_missing(self) -> None:
        """Read the heads of what was kept without them, and note which files are gone."""
        images = FOUND_IMAGES.c
        with self._database.transaction() as connection:
            paths = connection.execute(select(images.path, images.is_there))
            known: dict[str, bool] = {row.path: row.is_there for row in paths}
            kept = connection.execute(select(INSTANCES)).all()
            jobs = connection.execute(select(JOBS).where(JOBS.c.state == JobState.DONE)).all()
        changed = [path for path, was in known.items() if self._is_there(path) is not was]
        for some in _batches(changed):
            self._write([], {path: not known[path] for path in some})
        for batch in _batches([row for row in kept if row.path not in known]):
            heads = [(_stated(row, self._folder / row.path), row.path) for row in batch]
            gone = {path: False for _, path in heads if not self._is_there(path)}
            self._write(heads, gone)
        for job in jobs:
            result = result_of(job.study_instance_uid, job.instances)
            self._write([one for one in heads_of(self._folder, result) if one[1] not in known], {})

    def _is_there(self, path: str) -> bool:
        return (self._folder / path).is_file()

    def _write(self, heads: Sequence[Located], changed: Mapping[str, bool]) -> None:
        if self._is_stopped.is_set() or not (heads or changed):
            return
        with self._database.transaction() as connection:
            add_heads(connection, heads)
            for path, is_there in changed.items():
                row = update(FOUND_IMAGES).where(FOUND_IMAGES.c.path == path)
                connection.execute(row.values(is_there=is_there))


def heads_of(folder: Path, result: Path) -> list[Located]:
    """Return the heads of a result's objects; ``result`` is below ``folder``."""
    paths = objects_of(folder / result)
    heads = [(read_head_of_file(path), path.relative_to(folder).as_posix()) for path in paths]
    return [(head, path) for head, path in heads if head and head["SOPInstanceUID"]]


def replace_result(
    connection: Connection, study_instance_uid: str, heads: Sequence[Located]
) -> None:
    """Put a result's objects in the place of those of earlier results of its study."""
    images = FOUND_IMAGES.c
    connection.execute(
        delete(FOUND_IMAGES).where(
            images.StudyInstanceUID == study_instance_uid, images.path.startswith(f"{RESULTS}/")
        )
    )
    add_heads(connection, heads)


def add_heads(connection: Connection, heads: Sequence[Located]) -> None:
    """Add objects to the index; one that was received stands before the same one of a result.

    What a study or series says of itself is what its first object said.
    """
    for batch in _batches(heads):
        _add_images(connection, batch)
        rows = [head for head, _ in batch]
        _add_missing(connection, FOUND_STUDIES, ("StudyInstanceUID",), rows)
        _add_missing(connection, FOUND_SERIES, ("StudyInstanceUID", "SeriesInstanceUID"), rows)


def _add_images(connection: Connection, batch: Sequence[Located]) -> None:
    images = FOUND_IMAGES.c
    new = {head["SOPInstanceUID"]: (head, path) for head, path in reversed(batch)}
    query = select(images.SOPInstanceUID, images.path).where(images.SOPInstanceUID.in_(new))
    for uid, path in connection.execute(query).all():
        if path.startswith(f"{RESULTS}/") and not new[uid][1].startswith(f"{RESULTS}/"):
            connection.execute(delete(FOUND_IMAGES).where(images.SOPInstanceUID == uid))
        else:
            del new[uid]
    names = [column.name for column in FOUND_IMAGES.columns if column.name in _KEYWORDS]
    rows: list[dict[str, Any]] = [
        {name: head[name] for name in names} | {"path": path, "is_there": True}
        for head, path in new.values()
    ]
    if rows:
        connection.execute(insert(FOUND_IMAGES), rows)


def _add_missing(
    connection: Connection, table: Table, unique: tuple[str, ...], heads: Sequence[Head]
) -> None:
    new = {tuple(head[name] for name in unique): head for head in reversed(heads)}
    studies = {head["StudyInstanceUID"] for head in heads}
    there = select(*(table.c[name] for name in unique)).where(table.c.StudyInstanceUID.in_(studies))
    for row in connection.execute(there):
        new.pop(tuple(row), None)
    names = table.columns.keys()
    rows = [{name: head[name] for name in names} for head in new.values()]
    if rows:
        connection.execute(insert(table), rows)


def _about_studies(connection: Connection, uids: Sequence[str]) -> dict[str, Values]:
    """Return counts and modalities of those studies of which files are there."""
    counts = _counts(connection, uids)
    series = FOUND_SERIES.c
    of_studies = select(series.StudyInstanceUID, series.SeriesInstanceUID, series.Modality).where(
        series.StudyInstanceUID.in_(uids)
    )
    modalities: dict[str, set[str]] = {uid: set() for uid in counts}
    for uid, series_uid, modality in connection.execute(of_studies):
        if series_uid in counts.get(uid, {}):
            modalities[uid].add(modality)
    return {
        uid: {
            MODALITIES_IN_STUDY: "\\".join(sorted(modalities[uid] - {""})),
            "NumberOfStudyRelatedSeries": str(len(of_study)),
            "NumberOfStudyRelatedInstances": str(sum(of_study.values())),
        }
        for uid, of_study in counts.items()
    }


def _counts(connection: Connection, uids: Sequence[str]) -> dict[str, dict[str, int]]:
    """Return how many objects are there, by study and series."""
    images = FOUND_IMAGES.c
    query = (
        select(images.StudyInstanceUID, images.SeriesInstanceUID, func.count())
        .where(images.StudyInstanceUID.in_(uids), images.is_there)
        .group_by(images.StudyInstanceUID, images.SeriesInstanceUID)
    )
    counts: dict[str, dict[str, int]] = {}
    for uid, series_uid, count in connection.execute(query):
        counts.setdefault(uid, {})[series_uid] = count
    return counts


_KEYWORDS = frozenset(key.keyword for key in KEYS)


def _stated(row: Row[Any], path: Path) -> Head:
    """Return the head of a kept file under the UIDs by which it was acknowledged."""
    head = read_head_of_file(path) or dict.fromkeys(_KEYWORDS, "")
    return head | {
        "SOPInstanceUID": row.sop_instance_uid,
        "SOPClassUID": row.sop_class_uid,
        "StudyInstanceUID": row.study_instance_uid,
    }


def _plain(row: Row[Any]) -> Values:
    return {name: value for name, value in row._mapping.items() if isinstance(value, str)}


def _place(row: Values) -> tuple[int, str, int, str]:
    """Return what things are put in order by: series number, series, instance number, UID."""
    numbers = [int(row.get(name) or 0) for name in ("SeriesNumber", "InstanceNumber")]
    return numbers[0], row["SeriesInstanceUID"], numbers[1], row.get("SOPInstanceUID", "")


def _batches(items: Sequence[T]) -> Iterator[Sequence[T]]:
    for first in range(0, len(items), BATCH):
        yield items[first : first + BATCH]
