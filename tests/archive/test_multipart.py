"""An answer of many parts is taken apart the same whatever chunks it comes in."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opencmr.archive.multipart import MultipartError, boundary_of, parts

CONTENT = st.lists(st.binary(max_size=60) | st.just(b"\r\n--b\r\n--") | st.just(b""), max_size=5)


def joined(contents, header=b"Content-Type: application/dicom\r\n"):
    begin = b"--bound\r\n" + header + b"\r\n"
    return b"".join(begin + one + b"\r\n" for one in contents) + b"--bound--\r\n"


def read(whole: bytes, size: int) -> list[bytes]:
    chunks = (whole[i : i + size] for i in range(0, len(whole), size))
    return [b"".join(part) for part in parts(chunks, b"bound")]


@given(CONTENT, st.integers(1, 50))
def test_parts_come_back_whole(contents, size):
    contents = [one for one in contents if b"--bound" not in one]
    assert read(b"before\r\n" + joined(contents), size) == contents
    assert read(joined(contents, header=b""), size) == contents


@given(CONTENT.filter(bool), st.integers(1, 50), st.data())
def test_an_answer_cut_anywhere_is_refused(contents, size, data):
    contents = [one for one in contents if b"--bound" not in one]
    whole = joined(contents)
    cut = data.draw(st.integers(0, len(whole) - 5))  # its last four bytes say nothing new
    with pytest.raises(MultipartError):
        read(whole[:cut], size)


def test_lengths_that_lie_and_endless_headers_are_refused():
    assert read(joined([b"abc"], b"Content-Length: 3\r\n"), 7) == [b"abc"]
    with pytest.raises(MultipartError, match="as long"):
        read(joined([b"abc"], b"Content-Length: 4\r\n"), 7)
    with pytest.raises(MultipartError, match="too long"):
        read(b"--bound\r\n" + b"x" * 100_000, 1000)
    with pytest.raises(MultipartError, match="something else"):
        read(b"--bound!\r\n", 1000)


@pytest.mark.parametrize(
    "content_type",
    [
        "text/html",
        "multipart/related",
        "multipart/mixed; boundary=a",
        "",
        'multipart/related; boundary=""',
    ],
)
def test_another_content_type_is_refused(content_type):
    with pytest.raises(MultipartError):
        boundary_of(content_type)
