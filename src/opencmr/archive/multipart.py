"""A multipart answer taken apart while it comes (RFC 2046 5.1).

Written here because the libraries at hand take one apart only when all of it is in memory, and
a study is gigabytes.
"""

import re
from collections.abc import Iterable, Iterator
from email.message import Message

MOST_HEADER_BYTES = 16384
"""Of one part (proposal)."""
BOUNDARY = re.compile(r"[0-9A-Za-z'()+_,\-./:=? ]{0,69}[0-9A-Za-z'()+_,\-./:=?]")


class MultipartError(ValueError):
    """The answer is not what its content type says, or ends too early."""


def boundary_of(content_type: str) -> bytes:
    """Return the boundary of ``multipart/related``.

    >>> boundary_of('multipart/related; type="application/dicom"; boundary=abc')
    b'abc'

    Raises
    ------
    MultipartError
        When it is another type, or has none.
    """
    message = Message()
    message["Content-Type"] = content_type
    found = message.get_param("boundary")
    is_related = message.get_content_type() == "multipart/related"
    if not is_related or not isinstance(found, str) or not BOUNDARY.fullmatch(found):
        raise MultipartError("the answer is no multipart/related")
    return found.encode("ascii")


def parts(chunks: Iterable[bytes], boundary: bytes) -> Iterator[Iterator[bytes]]:
    """Yield each part's content in pieces; a part must be read to its end before the next.

    Raises
    ------
    MultipartError
        When the answer ends before its last boundary, a header is too long, or a part is not
        as long as its Content-Length says.
    """
    source = _Source(chunks)
    delimiter = b"--" + boundary
    source.skip_to(delimiter)
    while not source.is_last():
        length = _content_length(source.until(b"\r\n\r\n"))
        yield _checked(source.content(b"\r\n" + delimiter), length)


def _content_length(header: bytes) -> int | None:
    found = re.search(rb"^content-length:[ \t]*([0-9]{1,18})[ \t]*$", header, re.I | re.M)
    return int(found[1]) if found else None


def _checked(pieces: Iterator[bytes], length: int | None) -> Iterator[bytes]:
    count = 0
    for piece in pieces:
        count += len(piece)
        yield piece
    if length is not None and count != length:
        raise MultipartError("a part is not as long as it says")


class _Source:
    """Bytes that come in chunks, read up to marks; holds one chunk and a mark at most."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks, self._held = iter(chunks), bytearray()

    def skip_to(self, mark: bytes) -> None:
        """Go behind the first boundary; what comes before it means nothing."""
        for _ in self._pieces_until(mark, MOST_HEADER_BYTES):
            pass

    def is_last(self) -> bool:
        """Whether ``--`` follows a boundary; else go behind the end of its line."""
        self._hold(2)
        if self._held[:2] == b"--":
            return True
        # The line break stays: it begins a header that may be empty.
        while self._held.startswith((b" ", b"\t")):
            del self._held[:1]
            self._hold(2)
        if self._held[:2] != b"\r\n":
            raise MultipartError("a boundary is followed by something else")
        return False

    def until(self, mark: bytes) -> bytes:
        """Return a header, without the line break before it, and go behind ``mark``."""
        header = b"".join(self._pieces_until(mark, MOST_HEADER_BYTES))
        return header.replace(b"\r\n", b"\n")

    def content(self, mark: bytes) -> Iterator[bytes]:
        """Yield what comes before ``mark``, and go behind it."""
        return self._pieces_until(mark, None)

    def _pieces_until(self, mark: bytes, most: int | None) -> Iterator[bytes]:
        count = 0
        while (place := self._held.find(mark)) < 0:
            ready = max(0, len(self._held) - len(mark) + 1)
            count += ready
            if most is not None and count > most:
                raise MultipartError("a header is too long")
            if ready:
                yield bytes(self._held[:ready])
                del self._held[:ready]
            self._more()
        if place:
            yield bytes(self._held[:place])
        del self._held[: place + len(mark)]

    def _hold(self, number: int) -> None:
        while len(self._held) < number:
            self._more()

    def _more(self) -> None:
        try:
            self._held += next(self._chunks)
        except StopIteration:
            raise MultipartError("the answer ends too early") from None
