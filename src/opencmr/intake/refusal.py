"""Why an instance was not read: raised where it is found, counted where it is handled."""

from dataclasses import dataclass


class RefusedError(Exception):
    """An instance, or an entry of an archive, that is not read.

    Attributes
    ----------
    code : str
        A row of the table of reason codes.
    reason : str
        One sentence without file names, identifiers or header values; empty for the code's
        own meaning.
    """

    def __init__(self, code: str, reason: str = "") -> None:
        super().__init__(code, reason)
        self.code = code
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Refusal:
    """A file that was not read, with what its header still told.

    The UIDs are empty where the header was not reached.
    """

    code: str
    reason: str = ""
    study_instance_uid: str = ""
    series_instance_uid: str = ""
    sop_instance_uid: str = ""
