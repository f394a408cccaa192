"""The plain U-Net (Ronneberger et al., MICCAI 2015) with batch normalisation."""

import itertools
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from opencmr.networks.network import SegmentationNetwork


def double_convolution(channels_in: int, channels_out: int) -> nn.Module:
    """Return two 3 x 3 convolutions, each with its normalisation and a leaky rectifier."""
    layers: list[nn.Module] = []
    for channels in (channels_in, channels_out):
        layers += [
            nn.Conv2d(channels, channels_out, 3, padding=1, bias=False),
            nn.BatchNorm2d(channels_out),
            nn.LeakyReLU(0.01, inplace=True),
        ]
    return nn.Sequential(*layers)


class UNet(SegmentationNetwork):
    """Encoder and decoder with skip connections, halving the resolution at each level.

    Its relatives change one part: ``block`` makes the layers of an encoder's level, :meth:`bottom`
    works on the deepest features, :meth:`skip` on what the encoder hands across to the decoder.

    Parameters
    ----------
    planes : int
        Channels of the input image.
    classes : int
        Channels of the output, background included.
    widths : sequence of int
        Feature channels a level, from full resolution down.  Height and width of the
        input must be multiples of ``stride_px``, ``2 ** (len(widths) - 1)``.
    """

    def __init__(self, planes: int, classes: int, widths: Sequence[int]) -> None:
        super().__init__()
        self.stride_px = 2 ** (len(widths) - 1)
        inputs = [planes, *widths[:-1]]
        self.encoder = nn.ModuleList(self.block(a, b) for a, b in zip(inputs, widths, strict=True))
        pairs = list(itertools.pairwise(widths))
        self.upsample = nn.ModuleList(nn.ConvTranspose2d(deep, wide, 2, 2) for wide, deep in pairs)
        self.decoder = nn.ModuleList(double_convolution(2 * wide, wide) for wide, _ in pairs)
        self.head = nn.Conv2d(widths[0], classes, 1)

    def block(self, channels_in: int, channels_out: int) -> nn.Module:
        """Return the layers of one level of the encoder."""
        return double_convolution(channels_in, channels_out)

    def bottom(self, features: Tensor) -> Tensor:
        """Return the deepest features ``(N, C, h, w)`` as the decoder takes them."""
        return features

    def skip(self, level: int, features: Tensor, upsampled: Tensor) -> Tensor:
        """Return the encoder's features of ``level`` as the decoder joins them."""
        del level, upsampled
        return features

    def encode(self, image: Tensor) -> list[Tensor]:
        """Return the features of every level, from full resolution down."""
        features: list[Tensor] = []
        for block in self.encoder:
            image = block(functional.max_pool2d(image, 2) if features else image)
            features.append(image)
        return features

    def decode(self, skips: Sequence[Tensor], deepest: Tensor) -> Tensor:
        """Return the logits from the encoder's upper levels and the deepest features."""
        features = deepest
        for level in reversed(range(len(self.decoder))):
            upsampled = self.upsample[level](features)
            joined = [upsampled, self.skip(level, skips[level], upsampled)]
            features = self.decoder[level](torch.cat(joined, dim=1))
        logits: Tensor = self.head(features)
        return logits

    def forward(self, image: Tensor) -> Tensor:
        """Return the logits ``(N, classes, H, W)`` of ``image (N, planes, H, W)``."""
        *skips, deepest = self.encode(image)
        return self.decode(skips, self.bottom(deepest))
