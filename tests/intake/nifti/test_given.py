"""Labels that a reader gives, and the JSON file beside them: ours, another's, hostile."""

import json
from pathlib import Path

import nibabel
import numpy as np
import pytest

from opencmr.anatomy.structures import ACDC, MNMS
from opencmr.errors import ConfigurationError, InputError
from opencmr.geometry.grid import grid_from_spacing
from opencmr.intake.nifti.given import read_given_labels
from opencmr.intake.nifti.write import write_labels_nifti
from opencmr.storage import sha256_of

LABELS = np.arange(2 * 3 * 4 * 5, dtype=np.uint8).reshape(2, 3, 4, 5) % 4


@pytest.fixture
def original(tmp_path: Path) -> Path:
    grid = grid_from_spacing((3, 4, 5), (10.0, 1.6, 1.4))
    path, beside = write_labels_nifti(tmp_path / "s01_seg.nii.gz", LABELS, scheme=MNMS, grid=grid)
    told = json.loads(beside.read_text()) | {"author": "net 1.0", "sha256": sha256_of(path)}
    beside.write_text(json.dumps(told))
    return path


@pytest.fixture
def alone(original: Path, tmp_path: Path) -> Path:
    """The same labels with nothing beside them."""
    path = tmp_path / "elsewhere" / "mine.nii.gz"
    path.parent.mkdir()
    path.write_bytes(original.read_bytes())
    return path


def test_the_file_beside_says_convention_and_origin(original: Path) -> None:
    found = read_given_labels(original, author=" A. Reader ")
    assert np.array_equal(found.labels, LABELS)
    assert found.scheme is MNMS
    assert found.author.text == "A. Reader"
    assert found.derived_from == f"net 1.0, SHA-256 {sha256_of(original)}"


def test_labels_alone_are_acdc_of_no_stated_origin(alone: Path) -> None:
    found = read_given_labels(alone, author="reader")
    assert (found.scheme, found.derived_from) == (ACDC, None)
    assert read_given_labels(alone, author="reader", scheme="mnms").scheme is MNMS


def test_the_original_lends_its_convention(alone: Path, original: Path) -> None:
    found = read_given_labels(alone, author="reader", original=original)
    assert found.scheme is MNMS
    assert found.derived_from == f"net 1.0, SHA-256 {sha256_of(original)}"


def test_two_statements_of_the_convention_must_agree(original: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"acdc was asked for, .* mnms"):
        read_given_labels(original, author="reader", scheme="acdc")


def test_nobody_is_no_author(original: Path) -> None:
    with pytest.raises(ConfigurationError, match="author"):
        read_given_labels(original, author=" ")


@pytest.mark.parametrize(
    "text",
    ["", "[1]", "{}", '{"scheme": 3}', "\ud800".encode("utf-8", "surrogatepass"), "[" * 9999],
    ids=["empty", "list", "silent", "number", "no UTF-8", "deep"],
)
def test_a_strange_file_beside_says_nothing(alone: Path, text: str | bytes) -> None:
    beside = alone.with_name("mine.json")
    beside.write_bytes(text if isinstance(text, bytes) else text.encode())
    assert read_given_labels(alone, author="reader").derived_from is None


def test_an_unknown_convention_beside_is_refused(alone: Path) -> None:
    alone.with_name("mine.json").write_text('{"scheme": "theirs"}')
    with pytest.raises(ConfigurationError, match="theirs"):
        read_given_labels(alone, author="reader")


def test_a_picture_is_refused_by_the_name_of_its_file(tmp_path: Path) -> None:
    path = tmp_path / "picture.nii.gz"
    image = nibabel.Nifti1Image(np.full((5, 4, 3), 700, np.int16), np.diag([1.4, 1.6, 10, 1]))
    image.header.set_xyzt_units("mm", "msec")
    nibabel.save(image, path)
    with pytest.raises(InputError, match=r"picture\.nii\.gz: values outside 0 to 255"):
        read_given_labels(path, author="reader")
