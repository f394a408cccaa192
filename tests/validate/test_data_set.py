"""A manifest's rows as test data: what cannot be meant is refused, what was learnt from is said."""

from dataclasses import replace

import pytest

from opencmr.anatomy.techniques import Technique
from opencmr.anatomy.views import View
from opencmr.errors import ConfigurationError, GeometryError
from opencmr.models.library import read_library
from opencmr.train.manifest import ACDC_DATA, EMIDEC_DATA, ROWS, Row
from opencmr.validate.data_set import (
    LabelledData,
    claim_of,
    learnt_folds,
    remarks_on,
    require_fit,
    rows_of_json,
)

ROW = Row("p1", "ed", "x/p1_ed.nii.gz", "x/p1_gt.nii.gz", "acdc", "north", "A", 1.5, 0, "CC0")
CARD = read_library().choose(View.SAX, Technique.CINE, name="cine_sax@0.1.0").card
"""Its card says that it learnt from the folds 1 to 4 of ACDC."""


def data(*rows, others=(), data_set=ACDC_DATA):
    return LabelledData("acdc", rows, tuple(others), data_set)


def test_rows_are_grouped_by_subject_site_and_vendor():
    found = data(ROW, replace(ROW, phase="es"), replace(ROW, subject="p2", vendor=""))
    assert {subject: len(rows) for subject, rows in found.cases.items()} == {"p1": 2, "p2": 1}
    assert found.groups["vendor"] == {"p1": "A", "p2": "not stated"}
    assert found.groups["site"] == {"p1": "north", "p2": "north"}


@pytest.mark.parametrize(
    ("rows", "named"),
    [
        ((), "no row"),
        ((ROW, ROW), "p1_ed more than once"),
        ((ROW, replace(ROW, phase="es", label_scheme="mnms")), "acdc, mnms"),
        ((replace(ROW, subject="../p1"),), "'../p1'"),
        ((replace(ROW, subject="a b"),), "'a b'"),
        ((replace(ROW, subject=""),), "''"),
        ((replace(ROW, phase="e/d"),), "'e/d'"),
        ((replace(ROW, image="/etc/passwd"),), "'/etc/passwd'"),
        ((replace(ROW, labels="x/../../y.nii"),), "'x/../../y.nii'"),
        ((replace(ROW, labels=""),), "''"),
    ],
)
def test_rows_that_cannot_be_meant_are_refused(rows, named):
    with pytest.raises(ConfigurationError) as caught:
        data(*rows)
    assert named in str(caught.value)


def test_pictures_without_a_stated_spacing_are_refused():
    with pytest.raises(GeometryError, match="no spacing"):
        data(replace(ROW, nominal_spacing_mm=(1.5, 1.5)))


def test_a_manifest_of_training_is_read_and_another_file_is_not():
    assert rows_of_json(ROWS.dump_json((ROW,)), "manifest.json") == (ROW,)
    for content in (b"", b"{}", b'[{"subject": "p1"}]', b"\xff\x00", b'[{"fold": "x"}]'):
        with pytest.raises(ConfigurationError, match=r"manifest\.json is no manifest"):
            rows_of_json(content, "manifest.json")


def test_a_model_of_other_pictures_is_refused():
    require_fit(CARD, data(ROW))
    with pytest.raises(ConfigurationError, match="LGE"):
        require_fit(CARD, data(ROW, data_set=EMIDEC_DATA))


def test_folds_that_were_learnt_from_are_read_from_the_packaged_card():
    assert learnt_folds(CARD, data(ROW)) == (1, 2, 3, 4)
    assert learnt_folds(CARD, data(ROW, data_set=EMIDEC_DATA)) == ()
    vague = CARD.model_copy(update={"training_data": f"{ACDC_DATA.title} and more"})
    assert learnt_folds(vague, data(ROW)) is None


def test_what_makes_figures_too_good_is_said():
    assert remarks_on(CARD, data(ROW)) == ()
    (remark,) = remarks_on(CARD, data(ROW, replace(ROW, subject="p2", fold=3)))
    assert "fold 3 " in remark
    vague = CARD.model_copy(update={"training_data": f"{ACDC_DATA.title} and more"})
    assert "may be no test" in remarks_on(vague, data(ROW))[0]
    (remark,) = remarks_on(CARD, data(ROW, others=[replace(ROW, fold=2)]))
    assert "1 of the subjects" in remark
    (remark,) = remarks_on(CARD, data(ROW, data_set=None))
    assert CARD.training_data in remark


def test_partitions_are_called_apart_only_when_they_are():
    apart = [replace(ROW, subject="p2", fold=1)]
    assert 20 in claim_of(CARD, data(ROW, others=apart), images="")
    assert 20 not in claim_of(CARD, data(ROW), images="")
    assert 20 not in claim_of(CARD, data(ROW, others=[replace(ROW, fold=1)]), images="")


def test_testing_on_internal_data_is_claimed_only_for_a_fold_that_was_left_out():
    assert 32 in claim_of(CARD, data(ROW), images="")
    assert 32 not in claim_of(CARD, data(replace(ROW, fold=1)), images="")
    assert 32 not in claim_of(CARD, data(ROW, data_set=None), images="")
    assert all(33 not in claim_of(CARD, one, images="") for one in (data(ROW),))
