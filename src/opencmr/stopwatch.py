"""How long each stage took, for the record of the run."""

import time
from collections.abc import Iterator
from contextlib import contextmanager


class Stopwatch:
    """Seconds by stage; a stage that comes again is added up."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        """Time what happens inside."""
        start = time.perf_counter()
        yield
        taken = self.seconds.get(stage, 0.0) + time.perf_counter() - start
        self.seconds[stage] = round(taken, 3)
