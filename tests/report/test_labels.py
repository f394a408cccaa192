"""Labels as NIfTI."""

import json
from dataclasses import replace
from pathlib import Path

import nibabel
import numpy as np
import pytest

from opencmr.geometry.orientation import ras_affine_from_grid
from opencmr.imaging.segmentation import Author, AuthorKind
from opencmr.report import labels, tables
from opencmr.report.contents import Report
from opencmr.storage import sha256_of


def test_labels_come_back_with_their_geometry_and_their_meaning(
    small_report: Report, tmp_path: Path
) -> None:
    picture, image_path, sidecar, *_ = labels.write(small_report, tmp_path)
    assert picture == tmp_path / "segmentation" / "s02.nii.gz"
    assert image_path == tmp_path / "segmentation" / "s02_seg.nii.gz"
    segmentation = small_report.segmentations["s02"]
    image = nibabel.load(image_path)
    stored = np.asarray(image.dataobj)
    assert np.array_equal(stored.T, segmentation.labels)
    assert np.allclose(image.affine, ras_affine_from_grid(segmentation.grid))
    meaning = json.loads(sidecar.read_text(encoding="utf-8"))
    assert meaning["labels"] == {"0": "background", "1": "RV", "2": "MYO", "3": "LV"}
    assert meaning["policy"] == segmentation.policy.text
    assert meaning["sha256"] == sha256_of(image_path)
    assert sorted(p.name for p in image_path.parent.iterdir()) == [
        "s02.nii.gz",
        "s02_seg.ctbl",
        "s02_seg.json",
        "s02_seg.label",
        "s02_seg.nii.gz",
    ]


def test_the_image_lies_on_the_grid_of_its_labels_with_the_true_time_step(
    small_report: Report, tmp_path: Path
) -> None:
    picture_path, labels_path, *_ = labels.write(small_report, tmp_path)
    (series,) = small_report.measured_series()
    picture, drawn = nibabel.load(picture_path), nibabel.load(labels_path)
    assert np.array_equal(picture.affine, drawn.affine)
    assert picture.shape == drawn.shape
    assert picture.get_data_dtype().kind in "iu"
    values = series.image.values
    step = (values.max() - values.min()) / 65534
    assert np.abs(picture.get_fdata().T - values).max() <= 0.51 * step
    times_ms = series.image.trigger_ms.mean(1)
    for one in (picture, drawn):
        assert one.header.get_xyzt_units() == ("mm", "msec")
        assert one.header["pixdim"][4] == pytest.approx(np.diff(times_ms).mean(), rel=1e-5)


def test_who_corrected_which_labels_is_told_without_the_patient(
    small_report: Report, tmp_path: Path
) -> None:
    corrected = replace(
        small_report.segmentations["s02"],
        author=Author(AuthorKind.READER, "for Doe"),
        derived_from="net 1.0",
    )
    identity = replace(small_report.study.identity, patient_name="Doe^Jane")
    report = replace(
        small_report,
        study=replace(small_report.study, identity=identity),
        segmentations={"s02": corrected},
    )
    *_, sidecar, _, _ = labels.write(report, tmp_path)
    told = json.loads(sidecar.read_text(encoding="utf-8"))
    assert told["author"] == "for [redacted]"
    assert (told["author_kind"], told["derived_from"]) == ("reader", "net 1.0")
    content = json.loads(tables.write(report, tmp_path)[0].read_text(encoding="utf-8"))
    (row,) = content["segmentations"]
    assert row == {name: told[name] for name in row}
