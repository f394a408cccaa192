"""Network architectures: torch modules and nothing else.

They are compared in ``benchmarks/architectures.json``; what is told in ``docs/explanation``.
"""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from opencmr.networks.attention import AttentionUNet
from opencmr.networks.network import SegmentationNetwork
from opencmr.networks.recurrent import RecurrentUNet
from opencmr.networks.residual import ResidualUNet
from opencmr.networks.stack import StackUNet
from opencmr.networks.transformer import TransformerUNet
from opencmr.networks.unet import UNet
from opencmr.networks.volumetric import VolumetricUNet

Architecture = Callable[[int, int, Sequence[int]], SegmentationNetwork]
"""From planes in, classes out and feature widths a level to a network with fresh weights."""

ARCHITECTURES: Mapping[str, Architecture] = MappingProxyType(
    {
        "unet": UNet,
        "residual_unet": ResidualUNet,
        "attention_unet": AttentionUNet,
        "transformer_unet": TransformerUNet,
        "recurrent_unet": RecurrentUNet,
        "volumetric_unet": VolumetricUNet,
        "stack_unet": StackUNet,
    }
)
