"""A U-Net whose encoder learns residuals (He et al., CVPR 2016), as nnU-Net's later default does.

Isensee et al., "nnU-Net Revisited", MICCAI 2024, found the residual encoder the better one.
"""

from torch import Tensor, nn
from torch.nn import functional

from opencmr.networks.unet import UNet


class ResidualBlock(nn.Module):
    """Two 3 x 3 convolutions, added to their input, which a 1 x 1 one brings to their width."""

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(channels_in, channels_out, 3, padding=1, bias=False),
            nn.BatchNorm2d(channels_out),
            nn.LeakyReLU(0.01, inplace=True),
            nn.Conv2d(channels_out, channels_out, 3, padding=1, bias=False),
            nn.BatchNorm2d(channels_out),
        )
        self.shortcut = nn.Sequential(
            nn.Conv2d(channels_in, channels_out, 1, bias=False), nn.BatchNorm2d(channels_out)
        )

    def forward(self, features: Tensor) -> Tensor:
        """Return features ``(N, channels_out, H, W)``."""
        return functional.leaky_relu(self.layers(features) + self.shortcut(features), 0.01)


class ResidualUNet(UNet):
    """:class:`UNet` with a residual block a level in its encoder."""

    def block(self, channels_in: int, channels_out: int) -> nn.Module:
        """Return the residual block of one level of the encoder."""
        return ResidualBlock(channels_in, channels_out)
