"""Memory that is free, given back to the system before something else needs it."""

import ctypes
import sys
from contextlib import suppress


def give_back_memory() -> None:
    """Hand the free pages of this process to the system.

    The C library of most Linux systems keeps them for itself, and more of them the larger what it
    freed (``malloc_trim(3)``); elsewhere nothing is done.  It takes milliseconds: for the places
    where much was freed and another process, or a network, is about to take memory.
    """
    if sys.platform == "linux":
        with suppress(AttributeError, OSError):  # musl has no such call, and keeps less
            ctypes.CDLL(None).malloc_trim(0)
