"""A U-Net with a transformer on its deepest features (Chen et al., TransUNet, 2021).

Positions are told by a depthwise convolution (Chu et al., ICLR 2023), so that a window of any
size is read.
"""

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional

from opencmr.networks.unet import UNet

LAYERS = 4
HEAD_CHANNELS = 24
"""Channels a head of attention; the deepest width must be a multiple of it."""


class TransformerLayer(nn.Module):
    """Attention among all places of a feature map, then two layers a place; pre-normalised."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.heads = channels // HEAD_CHANNELS
        self.norm_attention, self.norm_mixing = nn.LayerNorm(channels), nn.LayerNorm(channels)
        self.queries_keys_values = nn.Linear(channels, 3 * channels)
        self.joined = nn.Linear(channels, channels)
        self.mixing = nn.Sequential(
            nn.Linear(channels, 2 * channels), nn.GELU(), nn.Linear(2 * channels, channels)
        )

    def forward(self, places: Tensor) -> Tensor:
        """Return features ``(N, places, C)`` of the same shape."""
        shape = (places.shape[0], places.shape[1], 3, self.heads, HEAD_CHANNELS)
        parts = self.queries_keys_values(self.norm_attention(places)).reshape(shape)
        query, key, value = parts.permute(2, 0, 3, 1, 4)
        heard = functional.scaled_dot_product_attention(query, key, value)
        places = places + self.joined(heard.transpose(1, 2).flatten(2))
        mixed: Tensor = places + self.mixing(self.norm_mixing(places))
        return mixed


class TransformerUNet(UNet):
    """:class:`UNet` whose deepest features attend to each other."""

    def __init__(self, planes: int, classes: int, widths: Sequence[int]) -> None:
        super().__init__(planes, classes, widths)
        if widths[-1] % HEAD_CHANNELS:
            raise ValueError(f"deepest width {widths[-1]} is no multiple of {HEAD_CHANNELS}")
        self.position = nn.Conv2d(widths[-1], widths[-1], 3, padding=1, groups=widths[-1])
        self.layers = nn.Sequential(*(TransformerLayer(widths[-1]) for _ in range(LAYERS)))

    def bottom(self, features: Tensor) -> Tensor:
        """Return the deepest features ``(N, C, h, w)`` after attention over all of h x w."""
        features = features + self.position(features)
        places: Tensor = self.layers(features.flatten(2).transpose(1, 2))
        return places.transpose(1, 2).reshape(features.shape)
