"""Running a network: the checksum is checked, then onnxruntime computes on the CPU."""

import os
from functools import cached_property
from typing import Any, Generic, TypeVar

import numpy as np

from opencmr.anatomy.reasons import Reason
from opencmr.anatomy.techniques import Technique
from opencmr.anatomy.views import View
from opencmr.errors import ModelError
from opencmr.memory import give_back_memory
from opencmr.models.card import WEIGHTS_FILE, ModelCard, NetworkCard, SegmentationCard
from opencmr.models.library import Library, read_library
from opencmr.models.runner import SegmentationRunner
from opencmr.storage import sha256_of_bytes

CardT = TypeVar("CardT", bound=NetworkCard)


class Network(Generic[CardT]):
    """A network loaded from its model folder: the Runner that needs no torch.

    Raises
    ------
    ModelError
        When the weights are missing, their SHA-256 is not the card's, onnxruntime refuses
        them, or they take or give something other than the card says.
    """

    def __init__(self, card: CardT, *, threads: int | None = None) -> None:
        # Its Linux wheel reports to its vendor; its API would switch that off too late.
        os.environ.update(ORT_DISABLE_TELEMETRY="1")
        import onnxruntime

        self.card = card
        weights = checked_weights(card)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads or usable_cores()
        options.log_severity_level = 3
        try:
            self._session: Any = onnxruntime.InferenceSession(
                weights, options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:
            raise ModelError(
                f"onnxruntime refuses the weights of {card.title} ({type(error).__name__})"
            ) from error
        give_back_memory()  # what the weights were parsed into
        self._input = _only_input(self._session, card)
        self._shape: tuple[int, ...] = ()
        self._shrinking: Any = onnxruntime.RunOptions()
        self._shrinking.add_run_config_entry("memory.enable_memory_arena_shrinkage", "cpu:0")

    def __call__(self, windows: np.ndarray) -> np.ndarray:
        """Return the class shares float32 of ``windows (N, P, H, W)``.

        The ``P`` planes are the slice between its neighbours (``context_slices`` of the card), or
        the stack that is labelled (``whole_stack``).

        Raises
        ------
        ModelError
            When the network cannot compute windows of this shape.
        """
        # What larger windows needed, in which the heart was sought, is given back once.
        options = None if windows.shape == self._shape else self._shrinking
        self._shape = windows.shape
        try:
            (shares,) = self._session.run(
                None, {self._input: windows.astype(np.float32, copy=False)}, options
            )
        except Exception as error:
            raise ModelError(
                f"{self.card.title} cannot compute windows of shape {windows.shape} "
                f"({type(error).__name__})"
            ) from error
        return np.asarray(shares)


class Networks:
    """The networks of a process: found by what they can do, each loaded once, when first asked.

    Sent to another process it starts there with none loaded.
    """

    def __init__(self, threads: int | None = None) -> None:
        self._threads = threads
        self._loaded: dict[str, Network[SegmentationCard]] = {}
        self._remarks: dict[str, None] = {}

    @cached_property
    def library(self) -> Library:
        """The models that are installed, read once."""
        return read_library()

    @property
    def remarks(self) -> tuple[str, ...]:
        """What the user should know of the models that were taken."""
        return tuple(self._remarks)

    def segmentation(
        self, view: View, technique: Technique, *, name: str | None = None
    ) -> SegmentationRunner:
        """Return the network that segments such a series: the one called ``name``, or the newest.

        Raises
        ------
        ModelError
            When no model fits or the one that does is damaged.
        """
        choice = self.library.choose(view, technique, name=name)
        if choice.remark:
            self._remarks[choice.remark] = None
        place = str(choice.card.folder)
        if place not in self._loaded:
            self._loaded[place] = Network(choice.card, threads=self._threads)
        return self._loaded[place]

    def forget(self) -> None:
        """Give back the memory of the loaded networks; what is asked for again is loaded anew."""
        self._loaded.clear()
        give_back_memory()

    def __reduce__(self) -> tuple[Any, ...]:
        return Networks, (self._threads,)


def checked_weights(card: ModelCard, file: str = WEIGHTS_FILE) -> bytes:
    """Return what a model computes with, after comparing it with the checksum of its card.

    Raises
    ------
    ModelError
        When it is missing or another.
    """
    try:
        weights = (card.folder / file).read_bytes()
    except OSError as error:
        raise ModelError(f"the weights of {card.title} are missing") from error
    found = sha256_of_bytes(weights)
    if found != card.sha256:
        raise ModelError(
            Reason(
                "MODEL_HASH",
                f"the weights of {card.title} have SHA-256 {found[:12]}…, the card "
                f"says {card.sha256[:12]}…; install the model again",
            )
        )
    return weights


def _only_input(session: Any, card: NetworkCard) -> str:
    """Return the name of the input after comparing what goes in and out with the card."""
    inputs, outputs = session.get_inputs(), session.get_outputs()
    if len(inputs) != 1 or len(outputs) != 1:
        raise ModelError(
            f"{card.title} has {len(inputs)} inputs and {len(outputs)} outputs; one of each is "
            "expected"
        )
    for what, shape, expected in (
        ("planes in", inputs[0].shape, card.input.planes),
        ("classes out", outputs[0].shape, card.output.channels),
    ):
        found = shape[1] if len(shape) > 1 else None
        # A size that the weights leave open has a name instead of a number.
        if isinstance(found, int) and found != expected:
            raise ModelError(
                f"{card.title} has {found} {what}, its card says {expected}; "
                "weights and card do not belong together"
            )
    return str(inputs[0].name)


def usable_cores() -> int:
    """Return the cores that this process may use, where the system can tell (Linux)."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
