"""What the pipeline passes from the caller to the measurements."""

import pytest

from opencmr.analyses import function
from opencmr.imaging.study import Demographics, Series, Study
from opencmr.pipeline import Configuration, analyze_study
from opencmr.report.contents import Report
from opencmr.simulate import HeartParameters, Protocol, SimulatedStudy, simulate_study


@pytest.fixture(scope="module")
def phantom() -> SimulatedStudy:
    return simulate_study(
        HeartParameters(seed=3, heart_rate_bpm=60.0),
        protocol=Protocol.small(),
    )


@pytest.fixture
def analyse(phantom: SimulatedStudy, monkeypatch: pytest.MonkeyPatch):
    """Analyse the phantom with its true labels in the network's place."""
    monkeypatch.setattr(function, "segment_short_axis", lambda *_, **__: phantom.labels)
    (image,) = next(s.images for s in phantom.series if s.images[0].grid == phantom.labels.grid)

    def run(heart_rate_bpm: float | None) -> Report:
        study = Study("phantom", (Series("s01", image),))
        given = Demographics(heart_rate_bpm=heart_rate_bpm)
        return analyze_study(study, Configuration(demographics=given))

    return run


def _value(report: Report, symbol: str) -> float:
    measurement = report.find(symbol)
    assert measurement is not None
    assert measurement.value is not None, measurement.reason
    return measurement.value


def test_a_heart_rate_that_the_caller_gives_wins_over_the_cine_and_is_said(analyse) -> None:
    own, given = analyse(None), analyse(90.0)
    assert _value(own, "HR") == pytest.approx(60.0, rel=0.05)
    assert _value(given, "HR") == 90.0
    ratio = 90.0 / _value(own, "HR")
    for symbol in ("LVCO", "RVCO"):
        assert _value(given, symbol) == pytest.approx(ratio * _value(own, symbol))
    assert "HEART_RATE_DIFFERS" in {flag.code for flag in given.flags}
    assert "HEART_RATE_DIFFERS" not in {flag.code for flag in own.flags}
