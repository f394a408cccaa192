"""Contour policies: the rules under which a volume or a mass was measured.

Numbers made under different rules must not be compared (Schulz-Menger et al., JCMR 2020;
22:19), so a policy is stored with every result and printed with it.
"""

from dataclasses import dataclass
from enum import StrEnum


class PapillaryRule(StrEnum):
    """Where papillary muscles and trabeculae are counted."""

    IN_CAVITY = "papillary muscles counted in the cavity"
    IN_MASS = "papillary muscles counted in the mass"


class BasalRule(StrEnum):
    """Which basal slices count."""

    AS_SEGMENTED = "basal limit as segmented on the short axis, no valve plane used"
    VALVE_PLANE = "basal limit at the valve plane of the long-axis views"


@dataclass(frozen=True, slots=True)
class ContourPolicy:
    """The rules of one measurement."""

    papillary: PapillaryRule
    basal: BasalRule

    @property
    def text(self) -> str:
        """One line for reports."""
        return f"{self.papillary.value}; {self.basal.value}"


ACDC_POLICY = ContourPolicy(PapillaryRule.IN_CAVITY, BasalRule.AS_SEGMENTED)
"""The rule of the ACDC reference contours, which the shipped cine model learnt."""
EMIDEC_POLICY = ContourPolicy(PapillaryRule.IN_CAVITY, BasalRule.AS_SEGMENTED)
"""The rule of the EMIDEC reference contours, seen in them: every cavity is one convex region
(solidity at least 0.91 in all 487 slices), so papillary muscles lie in it."""
