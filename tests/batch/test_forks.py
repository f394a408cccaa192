"""Processes that are forks: where they can be, and what of their parent they must leave alone.

Each story has an interpreter of its own: this one has threads of all kinds.
"""

import subprocess
import sys

import psutil
import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="forks are made on Linux alone")

BEGIN = """
import faulthandler, multiprocessing, os, signal, sys, threading, time
import numpy as np
from opencmr import storage
from opencmr.batch.processes import Lost, Processes
from opencmr.storage.locks import locked
from opencmr.storage.workplace import lock_of

def method(_):
    return multiprocessing.get_start_method()

def asleep(_):
    print(os.getpid(), flush=True)
    time.sleep(600)

def ending(how):
    return how if how is None else signal.raise_signal(how)

def methods():
    return list(dict(Processes(method, 2).answers([0, 1, 2])).values())

if __name__ == "__main__":
"""


@pytest.fixture
def script(tmp_path):
    """Return the command that runs a story."""

    def of(*lines: str) -> list[str]:
        path = tmp_path / "story.py"
        path.write_text(BEGIN + "".join(f"    {line}\n" for line in lines))
        return [sys.executable, str(path)]

    return of


def said(command: list[str], drawn: str = "") -> list[str]:
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    assert drawn in done.stderr if drawn else done.stderr == ""
    return done.stdout.splitlines()


def test_a_process_is_a_fork_until_there_is_a_second_thread(script):
    assert said(
        script(
            "np.ones((400, 400)) @ np.ones((400, 400))  # its pool of threads knows of forks",
            "print(*methods())",
            "threading.Thread(target=threading.Event().wait, daemon=True).start()",
            "print(*methods())",
        )
    ) == ["fork fork fork", "spawn spawn spawn"]


def test_a_thread_that_python_does_not_know_counts_too(script):
    watched = script("faulthandler.dump_traceback_later(600)", "print(*methods())")
    assert said(watched) == ["spawn spawn spawn"]


def test_the_progress_bar_stands_in_the_way_of_no_fork(script):
    shown = script(
        "from opencmr.cli import console",
        "sys.stderr.isatty = lambda: True",
        "with console.progress_bar(quiet=False) as progress:",
        "    progress('studies', 1, 3)",
        "    found = methods()",
        "print(*found)",
    )
    assert said(shown, drawn="1/3") == ["fork fork fork"]


def test_folder_and_lock_of_the_parent_outlast_forks_that_end_in_every_way(script):
    *told, last = said(
        script(
            "with storage.spool() as folder:",
            "    ways = [None, signal.SIGKILL, signal.SIGTERM, signal.SIGINT]",
            "    for how, answer in Processes(ending, 2).answers(ways):",
            "        with locked(lock_of(folder)) as is_free:",
            "            print(how, answer, folder.is_dir(), is_free)",
            "print(folder.exists() or lock_of(folder).exists())",
        )
    )
    assert sorted(told) == [
        "15 Lost(exit_code=1) True False",
        "2 None True False",
        "9 Lost(exit_code=-9) True False",
        "None None True False",
    ]
    assert last == "False"


@pytest.mark.parametrize("jobs", [1, 3])
def test_forks_end_when_their_parent_is_killed(script, jobs):
    command = script(f"list(Processes(asleep, {jobs}).answers(range({jobs})))")
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        forks = [psutil.Process(int(parent.stdout.readline())) for _ in range(jobs)]
        assert all(fork.ppid() == parent.pid for fork in forks)
        parent.kill()
        assert psutil.wait_procs(forks, timeout=60)[1] == []
