"""Pictures on which one structure was drawn teach that structure, and nothing of the others."""

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image as Picture
from PIL import ImageDraw

from opencmr.errors import ConfigurationError
from opencmr.train import sunnybrook
from opencmr.train.label_codes import none_of_the_drawn, unknown
from opencmr.train.loss import marginal_loss, possible_classes, segmentation_loss
from opencmr.train.manifest import MANIFESTS, read_slices

CLASSES, LV = 4, 3
POSSIBLE = possible_classes(CLASSES, [LV])
NEITHER, UNKNOWN = none_of_the_drawn(CLASSES), unknown(CLASSES)


def logits_for(labels: torch.Tensor, certainty: float = 8.0) -> torch.Tensor:
    return certainty * torch.nn.functional.one_hot(labels, CLASSES).movedim(-1, 1).float()


def test_with_all_drawn_it_is_the_loss_of_full_labels():
    random = torch.Generator().manual_seed(0)
    logits = torch.randn(2, CLASSES, 8, 8, generator=random)
    labels = torch.randint(0, CLASSES, (2, 8, 8), generator=random)
    assert marginal_loss(logits, labels, POSSIBLE) == pytest.approx(
        float(segmentation_loss(logits, labels)), rel=1e-5
    )


def test_what_was_not_drawn_may_be_anything_but_what_was():
    labels = torch.full((1, 6, 6), NEITHER)
    losses = [
        float(marginal_loss(logits_for(torch.full((1, 6, 6), said)), labels, POSSIBLE))
        for said in range(CLASSES)
    ]
    assert losses[:LV] == pytest.approx([losses[0]] * LV, abs=1e-3)
    assert losses[LV] > losses[0] + 5


def test_of_the_unknown_no_answer_is_wrong():
    labels = torch.full((1, 6, 6), UNKNOWN)
    answers = [logits_for(torch.full((1, 6, 6), said)) for said in range(CLASSES)]
    losses = [float(marginal_loss(one, labels, POSSIBLE)) for one in answers]
    assert losses == pytest.approx([losses[0]] * CLASSES, abs=1e-5)


def test_nothing_pulls_between_structures_that_were_not_drawn():
    labels = torch.tensor([[[LV, NEITHER, UNKNOWN]]])
    logits = torch.zeros(1, CLASSES, 1, 3, requires_grad=True)
    marginal_loss(logits, labels, POSSIBLE).backward()
    pulls = logits.grad[0, :, 0]
    assert torch.allclose(pulls[0, 1], pulls[1, 1], atol=1e-6)
    assert torch.allclose(pulls[1, 1], pulls[2, 1], atol=1e-6)
    assert pulls[LV, 1] > 0 > pulls[LV, 0]
    assert torch.allclose(pulls[:, 2], torch.zeros(CLASSES), atol=1e-6)


def drawn_disc(centre: tuple[float, float], radius: float) -> np.ndarray:
    """A disc as those readers' program draws it: polygon and outline, counted from one."""
    angles = np.linspace(0, 2 * np.pi, 60)
    canvas = Picture.new("L", (64, 64))
    points = [
        (centre[1] + 1 + radius * np.cos(a), centre[0] + 1 + radius * np.sin(a)) for a in angles
    ]
    ImageDraw.Draw(canvas).polygon(points, fill=1, outline=1)
    return np.asarray(canvas)


@pytest.mark.parametrize("centre", [(30.0, 25.0), (30.4, 25.7), (29.5, 25.9)])
def test_the_contour_lies_in_what_is_left_open(centre):
    inside, outline = sunnybrook.cavity(np.stack([drawn_disc(centre, 12.0)] * 2))
    rows, columns = np.indices((64, 64))
    radius = np.hypot(rows - centre[0], columns - centre[1])
    assert radius[inside[0]].max() < 12.0
    assert radius[~(inside | outline)[0]].min() > 12.0 - 0.1
    assert np.argwhere(inside[0]).mean(0) == pytest.approx(centre, abs=0.3)
    assert radius[outline[0]].min() > 12.0 - 2.5
    assert radius[outline[0]].max() < 12.0 + 2.5


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Three patients of three slices, one of whom has a whole cine elsewhere."""
    (tmp_path / "sunnybrook").mkdir()
    patients = ("SC-HF-I-01", "SC-N-02", "SC-N-03")
    lines = ["scd,key,path,n_ed,n_es,ed_phase,es_phase"]
    lines += [f"x,{patient},y,3,3,0,7" for patient in patients]
    (tmp_path / sunnybrook.TABLE).write_text("\n".join(lines) + "\n")
    with zipfile.ZipFile(tmp_path / sunnybrook.ARCHIVE, "w") as packed:
        for patient in patients:
            for z in reversed(range(3)):
                for phase, radius in ((0, 12.0), (7, 8.0)):
                    for kind, scale in (("image", 100 + z), ("label", 255)):
                        stream = io.BytesIO()
                        plane = drawn_disc((30.0, 25.0), radius) * scale
                        Picture.fromarray(plane.astype(np.uint8)).save(stream, format="PNG")
                        number = z * sunnybrook.PHASES + phase + 1
                        packed.writestr(
                            f"{kind}/{patient}-IM-0001-{number:04}.png", stream.getvalue()
                        )
    return tmp_path


def test_a_stack_is_read_in_the_order_of_its_slices(data):
    stack = sunnybrook.read_stack(data / sunnybrook.ARCHIVE / "image" / "SC-N-02" / "7")
    assert stack.shape == (3, 64, 64)
    assert stack.max((1, 2)).tolist() == [100, 101, 102]
    with pytest.raises(ConfigurationError, match="at phase 9"):
        sunnybrook.read_stack(data / sunnybrook.ARCHIVE / "image" / "SC-N-02" / "9")


def test_patients_with_cines_are_in_no_fold(data):
    folds = {case.patient: case.fold for case in sunnybrook.read_cases(data)}
    assert folds == {"SC-HF-I-01": sunnybrook.NEVER, "SC-N-02": 0, "SC-N-03": 1}


def test_rows_of_both_vendors_are_read(data):
    (data / "acdc").mkdir()
    (data / "acdc" / "metadata.csv").write_text("patient,fold\n")
    rows = MANIFESTS["acdc_sunnybrook"].rows(data, (0, 1, 2))
    assert {row.subject for row in rows} == {"SC-N-02", "SC-N-03"}
    slices = read_slices(rows, data, (1.0, 99.0))
    assert len(slices) == 2 * 2 * 3
    for basal in slices[: sunnybrook.BASAL_SLICES]:
        assert set(np.unique(basal.labels)) == {UNKNOWN}
    assert set(np.unique(slices[sunnybrook.BASAL_SLICES].labels)) == {LV, NEITHER, UNKNOWN}
    assert slices[0].heart_px == pytest.approx((30.0, 25.0), abs=0.3)
