"""What the code imports is what ``pyproject.toml`` declares, and the other way round."""

import ast
import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
PLUG_INS = {"pylibjpeg", "pylibjpeg-openjpeg", "python-gdcm"}
"""Decoders that pydicom finds by itself; no line here need import them."""
TRAINING_ROOMS = {"networks", "train"}


def _declared(extra: str | None = None) -> set[str]:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))["project"]
    wanted = project["optional-dependencies"][extra] if extra else project["dependencies"]
    return {re.split(r"[<>=!~\[; ]", line)[0].lower() for line in wanted}


def _imported(*, training: bool) -> set[str]:
    """Return the distributions that the package imports, inside functions too."""
    source = REPOSITORY / "src" / "opencmr"
    names: set[str] = set()
    for module in source.rglob("*.py"):
        if (module.relative_to(source).parts[0] in TRAINING_ROOMS) is not training:
            continue
        for node in ast.walk(ast.parse(module.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                names |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                names.add(node.module.partition(".")[0])
    foreign = names - set(sys.stdlib_module_names) - {"opencmr"}
    owners = packages_distributions()
    return {owners[name][0].lower() for name in foreign if name in owners}


def test_everything_imported_is_declared() -> None:
    optional = _declared("plot") | _declared("dicom") | _declared("pdf") | _declared("serve")
    assert _imported(training=False) - _declared() - optional == set()
    assert _imported(training=True) - _declared() - _declared("train") == set()


def test_everything_declared_is_imported() -> None:
    assert _declared() - _imported(training=False) - PLUG_INS == set()


def test_the_conda_recipe_asks_for_the_same_dependencies() -> None:
    recipe = (REPOSITORY / "packaging" / "conda" / "meta.yaml").read_text("utf-8")
    listed = re.search(r"  run:\n((?:    - .+\n)+)", recipe)
    assert listed is not None
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))["project"]
    wanted = {f"python{project['requires-python']}", *project["dependencies"]}
    assert {line[6:].replace(" ", "") for line in listed[1].splitlines()} == wanted
