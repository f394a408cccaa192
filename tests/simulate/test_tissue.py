"""Tissue series: the scar that was asked for, truth of segments, times in the headers."""

import json
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import numpy as np
import pydicom
import pytest

from opencmr.anatomy.plausible import MYOCARDIUM_G_PER_ML
from opencmr.errors import ConfigurationError
from opencmr.simulate import (
    HeartParameters,
    Protocol,
    ScarParameters,
    SimulatedStudy,
    TissueParameters,
    simulate_study,
    write_dicom,
)
from opencmr.simulate.bloch import Spins
from opencmr.simulate.heart import heart_shape
from opencmr.simulate.pulse_trains import late_enhancement
from opencmr.simulate.relaxation import BLOOD, MUSCLE, SCAR, times_of
from opencmr.simulate.scar import scar_of, segment_grams
from opencmr.simulate.tissue import BRIGHTEST_VALUE, SERIES

SHAPE = heart_shape(HeartParameters(), 0.8, 0.8)
PROTOCOL = replace(Protocol.small(), long_axis=False, scouts=False, coil_shading=0.0)
SCARRED = TissueParameters(
    tuple(SERIES), scar=ScarParameters("LCX", 20, 0.75, no_reflow_g=3), snr=0, haematocrit=0.38
)


@pytest.fixture(scope="module")
def study() -> SimulatedStudy:
    return simulate_study(HeartParameters(seed=3), protocol=PROTOCOL, tissue=SCARRED)


@pytest.fixture(scope="module")
def instances(study: SimulatedStudy, tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("tissue")
    series = defaultdict(list)
    for path in write_dicom(study, folder)[:-1]:
        dataset = pydicom.dcmread(path)
        series[dataset.SeriesDescription].append(dataset)
    return folder, series


@pytest.mark.parametrize("territory", ["LAD", "RCA", "LCX"])
def test_a_scar_has_its_mass_and_lies_in_its_territory(territory: str) -> None:
    scar = scar_of(ScarParameters(territory, 12, 0.5, no_reflow_g=3), SHAPE)
    grams = segment_grams(SHAPE, scar)
    assert sum(sum(parts[1:]) for parts in grams.values()) == pytest.approx(12, rel=0.01)
    assert sum(parts[2] for parts in grams.values()) == pytest.approx(3, rel=0.02)
    assert sum(map(sum, grams.values())) == pytest.approx(SHAPE.parameters.lv_mass_g, rel=0.003)
    supplied = {
        "LAD": {1, 2, 7, 8, 13, 14, 17},
        "RCA": {3, 4, 9, 10, 14, 15},
        "LCX": {5, 6, 11, 12, 13, 15, 16},  # apical walls are wider than its 120 degrees
    }[territory]
    assert {n for n, parts in grams.items() if parts[1] > 0} <= supplied
    for healthy, scarred, core in grams.values():
        assert min(healthy, scarred, core) > -1e-9
        assert scarred + core <= 0.55 * (healthy + scarred + core) + 1e-9


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"territory": "RIVA"}, "territory"),
        ({"transmurality": 0.0}, "transmurality"),
        ({"mass_g": -1.0}, "mass"),
        ({"mass_g": 5.0, "no_reflow_g": 6.0}, "no-reflow"),
    ],
)
def test_what_no_scar_can_be_is_refused(wrong: dict[str, float], said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        ScarParameters(**wrong)  # type: ignore[arg-type]


def test_a_scar_larger_than_its_territory_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="does not fit"):
        scar_of(ScarParameters("LAD", 90, 0.5), SHAPE)


@pytest.mark.parametrize("wrong", [{"series": ("t3",)}, {"haematocrit": 42.0}, {"t1_ms": -5.0}])
def test_impossible_tissue_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ConfigurationError, match="expected"):
        TissueParameters(**wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize("field_t", [1.5, 3.0])
def test_true_times_before_and_after_contrast_give_the_ecv_that_was_asked_for(
    field_t: float,
) -> None:
    table = TissueParameters(haematocrit=0.35, ecv_percent=31).table(field_t)
    native, post = times_of(table, field_t), times_of(table, field_t, plasma_mm=1.1)
    faster = dict(zip(native.names, 1 / post.t1_ms - 1 / native.t1_ms, strict=True))
    assert (1 - 0.35) * faster[MUSCLE] / faster[BLOOD] == pytest.approx(0.31)


def test_the_truth_is_the_mass_weighted_mean_of_healthy_muscle_and_scar(
    study: SimulatedStudy,
) -> None:
    assert study.tissue is not None
    truth, segments = study.tissue.truth, study.tissue.segments
    assert truth["SCAR_MASS"] == pytest.approx(20, rel=0.01)
    assert truth["SCAR_PERCENT"] == pytest.approx(100 * 20 / 115, rel=0.01)
    assert truth["ECV_SEPTUM"] == pytest.approx(26)
    assert truth["T1_SEPTUM"] == 1150 < truth["T1"] < segments[11]["T1"]
    assert sum(one["SCAR_MASS"] for one in segments.values()) == pytest.approx(20, rel=0.01)
    assert segments[9]["SCAR_MASS"] == 0


def test_late_enhancement_shows_the_mass_of_scar_that_was_asked_for() -> None:
    """What scar adds to the null of muscle, over the brightness of scar by its pulse train."""
    plain = replace(SCARRED, series=("lge",), scar=None)
    scarred = replace(plain, scar=ScarParameters("LCX", 20, 1.0))
    fine = replace(PROTOCOL, phases=4, gap_mm=0.0, samples=1)
    with_scar, without = (
        simulate_study(HeartParameters(seed=3), protocol=fine, tissue=one).series[-1]
        for one in (scarred, plain)
    )
    times = times_of(scarred.table(1.5), 1.5, plasma_mm=scarred.plasma_mm)
    train = late_enhancement(
        Spins(times.t1_ms, times.t2_ms, times.density),
        with_scar.stated[0]["InversionTime"],
        rr_ms=HeartParameters().rr_ms,
        efficiency=scarred.inversion_efficiency,
    )
    signal = dict(zip(times.names, np.abs(train.signals[0]), strict=True))
    assert signal[SCAR] > 20 * signal[MUSCLE]
    pure = BRIGHTEST_VALUE * signal[SCAR] / max(signal[SCAR], signal[BLOOD])
    image = with_scar.images[0]
    gain = image.values[0] - without.images[0].values[0]
    seen_ml = (gain.sum((1, 2)) * image.grid.voxel_mm3).sum() / pure / 1000
    assert seen_ml * MYOCARDIUM_G_PER_ML == pytest.approx(20, rel=0.1)


def test_maps_lie_on_slices_and_in_the_frame_of_the_cine_at_one_moment(instances) -> None:
    _, series = instances
    cine = series["CINE SAX STACK"]
    places = {tuple(d.ImagePositionPatient) for d in cine}
    for name, datasets in series.items():
        assert {tuple(d.ImagePositionPatient) for d in datasets} <= places, name
        assert {d.FrameOfReferenceUID for d in datasets} == {cine[0].FrameOfReferenceUID}
        assert name.startswith("CINE") or len({d.TriggerTime for d in datasets}) == 1


def test_times_stand_where_scanners_write_them(instances) -> None:
    _, series = instances
    first = {
        name: [d for d in of if d.ImagePositionPatient == of[0].ImagePositionPatient]
        for name, of in series.items()
    }
    molli = [float(d.InversionTime) for d in first["MOLLI 5(3)3 native SAX"]]
    assert len(molli) == 8
    assert np.allclose(np.diff(sorted(molli))[:6:2], 80)
    assert sum("InversionTime" not in d for d in first["SASHA native SAX"]) == 1
    prepared = [d.ImageComments for d in first["T2 map T2prep SAX"]]
    assert prepared == [f"T2 prep. duration = {ms} ms" for ms in (0, 25, 55)]
    echoes = [float(d.EchoTime) for d in first["T2 star multi-echo SAX"]]
    assert np.allclose(np.diff(echoes), 2.3)
    (late,) = first["LGE SAX"]
    assert 200 < float(late.InversionTime) < 400
    assert late.ContrastBolusAgent
    assert "ContrastBolusAgent" not in first["MOLLI 5(3)3 native SAX"][0]


def test_the_truth_file_holds_every_segment(instances) -> None:
    folder: Path = instances[0]
    tissue = json.loads((folder / "truth.json").read_text())["tissue"]
    assert set(tissue["segments"]) == {str(n) for n in range(1, 18)}
    assert tissue["parameters"]["scar"]["territory"] == "LCX"
    assert tissue["truth"]["SCAR_MASS"] == pytest.approx(20, rel=0.01)


def test_tissue_leaves_the_cine_as_it_was(study: SimulatedStudy) -> None:
    plain = simulate_study(study.parameters, protocol=PROTOCOL)
    assert plain.tissue is None
    assert np.array_equal(plain.short_axis.images[0].values, study.short_axis.images[0].values)
