"""One patient against the reader: phases, levels, presence, volumes, on shapes of known truth."""

import dataclasses

import numpy as np
import pytest

from opencmr.anatomy.policy import ACDC_POLICY
from opencmr.anatomy.structures import ACDC, EMIDEC, MNMS, Structure
from opencmr.errors import GeometryError
from opencmr.geometry.grid import grid_from_spacing
from opencmr.imaging.segmentation import Author, AuthorKind, Segmentation
from opencmr.validate.case import Case, measure_twice, score_case

SPACING_MM = (10.0, 1.5, 1.5)


def segmentation(labels, scheme=ACDC, spacing_mm=SPACING_MM):
    grid = grid_from_spacing(labels.shape[1:], spacing_mm)
    return Segmentation(labels, scheme, grid, ACDC_POLICY, Author(AuthorKind.READER, "reader"))


def heart(radii_px, slices=9, size=64):
    """A cone from base (first slice) to apex at each of several cavity radii, ACDC labels."""
    labels = np.zeros((len(radii_px), slices, size, size), dtype=np.uint8)
    rows, columns = np.indices((size, size))
    for t, radius in enumerate(radii_px):
        for z in range(slices):
            inner = radius * (1 - 0.6 * z / slices)
            far = np.hypot(rows - size / 2, columns - size / 2)
            beside = np.hypot(rows - size / 2, columns - size / 4) < inner
            labels[t, z][beside] = 1
            labels[t, z][far < inner + 5] = 2
            labels[t, z][far < inner] = 3
    return labels


def scored(prediction, reference, stated=("", "")):
    case = Case("p", segmentation(prediction), segmentation(reference), stated)
    return {(s.phase, s.structure, s.level): s for s in score_case(case)}


def test_a_copy_is_perfect_everywhere_whatever_its_scheme():
    labels = heart([14, 9])
    renamed = np.array([0, 3, 2, 1], dtype=np.uint8)[labels]
    case = Case("p", segmentation(renamed, MNMS), segmentation(labels), ("", ""))
    scores = score_case(case)
    assert {s.dice for s in scores} == {s.iou for s in scores} == {1.0}
    whole = [s for s in scores if s.level == "whole"]
    assert len(whole) == 6
    assert {s.hausdorff_mm for s in whole} == {0.0}
    assert {s.level for s in scores} == {"whole", "base", "middle", "apex"}
    assert all(m.measured == pytest.approx(m.reference) for m in measure_twice(case))


def test_phases_are_named_by_the_reader_s_volumes_unless_they_are_stated():
    labels = heart([9, 14, 12])
    assert {p for p, *_ in scored(labels, labels, ("", "", ""))} == {"ED", "ES", "between"}
    ed = scored(
        np.where(np.arange(3)[:, None, None, None] == 1, 0, labels).astype(np.uint8),
        labels,
        ("", "", ""),
    )["ED", Structure.LV, "whole"]
    assert ed.dice == 0
    stated = scored(labels[:2], labels[:2], ("ED", "ES"))
    assert {p for p, *_ in stated} == {"ED", "ES"}
    assert {p for p, *_ in scored(labels[:1], labels[:1], ("",))} == {"single"}


def test_a_phase_of_a_cine_that_nobody_read_is_not_scored():
    reference = heart([14, 12, 9])
    reference[1] = 0
    assert {p for p, *_ in scored(heart([14, 12, 9]), reference, ("", "", ""))} == {"ED", "ES"}


def test_a_ring_moved_by_two_pixels_is_three_millimetres_off():
    labels = heart([14, 9])
    found = scored(np.roll(labels, 2, axis=3), labels)["ED", Structure.LV, "whole"]
    assert found.hausdorff_mm == pytest.approx(3.0)


@pytest.mark.parametrize("turned", [False, True])
def test_what_is_missed_at_the_base_and_invented_at_the_apex_is_counted_there(turned):
    reference = heart([14, 9])
    reference[:, -1][reference[:, -1] == 1] = 0
    prediction = reference.copy()
    prediction[:, 0] = 0
    prediction[:, -1, 4:7, 4:7] = 1
    if turned:
        prediction, reference = prediction[:, ::-1].copy(), reference[:, ::-1].copy()
    found = scored(prediction, reference)
    for level, missed, invented in (("base", 1, 0), ("middle", 0, 0), ("apex", 0, 1)):
        rv = found["ED", Structure.RV, level]
        assert (rv.missed_slices, rv.invented_slices) == (missed, invented)
    whole = found["ED", Structure.RV, "whole"]
    assert (whole.slices_with, whole.slices_without) == (8, 1)


def test_volumes_of_discs_are_those_of_their_voxels():
    labels = heart([14, 9])
    found = {
        m.quantity.symbol: m
        for m in measure_twice(
            Case("p", segmentation(heart([13, 9])), segmentation(labels), ("ED", "ES"))
        )
    }
    voxel_ml = np.prod(SPACING_MM) / 1000
    assert found["LVEDV"].reference == pytest.approx((labels[0] == 3).sum() * voxel_ml)
    assert found["LVM"].reference == pytest.approx(1.05 * (labels[0] == 2).sum() * voxel_ml)
    assert found["LVEF"].measured < found["LVEF"].reference


def test_nothing_found_has_no_volume_and_no_distance():
    labels = heart([14, 9])
    case = Case("p", segmentation(np.zeros_like(labels)), segmentation(labels), ("", ""))
    assert all(m.measured is None for m in measure_twice(case))
    whole = [s for s in score_case(case) if s.level == "whole"]
    assert {(s.dice, s.hausdorff_mm, s.nsd) for s in whole} == {(0.0, None, 0.0)}


def test_a_single_slice_has_scores_and_no_volume():
    labels = heart([14, 9], slices=1)
    case = Case("p", segmentation(labels), segmentation(labels), ("ED", "ES"))
    assert {s.average_mm for s in score_case(case)} == {0.0}
    assert all(m.reference is None for m in measure_twice(case))


def test_only_structures_of_both_schemes_are_scored_and_scar_is_myocardium():
    labels = heart([14, 9])
    scarred = np.where(labels == 3, 1, np.where(labels == 2, 2, 0)).astype(np.uint8)
    scarred[:, :, :32][scarred[:, :, :32] == 2] = 3
    case = Case("p", segmentation(labels), segmentation(scarred, EMIDEC), ("ED", "ES"))
    found = {(s.structure, s.level): s.dice for s in score_case(case)}
    assert {structure for structure, _ in found} == {Structure.LV, Structure.MYOCARDIUM}
    assert found[Structure.MYOCARDIUM, "whole"] == 1


def test_labels_on_another_grid_are_refused():
    labels = heart([14, 9])
    with pytest.raises(GeometryError, match="apart"):
        Case("p", segmentation(labels, spacing_mm=(8.0, 1.5, 1.5)), segmentation(labels), ("", ""))
    with pytest.raises(GeometryError):
        Case("p", segmentation(labels[:, 1:].copy()), segmentation(labels), ("", ""))


def test_scores_are_data():
    labels = heart([14, 9])
    (score, *_) = scored(labels, labels).values()
    assert dataclasses.asdict(score)["case"] == "p"
