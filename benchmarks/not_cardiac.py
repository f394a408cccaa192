"""What `opencmr sort` makes of pictures without a heart, and how many cardiac series it refuses.

    python benchmarks/not_cardiac.py [--every 4] [--nilearn WHEEL] [-o benchmarks/not_cardiac.json]

Without a heart: every DICOM file of pydicom's tests, every NIfTI file of nibabel's tests, and what
is made into MR DICOM with neutral headers (no description, no sequence, no body part): photographs
and pictures of scikit-image, scikit-learn and Matplotlib, the pictures of pydicom's tests, planes
through the volumes of nibabel's tests and of nilearn's wheel (``pip download --no-deps nilearn``;
left out without one), phantoms and noise.  Each is written as a single transaxial slice, still
stacks, a noisy still in twelve phases of a heartbeat, and two cines that move as a whole, panned
and zoomed to and fro.  Right is what is refused, *unknown*, *derived* or *not cardiac*.

With a heart: the testing half of ``sorting_vendors.py`` and the real series of ``sorting.py``.
"""

import argparse
import json
import shutil
import tempfile
import zipfile
from collections import Counter
from collections.abc import Iterator, Sequence
from importlib.resources import files
from pathlib import Path

import nibabel
import numpy as np
import pydicom
from PIL import Image as Photograph
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage, generate_uid
from real_data import data_folder
from scipy import ndimage

from opencmr.anatomy.techniques import SequenceName
from opencmr.cli.sort import named_of
from opencmr.errors import OpencmrError
from opencmr.intake.dicom.decode import DicomReader
from opencmr.intake.studies import read_studies
from opencmr.sort.examination import Naming, named_stacks
from opencmr.sort.sorting import sort_study

SIDE = 128
PHASES, SLICES, FEW = 12, 4, 1
RR_MS = 900.0
NO_HEART = (SequenceName.UNKNOWN, SequenceName.DERIVED, SequenceName.NOT_CARDIAC)
SHORT_AXIS = ([0.62, 0.78, -0.08], [0.36, -0.19, 0.91])
"""Rows and columns of an ordinary short-axis plane, LPS, before they are made orthonormal."""
TRANSAXIAL = ([1.0, 0.0, 0.0], [0.0, 1.0, 0.0])
BATCH = 16
"""So many pictures are read as one input: each is a study of its own."""
SMALLEST = 16
"""Pictures with a shorter side show nothing once they are scaled."""
LEAST_RIGHT_PERCENT, MOST_REFUSED_PERCENT = 99.0, 2.0

Pictured = tuple[str, np.ndarray]
"""Where a picture comes from, and its values ``(Y, X)``."""


def photographs() -> Iterator[Pictured]:
    """Yield the two-dimensional pictures that packages carry, grey, by name."""
    for package, folder in (
        ("skimage", "data"),
        ("sklearn", "datasets/images"),
        ("matplotlib", "mpl-data/sample_data"),
    ):
        for path in sorted((Path(str(files(package))) / folder).iterdir()):
            if path.suffix in (".png", ".jpg", ".gif"):
                with Photograph.open(path) as photograph:
                    yield f"{package} {path.name}", scaled(np.asarray(photograph.convert("L")))
    faces = np.load(Path(str(files("skimage"))) / "data" / "lfw_subset.npy")
    for number in range(0, len(faces), 10):  # the first half shows faces
        yield f"skimage lfw_subset {number}", scaled(faces[number])


def dicom_pictures() -> Iterator[Pictured]:
    """Yield the pictures of pydicom's tests, each content once."""
    seen = set()
    for path in dicom_files():
        try:
            values = np.squeeze(pydicom.dcmread(path, force=True).pixel_array).astype(float)
        except Exception:  # some are there to be refused
            continue
        if values.ndim > 2 and values.shape[-1] == 3:
            values = values.mean(-1)
        values = values[len(values) // 2] if values.ndim == 3 else values
        if values.ndim != 2 or min(values.shape) < SMALLEST or not np.ptp(values):
            continue
        picture = scaled(values)
        content = np.round(4 * normal(picture)).astype(np.int8).tobytes()  # codecs round
        if content not in seen:
            seen.add(content)
            yield f"pydicom {path.name}", picture


def volumes(wheel: Path | None) -> Iterator[Pictured]:
    """Yield planes through the volumes of nibabel's tests and, more of each, of nilearn's wheel."""
    root = Path(str(files("nibabel"))) / "tests" / "data"
    for path in sorted(root.iterdir()):
        if path.name.endswith((".nii", ".nii.gz", ".mnc", ".HEAD", ".PAR")):
            try:
                values = np.asarray(nibabel.load(path).dataobj, dtype=float)
            except Exception:  # headers alone, or made to be refused
                continue
            yield from planes(f"nibabel {path.name}", values, (0.5,))
    if wheel is None:
        return
    with zipfile.ZipFile(wheel) as archive, tempfile.TemporaryDirectory() as unpacked:
        for name in sorted(archive.namelist()):
            if name.startswith("nilearn/datasets/data/") and name.endswith(".nii.gz"):
                values = np.asarray(nibabel.load(archive.extract(name, unpacked)).dataobj)
                yield from planes(f"nilearn {Path(name).name}", values, (0.35, 0.5, 0.65))


def planes(name: str, values: np.ndarray, places: Sequence[float]) -> Iterator[Pictured]:
    """Yield planes across each axis of a volume at shares of its length."""
    values = np.nan_to_num(np.squeeze(values).astype(float))
    while values.ndim > 3:
        values = values[..., 0]
    for axis in range(values.ndim if values.ndim == 3 else 0):
        for place in places:
            plane = values.take(int(place * values.shape[axis]), axis)
            if min(plane.shape) >= SMALLEST and np.ptp(plane) > 0:
                yield f"{name}, axis {axis} at {place}", scaled(plane)


def phantoms() -> Iterator[Pictured]:
    """Yield drawings of what lies in phantoms for quality assurance, most in a round vessel."""
    y, x = np.meshgrid(*2 * (np.linspace(-1, 1, SIDE),), indexing="ij")
    radius, vessel = np.hypot(x, y), 60.0 * (np.hypot(x, y) < 0.85)
    yield "phantom, water", vessel
    yield "phantom, square vessel", 60.0 * (np.maximum(abs(x), abs(y)) < 0.7)
    yield "phantom, rings", vessel * (1 + np.cos(20 * radius))
    yield "phantom, one vial", vessel * (1 - 0.7 * (radius < 0.3))
    yield "phantom, wedge", vessel * (1 + x)
    yield "phantom, chequers", vessel * (1 + 0.8 * np.sign(np.sin(14 * x) * np.sin(14 * y)))
    yield "phantom, bars", vessel * (1 + 0.8 * np.sign(np.sin(25 * x)) * (abs(y) < 0.4))
    vials = vessel.copy()
    for number in range(9):
        along, across = divmod(number, 3)
        inside = np.hypot(x - 0.45 * (along - 1), y - 0.45 * (across - 1)) < 0.17
        vials[inside] = 20.0 * (number + 1)
    yield "phantom, nine vials", vials
    holes = vessel.copy()
    for number in range(6):
        holes[np.hypot(x + 0.6 - 0.24 * number, y) < 0.1 - 0.014 * number] = 0
    yield "phantom, holes", holes


def scaled(picture: np.ndarray) -> np.ndarray:
    """Return a picture scaled to the same side."""
    return np.asarray(ndimage.zoom(picture.astype(float), np.divide(SIDE, picture.shape), order=1))


def normal(picture: np.ndarray) -> np.ndarray:
    """Return a picture with mean 0 and standard deviation 1."""
    return np.asarray((picture - picture.mean()) / picture.std())


def noises() -> Iterator[Pictured]:
    """Yield noise of several kinds and grains."""
    for seed in range(6):
        random = np.random.default_rng(seed)
        yield f"noise, even {seed}", random.uniform(0, 255, (SIDE, SIDE))
        yield f"noise, Rician {seed}", np.hypot(*random.normal(20, 20, (2, SIDE, SIDE)))
        grain = ndimage.gaussian_filter(random.normal(size=(SIDE, SIDE)), 2.0 + seed)
        yield f"noise, coarse {seed}", grain - grain.min()


def dicom_files() -> list[Path]:
    root = Path(str(files("pydicom") / "data"))
    return sorted(path for path in root.rglob("*.dcm") if "charset" not in path.parts[-2])


def nifti_files() -> list[Path]:
    root = Path(str(files("nibabel") / "tests" / "data"))
    return sorted([*root.glob("*.nii"), *root.glob("*.nii.gz")])


def made_of(picture: np.ndarray) -> Iterator[tuple[str, np.ndarray, bool]]:
    """Yield (form, values ``(T, Z, Y, X)``, whether it lies as a short axis) of one picture."""
    random = np.random.default_rng(5)
    grey = 1000 * (picture - picture.min()) / max(float(np.ptp(picture)), 1e-9) + 50
    slices = np.stack([ndimage.shift(grey, (3 * z, 2 * z), mode="reflect") for z in range(SLICES)])
    yield "single slice", grey[None, None], False
    yield "still transaxial stack", slices[None], False
    yield "still stack", slices[None], True
    still = np.repeat(slices[None, :FEW], PHASES, 0)
    yield "still in phases", still + random.normal(0, 20, still.shape), True
    swing = np.sin(np.pi * np.arange(PHASES) / PHASES) ** 2
    panned = [[ndimage.shift(z, (4 * s, 6 * s), order=1, mode="reflect") for z in slices[:FEW]]
              for s in swing]  # fmt: skip
    yield "panned", np.array(panned), True
    yield "zoomed", np.array([[zoomed(z, 1 - 0.12 * s) for z in slices[:FEW]] for s in swing]), True


def zoomed(picture: np.ndarray, scale: float) -> np.ndarray:
    """Return the picture drawn larger about its middle."""
    middle = (np.array(picture.shape) - 1) / 2
    return np.asarray(
        ndimage.affine_transform(picture, np.eye(2) * scale, middle * (1 - scale), order=1)
    )


def write_neutral(values: np.ndarray, folder: Path, *, is_short_axis: bool) -> str:
    """Write values ``(T, Z, Y, X)`` as classic MR instances whose headers claim nothing.

    Return the UID of their study.
    """
    row, column = (np.array(one) for one in (SHORT_AXIS if is_short_axis else TRANSAXIAL))
    row /= np.linalg.norm(row)
    column -= (column @ row) * row
    column /= np.linalg.norm(column)
    normal = np.cross(row, column)
    study, series, frame = (generate_uid() for _ in range(3))
    pixels = np.clip(values, 0, 4095).round().astype(np.uint16)
    for t, z in np.ndindex(*pixels.shape[:2]):
        meta = FileMetaDataset()
        meta.MediaStorageSOPClassUID = MRImageStorage
        meta.MediaStorageSOPInstanceUID = generate_uid()
        meta.TransferSyntaxUID = ExplicitVRLittleEndian
        d = Dataset()
        d.file_meta = meta
        d.SOPClassUID, d.SOPInstanceUID = MRImageStorage, meta.MediaStorageSOPInstanceUID
        d.Modality, d.ImageType = "MR", ["ORIGINAL", "PRIMARY"]
        d.StudyInstanceUID, d.SeriesInstanceUID, d.FrameOfReferenceUID = study, series, frame
        d.InstanceNumber = 1 + t + z * len(pixels)
        d.PixelSpacing, d.SliceThickness = [2.4, 2.4], 8
        d.ImageOrientationPatient = [f"{x:.6f}" for x in (*row, *column)]
        d.ImagePositionPatient = [f"{x:.4f}" for x in 9.0 * z * normal - 150 * (row + column)]
        if len(pixels) > 1:
            d.TriggerTime, d.NominalInterval = f"{t * RR_MS / len(pixels):.2f}", int(RR_MS)
        d.Rows, d.Columns = pixels.shape[2:]
        d.SamplesPerPixel, d.PhotometricInterpretation = 1, "MONOCHROME2"
        d.BitsAllocated, d.BitsStored, d.HighBit, d.PixelRepresentation = 16, 12, 11, 0
        d.PixelData = pixels[t, z].tobytes()
        d.save_as(folder / f"{d.SOPInstanceUID}.dcm", enforce_file_format=True)
    return str(study)


def namings_of(path: Path) -> dict[str, list[Naming]]:
    """Return what each series is named, by its study's UID; nothing of what is refused."""
    found: dict[str, list[Naming]] = {}
    try:
        with read_studies(path, is_listing_enough=True) as studies:
            for one in (one for rows in named_of(studies).values() for one in rows):
                found.setdefault(one.scanned.study_uid, []).append(one.naming)
    except OpencmrError:
        return {}
    return found


def without_a_heart(
    step: int = 1, wheel: Path | None = None
) -> Iterator[tuple[str, str, list[Naming]]]:
    """Yield (source, form, namings) of every ``step``-th input; none where it was refused."""
    for path in nifti_files()[::step]:
        yield path.name, "nibabel file", [one for them in namings_of(path).values() for one in them]
    for batch in apart(dicom_files()[::step]):
        with tempfile.TemporaryDirectory() as place:
            for path in batch.values():
                shutil.copy(path, place)
            found = namings_of(Path(place))
        for uid, path in batch.items():
            yield path.name, "pydicom file", found.get(uid, [])
    pictures = [*photographs(), *dicom_pictures(), *volumes(wheel), *phantoms(), *noises()]
    pictures = pictures[::step]
    for start in range(0, len(pictures), BATCH):
        with tempfile.TemporaryDirectory() as made:
            written = [
                (name, form, write_neutral(values, Path(made), is_short_axis=is_short_axis))
                for name, picture in pictures[start : start + BATCH]
                for form, values, is_short_axis in made_of(picture)
            ]
            found = namings_of(Path(made))
        for name, form, uid in written:
            yield name, form, found.get(uid, [])


def apart(paths: Sequence[Path]) -> list[dict[str, Path]]:
    """Return the files in batches by the UID of their study, no two of one study in a batch."""
    batches: list[dict[str, Path]] = []
    for path in paths:
        try:
            header = pydicom.dcmread(path, force=True, specific_tags=["StudyInstanceUID"])
            uid = str(header.get("StudyInstanceUID", ""))
        except Exception:  # made to be refused
            uid = ""
        batch = next((one for one in batches if uid not in one), None)
        if batch is None:
            batches.append(batch := {})
        batch[uid] = path
    return batches


def judged(inputs: Iterator[tuple[str, str, list[Naming]]]) -> dict[str, object]:
    """Count what became of inputs without a heart, by form; name each that got a name."""
    forms: dict[str, Counter[str]] = {}
    sources: dict[str, set[str]] = {}
    wrong = []
    for source, form, namings in inputs:
        named = [one for one in namings if one.sequence not in NO_HEART]
        tally = forms.setdefault(form, Counter())
        tally["inputs"] += 1
        package = "files as they are" if form.endswith("file") else source.split(maxsplit=1)[0]
        sources.setdefault(package.strip(","), set()).add(source)
        tally["named" if named else "unnamed" if namings else "refused"] += 1
        wrong += [
            f"{source}, {form}: {one.sequence.value} {one.view.value} {one.probability:.2f}"
            for one in named
        ]
    total = sum((Counter(tally) for tally in forms.values()), Counter())
    return {
        **{key: total[key] for key in ("inputs", "refused", "unnamed", "named")},
        "percent_right": round(100 * (1 - total["named"] / total["inputs"]), 1),
        "target": LEAST_RIGHT_PERCENT,
        "sources": {package: len(them) for package, them in sources.items()},
        "forms": {form: dict(tally) for form, tally in forms.items()},
        "wrong": wrong,
    }


def with_a_heart() -> dict[str, object]:
    """Count the cardiac series that are refused as not cardiac, and those that get no name."""
    from sorting import real
    from sorting_vendors import examinations

    data = data_folder()
    found = {}
    for kind, studies in (
        ("simulated", (study for _, study, _ in examinations("testing"))),
        ("real", (study for name, study, _ in real(data) if "phantom" not in name)),
    ):
        tally: Counter[str] = Counter()
        for study in studies:
            for naming in named_stacks(sort_study(study)).values():
                tally["series"] += 1
                tally["refused"] += naming.sequence is SequenceName.NOT_CARDIAC
                tally["unknown"] += naming.sequence is SequenceName.UNKNOWN
        found[kind] = {
            **{key: int(tally[key]) for key in ("series", "refused", "unknown")},
            "percent_refused": round(100 * tally["refused"] / tally["series"], 1),
            "target": MOST_REFUSED_PERCENT,
        }
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--every", type=int, default=1, help="only every so many sources")
    parser.add_argument("--nilearn", type=Path, metavar="WHEEL", help="a wheel of nilearn")
    parser.add_argument("--heartless", action="store_true", help="leave the hearts out")
    parser.add_argument("-o", "--output", type=Path)
    options = parser.parse_args()
    # The process that decodes rests after each study to free memory; here a study is a picture, and
    # starting it a thousand times would be most of the time.
    DicomReader.rest = lambda _: None  # type: ignore[method-assign]
    found: dict[str, object] = {
        "every": options.every,
        "nilearn": options.nilearn.name if options.nilearn else None,
        "without a heart": judged(without_a_heart(options.every, options.nilearn)),
    }
    if not options.heartless:
        found["with a heart"] = with_a_heart()
    text = json.dumps(found, indent=1, ensure_ascii=False)
    print(text)
    if options.output:
        options.output.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
