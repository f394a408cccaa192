"""Reading DICOM files through a process that may be killed.

Parsing and decoding both happen there: pydicom spins for ever on two bytes of JPEG 2000, a
codec's panic passes every ``except Exception``, and a kilobyte can ask for gigabytes.
"""

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Collection, Mapping
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import psutil

from opencmr.anatomy.reasons import Reason
from opencmr.imaging.study import Identity, Scanner, SeriesHeader
from opencmr.intake.containers import limits
from opencmr.intake.containers.limits import DecodeLimits
from opencmr.intake.demographics import Body
from opencmr.intake.dicom.answers import Answers, answers_of
from opencmr.intake.dicom.frame import Frame, PatientKey
from opencmr.intake.dicom.worker import DONE, FAILED, HEAD, HEADER, PIXELS, READY
from opencmr.intake.refusal import Refusal

HEADER_JSON_BYTES = 64 * limits.MIB
"""Greatest size of the facts of one instance (20,000 frames of 1 kB, and more)."""
MEMORY_CHECK_S = 0.25
"""How often a slow answer's process is asked for its resident memory."""
ALARM_GRACE_S = 5.0
"""How much later than the parent the process would end itself."""
QUICK_S = 10.0
"""Pixels of up to some MiB are decoded in milliseconds; this long is for a loaded machine."""
PIPE_BYTES = limits.MIB
"""A whole picture fits, so that the two processes need not take turns over it."""
PATIENCE = 10
"""After so many stopped processes each further file of the input gets ``HASTE_S`` only."""
HASTE_S = 1.0
"""Five hundred times what a good file takes; a folder full of traps ends in minutes."""
SECONDS_PER_MIB = 1.0
"""Further time for each MiB of decoded pixels, up to the limit."""
ORDINARY_S = 1.0
"""A file that takes no longer than this, and ``ORDINARY_S_PER_MIB``, overruns nothing."""
ORDINARY_S_PER_MIB = 0.25
NOT_TRIED = Reason(
    "DECODE_TIMEOUT", "Too many files of this input could not be decoded in time: it was not read."
)


class _DecodingStoppedError(Exception):
    """The process had to be killed, or died."""

    def __init__(self, code: str) -> None:
        self.reason = Reason(code)
        super().__init__(self.reason)


class DicomReader:
    """Reads DICOM files one after the other; a context manager that owns the process.

    Parameters
    ----------
    decode_limits : DecodeLimits
    captures_with_times : bool
        Secondary captures that state an inversion or echo time are pictures too.
    """

    def __init__(
        self, decode_limits: DecodeLimits | None = None, *, captures_with_times: bool = False
    ) -> None:
        self._limits = decode_limits or DecodeLimits()
        self._captures_with_times = captures_with_times
        self._process: subprocess.Popen[bytes] | None = None
        self._answers: Answers | None = None
        self._deadline = 0.0
        self._stops = 0
        self._begun_s = 0.0
        self._ordinary_s = ORDINARY_S
        self._overrun_s = 0.0

    def __enter__(self) -> "DicomReader":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._kill()

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle as one that has read nothing yet and starts a process of its own."""
        return partial(DicomReader, captures_with_times=self._captures_with_times), (self._limits,)

    def rest(self) -> None:
        """End the process, which takes memory, until the next file is asked for."""
        self._kill()

    def read(
        self, path: Path, *, pixels_of: Collection[str] | None = None
    ) -> tuple[Frame, ...] | Refusal:
        """Return the frames of a file, or why it was refused; never raises for a file.

        What stopped and overrunning files of one input may cost together is limited: after
        that, no further file is read.

        Parameters
        ----------
        path : Path
        pixels_of : collection of str or None
            Study instance UIDs whose pixels are decoded, all by default; the frames of other
            studies come with zeros that take no memory.
        """
        if self._stops > limits.STOPPED_DECODINGS or self._overrun_s > limits.OVERRUN_S:
            return Refusal(NOT_TRIED)
        read = self._attempt(path, pixels_of)
        if isinstance(read, Refusal) and read.reason.code == "DECODE_CRASH":
            # A machine short of memory kills processes too: who dies twice is at fault.
            read = self._attempt(path, pixels_of)
        return read

    def _attempt(
        self, path: Path, pixels_of: Collection[str] | None
    ) -> tuple[Frame, ...] | Refusal:
        known: dict[str, Any] = {}
        self._begun_s, self._ordinary_s = time.monotonic(), ORDINARY_S
        try:
            return self._read(path, pixels_of, known)
        except _DecodingStoppedError as stopped:
            self._stops += 1
            self._kill()
            return Refusal(stopped.reason, **known)
        except (KeyError, TypeError, ValueError):  # facts that no reader of ours would send
            self._stops += 1
            self._kill()
            return Refusal(Reason("DECODE_CRASH"), **known)
        except BaseException:
            self._kill()  # an answer that was not read to its end belongs to no other file
            raise
        finally:
            taken_s = time.monotonic() - self._begun_s
            self._overrun_s += max(taken_s - self._ordinary_s, 0.0)

    def _read(
        self, path: Path, pixels_of: Collection[str] | None, known: dict[str, Any]
    ) -> tuple[Frame, ...] | Refusal:
        process = self._started()
        self._allow(self._limits.header_s)
        alarm_s = self._limits.header_s + self._limits.pixels_s + ALARM_GRACE_S
        wanted = None if pixels_of is None else list(pixels_of)
        asked = {
            "path": os.fspath(path),
            "alarm_s": alarm_s,
            "pixels_of": wanted,
            "captures_with_times": self._captures_with_times,
        }
        request = json.dumps(asked) + "\n"
        assert process.stdin is not None
        try:
            process.stdin.write(request.encode("ascii"))
            process.stdin.flush()
        except OSError as error:
            raise _DecodingStoppedError("DECODE_CRASH") from error
        kind, facts, _ = self._message(0)
        if kind == FAILED:
            return self._refusal(facts)
        if kind != HEADER:
            raise _DecodingStoppedError("DECODE_CRASH")
        instance = facts["instance"]
        for name in ("study_instance_uid", "series_instance_uid", "sop_instance_uid"):
            known[name] = instance[name]
        known |= _told(instance)
        if wanted is not None and instance["study_instance_uid"] not in wanted:
            return _frames_without_pixels(facts)
        return self._pixels(facts)

    def _pixels(self, facts: dict[str, Any]) -> tuple[Frame, ...] | Refusal:
        rows, columns = facts["shape"]
        size = rows * columns * 4
        if size * len(facts["frames"]) > limits.DECODED_BYTES:
            raise _DecodingStoppedError("DECODE_CRASH")
        decoded_mib = size * len(facts["frames"]) / limits.MIB
        allowed_s = min(self._limits.pixels_s, QUICK_S + SECONDS_PER_MIB * decoded_mib)
        self._allow(allowed_s)
        self._ordinary_s += ORDINARY_S_PER_MIB * decoded_mib
        shared = _shared_facts(facts["instance"])
        frames: list[Frame] = []
        while True:
            kind, more, values = self._message(size)
            if kind == FAILED:
                return self._refusal(more)
            if kind == DONE and len(frames) == len(facts["frames"]):
                return tuple(frames)
            if kind != PIXELS or len(frames) == len(facts["frames"]):
                raise _DecodingStoppedError("DECODE_CRASH")
            own = _with_tuples({**facts["frames"][len(frames)], **more})
            frames.append(Frame(values=values.reshape(rows, columns), **shared, **own))

    def _allow(self, seconds: float) -> None:
        """Set the deadline of the next messages."""
        seconds = seconds if self._stops < PATIENCE else min(seconds, HASTE_S)
        self._deadline = time.monotonic() + seconds

    def _refusal(self, facts: dict[str, Any]) -> Refusal:
        if facts.pop("is_spent"):
            self._stops += 1
            self._kill()
        return Refusal(Reason(**facts.pop("reason")), **{**facts, **_told(facts)})

    def _started(self) -> subprocess.Popen[bytes]:
        if self._process is not None and self._process.poll() is None:
            return self._process
        self._kill()
        command = (sys.executable, "-P", "-m", "opencmr.intake.dicom.worker")
        self._process = subprocess.Popen(
            (*command, str(self._limits.memory_bytes)),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            pipesize=PIPE_BYTES,
            env={**os.environ, **_single_threaded()},
        )
        assert self._process.stdout is not None
        self._answers = answers_of(self._process.stdout)
        self._deadline = time.monotonic() + self._limits.start_s
        if self._message(0)[0] != READY:
            raise _DecodingStoppedError("DECODE_CRASH")
        if not self._stops:  # a cold disk is slow; starting again is a file's fault
            self._begun_s = time.monotonic()
        return self._process

    def _message(self, pixel_bytes: int) -> tuple[bytes, dict[str, Any], np.ndarray]:
        """Return the next message; its pixels must have the expected size or none."""
        head = bytearray(HEAD.size)
        self._fill(memoryview(head))
        kind, text_bytes, value_bytes = HEAD.unpack(head)
        if text_bytes > HEADER_JSON_BYTES or value_bytes not in (0, pixel_bytes):
            raise _DecodingStoppedError("DECODE_CRASH")
        text = bytearray(text_bytes)
        self._fill(memoryview(text))
        values = np.empty(value_bytes // 4, dtype=np.float32)
        if value_bytes:
            self._fill(values.data.cast("B"))
        return kind, json.loads(text), values

    def _fill(self, target: memoryview) -> None:
        """Fill a buffer from the process, within the deadline and the memory limit."""
        assert self._answers is not None
        while target:
            left_s = self._deadline - time.monotonic()
            if left_s <= 0:
                raise _DecodingStoppedError("DECODE_TIMEOUT")
            count = self._answers.read_into(target, min(left_s, MEMORY_CHECK_S))
            if count is None:
                self._check_memory()
                continue
            if count == 0:
                raise _DecodingStoppedError("DECODE_CRASH")
            target = target[count:]

    def _check_memory(self) -> None:
        assert self._process is not None
        with contextlib.suppress(psutil.Error):
            used_bytes = psutil.Process(self._process.pid).memory_info().rss
            if used_bytes > self._limits.memory_bytes:
                raise _DecodingStoppedError("TOO_LARGE")

    def _kill(self) -> None:
        process, self._process = self._process, None
        answers, self._answers = self._answers, None
        if process is None:
            return
        process.kill()
        if answers is not None:
            answers.close()
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()
        process.wait()


def _single_threaded() -> Mapping[str, str]:
    """Keep threads' stacks and arenas from using up the address space."""
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "MALLOC_ARENA_MAX")
    return dict.fromkeys(names, "1")


def _frames_without_pixels(facts: Mapping[str, Any]) -> tuple[Frame, ...]:
    zeros = np.broadcast_to(np.float32(0), facts["shape"])
    shared = _shared_facts(facts["instance"])
    return tuple(Frame(values=zeros, **shared, **_with_tuples(own)) for own in facts["frames"])


def _told(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a file says of its series and patient, where its header was reached."""
    kinds = {"header": SeriesHeader, "identity": Identity}
    return {
        name: kind(**_with_tuples(facts[name])) for name, kind in kinds.items() if name in facts
    }


def _shared_facts(instance: Mapping[str, Any]) -> dict[str, Any]:
    """Return what every frame of an instance has in common, as arguments of ``Frame``."""
    plain = {
        name: found
        for name, found in instance.items()
        if name not in ("header", "patient", "identity", "body", "scanner")
    }
    return {
        **_with_tuples(plain),
        "header": SeriesHeader(**_with_tuples(instance["header"])),
        "patient": PatientKey(**instance["patient"]),
        "identity": Identity(**instance["identity"]),
        "body": Body(**instance["body"]),
        "scanner": Scanner(**instance["scanner"]),
    }


def _with_tuples(facts: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: tuple(found) if isinstance(found, list) else found for name, found in facts.items()
    }
