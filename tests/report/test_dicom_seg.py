"""Labels as DICOM Segmentation: every mask on its picture, whatever the pictures came as."""

import shutil
import subprocess
from dataclasses import fields, replace
from pathlib import Path

import highdicom
import numpy as np
import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from skimage.color import rgb2lab

from opencmr.anatomy.phases import SegPhases
from opencmr.anatomy.seg_types import SegType
from opencmr.anatomy.structures import EMIDEC, Structure
from opencmr.imaging.study import Identity
from opencmr.report import dicom_seg, run_record
from opencmr.report.contents import Report
from opencmr.report.dicom_study import UID_PATTERN, why_none

ROWS, COLUMNS = 20, 24
RIGHT = np.array([0.8, 0.36, -0.48])
DOWN = np.array([0.0, 0.8, 0.6])
KINDS = ("one series", "a series a slice", "enhanced", "an enhanced instance a slice")


def frames_of(seg: Dataset) -> list[tuple[int, Dataset, np.ndarray]]:
    """Return segment, groups and pixels of each frame, unpacked bit by bit."""
    bits = np.unpackbits(np.frombuffer(seg.PixelData, np.uint8), bitorder="little")
    count = int(seg.NumberOfFrames)
    pixels = bits[: count * seg.Rows * seg.Columns].reshape(count, seg.Rows, seg.Columns)
    return [
        (groups.SegmentIdentificationSequence[0].ReferencedSegmentNumber, groups, pixels[n])
        for n, groups in enumerate(seg.PerFrameFunctionalGroupsSequence)
    ]


@pytest.mark.parametrize("kind", KINDS)
def test_every_mask_lies_on_the_picture_that_it_was_drawn_on(dicom_report, tmp_path, kind) -> None:
    report, folder = dicom_report(kind)
    (series,) = report.study.series
    labels = report.segmentations[series.key].labels
    sources = {str(d.SOPInstanceUID): d for d in map(pydicom.dcmread, sorted(folder.iterdir()))}
    paths = dicom_seg.write(report, tmp_path)
    assert [path.name for path in paths] == [
        "seg_s01_ed.dcm", "seg_s01_es.dcm", "seg_s01_rves.dcm",
    ]  # fmt: skip
    for path, phase in zip(paths, (0, 2, 3), strict=True):
        seg = pydicom.dcmread(path)
        found = np.zeros_like(labels[phase])
        for segment, groups, pixels in frames_of(seg):
            said = groups.DerivationImageSequence[0].SourceImageSequence[0]
            source = sources[said.ReferencedSOPInstanceUID]
            assert said.ReferencedSOPClassUID == source.SOPClassUID
            frame = said.get("ReferencedFrameNumber", 1) - 1
            picture = source.pixel_array.reshape(-1, ROWS, COLUMNS)[frame]
            here = (series.image.values == picture).all((2, 3))
            assert np.argwhere(here)[:, 0].tolist() == [phase]
            z = int(np.argwhere(here)[0, 1])
            found[z][pixels == 1] = segment
            # By patient coordinates too: where the source's own header says that it lies.
            own = source if kind.endswith(("series", "a series a slice")) else None
            place = own or source.PerFrameFunctionalGroupsSequence[frame].PlanePositionSequence[0]
            position = groups.PlanePositionSequence[0].ImagePositionPatient
            assert np.allclose(position, place.ImagePositionPatient, atol=1e-5)
        assert np.array_equal(found, labels[phase])
        shared = seg.SharedFunctionalGroupsSequence[0]
        directions = shared.PlaneOrientationSequence[0].ImageOrientationPatient
        assert np.allclose(directions, (*RIGHT, *DOWN), atol=1e-5)
        assert shared.PixelMeasuresSequence[0].PixelSpacing == [1.5, 1.25]
        named = {
            (row.SeriesInstanceUID, one.ReferencedSOPInstanceUID)
            for row in seg.ReferencedSeriesSequence
            for one in row.ReferencedInstanceSequence
        }
        assert named <= {(d.SeriesInstanceUID, uid) for uid, d in sources.items()}


def test_highdicom_reads_the_same_masks(dicom_report, tmp_path) -> None:
    report, _ = dicom_report("a series a slice")
    (series,) = report.study.series
    labels = report.segmentations[series.key].labels
    path = dicom_seg.write(report, tmp_path)[0]
    seg = highdicom.seg.segread(path)
    assert [one.segment_label for one in seg.SegmentSequence] == [
        "Right ventricle", "Left Ventricle Myocardium", "Left ventricle",
    ]  # fmt: skip
    for segment in seg.segment_numbers:
        pixels = seg.get_pixels_by_source_instance(
            [one.sop_instance_uid for one in series.image.instances[0]],
            segment_numbers=[segment],
            assert_missing_frames_are_empty=True,
        )
        assert np.array_equal(pixels[..., 0] == 1, labels[0] == segment)


@pytest.mark.skipif(shutil.which("dciodvfy") is None, reason="needs dciodvfy (dicom3tools)")
@pytest.mark.parametrize("kind", KINDS)
def test_an_independent_validator_finds_nothing_wrong(dicom_report, tmp_path, kind) -> None:
    report, _ = dicom_report(kind)
    for path in dicom_seg.write(report, tmp_path):
        said = subprocess.run(
            ["dciodvfy", "-new", path], capture_output=True, text=True, check=False
        )
        assert said.stderr.split() == ["Segmentation"], said.stderr


def test_who_made_it_and_whose_it_is_is_said(dicom_report, tmp_path) -> None:
    report, _ = dicom_report()
    seg = pydicom.dcmread(dicom_seg.write(report, tmp_path)[0])
    assert (str(seg.PatientName), seg.PatientID, seg.PatientSex) == ("Müller^Ève", "ID-17", "F")
    assert (seg.StudyInstanceUID, seg.StudyTime, seg.StudyID) == ("1.2.3", "101112", "7")
    assert (seg.FrameOfReferenceUID, seg.AccessionNumber) == ("1.2.3.9", "ACC-1")
    assert int(seg.SeriesNumber) >= 900
    assert "Research use only" in seg.ImageComments
    (made_by,) = seg.SegmentSequence[0].SegmentationAlgorithmIdentificationSequence
    assert (made_by.AlgorithmName, made_by.AlgorithmVersion) == ("sax_cine", "1.0.0")
    assert "ab" * 32 in made_by.AlgorithmParameters


def test_the_same_result_has_the_same_uids_and_another_one_has_others(dicom_report) -> None:
    report, _ = dicom_report()
    uids = [one.instance.sop_instance_uid for one in dicom_seg.seg_instances(report)]
    later = replace(report, provenance=replace(report.provenance, created="2030-01-01T00:00:00Z"))
    assert [one.instance.sop_instance_uid for one in dicom_seg.seg_instances(later)] == uids
    person = replace(report.study.demographics, height_cm=181.0)
    other_model = replace(report.provenance.models[0], sha256="cd" * 32)
    others = (
        replace(report, study=replace(report.study, demographics=person)),
        replace(report, provenance=replace(report.provenance, models=(other_model,))),
        replace(report, provenance=replace(report.provenance, configuration={"model": "x"})),
    )
    for other in others:
        found = {one.instance.sop_instance_uid for one in dicom_seg.seg_instances(other)}
        assert not found & set(uids)
    assert all(UID_PATTERN.fullmatch(uid) for uid in uids)


def test_all_phases_are_written_when_they_are_asked_for(dicom_report, tmp_path) -> None:
    report, _ = dicom_report()
    paths = dicom_seg.write(replace(report, seg_phases=SegPhases.ALL), tmp_path)
    assert [path.stem.rpartition("_")[2] for path in paths] == ["ed", "phase02", "es", "rves"]
    assert [int(pydicom.dcmread(path).InstanceNumber) for path in paths] == [1, 2, 3, 4]


def test_what_lies_inside_a_structure_belongs_to_both(dicom_report, tmp_path) -> None:
    report, _ = dicom_report()
    (key,) = report.segmentations
    masks = replace(report.segmentations[key], scheme=EMIDEC)
    seg = pydicom.dcmread(dicom_seg.write(replace(report, segmentations={key: masks}), tmp_path)[0])
    assert seg.SegmentsOverlap == "YES"
    number = [structure for _, structure in EMIDEC.pairs].index(Structure.MYOCARDIUM) + 1
    wall = sum(int(pixels.sum()) for segment, _, pixels in frames_of(seg) if segment == number)
    assert wall == int(masks.mask(Structure.MYOCARDIUM)[0].sum())


def test_pictures_that_do_not_come_from_dicom_give_none_and_the_record_says_so(
    tiny_report: Report, tmp_path: Path
) -> None:
    assert dicom_seg.write(tiny_report, tmp_path) == []
    assert run_record.not_written(tiny_report)[0]["what"] == "dicom"
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("identifier", ["A\\B", "A\x1bB", "x" * 65])
def test_a_patient_who_cannot_be_named_as_stated_gets_no_dicom(dicom_report, identifier) -> None:
    report, _ = dicom_report()
    identity = replace(report.study.identity, patient_id=identifier)
    other = replace(report, study=replace(report.study, identity=identity))
    assert "identifier" in why_none(other)
    assert identifier not in why_none(other)
    assert dicom_seg.seg_instances(other) == []


def test_uids_with_leading_zeros_are_quoted_as_they_stand(dicom_report, tmp_path) -> None:
    report, _ = dicom_report()
    (series,) = report.study.series
    rows = tuple(
        tuple(replace(one, sop_instance_uid=f"1.2.0{n}.0{m}") for m, one in enumerate(row))
        for n, row in enumerate(series.image.instances)
    )
    series = replace(series, image=replace(series.image, instances=rows))
    other = replace(report, study=replace(report.study, series=(series,)))
    with pydicom.config.disable_value_validation():
        seg = pydicom.dcmread(dicom_seg.write(other, tmp_path)[0])
        groups = seg.PerFrameFunctionalGroupsSequence[0]
        said = groups.DerivationImageSequence[0].SourceImageSequence[0]
        assert said.ReferencedSOPInstanceUID == "1.2.00.00"


def test_pictures_of_another_study_or_without_uids_give_none(dicom_report) -> None:
    report, _ = dicom_report()
    assert why_none(report) == ""
    assert why_none(replace(report, study=replace(report.study, uid="9.9")))
    (series,) = report.study.series
    for uid in ("", "1.2.<script>", "1." * 40 + "1"):
        rows = tuple(
            tuple(replace(one, sop_instance_uid=uid) for one in row)
            for row in series.image.instances
        )
        nameless = replace(series, image=replace(series.image, instances=rows))
        assert why_none(replace(report, study=replace(report.study, series=(nameless,))))


def test_pictures_without_a_common_frame_of_reference_share_one_of_the_result(
    dicom_report, tmp_path
) -> None:
    report, _ = dicom_report()
    (series,) = report.study.series
    nowhere = replace(series, frame_of_reference_uid="")
    other = replace(report, study=replace(report.study, series=(nowhere,)))
    frames = {pydicom.dcmread(p).FrameOfReferenceUID for p in dicom_seg.write(other, tmp_path)}
    assert len(frames) == 1
    assert frames.pop().startswith("2.25.")


@pytest.mark.parametrize(
    "text",
    ["a\\b\x00\x1b[31m\r\nc\ud800", "x" * 70_000, "山田^太郎=やまだ^たろう", "a^b^c^d^e^f=g=h=i"],
)
def test_hostile_header_texts_end_as_legal_elements(dicom_report, tmp_path, text) -> None:
    report, _ = dicom_report()
    identity = Identity(**{field.name: text for field in fields(Identity)})
    identity = replace(identity, patient_id="ID-17")
    hostile = replace(report, study=replace(report.study, identity=identity))
    seg = pydicom.dcmread(dicom_seg.write(hostile, tmp_path)[0])
    for element in seg.iterall():  # reading converts, and converting checks
        assert element.value is not None
    assert (seg.PatientBirthDate, seg.PatientSex, seg.StudyTime) == ("", "", "")
    assert len(seg.StudyDescription) <= 64
    assert len(frames_of(seg)) == int(seg.NumberOfFrames)


def as_label_map(report: Report) -> Report:
    return replace(report, seg_type=SegType.LABELMAP)


@pytest.mark.parametrize("kind", KINDS)
def test_a_label_map_says_of_every_pixel_what_is_there(dicom_report, tmp_path, kind) -> None:
    report, _ = dicom_report(kind)
    (series,) = report.study.series
    labels = report.segmentations[series.key].labels
    paths = dicom_seg.write(as_label_map(report), tmp_path)
    for path, phase in zip(paths, (0, 2, 3), strict=True):
        seg = pydicom.dcmread(path)
        assert (seg.SegmentationType, seg.PixelPaddingValue) == ("LABELMAP", 0)
        pixels = np.frombuffer(seg.PixelData, np.uint8).reshape(-1, seg.Rows, seg.Columns)
        found = np.zeros_like(labels[phase])
        for frame, groups in zip(pixels, seg.PerFrameFunctionalGroupsSequence, strict=True):
            position = groups.PlanePositionSequence[0].ImagePositionPatient
            away = np.linalg.norm(series.image.grid.affines[:, :3, 3] - position, axis=1)
            assert away.min() < 1e-5
            found[away.argmin()] = frame
        assert np.array_equal(found, labels[phase])
        assert [one.SegmentNumber for one in seg.SegmentSequence] == [0, 1, 2, 3]


def test_highdicom_reads_the_same_label_map(dicom_report, tmp_path) -> None:
    report, _ = dicom_report()
    (series,) = report.study.series
    seg = highdicom.seg.segread(dicom_seg.write(as_label_map(report), tmp_path)[0])
    pixels = seg.get_pixels_by_source_instance(
        [one.sop_instance_uid for one in series.image.instances[0]], combine_segments=True
    )
    assert np.array_equal(pixels, report.segmentations[series.key].labels[0])


def test_a_label_map_holds_the_innermost_structure(dicom_report, tmp_path) -> None:
    report, _ = dicom_report()
    (key,) = report.segmentations
    masks = replace(report.segmentations[key], scheme=EMIDEC)
    inside = as_label_map(replace(report, segmentations={key: masks}))
    seg = pydicom.dcmread(dicom_seg.write(inside, tmp_path)[0])
    (label,) = [label for label, structure in EMIDEC.pairs if structure is Structure.SCAR]
    number = [structure for _, structure in EMIDEC.pairs].index(Structure.SCAR) + 1
    pixels = np.frombuffer(seg.PixelData, np.uint8)
    assert (pixels == number).sum() == (masks.labels[0] == label).sum() > 0
    assert seg.SegmentsOverlap == "NO"


@settings(max_examples=200)
@given(rgb=st.tuples(*[st.integers(0, 255)] * 3))
def test_a_colour_is_stored_as_the_cielab_of_scikit_image(rgb: tuple[int, int, int]) -> None:
    lightness, a, b = rgb2lab(np.array(rgb) / 255)
    scaled = (lightness * 655.35, (a + 128) * 257, (b + 128) * 257)
    found = dicom_seg.cielab("#{:02x}{:02x}{:02x}".format(*rgb))
    assert found == [round(float(value)) for value in scaled]
    assert all(0 <= value <= 65535 for value in found)
