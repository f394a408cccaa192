"""Maps of pulse trains: read by the product's own fit, wrong where physics says so."""

import numpy as np
import pytest

from opencmr.anatomy.map_kinds import MapKind
from opencmr.errors import ConfigurationError
from opencmr.geometry.grid import grid_from_spacing
from opencmr.imaging.image import Image
from opencmr.imaging.relaxation import RelaxationSeries
from opencmr.intake.relaxation_times import axis_of
from opencmr.measure.relaxometry.of_series import map_of_series, method_of
from opencmr.simulate.bloch import Spins, lorentzian_hz
from opencmr.simulate.pulse_trains import (
    Pictures,
    late_enhancement,
    molli,
    nulling_inversion_ms,
    sasha,
    scheme_of,
    t2_preparations,
    t2_star_echoes,
)

T1_MS = np.array([450.0, 1150.0, 1650.0])
T2_MS = np.array([45.0, 50.0, 250.0])


def fitted(pictures: Pictures, kind: MapKind, what: str, scheme: str = "") -> np.ndarray:
    """The times that the product's fit reads from the magnitudes ``(N, K)``."""
    order = np.argsort(pictures.times_ms)
    values = np.abs(pictures.signals[order])[:, None, None, :] * 1000
    axis = axis_of(pictures.times_ms[order][:, None], what, saturates=scheme == "SASHA")
    grid = grid_from_spacing(values.shape[1:], (1.0, 1.0, 1.0))
    series = RelaxationSeries(Image(values.astype(np.float32), grid, axis), scheme=scheme)
    found = map_of_series(series, method_of(series, kind)).found
    return np.asarray(found.values_ms[0, 0])


def read_molli(
    *, rr_ms: float = 880.0, efficiency: float = 1.0, hz: float = 0.0, scheme: str = "5(3)3"
) -> np.ndarray:
    train = molli(Spins(T1_MS, T2_MS, 1.0, hz), scheme, rr_ms=rr_ms, efficiency=efficiency)
    return fitted(train, MapKind.T1, "inversion time", "MOLLI")


def test_inversion_times_of_a_scheme_are_its_beats() -> None:
    train = molli(Spins(T1_MS, T2_MS), "4(1)3(1)2", rr_ms=1000, efficiency=1)
    assert train.times_ms.tolist() == [120, 1120, 2120, 3120, 200, 1200, 2200, 280, 1280]
    assert train.signals.shape == (9, 3)


@pytest.mark.parametrize("wrong", ["", "5(3", "MOLLI", "0(1)3", "5(3)"])
def test_no_scheme_is_refused(wrong: str) -> None:
    with pytest.raises(ConfigurationError, match="scheme"):
        scheme_of(wrong)


def test_molli_reads_muscle_low_and_lower_with_poor_inversion_short_t2_and_off_resonance() -> None:
    plain = read_molli()
    assert 0.85 * 1150 < plain[1] < 0.99 * 1150
    assert read_molli(efficiency=0.92)[1] < plain[1] - 30
    assert read_molli(hz=120.0)[1] < plain[1] - 5
    shorter = molli(Spins(np.array([1150.0]), np.array([30.0])), "5(3)3", rr_ms=880, efficiency=1)
    assert fitted(shorter, MapKind.T1, "inversion time", "MOLLI")[0] < plain[1] - 5


def test_a_faster_heart_makes_molli_read_long_t1_lower_and_short_t1_alike() -> None:
    slow, fast = read_molli(rr_ms=1500.0), read_molli(rr_ms=500.0)
    assert fast[2] < slow[2] - 20
    assert fast[0] == pytest.approx(slow[0], rel=0.03)


def test_sasha_reads_true_t1_at_any_heart_rate() -> None:
    for rr_ms in (600.0, 1000.0, 1500.0):
        train = sasha(Spins(T1_MS, T2_MS), rr_ms=rr_ms, efficiency=1.0)
        found = fitted(train, MapKind.T1, "inversion time", "SASHA")
        assert np.allclose(found[:2], T1_MS[:2], rtol=0.01)


def test_t2_preparation_reads_muscle_a_little_high() -> None:
    train = t2_preparations(Spins(T1_MS, T2_MS), rr_ms=900)
    found = fitted(train, MapKind.T2, "T2 preparation")
    assert T2_MS[1] < found[1] < 1.15 * T2_MS[1]


def test_echoes_read_t2_star_and_not_t2() -> None:
    t2_star_ms = np.array([15.0, 36.0])
    hz = lorentzian_hz(1 / (1 / t2_star_ms - 1 / 50.0), 1024)
    train = t2_star_echoes(Spins(1150.0, 50.0, 1.0, hz), rr_ms=900)
    found = fitted(train, MapKind.T2_STAR, "echo time")
    assert np.allclose(found, t2_star_ms, rtol=0.02)


def test_late_enhancement_nulls_the_tissue_it_was_asked_to() -> None:
    null_ms = nulling_inversion_ms(480, 47, rr_ms=880, efficiency=0.96)
    train = late_enhancement(
        Spins(np.array([480.0, 300.0]), 47.0), null_ms, rr_ms=880, efficiency=0.96
    )
    muscle, scar = np.abs(train.signals[0])
    assert scar > 50 * muscle
    later_ms = nulling_inversion_ms(600, 47, rr_ms=880, efficiency=0.96)
    assert later_ms > null_ms + 20


def test_maps_do_not_mind_the_density_of_protons() -> None:
    thin, dense = (
        molli(Spins(T1_MS, T2_MS, density), "5(3)3", rr_ms=880, efficiency=0.96)
        for density in (0.3, 1.0)
    )
    assert np.allclose(dense.signals * 0.3, thin.signals)
    times = [fitted(one, MapKind.T1, "inversion time", "MOLLI") for one in (thin, dense)]
    assert np.allclose(times[0], times[1], rtol=1e-4)
