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

from opencmr.models.session import Network, StackNetwork


@dataclass
class Clock:
    """What networks have computed so far."""

    seconds: float = 0.0
    calls: int = 0
    slices: int = 0


@contextmanager
def clocked_networks() -> Iterator[Clock]:
    """Count the calls of every network while the block runs."""
    clock = Clock()
    runs = {kind: kind.__call__ for kind in (Network, StackNetwork)}

    def clocked(network: Any, windows: Any) -> Any:
        start = time.perf_counter()
        shares = runs[type(network)](network, windows)
        clock.seconds += time.perf_counter() - start
        clock.calls += 1
        clock.slices += len(windows) * (windows.shape[1] if type(network) is StackNetwork else 1)
        return shares

    try:
        for kind in runs:
            kind.__call__ = clocked  # type: ignore[method-assign]
        yield clock
    finally:
        for kind, run in runs.items():
            kind.__call__ = run  # type: ignore[method-assign]


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
