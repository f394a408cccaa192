"""Results to an archive by C-STORE."""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from pydicom.filereader import read_file_meta_info
from pynetdicom import AE

from opencmr.archive.address import Address
from opencmr.errors import ExternalServiceError

PATIENCE_S = 60
MOST_CONTEXTS = 128
"""PS3.8 section 9.3.2.2: identifiers of presentation contexts are odd bytes."""


class Sender(Protocol):
    """Sends files to one place; the same files again must do no harm there."""

    def send(self, files: Sequence[Path]) -> None:
        """Return when all files are there.

        Raises
        ------
        ExternalServiceError
            When any is not, or nobody knows.
        """


class StoreScu:
    """Sends files to an application entity, all in one association.

    Parameters
    ----------
    aet : str
        Ours.
    peer : Address
    """

    def __init__(self, aet: str, peer: Address) -> None:
        self._aet = aet
        self._peer = peer

    def send(self, files: Sequence[Path]) -> None:
        """Return when the peer has acknowledged every file; a warning is an acknowledgement.

        Raises
        ------
        ExternalServiceError
            When it cannot be reached, or refuses any.
        """
        entity = AE(self._aet)
        entity.acse_timeout = entity.dimse_timeout = entity.network_timeout = PATIENCE_S
        entity.connection_timeout = PATIENCE_S
        kinds = {_kind_of(file) for file in files}
        for sop_class_uid, transfer_syntax_uid in sorted(kinds)[:MOST_CONTEXTS]:
            entity.add_requested_context(sop_class_uid, transfer_syntax_uid)
        association = entity.associate(self._peer.host, self._peer.port, ae_title=self._peer.aet)
        if not association.is_established:
            raise ExternalServiceError(
                f"{self._peer} takes no association; is it up, and does it know us?"
            )
        try:
            for file in files:
                status = getattr(association.send_c_store(file), "Status", None)
                if status is None:
                    raise ExternalServiceError(f"{self._peer} broke off")
                if status != 0 and status >> 12 != 0xB:
                    raise ExternalServiceError(f"{self._peer} refused a file (0x{status:04X})")
        except (ValueError, RuntimeError, AttributeError) as error:
            # Of pynetdicom: no presentation context was accepted, or the association is gone.
            raise ExternalServiceError(f"{self._peer} does not take files of this kind") from error
        finally:
            association.release()


def _kind_of(file: Path) -> tuple[str, str]:
    meta = read_file_meta_info(file)
    return str(meta.MediaStorageSOPClassUID), str(meta.TransferSyntaxUID)
