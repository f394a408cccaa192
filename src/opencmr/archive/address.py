"""Who is at the other end: an application entity, and where it listens."""

import re
from dataclasses import dataclass

from opencmr.archive.peers import DimsePeer, is_loopback
from opencmr.errors import ConfigurationError

AE_TITLE = re.compile(r"(?=.*[^ ])[\x20-\x5b\x5d-\x7e]{1,16}")
"""PS3.5 section 6.2, AE: 16 characters without backslash and controls, not all spaces."""
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
    require_ae_title(found["aet"])
    return Address(found["aet"].strip(), found["host"].strip("[]"), int(found["port"]))


def require_ae_title(text: str) -> str:
    """Return an AE title without the spaces that do not count, or refuse what is none.

    Raises
    ------
    ConfigurationError
        When it is empty, too long, or holds other characters.
    """
    if not AE_TITLE.fullmatch(text):
        raise ConfigurationError(
            f"{text!r} is no AE title: 1 to 16 characters of ASCII without a backslash"
        )
    return text.strip()


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
