"""Whether pictures alone tell the sequence: a small network, its domain gap, its held-out patients.

    python benchmarks/sequence_witness.py examples -o EXAMPLES.npz
    python benchmarks/sequence_witness.py judge EXAMPLES.npz -o benchmarks/sequence_witness.json

Simulated studies (random heart, tissue, contrast, plane, coil and field of view) and the real
series in the folder of OPENCMR_DATA (by default ../shared/data).  Each network is judged on real
patients that it never saw: of all sources when it learnt from simulations alone, of a whole source
that was left out, of half of the patients of each source.  ``lge_native``,
``siemens_multiview``, the three Sunnybrook cines and the mapping phantom are never learnt from.
"""

import argparse
import io
import json
import zipfile
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from not_cardiac import noises, photographs, volumes
from PIL import Image as Picture
from real_data import data_folder
from sorting import real

from opencmr.geometry.grid import grid_from_spacing
from opencmr.imaging.image import Image, untimed_image
from opencmr.intake.nifti.read import read_nifti_pair
from opencmr.simulate import (
    HeartParameters,
    Protocol,
    ScarParameters,
    TissueParameters,
    simulate_study,
)
from opencmr.simulate.acquire import Scan, acquire, world_of
from opencmr.simulate.heart import heart_shape
from opencmr.simulate.physics import TISSUES
from opencmr.simulate.study import plane_grid
from opencmr.train.emidec import ARCHIVE, read_cases, read_pictures
from opencmr.train.frames import CHANNELS, frames_of
from opencmr.train.sequence import Examples, logits_of, temperature_of, train

CLASSES = (
    "cine", "LGE", "T1 raw", "T1 map", "T2 raw", "T2*", "black blood", "scout", "not cardiac",
)  # fmt: skip
CINE, LGE, T1_RAW, T1_MAP, T2_RAW, T2_STAR, BLACK_BLOOD, SCOUT, NOT_CARDIAC = range(len(CLASSES))
TECHNIQUES = {"cine": CINE, "LGE": LGE, "T1 mapping": T1_RAW, "T2 mapping": T2_RAW,
              "T2* mapping": T2_STAR, "scout": SCOUT}  # fmt: skip
STUDIES = 16
VARIANTS = 4
"""Of each stack that is learnt from; the first is the stack as it is."""
FOLDS = 2
SCORED_ONLY = ("siemens_multiview", "sunnybrook cine", "lge_native", "phantom", "not cardiac test")
"""Sources that no network learns from."""
LEFT_OUT = (("sunnybrook localizer", "sunnybrook endo"), ("emidec",), ("acdc",))
"""What is of one scanner is left out together."""
SURE = (0.5, 0.8, 0.9)


@dataclass(frozen=True)
class Stack:
    """One stack, where it comes from, and its class."""

    source: str
    patient: str
    label: int
    image: Image


def plain(values, row_mm=1.5, column_mm=1.5):
    """Return an untimed image of values ``(T, Z, Y, X)``."""
    values = np.asarray(values, np.float32)
    return untimed_image(values, grid_from_spacing(values.shape[1:], (8.0, row_mm, column_mm)))


def flat(image):
    """Return the same pictures without times and place."""
    grid = image.grid
    return plain(image.values, grid.row_spacing_mm, grid.column_spacing_mm)


def stills(source, patient, image, random):
    """Yield a cine's stack, one of two phases, and one of a single phase: all are a cine's."""
    yield Stack(source, patient, CINE, flat(image))
    two = [0, int(0.35 * image.phases)] if image.phases > 2 else [0, image.phases - 1]
    for chosen in (two, [int(random.integers(image.phases))]):
        yield Stack(source, patient, CINE, replace_values(image, image.values[chosen]))


def replace_values(image, values):
    return plain(values, image.grid.row_spacing_mm, image.grid.column_spacing_mm)


def simulated():
    for seed in range(101, 101 + STUDIES):
        random = np.random.default_rng([seed, 42])
        heart = HeartParameters(
            seed=seed,
            edv_ml=float(random.uniform(100, 240)),
            ef_percent=float(random.uniform(25, 68)),
            lv_mass_g=float(random.uniform(90, 160)),
            heart_rate_bpm=float(random.uniform(50, 95)),
        )
        field_t = float(random.choice([1.5, 3.0]))
        pixel_mm = float(random.uniform(1.6, 2.2))
        protocol = replace(
            Protocol.small(),
            field_strength_t=field_t,
            flip_deg=float(random.uniform(35, 70)),
            rows=144,
            columns=int(random.choice([112, 128, 144])),
            pixel_mm=pixel_mm,
            thickness_mm=float(random.uniform(6, 10)),
            snr=float(random.uniform(12, 60)),
            coil_shading=float(random.uniform(0, 1)),
            acquired=tuple(random.uniform(0.6, 1.0, 2)),
        )
        scar = ScarParameters(
            str(random.choice(["LAD", "RCA", "LCX"])),
            float(random.uniform(3, 9)),
            float(random.uniform(0.6, 0.95)),
            0.0,
        )
        tissue = TissueParameters(
            plasma_mm=float(random.uniform(0.4, 1.6)),
            ecv_percent=float(random.uniform(22, 36)),
            scar=scar if random.random() < 0.6 else None,
            snr=float(random.uniform(15, 70)),
        )
        patient = f"simulated {seed}"
        for one in simulate_study(heart, protocol=protocol, tissue=tissue).series:
            label = TECHNIQUES[one.sequence.value]
            for image in one.images:
                if label == CINE:
                    yield from stills("simulated", patient, image, random)
                else:
                    yield Stack("simulated", patient, label, flat(image))
        yield from any_planes(heart, protocol, patient, random)


def any_planes(heart, protocol, patient, random):
    """Yield planes in any direction with the contrast of several sequences."""
    world, shape = world_of(heart), (heart_shape(heart, 1.0, 1.0),)
    middle = world.frame.to_patient(np.array([10.0, 0.0, 0.6 * heart.long_axis_mm]))
    kinds = [(SCOUT, True)] * 5 + [(LGE, False)] * 3 + [(BLACK_BLOOD, False)] * 3
    for label, along_the_body in [*kinds, (T1_MAP, False), (T1_MAP, False)]:
        signals = contrast(label, protocol.field_strength_t, random)
        normal = np.eye(3)[random.integers(3)] * random.choice([-1, 1])
        tilt = 0.15 if along_the_body else 1.0
        normal = normal + tilt * random.normal(size=3)
        up = np.array([0.0, 0.0, 1.0]) if abs(normal[2]) < 0.8 * np.linalg.norm(normal) else (
            np.array([0.0, -1.0, 0.0]))  # fmt: skip
        slices = int(random.integers(1, 5))
        away = random.normal(0, 30.0 if along_the_body else 12.0, 3)
        pixel_mm = float(random.uniform(2.2, 3.3) if along_the_body else random.uniform(1.6, 2.8))
        grid = plane_grid(
            middle + away, normal, up, shape=(slices, 144, 144), pixel_mm=pixel_mm,
            step_mm=float(random.uniform(8, 20)),
        )  # fmt: skip
        brightest = max(
            signals[name] for name in ("blood", "myocardium", "skeletal muscle", "liver")
        )
        scan = Scan(
            signals=signals, gain=600.0 / brightest, thickness_mm=protocol.thickness_mm, samples=3,
            shading=0.0 if label == T1_MAP else protocol.coil_shading,
            noise=600.0 / protocol.snr, acquired=protocol.acquired,
        )  # fmt: skip
        values = acquire(world, grid, shape, scan, random).values
        if label == T1_MAP:  # a fit of noise gives anything
            dark = values < 90
            values = np.where(dark, random.uniform(0, 1200, values.shape), values)
        yield Stack("simulated", patient, label, plain(values, pixel_mm, pixel_mm))


def contrast(label, field_t, random):
    """Return a signal for each tissue: formulas of the sequence, numbers at random."""
    which = 0 if field_t == 1.5 else 1
    t1 = {name: one.t1_ms[which] for name, one in TISSUES.items()}
    t2 = {name: one.t2_ms[which] for name, one in TISSUES.items()}
    density = {name: one.proton_density for name, one in TISSUES.items()}
    if label == T1_MAP:
        return {name: t1[name] / 1500 if density[name] > 0.2 else 0.0 for name in t1}
    if label == LGE:
        found = {name: float(density[name] * random.uniform(0.15, 0.6)) for name in t1}
        found["myocardium"] = float(random.uniform(0.0, 0.15))
        found["blood"] = float(random.uniform(0.35, 1.0))
        found["venous blood"] = found["blood"] * float(random.uniform(0.9, 1.1))
        found["fat"] = float(random.uniform(0.5, 1.6))
        return found
    if label == BLACK_BLOOD:
        echo_ms = float(random.uniform(5, 80))
        found = {n: density[n] * np.exp(-echo_ms / t2[n]) * (1 - np.exp(-800 / t1[n])) for n in t1}
        found["blood"] = found["venous blood"] = float(random.uniform(0, 0.05))
        found["fat"] *= float(random.choice([0.1, 1.0]))
        return found
    flip, tr_ms = np.radians(random.uniform(5, 70)), float(random.uniform(3, 9))
    if random.random() < 0.5:  # spoiled
        e1 = {n: np.exp(-tr_ms / t1[n]) for n in t1}
        return {n: density[n] * np.sin(flip) * (1 - e1[n]) / (1 - e1[n] * np.cos(flip)) for n in t1}
    return {  # balanced, TR far below T2
        n: density[n] * np.sin(flip) / (1 + np.cos(flip) + (1 - np.cos(flip)) * t1[n] / t2[n])
        for n in t1
    }


def learnt_from(data):
    """Yield the real stacks that a network may learn from."""
    random = np.random.default_rng(1)
    for ed in sorted((data / "acdc").glob("*_ed.nii.gz")):
        image = read_nifti_pair(ed, ed.with_name(ed.name.replace("_ed", "_es"))).image
        # Two pictures, identical but for the name, are one patient.
        patient = ed.name[:10].replace("076", "074")
        yield from stills("acdc", patient, image, random)
    for case in read_cases(data):
        stack = read_pictures(data / ARCHIVE / "image" / case.patient)
        yield Stack("emidec", case.patient, LGE, plain(stack[None]))
    with zipfile.ZipFile(data / "sunnybrook" / "endo_slices.zip") as archive:
        slices = {}
        for name in sorted(archive.namelist()):
            if name.startswith("image/") and name.endswith(".png"):
                with Picture.open(io.BytesIO(archive.read(name))) as picture:
                    slices.setdefault(name.split("/")[1].split("-IM")[0], []).append(
                        np.asarray(picture.convert("L"))
                    )
    for patient, pictures in slices.items():
        if patient not in ("SC-HF-I-01", "SC-HF-I-04", "SC-HF-I-06"):
            for part in (pictures[::2], pictures[1::2]):
                yield Stack("sunnybrook endo", patient, CINE, plain(np.stack(part)[None]))
    for number, (name, picture) in enumerate([*photographs(), *volumes(), *noises()]):
        source = "not cardiac" if number % 2 else "not cardiac test"
        yield Stack(source, name, NOT_CARDIAC, plain(picture[None, None]))


def scored(data):
    """Yield the real stacks of ``benchmarks/sorting.py``; their scouts may be learnt from."""
    labels = {"cine bSSFP": CINE, "scout": SCOUT, "LGE magnitude": LGE, "T1 raw": T1_RAW,
              "T1 map": T1_MAP}  # fmt: skip
    for number, (name, study, truth) in enumerate(real(data)):
        source = {"ShMOLLI phantom": "phantom", "lge_native (NIfTI)": "lge_native"}.get(name, name)
        for one, (sequence, _) in zip(study.series, truth, strict=True):
            yield Stack(source, f"{source} {number}", labels[sequence], flat(one.image))
            if labels[sequence] == CINE:
                middle = replace_values(one.image, one.image.values[one.image.phases // 2][None])
                yield Stack(source, f"{source} {number}", CINE, middle)


def varied(image, random):
    """Return a part of a stack: another field of view, other slices, pixels a little stretched."""
    values = image.values
    slices, rows, columns = values.shape[1:]
    kept = int(random.integers((slices + 1) // 2, slices + 1))
    first = int(random.integers(0, slices - kept + 1))
    values = values[:, first : first + kept]
    for axis, side in ((2, rows), (3, columns)):
        share = random.uniform(0.55, 1.0)
        width = max(int(share * side), 16)
        start = int(np.clip(random.normal((side - width) / 2, side / 12), 0, side - width))
        values = np.take(values, np.arange(start, start + width), axis)
    if random.random() < 0.2:
        wide = [
            (0, 0),
            (0, 0),
            *((int(random.uniform(0, 0.25) * n),) * 2 for n in values.shape[2:]),
        ]
        values = np.pad(values, wide)
    stretch = np.exp(random.uniform(-0.15, 0.15))
    return plain(values, image.grid.row_spacing_mm * stretch, image.grid.column_spacing_mm)


def make_examples(data, output):
    frames, labels, sources, patients, is_variant = [], [], [], [], []
    for kind, stacks in enumerate((simulated(), learnt_from(data), scored(data))):
        for number, one in enumerate(stacks):
            random = np.random.default_rng([2, kind, number])
            learnt = one.source not in SCORED_ONLY
            for variant in range(VARIANTS if learnt else 1):
                image = varied(one.image, random) if variant else one.image
                frames.append(np.rint(255 * frames_of(image)).astype(np.uint8))
                labels.append(one.label)
                sources.append(one.source)
                patients.append(one.patient)
                is_variant.append(variant > 0)
    np.savez_compressed(
        output, frames=np.stack(frames), labels=np.array(labels), sources=np.array(sources),
        patients=np.array(patients), is_variant=np.array(is_variant),
    )  # fmt: skip
    for (source, label), count in sorted(Counter(zip(sources, labels, strict=True)).items()):
        print(f"{source:22} {CLASSES[label]:12} {count}")


class Table:
    """The examples, and what is asked of them."""

    def __init__(self, path):
        with np.load(path) as file:
            self.frames, self.labels = file["frames"], file["labels"]
            self.sources, self.patients = file["sources"], file["patients"]
            self.is_variant = file["is_variant"]

    def of(self, *sources):
        """Return which examples are of these sources."""
        return np.isin(self.sources, sources)

    def trained(self, chosen, seed=0):
        """Return a network that learnt the chosen ones, but none that is only scored."""
        chosen = chosen & ~self.of(*SCORED_ONLY)
        domains = np.unique(self.sources, return_inverse=True)[1]
        examples = Examples(self.frames[chosen], self.labels[chosen], domains[chosen])
        return train(examples, len(CLASSES), seed=seed)

    def asked(self, network, chosen):
        """Return (places, logits) of the stacks as they are."""
        places = np.flatnonzero(chosen & ~self.is_variant)
        return places, logits_of(network, self.frames[places])


def shares_of(logits, temperature):
    scaled = np.exp((logits - logits.max(1, keepdims=True)) / temperature)
    return scaled / scaled.sum(1, keepdims=True)


def told(table, places, logits, temperature=1.0):
    """Return by source, truth and form: how many, how many right, what they were taken for."""
    shares = shares_of(logits, temperature)
    found = {}
    for place, share in zip(places, shares, strict=True):
        still = not table.frames[place][:, CHANNELS.index("change")].any()
        form = "a single picture" if still else "several pictures"
        key = f"{table.sources[place]}: {CLASSES[table.labels[place]]}, {form}"
        row = found.setdefault(key, {"stacks": 0, "right": 0, "told": {}, "sure": {}})
        best = int(share.argmax())
        row["stacks"] += 1
        row["right"] += int(best == table.labels[place])
        row["told"][CLASSES[best]] = row["told"].get(CLASSES[best], 0) + 1
        for limit in SURE:
            if share[best] >= limit:
                names = row["sure"].setdefault(str(limit), {})
                names[CLASSES[best]] = names.get(CLASSES[best], 0) + 1
    return dict(sorted(found.items()))


def judge(examples, output):
    table = Table(examples)
    heartless = table.of("not cardiac")
    made = table.of("simulated")
    is_real = ~made
    figures, held_out = {}, []

    def note(name, places, logits):
        figures[name] = told(table, places, logits)
        output.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
        print(name)
        for key, row in figures[name].items():
            print(f"   {key:52} {row['right']:3} of {row['stacks']:3}  {row['told']}", flush=True)

    simulated_seeds = np.array([int(p.split()[1]) if p.startswith("simulated") else 0
                                for p in table.patients])  # fmt: skip
    unseen = made & (simulated_seeds % 4 == 0)
    network = table.trained((made & ~unseen) | heartless)
    note("simulated alone: simulated", *table.asked(network, unseen))
    note("simulated alone: real", *table.asked(network, is_real & ~heartless))
    for sources in LEFT_OUT:
        network = table.trained(~table.of(*sources))
        note(f"without {', '.join(sources)}",
             *table.asked(network, table.of(*sources, *SCORED_ONLY)))  # fmt: skip
    fold = folds_of(table)
    for k in range(FOLDS):
        network = table.trained(fold != k)
        held_out.append(table.asked(network, (fold == k) & is_real))
    places = np.concatenate([one for one, _ in held_out])
    logits = np.concatenate([one for _, one in held_out])
    note("by patient", places, logits)
    truth = table.labels[places]
    weights = (1 / np.bincount(truth, minlength=len(CLASSES)).clip(1))[truth]
    temperature = temperature_of(logits, truth, weights)
    figures["by patient, calibrated"] = told(table, places, logits, temperature)
    figures["temperature"] = round(temperature, 3)
    print("temperature", temperature)
    output.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


def folds_of(table):
    """Deal the patients of each source in turn; -1 for what is in no fold."""
    fold = np.full(len(table.labels), -1)
    for source in np.unique(table.sources[~table.of("simulated", *SCORED_ONLY)]):
        mine = table.sources == source
        names = np.unique(table.patients[mine])
        np.random.default_rng(3).shuffle(names)
        for at, name in enumerate(names):
            fold[mine & (table.patients == name)] = at % FOLDS
    return fold


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("step", choices=["examples", "judge"])
    parser.add_argument("examples", type=Path, nargs="?")
    parser.add_argument("-o", "--output", type=Path, required=True)
    options = parser.parse_args()
    if options.step == "examples":
        make_examples(data_folder(), options.output)
    else:
        judge(options.examples, options.output)


if __name__ == "__main__":
    main()
