"""What every architecture is to those who train, export and run it."""

from torch import Tensor, nn


class SegmentationNetwork(nn.Module):
    """From the planes that it sees to the logits of the slice in their middle.

    ``stride_px``: height and width of its input must be multiples of it.
    """

    stride_px: int

    def forward(self, image: Tensor) -> Tensor:
        """Return the logits ``(N, classes, H, W)`` of ``image (N, planes, H, W)``."""
        raise NotImplementedError

    def change_nothing_yet(self) -> None:
        """Silence what a plain U-Net lacks, for a start from the weights of one."""
