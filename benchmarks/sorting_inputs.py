"""What `opencmr sort` makes of every real input, alone and mixed with others.

Used by ``sorting.py``.  Every scanner's series, and every study of NIfTI files, has a row: *right*,
*unknown* (said to be so, or refused), or *wrong*.  Mixtures hold two or three inputs in one folder,
all that the seed draws and one whose parts are of the same examination; a row must say there what
it says alone, but for Sunnybrook's cines and scouts, which share their UIDs.  The role
tells what `analyze` would measure: right is a short-axis cine.
"""

import io
import shutil
import tempfile
import zipfile
from collections import Counter
from fnmatch import fnmatch
from itertools import combinations
from pathlib import Path

import numpy as np
import pydicom

from opencmr.anatomy.techniques import SequenceName
from opencmr.anatomy.views import ViewName
from opencmr.cli.sort import named_of
from opencmr.errors import OpencmrError
from opencmr.intake.studies import read_studies
from opencmr.sort.examination import MEASURED

PAIRS, TRIPLES, SEED = 12, 8, 20
SAME_EXAMINATION = ("sunnybrook SC-HF-I-1", "sunnybrook localizers")
ACDC_MIXED = 3
"""So many patients of ACDC go into a mixture: all of them would hide the others."""

# Input, what of its files is meant, sequence and view (None: not judged), by eye or by its owner.
TRUTHS = (
    *(("siemens_multiview", f"*/Se{n}/*", "cine bSSFP", "SAX") for n in (1, 2, 3, 4, 5, 11)),
    ("siemens_multiview", "*/Se6/*", "cine bSSFP", "4CH"),
    ("siemens_multiview", "*/Se7/*", "cine bSSFP", "3CH"),
    ("siemens_multiview", "*/Se8/*", "cine bSSFP", "2CH"),
    ("siemens_multiview", "*/Se9/*", "cine bSSFP", "RV 2CH"),
    ("siemens_multiview", "*/Se10/*", "cine bSSFP", "RVOT"),
    ("sunnybrook SC-HF-I-*", "*", "cine bSSFP", "SAX"),
    ("sunnybrook localizers", "*", "scout", None),
    ("t1_t2_phantoms", "*/ShMOLLI_192i_e11_1[23]/*", "T1 raw", None),
    ("t1_t2_phantoms", "*/ShMOLLI_192i_e11_T1MAP_14/*", "T1 map", None),
    ("t1_t2_phantoms", "*/ShMOLLI_192i_e11_FITPARAMS_15/*", "derived", None),
    ("t1_t2_phantoms", "dicomT[12]/*", "derived", None),  # secondary captures without a place
    ("hostile", "*", "not cardiac", None),
    ("acdc", "*", "cine bSSFP", "SAX"),
    ("lge_native", "*", "LGE magnitude", "SAX"),
    ("emidec native_samples", "*", "LGE magnitude", "SAX"),
)


def inputs(data):
    """Return the files of every real input by its name."""
    found = {
        "siemens_multiview": [data / "siemens_multiview" / "patient1.zip"],
        **{
            f"sunnybrook SC-HF-I-{n}": [data / "sunnybrook" / f"SC-HF-I-{n}.zip"] for n in (1, 4, 6)
        },
        "sunnybrook localizers": [data / "sunnybrook" / "localizers.zip"],
        "t1_t2_phantoms": [data / "t1_t2_phantoms" / "mapping_testdata.zip"],
        "hostile": sorted((data / "hostile").glob("*.dcm")),
        "acdc": sorted((data / "acdc").glob("*_e[ds].nii.gz")),
        "lge_native": sorted((data / "lge_native").glob("*_DE.nii.gz")),
        "emidec native_samples": [data / "emidec" / "native_samples.zip"],
    }
    missing = [str(path) for paths in found.values() for path in paths if not path.is_file()]
    if missing or not all(found.values()):
        raise SystemExit(f"not all of the real data is there: {missing or found}")
    return found


def truths_of(name, paths):
    """Return the truth of each DICOM series by its UID, and of each NIfTI file by its name."""
    told = {}
    for path in paths:
        if path.name.endswith(".nii.gz"):
            told[path.name] = truth_of(name, path.name)
            continue
        archive = zipfile.ZipFile(path) if path.suffix == ".zip" else None
        for member in archive.namelist() if archive else [path.name]:
            held = archive.read(member) if archive else path.read_bytes()
            try:
                header = pydicom.dcmread(io.BytesIO(held), stop_before_pixels=True)
                told[str(header.SeriesInstanceUID)] = truth_of(name, member)
            except (pydicom.errors.InvalidDicomError, AttributeError):
                continue
    return told


def truth_of(name, member):
    return next(
        (sequence, view)
        for source, pattern, sequence, view in TRUTHS
        if fnmatch(name, source) and fnmatch(member, pattern)
    )


def rows_of(folder):
    """Return (what it is, sequence, view, role) of each row; none of an input that is refused."""
    rows = []
    try:
        with read_studies(folder, is_listing_enough=True) as studies:
            listed = {id(one.series): one.files for one in studies.listed}
            for found in named_of(studies).values():
                for one in found:
                    key = one.scanned.uid or listed[id(one.scanned)][0].name
                    rows.append((key, one.naming.sequence, one.naming.view, one.role))
    except OpencmrError:
        pass
    return rows


def judged(name, rows, truths):
    """Count what is right, unknown and wrong of the rows, and what is measured of them."""
    counts, wrong, measured = Counter(), [], Counter()
    for key, sequence, view, role in rows:
        if key not in truths:
            wrong.append(f"{name}: a row of none of its files")
            continue
        right_sequence, right_view = truths[key]
        is_cine = right_sequence.startswith("cine") and right_view == "SAX"
        if MEASURED in role:
            measured["short-axis cine" if is_cine else f"{right_sequence} as a cine, flagged"] += 1
        unsure = sequence is SequenceName.UNKNOWN
        told = right_view is not None and not (unsure or view is ViewName.OTHER)
        right = sequence.value == right_sequence and (not told or view.value == right_view)
        counts["unknown" if unsure else "right" if right else "wrong"] += 1
        if not (unsure or right):
            said = f"{right_sequence} {right_view or ''}".strip()
            wrong.append(f"{name}: {said} named {sequence.value} {view.value}")
    return counts, wrong, measured


def placed(paths, folder, label):
    """Copy an input's files into a folder of its own."""
    place = folder / label.replace(" ", "_")
    place.mkdir()
    for path in paths:
        shutil.copy(path, place)


def mixtures(names):
    """Return which inputs are mixed: some pairs and triples, and the parts of one examination."""
    random = np.random.default_rng(SEED)
    chosen = [SAME_EXAMINATION]
    for many, count in ((2, PAIRS), (3, TRIPLES)):
        every = list(combinations(names, many))
        chosen += [every[n] for n in sorted(random.choice(len(every), count, replace=False))]
    return list(dict.fromkeys(chosen))


def every_input(data):
    """Return the figures of every input alone, and of mixtures."""
    found = inputs(data)
    truths = {name: truths_of(name, paths) for name, paths in found.items()}
    alone, said = {}, {}
    for name, paths in found.items():
        with tempfile.TemporaryDirectory() as place:
            placed(paths, Path(place), name)
            rows = rows_of(Path(place))
        counts, wrong, measured = judged(name, rows, truths[name])
        alone[name] = {
            "series": len(rows),
            "refused": not rows,
            **counts,
            "measured": dict(measured),
            "wrong series": sorted(set(wrong)),
        }
        said |= {(name, key): (sequence, view) for key, sequence, view, _ in rows}
    mixed, otherwise = [], []
    for names in mixtures(tuple(found)):
        with tempfile.TemporaryDirectory() as place:
            for name in names:
                few = found[name][: 2 * ACDC_MIXED] if name == "acdc" else found[name]
                placed(few, Path(place), name)
            rows = rows_of(Path(place))
        both, shared = {}, set()
        for name in names:
            shared |= both.keys() & truths[name].keys()
            both = truths[name] | both  # a series of cine and scouts is to be named the cine
        counts, wrong, measured = judged(" + ".join(names), rows, both)
        mixed.append(
            {"of": names, "series": len(rows), **counts, "measured": dict(measured), "wrong": wrong}
        )
        for key, sequence, view, _ in rows:
            for name in names:
                before = said.get((name, key))
                if before and key not in shared and before != (sequence, view):
                    told = f"{before[0].value} {before[1].value} alone"
                    otherwise.append(
                        f"{' + '.join(names)}: {told}, {sequence.value} {view.value} mixed"
                    )
    return {
        "alone": alone,
        "mixed": mixed,
        "named otherwise in a mixture": otherwise,
    }
