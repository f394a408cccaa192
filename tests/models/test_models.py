"""Model folders: found by what they can do, refused when damaged."""

import json
import shutil

import numpy as np
import pytest

from opencmr.anatomy.techniques import Technique
from opencmr.anatomy.views import View
from opencmr.errors import ModelError
from opencmr.models.card import read_card
from opencmr.models.library import MODELS_VARIABLE, find_model, list_models
from opencmr.models.session import Network


@pytest.fixture
def own_model(tmp_path, monkeypatch):
    """A copy of the shipped model in a user's own folder, as version 99.0."""
    source = find_model("segmentation", View.SAX, Technique.CINE)
    folder = tmp_path / "cine_sax" / "99.0"
    shutil.copytree(source.folder, folder)
    card = json.loads((folder / "model.json").read_text())
    card["version"] = "99.0"
    (folder / "model.json").write_text(json.dumps(card))
    monkeypatch.setenv(MODELS_VARIABLE, str(tmp_path))
    return folder


def test_the_shipped_model_names_its_data_and_terms():
    card = find_model("segmentation", View.SAX, Technique.CINE)
    assert "ACDC" in card.training_data
    assert "CC BY-NC-SA" in card.terms


def test_the_newest_version_that_fits_is_taken(own_model):
    assert find_model("segmentation", View.SAX, Technique.CINE).version == "99.0"


def test_a_model_can_be_named_with_its_version(own_model):
    shipped = next(card for card in list_models() if card.version != "99.0")
    named = f"{shipped.name}@{shipped.version}"
    assert find_model("segmentation", View.SAX, Technique.CINE, name=named) == shipped


def test_an_unknown_model_is_refused_with_what_is_there():
    with pytest.raises(ModelError, match=r"no segmentation model called 'nothing'.*cine_sax@"):
        find_model("segmentation", View.SAX, Technique.CINE, name="nothing")


def test_one_flipped_bit_in_the_weights_is_refused(own_model):
    weights = bytearray((own_model / "weights.onnx").read_bytes())
    weights[len(weights) // 2] ^= 1
    (own_model / "weights.onnx").write_bytes(weights)
    with pytest.raises(ModelError, match="MODEL_HASH"):
        Network(read_card(own_model))


def test_missing_weights_are_refused(own_model):
    (own_model / "weights.onnx").unlink()
    with pytest.raises(ModelError, match="missing"):
        Network(read_card(own_model))


@pytest.mark.parametrize("field", ["spacing_mm", "label_scheme", "sha256", "terms"])
def test_a_card_that_lacks_a_field_is_refused_by_name(own_model, field):
    card = json.loads((own_model / "model.json").read_text())
    del card[field]
    (own_model / "model.json").write_text(json.dumps(card))
    with pytest.raises(ModelError, match=field):
        read_card(own_model)


def test_one_and_two_threads_give_the_same_labels():
    card = find_model("segmentation", View.SAX, Technique.CINE)
    window = np.random.default_rng(0).random((1, 1, 96, 112), dtype=np.float32)
    one, two = (Network(card, threads=n)(window) for n in (1, 2))
    assert one == pytest.approx(two, abs=1e-5)
    assert np.array_equal(one.argmax(1), two.argmax(1))


def test_class_shares_sum_to_one():
    card = find_model("segmentation", View.SAX, Technique.CINE)
    shares = Network(card)(np.zeros((2, 1, 64, 64), np.float32))
    assert shares.shape == (2, 4, 64, 64)
    assert shares.sum(1) == pytest.approx(np.ones((2, 64, 64)), abs=1e-5)
