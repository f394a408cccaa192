"""A node to be killed.

    node_process.py FOLDER [PACS_PORT [QUIET_S [PORT [PACS_AET [ANALYSIS_S]]]]]

Its analysis is a stand-in that takes a moment, or as long as is said, and gives what every
analysis gives: a result folder that is there whole or not at all, with objects whose UIDs follow
from the input.
"""

import signal
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from pydicom import dcmread

from opencmr import storage
from opencmr.archive.address import Address, as_peer
from opencmr.archive.archive import Archive, open_archive
from opencmr.archive.node import Node, Rules
from opencmr.archive.receiver import Door


@dataclass(frozen=True)
class Analysis:
    takes_s: float

    def __call__(self, source: Path, result: Path, _supersedes: Path | None) -> str:
        paths = sorted(source.glob("*.dcm"))
        with storage.result_folder(result, overwrite=False) as folder:
            time.sleep(self.takes_s)
            d = dcmread(paths[0])
            made = storage.sha256_of_bytes(" ".join(path.name for path in paths).encode())
            d.SOPInstanceUID = f"2.25.{int(made[:30], 16)}"
            d.file_meta.MediaStorageSOPInstanceUID = d.SOPInstanceUID
            d.SeriesInstanceUID = f"{d.SOPInstanceUID}.1"
            d.InstanceNumber = len(paths)
            (folder / "dicom").mkdir()
            d.save_as(folder / "dicom" / "sr.dcm")
            storage.write_json(folder / storage.RUN_FILE, {"study": "x"})
        return ""


def main() -> None:
    folder = Path(sys.argv[1])
    given = [*sys.argv[2:], *["0", "3600", "0", "PACS", "0.2"][len(sys.argv) - 2 :]]
    pacs_port, quiet_s, port, pacs_aet = int(given[0]), float(given[1]), int(given[2]), given[3]
    destinations: dict[str, Archive] = {}
    if pacs_port:
        peer = Address(pacs_aet, "127.0.0.1", pacs_port)
        destinations["pacs"] = open_archive("pacs", as_peer(peer, "OPENCMR"))
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    rules = Rules(quiet_s=quiet_s, least_free_bytes=1 << 20)
    analyse = Analysis(float(given[4]))
    with Node(folder, Door(port=port), analyse, destinations=destinations, rules=rules) as node:
        sys.stdout.write(f"{node.port}\n")
        sys.stdout.flush()
        while not stop.wait(1.0):  # a signal that another thread takes wakes no wait without end
            pass


if __name__ == "__main__":
    main()
