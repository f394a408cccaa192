"""TLS 1.2 or newer (BCP 195), both ways: whom we trust, and the certificate that we show."""

import ssl
from pathlib import Path

from opencmr.errors import ConfigurationError


def calling(
    ca: Path | None, certificate: Path | None = None, key: Path | None = None
) -> ssl.SSLContext:
    """Return what verifies certificate and name of whom we call.

    Parameters
    ----------
    ca : Path or None
        Certificates in PEM that are trusted; None for the system's.
    certificate, key : Path or None
        What we show to a peer that asks for it.

    Raises
    ------
    ConfigurationError
        When a file cannot be read, or certificate and key do not belong together.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    _trust(context, ca, ssl.Purpose.SERVER_AUTH)
    if certificate is not None and key is not None:
        _show(context, certificate, key)
    return context


def called(
    certificate: Path, key: Path, ca: Path | None = None, *, is_mutual: bool
) -> ssl.SSLContext:
    """Return what shows our certificate to whoever calls, and where mutual verifies theirs.

    Parameters
    ----------
    certificate, key : Path
    ca : Path or None
        As for :func:`calling`, of those who may call.
    is_mutual : bool
        Whether callers without a certificate are turned away.

    Raises
    ------
    ConfigurationError
        When a file cannot be read, or certificate and key do not belong together.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    _show(context, certificate, key)
    if is_mutual:
        context.verify_mode = ssl.CERT_REQUIRED
        _trust(context, ca, ssl.Purpose.CLIENT_AUTH)
    return context


def _trust(context: ssl.SSLContext, ca: Path | None, purpose: ssl.Purpose) -> None:
    if ca is None:
        context.load_default_certs(purpose)
        return
    try:
        context.load_verify_locations(str(ca.expanduser()))
    except OSError:  # ssl.SSLError is one
        raise ConfigurationError(f"ca: {ca} cannot be read as certificates in PEM") from None


def _show(context: ssl.SSLContext, certificate: Path, key: Path) -> None:
    try:
        context.load_cert_chain(str(certificate.expanduser()), str(key.expanduser()))
    except OSError:
        raise ConfigurationError(
            f"{certificate} and {key} cannot be read as a certificate and its key in PEM"
        ) from None
