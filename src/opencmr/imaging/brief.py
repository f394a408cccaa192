"""How the types that flow show themselves: shapes, not arrays; nothing that names a patient."""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np

LONGEST_TEXT = 60
MOST_ITEMS = 4


def brief(one: Any) -> str:
    """Return the ``repr`` of a frozen dataclass in a few lines.

    A field with ``repr=False`` is left out, and so is one that is empty.  Whatever is longer than
    a line is told by its size.

    Examples
    --------
    >>> from opencmr.imaging.brief import summary
    >>> import numpy as np
    >>> summary(np.zeros((30, 10, 256, 208), np.float32))
    'float32 (30, 10, 256, 208)'
    """
    told = [
        f"{field.name}={summary(value)}"
        for field in fields(one)
        if field.repr and not _is_empty(value := getattr(one, field.name))
    ]
    return f"{type(one).__name__}({', '.join(told)})"


def summary(value: Any) -> str:
    """Return a value in less than a line."""
    if isinstance(value, np.ndarray):
        return f"{value.dtype} {value.shape}"
    if isinstance(value, Mapping):
        return f"{{{_listed([str(key) for key in value])}}}"
    if isinstance(value, tuple | list):
        return f"({_listed([_name(item) for item in value])})"
    text = repr(value)
    return _name(value) if len(text) > LONGEST_TEXT else text


def _name(item: Any) -> str:
    """Return the shortest words for one of many: its key, its code, or its type."""
    for attribute in ("key", "code", "name"):
        word = getattr(item, attribute, None)
        if isinstance(word, str) and is_dataclass(item):
            return word
    if is_dataclass(item) or len(repr(item)) > LONGEST_TEXT:
        return type(item).__name__
    return repr(item)


def _listed(words: list[str]) -> str:
    shown = ", ".join(words[:MOST_ITEMS])
    return f"{shown}, ... {len(words)} in all" if len(words) > MOST_ITEMS else shown


def _is_empty(value: Any) -> bool:
    return value is None or (isinstance(value, str | tuple | Mapping) and not value)
