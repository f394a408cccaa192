"""There and back: labels leave with the image, come back corrected, and give the whole report."""

import json
import shutil

import nibabel
import numpy as np
import pydicom
import pytest

from opencmr.geometry.contours import outlines_mm
from opencmr.intake.studies import read_studies
from tests.structure_sets import Roi, in_patient, saved, structure_set

VOLUMES = ("LVEDV", "LVESV", "LVSV", "LVM", "RVEDV", "RVESV", "RVSV")


def rows_of(out):
    content = json.loads((out / "measurements.json").read_text())
    rows = {(r["symbol"], r["phase"], r["segment"]): r for r in content["measurements"]}
    stack = rows["LVEDV", None, None]["series"]
    return rows, [one for one in content["segmentations"] if one["series"] == stack]


@pytest.fixture(scope="module")
def exported(stack_labels, tmp_path_factory):
    """The exported image and labels, copied out of the result: the image, the labels."""
    folder = tmp_path_factory.mktemp("editor")
    labels = stack_labels
    key = labels.name.removesuffix("_seg.nii.gz")
    for path in labels.parent.iterdir():
        shutil.copy(path, folder / path.name)
    return folder / f"{key}.nii.gz", folder / labels.name


def changed(labels, target, change):
    """Save labels after a change, as an editor does."""
    image = nibabel.load(labels)
    values = np.asarray(image.dataobj).copy()
    values = change(values)
    nibabel.save(nibabel.Nifti1Image(values, image.affine, image.header), target)
    return target


def test_uncorrected_labels_give_every_number_of_the_study_again(
    opencmr, analysed, exported, phantom_dicom, tmp_path
):
    _, labels = exported
    outcome = opencmr("measure", phantom_dicom, "--labels", labels, "-o", tmp_path / "o")
    assert outcome.status == analysed[0].status, outcome.err
    before, (drawn,) = rows_of(analysed[1])
    after, (corrected,) = rows_of(tmp_path / "o")
    assert after == before
    assert drawn["author_kind"] == "model"
    assert corrected["author"] == corrected["author_kind"] == "reader"
    assert corrected["derived_from"].startswith(drawn["author"])
    record = json.loads((tmp_path / "o" / "run.json").read_text())
    assert {one["name"] for one in record["models"]} == {"cine_lax", "diagnosis_acdc"}
    assert record["configuration"]["labels_author"] == "reader"
    page = (tmp_path / "o" / "report.html").read_text()
    assert corrected["derived_from"] in page
    text = json.dumps(record)
    assert str(labels.parent) not in text
    key = labels.name.removesuffix("_seg.nii.gz")
    (seg, *_) = sorted((tmp_path / "o" / "dicom").glob(f"seg_{key}_*.dcm"))
    assert pydicom.dcmread(seg).SegmentSequence[0].SegmentAlgorithmType == "SEMIAUTOMATIC"
    second = tmp_path / "o" / "segmentation" / labels.name
    assert np.array_equal(nibabel.load(second).dataobj, nibabel.load(labels).dataobj)


def test_segmentation_objects_of_the_result_give_its_volumes_again(
    opencmr, analysed, phantom_dicom, tmp_path
):
    """ED and ES alone are in them, each an object of its own."""
    objects = tmp_path / "objects"
    objects.mkdir()
    for path in (analysed[1] / "dicom").glob("seg_*.dcm"):
        shutil.copy(path, objects)
    outcome = opencmr("measure", phantom_dicom, "--labels", objects, "-o", tmp_path / "o")
    assert outcome.status in (0, 3), outcome.err
    (before, (drawn,)), (after, (read,)) = rows_of(analysed[1]), rows_of(tmp_path / "o")
    for symbol in VOLUMES:
        key = symbol, None, None
        assert after[key]["value"] == pytest.approx(before[key]["value"], abs=1e-6)
    assert read["author_kind"] == "reader"
    assert read["derived_from"] == drawn["author"]


@pytest.fixture(scope="module")
def contoured(phantom, phantom_dicom, tmp_path_factory):
    """The simulated heart's own masks, outlined in a Structure Set as a planning system does."""
    grid, masks = phantom.labels.grid, phantom.labels.labels
    with read_studies(phantom_dicom) as studies:
        images = [one for one in studies[0].series if one.image.values.shape == masks.shape]
    (series,) = images
    # The stack may have been read from the other end.
    corners, found = grid.affines[:, None, :3, 3], series.image.grid.affines[:, :3, 3]
    order = np.linalg.norm(corners - found, axis=2).argmin(1)
    pictures = np.array(series.image.instances, dtype=object)[:, order]
    spacing_mm = grid.row_spacing_mm, grid.column_spacing_mm
    rois = []
    for name, values in (("LV Endo", [3]), ("LV Epi", [2, 3]), ("RV Endo", [1]), ("Liver", [2])):
        rois.append(Roi(name, frame=series.frame_of_reference_uid))
        for (t, z), picture in np.ndenumerate(pictures):
            for line in outlines_mm(np.isin(masks[t, z], values), spacing_mm):
                points = in_patient(line[:-1] / spacing_mm, grid, z)
                rois[-1].contours.append((points, [picture]))
    dataset = structure_set(*rois, series=series.uids[0])
    return saved(dataset, tmp_path_factory.mktemp("contoured") / "RS.dcm")


@pytest.mark.long
def test_a_structure_set_gives_the_volumes_of_the_masks_that_were_outlined(
    opencmr, phantom, phantom_dicom, contoured, tmp_path
):
    words = ("--labels", contoured, "-o", tmp_path / "o", "--author", "A. Reader")
    outcome = opencmr("measure", phantom_dicom, *words)
    assert outcome.status in (0, 3), outcome.err
    rows, (told,) = rows_of(tmp_path / "o")
    masks, voxel_ml = phantom.labels.labels, phantom.labels.grid.voxel_mm3 / 1000
    for symbol, label in (("LVV", 3), ("RVV", 1)):
        for phase, mask in enumerate(masks):
            expected_ml = ((mask == label).sum((1, 2)) * voxel_ml).sum()
            assert rows[symbol, phase, None]["value"] == pytest.approx(expected_ml, rel=0.02)
    wall_g = 1.05 * ((masks[0] == 2).sum((1, 2)) * voxel_ml).sum()
    assert rows["LVM", None, None]["value"] == pytest.approx(wall_g, rel=0.03)
    assert (told["author"], told["derived_from"]) == ("A. Reader", None)
    report = (tmp_path / "o" / "report.html").read_text()
    assert "CONTOURS_UNREAD" in report
    assert "Liver" not in report


def test_a_structure_set_of_another_study_is_refused_and_leaves_nothing(
    opencmr, phantom_dicom, contoured, tmp_path
):
    dataset = pydicom.dcmread(contoured)
    for roi in dataset.ROIContourSequence:
        for contour in roi.ContourSequence:
            contour.ContourImageSequence[0].ReferencedSOPInstanceUID = "1.2.3"
    other = saved(dataset, tmp_path / "other.dcm")
    outcome = opencmr("measure", phantom_dicom, "--labels", other, "-o", tmp_path / "o")
    assert outcome.status == 4
    assert "OTHER_PICTURES" in outcome.err
    assert not (tmp_path / "o").exists()


def test_a_correction_on_the_exported_image_changes_what_it_must(
    opencmr, analysed, exported, tmp_path
):
    image, labels = exported
    area = np.asarray(nibabel.load(labels).dataobj) == 3
    at = area.sum((0, 1))[:, 0].argmax()

    def without_a_slice(values):
        values[:, :, at][area[:, :, at]] = 2
        return values

    corrected = changed(labels, tmp_path / "mine.nii.gz", without_a_slice)
    words = ("--author", "A. Reader", "--derived-from", labels, "-o", tmp_path / "o")
    outcome = opencmr("measure", image, "--labels", corrected, *words)
    assert outcome.status in (0, 3), outcome.err
    before, _ = rows_of(analysed[1])
    after, (told,) = rows_of(tmp_path / "o")
    voxel_ml = np.prod(nibabel.load(labels).header.get_zooms()[:3]) / 1000
    for phase in range(area.shape[3]):
        lost_ml = before["LVV", phase, None]["value"] - after["LVV", phase, None]["value"]
        assert lost_ml == pytest.approx(area[:, :, at, phase].sum() * voxel_ml, rel=1e-4)
        kept_ml = before["RVV", phase, None]["value"]
        assert after["RVV", phase, None]["value"] == pytest.approx(kept_ml, rel=1e-5)
    assert told["author"] == "A. Reader"
    assert "cine_sax" in told["derived_from"]
    assert after["BSA", None, None]["value"] is None
    assert after["BSA", None, None]["reason"].startswith("BSA_UNKNOWN")


def test_uncorrected_labels_give_the_volumes_on_the_exported_image(
    opencmr, analysed, exported, tmp_path
):
    image, labels = exported
    outcome = opencmr("measure", image, "--labels", labels, "-o", tmp_path / "o", "-q")
    assert outcome.status in (0, 3), outcome.err
    before, after = rows_of(analysed[1])[0], rows_of(tmp_path / "o")[0]
    for symbol in VOLUMES:
        expected = before[symbol, None, None]["value"]
        assert after[symbol, None, None]["value"] == pytest.approx(expected, rel=1e-5)


def test_labels_that_do_not_belong_leave_no_result_and_say_why(
    opencmr, exported, phantom_dicom, tmp_path
):
    _, labels = exported
    corrected = changed(labels, tmp_path / "mine.nii.gz", lambda values: values[..., :1])
    outcome = opencmr("measure", phantom_dicom, "--labels", corrected, "-o", tmp_path / "o")
    assert outcome.status == 4
    assert "mine.nii.gz has 1 phase; expected as many as its series" in outcome.err
    assert not (tmp_path / "o").exists()


def test_an_input_of_two_studies_is_refused(opencmr, exported, tmp_path):
    image, labels = exported
    (tmp_path / "in").mkdir()
    for name, factor in (("a", 1), ("b", 2)):
        changed(image, tmp_path / "in" / f"{name}.nii.gz", lambda v, factor=factor: v // factor)
    outcome = opencmr("measure", tmp_path / "in", "--labels", labels, "-o", tmp_path / "o")
    assert outcome.status == 4
    assert "2 studies" in outcome.err
