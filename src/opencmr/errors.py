"""The ways in which a caller can be wrong, one exception each.

Messages say what was found, where, what was expected and what to do, and never hold a
patient identifier.  Where a code stands for the fault, the message is a ``Reason``
(:func:`opencmr.anatomy.reasons.reason_of` gives it back).
"""


class OpencmrError(Exception):
    """Base of every error that opencmr raises on purpose."""

    exit_status = 1


class InputError(OpencmrError, ValueError):
    """The input cannot be analysed: not a file of a known kind, empty, or contradictory."""

    exit_status = 4


class GeometryError(OpencmrError, ValueError):
    """Spacing, position or orientation is missing, impossible or contradictory."""

    exit_status = 4


class ModelError(OpencmrError, RuntimeError):
    """A model is missing, damaged, or does not fit the task."""


class ConfigurationError(OpencmrError, ValueError):
    """An option, recipe or configuration file is wrong."""

    exit_status = 2


class StorageError(OpencmrError, OSError):
    """The disk is full, or what lies on it changed during the work."""


class ExternalServiceError(OpencmrError, RuntimeError):
    """A service outside opencmr (an archive, a peer) failed."""
