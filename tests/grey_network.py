"""A network that knows greys alone: each pixel is the structure whose grey is nearest."""

import numpy as np

from opencmr.anatomy.policy import ContourPolicy
from opencmr.anatomy.structures import LabelScheme
from opencmr.anatomy.techniques import Technique
from opencmr.anatomy.views import View
from opencmr.models.card import SegmentationCard, SegmentationInput, SegmentationOutput


def grey_card(
    scheme: LabelScheme,
    policy: ContourPolicy,
    technique: Technique,
    *,
    view: View = View.SAX,
    window_px: int = 96,
    spacing_mm: float = 1.4,
    **said: str,
) -> SegmentationCard:
    """Return the card of such a network; ``said`` replaces name, checksum, data or terms."""
    told = {"name": "grey", "sha256": "0" * 64, "training_data": "none", "terms": "none"} | said
    return SegmentationCard(
        version="1.0",
        intended_use="tests",
        limitations="knows greys alone",
        figures={},
        input=SegmentationInput(
            spacing_mm=spacing_mm,
            window_px=window_px,
            intensity_percentiles=(0.0, 100.0),
            view=view,
            technique=technique,
            stride_px=16,
            context_slices=0,
        ),
        output=SegmentationOutput(
            label_scheme=scheme.name,
            papillary_rule=policy.papillary,
            basal_rule=policy.basal,
        ),
        **told,
    )


class Grey:
    """Takes each pixel for the structure whose grey is nearest; greys of background first."""

    def __init__(self, card: SegmentationCard, greys: np.ndarray) -> None:
        self.card, self.greys = card, greys

    def __call__(self, windows: np.ndarray) -> np.ndarray:
        apart = np.abs(windows[:, :1] - self.greys[None, :, None, None])
        shares = np.zeros_like(apart)
        np.put_along_axis(shares, apart.argmin(1)[:, None], 1.0, axis=1)
        return shares
