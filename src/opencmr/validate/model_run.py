"""Running a model over a labelled data set, and then the validation of what it made.

With :mod:`opencmr.validate.run` the only module of the room that touches files.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path

from opencmr import storage
from opencmr.errors import ConfigurationError, GeometryError, InputError, OpencmrError
from opencmr.intake.nifti.read import NiftiReading, as_phases, read_nifti, require_image
from opencmr.intake.nifti.write import write_labels_nifti
from opencmr.models.runner import SegmentationRunner
from opencmr.progress import Progress, silent
from opencmr.segment.short_axis import empty_segmentation, segment_short_axis
from opencmr.train.manifest import MANIFESTS, Row
from opencmr.validate.case import ED, ES, require_one_grid
from opencmr.validate.cohort import Cohort
from opencmr.validate.data_set import (
    LabelledData,
    claim_of,
    origin_of,
    remarks_on,
    require_fit,
    rows_of_json,
    stem_of,
)
from opencmr.validate.page import variability_table
from opencmr.validate.run import Background, Comparison, Pair, compare, naming, read_labels
from opencmr.validate.variability import Stack, Variety, stack_of, variability

PREDICTIONS = "predictions"
EVERY_FOLD = tuple(range(100))
"""No manifest has more."""


@dataclass(frozen=True, slots=True)
class ModelRun:
    """A model and the data that it is run over.

    Attributes
    ----------
    network : Runner
        Of segmentation.
    data : LabelledData
    folder : Path
        Of the data sets, below which the manifest's paths lie.
    """

    network: SegmentationRunner
    data: LabelledData
    folder: Path


def read_data(named: str, folder: Path, folds: Sequence[int] | None = None) -> LabelledData:
    """Return the labelled data of a manifest.

    Parameters
    ----------
    named : str
        A data set that opencmr knows, or the path of a ``manifest.json`` as training writes it.
    folder : Path
        Of the data sets.
    folds : sequence of int or None
        None for all.

    Raises
    ------
    ConfigurationError
        When there is no such manifest, it is wrong, or has no row in the folds.
    GeometryError
        When its pictures state no spacing.
    """
    if not folder.is_dir():
        raise ConfigurationError(f"the data folder {folder} is no folder")
    known = MANIFESTS.get(named)
    if known is not None:
        name, rows = named, known.rows(folder, EVERY_FOLD)
    else:
        path = Path(named)
        if not path.is_file():
            raise ConfigurationError(
                f"no data set {named!r}; known: {', '.join(MANIFESTS)}, or name a manifest.json"
            )
        name, rows = path.name, rows_of_json(path.read_bytes(), path.name)
    chosen = tuple(row for row in rows if folds is None or row.fold in folds)
    others = tuple(row for row in rows if row not in chosen)
    return LabelledData(name, chosen, others, known.data_set if known else None)


def validate_model(
    run: ModelRun,
    output: Path,
    *,
    overwrite: bool = False,
    progress: Progress = silent,
) -> tuple[Cohort, list[Path]]:
    """Segment every image of the data, compare with its labels, and write both.

    The phases of a subject are segmented together, as ``opencmr analyze`` does with a pair.

    Returns
    -------
    Cohort, list of Path
        What was found, and the files written: those of :func:`opencmr.validate.run.validate`
        and the predictions.

    Raises
    ------
    InputError, GeometryError
        When an image or its labels cannot be read, or do not lie on one grid.
    ConfigurationError
        When the model segments other pictures, or the output cannot be written.
    """
    data = run.data
    require_fit(run.network.card, data)
    inputs = [run.folder / path for row in data.rows for path in (row.image, row.labels)]
    absent = [path for path in inputs if not path.is_file()]
    if absent:
        raise InputError(f"the manifest {data.name} names {absent[0]}, which is no file")
    with storage.result_folder(output, overwrite=overwrite, inputs=[run.folder]) as folder:
        made = _Made([], [], [], {})
        for done, (subject, rows) in enumerate(data.cases.items()):
            progress("segmenting", done, len(data.cases))
            _segment(run, subject, rows, folder / PREDICTIONS, made)
        progress("segmenting", len(data.cases), len(data.cases))
        card = run.network.card
        compared = Comparison(made.pairs, card.output.scheme, data.scheme, groups=data.groups)
        background = _background(run, made)
        cohort, names = compare(compared, folder, background=background, progress=progress)
    return cohort, [output / name for name in names]


@dataclass(frozen=True, slots=True)
class _Made:
    """What the subjects so far have left: what was read, written, not seen, and is to compare."""

    stacks: list[Stack]
    written: list[Path]
    unseen: list[str]
    pairs: dict[str, list[Pair]]


def _segment(run: ModelRun, subject: str, rows: Sequence[Row], folder: Path, made: _Made) -> None:
    """Segment a subject's images together and write the labels of each row."""
    readings = _read(rows, run, made.stacks)
    image = readings[0].image if len(rows) == 1 else as_phases(readings).image
    found = segment_short_axis(image, run.network)
    if found is None:
        made.unseen.append(subject)
        found = empty_segmentation(image, run.network)
    made.pairs[subject] = []
    for n, row in enumerate(rows):
        path = folder / f"{stem_of(row)}.nii.gz"
        labels = found.labels if len(rows) == 1 else found.labels[n : n + 1]
        source = run.folder / row.image
        made.written.extend(
            write_labels_nifti(path, labels, scheme=found.scheme, grid=image.grid, like=source)
        )
        stated = row.phase.upper() if row.phase.upper() in (ED, ES) else ""
        made.pairs[subject].append(Pair(subject, stated, path, run.folder / row.labels))


def _read(rows: Sequence[Row], run: ModelRun, stacks: list[Stack]) -> list[NiftiReading]:
    """Read a subject's images, each a phase or the only one a cine, on the grid of its labels."""
    readings: list[NiftiReading] = []
    for row in rows:
        path = run.folder / row.image
        try:
            reading = require_image(read_nifti(path))
        except OpencmrError as error:
            raise naming(path, error) from error
        image, truth = reading.image, read_labels(run.folder / row.labels, run.data.scheme)
        if image.phases != truth.labels.shape[0]:
            raise GeometryError(
                f"{path} holds {image.phases} phases, its labels {truth.labels.shape[0]}"
            )
        if len(rows) > 1 and image.phases > 1:
            raise InputError(
                f"{path} and the other files of {row.subject} hold several phases each; expected "
                "one a file, or one file"
            )
        others = [(row.labels, truth.grid), *((rows[0].image, r.image.grid) for r in readings[:1])]
        for name, grid in others:
            try:
                require_one_grid(image.grid, grid)
            except GeometryError as error:
                raise GeometryError(f"{path} lies on another grid than {name}: {error}") from error
        readings.append(reading)
        stacks.append(stack_of(origin_of(row), image, truth))
    return readings


def _background(run: ModelRun, made: _Made) -> Background:
    """Return what model, manifest and run say beside the comparison."""
    card, data = run.network.card, run.data
    varieties = variability(made.stacks)
    remarks = remarks_on(card, data)
    if made.unseen:
        remarks += (
            f"No heart was seen in {len(made.unseen)} of {len(data.cases)} cases; their labels "
            "are empty and are scored.",
        )
    folds = ", ".join(map(str, data.folds))
    models = [run.network.card.use]
    return Background(
        facts=(("Model", card.title), ("Data", data.name), ("Folds", folds)),
        remarks=remarks,
        tables=(variability_table(varieties),),
        claim=claim_of(card, data, images=_images(varieties)),
        results={
            "data": {
                "name": data.name,
                "folds": list(data.folds),
                "subjects": len(data.cases),
                "variability": [one.plain for one in varieties],
            },
            "remarks": list(remarks),
            "no_heart_seen": made.unseen,
        },
        versions={"onnxruntime": version("onnxruntime")},
        record={"models": [asdict(model) for model in models], "data": data.name},
        written=tuple(made.written),
    )


def _images(varieties: Sequence[Variety]) -> str:
    """Say what the pictures are like: vendors, field strengths, spacings."""
    told = [f"{one.column}: {one.group}" for one in varieties[1:]]
    everything = varieties[0]
    for name, span in (
        ("slice spacing", everything.slice_spacing_mm),
        ("row spacing", everything.row_spacing_mm),
        ("column spacing", everything.column_spacing_mm),
    ):
        if span is not None:
            told.append(f"{name} {span.low:.2f} to {span.high:.2f} mm")
    return "; ".join(told)
