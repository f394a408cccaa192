"""A 3-D U-Net over a few slices (Çiçek et al., MICCAI 2016), for thick ones.

As nnU-Net plans it for stacks whose slices lie many pixels apart (Isensee et al., Nature Methods
2021): resolution is halved in plane only, and the first levels, where a pixel is far finer than
the gap, look in plane only.
"""

import itertools
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from opencmr.networks.network import SegmentationNetwork

PLANE_LEVELS = 2
"""Levels, from the top, that do not look across slices."""


def _double_convolution(channels_in: int, channels_out: int, depth: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for channels in (channels_in, channels_out):
        layers += [
            nn.Conv3d(
                channels, channels_out, (depth, 3, 3), padding=(depth // 2, 1, 1), bias=False
            ),
            nn.BatchNorm3d(channels_out),
            nn.LeakyReLU(0.01, inplace=True),
        ]
    return nn.Sequential(*layers)


class VolumetricUNet(SegmentationNetwork):
    """Encoder and decoder in three dimensions; the middle slice of what it sees is labelled."""

    def __init__(self, planes: int, classes: int, widths: Sequence[int]) -> None:
        super().__init__()
        del planes  # the depth of its input, which no layer depends on
        self.stride_px = 2 ** (len(widths) - 1)
        depths = [1 if level < PLANE_LEVELS else 3 for level in range(len(widths))]
        inputs = [1, *widths[:-1]]
        self.encoder = nn.ModuleList(
            _double_convolution(*level) for level in zip(inputs, widths, depths, strict=True)
        )
        pairs = list(itertools.pairwise(widths))
        self.upsample = nn.ModuleList(
            nn.ConvTranspose3d(deep, wide, (1, 2, 2), (1, 2, 2)) for wide, deep in pairs
        )
        self.decoder = nn.ModuleList(
            _double_convolution(2 * wide, wide, depth)
            for wide, depth in zip(widths[:-1], depths[:-1], strict=True)
        )
        self.head = nn.Conv2d(widths[0], classes, 1)

    def forward(self, image: Tensor) -> Tensor:
        """Return the logits ``(N, classes, H, W)`` of the middle of ``image (N, planes, H, W)``."""
        features = image[:, None]
        skips: list[Tensor] = []
        for block in self.encoder:
            features = block(functional.max_pool3d(features, (1, 2, 2)) if skips else features)
            skips.append(features)
        skips.pop()
        for level in reversed(range(len(self.decoder))):
            joined = torch.cat([self.upsample[level](features), skips[level]], dim=1)
            features = self.decoder[level](joined)
        logits: Tensor = self.head(features[:, :, image.shape[1] // 2])
        return logits
