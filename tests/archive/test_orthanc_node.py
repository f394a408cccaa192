"""The node as it is used: Orthanc sends a study, the real analysis runs, the results come back."""

from collections import Counter
from pathlib import Path
from typing import Any

import highdicom
import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom.uid import SecondaryCaptureImageStorage, SegmentationStorage

PREAMBLE_BYTES = 132
GROUP_LENGTH_BYTES = 12


@pytest.fixture(scope="module")
def said(in_network_with_orthanc, tmp_path_factory) -> tuple[dict[str, Any], Path]:
    """What Orthanc held and the node did at each step, and the folder of it all."""
    work = tmp_path_factory.mktemp("node")
    return in_network_with_orthanc("tests.archive.orthanc_node", work), work


def results_of(work: Path) -> dict[str, Path]:
    """Return the objects of the one result of the node, by UID."""
    (folder,) = (work / "node" / "results").glob("*/*")
    return by_uid(folder / "dicom")


def by_uid(folder: Path) -> dict[str, Path]:
    """Return the DICOM files of a folder."""
    return {str(pydicom.dcmread(path).SOPInstanceUID): path for path in folder.glob("*.dcm")}


def dataset_bytes(path: Path) -> bytes:
    """Return a file without what each keeper writes anew: its file meta information."""
    meta = pydicom.filereader.read_file_meta_info(path)
    head = PREAMBLE_BYTES + GROUP_LENGTH_BYTES + meta.FileMetaInformationGroupLength
    return path.read_bytes()[head:]


def test_results_of_the_real_analysis_arrive_in_the_study_that_was_sent(said):
    steps, work = said
    pictures = by_uid(work / "phantom")
    before, after = steps["before"], steps["after"]
    assert {uid for _, _, uid in before} == set(pictures)
    assert len({study for study, _, _ in after}) == 1
    came = [one for one in after if one not in before]
    assert {uid for _, _, uid in came} == set(results_of(work))
    kinds = Counter(modality for _, modality, _ in came)
    assert kinds["SEG"] == 6  # end-diastole and end-systole of the stack and of two long axes
    assert kinds["SR"] == kinds["DOC"] == 1
    assert kinds["OT"] > 1  # the pages


def test_the_result_counts_as_delivered_when_orthanc_has_committed_itself(said):
    steps, work = said
    number = len(steps["before"])
    done = {"jobs": ["done"], "deliveries": ["done"], "confirmations": ["done"]}
    assert steps["rows"] == {**done, "studies": [[number, number]]}
    assert steps["status"] == 0
    log = (work / "node.log").read_text()
    assert "keeps them safe" in log
    assert steps["after"][0][0] not in log


def test_by_dicomweb_they_come_back_byte_for_byte(said):
    _, work = said
    back = by_uid(work / "from-web")
    for uid, path in results_of(work).items():
        assert dataset_bytes(back[uid]) == dataset_bytes(path), path.name


CAVITY, WALL = "87878005", "49848007"
"""SNOMED CT codes of the left ventricle and of its myocardium."""
COLOURS = {1: (230, 60, 60), 2: (60, 200, 90), 3: (70, 130, 240)}


def over(picture: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Return a picture ``(Y, X, 3) uint8``, and beside it the same with its segments in colour."""
    grey = np.clip(picture / np.percentile(picture, 99.5), 0, 1) * 255
    bare = np.repeat(grey[..., None], 3, axis=2)
    coloured = bare.copy()
    for number, colour in COLOURS.items():
        coloured[mask == number] = 0.55 * bare[mask == number] + 0.45 * np.array(colour)
    return np.hstack([bare, coloured]).astype(np.uint8)


def contrast(pictures: list[np.ndarray], masks: np.ndarray, cavity: int, wall: int) -> float:
    """Return how much brighter the cavity is than the wall, in the wall's brightness."""
    values = np.stack(pictures)
    return float(values[masks == cavity].mean() / values[masks == wall].mean())


def test_others_draw_the_masks_over_the_pictures_that_came_back_with_them(said, record_property):
    """highdicom reads the masks, pydicom the pixels, and Pillow draws: nothing of ours is asked.

    Blood is bright and muscle dark; masks that are mirrored or shifted lose that.
    """
    _, work = said
    back = by_uid(work / "from-web")
    for path in sorted(back.values()):
        if pydicom.dcmread(path).SOPClassUID != SegmentationStorage:
            continue
        seg = highdicom.seg.segread(path)
        uids = [uid for _, _, uid in seg.get_source_image_uids()]
        masks = seg.get_pixels_by_source_instance(uids, combine_segments=True)
        pictures = [pydicom.dcmread(back[uid]).pixel_array.astype(float) for uid in uids]
        numbers = {
            one.SegmentedPropertyTypeCodeSequence[0].CodeValue: int(one.SegmentNumber)
            for one in seg.SegmentSequence
        }
        segments = numbers[CAVITY], numbers[WALL]
        true = contrast(pictures, masks, *segments)
        assert true > 1.5
        for spoilt in (
            masks[:, ::-1],
            masks[:, :, ::-1],
            np.roll(masks, 6, 1),
            np.roll(masks, 6, 2),
        ):
            assert contrast(pictures, spoilt, *segments) < 0.9 * true
        largest = int(np.argmax((masks > 0).sum((1, 2))))
        drawn = work / f"{path.stem}_over_image.png"
        Image.fromarray(over(pictures[largest], masks[largest])).save(drawn)
        record_property("picture", str(drawn))


def test_by_c_get_they_come_back_whole_the_pages_uncompressed(said):
    _, work = said
    back = by_uid(work / "from-get")
    for uid, path in results_of(work).items():
        if pydicom.dcmread(path).SOPClassUID != SecondaryCaptureImageStorage:
            assert dataset_bytes(back[uid]) == dataset_bytes(path), path.name
            continue
        ours, theirs = pydicom.dcmread(path), pydicom.dcmread(back[uid])
        assert (theirs.pixel_array == ours.pixel_array).all()
        for one in (ours, theirs):
            del one.PixelData
        assert theirs == ours


def test_the_same_study_again_is_neither_analysed_nor_sent_again(said):
    steps, _ = said
    assert steps["after again"] == steps["after"]
    assert steps["rows again"] == steps["rows"]
