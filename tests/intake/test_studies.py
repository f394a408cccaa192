"""The door of intake: from a path to studies, whatever else lies there."""

import gc
import re
import shutil
import tracemalloc
import zipfile
from collections import Counter
from pathlib import Path

import nibabel
import numpy as np
import pydicom
import pytest
from pydicom.encaps import encapsulate
from pydicom.uid import JPEG2000Lossless

from opencmr.errors import InputError
from opencmr.imaging.flag import LeftOut, Severity
from opencmr.intake.containers.limits import DecodeLimits
from opencmr.intake.studies import read_pair, read_studies


def _codes(rows: tuple[LeftOut, ...]) -> Counter[str]:
    counts: Counter[str] = Counter()
    for row in rows:
        counts[row.reason.code] += row.count
    return counts


def _only_image(path):
    (study,) = read_studies(path)
    (series,) = study.series
    return series.image


def _nifti(path: Path, zooms=(1.5, 1.5, 8.0), seed: int = 0, shape=(6, 5, 4)) -> Path:
    values = np.random.default_rng(seed).integers(0, 500, shape).astype(np.int16)
    image = nibabel.Nifti1Image(values, np.diag([*zooms, 1.0]))
    image.header.set_xyzt_units("mm")
    nibabel.save(image, path)
    return path


def test_a_folder_becomes_one_study_with_one_cine(cine_folder):
    steps: list[tuple[str, int, int]] = []
    result = read_studies(cine_folder(), progress=lambda *step: steps.append(step))
    (study,) = result
    (series,) = study.series
    assert series.image.values.shape == (4, 3, 12, 16)
    assert series.image.grid.slice_spacing_mm == pytest.approx(10)
    assert result.left_out == study.left_out == study.flags == ()
    assert study.demographics.sex == "F"
    assert study.demographics.age_years == pytest.approx(50, abs=0.1)
    assert study.demographics.heart_rate_bpm == pytest.approx(75)
    assert study.scanner.vendor == "ACME"
    assert steps[0] == ("reading", 1, 12)
    assert ("reading", 12, 12) in steps


def test_numbers_that_a_header_states_wrongly_are_said_once_for_the_study(cine_folder):
    folder = cine_folder()
    for path in folder.iterdir():
        content = path.read_bytes()
        assert content.count(b"DS\x08\x001.5\\1.25") == 1
        path.write_bytes(content.replace(b"DS\x08\x001.5\\1.25", b"DS\x08\x001,5\\1,25"))
    (study,) = read_studies(folder)
    assert study.series[0].image.grid.row_spacing_mm == pytest.approx(1.5)
    (flag,) = study.flags
    assert (flag.severity, flag.code, flag.evidence) == (
        Severity.INFO,
        "NUMBERS_REPAIRED",
        "PixelSpacing",
    )


def test_zip_folder_dicomdir_and_shuffled_names_give_the_same_study(cine_folder, tmp_path):
    folder = cine_folder()
    files = sorted(folder.iterdir())
    (plain,) = read_studies(folder)
    archive = tmp_path / "a.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as writer:
        for path in files:
            writer.write(path, path.name)
    shuffled = tmp_path / "shuffled"
    for number, place in enumerate(np.random.default_rng(2).permutation(len(files))):
        (shuffled / str(number % 3)).mkdir(parents=True, exist_ok=True)
        shutil.copy(files[place], shuffled / str(number % 3) / f"{number}.txt")
    for source in (archive, shuffled):
        (other,) = read_studies(source)
        assert (other.key, other.input_sha256) == (plain.key, plain.input_sha256)
        assert np.array_equal(other.series[0].image.values, plain.series[0].image.values)
        assert other.series[0].image.sources == plain.series[0].image.sources


def test_an_enhanced_study_equals_its_classic_twin(dicom, cine_folder, tmp_path):
    classic = _only_image(cine_folder())
    dicom.save(dicom.enhanced(dicom.cine()), tmp_path / "enhanced" / "1")
    enhanced = _only_image(tmp_path / "enhanced")
    assert np.array_equal(classic.values, enhanced.values)
    assert np.allclose(classic.grid.affines, enhanced.grid.affines, atol=1e-6)
    assert np.allclose(classic.trigger_ms, enhanced.trigger_ms)
    assert np.allclose(classic.rr_ms, enhanced.rr_ms)


def test_no_name_or_text_of_a_study_holds_an_identifier(cine_folder):
    (study,) = read_studies(cine_folder())
    shown = " ".join([repr(study.identity), study.key, repr(study.left_out), repr(study.flags)])
    for secret in ("Doe", "SECRET", "1970", "1.2.3.4"):
        assert secret not in shown


def test_sex_and_age_are_unknown_where_the_header_is_silent(cine_folder):
    folder = cine_folder(PatientSex=None, PatientBirthDate=None, PatientAge=None)
    (study,) = read_studies(folder)
    assert (study.demographics.sex, study.demographics.age_years) == (None, None)


@pytest.mark.parametrize(
    ("size", "weight", "expected"),
    [
        ("1.75", "80", (175.0, 80.0)),
        ("175", "80", (None, 80.0)),
        ("1700", "0", (None, None)),
        ("0", None, (None, None)),
        (None, None, (None, None)),
    ],
)
def test_body_sizes_that_cannot_be_true_are_unknown_and_flagged(
    cine_folder, size, weight, expected
):
    folder = cine_folder(PatientSize=size, PatientWeight=weight)
    (study,) = read_studies(folder)
    assert (study.demographics.height_cm, study.demographics.weight_kg) == expected
    impossible = sum(v is not None for v in (size, weight)) - sum(v is not None for v in expected)
    assert [flag.code for flag in study.flags] == ["BSA_UNKNOWN"] * impossible


def test_the_same_instance_twice_is_counted_once(cine_folder):
    folder = cine_folder()
    before = _only_image(folder)
    shutil.copytree(folder, folder / "copy")
    (study,) = read_studies(folder)
    assert np.array_equal(study.series[0].image.values, before.values)
    assert _codes(study.left_out) == {"DUPLICATE": 12}
    assert study.flags == ()


def test_a_copy_that_an_archive_relabelled_is_still_the_same_picture(cine_folder, dicom):
    folder = cine_folder()
    dicom.save(dicom.cine(StudyDescription="rewritten")[0], folder / "copy")
    (study,) = read_studies(folder)
    assert _codes(study.left_out) == {"DUPLICATE": 1}


def test_one_instance_uid_with_two_contents_leaves_out_both_and_says_so(cine_folder, dicom):
    folder = cine_folder()
    for seed in (7, 8):
        changed = dicom.cine()[0]
        changed.PixelData = dicom.picture(seed=seed).tobytes()
        dicom.save(changed, folder / f"other-{seed}")
    (study,) = read_studies(folder)
    assert _codes(study.left_out)["UID_CONFLICT"] == 3
    assert "UID_CONFLICT" in {flag.code for flag in study.flags}
    kept = set(study.series[0].image.sources)
    assert dicom.cine()[0].SOPInstanceUID not in kept


@pytest.mark.parametrize(
    "change", [{"PatientID": "OTHER"}, {"PatientBirthDate": "19800101"}, {"PatientSex": "M"}]
)
def test_two_patients_under_one_study_uid_are_refused(cine_folder, dicom, change):
    folder = cine_folder()
    dicom.save(dicom.mr(SOPInstanceUID="1.2.3.99", **change), folder / "other")
    with pytest.raises(InputError, match="PATIENT_MIX") as caught:
        read_studies(folder)
    assert "OTHER" not in str(caught.value)
    assert "SECRET" not in str(caught.value)


def _mixed(cine_folder, dicom, **facts):
    folder = cine_folder()
    for path in folder.iterdir():
        dataset = pydicom.dcmread(path)
        dataset.PatientID = ""
        dicom.save(dataset, path)
    extra = {"SOPInstanceUID": "1.2.3.99", "SeriesInstanceUID": "1.2.3.98", "TriggerTime": None}
    dicom.save(dicom.mr(**extra, **{"PatientID": "", **facts}), folder / "other")
    return folder


@pytest.mark.parametrize("patient_id", ["", "X9"])
def test_two_family_names_without_identifiers_are_a_mix(cine_folder, dicom, patient_id):
    folder = _mixed(cine_folder, dicom, PatientName="Smith^Jane", PatientID=patient_id)
    with pytest.raises(InputError, match="PATIENT_MIX") as caught:
        read_studies(folder)
    assert not {"Smith", "Doe", "Jane", "X9"} & set(re.findall(r"\w+", str(caught.value)))


@pytest.mark.parametrize("name", ["DOE^JANE", "Doe^Jane^Mary", "Jane^Doe", "Döe Jane", ""])
def test_one_person_written_in_two_ways_is_no_mix(cine_folder, dicom, name):
    (study,) = read_studies(_mixed(cine_folder, dicom, PatientName=name))
    assert len(study.series) == 2


def test_a_new_name_under_the_same_identifier_is_no_mix(cine_folder, dicom):
    folder = cine_folder()
    married = dicom.mr(
        SOPInstanceUID="1.2.3.99",
        SeriesInstanceUID="1.2.3.98",
        PatientName="Smith^Jane",
        TriggerTime=None,
    )
    dicom.save(married, folder / "other")
    assert len(read_studies(folder)) == 1


def test_a_name_that_an_archive_spelt_anew_makes_no_conflict_of_two_copies(cine_folder, dicom):
    folder = cine_folder()
    copy = dicom.cine()[0]
    copy.PatientName = "DOE^JANE"
    dicom.save(copy, folder / "copy")
    (study,) = read_studies(folder)
    assert _codes(study.left_out) == {"DUPLICATE": 1}


def test_a_scout_with_its_own_frame_of_reference_or_without_identity_is_no_mix(cine_folder, dicom):
    folder = cine_folder()
    scout = dicom.mr(
        SOPInstanceUID="1.2.3.99",
        SeriesInstanceUID="1.2.3.98",
        FrameOfReferenceUID="1.2.3.97",
        PatientBirthDate="00000000",
        PatientSex=None,
        TriggerTime=None,
    )
    dicom.save(scout, folder / "scout")
    (study,) = read_studies(folder)
    assert len(study.series) == 2
    assert len({series.frame_of_reference_uid for series in study.series}) == 2


def test_several_patients_and_strangers_in_one_folder_are_told_apart(cine_folder, dicom, tmp_path):
    folder = cine_folder()
    for number, dataset in enumerate(dicom.cine(StudyInstanceUID="1.2.77", PatientID="B")):
        dataset.SOPInstanceUID += ".7"
        dataset.SeriesInstanceUID += ".7"
        dicom.save(dataset, folder / "b" / str(number))
    dicom.save(dicom.mr(Modality="CT", StudyInstanceUID="1.2.88"), folder / "ct")
    (folder / "notes.txt").write_text("hello")
    _nifti(folder / "stack.nii.gz")
    result = read_studies(folder)
    assert len(result) == 3
    assert len({study.key for study in result}) == 3
    assert _codes(result.left_out) == {"NOT_MR": 1, "NOT_AN_IMAGE": 1}


def test_a_file_that_hangs_the_decoder_does_not_stop_the_study(cine_folder, dicom):
    folder = cine_folder()
    endless = b"\x00\x00\x00\x0cjP  \r\n\x87\n" + bytes(64)
    dataset = dicom.mr(SOPInstanceUID="1.2.3.99", PixelData=encapsulate([endless]))
    dataset["PixelData"].is_undefined_length = True
    dataset.file_meta.TransferSyntaxUID = JPEG2000Lossless
    dicom.save(dataset, folder / "005-endless")
    result = read_studies(folder, decode_limits=DecodeLimits(pixels_s=2.0))
    (study,) = result
    assert study.series[0].image.values.shape == (4, 3, 12, 16)
    assert _codes(study.left_out) == {"DECODE_TIMEOUT": 1}
    assert [flag.code for flag in study.flags] == ["DECODE_TIMEOUT"]


def test_a_truncated_instance_is_named_in_its_study(cine_folder):
    folder = cine_folder()
    path = sorted(folder.iterdir())[-1]
    path.write_bytes(path.read_bytes()[:-100])
    (study,) = read_studies(folder)
    assert _codes(study.left_out)["TRUNCATED"] == 1
    assert "TRUNCATED" in {flag.code for flag in study.flags}


@pytest.mark.parametrize("content", [b"", b"hello"])
def test_an_input_without_images_says_what_was_found(tmp_path, content):
    (tmp_path / "Jane-Doe.txt").write_bytes(content)
    with pytest.raises(InputError, match="1 x file: NOT_AN_IMAGE") as caught:
        read_studies(tmp_path)
    assert "Jane" not in str(caught.value)
    assert caught.value.exit_status == 4


def test_an_empty_folder_says_so(tmp_path):
    with pytest.raises(InputError, match="empty"):
        read_studies(tmp_path)


def test_each_nifti_file_is_a_study_and_a_copy_is_none(tmp_path):
    one = _nifti(tmp_path / "a.nii.gz")
    _nifti(tmp_path / "b.nii", seed=1)
    shutil.copy(one, tmp_path / "c.nii.gz")
    result = read_studies(tmp_path)
    assert len(result) == 2
    assert {study.uid for study in result} == {""}
    assert _codes(result.left_out) == {"DUPLICATE": 1}


def test_a_label_map_beside_its_image_is_no_study(tmp_path):
    image = _nifti(tmp_path / "patient001_ed.nii.gz")
    labels = np.random.default_rng(0).integers(0, 4, (6, 5, 4)).astype(np.uint8)
    path = tmp_path / "patient001_ed_gt.nii.gz"
    nibabel.save(nibabel.Nifti1Image(labels, nibabel.load(image).affine), path)
    result = read_studies(tmp_path)
    assert len(result) == 1
    assert _codes(result.left_out) == {"LABEL_MAP": 1}
    with pytest.raises(InputError, match="1 x NIfTI file: LABEL_MAP"):
        read_studies(path)


def _many_studies(folder: Path, dicom, number: int) -> Path:
    """Write a cine of 3 x 4 pictures of 192 x 192 a study, their files mixed in one folder.

    Beside so many pixels, what is kept of each header weighs little.
    """
    folder.mkdir(exist_ok=True)
    for study in range(number):
        for place, dataset in enumerate(dicom.cine(StudyInstanceUID=f"1.2.{study}")):
            dataset.SOPInstanceUID += f".{study}"
            dataset.SeriesInstanceUID += f".{study}"
            dataset.Rows = dataset.Columns = 192
            dataset.PixelData = dicom.picture(100 * study + place, (192, 192)).tobytes()
            dicom.save(dataset, folder / f"{place:02d}-{study}")
    return folder


@pytest.mark.parametrize("kind", ["folder", "archive", "NIfTI"])
def test_memory_holds_one_study_however_many_there_are(dicom, tmp_path, kind):
    peaks = []
    for number in (1, 6):
        folder = tmp_path / str(number)
        folder.mkdir()
        if kind == "NIfTI":
            for seed in range(number):
                _nifti(folder / f"{seed}.nii", seed=seed, shape=(128, 128, 24))
        else:
            _many_studies(folder, dicom, number)
        if kind == "archive":
            folder = Path(shutil.make_archive(str(tmp_path / f"all-{number}"), "zip", folder))
        gc.collect()
        tracemalloc.start()
        with read_studies(folder) as studies:
            assert len(studies) == number
            keys = []
            for study in studies:
                keys.append(study.key)
                del study
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert keys == sorted(set(keys))
    assert peaks[1] < 1.1 * peaks[0]


def test_a_study_can_be_read_by_its_place_and_read_again(dicom, tmp_path):
    studies = read_studies(_many_studies(tmp_path, dicom, 3))
    first = studies[0]
    assert [study.key for study in studies[1:]] == [study.key for study in list(studies)[1:]]
    assert studies[-3].key == first.key != studies[1].key
    with pytest.raises(IndexError):
        studies[3]


def test_what_was_unpacked_goes_when_the_studies_go(dicom, tmp_path, monkeypatch):
    spools = tmp_path / "spools"
    spools.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(spools))
    folder = _many_studies(tmp_path / "studies", dicom, 2)
    archive = shutil.make_archive(str(tmp_path / "a"), "zip", folder)
    with read_studies(Path(archive)) as studies:
        assert len(list(studies)) == 2
        assert list(spools.rglob("*"))
    assert not list(spools.iterdir())
    studies = read_studies(Path(archive))
    assert list(spools.iterdir())
    del studies
    assert not list(spools.iterdir())


def test_one_instance_in_two_studies_belongs_to_neither(dicom, tmp_path):
    folder = _many_studies(tmp_path, dicom, 2)
    for study in range(2):
        dicom.save(
            dicom.mr(SOPInstanceUID="9.9", StudyInstanceUID=f"1.2.{study}"), folder / f"x{study}"
        )
    for study in read_studies(folder):
        assert _codes(study.left_out) == {"UID_CONFLICT": 1}


def test_a_study_that_cannot_be_decoded_does_not_stop_the_others(dicom, tmp_path):
    folder = _many_studies(tmp_path, dicom, 2)
    dataset = dicom.mr(SOPInstanceUID="9.9", StudyInstanceUID="1.2.9")
    dataset.PixelData = encapsulate([b"no picture"])
    dataset["PixelData"].is_undefined_length = True
    dataset.file_meta.TransferSyntaxUID = JPEG2000Lossless
    dicom.save(dataset, folder / "z")
    studies = read_studies(folder)
    assert len([study.key for study in studies]) == 2
    assert _codes(studies.left_out) == {"DECODE_FAILED": 1}


def test_a_study_has_one_limit_for_its_pixels(dicom, tmp_path, monkeypatch):
    monkeypatch.setattr("opencmr.intake.containers.limits.STUDY_DECODED_BYTES", 11 * 192 * 192 * 4)
    for study in read_studies(_many_studies(tmp_path, dicom, 2)):
        assert _codes(study.left_out)["TOO_LARGE"] == 1


def test_a_spacing_given_for_dicom_is_not_used_and_said_so(cine_folder):
    (study,) = read_studies(cine_folder(), spacing_mm=(5.0, 1.0, 1.0))
    assert study.series[0].image.grid.slice_spacing_mm == pytest.approx(10)
    assert [flag.code for flag in study.flags] == ["SPACING_IGNORED"]


def test_nifti_without_spacing_is_refused_with_the_remedy_unless_it_is_given(tmp_path):
    path = _nifti(tmp_path / "a.nii", zooms=(1.0, 1.0, 1.0))
    data = bytearray(path.read_bytes())
    data[123] = 0
    path.write_bytes(data)
    with pytest.raises(InputError, match="--spacing"):
        read_studies(path)
    (study,) = read_studies(path, spacing_mm=(8.0, 1.5, 1.25))
    assert study.series[0].image.grid.slice_spacing_mm == pytest.approx(8)


def test_a_pair_of_stacks_is_one_study_of_two_phases(tmp_path):
    (study,) = read_pair(_nifti(tmp_path / "ed.nii"), _nifti(tmp_path / "es.nii", seed=1))
    assert study.series[0].image.phases == 2
    (again,) = read_pair(tmp_path / "ed.nii", tmp_path / "es.nii")
    assert study.key == again.key


@pytest.mark.real_data
def test_a_ge_cine_is_read_whole(data_folder):
    result = read_studies(data_folder / "sunnybrook" / "SC-HF-I-1.zip")
    (study,) = result
    (series,) = study.series
    assert series.image.values.shape == (20, 12, 256, 256)
    assert study.left_out == ()
    assert 50 < (study.demographics.heart_rate_bpm or 0) < 100


@pytest.mark.real_data
def test_scouts_of_nine_patients_are_nine_studies(data_folder):
    result = read_studies(data_folder / "sunnybrook" / "localizers.zip")
    assert len(result) == 9
    assert all(study.demographics.heart_rate_bpm is None for study in result)


@pytest.mark.real_data
def test_a_siemens_study_is_read_whole(data_folder):
    (study,) = read_studies(data_folder / "siemens_multiview" / "patient1.zip")
    assert sum(series.image.grid.shape[0] for series in study.series) == 11
    assert all(series.image.phases == 25 for series in study.series)
