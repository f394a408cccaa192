"""What a node takes in: associations at once, each with instances of 75 kB, every one safe.

Beside it, in the same run, the disk's own rate: files of the same size written and flushed one
after another by one thread.

    python benchmarks/node_load.py [--associations 25] [--each 40] [-o benchmarks/node_load.json]
"""

import argparse
import json
import multiprocessing
import os
import tempfile
import time
from functools import partial
from pathlib import Path

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage
from pynetdicom import AE

from opencmr.archive.commitment import Commitments
from opencmr.archive.database import Database
from opencmr.archive.receiver import Door, Receiver
from opencmr.archive.store import Store

SIDE = 192
FLUSHES = 50


def instance(sender: int, number: int) -> Dataset:
    d = Dataset()
    d.SOPClassUID = MRImageStorage
    d.StudyInstanceUID = f"1.2.826.0.1.3680043.8.498.{sender + 1}"
    d.SeriesInstanceUID = f"{d.StudyInstanceUID}.1"
    d.SOPInstanceUID = f"{d.SeriesInstanceUID}.{number + 1}"
    d.PatientID = ""
    d.Rows = d.Columns = SIDE
    d.BitsAllocated, d.SamplesPerPixel, d.PixelRepresentation = 16, 1, 0
    d.PixelData = bytes(2 * SIDE * SIDE)
    d.file_meta = FileMetaDataset()
    d.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return d


def sent(port: int, each: int, sender: int) -> int:
    """Return how many instances of one association were acknowledged."""
    entity = AE("SCANNER")
    entity.dimse_timeout = entity.acse_timeout = entity.network_timeout = 120
    entity.add_requested_context(MRImageStorage, ExplicitVRLittleEndian)
    association = entity.associate("127.0.0.1", port, ae_title="OPENCMR")
    if not association.is_established:
        return 0
    told = [association.send_c_store(instance(sender, n)) for n in range(each)]
    association.release()
    return sum(getattr(one, "Status", None) == 0 for one in told)


def flushes_per_s(folder: Path) -> float:
    begun = time.perf_counter()
    for number in range(FLUSHES):
        with (folder / f"{number}.flush").open("wb") as stream:
            stream.write(bytes(2 * SIDE * SIDE))
            stream.flush()
            os.fsync(stream.fileno())
    return FLUSHES / (time.perf_counter() - begun)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--associations", type=int, default=25)
    parser.add_argument("--each", type=int, default=40)
    parser.add_argument("-o", "--output", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        own = flushes_per_s(folder)
        database = Database(f"sqlite:///{folder / 'node.db'}")
        store = Store(folder, database, least_free_bytes=1 << 20)
        nobody = Commitments(database, store, {})
        receiver = Receiver(Door(port=0), store, nobody)
        # Forked: 25 processes that each load their own libraries would take 2 GB.
        processes = multiprocessing.get_context("forkserver")
        processes.set_forkserver_preload(["pynetdicom"])
        pool = processes.Pool(options.associations)
        # Their start is not counted.
        pool.map(partial(sent, receiver.port, 0), range(options.associations), chunksize=1)
        begun = time.perf_counter()
        task = partial(sent, receiver.port, options.each)
        acknowledged = sum(pool.map(task, range(options.associations), chunksize=1))
        taken_s = time.perf_counter() - begun
        pool.terminate()
        kept = len(list((folder / "instances").glob("*/*.dcm")))
        receiver.close()
        store.close()
        database.close()
    figures = {
        "associations": options.associations,
        "instances": options.associations * options.each,
        "acknowledged": acknowledged,
        "lost": acknowledged - kept,
        "per_s": round(acknowledged / taken_s, 1),
        "disk_flushes_per_s_one_after_another": round(own, 1),
        "load_average": round(os.getloadavg()[0], 1),
        "cores": os.cpu_count(),
    }
    print(json.dumps(figures, indent=1))
    if options.output is not None:
        options.output.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
