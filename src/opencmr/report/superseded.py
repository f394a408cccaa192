"""Which measurement reports a new result supersedes, as the ``dicom/sr.dcm`` before it says.

A line of documents, newest first: that report, then those that it names as its predecessors.
Where a result that was superseded is made again, it has its UID again, and what stands behind it
in the line are the predecessors that it named before.  So the same result names the same
predecessors whenever it is made, and no two reports name each other (ADR 0041).
"""

import re
import stat
import warnings
from collections.abc import Iterator, Sequence
from io import BytesIO
from pathlib import Path

from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import ComprehensiveSRStorage

from opencmr.imaging.image import Instance
from opencmr.report.dicom_study import FOLDER, MADE_BY

REPORT_FILE = f"{FOLDER}/sr.dcm"
LARGEST_BYTES = 64 << 20
UUID_FORM = re.compile(r"2\.25\.(0|[1-9]\d{0,38})", re.ASCII)


def superseded_reports(result: Path | None, study_uid: str) -> tuple[Instance, ...]:
    """Return the measurement reports that another result of a study supersedes, newest first.

    Parameters
    ----------
    result : Path or None
        Folder of the earlier result; it may hold none, or be absent.
    study_uid : str
        StudyInstanceUID of the new result.

    Returns
    -------
    tuple of Instance
        Empty where there is no report of this study made by opencmr, or none that can be read: an
        earlier result is no reason to have no new one.
    """
    if result is None:
        return ()
    try:
        path = result / REPORT_FILE
        facts = path.stat()
        if not stat.S_ISREG(facts.st_mode) or facts.st_size > LARGEST_BYTES:
            return ()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # they quote values
            found = tuple(_line(dcmread(BytesIO(path.read_bytes()))))
    except Exception:  # whatever a damaged file makes of a reader
        return ()
    return found if all(_is_ours(one, study_uid) for one in found) else ()


def predecessors_of(uid: str, superseded: Sequence[Instance]) -> tuple[Instance, ...]:
    """Return what a report of the SOP instance ``uid`` names, out of a line that it joins.

    >>> line = [Instance("1.2", uid, 1) for uid in ("1.3", "1.4", "1.5")]
    >>> [one.sop_instance_uid for one in predecessors_of("1.4", line)]
    ['1.5']
    """
    uids = [one.sop_instance_uid for one in superseded]
    return tuple(superseded[uids.index(uid) + 1 :] if uid in uids else superseded)


def _line(d: Dataset) -> Iterator[Instance]:
    """Yield a report of ours and the predecessors that it names (PS3.3 C.17.2)."""
    if (d.Manufacturer, d.ManufacturerModelName) != (MADE_BY, MADE_BY):
        return
    yield _instance(d.StudyInstanceUID, d.SeriesInstanceUID, d.SOPClassUID, d.SOPInstanceUID)
    for study in d.get("PredecessorDocumentsSequence", ()):
        for series in study.ReferencedSeriesSequence:
            for one in series.ReferencedSOPSequence:
                yield _instance(
                    study.StudyInstanceUID,
                    series.SeriesInstanceUID,
                    one.ReferencedSOPClassUID,
                    one.ReferencedSOPInstanceUID,
                )


def _instance(study: str, series: str, sop_class: str, sop_instance: str) -> Instance:
    return Instance(str(sop_class), str(sop_instance), 1, str(series), str(study))


def _is_ours(one: Instance, study_uid: str) -> bool:
    """Whether it can be a measurement report of ours, of a study."""
    uids = one.series_instance_uid, one.sop_instance_uid
    is_report = one.sop_class_uid == ComprehensiveSRStorage
    return is_report and one.study_instance_uid == study_uid and all(map(_is_uuid, uids))


def _is_uuid(uid: str) -> bool:
    """Whether a UID holds a UUID, as ours do (PS3.5 B.2)."""
    return bool(UUID_FORM.fullmatch(uid)) and int(uid.removeprefix("2.25.")) < 1 << 128
