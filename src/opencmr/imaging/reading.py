"""A reading: what one analysis found in one study."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from opencmr.imaging.brief import brief
from opencmr.imaging.flag import QualityFlag
from opencmr.imaging.landmarks import Landmarks
from opencmr.imaging.measurements import Measurements
from opencmr.imaging.relaxation import TimeMap
from opencmr.imaging.segmentation import Segmentation


@dataclass(frozen=True, slots=True)
class ModelUse:
    """A model that took part: what it was, and under which terms.

    ``card_sha256`` is the digest of its card, ``sha256`` that of the weights that ran, and
    ``precision`` what they compute in: ``f32`` or ``int8``.
    """

    name: str
    version: str
    sha256: str
    terms: str
    training_data: str
    card_sha256: str = ""
    precision: str = "f32"


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Reading:
    """What one analysis found.

    Attributes
    ----------
    segmentations, landmarks, maps : mapping from a series' key
    measurements : Measurements
    flags : tuple of QualityFlag
        A "do not report" flag among them withholds measurements of this reading alone.
    models : tuple of ModelUse
    """

    segmentations: Mapping[str, Segmentation] = field(default_factory=dict)
    landmarks: Mapping[str, Landmarks] = field(default_factory=dict)
    measurements: Measurements = field(default_factory=Measurements)
    flags: tuple[QualityFlag, ...] = ()
    models: tuple[ModelUse, ...] = ()
    maps: Mapping[str, TimeMap] = field(default_factory=dict)

    __repr__ = brief
