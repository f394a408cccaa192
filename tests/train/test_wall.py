"""Learning the second look: outlines pushed out of place, targets along them, resumed runs."""

import dataclasses
import re
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from opencmr.anatomy.structures import EMIDEC  # noqa: E402
from opencmr.errors import ConfigurationError  # noqa: E402
from opencmr.models.card import WallCard, read_card  # noqa: E402
from opencmr.networks.wall import WallUNet  # noqa: E402
from opencmr.segment.wall_strip import CHANNELS, COLUMNS, ROWS  # noqa: E402
from opencmr.train import loop, wall  # noqa: E402
from opencmr.train.manifest import EMIDEC_DATA, Row, Slice  # noqa: E402

RECIPES = Path(__file__).parents[2] / "recipes"
RECIPE = RECIPES / "lge_wall_fold0.toml"
CALM = re.compile(
    r"^(?!scar_share)(\w+_probability|\w+_mm|\w+_log|scar|blood|offset|bias|noise) .*"
)


def heart() -> Slice:
    """Two slices of a round wall, in one of which an inner sector is scar."""
    rows, columns = np.indices((80, 80))
    radius_mm = 1.5 * np.hypot(rows - 40, columns - 40)
    plane = np.select([radius_mm < 20, radius_mm < 30], [1, 2], 0).astype(np.uint8)
    scarred = plane.copy()
    scarred[(plane == 2) & (radius_mm < 25) & (np.abs(rows - 40) < columns - 40)] = 3
    labels = np.stack([plane, scarred])
    greys = np.array([10, 60, 20, 90, 30], np.float32)[labels]
    return Slice("one", "", 1, greys, labels, 0, (1.5, 1.5), (40.0, 40.0), ((0.0, 90.0),))


LESSON = wall.lesson_of(heart())


def calm(path: Path, **settings: object) -> Path:
    """Write the recipe without any change of what is seen, and a few small steps."""
    lines = [
        re.sub(r"= .*", "= 0.0", x) if CALM.match(x) else x for x in RECIPE.read_text().split("\n")
    ]
    text = "\n".join(lines)
    for name, value in {"steps": 6, "batch_size": 2, "warmup_steps": 2, **settings}.items():
        text = re.sub(rf"^{name} = .*$", f"{name} = {value}", text, flags=re.M)
    path.write_text(text)
    return path


def test_recipes_differ_in_their_folds_alone():
    one, other = (
        wall.read_wall_recipe(RECIPES / f"{n}.toml") for n in ("lge_wall_fold0", "lge_wall")
    )
    assert other.data.folds == (0, 1, 2, 3, 4)
    assert dataclasses.replace(other, data=one.data) == one


def test_an_unknown_key_is_named(tmp_path):
    path = tmp_path / "wrong.toml"
    path.write_text(RECIPE.read_text() + "colour = 3\n")
    with pytest.raises(ConfigurationError, match=r"wrong.toml: .*colour is unknown"):
        wall.read_wall_recipe(path)


def test_errors_of_outlines_have_their_size_and_are_smooth():
    random = np.random.default_rng(0)
    waves = np.stack([wall.wave(random) for _ in range(2000)])
    assert waves.std() == pytest.approx(1, abs=0.05)
    assert np.abs(np.diff(np.append(waves, waves[:, :1], 1), axis=1)).mean() < 0.25


def test_scar_that_is_swallowed_leaves_wall_outside():
    assert LESSON is not None
    recipe = wall.read_wall_recipe(RECIPE)
    strength = dataclasses.replace(
        recipe.augmentation, endo_mm=0.0, epi_mm=0.0, swallow_probability=1.0
    )
    grown = [
        wall.pushed(LESSON, 1, strength, np.random.default_rng(n)).endo_mm - LESSON.rings[1].endo_mm
        for n in range(40)
    ]
    mean = np.mean(grown, 0)
    assert mean[0] > 1.5, "in the middle of the scar"
    assert np.abs(mean[COLUMNS // 2]) < 0.05, "opposite of it"
    assert np.max(grown) < 6.0


def test_without_changes_a_sample_is_what_is_seen_and_drawn(tmp_path):
    assert LESSON is not None
    recipe = wall.read_wall_recipe(calm(tmp_path / "calm.toml"))
    seen, target = wall.sample(LESSON, 1, recipe.augmentation, np.random.default_rng(2))
    assert seen.shape == (CHANNELS, ROWS, COLUMNS)
    assert target[:-1].sum(0) == pytest.approx(np.ones((ROWS, COLUMNS)), abs=1e-5)
    scar, blood, wall_alone = (seen[0][target[label] > 0.99] for label in (3, 1, 2))
    assert scar.min() > blood.max() >= blood.min() > wall_alone.max()


def test_a_batch_follows_from_its_step_alone():
    assert LESSON is not None
    recipe = wall.read_wall_recipe(RECIPE)
    one, same, other = (wall.make_batch([LESSON], recipe, step) for step in (3, 3, 4))
    assert torch.equal(one[0], same[0])
    assert torch.equal(one[1], same[1])
    assert not torch.equal(one[0], other[0])


def test_the_loss_is_least_for_the_truth():
    assert LESSON is not None
    _, target = wall.make_batch([LESSON], wall.read_wall_recipe(RECIPE), 0)
    sure = target[:, : wall.CLASSES]
    target[:, : wall.CLASSES] = (sure == sure.amax(1, keepdim=True)).float()
    right = 20 * target[:, : wall.CLASSES]
    assert wall.wall_loss(right, target) < 0.02 < wall.wall_loss(right.roll(1, 1), target)


def test_the_network_goes_round_the_angle():
    network = WallUNet(CHANNELS, wall.CLASSES, (4, 8, 8)).eval()
    strip = torch.rand(1, CHANNELS, ROWS, COLUMNS, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        turned = network(strip.roll(12, -1)).roll(-12, -1)
        assert torch.allclose(network(strip), turned, atol=1e-4)


@pytest.fixture
def data(monkeypatch):
    """The heart in place of the data set."""
    row = Row("one", "", "i", "l", "emidec", "here", "us", 1.5, 1, EMIDEC_DATA.terms, (1.5, 1.5))
    monkeypatch.setattr(wall, "rows_of", lambda recipe, data: (row,))
    monkeypatch.setattr(wall, "read_slices", lambda *given: (heart(),))


def test_a_run_that_was_stopped_goes_on_as_if_it_had_not_been(tmp_path, data, monkeypatch):
    recipe = calm(tmp_path / "calm.toml")
    whole = wall.train(recipe, tmp_path, tmp_path / "whole")
    with monkeypatch.context() as stopping:
        learn, steps = loop._State.learn, iter(range(4))

        def until(state, windows, labels):
            if next(steps) == 3:
                raise KeyboardInterrupt
            return learn(state, windows, labels)

        stopping.setattr(loop, "CHECKPOINT_SECONDS", -1.0)
        stopping.setattr(loop._State, "learn", until)
        with pytest.raises(KeyboardInterrupt):
            wall.train(recipe, tmp_path, tmp_path / "halves")
    again = wall.train(recipe, tmp_path, tmp_path / "halves")
    one, other = (torch.load(p, weights_only=True)["average"] for p in (whole, again))
    assert all(torch.allclose(one[name], other[name], atol=1e-6) for name in one)


@pytest.mark.filterwarnings("ignore")  # torch's exporter warns about itself
def test_the_exported_model_names_data_terms_and_what_it_follows(tmp_path, data):
    run, folder = tmp_path / "run", tmp_path / "lge_wall" / "0.1"
    wall.train(calm(tmp_path / "calm.toml"), tmp_path, run)
    assert wall.export(run, folder, version="0.1", data=tmp_path) < 1e-4
    assert b".py" not in (folder / "weights.onnx").read_bytes()  # no place of a source file
    card = read_card(folder)
    assert isinstance(card, WallCard)
    assert (card.input.follows, card.input.channels) == ("lge_sax", CHANNELS)
    assert card.output.scheme is EMIDEC
    assert "ACDC" in card.terms
    assert "EMIDEC" in card.terms
    assert "1 subjects of here" in card.training_data
