"""Network architectures: torch modules and nothing else."""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from opencmr.networks.unet import UNet

Architecture = Callable[[int, int, Sequence[int]], UNet]
"""From planes in, classes out and feature widths a level to a network with fresh weights."""

ARCHITECTURES: Mapping[str, Architecture] = MappingProxyType({"unet": UNet})
