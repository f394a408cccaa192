"""A U-Net that reads the slices one after the other (Poudel et al., RAMBO 2016).

Each slice is encoded by itself; a convolutional gated recurrent unit (Ballas et al., ICLR 2016)
carries the deepest features along the stack, from both ends to the slice in the middle, which
alone is decoded.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from opencmr.networks.unet import UNet


class ConvolutionalGRU(nn.Module):
    """A gated recurrent unit whose products are 3 x 3 convolutions."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.gates = nn.Conv2d(2 * channels, 2 * channels, 3, padding=1)
        self.candidate = nn.Conv2d(2 * channels, channels, 3, padding=1)

    def forward(self, features: Tensor, memory: Tensor) -> Tensor:
        """Return the new memory ``(N, C, h, w)`` after one more slice's features."""
        joined = torch.cat([features, memory], dim=1)
        update, reset = self.gates(joined).sigmoid().chunk(2, dim=1)
        new = self.candidate(torch.cat([features, reset * memory], dim=1)).tanh()
        kept: Tensor = memory + update * (new - memory)
        return kept


class RecurrentUNet(UNet):
    """:class:`UNet` with a memory of the neighbouring slices."""

    def __init__(self, planes: int, classes: int, widths: Sequence[int]) -> None:
        super().__init__(1, classes, widths)
        self.memory = ConvolutionalGRU(widths[-1])
        self.both_ways = nn.Conv2d(2 * widths[-1], widths[-1], 1)

    def change_nothing_yet(self) -> None:
        """Let the memory say nothing: the middle slice is decoded from its own features."""
        for parameter in self.both_ways.parameters():
            nn.init.zeros_(parameter)

    def forward(self, image: Tensor) -> Tensor:
        """Return the logits ``(N, classes, H, W)`` of the middle of ``image (N, planes, H, W)``."""
        middle = image.shape[1] // 2
        levels = [
            features.reshape(*image.shape[:2], *features.shape[1:])
            for features in self.encode(image.flatten(0, 1).unsqueeze(1))
        ]
        *skips, middle_slice = [features[:, middle] for features in levels]
        deepest = levels[-1].unbind(1)
        up, down = self._read(deepest[: middle + 1]), self._read(deepest[middle:][::-1])
        return self.decode(skips, middle_slice + self.both_ways(torch.cat([up, down], dim=1)))

    def _read(self, slices: Sequence[Tensor]) -> Tensor:
        memory = torch.zeros_like(slices[0])
        for features in slices:
            memory = self.memory(features, memory)
        return memory
