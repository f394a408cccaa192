"""A stack that is cut is told by the areas at its ends, and by its length."""

import csv

import nibabel as nib
import numpy as np
import pytest

from opencmr.anatomy.policy import ACDC_POLICY
from opencmr.anatomy.structures import ACDC
from opencmr.geometry.grid import grid_from_spacing
from opencmr.imaging.flag import Severity
from opencmr.imaging.image import untimed_image
from opencmr.imaging.segmentation import Author, AuthorKind, Segmentation
from opencmr.imaging.study import Demographics
from opencmr.measure import Ventricles
from opencmr.quality.ends import cut_flags, short_flags
from opencmr.quality.withhold import withhold
from tests.quality.conftest import heart_labels

OF_A_CUT = {"APEX_CUT", "BASE_AT_STACK_END", "BOTH_ENDS_CUT", "STACK_TOO_SHORT"}
PAIR = heart_labels()[[0, 12]]


def severities(judged) -> dict[str, Severity]:
    return {flag.code: flag.severity for flag in judged[1] if flag.code in OF_A_CUT}


def values(judged) -> dict[str, float | None]:
    return {m.quantity.symbol: m.value for m in withhold(*judged).whole_heart}


def test_an_apex_that_is_cut_off_is_for_review(judge) -> None:
    assert severities(judge(PAIR[:, :7])) == {"APEX_CUT": Severity.REVIEW}
    assert values(judge(PAIR[:, :7]))["LVEDV"] is not None


def test_a_base_at_the_end_of_the_stack_is_an_info(judge) -> None:
    assert severities(judge(PAIR[:, 1:])) == {"BASE_AT_STACK_END": Severity.INFO}


def test_a_base_that_is_at_the_end_at_end_diastole_alone_is_said_too(judge) -> None:
    descends = PAIR[:, 1:].copy()
    descends[1, :2] = 0
    assert "BASE_AT_STACK_END" in severities(judge(descends))


def test_reversed_slices_name_the_same_end(judge) -> None:
    assert severities(judge(PAIR[:, :7][:, ::-1])) == {"APEX_CUT": Severity.REVIEW}
    assert severities(judge(PAIR[:, 1:][:, ::-1])) == {"BASE_AT_STACK_END": Severity.INFO}


def test_an_apex_that_was_not_found_on_slices_that_are_there_is_for_review(judge) -> None:
    missed = PAIR.copy()
    missed[:, 7:] = 0
    assert severities(judge(missed)) == {"APEX_CUT": Severity.REVIEW}


def test_a_stack_cut_at_both_ends_withholds_what_is_summed_and_spares_the_wall(judge) -> None:
    judged = judge(PAIR[:, 1:7])
    assert severities(judged)["BOTH_ENDS_CUT"] is Severity.DO_NOT_REPORT
    after = values(judged)
    for symbol in ("LVEDV", "LVESV", "LVEF", "LVM", "RVEDV", "RVEF"):
        assert after[symbol] is None
    assert after["WT_MEAN"] is not None
    assert after["BSA"] is not None


def test_three_slices_of_ten_are_too_short(judge) -> None:
    for kept in (slice(1, 4), slice(3, 6), slice(6, 9)):
        judged = judge(PAIR[:, kept])
        assert severities(judged)["STACK_TOO_SHORT"] is Severity.DO_NOT_REPORT
        assert values(judged)["LVEF"] is None


def test_few_slices_that_lie_far_apart_withhold_nothing(judge) -> None:
    judged = judge(PAIR[:, [0, 2, 5, 8]], (30.0, 1.5, 1.5))
    assert Severity.DO_NOT_REPORT not in severities(judged).values()
    assert values(judged)["LVEDV"] is not None


@pytest.mark.parametrize("basal", range(4))
@pytest.mark.parametrize("apical", range(4))
def test_no_cut_moves_the_numbers_unnamed(judge, basal, apical) -> None:
    before = values(judge(PAIR))
    judged = judge(PAIR[:, (1 + basal if basal else 0) : 9 - apical])
    after = judged[0].values()
    if abs(after["LVEF"] - before["LVEF"]) > 3 or abs(after["LVEDV"] / before["LVEDV"] - 1) > 0.1:
        assert severities(judged)


@pytest.mark.real_data
def test_one_of_eighty_stacks_of_readers_is_withheld_and_few_are_for_review(data_folder) -> None:
    folder = data_folder / "acdc"
    with (folder / "metadata.csv").open(newline="") as lines:
        patients = [row["patient"] for row in csv.DictReader(lines)]
    severe: list[Severity] = []
    for patient in patients:
        pair = [nib.load(folder / f"{patient}_{p}_gt.nii.gz") for p in ("ed", "es")]
        labels = np.stack([np.asarray(p.dataobj).T.astype(np.uint8) for p in pair])
        spacing_mm = tuple(float(mm) for mm in pair[0].header.get_zooms()[::-1])
        grid = grid_from_spacing(labels.shape[1:], spacing_mm)
        masks = Segmentation(labels, ACDC, grid, ACDC_POLICY, Author(AuthorKind.READER, "reader"))
        image = untimed_image(np.zeros(labels.shape, dtype=np.float32), grid)
        ventricles = Ventricles(masks, image, Demographics(), "s01")
        flags = [*cut_flags(ventricles, (0, 1)), *short_flags(ventricles, 0)]
        severe += [
            max((f.severity for f in flags), key=list(Severity).index, default=Severity.INFO)
        ]
    assert severe.count(Severity.DO_NOT_REPORT) <= 1
    assert severe.count(Severity.REVIEW) <= 2
