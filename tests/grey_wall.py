"""A network of walls that knows greys alone: each pixel is the structure whose grey is nearest."""

import numpy as np

from opencmr.anatomy.policy import EMIDEC_POLICY
from opencmr.anatomy.structures import EMIDEC
from opencmr.anatomy.techniques import Technique
from opencmr.anatomy.views import View
from opencmr.models.card import SegmentationOutput, WallCard, WallInput
from opencmr.segment.wall_strip import CHANNELS, STRIP_VERSION


def grey_wall_card(follows: str, **said: str) -> WallCard:
    """Return the card of such a network; ``said`` replaces version or checksum."""
    told = {"version": "1.0", "sha256": "0" * 64} | said
    return WallCard(
        name="walls",
        training_data="none",
        terms="none",
        intended_use="tests",
        limitations="knows greys alone",
        figures={},
        input=WallInput(
            view=View.SAX,
            technique=Technique.LGE,
            follows=follows,
            strip=STRIP_VERSION,
            channels=CHANNELS,
        ),
        output=SegmentationOutput(
            label_scheme=EMIDEC.name,
            papillary_rule=EMIDEC_POLICY.papillary,
            basal_rule=EMIDEC_POLICY.basal,
        ),
        **told,
    )


class GreyWall:
    """Takes each pixel for the structure whose grey, from 0 to 1, is nearest; outside first."""

    def __init__(self, card: WallCard, greys: np.ndarray) -> None:
        self.card, self.greys = card, greys

    def __call__(self, windows: np.ndarray) -> np.ndarray:
        apart = np.abs(windows[:, :1] - self.greys[None, :, None, None])
        shares = np.zeros((len(windows), 5, *windows.shape[2:]), np.float32)
        np.put_along_axis(shares, apart.argmin(1)[:, None], 1.0, axis=1)
        return shares
