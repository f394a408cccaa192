"""A model that knows greys, run over hearts of known labels: what it makes is written, judged."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import nibabel
import numpy as np
import pytest

from opencmr.anatomy.policy import ACDC_POLICY
from opencmr.anatomy.structures import ACDC
from opencmr.anatomy.techniques import Technique
from opencmr.errors import ConfigurationError, GeometryError, InputError
from opencmr.train.manifest import ROWS, Row
from opencmr.validate.model_run import ModelRun, read_data, validate_model
from tests.grey_network import Grey, grey_card

GREYS = np.array([0.0, 0.3, 0.6, 1.0], np.float32)
"""Of background, right ventricle, wall and cavity: the ACDC labels 0 to 3."""
INNER_PX = tuple({"ed": 14.0 + n, "es": 10.0 + n / 2} for n in range(4))
"""Radius of each subject's cavity at the base."""
CARD = grey_card(
    ACDC, ACDC_POLICY, Technique.CINE, spacing_mm=2.0, training_data="greys", terms="CC0"
)


class Blind(Grey):
    """Sees background everywhere."""

    def __call__(self, windows):
        shares = super().__call__(windows) * 0
        shares[:, 0] = 1
        return shares


def heart(inner_px, slices=6, size=96):
    """Labels (X, Y, Z): rings that get smaller towards the apex, the right ventricle beside."""
    labels = np.zeros((size, size, slices), np.uint8)
    x, y = np.indices((size, size))
    for z in range(slices):
        radius = inner_px * (1 - 0.4 * z / slices)
        labels[..., z][np.hypot(x - 27, y - 48) < radius] = 1
        labels[..., z][np.hypot(x - 52, y - 48) < radius + 6] = 2
        labels[..., z][np.hypot(x - 52, y - 48) < radius] = 3
    return labels


def save(path, values, spacing_mm):
    path.parent.mkdir(parents=True, exist_ok=True)
    nifti = nibabel.Nifti1Image(values, np.diag([*spacing_mm[:3], 1.0]))
    nifti.header.set_zooms(spacing_mm)
    nifti.header.set_xyzt_units("mm", "sec")
    nibabel.save(nifti, path)


def row(subject, phase, site, vendor, fold=0, field_strength_t=1.5):
    image, labels = f"set/{subject}_{phase}.nii.gz", f"set/{subject}_{phase}_gt.nii.gz"
    return Row(subject, phase, image, labels, "acdc", site, vendor, field_strength_t, fold, "CC0")


@pytest.fixture(scope="module")
def hearts(tmp_path_factory):
    """Four subjects of two vendors at ED and ES, and a manifest of them."""
    tmp_path = tmp_path_factory.mktemp("hearts")
    rng = np.random.default_rng(5)
    rows = []
    for n in range(4):
        spacing_mm = (1.8 + 0.1 * n, 1.8 + 0.1 * n, 8.0 + n)
        for phase, inner in INNER_PX[n].items():
            one = row(f"p{n}", phase, "north", "A" if n < 2 else "B", fold=n // 3)
            labels = heart(inner)
            values = 800 * GREYS[labels] + rng.normal(0, 4, labels.shape).astype(np.float32)
            save(tmp_path / one.image, values.astype(np.float32), spacing_mm)
            save(tmp_path / one.labels, labels, spacing_mm)
            rows.append(one)
    (tmp_path / "manifest.json").write_bytes(ROWS.dump_json(tuple(rows)))
    return tmp_path


def run(folder, network=None, folds=None):
    data = read_data(str(folder / "manifest.json"), folder, folds)
    return ModelRun(network or Grey(CARD, GREYS), data, folder)


@pytest.fixture
def folder(hearts, tmp_path):
    """A copy of them that may be spoilt."""
    return Path(shutil.copytree(hearts, tmp_path / "hearts"))


@pytest.fixture(scope="module")
def result(hearts, tmp_path_factory):
    """The cohort of all four, the files written and their folder."""
    out = tmp_path_factory.mktemp("out") / "result"
    cohort, written = validate_model(run(hearts), out)
    return cohort, written, out


def test_the_predictions_are_the_truth_but_for_its_edges_on_the_images_own_grid(result, hearts):
    cohort, written, out = result
    assert cohort.mean("dice", "LV").mean.value > 0.97
    assert cohort.mean("dice").mean.value > 0.9
    names = {path.name for path in (out / "predictions").iterdir()}
    assert names >= {f"p{n}_{phase}.nii.gz" for n in range(4) for phase in ("ed", "es")}
    made = nibabel.load(out / "predictions" / "p3_es.nii.gz")
    read = nibabel.load(hearts / "set" / "p3_es.nii.gz")
    assert (made.affine == read.affine).all()
    assert {path for path in out.rglob("*") if path.is_file()} == set(written)


def test_ed_and_es_of_a_subject_are_one_case_with_an_ejection_fraction(result):
    cohort, *_ = result
    assert cohort.cases == ("p0", "p1", "p2", "p3")
    assert {s.phase for s in cohort.scores} == {"ED", "ES"}
    (ef,) = (a for a in cohort.agreements if a.quantity.symbol == "LVEF" and not a.column)
    # A ring's volume follows its radius squared in every slice.
    true = [100 * (1 - (one["es"] / one["ed"]) ** 2) for one in INNER_PX]
    assert ef.reference == pytest.approx(true, abs=1.5)
    assert abs(ef.agreement.bias.value) < 2


def test_sites_and_vendors_are_summarised_and_their_variety_is_told(result):
    cohort, _, out = result
    groups = {(s.part.column, s.part.group): s.cases for s in cohort.summaries if s.part.column}
    assert groups == {("site", "north"): 4, ("vendor", "A"): 2, ("vendor", "B"): 2}
    told = json.loads((out / "results.json").read_text())["data"]["variability"]
    by = {(one["column"], one["group"]): one for one in told}
    assert by["vendor", "B"]["row_spacing_mm"] == {"low": 2.0, "median": 2.05, "high": 2.1}
    assert by["all", "all"]["slice_spacing_mm"]["high"] == 11.0
    assert by["all", "all"]["contrast"]["median"] == pytest.approx(1 / 0.6, rel=0.01)
    page = (out / "report.html").read_text("utf-8")
    assert "Variety of the data" in page
    assert "not for diagnosis" in page


def test_what_the_run_knows_of_claim_is_told_and_the_rest_is_the_author_s(result):
    _, _, out = result
    items = json.loads((out / "results.json").read_text())["claim"]["items"]
    known = {item["number"]: item["known"] for item in items}
    assert len(known) == 44
    assert "knows greys alone" in known[40]
    assert "row spacing 1.80 to 2.10 mm" in known[13]
    assert all(not known[number] for number in (5, 16, 33, 44))
    assert "for the author to fill" in (out / "report.html").read_text("utf-8")


def test_the_record_names_model_and_every_file(result):
    _, _, out = result
    record = json.loads((out / "run.json").read_text())
    assert record["models"][0]["name"] == "grey"
    assert "predictions/p0_ed.nii.gz" in {one["path"] for one in record["files"]}
    assert str(out.parent) not in (out / "run.json").read_text()


def test_a_result_with_its_predictions_is_replaced_only_when_asked_for(hearts, tmp_path):
    out = tmp_path / "out"
    validate_model(run(hearts, folds=(1,)), out)
    with pytest.raises(ConfigurationError, match="--overwrite"):
        validate_model(run(hearts, folds=(1,)), out)
    validate_model(run(hearts, folds=(1,)), out, overwrite=True)
    assert {p.name for p in (out / "predictions").glob("*.nii.gz")} == {
        "p3_ed.nii.gz",
        "p3_es.nii.gz",
    }


def test_a_model_that_sees_no_heart_is_scored_and_it_is_said(hearts, tmp_path):
    cohort, _ = validate_model(run(hearts, Blind(CARD, GREYS), folds=(1,)), tmp_path / "blind")
    assert cohort.mean("dice").mean.value == 0
    told = json.loads((tmp_path / "blind" / "results.json").read_text())
    assert told["no_heart_seen"] == ["p3"]
    assert any("No heart was seen in 1 of 1" in remark for remark in told["remarks"])


def spoil_image(folder):
    (folder / "set" / "p0_es.nii.gz").unlink()
    return InputError, "p0_es.nii.gz"


def spoil_labels(folder):
    labels = heart(11.0)
    labels[0, 0, 0] = 9
    save(folder / "set" / "p0_es_gt.nii.gz", labels, (1.8, 1.8, 8.0))
    return GeometryError, "p0_es_gt.nii.gz"


def spoil_spacing(folder):
    save(folder / "set" / "p0_es_gt.nii.gz", heart(11.0), (1.8, 1.8, 10.0))
    return GeometryError, "another grid"


def spoil_phases(folder):
    noise = np.random.default_rng(4).normal(100, 4, (96, 96, 5)).astype(np.float32)
    save(folder / "set" / "p0_es.nii.gz", noise, (1.8, 1.8, 8.0))
    return GeometryError, "p0_es.nii.gz"


def spoil_picture(folder):
    save(folder / "set" / "p0_es.nii.gz", heart(11.0), (1.8, 1.8, 8.0))
    return InputError, "label map"


@pytest.mark.parametrize(
    "spoil", [spoil_image, spoil_labels, spoil_spacing, spoil_phases, spoil_picture]
)
def test_what_does_not_fit_is_named_and_nothing_is_written(folder, spoil):
    error, named = spoil(folder)
    out = folder.parent / "spoilt"
    with pytest.raises(error) as caught:
        validate_model(run(folder), out)
    assert named in str(caught.value)
    assert not out.exists()


def test_data_that_are_not_there_are_named(hearts):
    with pytest.raises(ConfigurationError, match="known: acdc, acdc_sunnybrook, emidec"):
        read_data("nowhere", hearts)
    with pytest.raises(ConfigurationError, match="no folder"):
        read_data("acdc", hearts / "nowhere")
    with pytest.raises(ConfigurationError, match=r"the folds \[0, 1\]"):
        read_data(str(hearts / "manifest.json"), hearts, (7,))


def test_a_cine_of_one_file_is_one_case(folder):
    cine = np.stack([heart(r) for r in (15.0, 14.6, 14.2, 14.6)], axis=-1)
    one = replace(row("c", "", "north", "A"), image="set/c.nii.gz", labels="set/c_gt.nii.gz")
    save(folder / one.labels, cine, (1.8, 1.8, 8.0, 0.05))
    noise = np.random.default_rng(2).normal(0, 4, cine.shape)
    save(folder / one.image, (800 * GREYS[cine] + noise).astype(np.float32), (1.8, 1.8, 8.0, 0.05))
    (folder / "manifest.json").write_bytes(ROWS.dump_json((one,)))
    cohort, _ = validate_model(run(folder), folder.parent / "cine")
    assert {s.phase for s in cohort.scores} == {"ED", "ES", "between"}
    assert cohort.mean("dice", "LV").mean.value > 0.97
