"""The plain U-Net (Ronneberger et al., MICCAI 2015) with batch normalisation."""

import itertools
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional


def _double_convolution(channels_in: int, channels_out: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for channels in (channels_in, channels_out):
        layers += [
            nn.Conv2d(channels, channels_out, 3, padding=1, bias=False),
            nn.BatchNorm2d(channels_out),
            nn.LeakyReLU(0.01, inplace=True),
        ]
    return nn.Sequential(*layers)


class UNet(nn.Module):
    """Encoder and decoder with skip connections, halving the resolution at each level.

    Parameters
    ----------
    channels_in : int
        Channels of the input image.
    classes : int
        Channels of the output, background included.
    widths : sequence of int
        Feature channels a level, from full resolution down.  Height and width of the
        input must be multiples of ``stride_px``, ``2 ** (len(widths) - 1)``.
    """

    def __init__(self, channels_in: int, classes: int, widths: Sequence[int]) -> None:
        super().__init__()
        self.stride_px = 2 ** (len(widths) - 1)
        inputs = [channels_in, *widths[:-1]]
        self.encoder = nn.ModuleList(
            _double_convolution(a, b) for a, b in zip(inputs, widths, strict=True)
        )
        pairs = list(itertools.pairwise(widths))
        self.upsample = nn.ModuleList(nn.ConvTranspose2d(deep, wide, 2, 2) for wide, deep in pairs)
        self.decoder = nn.ModuleList(_double_convolution(2 * wide, wide) for wide, _ in pairs)
        self.head = nn.Conv2d(widths[0], classes, 1)

    def forward(self, image: Tensor) -> Tensor:
        """Return the logits ``(N, classes, H, W)`` of ``image (N, channels_in, H, W)``."""
        skips: list[Tensor] = []
        features = image
        for level, block in enumerate(self.encoder):
            features = block(features if level == 0 else functional.max_pool2d(features, 2))
            skips.append(features)
        skips.pop()
        for level in reversed(range(len(self.decoder))):
            upsampled = self.upsample[level](features)
            features = self.decoder[level](torch.cat([upsampled, skips[level]], dim=1))
        logits: Tensor = self.head(features)
        return logits
