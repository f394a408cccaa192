"""Maps and scar of the simulated heart's tissue, read from its DICOM inside its true wall."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from scipy.ndimage import binary_erosion

from opencmr.analyses.analysis import Parts
from opencmr.analyses.function import NAME as FUNCTION
from opencmr.analyses.mapping import TISSUE_MAPPING
from opencmr.analyses.plan import plan_study
from opencmr.anatomy.structures import Structure
from opencmr.anatomy.techniques import Technique
from opencmr.imaging.axis import Preparation, PreparationKind
from opencmr.imaging.reading import Reading
from opencmr.imaging.study import Demographics, Series, Study
from opencmr.intake.studies import read_studies
from opencmr.measure.scar.remote import remote_region
from opencmr.measure.scar.rules import SCAR_RULES, scar_by_rule
from opencmr.models.session import Networks
from opencmr.quality.stacks import judge_stacks
from opencmr.simulate import (
    HeartParameters,
    Protocol,
    ScarParameters,
    SimulatedStudy,
    TissueParameters,
    simulate_study,
    write_dicom,
)
from opencmr.sort.sorting import sort_study

PROTOCOL = replace(
    Protocol.small(), rows=144, columns=144, pixel_mm=1.8, scouts=False, long_axis=False
)
"""Fine enough for a wall with an inside."""
SERIES = ("lge", "molli", "sasha", "post-molli", "t2", "t2star")
HAEMATOCRIT = 0.42
Read = tuple[SimulatedStudy, Study, Reading]


def simulated(heart_rate_bpm: float, scar: ScarParameters | None, *names: str) -> SimulatedStudy:
    heart = HeartParameters(seed=4, heart_rate_bpm=heart_rate_bpm)
    tissue = TissueParameters(names, haematocrit=HAEMATOCRIT, scar=scar)
    return simulate_study(heart, protocol=PROTOCOL, tissue=tissue)


@pytest.fixture(scope="module")
def read(tmp_path_factory: pytest.TempPathFactory) -> Callable[[SimulatedStudy], Read]:
    def of(study: SimulatedStudy) -> Read:
        """Write a study, read it, and map it with the true labels in place of the network's."""
        folder = tmp_path_factory.mktemp("study")
        write_dicom(study, folder)
        with read_studies(folder) as studies:
            (one,) = studies
            one = judge_stacks(sort_study(one))
        one = replace(one, demographics=Demographics(haematocrit=HAEMATOCRIT))
        cine = next(s for s in one.series if s.sequence is Technique.CINE)
        (planned,) = plan_study(one, (TISSUE_MAPPING,))
        function = Reading({cine.key: study.labels})
        reading = TISSUE_MAPPING.read(Parts(one, planned.series), {FUNCTION: function}, Networks())
        return study, one, reading

    return of


@pytest.fixture(scope="module")
def slow(read) -> Read:
    return read(simulated(55, ScarParameters("LCX", 14, 0.75), *SERIES))


@pytest.fixture(scope="module")
def fast(read) -> Read:
    return read(simulated(100, None, "molli", "sasha"))


def key_of(found: Read, name: str) -> str:
    return next(s.key for s in found[1].series if s.header.series_description.startswith(name))


def of_series(found: Read, name: str, symbol: str) -> float:
    """The value of the series whose description begins so."""
    key, measured = key_of(found, name), found[2].measurements.whole_heart
    (one,) = (m for m in measured if m.series == key and m.quantity.symbol == symbol)
    assert one.value is not None, one.reason
    return one.value


def blood_ms(found: Read, name: str) -> float:
    """The median inside the cavity, its borders left out."""
    map_ = found[2].maps[key_of(found, name)]
    assert map_.wall is not None
    inside = binary_erosion(map_.wall.mask(Structure.LV)[0], np.ones((1, 5, 5)))
    return float(np.nanmedian(map_.values_ms[inside]))


def test_every_series_of_tissue_is_recognised_by_its_own_axis(slow: Read) -> None:
    series = {s.header.series_description: s for s in slow[1].series}
    assert {name: s.sequence for name, s in series.items() if "CINE" not in name} == {
        "LGE SAX": Technique.LGE,
        "MOLLI 5(3)3 native SAX": Technique.T1_MAPPING,
        "SASHA native SAX": Technique.T1_MAPPING,
        "MOLLI 4(1)3(1)2 post contrast SAX": Technique.T1_MAPPING,
        "T2 map T2prep SAX": Technique.T2_MAPPING,
        "T2 star multi-echo SAX": Technique.T2_STAR_MAPPING,
    }
    along = series["T2 map T2prep SAX"].image.along
    assert isinstance(along, Preparation)
    assert along.kind is PreparationKind.T2_PREPARATION
    assert along.times_ms[:, 0].tolist() == [0, 25, 55]


def test_septal_times_are_those_of_healthy_muscle_as_far_as_each_method_is_true(
    slow: Read,
) -> None:
    assert slow[0].tissue is not None
    truth = slow[0].tissue.truth

    def error_percent(name: str, symbol: str) -> float:
        return 100 * (of_series(slow, name, symbol) / truth[symbol] - 1)

    assert -13 < error_percent("MOLLI 5", "T1_SEPTUM") < -3
    assert abs(error_percent("SASHA", "T1_SEPTUM")) < 3
    assert -8 < error_percent("MOLLI 4", "T1_POST_SEPTUM") < 3
    assert 0 < error_percent("T2 map", "T2_SEPTUM") < 15
    assert abs(error_percent("T2 star", "T2S_SEPTUM")) < 6
    assert of_series(slow, "MOLLI 4", "ECV_SEPTUM") == pytest.approx(26, abs=2)


def test_segments_with_scar_have_more_extracellular_volume_than_those_without(slow: Read) -> None:
    assert slow[0].tissue is not None
    truth = slow[0].tissue.segments
    found = {
        n: m.value for n, m in slow[2].measurements.segments("ECV").items() if m.value is not None
    }
    scarred = [n for n in found if truth[n]["SCAR_PERCENT"] > 30]
    healthy = (2, 3, 8, 9)
    assert scarred
    assert min(found[n] for n in scarred) > max(found[n] for n in healthy) + 5


def test_a_faster_heart_is_read_lower_by_molli_where_t1_is_long_and_alike_by_sasha(
    slow: Read, fast: Read
) -> None:
    blood = [blood_ms(one, "MOLLI 5") for one in (slow, fast)]
    assert blood[1] < blood[0] - 20
    muscle = [of_series(one, "MOLLI 5", "T1_SEPTUM") for one in (slow, fast)]
    assert abs(muscle[1] / muscle[0] - 1) < 0.5 * abs(blood[1] / blood[0] - 1)
    sasha = [of_series(one, "SASHA", "T1_SEPTUM") for one in (slow, fast)]
    assert sasha[1] == pytest.approx(sasha[0], rel=0.02)


@pytest.mark.parametrize("rule", SCAR_RULES, ids=lambda rule: rule.name)
@pytest.mark.parametrize("scale", [0.02, 7.3])
def test_the_brightness_of_late_enhancement_decides_no_scar(slow: Read, rule, scale: float) -> None:
    study, one, _ = slow
    late: Series = next(s for s in one.series if s.sequence is Technique.LGE)
    phase = round(float(late.image.trigger_ms[0, 0] / late.image.rr_ms[0]) * PROTOCOL.phases)
    wall, cavity = (
        study.labels.mask(structure)[phase] for structure in (Structure.MYOCARDIUM, Structure.LV)
    )
    amounts = []
    for factor in (1.0, scale):
        values = late.image.values[0].astype(np.float64) * factor
        remote = remote_region(values, wall, cavity)
        amounts.append(int(scar_by_rule(rule, values, wall, cavity, remote).scar.sum()))
    assert amounts[0] > 0.05 * wall.sum()
    assert amounts[1] == pytest.approx(amounts[0], rel=0.01)
