"""How much of anything intake accepts; each limit is a named constant with its unit.

An instance of cardiac MR has about 100 kB, a whole study about 1 GB: the limits stand far
from both, and stop what was made to exhaust a machine.
"""

from dataclasses import dataclass

MIB = 1 << 20
GIB = 1 << 30

INSTANCE_BYTES = 512 * MIB
"""Greatest size of one file, on disk, inflated from an archive, or inflated by itself."""
INPUT_BYTES = 4 * GIB
"""Greatest size of everything that the archives of one input inflate to."""
ARCHIVE_ENTRIES = 20_000
"""Most entries in the archives of one input."""
ARCHIVE_INDEX_BYTES = 16 * MIB
"""Greatest size of an archive's list of contents (20,000 entries with long names)."""
INFLATION_RATIO = 200
"""Most bytes that one compressed byte may become; images stay below 20."""
INFLATION_FLOOR_BYTES = 16 * MIB
"""Below this size the ratio is not judged: a blank image compresses a thousandfold."""
DECODED_BYTES = GIB
"""Greatest size of one instance's decoded pixels: rows x columns x frames x bytes."""
STUDY_DECODED_BYTES = 4 * GIB
"""Greatest size of all decoded pixels of one study."""
FRAMES = 20_000
"""Most frames of one instance, or pictures of one NIfTI file."""
FIELD_OF_VIEW_MM = 1000.0
"""Greatest height and width of a picture (proposal): the bore of a scanner has 600 to 700 mm."""
NESTING = 32
"""Deepest nesting of DICOM sequences."""
PATIENT_SPELLINGS = 100
"""Most ways in which the instances of one study may state their patient."""
STOPPED_DECODINGS = 50
"""Most processes that are stopped or die over one input; after that the rest is not read."""
OVERRUN_S = 180.0
"""Greatest time of one input spent on files that were stopped or took longer than they should."""


@dataclass(frozen=True, slots=True)
class DecodeLimits:
    """What the decoding process may use for one file before it is killed.

    Attributes
    ----------
    header_s : float
        Seconds until the header is read.
    pixels_s : float
        Further seconds until the pixels are decoded.
    memory_bytes : int
        Address space where the system can limit it (Linux), resident memory elsewhere.
    start_s : float
        Seconds until a new process is ready; a cold disk is slow, not hostile.
    """

    header_s: float = 10.0
    pixels_s: float = 60.0
    memory_bytes: int = 2 * GIB
    start_s: float = 120.0
