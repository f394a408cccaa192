"""DICOM Segmentation objects become the labels that they were made of, whoever wrote them."""

from dataclasses import replace
from pathlib import Path

import highdicom
import numpy as np
import pydicom
import pytest
from pydicom.sr.codedict import codes

from opencmr.analyses.segments import labels_of_segments
from opencmr.analyses.table import ANALYSES
from opencmr.anatomy.reasons import reason_of
from opencmr.anatomy.seg_types import SegType
from opencmr.anatomy.techniques import Technique
from opencmr.anatomy.views import View
from opencmr.errors import ConfigurationError, GeometryError, InputError
from opencmr.imaging.flag import Severity
from opencmr.imaging.given_labels import GivenLabels
from opencmr.imaging.study import Series, Study
from opencmr.intake.dicom.given import read_given_objects
from opencmr.report import dicom_seg
from opencmr.report.contents import Report

from .test_dicom_seg import KINDS


def placed(path: Path, study: Study, **words: str) -> GivenLabels:
    (series,) = study.series
    cine = replace(series, view=View.SAX, sequence=Technique.CINE)
    segments = read_given_objects(path, author="A. Reader", **words)
    given, remarks = labels_of_segments(segments, replace(study, series=(cine,)), ANALYSES)
    assert remarks == ()
    return given


def only(labels: np.ndarray, *phases: int) -> np.ndarray:
    kept = np.zeros_like(labels)
    kept[list(phases)] = labels[list(phases)]
    return kept


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seg_type", SegType)
def test_our_own_objects_give_the_labels_of_their_phases(
    dicom_report, tmp_path, kind, seg_type
) -> None:
    report = replace(dicom_report(kind)[0], seg_type=seg_type)
    (series,) = report.study.series
    drawn = report.segmentations[series.key]
    assert dicom_seg.write(report, tmp_path)
    given = placed(tmp_path, report.study)
    assert np.array_equal(given.labels, only(drawn.labels, 0, 2, 3))
    assert (given.scheme, given.policy, given.series) == (drawn.scheme, drawn.policy, series.key)
    assert given.derived_from == drawn.author.text
    assert given.author.text == "A. Reader"


def made_by_highdicom(sources: list[pydicom.Dataset], labels: np.ndarray, path: Path) -> Path:
    """Write the cavity and the wall on the pictures of one phase."""
    algorithm = highdicom.AlgorithmIdentificationSequence(
        "elsewhere", codes.DCM.ArtificialIntelligence, "1"
    )
    described = [
        highdicom.seg.SegmentDescription(
            number,
            name,
            codes.SCT.AnatomicalStructure,
            kind,
            highdicom.seg.SegmentAlgorithmTypeValues.AUTOMATIC,
            algorithm,
        )
        for number, (name, kind) in enumerate(
            [("blood", codes.SCT.LeftVentricle), ("LV myocardium", codes.SCT.Heart)], start=1
        )
    ]
    made = highdicom.seg.Segmentation(
        sources,
        np.stack([labels == 3, labels == 2], axis=-1),
        highdicom.seg.SegmentationTypeValues.BINARY,
        described,
        highdicom.UID(),
        1,
        highdicom.UID(),
        1,
        "maker",
        "model",
        "1",
        "serial",
    )
    made.save_as(path)
    return path


@pytest.fixture
def foreign(dicom_report, tmp_path) -> tuple[Report, Path]:
    """An object that highdicom made of the cavity and the wall at one phase."""
    report, folder = dicom_report("one series")
    (series,) = report.study.series
    sources = {d.SOPInstanceUID: d for d in map(pydicom.dcmread, folder.iterdir())}
    wanted = [sources[one.sop_instance_uid] for one in series.image.instances[2]]
    labels = report.segmentations[series.key].labels[2]
    return report, made_by_highdicom(wanted, labels, tmp_path / "foreign.dcm")


def test_an_object_of_another_maker_is_known_by_codes_and_names(foreign) -> None:
    report, path = foreign
    (series,) = report.study.series
    drawn = report.segmentations[series.key].labels
    given = placed(path, report.study)
    assert np.array_equal(given.labels, np.where(drawn == 1, 0, only(drawn, 2)))
    assert given.derived_from == "elsewhere"


OTHER = ".9"
"""Ends the UIDs of another series."""


def other_series(series: Series) -> Series:
    """Return the same pictures as a series of another view, with UIDs of its own."""
    instances = tuple(
        tuple(replace(one, sop_instance_uid=f"{one.sop_instance_uid}{OTHER}") for one in row)
        for row in series.image.instances
    )
    return replace(
        series,
        key="s02",
        uids=tuple(f"{uid}{OTHER}" for uid in series.uids),
        image=replace(series.image, instances=instances),
        view=View.FOUR_CHAMBER,
        sequence=Technique.CINE,
    )


def test_a_folder_of_several_series_gives_the_labels_of_the_measured_one(foreign, tmp_path) -> None:
    report, path = foreign
    (series,) = report.study.series
    cine = replace(series, view=View.SAX, sequence=Technique.CINE)
    long_axis = other_series(series)
    sources = [*map(pydicom.dcmread, sorted((tmp_path / "in").iterdir()))]
    wanted = {one.sop_instance_uid for one in series.image.instances[1]}
    sources = [one for one in sources if one.SOPInstanceUID in wanted]
    for one in sources:
        one.SOPInstanceUID += OTHER
        one.SeriesInstanceUID += OTHER
    drawn = report.segmentations[series.key].labels
    made_by_highdicom(sources, np.full_like(drawn[1], 2), tmp_path / "long_axis.dcm")
    alone = placed(path, report.study)
    segments = read_given_objects(tmp_path, author="A. Reader")
    both = replace(report.study, series=(long_axis, cine))
    given, (flag,) = labels_of_segments(segments, both, ANALYSES)
    assert np.array_equal(given.labels, alone.labels)
    assert (flag.code, flag.severity) == ("OTHER_SERIES", Severity.INFO)
    assert flag.evidence == f"{len(sources)} of s02"
    # The other series is not in the input: the object says which one it is of.
    here = replace(report.study, series=(cine,))
    given, (flag,) = labels_of_segments(segments, here, ANALYSES)
    assert np.array_equal(given.labels, alone.labels)
    assert (flag.code, flag.severity) == ("OTHER_SERIES", Severity.REVIEW)
    twins = replace(both, series=(cine, replace(long_axis, view=View.SAX)))
    with pytest.raises(InputError, match=r"s01, s02\. Say which with --series"):
        labels_of_segments(segments, twins, ANALYSES)


def test_one_object_of_several_series_gives_its_frames_of_the_measured_one(
    dicom_report, tmp_path
) -> None:
    report, _ = dicom_report("one series")
    (series,) = report.study.series
    path, *_ = dicom_seg.write(report, tmp_path)
    whole = placed(path, report.study).labels
    seg = pydicom.dcmread(path)
    source = seg.PerFrameFunctionalGroupsSequence[0].DerivationImageSequence[0]
    source.SourceImageSequence[0].ReferencedSOPInstanceUID += OTHER
    seg.save_as(path)
    cine = replace(series, view=View.SAX, sequence=Technique.CINE)
    both = replace(report.study, series=(cine, other_series(series)))
    segments = read_given_objects(path, author="A. Reader")
    given, (flag,) = labels_of_segments(segments, both, ANALYSES)
    assert flag.evidence == "1 of s02"
    lost = (given.labels == 0) & (whole != 0)
    assert np.array_equal(given.labels[~lost], whole[~lost])
    assert np.array_equal(whole[lost].astype(bool).sum(), segments.drawn[0].mask.sum())


def shifted(seg: pydicom.Dataset) -> None:
    for groups in seg.PerFrameFunctionalGroupsSequence:
        place = groups.PlanePositionSequence[0]
        turn = np.array(
            seg.SharedFunctionalGroupsSequence[0].PlaneOrientationSequence[0][0x00200037].value
        )
        place.ImagePositionPatient = [
            f"{value:.6f}" for value in np.array(place.ImagePositionPatient, float) + turn[:3]
        ]


def mirrored(seg: pydicom.Dataset) -> None:
    turn = seg.SharedFunctionalGroupsSequence[0].PlaneOrientationSequence[0]
    turn.ImageOrientationPatient = [-float(value) for value in turn.ImageOrientationPatient]


def without_sources(seg: pydicom.Dataset) -> None:
    for groups in seg.PerFrameFunctionalGroupsSequence:
        del groups.DerivationImageSequence


def of_another_study(seg: pydicom.Dataset) -> None:
    for groups in seg.PerFrameFunctionalGroupsSequence:
        source = groups.DerivationImageSequence[0].SourceImageSequence[0]
        source.ReferencedSOPInstanceUID = "1.2.3.4"


def partly_of_another_study(seg: pydicom.Dataset) -> None:
    groups = seg.PerFrameFunctionalGroupsSequence[0]
    groups.DerivationImageSequence[0].SourceImageSequence[0].ReferencedSOPInstanceUID = "1.2.3.4"


def of_a_liver(seg: pydicom.Dataset) -> None:
    kind = seg.SegmentSequence[0].SegmentedPropertyTypeCodeSequence[0]
    kind.CodeValue, seg.SegmentSequence[0].SegmentLabel = "10200004", "Liver"


def fractional(seg: pydicom.Dataset) -> None:
    seg.SegmentationType = "FRACTIONAL"


def cut_short(seg: pydicom.Dataset) -> None:
    seg.PixelData = seg.PixelData[: len(seg.PixelData) // 4 * 2]


def huge(seg: pydicom.Dataset) -> None:
    seg.NumberOfFrames = 2**30


def of_no_segments(seg: pydicom.Dataset) -> None:
    del seg.SegmentSequence


@pytest.mark.parametrize(
    ("spoil", "error", "words"),
    [
        (shifted, GeometryError, "shifted, turned or mirrored"),
        (mirrored, GeometryError, "shifted, turned or mirrored"),
        (without_sources, GeometryError, "moment in the heartbeat is unknown"),
        (of_another_study, InputError, "another study or series"),
        (partly_of_another_study, InputError, "segment frames are of pictures"),
        (of_a_liver, InputError, "segment 1 is coded and named as none of"),
        (fractional, InputError, "expected BINARY or LABELMAP"),
        (cut_short, InputError, "fewer pixels than it states"),
        (huge, InputError, "states 1073741824 frames"),
        (of_no_segments, InputError, "PS3.3 A.51"),
    ],
)
def test_a_spoilt_object_is_refused_by_what_is_wrong(
    dicom_report, tmp_path, spoil, error, words
) -> None:
    report, _ = dicom_report("one series")
    path, *_ = dicom_seg.write(report, tmp_path)
    seg = pydicom.dcmread(path)
    spoil(seg)
    seg.save_as(path)
    with pytest.raises(error, match=words) as told:
        placed(path, report.study)
    assert "Liver" not in str(told.value)


def test_what_is_no_segmentation_is_refused(dicom_report, tmp_path) -> None:
    report, folder = dicom_report("one series")
    with pytest.raises(InputError, match="no DICOM Segmentation object"):
        placed(next(folder.iterdir()), report.study)
    with pytest.raises(InputError, match="holds no DICOM Segmentation object"):
        placed(folder, report.study)
    path, *_ = dicom_seg.write(report, tmp_path)
    with pytest.raises(ConfigurationError, match="it has s01"):
        placed(path, report.study, series="s07")
    path.write_bytes(path.read_bytes()[:900])
    with pytest.raises(InputError):
        placed(path, report.study)


@pytest.mark.parametrize("change", ["grown", "same", "beside"])
def test_two_opinions_of_one_structure_are_refused_and_parts_joined(
    dicom_report, tmp_path, change
) -> None:
    """An object and its correction in one folder must not be merged into a third opinion."""
    report, _ = dicom_report("one series")
    path, *_ = dicom_seg.write(report, tmp_path)
    (series,) = report.study.series
    cine = replace(series, view=View.SAX, sequence=Technique.CINE)
    segments = read_given_objects(path, author="A. Reader")
    first = next(one for one in segments.drawn if one.mask.any())
    other = first.mask.copy()
    if change == "grown":
        other |= np.roll(other, 1, axis=0)
    elif change == "beside":
        other = np.zeros_like(other)
        other[0, 0] = True
    both = replace(segments, drawn=(*segments.drawn, replace(first, mask=other)))
    study = replace(report.study, series=(cine,))
    if change == "grown":
        with pytest.raises(GeometryError) as refused:
            labels_of_segments(both, study, ANALYSES)
        assert reason_of(refused.value).code == "CONTOURS_CONTRADICT"
        return
    alone, _ = labels_of_segments(segments, study, ANALYSES)
    joined, _ = labels_of_segments(both, study, ANALYSES)
    assert (joined.labels != alone.labels).sum() == (change == "beside")
