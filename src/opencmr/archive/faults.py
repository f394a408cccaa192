"""Why there is no connection, in words; never an address, nor what the other side said."""

import ssl


def why_not_connected(error: BaseException) -> str:
    """Return a sentence for what the system said, wherever it stands in a chain of errors.

    >>> why_not_connected(ConnectionRefusedError())
    'the connection is refused: nothing listens there'
    """
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"its certificate is not trusted ({cause.verify_message}); see ca"
        if isinstance(cause, ssl.SSLError):
            return "no TLS connection came about; does it speak TLS 1.2 or newer at this port?"
        if isinstance(cause, ConnectionRefusedError):
            return "the connection is refused: nothing listens there"
        if isinstance(cause, TimeoutError):
            return "no answer in time; is host and port right, and the network up?"
        cause = cause.__cause__ or cause.__context__
    return "it cannot be reached; is host and port right, and the network up?"
