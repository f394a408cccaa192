"""The decoding process: reads one DICOM file after the other and may be killed at any time.

Started by ``decode.py`` as ``python -P -m opencmr.intake.dicom.worker``.  A request is a line of
JSON on standard input; the answer is a row of messages on what was standard output: a fixed head
(``HEAD``), then JSON, then raw pixels.  Never pickles: this process is the one that a hostile
file may take over.
"""

import hashlib
import json
import math
import os
import struct
import sys
import warnings
from dataclasses import asdict
from typing import Any, BinaryIO

import numpy as np

from opencmr.anatomy.reasons import Reason
from opencmr.intake.containers import limits
from opencmr.intake.dicom.restraint import end_after, open_regular, restrict
from opencmr.intake.refusal import RefusedError

HEAD = struct.Struct(">4sIQ")
"""Kind of message, bytes of JSON, bytes of pixels."""
UIDS = {
    "study_instance_uid": "StudyInstanceUID",
    "series_instance_uid": "SeriesInstanceUID",
    "sop_instance_uid": "SOPInstanceUID",
}
WHAT_IT_SAYS = ("header", "identity")
"""What a refused file still tells of its series and patient."""
READY, HEADER, PIXELS, DONE, FAILED = b"REDY", b"HEAD", b"PIXL", b"DONE", b"FAIL"


def main() -> None:
    """Answer requests until standard input ends."""
    memory_bytes = int(sys.argv[1])
    requests, answers, unheard = _take_streams()
    restrict(memory_bytes)
    import pydicom

    from opencmr.intake.dicom import pixels  # noqa: F401  (loads the codecs before the first file)

    warnings.simplefilter("ignore")
    pydicom.config.settings.reading_validation_mode = pydicom.config.IGNORE
    pydicom.config.logger.disabled = True
    _send(answers, READY, {})
    for line in requests:
        request = json.loads(line)
        end_after(math.ceil(request["alarm_s"]), unheard)
        _answer(
            request["path"],
            request["pixels_of"],
            answers,
            captures_with_times=request["captures_with_times"],
        )
        end_after(0, unheard)


def _take_streams() -> tuple[BinaryIO, BinaryIO, BinaryIO]:
    """Keep the two pipes to the parent to ourselves: a codec that prints must not be heard.

    The third file is nothing, for whatever must write.
    """
    requests = os.fdopen(os.dup(0), "rb")
    answers = os.fdopen(os.dup(1), "wb", buffering=0)
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nothing, descriptor)
    return requests, answers, os.fdopen(nothing, "wb", buffering=0)


def _answer(
    path: str,
    pixels_of: list[str] | None,
    answers: BinaryIO,
    *,
    captures_with_times: bool = False,
) -> None:
    """Send what one file holds, or why it is refused."""
    known: dict[str, Any] = {}
    try:
        _read(path, pixels_of, answers, known, captures_with_times)
    except RefusedError as refused:
        _fail(answers, refused.reason, known)
    except MemoryError:
        reason = Reason("TOO_LARGE", "Reading it needs more than the allowed memory.")
        _fail(answers, reason, known, is_spent=True)
    except RecursionError:
        _fail(answers, Reason("NESTING"), known)
    except OSError:
        _fail(answers, Reason("UNREADABLE", "The file may not be read."), known)
    except BaseException as error:  # a codec's panic is no Exception
        if isinstance(error, KeyboardInterrupt | SystemExit):
            raise
        reason = Reason("DECODE_FAILED") if known.get("has_header") else Reason("UNREADABLE")
        _fail(answers, reason, known, is_spent=not isinstance(error, Exception))


def _fail(
    answers: BinaryIO, reason: Reason, known: dict[str, Any], *, is_spent: bool = False
) -> None:
    """Refuse a file; after running out of memory or a panic the process is not to be used."""
    told = {name: known[name] for name in (*UIDS, *WHAT_IT_SAYS) if name in known}
    _send(answers, FAILED, {"reason": asdict(reason), "is_spent": is_spent, **told})


def _read(
    path: str,
    pixels_of: list[str] | None,
    answers: BinaryIO,
    known: dict[str, Any],
    captures_with_times: bool,
) -> None:
    from opencmr.intake.dicom.headers import (
        frame_facts,
        groups_of_frames,
        identity_facts,
        instance_facts,
        refuse_unfit,
        series_header,
        short_header,
    )
    from opencmr.intake.dicom.parsing import open_dicom, refuse_damaged, repaired_numbers, text
    from opencmr.intake.dicom.pixels import stored_frames, values_of

    data = _bytes_of(path)
    dataset = open_dicom(data)
    for name, keyword in UIDS.items():
        known[name] = text(dataset, keyword)
    known["header"], known["identity"] = short_header(dataset), identity_facts(dataset)
    refuse_damaged(dataset)
    refuse_unfit(dataset, captures_with_times=captures_with_times)
    instance = instance_facts(dataset)
    groups = groups_of_frames(dataset)
    facts = [frame_facts(dataset, own, number) for number, own in enumerate(groups, start=1)]
    instance["header"] = series_header(dataset, groups[0], facts[0])
    instance["repaired_numbers"] = repaired_numbers(dataset)
    instance["content_sha256"] = hashlib.sha256(data).hexdigest()
    shape = [int(dataset.Rows), int(dataset.Columns)]
    _send(answers, HEADER, {"instance": instance, "frames": facts, "shape": shape})
    known["has_header"] = True
    if pixels_of is not None and known["study_instance_uid"] not in pixels_of:
        return
    for index, stored in enumerate(stored_frames(dataset)):
        values, scaling = values_of(stored, dataset, groups[index])
        if list(values.shape) != shape:
            raise RefusedError("DECODE_FAILED", "The pixels have another shape than declared.")
        _send(answers, PIXELS, scaling, values)
    _send(answers, DONE, {})


def _bytes_of(path: str) -> bytes:
    """Return a regular file's bytes."""
    descriptor = open_regular(path)
    with os.fdopen(descriptor, "rb") as file:
        size = os.fstat(descriptor).st_size
        if size > limits.INSTANCE_BYTES:
            raise RefusedError("TOO_LARGE", "The file has more than 512 MiB.")
        return file.read(size)


def _send(
    answers: BinaryIO, kind: bytes, facts: dict[str, Any], values: np.ndarray | None = None
) -> None:
    text = json.dumps(facts).encode("ascii")
    pixels = b"" if values is None else np.ascontiguousarray(values).data.cast("B")
    for part in (HEAD.pack(kind, len(text), len(pixels)) + text, pixels):
        rest = memoryview(part)
        while rest:
            rest = rest[answers.write(rest) :]


if __name__ == "__main__":
    main()
