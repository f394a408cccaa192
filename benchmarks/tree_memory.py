"""Peak memory of a process and all that it starts."""

import threading

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
            total = 0
            for process in self._tree():
                try:
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
