"""Tasks in processes of their own: answers, deaths, failures."""

import operator
import os
import signal
import time
from functools import partial

import psutil
import pytest

from opencmr.batch import processes
from opencmr.batch.processes import Lost, Processes


def children() -> int:
    return len(psutil.Process().children())


def test_every_number_is_answered_once_and_no_process_stays():
    before = children()
    answers = dict(Processes(partial(pow, 2), 2).answers(range(6)))
    assert answers == {n: 2**n for n in range(6)}
    assert children() <= before + 1  # the resource tracker of multiprocessing


def test_what_kills_a_process_costs_its_own_number_alone():
    exits = partial(operator.getitem, [3, 4, 5])
    assert dict(Processes(exits, 1).answers([0, 2])) == {0: 3, 2: 5}
    deaths = dict(Processes(signal.raise_signal, 2).answers([signal.SIGKILL, signal.SIGINT]))
    # An interrupt is the parent's to answer.
    assert deaths == {signal.SIGKILL: Lost(-signal.SIGKILL), signal.SIGINT: None}


def test_what_a_task_raises_is_raised_here_and_ends_the_processes():
    before = children()
    with pytest.raises(ZeroDivisionError):
        list(Processes(partial(operator.truediv, 1), 2).answers([1, 0, 2, 4]))
    assert children() <= before + 1


def test_who_waits_is_told_of_it(monkeypatch):
    monkeypatch.setattr(processes, "WAITING_S", 0.01)
    told = []
    answers = Processes(time.sleep, 1).answers([1], lambda: told.append("still"))
    assert list(answers) == [(1, None)]
    assert told


def test_nothing_to_do_starts_nothing():
    assert list(Processes(os._exit, 3).answers([])) == []
