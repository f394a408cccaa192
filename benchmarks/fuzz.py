"""What hostile files do: mutants of simulated DICOM, NIfTI and zip, read by the intake.

Every file of a small simulated study is mutated and the folder is read as one input, again and
again; then NIfTI files and archives in the same way.  Nothing but the documented errors may come
out, and the parent may hold no more than 2 GiB.

    python benchmarks/fuzz.py [--sample | --share 0.1] [-o benchmarks/fuzz.json]
"""

import argparse
import collections
import gzip
import io
import json
import resource
import sys
import tempfile
import time
import traceback
import zipfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

import nibabel
import numpy as np
import pydicom
from pydicom.dataelem import RawDataElement

from opencmr.anatomy.reasons import Reason, reason_of
from opencmr.errors import GeometryError, InputError
from opencmr.imaging.flag import LeftOut
from opencmr.intake.containers.files import walk
from opencmr.intake.leftovers import Leftovers
from opencmr.intake.nifti.read import read_nifti, require_image
from opencmr.intake.studies import read_studies
from opencmr.simulate import Protocol, simulate_study, write_dicom, write_nifti

SEED = 20261125
WHOLE = {"dicom": 70_000, "nifti": 28_000, "archive": 2_000}
SAMPLE = {"dicom": 120, "nifti": 300, "archive": 80}
PARENT_LIMIT_MIB = 2048
HEADER_SHARE = 0.75
"""Share of the mutants whose header alone is changed: pixels may be anything anyway."""
WHOLLY_READ = 20
"""Every so many archives also goes through the whole intake, which starts a process."""
IDENTIFIED = 4
"""Every so many studies name their patient; one changed byte of that refuses the whole study."""
TELLING = np.array([0, 1, 0x20, 0x7F, 0x80, 0xFF], np.uint8)


@dataclass
class Tally:
    """What became of the mutants of one kind."""

    mutants: int = 0
    inputs: int = 0
    read: int = 0
    refused: collections.Counter[str] = field(default_factory=collections.Counter)
    exceptions: collections.Counter[str] = field(default_factory=collections.Counter)
    slowest_s: float = 0.0

    def attempt(self, work: Callable[[], tuple[int, Iterable[LeftOut]]]) -> None:
        """Count what one input gives: what was read and what was left out, or its error."""
        begun_s = time.perf_counter()
        self.inputs += 1
        try:
            read, left_out = work()
            self.read += read
            for row in left_out:
                self.refused[row.reason.code] += row.count
        except (InputError, GeometryError) as error:
            self.refused[(reason_of(error) or Reason("UNREADABLE")).code] += 1
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt):
                raise
            place = traceback.extract_tb(error.__traceback__)[-1]
            self.exceptions[f"{type(error).__name__} in {place.name}"] += 1
        self.slowest_s = max(self.slowest_s, time.perf_counter() - begun_s)


def mutant(content: bytes, places: np.ndarray, random: np.random.Generator) -> bytes:
    """Return changed content: bytes at ``places``, or a piece lost, doubled or the end lost."""
    data = bytearray(content)
    if random.random() > HEADER_SHARE:
        places = np.arange(len(data))
    how, place = random.integers(20), int(random.choice(places))
    size = int(random.integers(1, 64))
    if how == 0:
        return bytes(data[:place])
    if how == 1:
        del data[place : place + size]
    elif how == 2:
        data[place:place] = data[place : place + size]
    elif how == 3:
        data[place : place + 4] = random.choice(TELLING, 4).tobytes()[: len(data) - place]
    else:
        for at in random.choice(places, random.integers(1, 5)):
            data[at] = random.choice(TELLING) if random.random() < 0.5 else random.integers(256)
    return bytes(data)


def places_of(content: bytes) -> np.ndarray:
    """Return where the values of a DICOM header lie, and everything before the pixels once."""
    dataset = pydicom.dcmread(io.BytesIO(content))
    raw = [one for one in dataset.values() if isinstance(one, RawDataElement)]
    values = [np.arange(r.value_tell, r.value_tell + r.length) for r in raw if r.length < 1 << 12]
    return np.concatenate([*values * 8, np.arange(content.rindex(b"\xe0\x7f\x10\x00") + 12)])


def without_identity(content: bytes) -> bytes:
    """Return the file without what a changed byte would turn into another patient's."""
    dataset = pydicom.dcmread(io.BytesIO(content))
    for keyword in ("PatientID", "PatientName", "PatientBirthDate", "PatientSex"):
        if keyword in dataset:
            del dataset[keyword]
    target = io.BytesIO()
    dataset.save_as(target)
    return target.getvalue()


def fuzz_dicom(files: list[bytes], count: int, folder: Path, random: np.random.Generator) -> Tally:
    """Read whole studies of which every file is a mutant."""
    tally = Tally()
    silent = [without_identity(content) for content in files]
    places = {content: places_of(content) for content in (*files, *silent)}
    while tally.mutants < count:
        for number, content in enumerate(silent if tally.inputs % IDENTIFIED else files):
            (folder / f"{number:04}").write_bytes(mutant(content, places[content], random))
        tally.mutants += len(files)

        def work() -> tuple[int, Iterable[LeftOut]]:
            result = read_studies(folder)
            series, rows = [], set()
            for study in result:
                series += study.series
                rows |= set(study.left_out)
            return sum(len(set(one.image.sources)) for one in series), rows.union(result.left_out)

        tally.attempt(work)
    return tally


def fuzz_nifti(content: bytes, count: int, folder: Path, random: np.random.Generator) -> Tally:
    """Read mutants of a cine, every other one compressed before or after it is changed."""
    tally = Tally()
    path = folder / "x.nii"
    for number in range(count):
        if number % 4 == 3:
            packed = gzip.compress(content, 1)
            changed = mutant(packed, np.arange(len(packed)), random)
        else:
            changed = mutant(content, np.arange(352), random)
            changed = gzip.compress(changed, 1) if number % 2 else changed
        path.write_bytes(changed)
        tally.mutants += 1

        def work() -> tuple[int, Iterable[LeftOut]]:
            require_image(read_nifti(path))
            return 1, ()

        tally.attempt(work)
    return tally


def fuzz_archive(
    files: list[bytes], count: int, folder: Path, random: np.random.Generator
) -> Tally:
    """Walk mutants of an archive; some are also read to the end."""
    tally = Tally()
    path = folder / "x.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for number, content in enumerate(files):
            archive.writestr(f"folder/{number}-\u00e4", content)
    content = path.read_bytes()
    listed = content.index(b"PK\x01\x02")
    for number in range(count):
        path.write_bytes(mutant(content, np.arange(listed, len(content)), random))
        tally.mutants += 1

        def work(number: int = number) -> tuple[int, Iterable[LeftOut]]:
            leftovers = Leftovers()
            with tempfile.TemporaryDirectory(dir=folder.parent) as spool:
                found = sum(1 for _ in walk(path, Path(spool), leftovers))
            if number % WHOLLY_READ == 0:
                read_studies(path)
            return found, leftovers.rows()

        tally.attempt(work)
    return tally


def originals(folder: Path) -> tuple[list[bytes], bytes]:
    """Return the DICOM files of a small study, and the middle of its cine as NIfTI."""
    study = simulate_study(protocol=Protocol.small())
    paths = write_dicom(study, folder / "dicom")
    files = [path.read_bytes() for path in paths if path.suffix == ".dcm"]
    write_nifti(study, folder / "nifti")
    cine = nibabel.load(folder / "nifti" / "sax.nii.gz")
    return files, cine.slicer[24:88, 24:88, :3, :5].to_bytes()


def figures(counts: dict[str, int]) -> dict[str, object]:
    """Return what became of so many mutants of each kind, and the parent's peak memory."""
    randoms = np.random.default_rng(SEED).spawn(len(counts))
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        files, cine = originals(folder)
        few = files[:: max(len(files) // 8, 1)]
        (inputs := folder / "mutants").mkdir()
        kinds = (
            lambda *rest: fuzz_dicom(files[: counts["dicom"]], *rest),
            lambda *rest: fuzz_nifti(cine, *rest),
            lambda *rest: fuzz_archive(few, *rest),
        )
        found: dict[str, object] = {}
        for (kind, count), fuzz, random in zip(counts.items(), kinds, randoms, strict=True):
            (place := inputs / kind).mkdir()
            tally = fuzz(count, place, random)
            found[kind] = {
                "mutants": tally.mutants,
                "inputs": tally.inputs,
                "exceptions": dict(tally.exceptions.most_common()),
                "read": tally.read,
                "refused": dict(sorted(tally.refused.items())),
                "slowest_input_s": round(tally.slowest_s, 1),
            }
    peak_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {"seed": SEED, **found, "parent_peak_mib": round(peak_kib / 1024)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sample", action="store_true", help="the small sample of the tests")
    parser.add_argument("--share", type=float, default=1.0, help="this share of the mutants")
    parser.add_argument("-o", "--output", type=Path)
    options = parser.parse_args()
    counts = {kind: round(count * options.share) for kind, count in WHOLE.items()}
    found = figures(SAMPLE if options.sample else counts)
    text = json.dumps(found, indent=1)
    print(text)
    if options.output:
        options.output.write_text(text + "\n", encoding="utf-8")
    raised = any(found[kind]["exceptions"] for kind in WHOLE)
    sys.exit(raised or found["parent_peak_mib"] > PARENT_LIMIT_MIB)


if __name__ == "__main__":
    main()
