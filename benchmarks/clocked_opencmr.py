"""opencmr's command line with a clock around its networks.

    python clocked_opencmr.py SECONDS.json analyze INPUT -o OUT

does what ``opencmr analyze INPUT -o OUT`` does, and writes to ``SECONDS.json`` how often a network
was called and how many seconds it computed (onnxruntime's run alone, neither loading nor
resampling).  ``clocked_networks`` is the same for use inside a process.
"""

import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any


@dataclass
class Clock:
    """What networks have computed so far."""

    seconds: float = 0.0
    calls: int = 0
    slices: int = 0


@contextmanager
def clocked_networks() -> Iterator[Clock]:
    """Count the calls of every network while the block runs."""
    clock, run = Clock(), Network.__call__

    def clocked(network: Network, windows: Any) -> Any:
        start = time.perf_counter()
        shares = run(network, windows)
        clock.seconds += time.perf_counter() - start
        clock.calls += 1
        clock.slices += len(windows)
        return shares

    Network.__call__ = clocked  # type: ignore[method-assign]
    try:
        yield clock
    finally:
        Network.__call__ = run  # type: ignore[method-assign]


def main() -> None:
    from opencmr.cli import main as opencmr

    target = Path(sys.argv.pop(1))
    with clocked_networks() as clock:
        try:
            opencmr()
        finally:
            target.write_text(json.dumps(asdict(clock)))


if __name__ == "__main__":
    main()
