"""Codes beside the classes, for pictures on which readers drew some of the structures.

A pixel's label is then no class but says which classes it may be: beside ``0`` to ``C - 1`` there
are ``C``, none of the structures that were drawn, and ``C + 1``, unknown.
"""

CODES = 2
"""So many more than classes."""


def none_of_the_drawn(classes: int) -> int:
    """Return the code of a pixel that is none of the structures drawn."""
    return classes


def unknown(classes: int) -> int:
    """Return the code of a pixel of which nothing is said."""
    return classes + 1
