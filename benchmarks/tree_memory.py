"""Peak memory of a process and all that it starts."""

import threading
from collections.abc import Mapping

import psutil

SAMPLING_S = 0.02
PROPORTIONAL_EVERY = 5
"""Samples for one of proportional memory, for which the system looks at every page: 1 ms or so."""


class TreeMemory(threading.Thread):
    """Samples the memory of a process and its descendants until it ends.

    Resident memory counts twice what two processes share.  Proportional memory (PSS, Linux) counts
    it once: of each page every process has its share, and what a program outside the tree
    shares, a library, counts for it in part.

    Parameters
    ----------
    pid : int
    proportional : bool
        Look at proportional memory too.
    """

    def __init__(self, pid: int, *, proportional: bool = False) -> None:
        super().__init__(daemon=True)
        self.peak_bytes = 0
        self.peak_proportional_bytes = 0
        self._proportional = proportional
        self._process = psutil.Process(pid)
        self._over = threading.Event()

    def run(self) -> None:
        """Sample until told to stop."""
        samples = 0
        while not self._over.wait(SAMPLING_S):
            resident, proportional, commands = 0, 0, dict[int, list[str]]()
            looks_closely = self._proportional and samples % PROPORTIONAL_EVERY == 0
            samples += 1
            for process in self._tree():
                try:
                    commands[process.pid] = process.cmdline()
                    if is_starting(process, commands):
                        continue
                    resident += process.memory_info().rss
                    if looks_closely:
                        proportional += process.memory_full_info().pss
                except psutil.Error:  # ended meanwhile
                    continue
            self.peak_bytes = max(self.peak_bytes, resident)
            self.peak_proportional_bytes = max(self.peak_proportional_bytes, proportional)

    def _tree(self) -> list[psutil.Process]:
        try:
            return [self._process, *self._process.children(recursive=True)]
        except psutil.Error:
            return []

    def stop(self) -> int:
        """Return the peak of resident memory in bytes."""
        self._over.set()
        self.join()
        return self.peak_bytes


def is_starting(process: psutil.Process, commands: Mapping[int, list[str]]) -> bool:
    """Whether a process is not yet another program: until then its memory is its parent's.

    On Linux a program is started by ``vfork``; caught in that moment, all counted twice.  A fork
    has its parent's words too, but its parent does not stand still meanwhile.
    """
    parent = process.parent()
    return (
        parent is not None
        and commands[process.pid] == commands.get(parent.pid)
        and parent.status() == psutil.STATUS_DISK_SLEEP
    )
