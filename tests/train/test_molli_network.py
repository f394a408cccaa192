"""The parts of ``benchmarks/molli_network.py``: simulated signals, the loss, the warnings."""

import importlib
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from opencmr.simulate import pulse_trains  # noqa: E402
from opencmr.simulate.bloch import Spins  # noqa: E402

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture(scope="module")
def program() -> ModuleType:
    sys.path.insert(0, str(BENCHMARKS))
    try:
        return importlib.import_module("molli_network")
    finally:
        sys.path.remove(str(BENCHMARKS))


@pytest.fixture(scope="module")
def trusting(program: ModuleType) -> object:
    """Return a network that learnt next to nothing: what it must do, it must do by its making."""
    signals = program.draw(np.random.default_rng(1), program.TRAINED, 3, 60)
    network = program.train(signals, 5, steps=3)
    return program.Trusting(network, signals, np.random.default_rng(2))


@pytest.mark.parametrize("scheme", ["5(3)3", "4(1)3(1)2"])
def test_equal_heartbeats_are_the_pulse_train_of_the_simulated_heart(
    program: ModuleType, scheme: str
) -> None:
    t1_ms, t2_ms = np.array([300.0, 1100, 1900]), np.array([45.0, 45, 200])
    times_ms, signals = program.play(Spins(t1_ms, t2_ms), scheme, [850.0] * 20, 120.0, 0.95, 35.0)
    expected = pulse_trains.molli(Spins(t1_ms, t2_ms), scheme, rr_ms=850.0, efficiency=0.95)
    np.testing.assert_allclose(times_ms, expected.times_ms)
    np.testing.assert_allclose(signals, expected.signals, atol=1e-12)


def test_times_are_those_of_each_heartbeat(program: ModuleType) -> None:
    spins = Spins(np.array([900.0]), np.array([50.0]))
    rhythm_ms = [800.0, 950, 700, 870, 1, 1, 1, 3000, 900, 1000]
    times_ms, _ = program.play(spins, "5(3)3", rhythm_ms, 110.0, 1.0, 35.0)
    np.testing.assert_allclose(times_ms, [110, 910, 1860, 2560, 3430, 190, 1090, 2090])


@pytest.mark.parametrize("efficiency", [1.0, 0.9])
def test_a_readout_that_drives_nothing_leaves_t1_times_the_efficiency(
    program: ModuleType, efficiency: float
) -> None:
    gentle = replace(
        program.TRAINED,
        flip_deg=(0.1, 0.2),
        t1_ms=(400, 1500),
        efficiency=(efficiency, efficiency),
        off_resonance_hz=(0, 0),
    )
    signals = program.draw(np.random.default_rng(3), gentle, 4, 30)
    # T1* is T1, and B/A - 1 the efficiency; the first inversion is that of a rested magnetisation.
    for times_ms, clean, t1_ms in zip(signals.times_ms, signals.clean, signals.t1_ms, strict=True):
        found = program.exact(clean, times_ms, 5)
        np.testing.assert_allclose(found.t1_ms / t1_ms, efficiency, rtol=0.01)


def test_the_exact_fit_reads_simulated_signals_low_and_lower_for_short_t2(
    program: ModuleType,
) -> None:
    narrow = replace(program.TRAINED, off_resonance_hz=(0, 0), efficiency=(1, 1), t1_ms=(800, 1300))
    bias = {}
    for t2_ms in (35, 60, 200):
        what = replace(narrow, t2_ms=(t2_ms, t2_ms + 1))
        signals = program.draw(np.random.default_rng(4), what, 4, 40)
        bias[t2_ms] = float(np.nanmedian(signals.reading_ms / signals.t1_ms)) - 1
    # Kellman and Hansen 2014: a few percent to 15, the more the shorter T2.
    assert -0.15 < bias[35] < bias[60] < bias[200] < 0


def test_noise_is_rician(program: ModuleType) -> None:
    signals = program.draw(np.random.default_rng(5), replace(program.TESTED, snr=(10, 11)), 4, 400)
    measured = signals.measured(np.random.default_rng(6))
    square = signals.clean**2 + 2 * signals.noise[..., None] ** 2
    assert np.mean(measured**2 - square) == pytest.approx(0, abs=4e-3)
    dark = signals.clean < 0.5 / 10
    assert np.mean(measured[dark]) > np.mean(signals.clean[dark]) + 0.05


def test_the_curve_of_the_loss_finds_parameters_that_the_target_alone_leaves_open(
    program: ModuleType,
) -> None:
    times_s = torch.tensor([[0.12, 1.0, 1.9, 2.8, 3.7]])
    apparent_s, drive = 0.8, 0.9
    clean = (1 - (1 + drive) * torch.exp(-times_s / apparent_s)).abs()
    clean = clean / clean.max()
    noise = torch.tensor([0.02])
    target = torch.log(torch.full((1, 2), apparent_s * drive))

    def loss(shift: float) -> float:
        """Return the loss of other parameters, whose T1 is the same and right."""
        log_apparent = torch.tensor([np.log(apparent_s) + shift], dtype=torch.float32)
        log_drive = torch.tensor([np.log(drive) - shift], dtype=torch.float32)
        quantiles = target[..., None] + torch.tensor([0.0, -0.05, 0.05])

        def named(*_: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
            return log_apparent.exp(), log_drive.exp(), quantiles

        return float(program.loss_of(named, clean, clean, times_s, noise, noise, target))

    shifts = np.linspace(-0.3, 0.3, 61)
    losses = [loss(shift) for shift in shifts]
    assert shifts[int(np.argmin(losses))] == pytest.approx(0, abs=1e-9)
    assert (np.diff(losses[:31]) < 0).all()
    assert (np.diff(losses[30:]) > 0).all()


def test_another_unit_of_the_pictures_changes_no_answer(
    program: ModuleType, trusting: object
) -> None:
    signals = program.draw(np.random.default_rng(7), program.TESTED, 1, 50)
    pictures, times_ms, noise = next(program.each_sequence(signals, np.random.default_rng(8)))
    for one, other in zip(
        trusting.answer(pictures, times_ms, noise),  # type: ignore[attr-defined]
        trusting.answer(812 * pictures, times_ms, 812 * noise),  # type: ignore[attr-defined]
        strict=True,
    ):
        np.testing.assert_allclose(one.t1_ms, other.t1_ms, rtol=1e-4)
        assert (one.low_ms <= one.t1_ms).all()
        assert (one.t1_ms <= one.high_ms).all()


def test_a_warning_names_noise_and_times_that_were_not_trained(
    program: ModuleType, trusting: object
) -> None:
    times_ms = np.array([120.0, 1020, 1920, 2820, 3720, 200, 1100, 2000])
    assert program.timed_as_trained(times_ms[:5])
    assert not program.timed_as_trained(times_ms[:6])
    assert not program.timed_as_trained(times_ms[:5] / 1000)
    assert not program.timed_as_trained(times_ms[:5] + 60)
    signals = program.draw(np.random.default_rng(9), replace(program.TESTED, snr=(2, 4)), 1, 50)
    pictures, drawn_ms, noise = next(program.each_sequence(signals, np.random.default_rng(1)))
    for answer in trusting.answer(pictures, drawn_ms, noise):  # type: ignore[attr-defined]
        assert answer.warned.all()


def test_a_wrong_answer_without_a_warning_is_counted_as_silent(program: ModuleType) -> None:
    t1_ms = np.array([1000.0, 1300, 1300, np.nan])
    answer = program.Answer(t1_ms, t1_ms - 50, t1_ms + 50, np.array([False, False, True, True]))
    row = program.row_of(answer, 1010.0)
    assert row["silent"] == 25
    assert row["no_answer"] == 25
    assert row["coverage"] == pytest.approx(100 / 3, abs=0.01)
    assert row["bias"] == pytest.approx(100 * (1300 / 1010 - 1), abs=0.01)
