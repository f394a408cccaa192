"""The model card: what a model is for, what it expects and gives, where it comes from."""

import reprlib
from collections.abc import Mapping
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    PlainSerializer,
    PrivateAttr,
    StringConstraints,
    TypeAdapter,
    ValidationError,
    model_validator,
)

from opencmr.anatomy.policy import BasalRule, ContourPolicy, PapillaryRule
from opencmr.anatomy.structures import LabelScheme, Structure, scheme_named
from opencmr.anatomy.techniques import Technique
from opencmr.anatomy.views import View
from opencmr.errors import ModelError
from opencmr.geometry.grid import SPACING_LIMITS_MM
from opencmr.imaging.reading import ModelUse
from opencmr.models.precision import Precision, is_quick_at_int8
from opencmr.storage import sha256_of_bytes

CARD_FILE = "model.json"
WEIGHTS_FILE = "weights.onnx"
INT8_FILE = "weights_int8.onnx"
CLASSIFIER_FILE = "classifier.json"
LARGEST_SIDE_PX = 4096
"""No picture of a heart is wider; a slip of the pen must not ask for all memory."""
MOST_CONTEXT_SLICES = 32
"""No short-axis stack has more neighbours on one side."""
MOST_CHANNELS = 64
"""No network sees more pictures of one unwrapped slice."""
FAULTS_TOLD = 4
"""Faults of one file that a message names."""

Text = Annotated[str, StringConstraints(min_length=1)]
Word = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.+-]*$")]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
SidePx = Annotated[int, Field(ge=1, le=LARGEST_SIDE_PX)]
Percent = Annotated[float, Field(ge=0, le=100)]
InPlaneSpacing = Annotated[float, Field(ge=SPACING_LIMITS_MM[0], le=SPACING_LIMITS_MM[1])]


def _known_scheme(name: str) -> str:
    return scheme_named(name).name


def _by_name(kind: type[Enum]) -> BeforeValidator:
    """Return the validator that takes a member of ``kind`` by its name."""
    return BeforeValidator(lambda v: kind.__members__.get(v, v) if isinstance(v, str) else v)


_NAME_OF = PlainSerializer(lambda member: member.name, return_type=str)
StructureByName = Annotated[Structure, _by_name(Structure), _NAME_OF]
SchemeName = Annotated[str, AfterValidator(_known_scheme)]


def _rising(limits: tuple[float, float]) -> tuple[float, float]:
    if limits[0] >= limits[1]:
        raise ValueError("the lower percentile must be below the upper one")
    return limits


class _Part(BaseModel):
    """A part of a card: every key known, every value of its own type, nothing changed later."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class NetworkInput(_Part):
    """What a network takes."""

    @property
    def planes(self) -> int | None:
        """Pictures that it sees at once; None: any number."""
        raise NotImplementedError


class PictureInput(NetworkInput):
    """Pictures as a network takes them.

    Attributes
    ----------
    spacing_mm : float
        In-plane spacing of the network's grid, rows and columns alike.
    window_px : int
        Side of the windows that it was trained on.
    intensity_percentiles : (low, high)
        Percentiles of the window that are scaled to 0 and 1; values outside are clipped.
    """

    spacing_mm: InPlaneSpacing
    window_px: SidePx
    intensity_percentiles: Annotated[tuple[Percent, Percent], AfterValidator(_rising)]

    @property
    def planes(self) -> int | None:
        """Pictures that it sees at once; None: any number."""
        return 1


class SegmentationInput(PictureInput):
    """Slices of a stack as a segmentation network takes them.

    Attributes
    ----------
    view, technique
        What the stack must show, and how it must have been made.
    stride_px : int
        Height and width of an input must be multiples of this.
    context_slices : int
        Neighbouring slices on each side that it sees beside the one that it labels.
    whole_stack : bool
        It takes stacks of any number of slices, and labels every one.
    """

    view: View
    technique: Technique
    stride_px: SidePx
    context_slices: Annotated[int, Field(ge=0, le=MOST_CONTEXT_SLICES)]
    whole_stack: bool = False

    @property
    def planes(self) -> int | None:
        """Slices that it sees at once: one between its neighbours; None for whole stacks."""
        return None if self.whole_stack else 2 * self.context_slices + 1

    @model_validator(mode="after")
    def _check_window(self) -> Self:
        if self.window_px % self.stride_px:
            raise ValueError(
                f"window_px {self.window_px} must be a multiple of stride_px {self.stride_px}"
            )
        return self


class WallInput(NetworkInput):
    """The wall of a slice, unwrapped, as a network takes it for a second look.

    Attributes
    ----------
    view, technique
        What the stack must show, and how it must have been made.
    follows : str
        Name of the segmentation model at whose labels it looks again.
    strip : int
        Version of the unwrapping; weights know one alone.
    channels : int
        Pictures of the unwrapped slice.
    """

    view: View
    technique: Technique
    follows: Word
    strip: Literal[1]
    channels: Annotated[int, Field(ge=1, le=MOST_CHANNELS)]

    @property
    def planes(self) -> int:
        """Pictures of the unwrapped slice."""
        return self.channels


class SharesOutput(_Part):
    """Shares of classes that sum to one."""

    @property
    def channels(self) -> int:
        """Classes."""
        raise NotImplementedError


class SegmentationOutput(SharesOutput):
    """Shares of the classes of a label scheme, background first, under a contour policy.

    Attributes
    ----------
    share_factors : mapping of Structure to float
        What a share is multiplied by before the greatest wins: soft Dice takes a thin structure's
        doubtful pixels for it.  1 where nothing is said.
    """

    label_scheme: SchemeName
    papillary_rule: Annotated[PapillaryRule, _by_name(PapillaryRule), _NAME_OF]
    basal_rule: Annotated[BasalRule, _by_name(BasalRule), _NAME_OF]
    share_factors: Mapping[StructureByName, Annotated[float, Field(gt=0, le=10)]] = {}

    @model_validator(mode="after")
    def _check_factors(self) -> Self:
        if missing := self.share_factors.keys() - set(self.scheme.structures.values()):
            names = ", ".join(sorted(one.name for one in missing))
            raise ValueError(f"share_factors names {names}, which {self.label_scheme} has not")
        return self

    @property
    def factors(self) -> tuple[float, ...]:
        """Factor of each class, background first."""
        structures = (structure for _, structure in sorted(self.scheme.structures.items()))
        return 1.0, *(self.share_factors.get(structure, 1.0) for structure in structures)

    @property
    def scheme(self) -> LabelScheme:
        """Which class is which structure."""
        return scheme_named(self.label_scheme)

    @property
    def policy(self) -> ContourPolicy:
        """The rules under which its volumes are measured."""
        return ContourPolicy(self.papillary_rule, self.basal_rule)

    @property
    def channels(self) -> int:
        """Classes, background included."""
        return len(self.scheme.structures) + 1


def _distinct(classes: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(classes)) < len(classes):
        raise ValueError("a class stands twice")
    return classes


class ClassificationOutput(SharesOutput):
    """Shares of classes, in this order."""

    classes: Annotated[tuple[Text, ...], Field(min_length=2), AfterValidator(_distinct)]

    @property
    def channels(self) -> int:
        """Classes."""
        return len(self.classes)


class ModelCard(_Part):
    """What the cards of all tasks say.

    Attributes
    ----------
    sha256 : str
        Of the file that computes: ``weights.onnx``, or ``classifier.json``.
    trained_by : str
        Version or commit of the code that trained it.
    figures : mapping
        Measured accuracy with its data set, as in ``benchmarks/``.
    """

    name: Word
    version: Word
    task: str
    sha256: Sha256
    trained_by: Text = "not recorded"
    training_data: Text
    terms: Text
    intended_use: Text
    limitations: Text
    figures: Mapping[str, JsonValue]

    _folder: Path = PrivateAttr(default=Path())
    _file_sha256: str = PrivateAttr(default="")

    @property
    def title(self) -> str:
        """Name and version."""
        return f"{self.name} {self.version}"

    @property
    def reference(self) -> str:
        """``name@version``, as the command line takes it."""
        return f"{self.name}@{self.version}"

    @property
    def folder(self) -> Path:
        """Where card and weights lie; of a card that was never written, the working folder."""
        return self._folder

    @property
    def file_sha256(self) -> str:
        """SHA-256 of ``model.json`` as it was read; empty for a card that was never written."""
        return self._file_sha256

    @property
    def use(self) -> ModelUse:
        """What the record of a run says of the model."""
        return ModelUse(
            self.name,
            self.version,
            self.sha256,
            self.terms,
            self.training_data,
            self.file_sha256,
            self.precision.value,
        )

    @property
    def precision(self) -> Precision:
        """In what the model computes: 32-bit floats, but for a network that was asked otherwise."""
        return Precision.F32


class Int8Weights(_Part):
    """The same network in 8-bit integers, in ``weights_int8.onnx``.

    Attributes
    ----------
    sha256 : str
        Of that file.
    calibration : str
        Pictures to which its layers were fitted.
    """

    sha256: Sha256
    calibration: Text


class NetworkCard(ModelCard):
    """The card of a network that takes pictures and gives shares.

    Attributes
    ----------
    int8 : Int8Weights or None
        A second file of weights, which computes faster where the processor has instructions
        for it.
    """

    input: NetworkInput
    output: SharesOutput
    int8: Int8Weights | None = None

    _precision: Precision = PrivateAttr(default=Precision.F32)

    @property
    def precision(self) -> Precision:
        """In what the network computes: ``sha256`` is of the weights of this precision."""
        return self._precision

    @property
    def weights_file(self) -> str:
        """Name of the weights of its precision."""
        return INT8_FILE if self.precision is Precision.INT8 else WEIGHTS_FILE

    def at(self, asked: Precision) -> Self:
        """Return the card as the network runs that is asked to compute like this.

        8-bit integers where the model has such weights; asked for ``auto``, only where the
        processor is quick at them.
        """
        if self.int8 is None or asked is Precision.F32:
            return self
        if asked is Precision.AUTO and not is_quick_at_int8():
            return self
        card = self.model_copy(update={"sha256": self.int8.sha256})
        card._precision = Precision.INT8
        return card


class SegmentationCard(NetworkCard):
    """The card of a network that labels structures."""

    task: Literal["segmentation"] = "segmentation"
    input: SegmentationInput
    output: SegmentationOutput


class WallCard(NetworkCard):
    """The card of a network that looks at the unwrapped wall a second time."""

    task: Literal["wall"] = "wall"
    input: WallInput
    output: SegmentationOutput


class ClassificationCard(NetworkCard):
    """The card of a network that tells classes of pictures apart."""

    task: Literal["classification"] = "classification"
    input: PictureInput
    output: ClassificationOutput


class MeasurementsInput(_Part):
    """Measurements, by symbol, that a classifier of diagnosis can use."""

    symbols: Annotated[tuple[Text, ...], Field(min_length=1), AfterValidator(_distinct)]


class DiagnosisCard(ModelCard):
    """The card of a classifier that tells groups of patients apart by measurements."""

    task: Literal["diagnosis"] = "diagnosis"
    input: MeasurementsInput
    output: ClassificationOutput


AnyCard = SegmentationCard | WallCard | ClassificationCard | DiagnosisCard
Card = Annotated[AnyCard, Field(discriminator="task")]
"""A card of any task; ``task`` says which input and output follow."""

_CARD: TypeAdapter[AnyCard] = TypeAdapter(Card)


def read_card(folder: Path) -> AnyCard:
    """Read the card of a model folder.

    Raises
    ------
    ModelError
        When the card is missing, no JSON, or has a wrong field, which is named.
    """
    name = f"{folder.parent.name}/{folder.name}"
    try:
        content = (folder / CARD_FILE).read_bytes()
    except OSError as error:
        raise ModelError(f"cannot read the model card of {name}: {error.strerror}") from error
    try:
        card = _CARD.validate_json(content)
    except ValidationError as error:
        raise ModelError(f"the model card of {name} is wrong: {faults(error)}") from error
    card._folder = folder
    card._file_sha256 = sha256_of_bytes(content)
    return card


def write_card(card: ModelCard, folder: Path) -> None:
    """Write ``model.json`` into a model folder."""
    text = card.model_dump_json(indent=2) + "\n"
    (folder / CARD_FILE).write_text(text, encoding="utf-8")


def faults(error: ValidationError) -> str:
    """Return what is wrong, each fault with the key where it is."""
    found = error.errors(include_url=False)
    told = [_fault(dict(one)) for one in found[:FAULTS_TOLD]]
    more = len(found) - len(told)
    return "; ".join([*told, f"and {more} more"] if more else told)


def _fault(one: Mapping[str, Any]) -> str:
    tasks = {"segmentation", "wall", "classification", "diagnosis"}
    where = ".".join(str(part) for part in one["loc"] if part not in tasks) or "the whole"
    match one["type"]:
        case "missing":
            return f"{where} is missing"
        case "extra_forbidden" | "unexpected_keyword_argument":
            return f"{where} is unknown"
        case "union_tag_not_found":
            return "task is missing"
        case "json_invalid":
            return str(one["msg"])
    return f"{where}: {one['msg']}, found {reprlib.repr(one['input'])}"
