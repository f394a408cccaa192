"""Running a network: the checksum is checked, then onnxruntime computes on the CPU."""

import os
from collections.abc import Sequence
from functools import cached_property, partial
from typing import Any, Generic, TypeVar, cast

import numpy as np

from opencmr.anatomy.reasons import Reason
from opencmr.anatomy.techniques import Technique
from opencmr.anatomy.views import View
from opencmr.errors import ModelError
from opencmr.memory import give_back_memory
from opencmr.models.card import (
    WEIGHTS_FILE,
    ModelCard,
    NetworkCard,
    SegmentationCard,
    WallCard,
)
from opencmr.models.library import Library, read_library
from opencmr.models.precision import Precision
from opencmr.models.runner import SegmentationRunner, WallRunner
from opencmr.storage import sha256_of_bytes

STACK, HEARD = ("stack_low", "stack_lowest"), ("heard_low", "heard_lowest")
"""The two deepest levels of a network for whole stacks, before and after slices hear each other."""

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
        weights = checked_weights(card, card.weights_file)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads or usable_cores()
        # A thread that waits for others sleeps: turning round it took a third of all the time.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
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
        self._shape: tuple[int, ...] = ()
        self._shrinking: Any = onnxruntime.RunOptions()
        self._shrinking.add_run_config_entry("memory.enable_memory_arena_shrinkage", "cpu:0")
        self._check()

    def __call__(self, windows: np.ndarray) -> np.ndarray:
        """Return the class shares float32 of ``windows (N, P, H, W)``.

        The ``P`` planes are the slice between its neighbours (``context_slices`` of the card).

        Raises
        ------
        ModelError
            When the network cannot compute windows of this shape.
        """
        given = {self._input: windows.astype(np.float32, copy=False)}
        (shares,) = self._run(None, given, windows.shape)
        return shares

    def _check(self) -> None:
        """Compare what goes in and out with the card.

        Raises
        ------
        ModelError
            When they differ.
        """
        inputs, outputs = self._session.get_inputs(), self._session.get_outputs()
        if len(inputs) != 1 or len(outputs) != 1:
            raise ModelError(
                f"{self.card.title} has {len(inputs)} inputs and {len(outputs)} outputs; one of "
                "each is expected"
            )
        self._input = str(inputs[0].name)
        self._compare("planes in", inputs[0].shape, self.card.input.planes)
        self._compare("classes out", outputs[0].shape, self.card.output.channels)

    def _compare(self, what: str, shape: Sequence[Any], expected: int | None) -> None:
        found = shape[1] if len(shape) > 1 else None
        # A size that the weights leave open has a name instead of a number.
        if isinstance(found, int) and found != expected:
            raise ModelError(
                f"{self.card.title} has {found} {what}, its card says {expected}; "
                "weights and card do not belong together"
            )

    def _run(
        self, wanted: Sequence[str] | None, given: dict[str, np.ndarray], shape: tuple[int, ...]
    ) -> list[np.ndarray]:
        """Return the outputs of these names, all where None; ``shape`` is that of the windows."""
        # What larger windows needed, in which the heart was sought, is given back once.
        options = None if shape == self._shape else self._shrinking
        self._shape = shape
        try:
            return [np.asarray(one) for one in self._session.run(wanted, given, options)]
        except Exception as error:
            raise ModelError(
                f"{self.card.title} cannot compute windows of shape {shape} "
                f"({type(error).__name__})"
            ) from error


class StackNetwork(Network[SegmentationCard]):
    """A network that labels whole stacks: encode each slice, let them hear, decode each.

    Its weights hold these three parts beside each other, each with its own input.  At once in
    memory are the features that the slices hand on, a third of what the work on all would take.
    """

    def __call__(self, windows: np.ndarray) -> np.ndarray:
        """Return the class shares float32 ``(N, C, S, H, W)`` of stacks ``(N, S, H, W)``.

        Raises
        ------
        ModelError
            When the network cannot compute windows of this shape.
        """
        stacks = windows.astype(np.float32, copy=False)
        return np.stack([self._of_stack(stack, windows.shape) for stack in stacks])

    def _check(self) -> None:
        """Compare what goes in and out with the card."""
        levels = len(self._session.get_inputs()) - 1 - len(STACK)
        self._levels = [f"level_{number}" for number in range(levels)]
        self._encoded = [f"encoded_{number}" for number in range(levels)]
        names = {one.name for one in (*self._session.get_inputs(), *self._session.get_outputs())}
        expected = {"image", *STACK, *self._levels, *self._encoded, *HEARD, "shares"}
        sizes = [
            one.shape[1] if len(one.shape) == 4 else None for one in self._session.get_inputs()
        ]
        if names != expected or levels < 2 or not all(isinstance(n, int) for n in sizes):
            raise ModelError(f"the weights of {self.card.title} are none of a network for stacks")
        self._compare(
            "classes out", self._session.get_outputs()[-1].shape, self.card.output.channels
        )
        # Parts that are not asked for compute all the same: of the smallest picture that there is.
        smallest_px = {"image": self.card.input.stride_px}
        for levels_of in (list(STACK), self._levels):
            smallest_px |= {name: 2**n for n, name in enumerate(levels_of[::-1])}
        self._nothing = {
            one.name: np.zeros((1, one.shape[1], *[smallest_px[one.name]] * 2), np.float32)
            for one in self._session.get_inputs()
        }

    def _of_stack(self, stack: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
        """Return the shares ``(C, S, H, W)`` of a stack ``(S, H, W)`` of windows of ``shape``."""

        def part(wanted: Sequence[str], given: dict[str, np.ndarray]) -> list[np.ndarray]:
            return self._run(wanted, {**self._nothing, **given}, shape)

        last = len(stack) - 1
        slices = [
            part(self._encoded, {"image": stack[None, [max(z - 1, 0), z, min(z + 1, last)]]})
            for z in range(len(stack))
        ]
        deepest = {
            name: np.concatenate([levels[place] for levels in slices])
            for name, place in zip(STACK, (-2, -1), strict=True)
        }
        heard = part(HEARD, deepest)
        shares = np.empty((len(stack), self.card.output.channels, *stack.shape[1:]), np.float32)
        for z in range(len(stack)):
            *high, _, _ = slices[z]
            slices[z] = []  # what is decoded is needed no more
            levels = [*high, *(features[z : z + 1] for features in heard)]
            (shares[z : z + 1],) = part(["shares"], dict(zip(self._levels, levels, strict=True)))
        return shares.swapaxes(0, 1)


def load_network(card: CardT, *, threads: int | None = None) -> Network[CardT]:
    """Return the network of a model, which runs as its card says.

    Raises
    ------
    ModelError
        As :class:`Network`.
    """
    if isinstance(card, SegmentationCard) and card.input.whole_stack:
        return cast(Network[CardT], StackNetwork(card, threads=threads))
    return Network(card, threads=threads)


class Networks:
    """The networks of a process: found by what they can do, each loaded once, when first asked.

    Sent to another process it starts there with none loaded.

    Parameters
    ----------
    threads : int or None
        As many as cores by default.
    precision : Precision
        In what they compute.
    """

    def __init__(self, threads: int | None = None, *, precision: Precision = Precision.F32) -> None:
        self._threads = threads
        self._precision = precision
        self._loaded: dict[str, Network[SegmentationCard]] = {}
        self._second_looks: dict[str, Network[WallCard] | None] = {}
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
            card = choice.card.at(self._precision)
            if self._precision is Precision.INT8 and card.precision is Precision.F32:
                self._remarks[f"{card.title} has no int8 weights, and runs in f32"] = None
            self._loaded[place] = load_network(card, threads=self._threads)
        return self._loaded[place]

    def second_look(self, card: SegmentationCard) -> WallRunner | None:
        """Return the network that looks again at the labels of that one, or None.

        One that is damaged is as good as absent, and remarked.
        """
        second = self.library.second_look(card)
        if second is None:
            return None
        place = str(second.folder)
        if place not in self._second_looks:
            try:
                self._second_looks[place] = load_network(second, threads=self._threads)
            except ModelError as error:
                self._second_looks[place] = None
                self._remarks[f"no second look at the labels of {card.title}: {error}"] = None
        return self._second_looks[place]

    def forget(self) -> None:
        """Give back the memory of the loaded networks; what is asked for again is loaded anew."""
        self._loaded.clear()
        self._second_looks.clear()
        give_back_memory()

    def __reduce__(self) -> tuple[Any, ...]:
        return partial(Networks, precision=self._precision), (self._threads,)


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


def usable_cores() -> int:
    """Return the cores that this process may use, where the system can tell (Linux)."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
