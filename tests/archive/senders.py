"""What the tests of the archive share: instances, and peers that send them."""

import io
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydicom.config import disable_value_validation
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage

from opencmr.archive.store import Received

STUDY = "1.2.826.0.1.3680043.8.498.1"


def instance(number: int, study: str = STUDY, text: str = "", pixels: int = 128) -> Dataset:
    """Return a small MR image; never an identifier of anybody."""
    d = Dataset()
    d.SOPClassUID = MRImageStorage
    d.SOPInstanceUID = f"{study}.1.{number}"
    d.Modality = "MR"
    d.SeriesDescription = text
    d.PatientName = "CANARY^NAME"
    d.PatientID = "CANARY-ID"
    d.StudyInstanceUID = study
    d.SeriesInstanceUID = f"{study}.1"
    d.Rows = d.Columns = 16
    d.BitsAllocated = d.BitsStored = 16
    d.HighBit, d.PixelRepresentation, d.SamplesPerPixel = 15, 0, 1
    d.PhotometricInterpretation = "MONOCHROME2"
    d.PixelData = number.to_bytes(4, "little") * (pixels)
    d.file_meta = FileMetaDataset()
    d.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return d


def received(number: int, study: str = STUDY, text: str = "", **changed: str) -> Received:
    """Return an instance as the receiver hands it to the store."""
    with disable_value_validation():
        d = instance(number, study, text)
    return replace(as_received(d), **changed)


def as_received(d: Dataset) -> Received:
    """Return a data set as the receiver hands it to the store."""
    bare = Dataset(d)  # without its preamble and file meta information
    stream = io.BytesIO()
    bare.save_as(stream, implicit_vr=False, little_endian=True)
    return Received(
        sop_class_uid=str(d.SOPClassUID),
        sop_instance_uid=str(d.SOPInstanceUID),
        transfer_syntax_uid=str(ExplicitVRLittleEndian),
        dataset=stream.getvalue(),
    )


def send(
    port: int,
    instances: Iterable[Dataset],
    *,
    aet: str = "SCANNER",
    called: str = "OPENCMR",
    acknowledged: list[str] | None = None,
    is_aborted: bool = False,
    timeout_s: float = 30,
    **associate: Any,
) -> list[int | None]:
    """Send instances in one association; return their statuses, None where it broke.

    Its end is a release, or an abort as of a sender that dies.  An answer that a killed peer owes
    is waited for until the timeout: pynetdicom does not tell that the connection is gone.
    """
    from pynetdicom import AE

    entity = AE(aet)
    entity.dimse_timeout = entity.network_timeout = entity.acse_timeout = timeout_s
    entity.add_requested_context(MRImageStorage, ExplicitVRLittleEndian)
    association = entity.associate("127.0.0.1", port, ae_title=called, **associate)
    statuses: list[int | None] = []
    try:
        for one in instances:
            if not association.is_established:
                break
            status = getattr(association.send_c_store(one), "Status", None)
            statuses.append(status)
            if status == 0 and acknowledged is not None:
                acknowledged.append(str(one.SOPInstanceUID))
    except (RuntimeError, ValueError, OSError):
        pass
    if association.is_established and is_aborted:
        association.abort()
    if association.is_established:
        association.release()
    if association.dul.socket is not None:  # left open where the peer was killed
        association.dul.socket.close()
    return statuses


def start_node(folder: Path, *words: str) -> tuple["subprocess.Popen[str]", int]:
    """Start tests/archive/node_process.py and return it with its port, when it listens."""
    process = subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name("node_process.py")), str(folder), *words],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    return process, int(process.stdout.readline())
