"""Every scanner's series of an input: its header, its files, and why some were left out."""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from opencmr.anatomy.reasons import Reason
from opencmr.imaging.flag import LeftOut
from opencmr.imaging.study import (
    Identity,
    ScannerSeries,
    SeriesHeader,
    number_or_last,
    short_hash,
)
from opencmr.intake.dicom.frame import Frame
from opencmr.intake.refusal import Refusal
from opencmr.intake.stacks.assemble import misplaced


@dataclass(frozen=True, slots=True)
class ListedSeries:
    """One scanner's series and the files whose pictures were read, in the order of the input."""

    series: ScannerSeries
    files: tuple[Path, ...] = field(repr=False)


@dataclass(slots=True)
class _Entry:
    header: SeriesHeader
    identity: Identity
    files: list[Path] = field(default_factory=list)
    instances: int = 0
    reasons: Counter[Reason] = field(default_factory=Counter)


class Listing:
    """A list of series that is being made."""

    def __init__(self) -> None:
        self._dicom: dict[tuple[str, str], _Entry] = {}
        self._nifti: list[tuple[str, Path]] = []

    def add(self, path: Path, frames: tuple[Frame, ...]) -> None:
        """Take a file whose pictures, or whose header, were read."""
        first = frames[0]
        entry = self._entry(
            first.study_instance_uid, first.series_instance_uid, first.header, first.identity
        )
        entry.files.append(path)
        entry.instances += 1
        problem = misplaced(first)
        if problem is not None:
            entry.reasons[problem.reason] += 1

    def refuse(self, refusal: Refusal) -> None:
        """Take a file that was refused, where its header could be read."""
        uids = refusal.study_instance_uid, refusal.series_instance_uid
        if not uids[1]:
            return
        entry = self._entry(*uids, refusal.header, refusal.identity)
        entry.instances += 1
        entry.reasons[refusal.reason] += 1

    def refuse_study(self, study_uid: str, reason: Reason) -> None:
        """Say of every series of a study why none of it is used."""
        for (uid, _), entry in self._dicom.items():
            if uid == study_uid:
                entry.reasons[reason] += len(entry.files)
                entry.files.clear()

    def add_nifti(self, sha256: str, path: Path) -> None:
        """Take a NIfTI picture."""
        self._nifti.append((sha256, path))

    def rows(self, keys: dict[str, str]) -> tuple[ListedSeries, ...]:
        """Return the series in the order of study, number and UID.

        Parameters
        ----------
        keys : dict from study UID, or hash of a NIfTI file, to the key of its study
        """
        found = [
            ListedSeries(
                ScannerSeries(
                    uid,
                    study_uid,
                    keys.get(study_uid) or short_hash(study_uid),
                    entry.header,
                    entry.identity,
                    entry.instances,
                    tuple(
                        LeftOut("file", reason, count) for reason, count in entry.reasons.items()
                    ),
                ),
                tuple(entry.files),
            )
            for (study_uid, uid), entry in self._dicom.items()
        ]
        found.sort(key=lambda one: _order(one.series))
        files: dict[str, list[Path]] = {}
        for sha256, path in self._nifti:
            files.setdefault(keys[sha256], []).append(path)
        nothing = SeriesHeader(), Identity()
        pictures = [
            ListedSeries(ScannerSeries("", "", key, *nothing, len(paths)), tuple(paths))
            for key, paths in sorted(files.items())
        ]
        return (*found, *pictures)

    def _entry(self, study_uid: str, uid: str, header: SeriesHeader, identity: Identity) -> _Entry:
        return self._dicom.setdefault((study_uid, uid), _Entry(header, identity))


def _order(one: ScannerSeries) -> tuple[str, int, str, str]:
    number = number_or_last(one.header.series_number)
    return one.study_key, number, one.header.series_time, one.uid
