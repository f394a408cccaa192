"""The classifier: shares of the five groups, a set that holds the true one, and a doubt.

A sheet is a multinomial logistic regression on the measurements that it names; of the sheets
whose measurements are all there the first, which names most, answers.  Everything is plain
numbers in one JSON file: numpy computes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from opencmr.diagnose.definitions import shortfalls
from opencmr.diagnose.features import FEATURES
from opencmr.errors import ModelError
from opencmr.models.card import CLASSIFIER_FILE, DiagnosisCard
from opencmr.models.session import checked_weights

ALPHA = 0.10
"""Sets hold the true group in 90 of 100 patients like those of the training."""
NOVEL = 0.95
"""From here on a heart is like none of the groups: one in twenty that are is flagged falsely."""

Vector = Annotated[tuple[float, ...], Field(min_length=1)]
Matrix = Annotated[tuple[Vector, ...], Field(min_length=1)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Sheet(_Part):
    """One logistic regression with all that its answers need.

    Attributes
    ----------
    name : str
    symbols : tuple of str
        The K measurements that it reads.
    mean, sd : (K,)
        Of the training, in the unit of each.
    coefficients : (C, K)
        For standardised measurements, over the temperature that calibrates them.
    intercepts : (C,)
    scores : (N,)
        One less the share of the true group, of training hearts left out of the fit.
    centres : (C, K)
        Mean of each group, standardised.
    precisions : (C, K, K)
        Inverse of the shrunk covariance of each group, standardised.
    defining : tuple of str
        Measurements by which the definitions of the groups are looked at.
    distances : (N,)
        How far training hearts left out of the fit lie from the nearest group.
    shortfalls : (N,)
        By how many margins the same hearts miss the definition that they miss by least.
    """

    name: str
    symbols: Annotated[tuple[str, ...], Field(min_length=1)]
    mean: Vector
    sd: Vector
    coefficients: Matrix
    intercepts: Vector
    scores: Vector
    centres: Matrix
    precisions: Annotated[tuple[Matrix, ...], Field(min_length=1)]
    defining: tuple[str, ...]
    distances: Vector
    shortfalls: Vector

    @model_validator(mode="after")
    def _check(self) -> Self:
        count, classes = len(self.symbols), len(self.intercepts)
        shapes = {
            "mean": (count,),
            "sd": (count,),
            "coefficients": (classes, count),
            "centres": (classes, count),
        }
        for name, shape in shapes.items():
            rows = getattr(self, name)
            ragged = len(shape) == 2 and {len(row) for row in rows} != {shape[1]}
            if len(rows) != shape[0] or ragged:
                raise ValueError(f"{self.name}: {name} has not the shape {shape}")
        if len(self.precisions) != classes or any(
            {len(one), *map(len, one)} != {count} for one in self.precisions
        ):
            raise ValueError(f"{self.name}: precisions have not the shape {classes, count, count}")
        if len(self.shortfalls) != len(self.distances):
            raise ValueError(f"{self.name}: not a shortfall for each distance")
        unknown = {*self.symbols, *self.defining} - {one.symbol for one in FEATURES}
        if unknown:
            raise ValueError(f"{self.name}: unknown measurements {sorted(unknown)}")
        if min(self.sd) <= 0:
            raise ValueError(f"{self.name}: a standard deviation is not positive")
        return self

    def fits(self, values: Mapping[str, float]) -> bool:
        """Return whether all its measurements are there."""
        return all(symbol in values for symbol in (*self.symbols, *self.defining))

    def standardised(self, values: Mapping[str, float]) -> np.ndarray:
        """Return the measurements ``(K,)`` in standard deviations from the training's mean."""
        found = np.array([values[symbol] for symbol in self.symbols])
        return np.asarray((found - np.array(self.mean)) / np.array(self.sd))

    def logits(self, z: np.ndarray) -> np.ndarray:
        """Return the evidence ``(C,)`` for each group; shares are its softmax."""
        return np.asarray(np.array(self.coefficients) @ z + np.array(self.intercepts))

    def shares(self, z: np.ndarray) -> np.ndarray:
        """Return the calibrated probability ``(C,)`` of each group."""
        logits = self.logits(z)
        powers = np.exp(logits - logits.max())
        return np.asarray(powers / powers.sum())

    def is_in_set(self, share: float, alpha: float = ALPHA) -> bool:
        """Return whether a group with this share belongs to the set.

        Cross-conformal (Vovk, Ann Math Artif Intell 2015; 74:9): it does where at least a share
        ``alpha`` of the training hearts, this one counted, fit their own group as badly.
        """
        scores = np.array(self.scores)
        return bool((1 + (scores >= 1 - share).sum()) / (scores.size + 1) > alpha)

    def distance(self, z: np.ndarray) -> float:
        """Return how far a heart lies from the nearest group.

        Minus twice the logarithm of a normal distribution's density, but for a constant.
        """
        return float(min(distances_to(z, np.array(self.centres), np.array(self.precisions))))

    def shortfall(self, values: Mapping[str, float], classes: Sequence[str]) -> float:
        """Return by how many margins a heart misses the definition that it misses by least."""
        read = {symbol: values[symbol] for symbol in self.defining}
        return float(shortfalls(read, classes).min())

    def novelty_p(self, values: Mapping[str, float], classes: Sequence[str]) -> float:
        """Return the share of training hearts, this one counted, that are as unlike all groups."""
        distance = self.distance(self.standardised(values))
        shortfall = self.shortfall(values, classes)
        return unlike_p(np.append(self.distances, distance), np.append(self.shortfalls, shortfall))


def unlike_p(distances: np.ndarray, shortfalls: np.ndarray) -> float:
    """Return the share of hearts that are as unlike all groups as the last of them.

    Far from the groups' measurements and beyond their definitions: the shares of hearts that are
    as far in the one and in the other are multiplied (Fisher, Statistical Methods for Research
    Workers, 1925), and the product is ranked among those of all hearts, so that it does not
    matter what the two have to do with each other.

    Parameters
    ----------
    distances, shortfalls : (N + 1,)

    Examples
    --------
    >>> unlike_p(np.array([1.0, 2.0, 3.0, 9.0]), np.array([0.0, 1.0, -1.0, 5.0]))
    0.25
    """
    ranks = [(one[None] >= one[:, None]).mean(1) for one in (distances, shortfalls)]
    product = ranks[0] * ranks[1]
    return float((product <= product[-1] * (1 + 1e-9)).mean())


def distances_to(z: np.ndarray, centres: np.ndarray, precisions: np.ndarray) -> np.ndarray:
    """Return the distance to each group.

    Parameters
    ----------
    z : (..., K)
    centres : (C, K)
    precisions : (C, K, K)

    Returns
    -------
    (..., C) : squared Mahalanobis distance, less the logarithm of the precision's determinant
    """
    offset = z[..., None, :] - centres
    squared = np.einsum("...ck,ckl,...cl->...c", offset, precisions, offset)
    return np.asarray(squared - np.linalg.slogdet(precisions)[1])


class Case(_Part):
    """One training heart: its group, and its measurements by symbol, standardised."""

    group: str
    values: Mapping[str, float]


class Span(_Part):
    """Where the middle 90 % of a group's training hearts lie."""

    low: float
    high: float


class Classifier(_Part):
    """The sheets, and the training hearts that answers are compared with.

    Attributes
    ----------
    classes : tuple of str
    sheets : tuple of Sheet
        Those that name more first.
    spans : mapping from symbol to mapping from group
    cases : tuple of Case
        Without identity, in no order.
    """

    classes: Annotated[tuple[str, ...], Field(min_length=2)]
    sheets: Annotated[tuple[Sheet, ...], Field(min_length=1)]
    spans: Mapping[str, Mapping[str, Span]]
    cases: tuple[Case, ...]

    @model_validator(mode="after")
    def _check(self) -> Self:
        for sheet in self.sheets:
            if len(sheet.intercepts) != len(self.classes):
                raise ValueError(f"{sheet.name}: not a row for each of {self.classes}")
        if not {case.group for case in self.cases} <= set(self.classes):
            raise ValueError("a training case is of a group that is none of the classes")
        return self

    def answer(self, values: Mapping[str, float]) -> "Answer | None":
        """Return what the first sheet says that has all its measurements; None where none has."""
        for sheet in self.sheets:
            if sheet.fits(values):
                return Answer(self.classes, sheet, values)
        return None


@dataclass(frozen=True, eq=False)
class Answer:
    """What one sheet says of one heart."""

    classes: tuple[str, ...]
    sheet: Sheet
    values: Mapping[str, float]

    @cached_property
    def z(self) -> np.ndarray:
        """The measurements, standardised."""
        return self.sheet.standardised(self.values)

    @cached_property
    def shares(self) -> np.ndarray:
        """Probability of each class."""
        return self.sheet.shares(self.z)

    @property
    def group(self) -> str:
        """The most probable class."""
        return self.classes[int(self.shares.argmax())]

    @property
    def probabilities(self) -> dict[str, float]:
        """Probability by class."""
        return dict(zip(self.classes, map(float, self.shares), strict=True))

    @property
    def groups(self) -> tuple[str, ...]:
        """The 90 % set, the most probable class always among them."""
        return tuple(
            name
            for name, share in self.probabilities.items()
            if name == self.group or self.sheet.is_in_set(share)
        )

    @property
    def fits_its_group(self) -> bool:
        """Whether nine of ten training hearts fit their group no better than this one its."""
        return self.sheet.is_in_set(float(self.shares.max()))

    @property
    def novelty(self) -> float:
        """Share of the training hearts that resemble a group more."""
        return 1 - self.sheet.novelty_p(self.values, self.classes)


def read_classifier(content: bytes) -> Classifier:
    """Read a classifier from the bytes of its JSON file.

    Raises
    ------
    ModelError
        When it is no such file.
    """
    try:
        return Classifier.model_validate_json(content)
    except ValidationError as error:
        fault = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, fault["loc"]))
        raise ModelError(f"the classifier is wrong: {where}: {fault['msg']}") from error


def load_classifier(card: DiagnosisCard) -> Classifier:
    """Return the classifier of a model folder, after comparing it with its checksum.

    Raises
    ------
    ModelError
        When it is missing, another than the card says, or wrong.
    """
    return read_classifier(checked_weights(card, CLASSIFIER_FILE))
