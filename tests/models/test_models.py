"""Model folders: found by what they can do, refused when damaged."""

import gc
import hashlib
import json
import pickle
import re
import shutil
import weakref
from pathlib import Path

import numpy as np
import pytest

from opencmr.anatomy.techniques import Technique
from opencmr.anatomy.views import View
from opencmr.errors import ModelError
from opencmr.models.card import read_card, write_card
from opencmr.models.library import MODELS_VARIABLE, model_titled, read_library
from opencmr.models.session import Networks, load_network
from tests.grey_wall import grey_wall_card

PACKAGED = read_library().choose(View.SAX, Technique.CINE).card
"""What is taken where the user has no model of the kind."""


@pytest.fixture
def own_model(tmp_path, monkeypatch):
    """A copy of a shipped model, which labels slices, in a user's own folder as version 99.0."""
    source = model_titled("cine_sax@0.1.0")
    folder = tmp_path / "cine_sax" / "99.0"
    shutil.copytree(source.folder, folder)
    card = json.loads((folder / "model.json").read_text())
    card["version"] = "99.0"
    (folder / "model.json").write_text(json.dumps(card))
    monkeypatch.setenv(MODELS_VARIABLE, str(tmp_path))
    return folder


def test_the_shipped_model_names_its_data_and_terms():
    card = read_library().choose(View.SAX, Technique.CINE).card
    assert "ACDC" in card.training_data
    assert "CC BY-NC-SA" in card.terms


def test_the_newest_version_that_fits_is_taken(own_model):
    assert read_library().choose(View.SAX, Technique.CINE).card.version == "99.0"


def test_a_model_can_be_named_with_its_version(own_model):
    shipped = next(
        card for card in read_library().fitting(View.SAX, Technique.CINE) if card.version != "99.0"
    )
    named = f"{shipped.name}@{shipped.version}"
    assert read_library().choose(View.SAX, Technique.CINE, name=named).card == shipped


def test_an_unknown_model_is_refused_with_what_is_there():
    with pytest.raises(ModelError, match=r"no segmentation model called 'nothing'.*cine_sax@"):
        read_library().choose(View.SAX, Technique.CINE, name="nothing")


def test_what_a_network_says_does_not_depend_on_the_windows_before():
    network = load_network(read_library().choose(View.SAX, Technique.CINE).card)
    planes, random = network.card.input.planes or 4, np.random.default_rng(1)
    small, large = (random.random((1, planes, n, n), dtype=np.float32) for n in (64, 96))
    first = network(small)
    np.testing.assert_array_equal(network(small), first)
    network(large)
    np.testing.assert_array_equal(network(small), first)


def test_a_card_may_weigh_the_shares_of_structures_that_it_labels(own_model):
    card = json.loads((own_model / "model.json").read_text())
    card["output"]["share_factors"] = {"MYOCARDIUM": 0.5}
    (own_model / "model.json").write_text(json.dumps(card))
    read = read_card(own_model)
    assert read.output.factors == (1.0, 1.0, 0.5, 1.0)
    assert json.loads(read.model_dump_json())["output"] == card["output"]
    card["output"]["share_factors"] = {"SCAR": 0.5}
    (own_model / "model.json").write_text(json.dumps(card))
    with pytest.raises(ModelError, match="share_factors names SCAR, which acdc has not"):
        read_card(own_model)


def test_one_flipped_bit_in_the_weights_is_refused(own_model):
    weights = bytearray((own_model / "weights.onnx").read_bytes())
    weights[len(weights) // 2] ^= 1
    (own_model / "weights.onnx").write_bytes(weights)
    with pytest.raises(ModelError, match="MODEL_HASH"):
        load_network(read_card(own_model))


def test_missing_weights_are_refused(own_model):
    (own_model / "weights.onnx").unlink()
    with pytest.raises(ModelError, match="missing"):
        load_network(read_card(own_model))


def edit(folder: Path, *keys: str, value: object) -> None:
    """Set one field of a card; None takes it out."""
    path = folder / "model.json"
    card = json.loads(path.read_text())
    table = card
    for key in keys[:-1]:
        table = table[key]
    table[keys[-1]] = value
    if value is None:
        del table[keys[-1]]
    path.write_text(json.dumps(card))


@pytest.mark.parametrize(
    ("keys", "value"),
    [
        (("sha256",), None),
        (("terms",), None),
        (("task",), None),
        (("input", "spacing_mm"), None),
        (("output", "label_scheme"), None),
        (("name",), "../elsewhere"),
        (("sha256",), "ABC"),
        (("colour",), "red"),
        (("input", "stride_px"), 0),
        (("input", "stride_px"), 10**9),
        (("input", "stride_px"), 7),
        (("input", "window_px"), "160"),
        (("input", "window_px"), True),
        (("input", "context_slices"), -1),
        (("input", "spacing_mm"), 0.0),
        (("input", "spacing_mm"), float("nan")),
        (("input", "spacing_mm"), float("inf")),
        (("input", "intensity_percentiles"), [99, 1]),
        (("input", "intensity_percentiles"), [1, 101]),
        (("input", "intensity_percentiles"), [1]),
        (("input", "view"), "sideways"),
        (("input", "technique"), "photo"),
        (("output", "label_scheme"), "nobody"),
        (("output", "papillary_rule"), "ANYWHERE"),
        (("output", "basal_rule"), ["AS_SEGMENTED"]),
    ],
    ids=str,
)
def test_a_wrong_field_is_refused_by_name(own_model, keys, value):
    edit(own_model, *keys, value=value)
    with pytest.raises(ModelError, match=rf"cine_sax/99\.0.*{keys[-1]}"):
        read_card(own_model)


def test_a_classifier_has_classes_instead_of_labels(own_model):
    path = own_model / "model.json"
    card = json.loads(path.read_text())
    picture = {k: card["input"][k] for k in ("spacing_mm", "window_px", "intensity_percentiles")}
    card |= {"task": "classification", "input": picture, "output": {"classes": ["SAX", "4CH"]}}
    path.write_text(json.dumps(card))
    assert read_card(own_model).output.channels == 2
    edit(own_model, "output", "classes", value=["SAX", "SAX"])
    with pytest.raises(ModelError, match="classes"):
        read_card(own_model)


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"[]", b"{" * 9999, b"null"], ids=repr)
def test_a_broken_card_stops_no_other_model(own_model, content):
    (own_model / "model.json").write_bytes(content)
    library = read_library()
    assert [card.version for card in library.cards if card.name == "cine_sax"] == [
        "0.1.0",
        PACKAGED.version,
    ]
    assert "cine_sax/99.0" in library.broken[0]
    assert read_library().choose(View.SAX, Technique.CINE).card == PACKAGED


def test_weights_that_onnxruntime_refuses_are_named(own_model):
    (own_model / "weights.onnx").write_bytes(b"no network")
    edit(own_model, "sha256", value=hashlib.sha256(b"no network").hexdigest())
    with pytest.raises(ModelError, match=r"onnxruntime refuses the weights of cine_sax 99\.0"):
        load_network(read_card(own_model))


@pytest.mark.parametrize(
    ("keys", "value", "said"),
    [
        (("input", "context_slices"), 2, "planes in"),
        (("input", "whole_stack"), True, "none of a network for stacks"),
        (("output", "label_scheme"), "emidec", "out"),
    ],
)
def test_a_card_of_other_weights_is_refused(own_model, keys, value, said):
    edit(own_model, *keys, value=value)
    with pytest.raises(ModelError, match=said):
        load_network(read_card(own_model))


def test_windows_that_the_network_cannot_compute_name_the_model():
    network = load_network(PACKAGED)
    with pytest.raises(ModelError, match=f"{re.escape(PACKAGED.title)} cannot compute"):
        network(np.zeros((1, 3, 63, 64), np.float32))


def test_a_card_states_the_digest_of_its_own_file(own_model):
    before = read_card(own_model).file_sha256
    assert before == hashlib.sha256((own_model / "model.json").read_bytes()).hexdigest()
    edit(own_model, "limitations", value="none")
    assert read_card(own_model).file_sha256 != before


def test_networks_load_a_model_once_and_travel_unloaded():
    networks = Networks()
    one = networks.segmentation(View.SAX, Technique.CINE)
    assert networks.segmentation(View.SAX, Technique.CINE, name="cine_sax") is one
    there = pickle.loads(pickle.dumps(networks))
    assert there.segmentation(View.SAX, Technique.CINE) is not one


def test_networks_that_are_forgotten_give_back_their_memory():
    networks = Networks()
    alive = weakref.ref(networks.segmentation(View.SAX, Technique.CINE))
    networks.forget()
    gc.collect()
    assert alive() is None
    assert networks.segmentation(View.SAX, Technique.CINE).card.name == "cine_sax"


def test_a_users_model_that_wins_over_the_packaged_one_is_said(own_model):
    networks = Networks()
    networks.segmentation(View.SAX, Technique.CINE, name="cine_sax@0.1.0")
    assert networks.remarks == ()
    for _ in range(2):
        networks.segmentation(View.SAX, Technique.CINE)
    (remark,) = networks.remarks
    assert "cine_sax 99.0" in remark
    assert f"packaged {PACKAGED.title}" in remark


def test_the_card_in_the_documentation_reads(tmp_path):
    page = Path(__file__).resolve().parents[2] / "docs" / "how-to" / "add-a-model.md"
    (shown,) = re.findall(r"```json\n(.*?)```", page.read_text(), re.DOTALL)
    (tmp_path / "model.json").write_text(shown)
    assert read_card(tmp_path).input.stride_px == 16


@pytest.mark.parametrize("slices", [1, 2, 5])
def test_any_number_of_threads_gives_the_same_labels(slices):
    card = read_library().choose(View.SAX, Technique.CINE).card
    stacks = np.random.default_rng(0).random((2, slices, 48, 64), dtype=np.float32)
    one, *others = (load_network(card, threads=n)(stacks) for n in (1, 2, 3))
    for other in others:
        assert other == pytest.approx(one, abs=1e-5)
        assert np.array_equal(other.argmax(1), one.argmax(1))


def test_windows_that_no_part_can_compute_are_refused():
    network = load_network(read_library().choose(View.SAX, Technique.CINE).card, threads=2)
    with pytest.raises(ModelError, match="cannot compute windows of shape"):
        network(np.zeros((1, 4, 50, 64), np.float32))


def test_class_shares_sum_to_one():
    card = read_library().choose(View.SAX, Technique.CINE).card
    shares = load_network(card)(np.zeros((2, 3, 64, 64), np.float32))
    assert shares.shape == ((2, 4, 3, 64, 64) if card.input.whole_stack else (2, 4, 64, 64))
    assert shares.sum(1) == pytest.approx(np.ones((2, *shares.shape[2:])), abs=1e-5)


def test_the_library_is_read_once_for_plan_and_networks(own_model, monkeypatch):
    networks = Networks()
    assert networks.library is networks.library
    monkeypatch.delenv(MODELS_VARIABLE)
    assert networks.library.choose(View.SAX, Technique.CINE).card.version == "99.0"


@pytest.fixture
def second_look(tmp_path, monkeypatch):
    """A model of walls, in a user's own folder, that follows the packaged one; no weights."""
    folder = tmp_path / "walls" / "1.0"
    folder.mkdir(parents=True)
    write_card(grey_wall_card("lge_sax", version="99.0"), folder)
    monkeypatch.setenv(MODELS_VARIABLE, str(tmp_path))
    return folder


def test_a_second_look_follows_its_model_alone_and_is_none_that_segments(second_look):
    library = read_library()
    late = library.choose(View.SAX, Technique.LGE).card
    found = library.second_look(late)
    assert found is not None
    assert found.reference == "walls@99.0"
    assert found in library.defaults
    assert library.second_look(PACKAGED) is None
    assert "walls" not in {card.name for card in library.fitting(View.SAX, Technique.LGE)}


def test_a_damaged_second_look_is_as_good_as_absent_and_remarked(second_look):
    networks = Networks()
    late = networks.library.choose(View.SAX, Technique.LGE).card
    assert networks.second_look(late) is None
    assert "weights of walls 99.0 are missing" in networks.remarks[0]


def test_a_card_of_another_unwrapping_is_broken(second_look):
    card = json.loads((second_look / "model.json").read_text())
    card["input"]["strip"] = 2
    (second_look / "model.json").write_text(json.dumps(card))
    library = read_library()
    assert "input.strip" in library.broken[0]
