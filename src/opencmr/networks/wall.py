"""A small U-Net of unwrapped walls: round along the angle, with an end at either depth."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from opencmr.networks.network import SegmentationNetwork

GROUPS = 4
DROPOUT = 0.1
"""Share of the deepest features that a training step does without."""


def padded_round(strip: Tensor) -> Tensor:
    """Return ``strip (N, C, H, W)`` with a pixel more all round: its columns go round."""
    round_about = functional.pad(strip, (1, 1, 0, 0), mode="circular")
    return functional.pad(round_about, (0, 0, 1, 1), mode="replicate")


class RoundBlock(nn.Module):
    """Two 3 x 3 convolutions, round along the columns, each with its normalisation."""

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels_in, channels_out, 3, bias=False)
        self.second = nn.Conv2d(channels_out, channels_out, 3, bias=False)
        self.norm_first = nn.GroupNorm(GROUPS, channels_out)
        self.norm_second = nn.GroupNorm(GROUPS, channels_out)

    def forward(self, strip: Tensor) -> Tensor:
        """Return features ``(N, channels_out, H, W)``."""
        strip = functional.silu(self.norm_first(self.first(padded_round(strip))))
        return functional.silu(self.norm_second(self.second(padded_round(strip))))


class WallUNet(SegmentationNetwork):
    """A U-Net of three levels over strips ``(N, channels, depths, angles)``.

    The deepest features are joined with their mean over the slice.
    """

    stride_px = 4

    def __init__(self, channels: int, classes: int, widths: Sequence[int]) -> None:
        super().__init__()
        wide, middle, deep = widths
        self.down = nn.ModuleList(
            RoundBlock(a, b) for a, b in ((channels, wide), (wide, middle), (middle, deep))
        )
        self.up = nn.ModuleList(
            [RoundBlock(deep + middle, middle), RoundBlock(middle + wide, wide)]
        )
        self.dropout = nn.Dropout2d(DROPOUT)
        self.head = nn.Conv2d(wide, classes, 1)

    def forward(self, image: Tensor) -> Tensor:
        """Return the logits ``(N, classes, H, W)``."""
        high = self.down[0](image)
        middle = self.down[1](functional.max_pool2d(high, 2))
        features = self.dropout(self.down[2](functional.max_pool2d(middle, 2)))
        features = features + features.mean((2, 3), keepdim=True)
        for block, beside in zip(self.up, (middle, high), strict=True):
            larger = functional.interpolate(features, scale_factor=2.0, mode="nearest")
            features = block(torch.cat([larger, beside], 1))
        logits: Tensor = self.head(features)
        return logits
