"""What a network's labels become: a segmentation of which it is the author."""

import numpy as np

from opencmr.imaging.image import Image
from opencmr.imaging.segmentation import Author, AuthorKind, Segmentation
from opencmr.models.runner import SegmentationRunner


def segmentation_by(
    network: SegmentationRunner,
    image: Image,
    labels: np.ndarray,
    shares: np.ndarray | None = None,
) -> Segmentation:
    """Return labels ``(T, Z, Y, X)`` on the image's grid as those of the network.

    ``shares``: (C, T, Z, Y, X) of its classes, where they are kept.
    """
    card = network.card
    return Segmentation(
        labels,
        card.output.scheme,
        image.grid,
        card.output.policy,
        Author(AuthorKind.MODEL, card.name, card.version),
        probabilities=shares,
    )
