"""A recipe is data; what is wrong with it is named."""

from pathlib import Path

import pytest

from opencmr.errors import ConfigurationError
from opencmr.train.recipe import read_recipe, task_of

FOLDER = Path(__file__).resolve().parents[2] / "recipes"
RECIPES = sorted(path for path in FOLDER.glob("*.toml") if task_of(path) == "segmentation")
"""Those of walls are read in ``test_wall.py``."""


@pytest.mark.parametrize("path", RECIPES, ids=lambda p: p.stem)
def test_every_recipe_of_the_repository_reads(path):
    assert read_recipe(path).name


def changed(tmp_path: Path, old: str, new: str) -> Path:
    text = RECIPES[0].read_text()
    assert old in text, old
    path = tmp_path / "recipe.toml"
    path.write_text(text.replace(old, new, 1))
    return path


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("batch_size", "batchsize", "batchsize"),
        ("window_px = ", "# window_px = ", "window_px"),
        ("steps = ", "steps = 'many' #", "steps"),
        ("steps = ", "steps = '12' #", "optimiser.steps"),
        ("hard_weight = ", "hard_weight = true #", "data.hard_weight"),
        ("batch_size = ", "batch_size = 0 #", "batch_size"),
        ("flip_probability = ", "flip_probability = 1.5 #", "flip_probability"),
        ("[network]", "[[network]]", "network"),
        ("name =", "name", "cannot read"),
    ],
)
def test_a_wrong_recipe_is_refused_by_name(tmp_path, old, new, said):
    with pytest.raises(ConfigurationError, match=said):
        read_recipe(changed(tmp_path, old, new))
