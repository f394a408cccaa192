"""A grave flag takes away what it is about, and nothing else."""

from dataclasses import replace

from opencmr.geometry.grid import Grid, grid_from_spacing
from opencmr.imaging.flag import About, QualityFlag, Severity
from opencmr.imaging.measurements import Measurements
from opencmr.quality.stacks import spacing_flags
from opencmr.quality.withhold import withhold


def test_a_missing_slice_withholds_volumes_and_spares_the_wall(judge, labels) -> None:
    whole = grid_from_spacing((5, 4, 4), (10.0, 1.0, 1.0))
    (missing,) = spacing_flags(Grid((4, 4, 4), whole.affines[[0, 1, 2, 4]]), 8.0)
    measurements, flags = judge(labels, flags=(missing,))
    after = withhold(measurements, flags)
    for symbol in ("LVEDV", "LVEF", "LVM", "RVSV", "LVEDVi", "LVPER"):
        lost = after.find(symbol)
        assert lost is not None
        assert lost.value is None
        assert lost.reason.code == "MISSING_SLICE"
    curve = after.curve("LVV")
    assert curve is not None
    assert {m.reason.code for _, m in curve.points()} == {"MISSING_SLICE"}
    for symbol in ("WT_MEAN", "BSA", "HR"):
        assert after.value(symbol) is not None


def test_a_spoilt_series_withholds_no_other_series_of_its_analysis(judge, labels) -> None:
    measurements, _ = judge(labels)
    of_one = measurements.find("LVEDV")
    of_another, of_none = replace(of_one, series="s02"), replace(of_one, series="")
    spoilt = QualityFlag(Severity.DO_NOT_REPORT, "MISSING_FRAMES", "Gone.", about=About("s01"))
    after = withhold(Measurements((of_one, of_another, of_none)), (spoilt,))
    assert [one.value for one in after] == [None, of_one.value, None]


def test_a_flag_on_the_whole_study_withholds_every_series(judge, labels) -> None:
    measurements, _ = judge(labels)
    of_one = measurements.find("LVEDV")
    spoilt = QualityFlag(Severity.DO_NOT_REPORT, "MISSING_FRAMES", "Gone.")
    after = withhold(Measurements((of_one, replace(of_one, series="s02"))), (spoilt,))
    assert [one.value for one in after] == [None, None]


def test_lesser_flags_withhold_nothing(judge, labels) -> None:
    measurements, _ = judge(labels)
    flags = [QualityFlag(s, "SPARSE_STACK", "") for s in (Severity.INFO, Severity.REVIEW)]
    assert withhold(measurements, flags) == measurements
