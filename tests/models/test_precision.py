"""Networks in 8-bit integers: taken where asked for and quick, refused where there are none."""

import json
import pickle
import shutil

import numpy as np
import pytest

from opencmr.anatomy.techniques import Technique
from opencmr.anatomy.views import View
from opencmr.errors import ConfigurationError, ModelError
from opencmr.models import card as cards
from opencmr.models.card import read_card
from opencmr.models.library import MODELS_VARIABLE, model_titled, read_library
from opencmr.models.precision import Precision, is_quick_at_int8, precision_named
from opencmr.models.session import Networks, load_network

CARD = read_library().choose(View.SAX, Technique.CINE).card


@pytest.fixture
def quick(monkeypatch):
    """Say what the processor can do."""
    return lambda can: monkeypatch.setattr(cards, "is_quick_at_int8", lambda: can)


@pytest.mark.parametrize(
    ("text", "can"),
    [
        ("flags\t\t: fpu avx512f avx512_vnni rdpid\n", True),
        ("processor : 0\nflags : sse avx2 avx_vnni\n", True),
        ("flags : amx_bf16 amx_tile amx_int8\n", True),
        ("Features\t: fp asimd asimddp\n", True),
        ("flags : fpu avx2 avx512f avx512bw\n", False),
        ("Features : fp asimd\n", False),
        ("model name : a processor with avx512_vnni\n", False),
        ("", False),
    ],
)
def test_instructions_are_read_from_the_flags_of_the_processor(tmp_path, text, can):
    (tmp_path / "cpuinfo").write_text(text)
    assert is_quick_at_int8(tmp_path / "cpuinfo") is can


def test_a_system_that_cannot_tell_has_none(tmp_path):
    assert not is_quick_at_int8(tmp_path / "absent")


def test_auto_takes_integers_only_where_the_processor_is_quick(quick):
    quick(True)
    assert CARD.at(Precision.AUTO).precision is Precision.INT8
    assert model_titled("cine_sax@0.1.0").at(Precision.AUTO).precision is Precision.F32
    quick(False)
    assert CARD.at(Precision.AUTO).precision is Precision.F32
    assert CARD.at(Precision.INT8).precision is Precision.INT8


def test_the_use_of_a_model_names_the_weights_that_run():
    floats, integers = (CARD.at(one).use for one in (Precision.F32, Precision.INT8))
    assert (floats.precision, floats.sha256) == ("f32", CARD.sha256)
    assert (integers.precision, integers.sha256) == ("int8", CARD.int8.sha256)
    assert integers.card_sha256 == floats.card_sha256 == CARD.file_sha256


def test_a_model_without_integers_runs_in_floats_and_it_is_remarked():
    networks = Networks(precision=Precision.INT8)
    floats = networks.segmentation(View.SAX, Technique.CINE, name="cine_sax@0.1.0")
    assert floats.card.precision is Precision.F32
    assert networks.remarks == ("cine_sax 0.1.0 has no int8 weights, and runs in f32",)


def test_an_unknown_precision_is_refused():
    assert precision_named("auto") is Precision.AUTO
    with pytest.raises(ConfigurationError, match="auto, f32, int8"):
        precision_named("f16")


def test_networks_keep_their_precision_in_another_process():
    there = pickle.loads(pickle.dumps(Networks(2, precision=Precision.INT8)))
    assert there.segmentation(View.SAX, Technique.CINE).card.precision is Precision.INT8


def test_both_give_nearly_the_same_shares():
    windows = np.random.default_rng(0).random((1, 3, 64, 64), dtype=np.float32)
    floats, integers = (load_network(CARD.at(p))(windows) for p in (Precision.F32, Precision.INT8))
    assert np.abs(floats - integers).mean() < 0.02


@pytest.fixture
def own(tmp_path, monkeypatch):
    folder = tmp_path / CARD.name / "99.0"
    shutil.copytree(CARD.folder, folder)
    monkeypatch.setenv(MODELS_VARIABLE, str(tmp_path))
    return folder


def test_damaged_integers_are_refused_and_leave_the_floats_alone(own):
    weights = bytearray((own / "weights_int8.onnx").read_bytes())
    weights[len(weights) // 2] ^= 1
    (own / "weights_int8.onnx").write_bytes(weights)
    card = read_card(own)
    load_network(card)
    with pytest.raises(ModelError, match="MODEL_HASH"):
        load_network(card.at(Precision.INT8))


def test_a_card_without_integers_is_whole_and_a_wrong_sum_is_named(own):
    told = json.loads((own / "model.json").read_text())
    integers = told.pop("int8")
    (own / "model.json").write_text(json.dumps(told))
    assert read_card(own).int8 is None
    (own / "model.json").write_text(json.dumps(told | {"int8": integers | {"sha256": "ABC"}}))
    with pytest.raises(ModelError, match=r"int8\.sha256"):
        read_card(own)
