"""The labelled data that a model is run over: rows of a manifest, checked, and what they say."""

import re
from dataclasses import dataclass

from pydantic import ValidationError

from opencmr.anatomy.structures import LabelScheme, scheme_named
from opencmr.errors import ConfigurationError, GeometryError
from opencmr.models.card import SegmentationCard, faults
from opencmr.train.manifest import ROWS, DataSet, Row
from opencmr.validate.variability import Origin

PLAIN_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")
"""What may become a part of a file's name."""
GROUPED_BY = ("site", "vendor")
"""Columns of a manifest by which results are summarised."""


@dataclass(frozen=True, slots=True)
class LabelledData:
    """Rows of a manifest that a model is run over.

    Attributes
    ----------
    name : str
        Of the manifest.
    rows : tuple of Row
        Those of the chosen folds.
    others : tuple of Row
        The manifest's other rows.
    data_set : DataSet or None
        None for a manifest that was read from a file.

    Raises
    ------
    ConfigurationError
        When there is no row, the rows have several label schemes, a subject or a phase is no plain
        name or stands twice, or a path leads out of the data folder.
    GeometryError
        When the pictures state no spacing: distances and volumes would be invented.
    """

    name: str
    rows: tuple[Row, ...]
    others: tuple[Row, ...]
    data_set: DataSet | None = None

    def __post_init__(self) -> None:
        if not self.rows:
            folds = sorted({row.fold for row in self.others})
            raise ConfigurationError(
                f"the manifest {self.name} has no row in these folds; it has the folds {folds}"
            )
        schemes = sorted({row.label_scheme for row in self.rows})
        if len(schemes) > 1:
            raise ConfigurationError(
                f"the manifest {self.name} mixes label schemes: {', '.join(schemes)}"
            )
        names = [name for row in self.rows for name in (row.subject, row.phase or "none")]
        strange = [name for name in names if not PLAIN_NAME.fullmatch(name)]
        if strange:
            raise ConfigurationError(
                f"the manifest {self.name} has the subject or phase {strange[0]!r}; expected "
                "letters, digits, '.', '_' and '-', 100 at most"
            )
        stems = [stem_of(row) for row in self.rows]
        twice = [stem for stem in dict.fromkeys(stems) if stems.count(stem) > 1]
        if twice:
            raise ConfigurationError(f"the manifest {self.name} has {twice[0]} more than once")
        self._require_paths_inside()
        if any(row.nominal_spacing_mm is not None for row in self.rows):
            raise GeometryError(
                f"the pictures of {self.name} state no spacing, and the nominal one is for "
                "training alone: no distance or volume can be compared"
            )

    def _require_paths_inside(self) -> None:
        for path in (path for row in self.rows for path in (row.image, row.labels)):
            if not path or path.startswith("/") or ".." in path.split("/"):
                raise ConfigurationError(
                    f"the manifest {self.name} has the path {path!r}; expected one below the "
                    "data folder"
                )

    @property
    def scheme(self) -> LabelScheme:
        """What the integers of its labels mean."""
        return scheme_named(self.rows[0].label_scheme)

    @property
    def folds(self) -> tuple[int, ...]:
        """The folds that the rows are of."""
        return tuple(sorted({row.fold for row in self.rows}))

    @property
    def cases(self) -> dict[str, list[Row]]:
        """The rows of each subject."""
        found: dict[str, list[Row]] = {}
        for row in self.rows:
            found.setdefault(row.subject, []).append(row)
        return found

    @property
    def groups(self) -> dict[str, dict[str, str]]:
        """Column to subject to value, for :func:`opencmr.validate.cohort.summarise`."""
        return {
            column: {row.subject: origin_of(row).groups[column] for row in self.rows}
            for column in GROUPED_BY
        }

    @property
    def in_other_folds(self) -> tuple[str, ...]:
        """Subjects that stand in another fold too."""
        elsewhere = {row.subject for row in self.others}
        return tuple(subject for subject in self.cases if subject in elsewhere)


def rows_of_json(content: bytes, name: str) -> tuple[Row, ...]:
    """Return the rows of a manifest as training writes it.

    Raises
    ------
    ConfigurationError
        When it is no such file; the message names what is wrong.
    """
    try:
        return ROWS.validate_json(content)
    except ValidationError as error:
        raise ConfigurationError(f"{name} is no manifest: {faults(error)}") from error


def stem_of(row: Row) -> str:
    """Return the name of a row's prediction, without its ending."""
    return f"{row.subject}_{row.phase}" if row.phase else row.subject


def origin_of(row: Row) -> Origin:
    """Return where a row's stack is from."""
    field = "" if row.field_strength_t is None else f"{row.field_strength_t:g} T"
    return Origin(row.subject, row.site, row.vendor, field)


def require_fit(card: SegmentationCard, data: LabelledData) -> None:
    """Refuse a model that segments other pictures than those of a data set.

    Raises
    ------
    ConfigurationError
        When view or technique differ; a manifest that was read from a file says neither.
    """
    if data.data_set is None:
        return
    takes = (card.input.view, card.input.technique)
    holds = (data.data_set.view, data.data_set.technique)
    if takes != holds:
        raise ConfigurationError(
            f"{card.title} segments {takes[0].value} {takes[1].value}; the data set {data.name} "
            f"holds {holds[0].value} {holds[1].value}"
        )


def learnt_folds(card: SegmentationCard, data: LabelledData) -> tuple[int, ...] | None:
    """Return the folds of the data that a model's card says it learnt from.

    None where the card names this data set without folds that can be read; empty where it does
    not name it.
    """
    if data.data_set is None or data.data_set.title not in card.training_data:
        return ()
    said = re.search(
        re.escape(data.data_set.title) + r", folds (\d+(?:, \d+)*) of ", card.training_data
    )
    return None if said is None else tuple(int(fold) for fold in said[1].split(", "))


def remarks_on(card: SegmentationCard, data: LabelledData) -> tuple[str, ...]:
    """Return what makes the figures of a model on these data too good, in sentences."""
    remarks = []
    learnt = learnt_folds(card, data)
    if learnt is None:
        remarks.append(
            f"The card of {card.title} names this data set among what it learnt from: these "
            "figures may be no test."
        )
    elif seen := sorted(set(learnt) & set(data.folds)):
        remarks.append(
            f"{card.title} learnt from fold {', '.join(map(str, seen))} of this data set: figures "
            "over it are no test."
        )
    if data.data_set is None:
        remarks.append(
            "Whether the model learnt from these data cannot be told from a manifest file; its "
            f"card says: {card.training_data}."
        )
    if twice := data.in_other_folds:
        remarks.append(
            f"{len(twice)} of the subjects stand in another fold of the manifest too: the folds "
            "are not apart."
        )
    return tuple(remarks)


def claim_of(card: SegmentationCard, data: LabelledData, *, images: str) -> dict[int, str]:
    """Return what card, manifest and run know of the items of CLAIM.

    Parameters
    ----------
    images : str
        What the pictures are like, in words.
    """
    taken, given = card.input, card.output
    learnt = learnt_folds(card, data)
    known = {
        7: f"{_title(data)}; terms: {'; '.join(sorted({row.terms for row in data.rows}))}",
        9: f"resampled to {taken.spacing_mm:g} mm in plane, cut to the heart, intensities from "
        f"percentile {taken.intensity_percentiles[0]:g} to {taken.intensity_percentiles[1]:g} "
        "scaled to 0 to 1",
        10: f"fold {', '.join(map(str, data.folds))} of the manifest",
        13: f"{taken.view.value} {taken.technique.value}; {images}",
        19: f"by the folds of the manifest; the model's card: {card.training_data}",
        22: f"{card.title}, SHA-256 {card.sha256}: {taken.planes or 'all'} slices in, "
        f"{', '.join(s.value for s in given.scheme.structures.values())} out",
        25: f"as the model's card says: {card.training_data}; code {card.trained_by}",
        27: "none: one network",
        40: f"of the model, by its card: {card.limitations}",
        41: f"intended use, by the model's card: {card.intended_use}",
        43: f"opencmr: Apache-2.0; model: {card.terms}",
    }
    if data.others and not data.in_other_folds:
        known[20] = "subjects: none of those tested stands in another fold of the manifest"
    if learnt and not set(learnt) & set(data.folds):
        known[32] = f"yes: another fold of the data set that the model learnt from, {_title(data)}"
    return known


def _title(data: LabelledData) -> str:
    return data.data_set.title if data.data_set else f"manifest {data.name}"
