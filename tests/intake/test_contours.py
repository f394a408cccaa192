"""Polygon files become contours, or the error names the image and never the file."""

from pathlib import Path

import numpy as np
import pytest

from opencmr.errors import ConfigurationError, GeometryError, InputError
from opencmr.imaging.given_contours import Surface
from opencmr.intake.contours import read_contours

TRIANGLE = "1.0 1.0\n5.0 1.0\n5.0 3.50\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "DOE-JANE"
    (place / "i-contours").mkdir(parents=True)
    (place / "o-contours").mkdir()
    return place


def write(folder: Path, number: int, text: str = TRIANGLE, letter: str = "i") -> Path:
    path = folder / f"{letter}-contours" / f"IM-0001-{number:04d}-{letter}contour-manual.txt"
    path.write_text(text)
    return path


def test_x_is_the_column_and_one_is_the_first_pixel(folder: Path) -> None:
    write(folder, 59)
    write(folder, 7, letter="o")
    read = read_contours(folder, author="A. Reader")
    epi, endo = read.contours
    assert (epi.image_number, epi.surface) == (7, Surface.EPICARDIUM)
    assert (endo.image_number, endo.surface) == (59, Surface.ENDOCARDIUM)
    np.testing.assert_array_equal(endo.points, [[0, 0], [0, 4], [2.5, 4]])
    assert read.author.name == "A. Reader"
    assert not read.remarks


def test_the_hash_follows_what_the_files_hold(folder: Path) -> None:
    write(folder, 59)
    before = read_contours(folder, author="r").sha256
    assert read_contours(folder / "i-contours", author="r").sha256 == before
    write(folder, 59, TRIANGLE.replace("5.0 1.0", "5.5 1.0"))
    assert read_contours(folder, author="r").sha256 != before


@pytest.mark.parametrize(
    ("text", "error", "said"),
    [
        ("1 1\n5 1\n", GeometryError, "2 different points; expected at least 3"),
        ("1 1\n5 1\n1 1\n5 1\n", GeometryError, "2 different points"),
        ("", GeometryError, "0 different points"),
        ("1 1\nDOE JANE\n5 1\n", InputError, "line 2: expected two numbers"),
        ("1 1\n5 1 3\n5 5\n", InputError, "line 2: expected two numbers"),
        ("1 1\n5 inf\n5 5\n", GeometryError, "line 2: the numbers are not finite"),
        ("nan 1\n5 1\n5 5\n", GeometryError, "line 1: the numbers are not finite"),
        ("1,5 1,5\n5 1\n5 5\n", InputError, "line 1: expected two numbers"),
        ("\x00\x01\xff", InputError, "line 1: expected two numbers"),
        ("1 1\n" * 300_000, InputError, "more than 1 MiB"),
    ],
)
def test_a_file_that_is_no_polygon_is_refused_by_its_images_number(
    folder: Path, text: str, error: type[Exception], said: str
) -> None:
    write(folder, 59, text)
    with pytest.raises(error) as refused:
        read_contours(folder, author="r")
    assert str(refused.value).startswith("the endocardial contour of image 59")
    assert said in str(refused.value)
    assert "DOE" not in str(refused.value)


def test_two_files_of_one_image_and_surface_are_refused(folder: Path) -> None:
    path = write(folder, 59)
    path.with_name("IM-0001-0059-icontour-auto.txt").write_text(TRIANGLE)
    with pytest.raises(InputError, match="two files hold the endocardial contour of image 59"):
        read_contours(folder, author="r")


def test_files_of_other_names_are_counted_and_not_read(folder: Path) -> None:
    write(folder, 59)
    (folder / "IM-0001-0059-p1contour-manual.txt").write_text("no polygon")
    (folder / "P01-0080-icontour-manual.txt").write_text(TRIANGLE)  # of the right ventricle
    (folder / "i-contours" / "IM-0001-0060-icontour-manual.txt").symlink_to("/etc/passwd")
    (flag,) = read_contours(folder, author="r").remarks
    assert (flag.code, flag.evidence) == ("CONTOURS_UNREAD", "2 files")


def test_a_folder_without_contours_and_a_file_are_refused(folder: Path) -> None:
    with pytest.raises(InputError, match="holds none; expected files named as of Sunnybrook"):
        read_contours(folder, author="r")
    with pytest.raises(ConfigurationError, match="no folder"):
        read_contours(write(folder, 1), author="r")
    with pytest.raises(ConfigurationError, match="needs a name"):
        read_contours(folder, author=" ")
