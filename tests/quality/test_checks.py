"""Each fault raises its flag, and a sound heart none."""

import csv

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import shift

from opencmr.anatomy.reasons import REASON_CODES
from opencmr.imaging.flag import QualityFlag, Severity
from opencmr.imaging.segmentation import AuthorKind
from opencmr.quality import limits
from opencmr.quality.withhold import withhold
from tests.quality.conftest import heart_labels


def codes(judged) -> set[str]:
    return {flag.code for flag in judged[1]}


def test_a_sound_heart_raises_no_flag(judge, labels) -> None:
    assert judge(labels)[1] == ()


def test_every_flag_has_a_known_code_a_message_and_no_duplicate(judge, labels) -> None:
    labels[:, 0], labels[:, 9] = labels[:, 1], labels[:, 5]
    labels[0, 4, :6, :6] = 3
    flags = judge(labels)[1]
    assert len(flags) > 2
    for flag in flags:
        assert flag.code in REASON_CODES
        assert flag.message.endswith(".")
    assert len({(flag.code, flag.message) for flag in flags}) == len(flags)


def test_the_flags_of_the_series_come_first(judge, labels) -> None:
    sparse = QualityFlag(Severity.REVIEW, "SPARSE_STACK", "Far apart.")
    assert judge(labels, flags=(sparse,))[1] == (sparse,)


def test_no_heart_is_reported_as_none(judge, labels) -> None:
    measurements, flags = judge(np.zeros_like(labels))
    assert [(f.code, f.severity) for f in flags] == [("NO_HEART_FOUND", Severity.DO_NOT_REPORT)]
    assert all(m.value is None for m in withhold(measurements, flags) if m.structure)


def test_a_single_phase_is_said(judge, labels) -> None:
    assert codes(judge(labels[:1])) == {"SINGLE_PHASE"}


@pytest.mark.parametrize("spacing_mm", [(1.0, 1.0, 1.0), (25.0, 3.5, 3.5)])
def test_a_heart_of_impossible_size_is_withheld(judge, labels, spacing_mm) -> None:
    """Spacing lost on the way: 1 mm for all, or metres of heart."""
    measurements, flags = judge(labels, spacing_mm)
    assert "LV_SIZE_IMPLAUSIBLE" in {f.code for f in flags}
    after = {m.quantity.symbol: m for m in withhold(measurements, flags)}
    assert after["LVEF"].value is None
    assert after["LVEF"].reason.code == "LV_SIZE_IMPLAUSIBLE"
    assert after["LVEF"].reference is None
    assert after["BSA"].value is not None
    assert after["HR"].value is not None


def test_an_impossible_ejection_fraction_is_flagged(judge, labels) -> None:
    still = np.repeat(labels[:1], 24, axis=0)
    still[12][labels[1] == 3] = 3
    assert "EF_IMPLAUSIBLE" in codes(judge(still))


@pytest.mark.parametrize(("kept", "doubted"), [(0.15, True), (0.25, False)])
def test_a_cavity_that_all_but_closes_is_doubted(judge, labels, kept, doubted) -> None:
    """Of the cavity at end-diastole the inmost share stays, which falls to ``kept``."""
    for phase, planes in enumerate(labels):
        beat = (1 + np.cos(2 * np.pi * phase / len(labels))) / 2
        for plane, diastole in zip(planes, labels[0].copy(), strict=True):
            inside = np.argwhere(diastole == 3)
            if not len(inside):
                continue
            outwards = np.linalg.norm(inside - inside.mean(0), axis=1).argsort()
            closed = inside[outwards][round((kept + (1 - kept) * beat) * len(inside)) :]
            plane[tuple(inside.T)] = 3
            plane[tuple(closed.T)] = 2
    assert ("EF_HIGH" in codes(judge(labels))) is doubted


def test_stroke_volumes_that_part_are_flagged(judge, labels) -> None:
    labels[:, 1:5][labels[:, 1:5] == 1] = 0
    labels[:, 6:][labels[:, 6:] == 1] = 0
    assert "SV_DISAGREE" in codes(judge(labels))


def test_a_right_ventricle_out_of_proportion_is_flagged(judge, labels) -> None:
    assert "RV_SIZE_DISAGREES" not in codes(judge(labels))
    lost = labels.copy()
    lost[:, 2:9][lost[:, 2:9] == 1] = 0  # seen on the basal slice alone
    flags = [f for f in judge(lost)[1] if f.code == "RV_SIZE_DISAGREES"]
    assert [f.severity for f in flags] == [Severity.REVIEW]
    assert "right ventricle is smaller" in flags[0].message
    shrunk = labels.copy()
    shrunk[:, 3:9][shrunk[:, 3:9] > 1] = 1  # most of the left one taken for the right one
    (flag,) = (f for f in judge(shrunk)[1] if f.code == "RV_SIZE_DISAGREES")
    assert "left ventricle is smaller" in flag.message


@pytest.mark.parametrize(("given_bpm", "said"), [(None, False), (70.0, False), (100.0, True)])
def test_a_given_heart_rate_that_is_not_the_cine_s_is_said(judge, labels, given_bpm, said) -> None:
    judged = judge(labels, given_heart_rate_bpm=given_bpm)  # R-R of 900 ms: 67 per minute
    flags = [f for f in judged[1] if f.code == "HEART_RATE_DIFFERS"]
    assert [f.severity for f in flags] == [Severity.INFO] * said
    assert all("given 100" in f.evidence and "67" in f.evidence for f in flags)


@pytest.mark.parametrize(("factor", "said"), [(1.2, False), (1.6, True)])
def test_mass_gained_and_lost_by_one_factor_at_end_systole_weigh_the_same(
    judge, factor, said
) -> None:
    for muscle in (factor, 1 / factor):
        assert ("MASS_DISAGREES" in codes(judge(heart_labels(24, muscle)))) == said


def test_mass_lost_at_end_systole_is_flagged(judge, labels) -> None:
    labels[12, 1:3] = 0
    labels[11:14, 1:3] = 0
    assert "MASS_DISAGREES" in codes(judge(labels))


def test_a_label_in_pieces_is_flagged(judge, labels) -> None:
    labels[0, 4, 2:9, 2:9] = 3
    assert "LABEL_SCATTERED" in codes(judge(labels))


def test_an_open_ring_in_the_middle_is_flagged(judge, labels) -> None:
    labels[0, 4][:, 56:][labels[0, 4][:, 56:] == 2] = 0
    assert "RING_OPEN" in codes(judge(labels))


def test_a_right_ventricle_inside_the_left_one_is_flagged(judge, labels) -> None:
    labels[0, 4, 46:51, 50:55] = 1
    assert "RV_INSIDE_LV" in codes(judge(labels))


def test_an_empty_middle_slice_is_flagged_even_off_the_phases_that_count(judge, labels) -> None:
    labels[6, 4] = 0
    flags = [f for f in judge(labels)[1] if f.code == "SLICE_EMPTY"]
    assert {f.severity for f in flags} == {Severity.INFO}
    labels[:, 4] = 0
    flags = [f for f in judge(labels)[1] if f.code == "SLICE_EMPTY"]
    assert flags == []  # a slice that is never labelled was never a slice of this heart


def test_a_base_that_leaves_a_slice_once_a_beat_does_not_flicker(judge, labels) -> None:
    labels[6:19, 1] = 0
    assert "SLICE_FLICKERS" not in codes(judge(labels))


def test_a_basal_slice_that_comes_and_goes_is_flagged_with_what_is_at_stake(judge, labels) -> None:
    """As seen in a real cine: out from early systole, in for one phase, out, in again."""
    labels[3:13, 1] = 0
    labels[14:16, 1] = 0
    (flicker,) = (f for f in judge(labels)[1] if f.code == "SLICE_FLICKERS")
    assert "slice 2 in 12 of 24 phases, in 2 runs" in flicker.evidence


def test_a_tip_of_the_apex_that_flickers_is_no_matter(judge, labels) -> None:
    labels[::3, 8] = 0
    labels[:, 8][labels[:, 8] == 3] = 2
    labels[1::3, 8, 48, 52] = 3
    assert "SLICE_FLICKERS" not in codes(judge(labels))


def test_an_ejection_fraction_near_a_cut_point_is_noted(judge, labels) -> None:
    measurements, _ = judge(labels)
    before = measurements.value("LVEF")
    assert before is not None
    assert before > 52
    for z in range(1, 9):  # less motion: a smaller part of ED is emptied
        labels[7:18, z] = labels[7, z]
    judged = judge(labels)
    percent = judged[0].value("LVEF")
    assert percent is not None
    near = min(abs(percent - p) for p in limits.EF_CUT_POINTS_PERCENT) <= 2
    assert ("NEAR_CUT_POINT" in codes(judged)) == near


def corrupted(labels: np.ndarray, kind: int, rng: np.random.Generator) -> np.ndarray:
    """One of five faults of row N03 in a middle slice of end-diastole."""
    spoilt = labels.copy()
    plane = spoilt[0, rng.integers(3, 7)]
    where = rng.integers(2, 20, 2)
    size = int(rng.integers(8, 16))
    corner = plane[where[0] : where[0] + size, where[1] : where[1] + size]
    if kind == 0:
        plane[:] = 0  # empty
    elif kind == 1:
        corner[:] = 3  # doubled cavity
    elif kind == 2:
        corner[:] = 2  # scattered muscle
    elif kind == 3:
        row, column = rng.integers(46, 51), rng.integers(50, 55)
        plane[row - 3 : row + 3, column - 3 : column + 3] = 1  # RV inside LV
    else:
        angle = np.arctan2(*(np.mgrid[0:96, 0:96] - [[[48.2]], [[52.4]]]))
        off = np.abs(np.angle(np.exp(1j * (angle - rng.uniform(-np.pi, np.pi)))))
        plane[(plane == 2) & (off < np.deg2rad(35))] = 0  # a ring open by a fifth
    return spoilt


def test_every_one_of_fifty_synthetic_corruptions_is_flagged(judge, labels) -> None:
    rng = np.random.default_rng(0)
    pair = labels[[0, 12]]
    for number in range(50):
        judged = judge(corrupted(pair, number % 5, rng))
        serious = {f.code for f in judged[1] if f.severity is not Severity.INFO}
        assert serious, number % 5


@settings(max_examples=60)
@given(
    seed=st.integers(0, 2**32 - 1),
    phases=st.integers(1, 14),
    slices=st.integers(1, 5),
    blob=st.integers(1, 9),
)
def test_no_labels_whatever_make_measuring_or_checking_fail(
    judge, seed, phases, slices, blob
) -> None:
    rng = np.random.default_rng(seed)
    coarse = rng.choice(4, size=(phases, slices, 5, 4), p=rng.dirichlet(np.ones(4)))
    labels = coarse.repeat(blob, axis=2).repeat(blob, axis=3).astype(np.uint8)
    measurements, flags = judge(labels, (7.0, 1.3, 1.9))
    for _, measurement in withhold(measurements, flags).points():
        assert measurement.value is None or np.isfinite(measurement.value)
        assert (measurement.value is None) == (measurement.reason is not None)


def test_a_shifted_heart_is_still_sound(judge, labels) -> None:
    moved = shift(labels, (0, 0, 7, -6), order=0)
    assert judge(moved)[1] == ()


@pytest.mark.real_data
def test_few_reference_masks_are_flagged_for_review(judge, data_folder) -> None:
    """Limits are 2.5-97.5 percentiles of these masks: some must fall outside, few may.

    By how the base is read, 15 % may: readers lose a slice in a quarter.
    """
    folder = data_folder / "acdc"
    with (folder / "metadata.csv").open(newline="") as lines:
        patients = [row["patient"] for row in csv.DictReader(lines)]
    review = by_the_base = 0
    for patient in patients[::4]:
        pair = [nib.load(folder / f"{patient}_{p}_gt.nii.gz") for p in ("ed", "es")]
        labels = np.stack([np.asarray(p.dataobj).T.astype(np.uint8) for p in pair])
        flags = judge(labels, tuple(float(mm) for mm in pair[0].header.get_zooms()[::-1]))[1]
        withheld = {flag.code for flag in flags if flag.severity is Severity.DO_NOT_REPORT}
        assert not withheld or (patient, withheld) == ("patient049", {"STACK_TOO_SHORT"})
        for_review = {flag.code for flag in flags if flag.severity is Severity.REVIEW}
        review += bool(for_review - {"BASE_UNCERTAIN"})
        by_the_base += "BASE_UNCERTAIN" in for_review
    assert review <= 0.2 * len(patients[::4])
    assert 0 < by_the_base <= 0.15 * len(patients[::4])


def discs(diastole_mm: list[float], systole_mm: list[float]) -> np.ndarray:
    """Labels ``(2, Z, 96, 96)`` of cavities of these radii in pixels, within a wall of 6."""
    rows, columns = np.mgrid[0:96, 0:96]
    reach = np.hypot(rows - 48.2, columns - 52.4)
    labels = np.zeros((2, len(diastole_mm), 96, 96), dtype=np.uint8)
    for phase, radii in enumerate((diastole_mm, systole_mm)):
        for z, radius in enumerate(radii):
            if radius:
                labels[phase, z][reach <= radius + 6] = 2
                labels[phase, z][reach <= radius] = 3
    return labels


@pytest.mark.parametrize(
    ("systole", "said"),
    [
        ([0, 8, 8, 8, 8, 8, 6], ""),  # 74 to 78 %
        ([0, 12, 12, 12, 12, 12, 9], "crosses 50 %"),  # 45 to 53 %
        ([0, 15, 15, 15, 15, 15, 13], "fraction moves by"),  # 13 to 26 %
        ([14, 14, 14, 14, 14, 14, 13], ""),  # nothing is lost
    ],
)
def test_an_ejection_fraction_that_the_base_decides_is_for_a_reader(judge, systole, said) -> None:
    judged = judge(discs([16, 16, 16, 16, 16, 16, 14], systole))
    flags = [f for f in judged[1] if f.code == "BASE_UNCERTAIN"]
    assert [f.severity for f in flags] == [Severity.REVIEW] * bool(said)
    assert all(said in f.message and "depending on slice 1" in f.evidence for f in flags)
    assert judged[0].find("LVEF").interval is not None


def test_a_torn_ring_on_an_end_slice_is_flagged(judge, labels) -> None:
    torn = labels.copy()
    torn[0, 1][:, 52:][torn[0, 1][:, 52:] == 2] = 0
    (flag,) = (f for f in judge(torn)[1] if f.code == "RING_OPEN")
    assert "end slice" in flag.message
    outflow = labels.copy()
    outflow[0, 1][46:51, 56:][outflow[0, 1][46:51, 56:] == 2] = 0
    assert "RING_OPEN" not in codes(judge(outflow))


def test_a_reader_who_draws_two_phases_is_not_told_that_the_curve_jumps(judge, labels) -> None:
    drawn = np.zeros_like(labels)
    drawn[[0, 12]] = labels[[0, 12]]
    measured, flags = judge(drawn, drawn_by=AuthorKind.READER)
    assert measured.value("LVEF") == pytest.approx(judge(labels)[0].value("LVEF"))
    assert not {f.code for f in flags} & {"NO_BEAT", "CURVE_JUMP", "SLICE_FLICKERS", "OUT_OF_STEP"}


def test_a_wall_that_a_reader_left_out_at_end_systole_is_not_torn(judge, labels) -> None:
    drawn = labels.copy()
    drawn[12][drawn[12] == 2] = 0
    assert "RING_OPEN" not in {f.code for f in judge(drawn, drawn_by=AuthorKind.READER)[1]}
    drawn[0, 4][:48][drawn[0, 4][:48] == 2] = 0
    assert "RING_OPEN" in {f.code for f in judge(drawn, drawn_by=AuthorKind.READER)[1]}
