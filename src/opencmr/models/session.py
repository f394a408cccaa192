"""Running a network: the checksum is checked, then onnxruntime computes on the CPU."""

import hashlib
import os
from typing import Any

import numpy as np

from opencmr.anatomy.reasons import Reason
from opencmr.errors import ModelError
from opencmr.models.card import WEIGHTS_FILE, ModelCard


class Network:
    """A loaded network.

    Raises
    ------
    ModelError
        When the weights are missing or their SHA-256 is not the card's.
    """

    def __init__(self, card: ModelCard, *, threads: int | None = None) -> None:
        # Its Linux wheel reports to its vendor; its API would switch that off too late.
        os.environ.update(ORT_DISABLE_TELEMETRY="1")
        import onnxruntime

        self.card = card
        path = card.folder / WEIGHTS_FILE
        try:
            weights = path.read_bytes()
        except OSError as error:
            raise ModelError(f"the weights of {card.title} are missing") from error
        found = hashlib.sha256(weights).hexdigest()
        if found != card.sha256:
            raise ModelError(
                Reason(
                    "MODEL_HASH",
                    f"the weights of {card.title} have SHA-256 {found[:12]}…, the card "
                    f"says {card.sha256[:12]}…; install the model again",
                )
            )
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads or _usable_cores()
        options.log_severity_level = 3
        self._session: Any = onnxruntime.InferenceSession(
            weights, options, providers=["CPUExecutionProvider"]
        )
        self._input = self._session.get_inputs()[0].name

    def __call__(self, windows: np.ndarray) -> np.ndarray:
        """Return the class shares ``(N, C, H, W) float32`` of ``windows (N, P, H, W)``.

        The ``P`` planes are the slice between its neighbours (``context_slices`` of the card).
        """
        (shares,) = self._session.run(None, {self._input: windows.astype(np.float32, copy=False)})
        return np.asarray(shares)


def _usable_cores() -> int:
    """Return the cores that this process may use, where the system can tell (Linux)."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
