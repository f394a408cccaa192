"""An association with a peer as its entry says: TLS, time limits, AE titles of both sides.

Whatever calls over DIMSE calls here.
"""

import logging
import socket
import ssl
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from pynetdicom import AE, _config, evt
from pynetdicom.association import Association
from pynetdicom.pdu import A_ASSOCIATE_RJ
from pynetdicom.presentation import PresentationContext

from opencmr.archive import tls
from opencmr.archive.faults import why_not_connected
from opencmr.archive.peers import DimsePeer
from opencmr.errors import ExternalServiceError, OpencmrError


def silence_pynetdicom() -> None:
    """Keep pynetdicom from writing what it sends and receives: that may quote identifiers."""
    logger: Any = logging.getLogger("pynetdicom")
    logger.propagate = False
    logger.setLevel(logging.CRITICAL + 1)
    _config.LOG_HANDLER_LEVEL = "none"


def entity_of(peer: DimsePeer) -> AE:
    """Return us as the peer knows us, with its time limit."""
    silence_pynetdicom()
    entity = AE(ae_title=peer.calling_aet)
    entity.acse_timeout = entity.dimse_timeout = peer.timeout_s
    entity.network_timeout = entity.connection_timeout = peer.timeout_s
    return entity


@contextmanager
def associated(
    name: str,
    peer: DimsePeer,
    contexts: Iterable[PresentationContext],
    *,
    evt_handlers: Sequence[Any] = (),
    **more: Any,
) -> Iterator[Association]:
    """Yield an association, which is released at the end.

    Parameters
    ----------
    name : str
        Of the peer, for messages.
    peer : DimsePeer
    contexts : iterable of PresentationContext
    evt_handlers, more
        As for ``AE.associate`` of pynetdicom.

    Raises
    ------
    ExternalServiceError
        When there is none, in words why; or when it breaks.
    ConfigurationError
        When the files of its TLS cannot be read.
    """
    context = None
    if peer.tls is not None:
        context = tls.calling(peer.tls.ca, peer.tls.cert, peer.tls.key)
    rejections: list[str] = []

    def hear(event: evt.Event) -> None:
        # pynetdicom forgets a rejection that comes before it begins to wait for one.
        if isinstance(event.pdu, A_ASSOCIATE_RJ):
            rejections.append(event.pdu.reason_str.lower())

    association = entity_of(peer).associate(
        peer.host,
        peer.port,
        contexts=list(contexts),
        ae_title=peer.aet,
        tls_args=None if context is None else (context, peer.host),
        evt_handlers=[*evt_handlers, (evt.EVT_PDU_RECV, hear)],
        **more,
    )
    if not association.is_established:
        raise ExternalServiceError(f"{name}: {_why_none(rejections, peer, context)}")
    try:
        yield association
    except OpencmrError:
        raise
    except ValueError:
        # No context for what is asked was accepted.
        raise ExternalServiceError(f"{name}: it does not offer what is asked of it") from None
    except RuntimeError:
        raise ExternalServiceError(f"{name}: the association broke") from None
    finally:
        if association.is_established:
            association.release()


def _why_none(rejections: Sequence[str], peer: DimsePeer, context: ssl.SSLContext | None) -> str:
    """Return why no association came about; pynetdicom keeps no reason of the network's."""
    if rejections:
        for ours, what in (
            ("called ae", f"its AE title {peer.aet}; see aet"),
            ("calling ae", f"our AE title {peer.calling_aet}; see calling_aet"),
        ):
            if ours in rejections[0]:
                return f"it rejects {what}"
        return "it rejects the association"
    try:
        with socket.create_connection((peer.host, peer.port), peer.timeout_s) as raw:
            if context is not None:
                context.wrap_socket(raw, server_hostname=peer.host).close()
    except OSError as error:
        return why_not_connected(error)
    return "it is there, and no association came about; is it DICOM, and TLS as it expects?"
