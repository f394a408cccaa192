"""The round trip with an archive that others wrote: Orthanc, in a network of its own."""

import json
from pathlib import Path
from typing import Any

import pydicom
import pytest

from .conftest import STUDY, instance

ROUND_TRIP = "tests.archive.orthanc_round_trip"


@pytest.fixture(scope="module")
def said(in_network_with_orthanc, tmp_path_factory) -> tuple[dict[str, Any], Path]:
    """What each command said and left, and the folder of it all."""
    work = tmp_path_factory.mktemp("orthanc")
    for name, numbers in (("pictures", range(5)), ("result", range(5, 7))):
        (work / name).mkdir()
        for number in numbers:
            (work / name / f"{number}.dcm").write_bytes(instance(number))
    words = (work / "pictures", work / "result", work, STUDY)
    return in_network_with_orthanc(ROUND_TRIP, *words), work


def of(said, step: str) -> Any:
    outcome = said[0][step]
    assert outcome["status"] == 0, (step, outcome)
    return json.loads(outcome["out"]) if outcome["out"].startswith(("[", "{")) else outcome


def test_it_answers_and_says_who_is_wrong(said):
    of(said, "echo web")
    of(said, "echo get")
    assert said[0]["echo wrong"]["status"] == 1
    assert "(401)" in said[0]["echo wrong"]["err"]
    assert said[0]["echo stranger"]["status"] == 1
    assert "NOBODY" in said[0]["echo stranger"]["err"]
    assert of(said, "nothing yet") == []
    assert said[0]["fetch nothing"]["status"] == 4


def test_everything_is_stored_and_what_is_sent_twice_is_stored_once(said):
    assert of(said, "store") == {"stored": 5, "failures": []}
    for step in ("stow", "stow again", "store again"):
        assert of(said, step) == {"stored": 2, "failures": []}
    for peer in ("web", "get", "move"):
        (study,) = of(said, f"find {peer}")
        assert study["study_instance_uid"] == STUDY
        assert study["instances"] == 7
        assert study["patient_name"] == "Secret^Name"
    assert of(said, "find by modality") == []


def test_a_result_of_the_node_is_delivered_when_orthanc_has_committed_itself(said):
    assert said[0]["node"] == ["done", "done"]


@pytest.mark.parametrize("peer", ["web", "get", "move"])
def test_what_was_stored_comes_back_whole(said, peer):
    of(said, f"fetch {peer}")
    work = said[1]
    sent = {d.SOPInstanceUID: d for d in map(pydicom.dcmread, work.glob("*/[0-9].dcm"))}
    back = {d.SOPInstanceUID: d for d in map(pydicom.dcmread, (work / f"from-{peer}").iterdir())}
    assert len(sent) == 7
    assert back == sent
    assert (work / f"from-{peer}").stat().st_mode & 0o077 == 0
