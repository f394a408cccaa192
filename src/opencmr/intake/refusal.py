"""Why an instance was not read: raised where it is found, counted where it is handled."""

from dataclasses import dataclass, field

from opencmr.anatomy.reasons import Reason
from opencmr.imaging.study import Identity, SeriesHeader


class RefusedError(Exception):
    """An instance, or an entry of an archive, that is not read.

    Parameters
    ----------
    code : str
        A row of the table of reasons.
    sentence : str
        Without file names, identifiers or header values; by default the code's own meaning.
    """

    def __init__(self, code: str, sentence: str = "") -> None:
        self.reason = Reason(code, sentence)
        super().__init__(self.reason)


@dataclass(frozen=True, slots=True)
class Refusal:
    """A file that was not read, with what its header still told.

    The UIDs, and what the header says of series and patient, are empty where it was not reached.
    """

    reason: Reason
    study_instance_uid: str = ""
    series_instance_uid: str = ""
    sop_instance_uid: str = ""
    header: SeriesHeader = field(default=SeriesHeader(), repr=False)
    identity: Identity = field(default=Identity(), repr=False)
