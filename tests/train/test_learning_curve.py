"""What the arms of ``benchmarks/learning_curve.py`` learn from, and that no arm learns the rest."""

import dataclasses
import importlib
import json
import sys
from collections import Counter
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from opencmr.anatomy.policy import ACDC_POLICY  # noqa: E402
from opencmr.anatomy.structures import ACDC  # noqa: E402
from opencmr.anatomy.techniques import Technique  # noqa: E402
from opencmr.errors import ConfigurationError  # noqa: E402
from opencmr.simulate import HeartParameters, Protocol  # noqa: E402
from opencmr.simulate.heart import heart_shape  # noqa: E402
from opencmr.train import sunnybrook  # noqa: E402
from opencmr.train.manifest import Slice  # noqa: E402
from tests.grey_network import Grey, grey_card  # noqa: E402

REPOSITORY = Path(__file__).resolve().parents[2]
GREYS = np.array([0.0, 0.4, 0.7, 1.0])
"""Of background, right ventricle, wall and cavity, as the network of these tests reads them."""


@pytest.fixture(scope="module")
def programs() -> tuple[ModuleType, ModuleType]:
    sys.path.insert(0, str(REPOSITORY / "benchmarks"))
    try:
        names = ("learning_slices", "learning_curve")
        return tuple(importlib.import_module(name) for name in names)  # type: ignore[return-value]
    finally:
        sys.path.remove(str(REPOSITORY / "benchmarks"))


@pytest.fixture
def making(programs: tuple[ModuleType, ModuleType]) -> ModuleType:
    return programs[0]


@pytest.fixture
def curve(programs: tuple[ModuleType, ModuleType]) -> ModuleType:
    return programs[1]


def heart_stack() -> tuple[Slice, ...]:
    """Two slices of a heart off the middle whose greys are those of the test's network."""
    rows, columns = np.indices((96, 96))
    radius = np.hypot(rows - 40, columns - 50)
    labels = np.zeros((96, 96), np.uint8)
    labels[np.hypot(rows - 40, columns - 28) < 14] = 1
    labels[radius < 18] = 2
    labels[radius < 12] = 3
    stack = np.stack([(200 * GREYS[labels]).astype(np.float32)] * 2)
    drawn = np.full(stack.shape, 9, np.uint8)
    limits = ((0.0, 200.0),)
    return tuple(
        Slice("heart", "ed", 2, stack, drawn, z, (1.4, 1.4), (1.0, 1.0), limits) for z in (0, 1)
    )


def test_patients_are_chosen_evenly_over_the_groups_and_never_of_fold_0(making, tmp_path):
    (tmp_path / "acdc").mkdir()
    lines = ["patient,group,fold"]
    for number in range(60):
        lines.append(f"p{number:02},{'ABCDE'[number // 12]},{number % 5}")
    (tmp_path / "acdc" / "metadata.csv").write_text("\n".join(lines) + "\n")
    eight = making.patients_by_turns(tmp_path, (1, 2, 3, 4), 8)
    assert eight == making.patients_by_turns(tmp_path, (1, 2, 3, 4), 8)
    numbers = [int(patient[1:]) for patient in eight]
    assert all(number % 5 for number in numbers)
    assert sorted(Counter("ABCDE"[n // 12] for n in numbers).values()) == [1, 1, 2, 2, 2]
    everyone = making.patients_by_turns(tmp_path, (1, 2, 3, 4), 1000)
    assert len(set(everyone)) == 48
    assert everyone[:8] == eight


@pytest.mark.real_data
def test_no_arm_learns_from_fold_0_or_from_those_with_cines(curve, data_folder):
    study = curve.Study(Path("runs"), data_folder, curve.RECIPE)
    assert len({row.subject for row in study.rows(8)}) == 8
    assert study.rows(64) == study.rows()
    ge = study.ge_rows()
    assert len({row.subject for row in ge}) == 20
    assert not {row.subject for row in ge} & set(sunnybrook.WITH_CINES)
    unseen = curve.other_scanner.read_stacks(data_folder, curve.UNSEEN_GE)
    assert len(unseen) == 8
    assert not {row.subject for row in ge} & set(unseen)
    assert 0 not in {row.fold for row in study.rows() + ge}


def test_of_few_and_many_slices_each_is_drawn_half_the_time(making):
    few, many = heart_stack(), heart_stack() * 3 + heart_stack()[:1]
    others = tuple(dataclasses.replace(one, subject="other") for one in many)
    mixed = making.half_and_half(few, others)
    assert Counter(one.subject for one in mixed) == {"heart": 7, "other": 7}


def test_every_painting_of_a_heart_has_its_labels_and_a_contrast_of_its_own(making):
    parameters = HeartParameters(seed=3)
    shape = heart_shape(parameters, 1.0, 1.0)
    protocol = dataclasses.replace(Protocol.small(), slices=5, gap_mm=10.0)
    paintings = [
        making.painted(parameters, shape, protocol, np.random.default_rng(n)) for n in range(6)
    ]
    brighter = set()
    for stack, labels in paintings:
        assert np.array_equal(labels, paintings[0][1])
        assert set(np.unique(labels)) == {0, 1, 2, 3}
        wall, cavity = (stack[labels == label].mean() for label in (2, 3))
        brighter.add(bool(cavity > wall))
    assert brighter == {True, False}


def test_simulated_hearts_are_the_same_for_a_seed(making, monkeypatch):
    monkeypatch.setattr(making, "SIDE_PX", 64)
    monkeypatch.setattr(making, "PIXEL_MM", 3.5)
    first, again = (making.simulated_hearts(1, 5, (1.0, 99.0)) for _ in range(2))
    assert {one.phase for one in first} == {"ed", "es"}
    for one, other in zip(first, again, strict=True):
        assert np.array_equal(one.stack, other.stack)
        assert np.array_equal(one.stack_labels, other.stack_labels)
    other_seed = making.simulated_hearts(1, 6, (1.0, 99.0))
    assert not np.array_equal(first[0].stack, other_seed[0].stack)


def test_slices_labelled_by_a_network_carry_its_labels_and_not_the_readers(making):
    network = Grey(grey_card(ACDC, ACDC_POLICY, Technique.CINE), GREYS)
    known = making.self_labelled(heart_stack(), network, (0.0, 100.0))
    assert [one.z for one in known] == [0, 1]
    assert [one.fold for one in known] == [2, 2]
    for one in known:
        truth = np.argmin(np.abs(one.stack[one.z][..., None] / 200 - GREYS), axis=-1)
        assert (one.labels == truth).mean() > 0.98
        assert set(np.unique(one.labels)) == {0, 1, 2, 3}
        assert one.heart_px == pytest.approx(np.argwhere(one.labels).mean(0), abs=1e-6)
    dark = tuple(dataclasses.replace(one, stack=0 * one.stack) for one in heart_stack())
    assert making.self_labelled(dark, network, (0.0, 100.0)) == ()


def test_of_pictures_alone_not_even_the_place_of_the_heart_is_known(making):
    for one in making.unlabelled(heart_stack(), (0.0, 100.0)):
        assert not one.stack_labels.any()
        assert one.heart_px == (47.5, 47.5)


def test_what_is_to_be_restored_is_whole_and_what_is_seen_is_hidden_in_part(making, curve):
    pictures = making.unlabelled(heart_stack(), (0.0, 100.0))
    task = making.restoring_task(pictures, curve.read_recipe(curve.RECIPE))
    (seen, whole), (again, _) = task.batch_of(3), task.batch_of(3)
    assert torch.equal(seen, again)
    assert seen.shape == (8, 1, 128, 128)
    changed = (seen[:, 0] - whole).abs() > 5 * making.NOISE
    cells = changed.reshape(8, 8, making.CELL_PX, 8, making.CELL_PX).float().mean((2, 4))
    assert 0.1 < float((cells > 0.5).float().mean()) <= 0.6
    answers = torch.zeros(8, 4, 128, 128)
    answers[:, 0] = whole
    assert float(task.loss(answers, whole)) == 0
    assert float(task.loss(answers + 0.5, whole)) == pytest.approx(0.5, abs=1e-6)


def test_a_pre_trained_network_starts_without_its_head(curve, tmp_path):
    text = curve.RECIPE.read_text()
    tiny = tmp_path / "tiny.toml"
    tiny.write_text(text.replace("[24, 48, 72, 96, 144]", "[4, 8]").replace("= 2000", "= 3"))
    study = curve.Study(tmp_path, tmp_path, tiny)
    restored = curve.build_network(study.recipe).state_dict()
    run = tmp_path / curve.RESTORER
    run.mkdir()
    (run / "recipe.toml").write_text(tiny.read_text())
    torch.save({"step": 3, "average": restored}, run / curve.CHECKPOINT_FILE)
    start = curve.pre_trained(study) / curve.CHECKPOINT_FILE
    weights = torch.load(start, weights_only=True)["average"]
    differ = {name for name in restored if not torch.equal(weights[name], restored[name])}
    assert differ == {"head.weight", "head.bias"}


def test_an_arm_that_is_there_is_kept_and_a_file_of_another_recipe_is_refused(
    curve, tmp_path, monkeypatch
):
    judged = list[str]()

    def judge(name: str, study: object) -> dict[str, object]:
        judged.append(name)
        return {"name": name, "dice": {"mean": 0.5}}

    output = tmp_path / "curve.json"

    def run(arm: str, *more: str) -> list[str]:
        arguments = ["learning_curve.py", str(tmp_path), "--only", arm, "-o", str(output), *more]
        monkeypatch.setattr(sys, "argv", arguments)
        curve.main()
        return [one["name"] for one in json.loads(output.read_text())["arms"]]

    monkeypatch.setattr(curve, "judged", judge)
    monkeypatch.setattr(
        curve, "with_differences", lambda row, plain: row | {"against": plain["name"]}
    )
    monkeypatch.setattr(curve, "patients_by_turns", lambda *_: ("patient001", "patient002"))
    monkeypatch.setattr(curve, "table", lambda arms: "")
    assert run("plain_64") == ["plain_64"]
    assert run("partial_64") == ["plain_64", "partial_64"]
    assert run("plain_64") == ["plain_64", "partial_64"]
    assert judged == ["plain_64", "partial_64"]
    assert run("partial_8") == ["partial_8", "plain_64", "partial_64"]
    assert run("plain_8") == ["plain_8", "partial_8", "plain_64", "partial_64"]
    against = [one.get("against") for one in json.loads(output.read_text())["arms"]]
    assert against == [None, "plain_8", None, "plain_64"]
    other = tmp_path / "other.toml"
    other.write_text(curve.RECIPE.read_text().replace("steps = 2000", "steps = 3"))
    before = output.read_bytes()
    with pytest.raises(SystemExit, match=r"curve\.json .* other\.toml; steps 2000 and not 3;"):
        run("random_convolution_64", "--recipe", str(other))
    assert output.read_bytes() == before
    assert len(judged) == 4


def test_the_recipe_of_an_arm_is_the_common_one_but_for_what_the_arm_says(curve, tmp_path):
    common = curve.read_recipe(curve.RECIPE)
    for name, arm in curve.ARMS.items():
        path = tmp_path / f"{name}.toml"
        path.write_text(curve.recipe_of(name, curve.RECIPE.read_text()))
        own = curve.read_recipe(path)
        assert own.data.manifest == arm.manifest
        assert own.augmentation.random_convolution_probability == arm.convolved
        assert (
            dataclasses.replace(own, data=common.data, augmentation=common.augmentation) == common
        )
    with pytest.raises(ConfigurationError, match="random_convolution_probability"):
        curve.recipe_of("random_convolution_64", 'manifest = "acdc"\n')
