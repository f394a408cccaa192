"""``opencmr segment --sequence lge``: the model of that technique, scar in two conventions."""

import nibabel
import numpy as np
import pytest

onnx = pytest.importorskip("onnx")

from opencmr.anatomy.policy import EMIDEC_POLICY  # noqa: E402
from opencmr.anatomy.structures import EMIDEC  # noqa: E402
from opencmr.anatomy.techniques import Technique  # noqa: E402
from opencmr.models.card import write_card  # noqa: E402
from opencmr.models.library import MODELS_VARIABLE  # noqa: E402
from opencmr.storage import sha256_of  # noqa: E402
from tests.grey_network import grey_card  # noqa: E402

GREY_OF_LABEL = {0: 0.0, 2: 0.25, 1: 0.5, 3: 0.75, 4: 1.0}
SHARPNESS = 400.0


@pytest.fixture
def grey_model(tmp_path, monkeypatch):
    """A network that takes each pixel for the structure whose grey is nearest."""
    greys = np.array([GREY_OF_LABEL[label] for label in range(5)], np.float32)
    folder = tmp_path / "models" / "grey" / "1.0"
    folder.mkdir(parents=True)
    # The nearest grey g to x has the greatest 2 x g - g^2.
    weight = onnx.numpy_helper.from_array(2 * SHARPNESS * greys.reshape(5, 1, 1, 1), "weight")
    bias = onnx.numpy_helper.from_array(-SHARPNESS * greys**2, "bias")
    floats = onnx.TensorProto.FLOAT
    graph = onnx.helper.make_graph(
        [
            onnx.helper.make_node("Conv", ["image", "weight", "bias"], ["logits"]),
            onnx.helper.make_node("Softmax", ["logits"], ["shares"], axis=1),
        ],
        "grey",
        [onnx.helper.make_tensor_value_info("image", floats, ["n", 1, "h", "w"])],
        [onnx.helper.make_tensor_value_info("shares", floats, ["n", 5, "h", "w"])],
        [weight, bias],
    )
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 18)])
    model.ir_version = 9
    onnx.save(model, folder / "weights.onnx")
    sha256 = sha256_of(folder / "weights.onnx")
    card = grey_card(EMIDEC, EMIDEC_POLICY, Technique.LGE, window_px=64, sha256=sha256)
    write_card(card, folder)
    monkeypatch.setenv(MODELS_VARIABLE, str(tmp_path / "models"))


@pytest.fixture
def infarct_nifti(tmp_path):
    """A stack of rings with scar in the middle of the wall and no-reflow inside; its truth."""
    rows, columns = np.indices((160, 140))
    radius_mm = np.hypot(rows - 90, columns - 60)
    plane = np.zeros((160, 140), np.uint8)
    plane[radius_mm < 36] = 2
    plane[radius_mm < 20] = 1
    sector = np.abs(np.arctan2(rows - 90, columns - 60)) < 0.9
    plane[sector & (radius_mm > 23) & (radius_mm < 33)] = 3
    plane[sector & (radius_mm > 26) & (radius_mm < 30) & (np.abs(rows - 90) < 12)] = 4
    greys = np.vectorize(GREY_OF_LABEL.get)(plane)
    stack = np.zeros((140, 160, 7), np.float32)
    stack[:, :, 1:6] = 900 * greys.T[:, :, None]
    picture = nibabel.Nifti1Image(stack, np.diag([-1.0, -1.0, 10.0, 1.0]))
    picture.header.set_xyzt_units("mm")
    path = tmp_path / "lge.nii.gz"
    nibabel.save(picture, path)
    return path, plane.T


def labels_of(path) -> np.ndarray:
    return np.asarray(nibabel.load(path).dataobj)


def test_scar_keeps_its_labels_or_counts_as_myocardium(
    opencmr, grey_model, infarct_nifti, tmp_path
):
    source, truth = infarct_nifti
    found = {}
    for scheme in ("emidec", "acdc"):
        out = tmp_path / f"{scheme}.nii.gz"
        outcome = opencmr(
            "segment", source, "-o", out, "--sequence", "lge", "--labels", scheme, "--json"
        )
        assert outcome.status == 0, outcome.err
        assert outcome.json["model"] == "grey 1.0"
        found[scheme] = labels_of(out)
    for label in (1, 2, 3, 4):
        one, other = found["emidec"][:, :, 3] == label, truth == label
        assert 2 * (one & other).sum() / (one.sum() + other.sum()) > 0.85, label
    assert not found["emidec"][:, :, [0, 6]].any()
    assert np.array_equal(found["acdc"] == 2, found["emidec"] >= 2)
    assert np.array_equal(found["acdc"] == 3, found["emidec"] == 1)
    assert not (found["acdc"] == 1).any()


def test_without_a_model_of_late_enhancement_that_is_said(opencmr, infarct_nifti, tmp_path):
    outcome = opencmr(
        "segment", infarct_nifti[0], "-o", tmp_path / "out.nii.gz", "--sequence", "lge",
        "--model", "cine_sax",
    )  # fmt: skip
    assert outcome.status != 0
    assert "for SAX LGE" in outcome.err
    assert not (tmp_path / "out.nii.gz").exists()


def test_a_cine_has_no_labels_of_scar(opencmr, phantom_nifti, tmp_path):
    out = tmp_path / "out.nii.gz"
    outcome = opencmr("segment", phantom_nifti / "sax.nii.gz", "-o", out, "--labels", "emidec")
    assert outcome.status == 2
    assert "has no RV" in outcome.err
    assert not out.exists()
