"""The table of bodies: whose row it is, and errors that name a place and nobody."""

import pytest

from opencmr.errors import ConfigurationError
from opencmr.imaging.study import Demographics
from opencmr.intake.demographics_table import read_demographics
from opencmr.intake.index import Entry


def table(tmp_path, text: str | bytes):
    path = tmp_path / "bodies.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_demographics(path)


PAIR = Entry("k", "", "site/p1", ("site/p1_ed.nii.gz", "site/p1_es.nii.gz"))
DICOM = Entry("k", "", "site/p2/cine", (), "ID-2")


@pytest.mark.parametrize("path", ["site/p1", "site/p1_es.nii.gz", "site", "./site/p1", "site/"])
def test_a_path_is_that_of_the_study_of_a_file_or_of_a_folder_above(tmp_path, path):
    found = table(tmp_path, f"path,height_cm\n{path},184\n").of(PAIR)
    assert found is not None
    assert found.stated == Demographics(height_cm=184.0)


def test_the_nearest_folder_goes_before_one_above_and_a_path_before_an_id(tmp_path):
    text = "path,id,age\nsite,,1\nsite/p2,,2\n,ID-2,3\n,ID-9,4\n"
    found = table(tmp_path, text)
    assert found.of(DICOM).stated.age_years == 2
    assert found.of(Entry("k", "", "other", (), "ID-2")).stated.age_years == 3
    assert found.of(Entry("k", "", "other", (), "")) is None
    assert found.unused([DICOM]) == (2, 4, 5)


def test_spreadsheets_of_europe_write_semicolons_and_commas(tmp_path):
    text = "\ufeffID;Height_cm;Weight_kg;Sex;Age\r\nID-2;184,5;95;f;61\r\n;;;;\r\n"
    assert table(tmp_path, text).of(DICOM).stated == Demographics("F", 61.0, 184.5, 95.0)


def test_empty_cells_state_nothing(tmp_path):
    text = "id,height_cm,weight_kg,sex,age\nID-2,,,,\n"
    assert table(tmp_path, text).of(DICOM).stated == Demographics()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Doe,184\n", "line 1, column number 1"),
        ("id,height_cm,height_cm\n", "line 1, column number 3"),
        ("height_cm\n184\n", "line 1: found neither a column path nor id"),
        ("id,height_cm\nDoe,tall\n", "line 2, column height_cm: found no number"),
        ("id,height_cm\nDoe,1.84\n", "line 2, column height_cm: found a number out of range"),
        ("id,weight_kg\nDoe,-95\n", "line 2, column weight_kg"),
        ("id,weight_kg\nDoe,1e2\n", "line 2, column weight_kg"),
        ("id,age\nDoe,nan\n", "line 2, column age"),
        ("id,sex\nDoe,male\n", "line 2, column sex: found another word, expected M or F"),
        ("id,age\nRoe,1\n\nDoe,2\nDoe,3\n", "line 5, column id: found the same id as in line 4"),
        ("path,age\na/Doe,2\n./a/Doe/,3\n", "line 3, column path"),
        ("id,age\nDoe,2,3\n", "line 2: found 3 cells, expected 2"),
        ("path,id,age\n,,3\n", "line 2: found neither path nor id"),
        ('id,age\n"Doe,3\n', "line 2"),
        ("id,age\n", "no line below"),
        ("", "neither a column path nor id"),
        (b"id,age\nD\xf6e,3\n", "UTF-8"),
    ],
)
def test_an_error_names_line_and_column_and_nobody(tmp_path, text, said):
    with pytest.raises(ConfigurationError) as caught:
        table(tmp_path, text)
    assert said in str(caught.value)
    assert "oe" not in str(caught.value).replace("do not", "")


def test_no_patient_stands_in_a_repr(tmp_path):
    assert "Doe" not in repr(table(tmp_path, "id,path,age\nDoe,Doe,3\n"))
