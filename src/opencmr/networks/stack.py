"""A U-Net that labels all slices of a stack at once, each with its neighbours in view.

Every slice is encoded and decoded as a picture of its own: what is done once for a slice serves all
of its neighbours, so that the surroundings cost next to nothing.  The first layer sees the slices
before and after; at the two deepest levels convolutions whose kernels span three slices, nearer and
farther ones, look along the stack (after TSM, Lin et al., ICCV 2019, and the dilated convolutions
of Yu and Koltun, ICLR 2016).
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from opencmr.networks.unet import UNet

REACHES = ((1,), (1, 2, 1))
"""Slices from one tap to the next of each convolution along the stack: last level but one, last."""


class AlongStack(nn.Module):
    """What a slice learns from those ``reach`` before and after it, added to what it knows."""

    def __init__(self, channels: int, reach: int) -> None:
        super().__init__()
        self.reach = reach
        inner = channels // 2
        self.gather = nn.Conv2d(3 * channels, inner, 1)
        self.look = nn.Conv2d(inner, inner, 3, padding=1)
        self.tell = nn.Conv2d(inner, channels, 1)

    def forward(self, features: Tensor) -> Tensor:
        """Return the features of every slice of stacks ``(N, S, C, h, w)``."""
        slices = features.shape[1]
        wide = functional.pad(features, [0] * 6 + [self.reach, self.reach])
        seen = torch.cat([wide[:, :slices], features, wide[:, 2 * self.reach :]], dim=2)
        heard = functional.leaky_relu(self.gather(seen.flatten(0, 1)), 0.01)
        heard = functional.leaky_relu(self.look(heard), 0.01)
        kept: Tensor = features + self.tell(heard).reshape(features.shape)
        return kept


class StackUNet(UNet):
    """:class:`UNet` that takes stacks of any number of slices and labels every one."""

    whole_stack = True

    def __init__(self, planes: int, classes: int, widths: Sequence[int]) -> None:
        del planes  # the depth of its input, which no layer depends on
        super().__init__(3, classes, widths)
        self.along = nn.ModuleList(
            nn.Sequential(*(AlongStack(width, reach) for reach in reaches))
            for width, reaches in zip(widths[-2:], REACHES, strict=True)
        )

    def change_nothing_yet(self) -> None:
        """Let the deep levels hear nothing of other slices."""
        for module in self.along.modules():
            if isinstance(module, AlongStack):
                for parameter in module.tell.parameters():
                    nn.init.zeros_(parameter)

    def forward(self, image: Tensor) -> Tensor:
        """Return the logits ``(N, classes, S, H, W)`` of every slice of ``image (N, S, H, W)``."""
        before = torch.cat([image[:, :1], image[:, :-1]], dim=1)
        after = torch.cat([image[:, 1:], image[:, -1:]], dim=1)
        *high, low, lowest = self.encode(torch.stack([before, image, after], dim=2).flatten(0, 1))
        heard = self.listen(
            *(level.reshape(*image.shape[:2], *level.shape[1:]) for level in (low, lowest))
        )
        low, lowest = (level.flatten(0, 1) for level in heard)
        logits = self.decode([*high, low], lowest)
        return logits.reshape(*image.shape[:2], *logits.shape[1:]).transpose(1, 2)

    def listen(self, low: Tensor, lowest: Tensor) -> tuple[Tensor, Tensor]:
        """Return the features ``(N, S, C, h, w)`` of the two deepest levels, neighbours heard."""
        return self.along[0](low), self.along[1](lowest)
