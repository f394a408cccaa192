"""How far a job is: one signature for every room."""

from collections.abc import Callable

Progress = Callable[[str, int, int], None]
"""Called with (what is being done, done, in all)."""


def silent(what: str, done: int, total: int) -> None:
    """Tell nobody."""
