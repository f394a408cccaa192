"""Labels of a study that came as DICOM: Segmentations, or contours of an RT Structure Set."""

from pathlib import Path

from opencmr.errors import InputError
from opencmr.imaging.given_outlines import GivenOutlines
from opencmr.imaging.given_segments import GivenSegments
from opencmr.intake.dicom.label_objects import STRUCTURE_SETS, is_one_of, objects_in
from opencmr.intake.dicom.segments import segments_of
from opencmr.intake.dicom.structure_sets import outlines_of


def read_given_objects(
    path: Path, *, author: str, series: str | None = None
) -> GivenSegments | GivenOutlines:
    """Read an object, or all of a folder: one for each phase or structure, for instance.

    Parameters
    ----------
    path : Path
    author : str
        Who drew or corrected the labels.
    series : str or None
        Key of the series that they belong to, where the caller knows.

    Raises
    ------
    InputError, GeometryError, ConfigurationError
        As :func:`.segments_of` and :func:`.outlines_of` do, and when there is no object or both
        kinds are there.
    """
    read = objects_in(path)
    sets = [one for one in read if is_one_of(one.dataset, STRUCTURE_SETS)]
    if not sets:
        return segments_of(read, path, author=author, series=series)
    if len(sets) < len(read):
        raise InputError(
            f"{path} holds Segmentations and RT Structure Sets; name the file of one of them"
        )
    return outlines_of(sets, author=author, series=series)
