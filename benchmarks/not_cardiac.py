"""What `opencmr sort` makes of pictures without a heart, and how many cardiac series it refuses.

    python benchmarks/not_cardiac.py [--every 4] [-o benchmarks/not_cardiac.json]

Without a heart: every DICOM file of pydicom's tests, every NIfTI file of nibabel's tests, and what
is made into MR DICOM with neutral headers (no description, no sequence, no body part): the
photographs of scikit-image, its Shepp-Logan phantom among them, volumes of nibabel's tests and
noise.  Each is written as a single transaxial slice, still stacks, a noisy still in twelve phases
of a heartbeat, and two cines that move as a whole, panned and zoomed to and fro.  Right is what is
refused, *unknown*, *derived* or *not cardiac*.

With a heart: the testing half of ``sorting_vendors.py`` and the real series of ``sorting.py``.
"""

import argparse
import json
import os
import tempfile
from collections import Counter
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import nibabel
import numpy as np
from PIL import Image as Photograph
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage, generate_uid
from scipy import ndimage

from opencmr.anatomy.techniques import SequenceName
from opencmr.cli.sort import named_of
from opencmr.errors import OpencmrError
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


def photographs() -> Iterator[tuple[str, np.ndarray]]:
    """Yield the two-dimensional pictures that scikit-image carries, grey, by name."""
    for path in sorted(Path(str(files("skimage") / "data")).iterdir()):
        if path.suffix in (".png", ".jpg", ".gif"):
            with Photograph.open(path) as photograph:
                grey = np.asarray(photograph.convert("L").resize((SIDE, SIDE)), dtype=float)
            yield f"scikit-image {path.name}", grey


def volumes() -> Iterator[tuple[str, np.ndarray]]:
    """Yield the middle slices of the volumes of nibabel's tests, scaled to the same side."""
    for path in nifti_files():
        values = np.squeeze(np.asarray(nibabel.load(path).dataobj, dtype=float))
        while values.ndim > 3:
            values = values[..., 0]
        if values.ndim == 3 and min(values.shape) >= 8:
            middle = values[:, :, values.shape[2] // 2]
            yield f"nibabel {path.name}", ndimage.zoom(middle, np.divide(SIDE, middle.shape))


def noises() -> Iterator[tuple[str, np.ndarray]]:
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


def without_a_heart(step: int = 1) -> Iterator[tuple[str, str, list[Naming]]]:
    """Yield (source, form, namings) of every ``step``-th input; none where it was refused."""
    for kind, paths in (("pydicom file", dicom_files()), ("nibabel file", nifti_files())):
        for path in paths[::step]:
            yield path.name, kind, [one for them in namings_of(path).values() for one in them]
    pictures = [*photographs(), *volumes(), *noises()]
    for name, picture in pictures[::step]:
        with tempfile.TemporaryDirectory() as made:
            uids = {
                form: write_neutral(values, Path(made), is_short_axis=is_short_axis)
                for form, values, is_short_axis in made_of(picture)
            }
            found = namings_of(Path(made))
        for form, uid in uids.items():
            yield name, form, found.get(uid, [])


def judged(inputs: Iterator[tuple[str, str, list[Naming]]]) -> dict[str, object]:
    """Count what became of inputs without a heart, by form; name each that got a name."""
    forms: dict[str, Counter[str]] = {}
    wrong = []
    for source, form, namings in inputs:
        named = [one for one in namings if one.sequence not in NO_HEART]
        tally = forms.setdefault(form, Counter())
        tally["inputs"] += 1
        tally["named" if named else "unnamed" if namings else "refused"] += 1
        wrong += [
            f"{source}, {form}: {one.sequence.value} {one.view.value} {one.probability:.2f}"
            for one in named
        ]
    total = sum((Counter(tally) for tally in forms.values()), Counter())
    return {
        **{key: total[key] for key in ("inputs", "refused", "unnamed", "named")},
        "percent_right": round(100 * (1 - total["named"] / total["inputs"]), 1),
        "forms": {form: dict(tally) for form, tally in forms.items()},
        "wrong": wrong,
    }


def with_a_heart() -> dict[str, object]:
    """Count the cardiac series that are refused as not cardiac, and those that get no name."""
    from sorting import real
    from sorting_vendors import examinations

    data = Path(os.environ.get("OPENCMR_DATA", "../shared/data"))
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
        found[kind] = {key: int(tally[key]) for key in ("series", "refused", "unknown")}
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--every", type=int, default=1, help="only every so many sources")
    parser.add_argument("--heartless", action="store_true", help="leave the hearts out")
    parser.add_argument("-o", "--output", type=Path)
    options = parser.parse_args()
    found: dict[str, object] = {
        "every": options.every,
        "without a heart": judged(without_a_heart(options.every)),
    }
    if not options.heartless:
        found["with a heart"] = with_a_heart()
    text = json.dumps(found, indent=1, ensure_ascii=False)
    print(text)
    if options.output:
        options.output.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
