"""Where results lie below the node's folder."""

from pathlib import Path

from opencmr.imaging.study import short_hash

RESULTS = "results"
RESULT_OBJECTS = "dicom"
"""Where in a result its DICOM objects lie, as ``report.dicom_study`` says, too."""


def result_of(study_instance_uid: str, instances: int) -> Path:
    """Return the folder of a result below the node's folder."""
    return Path(RESULTS, short_hash(study_instance_uid), f"{instances:06}")


def objects_of(result: Path) -> list[Path]:
    """Return the DICOM objects of a result, in order of name."""
    return sorted((result / RESULT_OBJECTS).glob("*.dcm"))
