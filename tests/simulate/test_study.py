"""A whole study: its series, its truth, and that a seed decides every byte."""

import json
from dataclasses import replace
from pathlib import Path

import nibabel
import numpy as np
import pytest
from scipy import ndimage

from opencmr.anatomy.techniques import Technique
from opencmr.anatomy.views import View
from opencmr.errors import ConfigurationError
from opencmr.geometry.orientation import grid_from_ras_affine
from opencmr.simulate import (
    HeartParameters,
    Protocol,
    SimulatedStudy,
    simulate_study,
    write_dicom,
    write_nifti,
)

QUICK = replace(Protocol.small(), phases=4, slices=3, long_axis=False, scouts=False)


def test_a_study_has_a_scout_a_stack_and_three_long_axis_cines(
    small_study: SimulatedStudy,
) -> None:
    views = [series.view for series in small_study.series]
    assert views == [
        View.OTHER,
        View.SAX,
        View.TWO_CHAMBER,
        View.THREE_CHAMBER,
        View.FOUR_CHAMBER,
    ]
    assert small_study.series[0].sequence is Technique.SCOUT
    assert len(small_study.series[0].images) == 3
    assert all(s.images[0].phases == 8 for s in small_study.series[1:])


def test_the_truth_is_the_parameters(small_study: SimulatedStudy) -> None:
    parameters, truth = small_study.parameters, small_study.truth
    assert truth["LVEDV"] == pytest.approx(parameters.edv_ml)
    assert truth["LVEF"] == pytest.approx(parameters.ef_percent)
    assert truth["LVM"] == pytest.approx(parameters.lv_mass_g)
    assert truth["RVEDV"] == pytest.approx(parameters.rv_edv_ml)
    assert truth["LVSV"] == pytest.approx(truth["RVSV"])


def test_the_voxelised_truth_is_near_the_analytic_one(small_study: SimulatedStudy) -> None:
    for symbol in ("LVEDV", "LVM", "RVEDV"):
        assert small_study.truth_voxelised[symbol] == pytest.approx(
            small_study.truth[symbol], rel=0.1
        )
    assert small_study.truth_voxelised["LVEF"] == pytest.approx(small_study.truth["LVEF"], abs=5)


def test_the_stack_covers_the_heart_from_above_the_base_to_beyond_the_apex(
    small_study: SimulatedStudy,
) -> None:
    lv = (small_study.labels.labels == 3).any((0, 2, 3))
    assert not lv[0]
    assert not lv[-1]
    assert lv[1:-2].all()


def test_muscle_closes_around_the_cavity_and_the_right_ventricle_touches_it(
    small_study: SimulatedStudy,
) -> None:
    labels = small_study.labels.labels[0]
    for z in (2, 3, 4):
        lv, wall, rv = labels[z] == 3, labels[z] == 2, labels[z] == 1
        assert np.array_equal(ndimage.binary_fill_holes(wall) & ~wall, lv)
        assert (ndimage.binary_dilation(rv) & wall).any()
        assert not (ndimage.binary_dilation(rv) & lv).any()


def test_every_slice_has_its_own_heartbeat(small_study: SimulatedStudy) -> None:
    image = small_study.short_axis.images[0]
    assert len(np.unique(image.rr_ms)) > 3
    assert np.allclose(image.rr_ms, small_study.parameters.rr_ms, rtol=0.05)
    steps = np.diff(image.trigger_ms, axis=0)
    assert np.allclose(steps, image.rr_ms / image.phases, atol=0.02)


def _bytes(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_the_same_seed_is_the_same_bytes_and_another_seed_is_not(tmp_path: Path) -> None:
    for name, seed in (("a", 5), ("b", 5), ("c", 6)):
        study = simulate_study(HeartParameters(seed=seed), protocol=QUICK)
        write_dicom(study, tmp_path / name / "dicom")
        write_nifti(study, tmp_path / name / "nifti")
    for kind in ("dicom", "nifti"):
        first, second, other = (_bytes(tmp_path / name / kind) for name in "abc")
        assert first == second
        assert first.keys() == other.keys()
        assert all(first[name] != other[name] for name in first if name != "sax_labels.nii.gz")


def test_the_seed_changes_no_volume() -> None:
    first, second = (
        simulate_study(HeartParameters(seed=seed), protocol=QUICK).truth for seed in (1, 2)
    )
    assert first == pytest.approx(second)


def test_nifti_holds_the_cine_its_labels_and_its_geometry(
    small_study: SimulatedStudy, tmp_path: Path
) -> None:
    write_nifti(small_study, tmp_path)
    image = small_study.short_axis.images[0]
    cine, labels = (nibabel.load(tmp_path / name) for name in ("sax.nii.gz", "sax_labels.nii.gz"))
    values = np.asarray(cine.dataobj).transpose(3, 2, 1, 0)
    assert np.array_equal(values, image.values)
    assert np.array_equal(
        np.asarray(labels.dataobj).transpose(3, 2, 1, 0), small_study.labels.labels
    )
    grid = grid_from_ras_affine(cine.affine, image.grid.shape)
    assert np.allclose(grid.affines, image.grid.affines, atol=1e-3)
    assert cine.header.get_xyzt_units() == ("mm", "sec")
    assert cine.header.get_zooms()[3] == pytest.approx(image.rr_ms.mean() / 8000, rel=1e-5)


def test_the_truth_file_holds_symbols_curves_and_parameters(
    small_study: SimulatedStudy, tmp_path: Path
) -> None:
    truth = json.loads(write_nifti(small_study, tmp_path)[-1].read_text())
    assert truth["LVEF"] == pytest.approx(60)
    assert truth["parameters"]["seed"] == 7
    assert max(truth["curves_ml"]["LVV"]) == pytest.approx(truth["LVEDV"])
    assert "papillary" in truth["policy"]
    assert set(truth["voxelised"]) == {s for s in truth if s[:2] in ("LV", "RV")}


@pytest.mark.parametrize("wrong", [{"phases": 1}, {"pixel_mm": 0}, {"snr": -1}])
def test_impossible_protocols_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ConfigurationError):
        Protocol(**wrong)  # type: ignore[arg-type]


def test_off_resonance_darkens_the_edge_and_spares_the_heart() -> None:
    plain = simulate_study(protocol=replace(QUICK, snr=0))
    banded = simulate_study(protocol=replace(QUICK, snr=0, off_resonance_hz=160))
    share = banded.short_axis.images[0].values[0, 1] / np.maximum(
        plain.short_axis.images[0].values[0, 1], 1
    )
    signal = plain.short_axis.images[0].values[0, 1] > 100
    heart = plain.labels.labels[0, 1] > 0
    assert share[heart].min() > 0.8
    assert share[signal].min() < 0.5
