"""Peers: the archives that a user named in a TOML file, and nobody else.

Secrets stay where they are: the file names an environment variable or a file that holds them,
and they are read when they are needed.
"""

import ipaddress
import os
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    model_validator,
)

from opencmr.archive.names import require_ae_title
from opencmr.errors import ConfigurationError

PLAIN = "is not encrypted and leaves this machine; use {better}, or say insecure = true"
AeTitle = Annotated[str, AfterValidator(require_ae_title)]
Port = Annotated[int, Field(ge=1, le=65535)]
WRITTEN_SECRETS = {"password": "password_env or password_file", "token": "token_env or token_file"}
LARGEST_SECRET_BYTES = 65536


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class DicomWebPeer(_Strict):
    """An archive behind a DICOMweb address (PS3.18).

    Attributes
    ----------
    url : str
        What comes before ``/studies``.
    token_env, token_file : str, Path
        Where a bearer token lies; likewise the password of ``user``.
    ca : Path
        Certificates (PEM) that are trusted in place of the system's.
    """

    kind: Literal["dicomweb"]
    url: str
    token_env: str | None = None
    token_file: Path | None = None
    user: str | None = None
    password_env: str | None = None
    password_file: Path | None = None
    ca: Path | None = None
    insecure: bool = False
    timeout_s: float = Field(default=30.0, gt=0, le=3600)

    @model_validator(mode="after")
    def _check(self) -> Self:
        parts = urlsplit(self.url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("url must begin with https:// (or http://) and name a host")
        if parts.username or parts.password or parts.query or parts.fragment:
            raise ValueError("url holds a user, a query or a fragment; take it out")
        if parts.scheme == "http" and not (self.insecure or is_loopback(parts.hostname)):
            raise ValueError("http:// " + PLAIN.format(better="https://"))
        tokens = [self.token_env, self.token_file]
        passwords = [self.password_env, self.password_file]
        if sum(one is not None for one in tokens + passwords) > 1:
            raise ValueError("name one of token_env, token_file, password_env and password_file")
        if (self.user is not None) != any(one is not None for one in passwords):
            raise ValueError("user goes with password_env or password_file")
        return self

    def token(self) -> str | None:
        """Return the bearer token, None where the peer asks for none."""
        token = _secret(self.token_env, self.token_file)
        if token is not None and not token.isascii():
            raise ConfigurationError("a token holds letters beyond ASCII")  # RFC 6750 2.1
        return token

    def credentials(self) -> tuple[str, str] | None:
        """Return user and password, None where the peer asks for none."""
        password = _secret(self.password_env, self.password_file)
        return None if self.user is None or password is None else (self.user, password)


class Tls(_Strict):
    """Whose certificates are trusted, and the certificate that we show (PEM)."""

    ca: Path | None = None
    cert: Path | None = None
    key: Path | None = None

    @model_validator(mode="after")
    def _check(self) -> Self:
        if (self.cert is None) != (self.key is None):
            raise ValueError("cert and key go together")
        return self


class DimsePeer(_Strict):
    """An archive behind a DICOM address (PS3.8).

    Attributes
    ----------
    aet, calling_aet : str
        Its AE title and ours.
    storage_commitment : bool
        Whether a node asks it to commit itself, where it offers that; false for a peer that offers
        it and cannot call us.
    retrieve : "get" or "move"
        C-MOVE needs ``receive_port``: the archive must know ``calling_aet`` at this machine and
        that port.
    """

    kind: Literal["dimse"]
    host: str = Field(min_length=1)
    port: Port
    aet: AeTitle
    calling_aet: AeTitle = "OPENCMR"
    storage_commitment: bool = True
    retrieve: Literal["get", "move"] = "get"
    receive_port: Port | None = None
    tls: Tls | None = None
    insecure: bool = False
    timeout_s: float = Field(default=30.0, gt=0, le=3600)

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.tls is None and not (self.insecure or is_loopback(self.host)):
            raise ValueError("plain DICOM " + PLAIN.format(better="tls"))
        if self.retrieve == "move" and self.receive_port is None:
            raise ValueError('retrieve = "move" goes with receive_port')
        if self.retrieve == "move" and self.tls is not None and self.tls.cert is None:
            raise ValueError('retrieve = "move" with tls goes with tls.cert and tls.key')
        return self


Peer = DicomWebPeer | DimsePeer
_PEER: TypeAdapter[Peer] = TypeAdapter(Annotated[Peer, Field(discriminator="kind")])


def is_loopback(host: str) -> bool:
    """Whether a host's name or address is this machine's own.

    >>> is_loopback("127.0.0.1"), is_loopback("localhost"), is_loopback("192.0.2.7")
    (True, True, False)
    """
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def usual_file() -> Path:
    """Return where peers are looked for: ``opencmr/peers.toml`` in the user's configuration."""
    base = os.environ.get("XDG_CONFIG_HOME")
    return (Path(base) if base else Path.home() / ".config") / "opencmr" / "peers.toml"


def find_peer(name: str, file: Path | None = None) -> Peer:
    """Return the peer of a name; ``dicomweb:NAME`` and ``dimse:NAME`` say its kind, too.

    Raises
    ------
    ConfigurationError
        When the file, or the peer in it, is missing or wrong.
    """
    file = file or usual_file()
    table = _read(file)
    kind, _, short = name.rpartition(":")
    if short not in table:
        known = ", ".join(sorted(table)) or "none"
        raise ConfigurationError(f"{file.name} names no peer {short!r}; it names: {known}")
    try:
        peer = _PEER.validate_python(table[short])
    except ValidationError as error:
        faults = "; ".join(map(_sentence, error.errors()))
        raise ConfigurationError(f"{file.name}, peer {short!r}: {faults}") from None
    if kind and kind != peer.kind:
        raise ConfigurationError(f"{file.name}: the peer {short!r} is of kind {peer.kind}")
    return peer


def _read(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text("utf-8"))
    except FileNotFoundError:
        raise ConfigurationError(
            f"no peers are named: {file} does not exist; write it, or name another with --peers"
        ) from None
    except tomllib.TOMLDecodeError as error:
        # pydantic's and tomllib's messages give places, not values.
        raise ConfigurationError(f"{file.name} is no TOML: {error}") from None
    except (OSError, UnicodeDecodeError):
        raise ConfigurationError(f"{file} cannot be read as text in UTF-8") from None


def _sentence(fault: Any) -> str:
    """Return one fault of a peer in words, without the value found: it may be a secret."""
    place = [str(part) for part in fault["loc"] if part not in ("dicomweb", "dimse")]
    if fault["type"] == "extra_forbidden":
        better = WRITTEN_SECRETS.get(place[-1])
        what = f"secrets are not written here; name {better}" if better else "is not known"
        return f"{'.'.join(place)}: {what}"
    if fault["type"].startswith("union_tag"):
        return 'kind must be "dicomweb" or "dimse"'
    words = str(fault["msg"]).removeprefix("Value error, ")
    return f"{'.'.join(place)}: {words}" if place else words


def _secret(variable: str | None, file: Path | None) -> str | None:
    if variable is not None:
        found = os.environ.get(variable)
        if not found:
            raise ConfigurationError(f"the environment variable {variable} is empty or not set")
    elif file is not None:
        try:
            with file.expanduser().open("rb") as stream:
                found = stream.read(LARGEST_SECRET_BYTES).decode("utf-8").strip()
        except (OSError, UnicodeDecodeError):
            raise ConfigurationError(f"the secret in {file} cannot be read") from None
        if not found:
            raise ConfigurationError(f"the secret in {file} is empty")
    else:
        return None
    if any(character < " " for character in found):
        raise ConfigurationError("a secret holds a line break or another control character")
    return found
