"""``opencmr segment``: labels on the file's own grid, in the convention asked for."""

import json

import nibabel
import numpy as np
import pytest

from opencmr.validate.overlap import dice


@pytest.fixture(scope="module")
def segmented(opencmr, phantom_nifti, tmp_path_factory):
    folder = tmp_path_factory.mktemp("segmented")
    outcome = opencmr(
        "segment", phantom_nifti / "sax.nii.gz", "-o", folder / "acdc.nii.gz", "--labels", "acdc"
    )
    assert outcome.status == 0, outcome.err
    return folder / "acdc.nii.gz"


def test_labels_lie_on_the_source_s_own_grid(segmented, phantom_nifti):
    source, labels = (nibabel.load(p) for p in (phantom_nifti / "sax.nii.gz", segmented))
    assert labels.shape == source.shape
    assert np.array_equal(labels.affine, source.affine)
    assert labels.header.get_zooms() == source.header.get_zooms()
    assert labels.get_data_dtype() == np.uint8


def test_labels_agree_with_the_truth(segmented, phantom_nifti):
    found, truth = (
        np.asarray(nibabel.load(p).dataobj)
        for p in (segmented, phantom_nifti / "sax_labels.nii.gz")
    )
    for label, least in ((1, 0.75), (2, 0.75), (3, 0.85)):
        assert dice(found == label, truth == label) >= least


def test_another_convention_renames_and_nothing_else(opencmr, segmented, phantom_nifti, tmp_path):
    opencmr("segment", phantom_nifti / "sax.nii.gz", "-o", tmp_path / "m.nii", "--labels", "mnms")
    acdc, mnms = (np.asarray(nibabel.load(p).dataobj) for p in (segmented, tmp_path / "m.nii"))
    assert np.array_equal(np.array([0, 3, 2, 1])[acdc], mnms)


@pytest.mark.long
@pytest.mark.parametrize("flip", [(0,), (1,), (2,), (0, 1)])
def test_mirrored_and_reversed_stacks_give_the_same_heart(
    opencmr, segmented, phantom_nifti, tmp_path, flip
):
    source = nibabel.load(phantom_nifti / "sax.nii.gz")
    turned = nibabel.Nifti1Image(np.flip(np.asarray(source.dataobj), flip), None, source.header)
    turned.header.set_xyzt_units("mm", "sec")
    nibabel.save(turned, tmp_path / "turned.nii.gz")
    outcome = opencmr("segment", tmp_path / "turned.nii.gz", "-o", tmp_path / "labels.nii.gz")
    assert outcome.status == 0, outcome.err
    back = np.flip(np.asarray(nibabel.load(tmp_path / "labels.nii.gz").dataobj), flip)
    straight = np.asarray(nibabel.load(segmented).dataobj)
    for label in (1, 2, 3):
        assert dice(back == label, straight == label) >= 0.85


def test_a_heart_of_a_childs_size_is_segmented_as_well_and_named(opencmr, phantom_nifti, tmp_path):
    cine, truth = (
        nibabel.load(phantom_nifti / name) for name in ("sax.nii.gz", "sax_labels.nii.gz")
    )
    affine = cine.affine @ np.diag([0.6, 0.6, 0.6, 1.0])
    small = nibabel.Nifti1Image(np.asarray(cine.dataobj)[..., :2], affine)
    small.header.set_xyzt_units("mm", "sec")
    nibabel.save(small, tmp_path / "small.nii.gz")
    outcome = opencmr("segment", tmp_path / "small.nii.gz", "-o", tmp_path / "labels.nii.gz")
    assert outcome.status == 0, outcome.err
    flags = json.loads((tmp_path / "labels.json").read_text())["flags"]
    assert ("review", "SMALL_HEART") in [(flag["severity"], flag["code"]) for flag in flags]
    found = np.asarray(nibabel.load(tmp_path / "labels.nii.gz").dataobj)
    for label, least in ((1, 0.75), (2, 0.75), (3, 0.85)):
        assert dice(found == label, np.asarray(truth.dataobj)[..., :2] == label) >= least


def test_an_existing_file_is_not_overwritten(opencmr, segmented, phantom_nifti):
    outcome = opencmr("segment", phantom_nifti / "sax.nii.gz", "-o", segmented)
    assert outcome.status == 2
    assert "--overwrite" in outcome.err


@pytest.mark.parametrize(("z", "slices"), [(3, 1), (6, 1), (4, 2), (3, 3)])
def test_any_number_of_slices_is_segmented(opencmr, phantom_nifti, tmp_path, z, slices):
    cine = nibabel.load(phantom_nifti / "sax.nii.gz")
    part = slice(z, z + slices)
    truth = np.asarray(nibabel.load(phantom_nifti / "sax_labels.nii.gz").dataobj)[:, :, part, 0]
    alone = nibabel.Nifti1Image(np.asarray(cine.dataobj)[:, :, part, 0], cine.affine)
    alone.header.set_xyzt_units("mm")
    nibabel.save(alone, tmp_path / "slice.nii.gz")
    outcome = opencmr("segment", tmp_path / "slice.nii.gz", "-o", tmp_path / "labels.nii.gz")
    assert outcome.status == 0, outcome.err
    found = np.asarray(nibabel.load(tmp_path / "labels.nii.gz").dataobj)
    assert dice(found == 3, truth == 3) > 0.8


def test_a_json_file_beside_the_output_is_not_overwritten(opencmr, phantom_nifti, tmp_path):
    (tmp_path / "labels.json").write_text("mine")
    outcome = opencmr("segment", phantom_nifti / "sax.nii.gz", "-o", tmp_path / "labels.nii.gz")
    assert outcome.status == 2
    assert (tmp_path / "labels.json").read_text() == "mine"


def test_the_input_is_never_the_output(opencmr, phantom_nifti):
    source = phantom_nifti / "sax.nii.gz"
    before = source.read_bytes()
    assert opencmr("segment", source, "-o", source, "--overwrite").status == 2
    assert source.read_bytes() == before


@pytest.mark.long
def test_class_shares_are_written_on_request(opencmr, phantom_nifti, tmp_path):
    outcome = opencmr(
        "segment", phantom_nifti / "sax.nii.gz", "-o", tmp_path / "labels.nii.gz",
        "--probabilities", tmp_path / "shares.npz",
    )  # fmt: skip
    assert outcome.status == 0, outcome.err
    with np.load(tmp_path / "shares.npz") as archive:
        shares, classes = archive["shares"], list(archive["classes"])
    labels = np.asarray(nibabel.load(tmp_path / "labels.nii.gz").dataobj)
    assert classes == ["background", "RV", "MYO", "LV"]
    assert shares.shape == (4, *labels.T.shape)
    assert shares.sum(0) == pytest.approx(np.ones(labels.T.shape), abs=0.01)
    assert np.mean(shares.argmax(0) == labels.T) > 0.98


def test_noise_holds_no_heart_and_gets_empty_labels_that_say_so(opencmr, tmp_path):
    noise = np.random.default_rng(0).integers(0, 400, (96, 96, 6)).astype(np.int16)
    image = nibabel.Nifti1Image(noise, np.diag([1.5, 1.5, 8.0, 1.0]))
    image.header.set_xyzt_units("mm")
    nibabel.save(image, tmp_path / "noise.nii.gz")
    outcome = opencmr(
        "segment", tmp_path / "noise.nii.gz", "-o", tmp_path / "labels.nii.gz", "--json",
        "--probabilities", tmp_path / "shares.npz",
    )  # fmt: skip
    assert outcome.status == 0, outcome.err
    assert "NO_HEART_FOUND" in outcome.json["flags"]
    assert not np.asarray(nibabel.load(tmp_path / "labels.nii.gz").dataobj).any()
    with np.load(tmp_path / "shares.npz") as archive:
        assert archive["shares"][0].min() == 1
    described = json.loads((tmp_path / "labels.json").read_text())
    assert [(flag["severity"], flag["code"]) for flag in described["flags"]] == [
        ("info", "ORIENTATION_UNKNOWN"),
        ("review", "NO_HEART_FOUND"),
    ]
