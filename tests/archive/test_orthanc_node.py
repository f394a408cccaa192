"""The node as it is used: Orthanc sends a study, the real analysis runs, the results come back."""

from collections import Counter
from pathlib import Path
from typing import Any

import pydicom
import pytest
from pydicom.uid import SecondaryCaptureImageStorage

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
    assert kinds["SEG"] == 2
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
