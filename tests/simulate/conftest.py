"""One small study and one fine acquisition for the whole room."""

import pytest

from opencmr.simulate import HeartParameters, Protocol, SimulatedStudy, simulate_study


@pytest.fixture(scope="session")
def small_study() -> SimulatedStudy:
    return simulate_study(HeartParameters(seed=7), protocol=Protocol.small())
