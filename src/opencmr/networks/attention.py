"""The attention U-Net (Oktay et al., MIDL 2018): the decoder says where the encoder is heard."""

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional

from opencmr.networks.unet import UNet


class AttentionGate(nn.Module):
    """Additive attention: a share in 0..1 for every pixel of a skip connection."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        inside = max(channels // 2, 1)
        self.of_skip = nn.Conv2d(channels, inside, 1, bias=False)
        self.of_gate = nn.Conv2d(channels, inside, 1)
        self.norm = nn.BatchNorm2d(inside)
        self.share = nn.Conv2d(inside, 1, 1)

    def forward(self, skip: Tensor, gate: Tensor) -> Tensor:
        """Return ``skip (N, C, H, W)`` weighted by what ``gate``, of its shape, asks for."""
        heard = functional.relu(self.norm(self.of_skip(skip) + self.of_gate(gate)))
        weighted: Tensor = skip * self.share(heard).sigmoid()
        return weighted


class AttentionUNet(UNet):
    """:class:`UNet` with an attention gate on each skip connection."""

    def __init__(self, planes: int, classes: int, widths: Sequence[int]) -> None:
        super().__init__(planes, classes, widths)
        self.gates = nn.ModuleList(AttentionGate(width) for width in widths[:-1])

    def skip(self, level: int, features: Tensor, upsampled: Tensor) -> Tensor:
        """Return the encoder's features of ``level``, gated by the decoder's."""
        gated: Tensor = self.gates[level](features, upsampled)
        return gated
