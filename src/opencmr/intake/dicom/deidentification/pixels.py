"""The bytes of pixels without what else may stand among them; the pictures stay to the bit.

Comments and application segments of JPEG, bytes after a picture's end, padding, and what lies in
bits that no picture uses (overlays stood there until 2004) are none of the picture's.
"""

import numpy as np
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate, generate_frames
from pydicom.pixels.decoders.base import get_decoder
from pydicom.uid import (
    UID,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    JPEG2000TransferSyntaxes,
    JPEGLSTransferSyntaxes,
    JPEGTransferSyntaxes,
    RLELossless,
)

from opencmr.intake.dicom.parsing import frames_of, whole
from opencmr.intake.refusal import RefusedError

PIXELS = {"PixelData": 0, "FloatPixelData": 32, "DoubleFloatPixelData": 64}
"""Elements that hold a picture, and their bits a pixel; 0 where the header states them."""
MARKER_SYNTAXES = frozenset({*JPEGTransferSyntaxes, *JPEGLSTransferSyntaxes})
HIGH_THROUGHPUT = "1.2.840.10008.1.2.4.20"
"""What the UIDs of high-throughput JPEG 2000 begin with: its codestream has the same markers."""
OVERLAYS, OVERLAY_DATA = range(0x6000, 0x6100, 2), 0x3000
START, END, COMMENT, SCAN = 0xD8, 0xD9, 0xFE, 0xDA
RESTARTS = range(0xD0, 0xD8)
APPLICATION = range(0xE0, 0xF0)
CODESTREAM, TILE_PART, TILE_DATA, CODESTREAM_COMMENT = 0xFF4F, 0xFF90, 0xFF93, 0xFF64


def clean_pixels(dataset: Dataset, keyword: str, syntax: UID) -> tuple[DataElement, UID]:
    """Return an element of pixels that holds the pictures alone, and its transfer syntax.

    RLE has no end that could be found without decoding it: it is written uncompressed.

    Raises
    ------
    RefusedError
        ``TRUNCATED``, ``DECODE_FAILED`` or ``UNKNOWN_TRANSFER_SYNTAX``.
    """
    element = dataset[keyword]
    if not syntax.is_encapsulated:
        data = _native(dataset, bytes(element.value), PIXELS[keyword], syntax)
        return DataElement(element.tag, element.VR, data), syntax
    if syntax == RLELossless:
        decoded, _ = get_decoder(syntax).as_buffer(dataset, raw=True)
        plain = _native(dataset, bytes(decoded), 0, ExplicitVRLittleEndian)
        return DataElement(element.tag, "OW", plain), ExplicitVRLittleEndian
    frames = list(generate_frames(element.value, number_of_frames=frames_of(dataset)))
    clean = encapsulate([clean_stream(frame, syntax) for frame in frames])
    found = DataElement(element.tag, "OB", clean)
    found.is_undefined_length = True
    return found, syntax


def _native(dataset: Dataset, data: bytes, bits: int, syntax: UID) -> bytes:
    allocated = bits or whole(dataset, "BitsAllocated") or 16
    count = (whole(dataset, "Rows") or 0) * (whole(dataset, "Columns") or 0) * frames_of(dataset)
    size = (count * allocated + 7) // 8
    if len(data) < size:
        raise RefusedError("TRUNCATED", "There are fewer pixels than the header declares.")
    data = data[:size]
    if not bits and allocated in (8, 16, 32):
        data = _without_unused_bits(dataset, data, allocated, syntax)
    return data + b"\0" * (len(data) % 2)


def _without_unused_bits(dataset: Dataset, data: bytes, allocated: int, syntax: UID) -> bytes:
    """Return cells whose bits above and below the stored ones are zero, or the sign's."""
    bits = whole(dataset, "BitsStored") or allocated
    high = whole(dataset, "HighBit")
    low = 0 if high is None else high + 1 - bits
    if not 0 < bits < allocated or not 0 <= low <= allocated - bits:
        return data
    order = ">" if syntax == ExplicitVRBigEndian else "<"
    cells = np.frombuffer(data, f"{order}u{allocated // 8}")
    stored = cells & np.array(((1 << bits) - 1) << low, cells.dtype)
    if whole(dataset, "PixelRepresentation") == 1:
        above = allocated - bits - low
        signed = (stored << above).view(f"{order}i{allocated // 8}") >> above
        if (signed.view(cells.dtype) == cells).all():
            return data
    return np.asarray(stored, cells.dtype).tobytes()


def clean_stream(stream: bytes, syntax: UID) -> bytes:
    """Return one compressed picture up to its end, without comments.

    Raises
    ------
    RefusedError
        ``UNKNOWN_TRANSFER_SYNTAX``, or ``DECODE_FAILED`` where its markers lead nowhere.
    """
    try:
        if syntax in MARKER_SYNTAXES:
            return _jpeg(stream)
        if syntax in JPEG2000TransferSyntaxes or syntax.startswith(HIGH_THROUGHPUT):
            return _jpeg2000(bytearray(stream))
    except IndexError:
        raise _damaged() from None
    raise RefusedError("UNKNOWN_TRANSFER_SYNTAX", "Comments cannot be removed from this encoding.")


def _damaged() -> RefusedError:
    return RefusedError("DECODE_FAILED", "The compressed pixels are damaged.")


def _jpeg(stream: bytes) -> bytes:
    """Walk the segments of JPEG (ITU-T T.81 annex B) and JPEG-LS (T.87), scans between them."""
    if stream[:2] != bytes((0xFF, START)):
        raise _damaged()
    kept, at = [stream[:2]], 2
    while True:
        while stream[at] == 0xFF == stream[at + 1]:
            at += 1
        if stream[at] != 0xFF:
            raise _damaged()
        marker = stream[at + 1]
        if marker == END:
            return _even(b"".join(kept) + bytes((0xFF, END)))
        end = at + 2 + (stream[at + 2] << 8 | stream[at + 3])
        if marker == SCAN:
            # Of what follows 0xFF in a scan, only markers have the upper bit set.
            while stream[end] != 0xFF or stream[end + 1] < 0x80 or stream[end + 1] in RESTARTS:
                end += 1
        if marker != COMMENT and marker not in APPLICATION:
            kept.append(stream[at:end])
        at = end


def _jpeg2000(stream: bytearray) -> bytes:
    """Walk the headers of a codestream (ITU-T T.800 annex A), zeros put into its comments."""

    def short(place: int) -> int:
        return stream[place] << 8 | stream[place + 1]

    if short(0) != CODESTREAM:
        raise _damaged()
    at, after = 2, 0
    while True:
        marker = short(at)
        if marker == 0xFF00 | END:
            return _even(bytes(stream[: at + 2]))
        if marker == TILE_DATA:
            if after <= at:
                raise _damaged()
            at = after
            continue
        length = short(at + 2)
        if marker < 0xFF00 or length < 2:
            raise _damaged()
        if marker == TILE_PART:
            part = int.from_bytes(stream[at + 6 : at + 10], "big")
            after = at + part if part else stream.rfind(bytes((0xFF, END)))
        if marker == CODESTREAM_COMMENT:
            stream[at + 6 : at + 2 + length] = bytes(max(length - 4, 0))
        at += 2 + length


def _even(stream: bytes) -> bytes:
    return stream + b"\0" * (len(stream) % 2)


def hides_overlay(dataset: Dataset, syntax: UID) -> bool:
    """Return whether an overlay may lie among compressed pixels, where it cannot be cleared."""
    places = [one for one in map(int, dataset.keys()) if one >> 16 in OVERLAYS]
    has_own = any(one & 0xFFFF == OVERLAY_DATA for one in places)
    return bool(places) and not has_own and syntax.is_encapsulated
