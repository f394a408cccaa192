"""RT Structure Sets: which regions are of the heart, and which contours cannot be meant."""

import io
import struct
from pathlib import Path

import numpy as np
import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.uid import ImplicitVRLittleEndian

from opencmr.anatomy.reasons import reason_of
from opencmr.anatomy.structures import ACDC, EMIDEC, Structure
from opencmr.errors import ConfigurationError, GeometryError, InputError, OpencmrError
from opencmr.imaging.given_outlines import EPICARDIUM, GivenOutlines, Region
from opencmr.imaging.image import Instance
from opencmr.intake.dicom.given import read_given_objects
from opencmr.intake.dicom.structure_sets import MOST_POINTS
from opencmr.storage import sha256_of
from tests.structure_sets import Roi, circle, saved, structure_set

LV, RV, WALL = Region(Structure.LV), Region(Structure.RV), Region(Structure.MYOCARDIUM)
PICTURE = Instance("1.4", "1.2.3.4.1", 1)
RING = np.column_stack([circle((10, 20), 8), np.full(60, -3.5)])


def drawn(*names: str, **words: object) -> list[Roi]:
    return [Roi(name, [(RING, [PICTURE])], **words) for name in names]


def read(dataset: Dataset, folder: Path) -> GivenOutlines:
    return read_given_objects(saved(dataset, folder / "rs.dcm"), author="A. Reader")


@pytest.mark.parametrize(
    ("name", "region"),
    [
        ("LV", LV),
        ("lv_endo", LV),
        ("Endo", LV),
        ("LV Endocardium", LV),
        ("saendocardialContour", LV),
        ("left ventricle", LV),
        ("LV-endo ES", LV),
        ("epi", EPICARDIUM),
        ("LVEpi", EPICARDIUM),
        ("LV epicardium", EPICARDIUM),
        ("Left ventricular epicardial contour", EPICARDIUM),
        ("Myocardium", WALL),
        ("LV myocardium", WALL),
        ("right ventricle", RV),
        ("RV_ENDO", RV),
        ("no-reflow", Region(Structure.NO_REFLOW)),
        ("Linker Ventrikel", LV),
        ("Endokard LV", LV),
        ("Cavité du VG", LV),
        ("Endocardio VI", LV),
        ("Épicarde VG", EPICARDIUM),
        ("Epikard", EPICARDIUM),
        ("Linksventrikuläres Myokard", WALL),
        ("Miocardio del ventrículo izquierdo", WALL),
        ("ventricule droit", RV),
        ("Ventrículo derecho", RV),
        ("Narbe", Region(Structure.SCAR)),
        ("cicatrice", Region(Structure.SCAR)),
        ("RV epicardium", None),
        ("Épicarde VD", None),
        ("VI", None),
        ("Liver", None),
        ("", None),
    ],
)
def test_a_region_is_known_by_the_names_that_programs_write(name, region, tmp_path) -> None:
    rois = [*drawn(name), *drawn("LA", "LV blood pool" if region != LV else "myo")]
    found = read(structure_set(*rois), tmp_path)
    assert {one.roi: one.region for one in found.drawn}.get("1") == region
    (flag,) = found.remarks
    assert flag.code == "CONTOURS_UNREAD"
    assert flag.evidence == ("ROI 1, 2" if region is None else "ROI 2")


def test_a_code_says_what_a_name_does_not_and_a_contradiction_is_refused(tmp_path) -> None:
    (coded,) = drawn("Structure 7", code=("53085002", "SCT"))
    assert read(structure_set(coded), tmp_path).drawn[0].region == RV
    # The code of the left ventricle stands for the whole organ too.
    (outer,) = drawn("LV epi", code=("87878005", "SCT"))
    assert read(structure_set(outer), tmp_path).drawn[0].region == EPICARDIUM
    (confused,) = drawn("RV", code=("87878005", "SCT"))
    with pytest.raises(InputError, match="ROI 1 is coded as LV and named as RV"):
        read(structure_set(confused), tmp_path)


def test_who_drew_it_and_what_made_it_are_kept(tmp_path) -> None:
    found = read(structure_set(*drawn("LV", "epi"), *drawn("LA", made="AUTOMATIC")), tmp_path)
    assert (found.author.text, found.derived_from, found.scheme) == ("A. Reader", None, ACDC)
    found = read(structure_set(*drawn("LV"), *drawn("scar", made="AUTOMATIC")), tmp_path)
    assert (found.derived_from, found.scheme) == ("Contourer", EMIDEC)
    with pytest.raises(ConfigurationError, match="needs a name"):
        read_given_objects(tmp_path / "rs.dcm", author=" ")
    both = read(structure_set(*drawn("RV"), *drawn("scar", made="AUTOMATIC")), tmp_path)
    with pytest.raises(InputError, match="scar and the right ventricle"):
        _ = both.scheme
    right = both.of_these(both.drawn[:1])
    assert (right.scheme, right.derived_from, both.derived_from) == (ACDC, None, "Contourer")


def test_points_are_exactly_those_of_the_file(tmp_path) -> None:
    (one,) = read(structure_set(*drawn("LV")), tmp_path).drawn
    assert one.points_mm == pytest.approx(RING, abs=1e-8)
    assert (one.pictures, one.frame_of_reference_uid) == ((("1.2.3.4.1", None),), "1.2.3.9")


def test_points_and_open_contours_are_left_out_and_told(tmp_path) -> None:
    rois = [*drawn("LV"), *drawn("RV", kind="POINT"), *drawn("epi", kind="OPEN_PLANAR")]
    found = read(structure_set(*rois), tmp_path)
    assert [one.roi for one in found.drawn] == ["1"]
    assert [flag.evidence for flag in found.remarks] == ["2 of ROI 2, 3"]
    with pytest.raises(InputError, match="no closed contour"):
        read(structure_set(*drawn("LV", kind="POINT")), tmp_path)


def test_without_a_known_region_the_names_are_not_repeated(tmp_path) -> None:
    with pytest.raises(InputError, match="LV, MYO, RV") as told:
        read(structure_set(*drawn("Lovelace^Ada")), tmp_path)
    assert "Lovelace" not in str(told.value)


def with_data(data: bytes):
    def spoil(item: Dataset) -> None:
        item[0x30060050] = DataElement(0x30060050, "OB", data)
        del item.NumberOfContourPoints

    return spoil


def of_two_points(item: Dataset) -> None:
    item.ContourData, item.NumberOfContourPoints = ["0", "0", "0", "9", "0", "0"] * 9, 18


def miscounted(item: Dataset) -> None:
    item.NumberOfContourPoints = 7


def without_points(item: Dataset) -> None:
    del item.ContourData


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (of_two_points, "2 different points; expected at least 3"),
        (miscounted, "60 points and states 7"),
        (without_points, "no points"),
        (with_data(b""), "no numbers"),
        (with_data(b"1\\2\\3\\4"), "4 coordinates, which are no triples"),
        (with_data(b"1\\2\\3\\nan\\2\\3\\4\\5\\6 "), "no numbers"),
        (with_data(b"1\\2\\3\\inf\\2\\3\\4\\5\\6 "), "no numbers"),
        (with_data(b"1\\2\\3\\1_0\\2\\3\\4\\5\\6 "), "no numbers"),
        (with_data(b"1\\2\\3\\\\2\\3\\4\\5\\6"), "no numbers"),
        (with_data(b"1\\2\\3\\1,5\\2\\3\\4\\5\\6 "), "no numbers"),
        (with_data(b"1\\2\\3\\1e999\\2\\3\\4\\5\\6"), "more than 10 m away"),
        (with_data(b"1\\2\\3\\1e300\\2\\3\\4\\5\\6"), "more than 10 m away"),
        (with_data(b"\xff\xfe\\2\\3\\1\\2\\3\\4\\5\\6"), "no numbers"),
        (with_data(b"\\".join([b"1.5"] * 3_000_000) + b" "), f"more than {MOST_POINTS} points"),
    ],
)
def test_points_that_cannot_be_meant_are_refused_by_what_is_wrong(spoil, words, tmp_path) -> None:
    dataset = structure_set(*drawn("epi", "LV"))
    spoil(dataset.ROIContourSequence[1].ContourSequence[0])
    with pytest.raises(GeometryError, match=f"a contour of ROI 2 has .*{words}"):
        read(dataset, tmp_path)


def without_regions(dataset: Dataset) -> None:
    del dataset.StructureSetROISequence


def without_contours(dataset: Dataset) -> None:
    del dataset.ROIContourSequence


def with_a_region_twice(dataset: Dataset) -> None:
    dataset.StructureSetROISequence[1].ROINumber = 1


def of_an_unlisted_region(dataset: Dataset) -> None:
    dataset.ROIContourSequence[1].ReferencedROINumber = 9


def with_a_picture_without_name(dataset: Dataset) -> None:
    image = dataset.ROIContourSequence[1].ContourSequence[0].ContourImageSequence[0]
    del image.ReferencedSOPInstanceUID


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (without_regions, "PS3.3 C.8.8.5"),
        (without_contours, "PS3.3 C.8.8.5"),
        (with_a_region_twice, "describes ROI 1 twice"),
        (of_an_unlisted_region, "ROI 9, which the Structure Set does not list"),
        (with_a_picture_without_name, "PS3.3 C.8.8.5"),
    ],
)
def test_a_spoilt_object_is_refused_by_what_is_wrong(spoil, words, tmp_path) -> None:
    dataset = structure_set(*drawn("LV", "epi"))
    spoil(dataset)
    with pytest.raises(InputError, match=words):
        read(dataset, tmp_path)


def test_deep_nesting_is_refused(tmp_path) -> None:
    dataset = structure_set(*drawn("LV"))
    inner = dataset
    for _ in range(60):
        inner.RTReferencedStudySequence = [Dataset()]
        inner = inner.RTReferencedStudySequence[0]
    with pytest.raises(InputError, match="NESTING"):
        read(dataset, tmp_path)


@pytest.fixture(scope="module")
def encodings() -> dict[str, bytes]:
    """One object with sequences of known and of unknown length, explicit and implicit."""
    found = {}
    for undefined in (False, True):
        for implicit in (False, True):
            dataset = structure_set(*drawn("LV", "epi"))
            waiting = [dataset]
            while waiting:
                for element in waiting.pop():
                    if element.VR == "SQ":
                        element.is_undefined_length = undefined
                        for item in element.value:
                            item.is_undefined_length_sequence_item = undefined
                            waiting.append(item)
            buffer = io.BytesIO()
            dataset.file_meta = pydicom.dataset.FileMetaDataset()
            syntax = ImplicitVRLittleEndian if implicit else pydicom.uid.ExplicitVRLittleEndian
            dataset.file_meta.TransferSyntaxUID = syntax
            dataset.save_as(buffer, enforce_file_format=True)
            found[f"{undefined} {implicit}"] = buffer.getvalue()
    return found


@settings(max_examples=150)
@given(data=st.data())
def test_a_file_that_is_cut_anywhere_loses_no_contour_silently(
    data, encodings, tmp_path_factory
) -> None:
    whole = encodings[data.draw(st.sampled_from(sorted(encodings)))]
    length = data.draw(st.integers(0, len(whole) - 1))
    path = tmp_path_factory.mktemp("cut") / "rs.dcm"
    path.write_bytes(whole[:length])
    try:
        found = read_given_objects(path, author="r")
    except OpencmrError:
        return
    # Only what follows the contours may be missing.
    assert [len(one.points_mm) for one in found.drawn] == [60, 60]


@settings(max_examples=150)
@given(data=st.data())
def test_damaged_bytes_end_in_a_refusal_or_in_outlines(data, encodings, tmp_path_factory) -> None:
    whole = bytearray(encodings[data.draw(st.sampled_from(sorted(encodings)))])
    for _ in range(data.draw(st.integers(1, 8))):
        whole[data.draw(st.integers(132, len(whole) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.mktemp("hurt") / "rs.dcm"
    path.write_bytes(whole)
    try:
        found = read_given_objects(path, author="r")
    except OpencmrError:
        return
    assert all(np.isfinite(one.points_mm).all() for one in found.drawn)


def test_a_contour_longer_than_its_file_is_no_surprise(tmp_path) -> None:
    path = saved(structure_set(*drawn("LV")), tmp_path / "rs.dcm")
    data = path.read_bytes()
    at = data.index(struct.pack("<HH", 0x3006, 0x0050))
    path.write_bytes(data[: at + 6] + b"\xfe\xff" + data[at + 8 :])
    with pytest.raises((InputError, GeometryError)):
        read_given_objects(path, author="r")


def test_the_structure_sets_of_a_folder_are_taken_together(tmp_path) -> None:
    one = saved(structure_set(*drawn("LV"), series="1.5"), tmp_path / "rs.dcm")
    (tmp_path / "note.txt").write_text("for the reader")
    alone = read_given_objects(tmp_path, author="r")
    assert [outline.roi for outline in alone.drawn] == ["1"]
    assert read_given_objects(one, author="r").sha256 == alone.sha256 == sha256_of(one)
    made = drawn("RV", "liver", made="AUTOMATIC")
    (tmp_path / "more").mkdir()
    saved(structure_set(*made, series="1.6"), tmp_path / "more" / "rs.dcm")
    both = read_given_objects(tmp_path, author="r")
    found = {outline.roi: outline.region for outline in both.drawn}
    assert found == {"1 of rs.dcm": LV, "1 of more/rs.dcm": RV}
    assert both.series_uids == {"1.5", "1.6"}
    assert both.derived_from == "Contourer"
    assert both.sha256 not in ("", alone.sha256)
    (flag,) = both.remarks
    assert sha256_of(tmp_path / "more" / "rs.dcm")[:12] in flag.evidence
    assert "more" not in flag.evidence


def test_a_spoilt_one_of_several_is_named_and_keeps_its_reason(tmp_path) -> None:
    saved(structure_set(*drawn("LV")), tmp_path / "rs.dcm")
    dataset = structure_set(*drawn("RV"))
    without_points(dataset.ROIContourSequence[0].ContourSequence[0])
    saved(dataset, tmp_path / "spoilt.dcm")
    with pytest.raises(GeometryError, match=r"spoilt\.dcm") as told:
        read_given_objects(tmp_path, author="r")
    assert reason_of(told.value).code == "BAD_CONTOUR"


def test_structure_sets_beside_segmentations_are_refused(tmp_path) -> None:
    saved(structure_set(*drawn("LV")), tmp_path / "rs.dcm")
    seg = Dataset()
    seg.SOPClassUID, seg.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.66.4", "1.2.3.99"
    seg.PixelData = b"\0\0"
    seg["PixelData"].VR = "OB"
    saved(seg, tmp_path / "seg.dcm")
    with pytest.raises(InputError, match="Segmentations and RT Structure Sets"):
        read_given_objects(tmp_path, author="r")
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(InputError, match=r"holds no .*\(SEG\) or .*\(RTSTRUCT\)"):
        read_given_objects(empty, author="r")


def test_the_reason_stands_in_the_table(tmp_path) -> None:
    dataset = structure_set(*drawn("LV"))
    without_points(dataset.ROIContourSequence[0].ContourSequence[0])
    with pytest.raises(GeometryError) as told:
        read(dataset, tmp_path)
    assert reason_of(told.value).code == "BAD_CONTOUR"
