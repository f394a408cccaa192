"""``python -m opencmr`` is the command, and the shell completes its verbs."""

import os
import subprocess
import sys

from opencmr import __version__


def run(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "opencmr", *words],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_module_runs_the_command() -> None:
    assert run("--version").stdout == f"opencmr {__version__}\n"
    wrong = run("measure", "nothing-there")
    assert wrong.returncode == 2
    assert wrong.stderr.startswith("opencmr: give the labels")


def test_a_verb_is_completed() -> None:
    asked = {
        "_OPENCMR_COMPLETE": "complete_bash",
        "COMP_WORDS": "opencmr mea",
        "COMP_CWORD": "1",
    }
    completed = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys; sys.argv = ['opencmr']; from opencmr.cli import main; main()",
        ],
        env={**os.environ, **asked},
        capture_output=True,
        text=True,
        check=False,
    )
    assert completed.stdout.split() == ["measure"]
