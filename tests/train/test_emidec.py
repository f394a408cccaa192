"""EMIDEC's stretched pictures: whole patients to folds, and a spacing that undoes the stretch."""

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Picture

from opencmr.errors import ConfigurationError
from opencmr.train.emidec import (
    ARCHIVE,
    CLINICAL_TABLE,
    FOLDS,
    NATIVE_CASES,
    nominal_spacing_mm,
    read_cases,
    read_pictures,
)
from opencmr.train.manifest import MANIFESTS, read_slices


def stretched_rings(row_mm: float, column_mm: float) -> tuple[np.ndarray, float]:
    """A round ventricle of 30 mm radius in three slices 10 mm apart, and the volume of its wall."""
    rows, columns = np.indices((128, 128))
    radius_mm = np.hypot((rows - 60) * row_mm, (columns - 70) * column_mm)
    plane = np.zeros((128, 128), np.uint8)
    plane[radius_mm < 30] = 2
    plane[radius_mm < 20] = 1
    plane[(radius_mm >= 20) & (radius_mm < 24) & (rows < 60)] = 3
    return np.stack([plane] * 3), 3 * np.pi * (30**2 - 20**2) * 10 / 1000


@pytest.mark.parametrize("spacing_mm", [(1.4, 1.4), (0.84, 1.4), (1.9, 1.1)])
def test_the_nominal_spacing_undoes_the_stretch(spacing_mm):
    labels, wall_ml = stretched_rings(*spacing_mm)
    assert nominal_spacing_mm(labels, wall_ml) == pytest.approx(spacing_mm, rel=0.02)


def data_of(folder: Path, patients: dict[str, float], slices: int = 12) -> Path:
    """A data folder with pictures and infarct volumes of made-up patients."""
    lines = ["patient,myo,inf,pmo"]
    (folder / "emidec").mkdir()
    labels, wall_ml = stretched_rings(1.0, 1.5)
    with zipfile.ZipFile(folder / ARCHIVE, "w") as packed:
        for patient, infarct_ml in patients.items():
            lines.append(f"{patient},{wall_ml},{infarct_ml},0")
            for z in reversed(range(slices)):
                for kind, plane in (("image", labels[0] * 9 + z), ("label", labels[0])):
                    stream = io.BytesIO()
                    Picture.fromarray(plane.astype(np.uint8)).save(stream, format="PNG")
                    packed.writestr(f"{kind}/{patient}_{z:03d}.png", stream.getvalue())
    (folder / CLINICAL_TABLE).write_text("\n".join(lines) + "\n")
    return folder


def test_the_slices_of_a_patient_are_read_in_their_order(tmp_path):
    data = data_of(tmp_path, {"P001": 3.0, "P0012": 4.0})
    stack = read_pictures(data / ARCHIVE / "image" / "P001")
    assert stack.shape == (12, 128, 128)
    assert list(stack[:, 0, 0]) == list(range(12))


def test_pictures_that_are_not_there_are_named(tmp_path):
    data = data_of(tmp_path, {"P001": 3.0})
    with pytest.raises(ConfigurationError, match="image/P002"):
        read_pictures(data / ARCHIVE / "image" / "P002")
    with pytest.raises(ConfigurationError, match="no emidec"):
        read_cases(tmp_path / "elsewhere")


def test_folds_hold_as_many_patients_of_each_kind_whatever_the_order_of_the_table(tmp_path):
    patients = {f"P{i:03d}": float(i) for i in range(20, 30)} | {f"N{i:03d}": 0.0 for i in range(5)}
    there_and_back = (patients, dict(reversed(patients.items())))
    folds = []
    for place, order in enumerate(there_and_back):
        folder = tmp_path / str(place)
        folder.mkdir()
        folds.append({c.patient: c.fold for c in read_cases(data_of(folder, order, slices=1))})
    assert folds[0] == folds[1]
    for fold in range(FOLDS):
        in_fold = "".join(sorted(p[0] for p, f in folds[0].items() if f == fold))
        assert in_fold == "NPP"


def test_rows_give_training_slices_at_their_nominal_spacing(tmp_path):
    rows = MANIFESTS["emidec"].rows(data_of(tmp_path, {"P001": 3.0, "N002": 0.0}, slices=2), (0,))
    slices = read_slices(rows, tmp_path, (1, 99))
    assert [(s.subject, s.z) for s in slices] == [
        ("N002", 0),
        ("N002", 1),
        ("P001", 0),
        ("P001", 1),
    ]
    assert slices[0].spacing_mm[1] / slices[0].spacing_mm[0] == pytest.approx(1.5, rel=0.02)
    assert set(np.unique(slices[0].labels)) == {0, 1, 2, 3}


@pytest.mark.real_data
def test_the_unstretched_cases_are_left_out_together(data_folder):
    rows = MANIFESTS["emidec"].rows(data_folder, tuple(range(FOLDS)))
    assert len(rows) == 70
    assert {row.fold for row in rows if row.subject in NATIVE_CASES} == {0}
    sizes = [sum(row.fold == fold for row in rows) for fold in range(FOLDS)]
    assert max(sizes) - min(sizes) <= 2


@pytest.mark.real_data
def test_the_nominal_spacing_of_an_unstretched_case_is_near_its_true_one(data_folder):
    """N006 is 148 columns by 246 rows of 1.458 mm, 10 mm apart, before the stretch to 256 x 256."""
    (row,) = (r for r in MANIFESTS["emidec"].rows(data_folder, (0,)) if r.subject == "N006")
    true_mm = sorted(1.458 * size / 256 for size in (148, 246))
    assert sorted(row.nominal_spacing_mm) == pytest.approx(true_mm, rel=0.03)
