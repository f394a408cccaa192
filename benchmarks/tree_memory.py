"""Peak memory of a process and all that it starts."""

import threading
from collections.abc import Mapping

import psutil

SAMPLING_S = 0.02


class TreeMemory(threading.Thread):
    """Samples the resident memory of a process and its descendants until it ends."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self.peak_bytes = 0
        self._process = psutil.Process(pid)
        self._over = threading.Event()

    def run(self) -> None:
        """Sample until told to stop."""
        while not self._over.wait(SAMPLING_S):
            total, commands = 0, dict[int, list[str]]()
            for process in self._tree():
                try:
                    commands[process.pid] = process.cmdline()
                    if not is_starting(process, commands):
                        total += process.memory_info().rss
                except psutil.Error:  # ended meanwhile
                    continue
            self.peak_bytes = max(self.peak_bytes, total)

    def _tree(self) -> list[psutil.Process]:
        try:
            return [self._process, *self._process.children(recursive=True)]
        except psutil.Error:
            return []

    def stop(self) -> int:
        """Return the peak in bytes."""
        self._over.set()
        self.join()
        return self.peak_bytes


def is_starting(process: psutil.Process, commands: Mapping[int, list[str]]) -> bool:
    """Whether a process is not yet another program: until then its memory is its parent's.

    On Linux a program is started by ``vfork``; caught in that moment, all counted twice.
    """
    return commands[process.pid] == commands.get(process.ppid())
