"""Who is at the other end: an application entity, and where it listens."""

import re
from dataclasses import dataclass

from opencmr.archive.names import require_ae_title
from opencmr.archive.peers import DimsePeer, is_loopback
from opencmr.errors import ConfigurationError

LARGEST_PORT = 65535
ADDRESS = re.compile(r"(?P<aet>[^@]+)@(?P<host>\[[^\]]+\]|[^:@\[\]]+):(?P<port>\d{1,5})")


@dataclass(frozen=True, slots=True)
class Address:
    """An application entity that can be called.

    >>> str(parse_address("PACS@archive.example:104"))
    'PACS@archive.example:104'
    """

    aet: str
    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.aet}@{host}:{self.port}"


def parse_address(text: str) -> Address:
    """Return the application entity that ``AET@HOST:PORT`` names.

    Raises
    ------
    ConfigurationError
        When it is of another form.
    """
    found = ADDRESS.fullmatch(text)
    if found is None or not 0 < int(found["port"]) <= LARGEST_PORT:
        raise ConfigurationError(f"{text!r} is no AET@HOST:PORT, such as PACS@archive.example:104")
    return Address(require_ae_title(found["aet"]), found["host"].strip("[]"), int(found["port"]))


def as_peer(address: Address, calling_aet: str, *, is_insecure: bool = False) -> DimsePeer:
    """Return an address as a peer that is called in clear.

    Raises
    ------
    ConfigurationError
        When it is beyond this machine, unless ``is_insecure``.
    """
    if not (is_insecure or is_loopback(address.host)):
        raise ConfigurationError(
            f"plain DICOM to {address} is not encrypted and leaves this machine; name the peer "
            "with tls in the peers file, or say --insecure"
        )
    return DimsePeer(
        kind="dimse",
        host=address.host,
        port=address.port,
        aet=address.aet,
        calling_aet=calling_aet,
        insecure=True,
    )
