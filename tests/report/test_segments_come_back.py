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
from opencmr.anatomy.seg_types import SegType
from opencmr.anatomy.techniques import Technique
from opencmr.anatomy.views import View
from opencmr.errors import ConfigurationError, GeometryError, InputError
from opencmr.imaging.given_labels import GivenLabels
from opencmr.imaging.study import Study
from opencmr.intake.dicom.segments import read_segments
from opencmr.report import dicom_seg
from opencmr.report.contents import Report

from .test_dicom_seg import KINDS


def placed(path: Path, study: Study, **words: str) -> GivenLabels:
    (series,) = study.series
    cine = replace(series, view=View.SAX, sequence=Technique.CINE)
    segments = read_segments(path, author="A. Reader", **words)
    return labels_of_segments(segments, replace(study, series=(cine,)), ANALYSES)


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


@pytest.fixture
def foreign(dicom_report, tmp_path) -> tuple[Report, Path]:
    """An object that highdicom made of the cavity and the wall at one phase."""
    report, folder = dicom_report("one series")
    (series,) = report.study.series
    wanted = [one.sop_instance_uid for one in series.image.instances[2]]
    sources = {d.SOPInstanceUID: d for d in map(pydicom.dcmread, folder.iterdir())}
    labels = report.segmentations[series.key].labels[2]
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
        [sources[uid] for uid in wanted],
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
    path = tmp_path / "foreign.dcm"
    made.save_as(path)
    return report, path


def test_an_object_of_another_maker_is_known_by_codes_and_names(foreign) -> None:
    report, path = foreign
    (series,) = report.study.series
    drawn = report.segmentations[series.key].labels
    given = placed(path, report.study)
    assert np.array_equal(given.labels, np.where(drawn == 1, 0, only(drawn, 2)))
    assert given.derived_from == "elsewhere"


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
        (partly_of_another_study, InputError, "segment frames mark pictures"),
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
