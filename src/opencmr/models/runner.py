"""What runs a network: whoever asks need not know whether ONNX or torch computes."""

from typing import Protocol, TypeVar

import numpy as np

from opencmr.models.card import ModelCard, SegmentationCard, WallCard

CardT_co = TypeVar("CardT_co", bound=ModelCard, covariant=True)


class Runner(Protocol[CardT_co]):
    """A loaded network with its card."""

    @property
    def card(self) -> CardT_co:
        """What the network expects and gives."""
        ...

    def __call__(self, windows: np.ndarray) -> np.ndarray:
        """Return the class shares float32 of ``windows (N, P, H, W)``, scaled to 0..1.

        ``(N, C, H, W)`` of a segmentation network, ``(N, C, P, H, W)`` of one for whole stacks,
        ``(N, C)`` of a classification network.
        """
        ...


SegmentationRunner = Runner[SegmentationCard]
"""What :mod:`opencmr.segment` takes."""
WallRunner = Runner[WallCard]
"""What :mod:`opencmr.segment.second_look` takes: windows are unwrapped slices."""
