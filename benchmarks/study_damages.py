"""A short-axis cine in DICOM, damaged in one known way at a known dose.

``Cine`` holds slices from base to apex, each the pictures of one heartbeat in the order of time.
Every damage changes a deep copy and returns the data sets that are left.
"""

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid
from scipy.ndimage import gaussian_filter

BASE = ("BASE_AT_STACK_END", "BASE_UNCERTAIN", "BOTH_ENDS_CUT", "STACK_TOO_SHORT")
APEX = ("APEX_CUT", "BOTH_ENDS_CUT", "STACK_TOO_SHORT")
GAP = ("MISSING_SLICE", "SPARSE_STACK", "SPLIT_STACK", "STACK_TOO_SHORT")
PHASES = ("MISSING_FRAMES", "LATE_DIASTOLE_MISSING", "HEARTBEAT_DOUBTED", "CURVE_JUMP", "ASYNC")
DOUBLED = ("REPEATED_SLICE", "UID_CONFLICT", "DUPLICATE")
SHIFTED = ("RV_OFF_SEPTUM", "SPLIT_STACK", "LABEL_SCATTERED", "SLICE_EMPTY", "RV_UNEVEN")
STEP = ("OUT_OF_STEP", "ASYNC")
PIXELS = ("NOISY", "COARSE", "NO_HEART_FOUND", "NO_SAX_CINE", "NO_BEAT", "EF_IMPLAUSIBLE")
BLURRED = ("BLURRED", "COARSE", "NO_HEART_FOUND", "NO_SAX_CINE", "NO_BEAT", "EF_IMPLAUSIBLE")
MIRRORED = ("CHIRALITY_CONFLICT", "UPSIDE_DOWN")
NO_CINE = ("NO_SAX_CINE", "SEQUENCE_ASSUMED", "NO_BEAT", "EF_IMPLAUSIBLE")
MIXED = ("SPLIT_STACK", "SEVERAL_CINES", "SLICES_ALTERNATE", "RV_UNEVEN", "OUT_OF_STEP", "ASYNC")


@dataclass
class Cine:
    """One cine: ``slices`` from base to apex.

    ``shown`` are the first and the last slice with a left ventricle; ``other`` is another heart.
    """

    slices: list[list[Dataset]]
    shown: tuple[int, int]
    other: "Cine | None" = None

    @property
    def pictures(self) -> list[Dataset]:
        """Every picture, slice by slice."""
        return pictures_of(self.slices)

    @property
    def middle(self) -> int:
        """The slice halfway down the ventricle."""
        return sum(self.shown) // 2


def pictures_of(slices: Sequence[list[Dataset]]) -> list[Dataset]:
    return [picture for one in slices for picture in one]


Damage = Callable[[Cine], list[Dataset]]


@dataclass(frozen=True)
class Kind:
    """A damage at one dose, and the codes that name its cause."""

    name: str
    dose: str
    damage: Damage
    named_by: tuple[str, ...]
    sampled: bool = False
    """Whether it belongs to the sample that every test run takes."""


def in_order(pictures: Sequence[Dataset], towards_apex: np.ndarray) -> list[list[Dataset]]:
    """Return the slices of one series from base to apex, each in the order of time."""
    places: dict[float, list[Dataset]] = {}
    for picture in pictures:
        at = np.array(picture.ImagePositionPatient, float) @ towards_apex
        places.setdefault(round(float(at), 1), []).append(picture)
    return [sorted(places[at], key=lambda p: float(p.TriggerTime)) for at in sorted(places)]


def values_of(picture: Dataset) -> np.ndarray:
    return np.asarray(picture.pixel_array, dtype=float)


def put(picture: Dataset, values: np.ndarray) -> None:
    """Store values in the picture's own type."""
    kind = picture.pixel_array.dtype
    top = min(np.iinfo(kind).max, 2 ** int(picture.BitsStored) - 1)
    stored = np.clip(np.rint(values), 0, top).astype(kind)
    picture.PixelData = stored.tobytes()


def without_slices(basal: int = 0, middle: int = 0, apical: int = 0) -> Damage:
    """Slices that show the left ventricle are lost; at an end with all beyond."""

    def damage(cine: Cine) -> list[Dataset]:
        first = cine.shown[0] + basal if basal else 0
        end = cine.shown[1] + 1 - apical if apical else len(cine.slices)
        start = cine.middle - middle // 2
        kept = [*cine.slices[first:start], *cine.slices[start + middle : end]]
        return pictures_of(kept)

    return damage


def without_phases(count: int, *, declared: bool) -> Damage:
    """Phases about end-systole are lost in every slice; the headers count them or not."""

    def damage(cine: Cine) -> list[Dataset]:
        kept = []
        for one in cine.slices:
            start = round(0.35 * len(one)) - count // 2
            kept.append(one[:start] + one[start + count :])
        for one in kept:
            for number, picture in enumerate(one):
                if declared:
                    for keyword in ("CardiacNumberOfImages", "NumberOfTemporalPositions"):
                        if keyword in picture:
                            setattr(picture, keyword, len(one))
                    if "TemporalPositionIdentifier" in picture:
                        picture.TemporalPositionIdentifier = number + 1
        return pictures_of(kept)

    return damage


def slice_doubled(cine: Cine) -> list[Dataset]:
    """Add the middle slice once more, half a heartbeat later."""
    doubled = copy.deepcopy(cine.slices[cine.middle])
    half = len(doubled) // 2
    pixels = [picture.PixelData for picture in doubled]
    for number, picture in enumerate(doubled):
        picture.PixelData = pixels[(number + half) % len(doubled)]
        uid = generate_uid(entropy_srcs=[picture.SOPInstanceUID, "doubled"])
        picture.SOPInstanceUID = picture.file_meta.MediaStorageSOPInstanceUID = uid
    return [*cine.pictures, *doubled]


def slice_shifted(distance_mm: float, count: int) -> Damage:
    """Move some slices' pictures, not their headers, as if the patient had moved."""

    def damage(cine: Cine) -> list[Dataset]:
        for one in cine.slices[cine.middle : cine.middle + count]:
            for picture in one:
                px = round(distance_mm / float(picture.PixelSpacing[1]))
                put(picture, np.roll(values_of(picture), px, axis=1))
        return cine.pictures

    return damage


def out_of_step(share: float, count: int) -> Damage:
    """Let some slices' pictures come this share of a heartbeat late under unchanged times."""

    def damage(cine: Cine) -> list[Dataset]:
        for one in cine.slices[cine.middle : cine.middle + count]:
            pixels = [picture.PixelData for picture in one]
            late = round(share * len(one))
            for number, picture in enumerate(one):
                picture.PixelData = pixels[(number - late) % len(one)]
        return cine.pictures

    return damage


def thickness_unreadable(cine: Cine) -> list[Dataset]:
    """Every third slice states no thickness."""
    for one in cine.slices[::3]:
        for picture in one:
            picture.SliceThickness = ""
    return cine.pictures


def each_picture(change: Callable[[np.ndarray, np.random.Generator], np.ndarray]) -> Damage:
    """Every picture is changed alike."""

    def damage(cine: Cine) -> list[Dataset]:
        random = np.random.default_rng(1)
        for picture in cine.pictures:
            put(picture, change(values_of(picture), random))
        return cine.pictures

    return damage


def noise(percent: float) -> Damage:
    """Rician noise, its standard deviation in percent of the 99th percentile."""

    def change(values: np.ndarray, random: np.random.Generator) -> np.ndarray:
        sd = percent / 100 * np.percentile(values, 99)
        real, imaginary = random.normal(0, sd, (2, *values.shape))
        return np.asarray(np.hypot(values + real, imaginary))

    return each_picture(change)


def wrap(share: float) -> Damage:
    """Fold over what lies outside a field of view too small by this share."""

    def change(values: np.ndarray, random: np.random.Generator) -> np.ndarray:
        folded = values.copy()
        width = round(share * values.shape[1])
        folded[:, :width] += values[:, -width:]
        folded[:, -width:] += values[:, :width]
        return folded

    return each_picture(change)


def blur(sigma_mm: float) -> Damage:
    """Pictures are smoothed by a Gaussian."""

    def damage(cine: Cine) -> list[Dataset]:
        for picture in cine.pictures:
            spacing = np.array(picture.PixelSpacing, float)
            put(picture, gaussian_filter(values_of(picture), sigma_mm / spacing))
        return cine.pictures

    return damage


def mirrored(axis: int) -> Damage:
    """Every picture is mirrored, its header as before."""
    return each_picture(lambda values, random: np.flip(values, axis))


def late_enhancement(cine: Cine) -> list[Dataset]:
    """One moment, blood and muscle of late enhancement, with a little noise: no beat."""
    random = np.random.default_rng(1)
    for one in cine.slices:
        still = values_of(one[round(0.7 * len(one)) - 1])
        dark = np.percentile(still, 99)
        for picture in one:
            values = np.where(still < 0.35 * dark, 0.2 * still, still)
            put(picture, values + random.normal(0, 0.01 * dark, still.shape))
    return cine.pictures


def series_mixed(every: int) -> Damage:
    """Every so many slices show another heart under this one's headers."""

    def damage(cine: Cine) -> list[Dataset]:
        assert cine.other is not None
        for z in range(1, len(cine.slices), every):
            others = cine.other.slices[min(z, len(cine.other.slices) - 1)]
            for number, picture in enumerate(cine.slices[z]):
                values = values_of(others[number * len(others) // len(cine.slices[z])])
                rows, columns = picture.Rows, picture.Columns
                room = np.zeros((rows, columns))
                part = values[:rows, :columns]
                room[: part.shape[0], : part.shape[1]] = part
                put(picture, room)
        return cine.pictures

    return damage


KINDS = (
    *(Kind("slices lost at the base", str(n), without_slices(basal=n), BASE) for n in (1, 2, 3)),
    *(
        Kind("slices lost at the apex", str(n), without_slices(apical=n), APEX, n == 3)
        for n in (1, 2, 3)
    ),
    *(
        Kind("slices lost in the middle", str(n), without_slices(middle=n), GAP, n == 1)
        for n in (1, 2, 3)
    ),
    *(
        Kind(
            "phases lost about end-systole",
            f"{n}, {'declared' if declared else 'undeclared'}",
            without_phases(n, declared=declared),
            PHASES,
            n == 3 and declared,
        )
        for n in (1, 3)
        for declared in (True, False)
    ),
    Kind("a slice doubled, half a beat later", "1", slice_doubled, DOUBLED),
    *(Kind("slices shifted by 20 mm", str(n), slice_shifted(20, n), SHIFTED) for n in (1, 3)),
    *(
        Kind("slices out of step", f"{n} by {share:.0%}", out_of_step(share, n), STEP)
        for n in (1, 3)
        for share in (0.25, 0.5)
    ),
    Kind("thickness unreadable in every third slice", "1/3", thickness_unreadable, ()),
    *(Kind("noise", f"{percent} %", noise(percent), PIXELS) for percent in (5, 10, 20, 40)),
    *(Kind("wrap", f"{share:.0%}", wrap(share), PIXELS) for share in (0.1, 0.2, 0.35)),
    *(Kind("blur", f"{sigma:g} mm", blur(sigma), BLURRED) for sigma in (1.5, 3.0, 5.0)),
    Kind("mirrored", "in x", mirrored(1), MIRRORED),
    Kind("mirrored", "in y", mirrored(0), MIRRORED),
    Kind("late enhancement under a cine's header", "all", late_enhancement, NO_CINE, True),
    Kind("another heart's slices", "every second", series_mixed(2), MIXED),
    Kind("another heart's slices", "every fourth", series_mixed(4), MIXED),
)
