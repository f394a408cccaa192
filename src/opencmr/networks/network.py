"""What every architecture is to those who train, export and run it."""

from torch import Tensor, nn


class SegmentationNetwork(nn.Module):
    """From the planes that it sees to the logits of the slice in their middle, or of all.

    ``stride_px``: height and width of its input must be multiples of it.  ``whole_stack``: it takes
    stacks of any number of slices, and labels every one.
    """

    stride_px: int
    whole_stack: bool = False

    def forward(self, image: Tensor) -> Tensor:
        """Return the logits ``(N, classes, H, W)`` of ``image (N, planes, H, W)``.

        Of whole stacks ``(N, S, H, W)`` they are ``(N, classes, S, H, W)``.
        """
        raise NotImplementedError

    def change_nothing_yet(self) -> None:
        """Silence what a plain U-Net lacks, for a start from the weights of one."""
