"""``opencmr map``: maps of ms on the input's own grid, or a refusal that says what is wrong."""

import json
import re
import zipfile

import nibabel
import numpy as np
import pydicom
import pytest
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, SecondaryCaptureImageStorage
from scipy import ndimage

T1_MS = np.array([[300.0, 800, 1000], [1200, 1550, 2200]])
T2_MS = np.array([[20.0, 35, 45], [60, 110, 200]])
MOLLI_MS = [100.0, 180, 1050, 1130, 2000, 2080, 2950, 3900]
AFFINE = np.array([[-1.5, 0, 0, 40], [0, 1.4, 0.2, -30], [0, -0.1, 8, 12], [0, 0, 0, 1]])


def molli(times_ms=MOLLI_MS, ratio=1.9, slices=1, signed=False):
    """Pictures (x, y, slice, N)."""
    times_ms = np.array(times_ms)
    signals = 500 * (1 - ratio * np.exp(-times_ms * (ratio - 1) / T1_MS[..., None]))
    signals = signals if signed else np.abs(signals)
    return np.repeat(signals[:, :, None], slices, axis=2)


def decay(times_ms, truth_ms=T2_MS):
    return 900 * np.exp(-np.array(times_ms) / truth_ms[:, :, None, None])


@pytest.fixture
def save(tmp_path):
    """Write a NIfTI file and its sidecar; return the path of the NIfTI file."""

    def write(pictures, sidecar, name="series.nii.gz", affine=AFFINE):
        nifti = nibabel.Nifti1Image(np.asarray(pictures, dtype=np.float32), affine)
        if affine is AFFINE:
            nifti.header.set_xyzt_units("mm")
        nibabel.save(nifti, tmp_path / name)
        if sidecar is not None:
            path = tmp_path / (name.split(".")[0] + ".json")
            path.write_text(sidecar if isinstance(sidecar, str) else json.dumps(sidecar))
        return tmp_path / name

    return write


def values_of(path):
    return np.asarray(nibabel.load(path).dataobj)


@pytest.mark.parametrize(
    "sidecar",
    [
        {"inversion_times_ms": MOLLI_MS},
        {"inversion_times_ms": MOLLI_MS, "scheme": "MOLLI"},
        {"InversionTime": [t / 1000 for t in MOLLI_MS], "scheme": "MOLLI 5(3)3"},
        {"InversionTime": [t / 1000 for t in MOLLI_MS], "EchoTime": 0.0011, "FlipAngle": 35},
    ],
)
def test_a_molli_series_becomes_a_map_in_ms_on_its_own_grid(opencmr, save, tmp_path, sidecar):
    source = save(molli(slices=2), sidecar)
    outcome = opencmr("map", source, "-o", tmp_path / "t1.nii.gz", "--kind", "t1")
    assert outcome.status == 0, outcome.err
    found = nibabel.load(tmp_path / "t1.nii.gz")
    assert found.shape == (2, 3, 2)
    np.testing.assert_allclose(found.affine, nibabel.load(source).affine)
    np.testing.assert_allclose(values_of(tmp_path / "t1.nii.gz")[..., 1], T1_MS, atol=0.1)
    assert values_of(tmp_path / "t1_se.nii.gz").max() < 0.1
    assert values_of(tmp_path / "t1_residual.nii.gz").max() < 0.01
    assert json.loads((tmp_path / "t1.json").read_text())["fitted_pixels"] == 12
    assert ("FlipAngle" in outcome.err) == ("FlipAngle" in sidecar)


def test_shuffled_and_signed_pictures_give_the_same_map(opencmr, save, tmp_path):
    order = [5, 0, 7, 2, 1, 6, 4, 3]
    for signed in (False, True):
        source = save(
            molli(signed=signed)[..., order],
            {"inversion_times_ms": [MOLLI_MS[n] for n in order]},
        )
        words = ("map", source, "-o", tmp_path / "t1.nii.gz", "--kind", "t1", "--overwrite")
        outcome = opencmr(*words, "--json")
        assert outcome.json["polarity"] == ("as stored" if signed else "restored")
        np.testing.assert_allclose(values_of(tmp_path / "t1.nii.gz")[..., 0], T1_MS, atol=0.1)


def test_an_inversion_recovery_by_name_is_not_corrected(opencmr, save, tmp_path):
    times_ms = np.array([50.0, 150, 400, 900, 1800, 3500, 7000])
    signals = np.abs(1 - 1.7 * np.exp(-times_ms / T1_MS[:, :, None, None]))
    source = save(signals, {"inversion_times_ms": times_ms.tolist(), "scheme": "IR"})
    assert opencmr("map", source, "-o", tmp_path / "o.nii", "--kind", "t1").status == 0
    np.testing.assert_allclose(values_of(tmp_path / "o.nii")[..., 0], T1_MS, atol=0.1)


def test_saturation_recovery_takes_null_for_the_picture_without_saturation(opencmr, save, tmp_path):
    times_ms = [90.0, 200, 310, 420, 530, 640, 750, np.inf]
    signals = 800 * (1 - 0.95 * np.exp(-np.array(times_ms) / T1_MS[:, :, None, None]))
    sidecar = {"inversion_times_ms": [*times_ms[:-1], None], "scheme": "SASHA"}
    source = save(signals, sidecar)
    assert opencmr("map", source, "-o", tmp_path / "o.nii", "--kind", "t1").status == 0
    np.testing.assert_allclose(values_of(tmp_path / "o.nii")[..., 0], T1_MS, atol=0.1)


@pytest.mark.parametrize(
    ("kind", "sidecar", "times_ms"),
    [
        ("t2", {"t2prep_ms": [0, 25, 55], "EchoTime": 0.0013}, [0, 25, 55]),
        ("t2", {"echo_times_ms": [10, 20, 40, 60, 90]}, [10, 20, 40, 60, 90]),
        ("t2star", {"EchoTime": [0.0013, 0.0035, 0.0057, 0.0079, 0.012]}, [1.3, 3.5, 5.7, 7.9, 12]),
    ],
)
def test_decays_become_maps_of_t2_and_t2_star(opencmr, save, tmp_path, kind, sidecar, times_ms):
    source = save(decay(times_ms), sidecar)
    outcome = opencmr("map", source, "-o", tmp_path / "o.nii.gz", "--kind", kind)
    assert outcome.status == 0, outcome.err
    np.testing.assert_allclose(values_of(tmp_path / "o.nii.gz")[..., 0], T2_MS, atol=0.1)


def test_three_parameters_on_request_know_an_offset(opencmr, save, tmp_path):
    times_ms = [5.0, 15, 30, 50, 80, 130, 200]
    source = save(decay(times_ms) + 120, {"echo_times_ms": times_ms, "fit_parameters": 3})
    assert opencmr("map", source, "-o", tmp_path / "o.nii.gz", "--kind", "t2").status == 0
    np.testing.assert_allclose(values_of(tmp_path / "o.nii.gz")[..., 0], T2_MS, atol=0.1)


def test_scaled_intensities_leave_the_map_alone(opencmr, save, tmp_path):
    for name, factor in (("one", 1.0), ("other", 0.003)):
        source = save(factor * molli(), {"inversion_times_ms": MOLLI_MS}, f"{name}.nii.gz")
        opencmr("map", source, "-o", tmp_path / f"{name}_t1.nii.gz", "--kind", "t1")
    one, other = (values_of(tmp_path / f"{name}_t1.nii.gz") for name in ("one", "other"))
    np.testing.assert_allclose(one, other, atol=1e-2)


def test_what_cannot_be_fitted_is_nan_in_all_three_files(opencmr, save, tmp_path):
    pictures = molli()
    pictures[0, 0] = 0
    pictures[0, 1] = 77
    pictures[1, 0, 0, 3] = np.nan
    source = save(pictures, {"inversion_times_ms": MOLLI_MS})
    assert opencmr("map", source, "-o", tmp_path / "o.nii.gz", "--kind", "t1").status == 0
    for name in ("o", "o_se", "o_residual"):
        lost = np.isnan(values_of(tmp_path / f"{name}.nii.gz")[..., 0])
        np.testing.assert_array_equal(lost, [[True, True, False], [True, False, False]])


def test_a_file_without_geometry_is_mapped_and_flagged(opencmr, save, tmp_path):
    source = save(molli(), {"inversion_times_ms": MOLLI_MS}, affine=np.eye(4))
    outcome = opencmr("map", source, "-o", tmp_path / "o.nii.gz", "--kind", "t1")
    assert outcome.status == 0
    assert "NO_GEOMETRY" in outcome.err
    np.testing.assert_allclose(values_of(tmp_path / "o.nii.gz")[..., 0], T1_MS, atol=0.1)


def changed(**changes):
    return {"inversion_times_ms": MOLLI_MS, **changes}


@pytest.mark.parametrize(
    ("sidecar", "said"),
    [
        (None, "sidecar series.json beside the image is missing.*inversion_times_ms"),
        ("no json", "no JSON object"),
        ("[1, 2]", "no JSON object"),
        ({}, "no list of times for a t1 map; write"),
        ({"InversionTime": 0.1}, "no list of times"),
        ({"echo_times_ms": MOLLI_MS}, "no list of times for a t1 map"),
        (changed(inversion_times_ms=MOLLI_MS[:7]), "7 times, the image 8 pictures"),
        (changed(inversion_times_ms=[*MOLLI_MS[:7], 2950]), "2950 ms is there twice"),
        (changed(inversion_times_ms=[-100, *MOLLI_MS[1:]]), "-100 ms is negative"),
        (changed(inversion_times_ms=[None, *MOLLI_MS[1:]]), "must hold numbers"),
        (changed(inversion_times_ms=["100", *MOLLI_MS[1:]]), "must hold numbers"),
        (changed(inversion_times_ms=[t / 1000 for t in MOLLI_MS]), "seconds given as milliseconds"),
        ({"InversionTime": MOLLI_MS}, "milliseconds given as seconds"),
        (changed(InversionTime=[t / 900 for t in MOLLI_MS]), "state different times"),
        (changed(scheme="MOLLY"), "unknown; expected one of MOLLI"),
        (changed(scheme=5), "must be a text"),
        (changed(scheme="MOLLI 4(1)3(1)2"), "names 9 pictures, the series has 8"),
        (changed(scheme="ShMOLLI"), "7 pictures"),
        (changed(fit_parameters=4), "must be 2 or 3"),
    ],
)
def test_wrong_sidecars_are_refused_by_name_and_leave_nothing(
    opencmr, save, tmp_path, sidecar, said
):
    source = save(molli(), sidecar)
    outcome = opencmr("map", source, "-o", tmp_path / "o.nii.gz", "--kind", "t1")
    assert outcome.status in (2, 4)
    assert re.search(said, outcome.err), outcome.err
    assert not list(tmp_path.glob("o*"))


def test_a_finished_map_in_seconds_is_refused(opencmr, save, tmp_path):
    source = save(T1_MS[:, :, None] / 1000, {"inversion_times_ms": MOLLI_MS})
    outcome = opencmr("map", source, "-o", tmp_path / "o.nii.gz", "--kind", "t1")
    assert outcome.status == 4
    assert "one in seconds" in outcome.err


def test_the_input_its_sidecar_and_a_strange_json_are_never_written_over(opencmr, save, tmp_path):
    source = save(molli(), changed())
    before = (tmp_path / "series.json").read_text()
    assert opencmr("map", source, "-o", source, "--kind", "t1", "--overwrite").status == 2
    again = tmp_path / "series.nii"
    assert opencmr("map", source, "-o", again, "--kind", "t1", "--overwrite").status == 2
    assert (tmp_path / "series.json").read_text() == before


def picture(tmp_path, number, pixels, **elements):
    """Write one DICOM picture; elements None are left out."""
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset = FileDataset("", {}, file_meta=meta, preamble=bytes(128))
    facts = {
        "SOPClassUID": "1.2.840.10008.5.1.4.1.1.4",
        "SOPInstanceUID": f"1.2.3.4.5.{number}",
        "SeriesInstanceUID": "1.2.3.4.5",
        "StudyInstanceUID": "1.2.3.4",
        "Modality": "MR",
        "ImageType": ["ORIGINAL", "PRIMARY", "M"],
        "SeriesNumber": 7,
        "PixelSpacing": [1.4, 1.5],
        "ImagePositionPatient": [-20.0, -30.0, 40.0],
        "ImageOrientationPatient": [1.0, 0, 0, 0, 1, 0],
        "SliceThickness": 8.0,
        "Rows": pixels.shape[0],
        "Columns": pixels.shape[1],
        "BitsAllocated": 16,
        "BitsStored": 16,
        "HighBit": 15,
        "PixelRepresentation": 0,
        "SamplesPerPixel": 1,
        "PhotometricInterpretation": "MONOCHROME2",
        "PixelData": np.round(pixels).astype("<u2").tobytes(),
        **elements,
    }
    for keyword, value in facts.items():
        if value is not None:
            setattr(dataset, keyword, value)
    tmp_path.mkdir(exist_ok=True)
    dataset.save_as(tmp_path / f"{number}.dcm", enforce_file_format=True)


def dicom_series(folder, changes=lambda n: {}):
    """Write a MOLLI series with a scale of its own for each picture."""
    pictures = 40 * molli()[:, :, 0]
    for n, time_ms in enumerate(MOLLI_MS):
        slope = 1 + n % 3
        elements = {"InversionTime": time_ms, "RescaleSlope": slope, "RescaleIntercept": 0}
        picture(folder, n, pictures[..., n] / slope, **elements | changes(n))
    return folder


def test_a_dicom_series_whose_pictures_are_scaled_each_becomes_a_map(opencmr, tmp_path):
    folder = dicom_series(tmp_path / "series")
    with zipfile.ZipFile(tmp_path / "series.zip", "w") as archive:
        for path in folder.iterdir():
            archive.write(path, path.name)
    for source in (folder, tmp_path / "series.zip"):
        outcome = opencmr("map", source, "-o", tmp_path / "o.nii.gz", "--kind", "t1", "--overwrite")
        assert outcome.status == 0, outcome.err
        # DICOM's rows are the second axis of NIfTI.
        np.testing.assert_allclose(values_of(tmp_path / "o.nii.gz")[..., 0].T, T1_MS, rtol=1e-3)
        zooms = nibabel.load(tmp_path / "o.nii.gz").header.get_zooms()
        np.testing.assert_allclose(zooms[:2], (1.5, 1.4))


def test_siemens_t2_preparations_are_read_from_the_comments(opencmr, tmp_path):
    for n, time_ms in enumerate((0, 25, 55)):
        comment = f"T2 prep. duration = {time_ms} ms"
        pixels = 10 * decay([time_ms])[:, :, 0, 0]
        picture(tmp_path / "s", n, pixels, ImageComments=comment, EchoTime=1.3)
    outcome = opencmr("map", tmp_path / "s", "-o", tmp_path / "o.nii.gz", "--kind", "t2")
    assert outcome.status == 0, outcome.err
    np.testing.assert_allclose(values_of(tmp_path / "o.nii.gz")[..., 0].T, T2_MS, rtol=1e-3)


def test_timed_secondary_captures_are_mapped_without_geometry(opencmr, tmp_path):
    bare = {
        "SOPClassUID": SecondaryCaptureImageStorage,
        "Modality": "OT",
        "PixelSpacing": None,
        "ImagePositionPatient": None,
        "ImageOrientationPatient": None,
    }
    folder = dicom_series(tmp_path / "captures", lambda _: bare)
    outcome = opencmr("map", folder, "-o", tmp_path / "o.nii.gz", "--kind", "t1")
    assert outcome.status == 0, outcome.err
    assert "NO_GEOMETRY" in outcome.err
    np.testing.assert_allclose(values_of(tmp_path / "o.nii.gz")[..., 0].T, T1_MS, rtol=1e-3)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (lambda n: {"InversionTime": None} if n == 2 else {}, "1 of 8 pictures state no inversion"),
        (lambda n: {"InversionTime": 180.0} if n == 4 else {}, "180 ms is there twice"),
        (
            lambda n: {"ImagePositionPatient": [-20, -30, 40 + 9 * (n % 2)]} if n < 7 else {},
            "mixed",
        ),
        (lambda n: {"ImageOrientationPatient": [0, 1, 0, 0, 0, 1]} if n == 1 else {}, "mixed"),
        (lambda n: {"PixelSpacing": None} if n == 3 else {}, "1 of 8 pictures of the series state"),
        (lambda n: {"InversionTime": None}, "no series has several inversion times"),
        (lambda n: {"ImageType": ["DERIVED", "PRIMARY", "T1_MAP"], "InversionTime": None}, "maps"),
        (lambda n: {"SeriesInstanceUID": f"1.2.{n % 2}"}, "2 series have several inversion times"),
    ],
)
def test_wrong_dicom_series_are_refused_by_name(opencmr, tmp_path, changes, said):
    folder = dicom_series(tmp_path / "series", changes)
    outcome = opencmr("map", folder, "-o", tmp_path / "o.nii.gz", "--kind", "t1")
    assert outcome.status == 4
    assert said in outcome.err
    assert not (tmp_path / "o.nii.gz").exists()


@pytest.fixture(scope="module")
def phantoms(data_folder):
    """The archive of the phantoms, as a way to read one of its pictures."""
    path = data_folder / "t1_t2_phantoms" / "mapping_testdata.zip"
    if not path.is_file():
        pytest.skip("t1_t2_phantoms is not there")
    return zipfile.ZipFile(path)


def unpacked(phantoms, folder, part):
    for name in phantoms.namelist():
        if part in name and not name.endswith("/"):
            target = folder / name.replace("/", "_")
            folder.mkdir(exist_ok=True)
            target.write_bytes(phantoms.read(name))
    return folder


def moving(shifts_px, side=96):
    """Pictures (x, y, slice, N) of a ring of muscle about blood that lies where each says."""
    pictures = []
    for time_ms, (right, down) in zip(MOLLI_MS, shifts_px, strict=True):
        x, y = np.indices((side, side)) - (side - 1) / 2
        apart = np.hypot(x - right, y - down)
        cavity, heart = (1 / (1 + np.exp(2 * (apart - radius))) for radius in (9, 16))
        muscle, blood = (1 - 1.9 * np.exp(-time_ms * 0.9 / t1_ms) for t1_ms in (1000, 1600))
        pictures.append(500 * np.abs(muscle * (heart - cavity) + blood * cavity))
    return np.stack(pictures, axis=-1)[:, :, None]


def test_a_picture_that_moved_is_laid_back_and_told_unless_that_is_left_out(
    opencmr, save, tmp_path
):
    shifts_px = np.zeros((8, 2))
    shifts_px[3] = [2.6, -1.8]
    source = save(moving(shifts_px), {"inversion_times_ms": MOLLI_MS, "scheme": "MOLLI"})
    words = ("map", source, "-o", tmp_path / "t1.nii.gz", "--kind", "t1", "--overwrite", "--json")
    x, y = np.indices((96, 96)) - 47.5
    ring = np.abs(np.hypot(x, y) - 12.5) < 1.5
    corrected = opencmr(*words)
    after_ms = values_of(tmp_path / "t1.nii.gz")[..., 0][ring]
    plain = opencmr(*words, "--no-motion-correction")
    before_ms = values_of(tmp_path / "t1.nii.gz")[..., 0][ring]
    assert "1 of 8 pictures shifted by up to 4." in corrected.err
    told = corrected.json["motion"]
    assert told["misfit_after"] < 0.2 * told["misfit_before"]
    assert told["greatest_shift_mm"] == pytest.approx(np.hypot(2.6 * 1.5, 1.8 * 1.4), abs=0.4)
    assert plain.json["motion"] is None
    assert "shifted" not in plain.err
    assert np.abs(after_ms / 1000 - 1).max() < 0.01
    assert np.abs(before_ms / 1000 - 1).max() > 0.03


@pytest.mark.real_data
@pytest.mark.parametrize(
    ("part", "kind"),
    [
        ("dicomT1/raw", "t1"),
        ("dicomT2/raw", "t2"),
        pytest.param("Konrad_Shmolli/ShMOLLI_192i_e11_12", "t1", marks=pytest.mark.long),
    ],
)
def test_phantoms_that_lie_still_are_mapped_to_the_bit_with_and_without_correction(
    opencmr, phantoms, tmp_path, part, kind
):
    folder = unpacked(phantoms, tmp_path / "raw", part)
    words = ("map", folder, "-o", tmp_path / "o.nii.gz", "--kind", kind, "--overwrite", "--json")
    outcome = opencmr(*words)
    one = values_of(tmp_path / "o.nii.gz")
    assert outcome.json["motion"]["moved_pictures"] == 0
    assert opencmr(*words, "--no-motion-correction").status == 0
    np.testing.assert_array_equal(one, values_of(tmp_path / "o.nii.gz"))


@pytest.mark.real_data
@pytest.mark.parametrize(("part", "kind"), [("dicomT1", "t1"), ("dicomT2", "t2")])
def test_the_digital_phantoms_give_their_truth_within_1_percent(
    opencmr, phantoms, tmp_path, part, kind
):
    folder = unpacked(phantoms, tmp_path / "raw", f"{part}/raw")
    outcome = opencmr("map", folder, "-o", tmp_path / "o.nii.gz", "--kind", kind)
    assert outcome.status == 0, outcome.err
    assert "NO_GEOMETRY" in outcome.err
    truth = pydicom.dcmread(
        phantoms.open(next(n for n in phantoms.namelist() if f"{part}/map/map" in n))
    )
    truth_ms = truth.pixel_array.astype(float)
    found_ms = values_of(tmp_path / "o.nii.gz")[..., 0].T
    assert np.isnan(found_ms[truth_ms == 0]).all()
    np.testing.assert_allclose(found_ms[truth_ms > 0], truth_ms[truth_ms > 0], rtol=0.01)


@pytest.mark.real_data
def test_the_shmolli_phantom_gives_the_scanners_map_within_3_percent(opencmr, phantoms, tmp_path):
    folder = unpacked(phantoms, tmp_path / "series", "Konrad_Shmolli")
    outcome = opencmr("map", folder, "-o", tmp_path / "o.nii.gz", "--kind", "t1", "--json")
    assert outcome.status == 0, outcome.err
    assert outcome.json["scheme"] == "ShMOLLI"
    found_ms = values_of(tmp_path / "o.nii.gz")[..., 0].T
    scanner_ms, explained = (
        pydicom.dcmread(
            phantoms.open(next(n for n in phantoms.namelist() if part in n))
        ).pixel_array
        for part in ("T1MAP_14/IM-0003-0002", "FITPARAMS_15/IM-0004-0001")
    )
    seen = (explained > 0) & (scanner_ms > 80)
    mean_ms = ndimage.uniform_filter(scanner_ms.astype(float), 3)
    spread_ms = ndimage.generic_filter(scanner_ms.astype(float), np.std, 3)
    even = ndimage.binary_opening(seen & (spread_ms < 0.05 * mean_ms), iterations=2)
    labels, count = ndimage.label(even)
    vials = [labels == n for n in range(1, count + 1) if (labels == n).sum() >= 150]
    assert len(vials) >= 10
    for vial in vials:
        assert np.median(found_ms[vial]) == pytest.approx(np.median(scanner_ms[vial]), rel=0.03)
