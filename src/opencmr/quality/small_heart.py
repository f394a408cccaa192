"""Whether the heart is smaller than any that the network learnt from."""

from collections.abc import Iterator

from opencmr.imaging.flag import QualityFlag, Severity
from opencmr.imaging.segmentation import Segmentation


def small_heart_flags(segmentation: Segmentation) -> Iterator[QualityFlag]:
    """Name a heart that was segmented on a finer grid than the network's own."""
    if segmentation.grid_scale < 1:
        yield QualityFlag(
            Severity.REVIEW,
            "SMALL_HEART",
            "The heart is smaller than any that the network learnt from, as a child's may be, and "
            "was segmented enlarged to a usual size; normal ranges and limits are those of "
            "adults. Review the contours, and check the pixel spacing.",
            f"on a grid of {segmentation.grid_scale:.2f} times the usual spacing",
        )
