"""The documentation tells the truth: every code block runs, and what pages name is there.

In a page, ``python`` blocks share one namespace and ``console`` blocks one empty folder,
in the order of the page.  In a console block a line ``$ opencmr ...`` is a command that
must succeed, and lines below it are its expected output, ``...`` standing for anything;
other commands (``$ make``, ``$ pip``, ``$ cd``) are for the reader and are not run.  A block
that cannot run in a test says why in a comment on the line before it::

    <!-- not run: needs the ACDC data -->
"""

import doctest
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import click
import pytest
from typer.main import get_command

from opencmr.cli.application import application

REPOSITORY = Path(__file__).resolve().parents[2]
PAGES = sorted(
    page for place in ("*.md", "docs/**/*.md", "benchmarks/*.md") for page in REPOSITORY.glob(place)
)
RUNNABLE = {"python", "console"}
SHOWN_ONLY = {"text", "toml", "json", "yaml", "csv", "bibtex", "make", "mermaid"}
FOR_THE_READER = ("make", "git", "pip", "python3", "cd", ".", "unzip", "ls")
SECONDS = 600
LONG_PAGES = {
    f"docs/{name}.md"
    for name in (
        "how-to/compare-with-previous",
        "how-to/correct-labels",
        "how-to/sort-a-study",
        "how-to/validate-a-segmentation",
        "tutorials/first-study",
        "tutorials/notebook",
    )
}
"""They analyse several studies; their verbs have tests of their own."""
FENCE = re.compile(
    r"(?:<!-- not run: (?P<why>[^\n]+?) -->\n)?^```(?P<language>[^\n`]*)\n(?P<code>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
INLINE = re.compile(r"`([^`\n]+)`")
PROGRAM = re.compile(r"(?<![\w/<>-])[\w/-]+\.py\b|\brecipes/[\w-]+\.toml\b")
OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]*")
LINK = re.compile(r"\[[^\]]*\]\((?P<target>[^)#\s]+)(?:#[^)]*)?\)")


@dataclass(frozen=True)
class Block:
    """One fenced block: where it starts, its language, text, and why it is not run."""

    line: int
    language: str
    code: str
    why_not: str | None


def _blocks(page: Path) -> Iterator[Block]:
    text = page.read_text("utf-8")
    for fence in FENCE.finditer(text):
        line = text.count("\n", 0, fence.start("language")) + 1
        yield Block(line, fence["language"].strip(), fence["code"], fence["why"])


def _commands(code: str) -> Iterator[tuple[str, str]]:
    """Yield (command, expected output) of a console block; a final backslash continues."""
    joined = code.replace("\\\n", " ")
    for part in re.split(r"^\$ ", joined, flags=re.MULTILINE)[1:]:
        command, _, output = part.partition("\n")
        yield command.strip(), output.strip("\n")


def _run_console(block: Block, folder: Path) -> None:
    binaries = str(Path(sys.executable).parent)
    environment = os.environ | {
        "PATH": os.pathsep.join([binaries, os.environ.get("PATH", "")]),
        "COLUMNS": "100",
        "NO_COLOR": "1",
    }
    for command, expected in _commands(block.code):
        word = command.split()[0]
        if word in FOR_THE_READER:
            continue
        assert word == "opencmr", f"line {block.line}: what is {word!r}?"
        done = subprocess.run(
            command,
            shell=True,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        assert done.returncode == 0, f"line {block.line}: $ {command}\n{done.stdout}{done.stderr}"
        if expected:
            flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
            same = doctest.OutputChecker().check_output(
                expected + "\n", done.stdout + done.stderr, flags
            )
            assert same, f"line {block.line}: $ {command}\n{done.stdout}{done.stderr}"


def _name(page: Path) -> str:
    return page.relative_to(REPOSITORY).as_posix()


WITH_CODE = [p for p in PAGES if any(b.language in RUNNABLE for b in _blocks(p))]


@pytest.mark.parametrize(
    "page",
    [
        pytest.param(p, marks=[pytest.mark.long] if _name(p) in LONG_PAGES else [])
        for p in WITH_CODE
    ],
    ids=_name,
)
def test_every_code_block_of_the_page_runs(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    namespace: dict[str, object] = {"__name__": "__documentation__"}
    for block in _blocks(page):
        if block.why_not:
            continue
        if block.language == "python":
            source = "\n" * block.line + block.code  # so that a traceback names the page's line
            exec(compile(source, str(page), "exec"), namespace)
        elif block.language == "console":
            _run_console(block, tmp_path)


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_every_block_is_of_a_known_kind(page: Path) -> None:
    odd = [(b.line, b.language) for b in _blocks(page) if b.language not in RUNNABLE | SHOWN_ONLY]
    assert odd == []
    indented = re.findall(r"^[ \t]+```.*", page.read_text("utf-8"), re.MULTILINE)
    assert indented == [], "a fence that is not at the line's start would not be run"


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_every_link_inside_the_repository_leads_somewhere(page: Path) -> None:
    targets = [m["target"] for m in LINK.finditer(page.read_text("utf-8"))]
    local = [t for t in targets if not re.match(r"[a-z]+:", t)]
    assert [t for t in local if not (page.parent / t).exists()] == []


def _code(page: Path) -> Iterator[str]:
    """Yield what stands as code in a page: within lines, and each command of console blocks."""
    text = page.read_text("utf-8")
    yield from INLINE.findall(FENCE.sub("", text))
    for block in _blocks(page):
        if block.language == "console":
            yield from (command for command, _ in _commands(block.code))


@cache
def _files() -> frozenset[str]:
    """Every program and recipe by its path, and by each end of it."""
    paths = [
        path.relative_to(REPOSITORY).parts
        for place in ("src", "tests", "benchmarks", "docs", "packaging", "recipes")
        for path in (REPOSITORY / place).rglob("*.*")
        if path.suffix in {".py", ".toml"}
    ]
    return frozenset("/".join(parts[n:]) for parts in paths for n in range(len(parts)))


@cache
def _options() -> dict[str, set[str]]:
    """Options of ``opencmr`` by verb; a verb of two words by both."""
    found = {}
    waiting: list[tuple[str, click.Command]] = [("", get_command(application))]
    while waiting:
        verb, command = waiting.pop()
        parameters = command.get_params(click.Context(command))
        found[verb] = {one for p in parameters for one in (*p.opts, *p.secondary_opts)}
        below = getattr(command, "commands", {})
        waiting += [(f"{verb} {name}".strip(), one) for name, one in below.items()]
    return found


def _known_options(code: str) -> set[str] | None:
    """Return the options of what a command line calls; None for another's program.

    Where an option stands alone, those of all verbs and benchmarks.
    """
    if code.startswith("--"):
        programs = (REPOSITORY / "benchmarks").glob("*.py")
        every = [*_options().values(), *(OPTION.findall(p.read_text("utf-8")) for p in programs)]
        return {one for options in every for one in options}
    called, *words = code.split()
    if called == "opencmr":
        verb = " ".join(words[:2]) if " ".join(words[:2]) in _options() else words[0]
        return _options().get(verb, set()) | _options()[""]
    if called == "python" and words and words[0].startswith("benchmarks/"):
        return set(OPTION.findall((REPOSITORY / words[0]).read_text("utf-8")))
    return None


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_every_program_and_recipe_that_is_named_is_there(page: Path) -> None:
    named = {name for code in _code(page) for name in PROGRAM.findall(code)}
    assert named - _files() == set()


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_every_option_that_is_named_is_one_of_its_command(page: Path) -> None:
    unknown = [
        (code, option)
        for code in _code(page)
        if (known := _known_options(code)) is not None
        for option in OPTION.findall(code)
        if option not in known
    ]
    assert unknown == []
