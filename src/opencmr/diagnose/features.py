"""The features of the classifier: which facts it reads, in words that a clinician uses."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum

from opencmr.diagnose.body import INDEXED
from opencmr.diagnose.facts import Fact, Facts, with_values
from opencmr.diagnose.rule_table import RULES


class Source(StrEnum):
    """What a feature needs."""

    NUMBERS = "whole-heart measurements"
    SIZE = "body size"
    LABELS = "outlines of the wall"


@dataclass(frozen=True, slots=True)
class Feature:
    """One number that the classifier reads.

    Attributes
    ----------
    symbol : str
    words : str
        As a sentence continues after "a": names the quantity, not its value.
    unit : str
    decimals : int
    source : Source
    """

    symbol: str
    words: str
    unit: str
    decimals: int
    source: Source

    def text(self, value: float) -> str:
        """Return a value with its unit."""
        shown = f"{value:.{self.decimals}f}"
        return f"{shown} {self.unit}" if self.unit else shown


_INDEXED = {symbol: f"{symbol}i" for symbol in INDEXED}
_RATIOS = {"mass_to_volume": ("LVM", "LVEDV"), "right_to_left": ("RVEDV", "LVEDV")}

FEATURES: tuple[Feature, ...] = (
    Feature("LVEDV", "LV volume at end-diastole", "mL", 0, Source.NUMBERS),
    Feature("LVESV", "LV volume at end-systole", "mL", 0, Source.NUMBERS),
    Feature("LVEF", "LV ejection fraction", "%", 0, Source.NUMBERS),
    Feature("LVM", "LV mass", "g", 0, Source.NUMBERS),
    Feature("RVEDV", "RV volume at end-diastole", "mL", 0, Source.NUMBERS),
    Feature("RVESV", "RV volume at end-systole", "mL", 0, Source.NUMBERS),
    Feature("RVEF", "RV ejection fraction", "%", 0, Source.NUMBERS),
    Feature("WT_MEAN", "mean wall thickness", "mm", 1, Source.NUMBERS),
    Feature("WT_MAX", "greatest wall thickness", "mm", 1, Source.NUMBERS),
    Feature("WTH_MEAN", "mean wall thickening", "%", 0, Source.NUMBERS),
    Feature("mass_to_volume", "LV mass for its volume", "g/mL", 2, Source.NUMBERS),
    Feature("right_to_left", "RV volume beside the LV's", "", 2, Source.NUMBERS),
    Feature("LVEDVi", "LV volume at end-diastole for the body's size", "mL/m²", 0, Source.SIZE),
    Feature("LVESVi", "LV volume at end-systole for the body's size", "mL/m²", 0, Source.SIZE),
    Feature("LVMi", "LV mass for the body's size", "g/m²", 0, Source.SIZE),
    Feature("RVEDVi", "RV volume at end-diastole for the body's size", "mL/m²", 0, Source.SIZE),
    Feature("RVESVi", "RV volume at end-systole for the body's size", "mL/m²", 0, Source.SIZE),
    Feature("wt_septum_lateral", "septal over lateral thickness", "", 2, Source.LABELS),
    Feature("wt_es_sd", "unevenness of the wall at end-systole", "mm", 1, Source.LABELS),
    Feature("wth_sd", "unevenness of the thickening", "%", 0, Source.LABELS),
    Feature("wth_poor", "share of the wall that hardly thickens", "%", 0, Source.LABELS),
    Feature("inward_sd", "unevenness of the inward motion", "%", 0, Source.LABELS),
    Feature("lv_sphericity", "roundness of the LV", "", 2, Source.LABELS),
    Feature("septum_ratio", "roundness of the LV across the septum", "", 2, Source.LABELS),
)


def defining(sources: Collection[Source]) -> tuple[str, ...]:
    """Return the symbols by which the table of rules defines groups, as far as sources tell."""
    read = {one.symbol for rule in RULES if rule.group for one in rule.conditions}
    return tuple(one.symbol for one in FEATURES if one.symbol in read and one.source in sources)


def feature_values(facts: Facts) -> dict[str, float]:
    """Return the value of each feature that the facts give, in the order of the table."""
    values = {symbol: fact.value for symbol, fact in facts.items() if fact.value is not None}
    for symbol, (above, below) in _RATIOS.items():
        if above in values and values.get(below):
            values[symbol] = values[above] / values[below]
    return {one.symbol: values[one.symbol] for one in FEATURES if one.symbol in values}


def base_readings(facts: Facts) -> dict[str, Facts]:
    """Return the facts under other admissible readings of the base, by what they suppose.

    From the intervals of the measurements alone: of each ventricle the reading with the lowest
    and the highest ejection fraction, and those with the smallest and the largest
    end-diastolic volume (and mass) at the ejection fraction as measured.  One is changed at a
    time; indices change in proportion.
    """
    found: dict[str, Facts] = {}
    for side in ("LV", "RV"):
        ejection, diastole, systole = (facts.get(f"{side}{what}") for what in ("EF", "EDV", "ESV"))
        if ejection is None or diastole is None or systole is None:
            continue
        if ejection.value is None or diastole.value is None or systole.value is None:
            continue
        if ejection.interval is not None and systole.interval is not None:
            pairs = zip(ejection.interval, reversed(systole.interval), strict=True)
            for word, (ef_percent, esv_ml) in zip(("lowest", "highest"), pairs, strict=True):
                if 0 < ef_percent < 100:
                    edv_ml = _within(esv_ml / (1 - ef_percent / 100), diastole)
                    found[f"{word} {side}EF by the base"] = _changed(
                        facts,
                        {f"{side}EDV": edv_ml, f"{side}ESV": edv_ml * (1 - ef_percent / 100)},
                    )
        for word, end in (("smallest", 0), ("largest", 1)):
            if diastole.interval is None or not diastole.value:
                continue
            edv_ml = diastole.interval[end]
            changes = {
                f"{side}EDV": edv_ml,
                f"{side}ESV": systole.value * edv_ml / diastole.value,
            }
            mass = facts.get("LVM") if side == "LV" else None
            if mass is not None and mass.interval is not None:
                changes["LVM"] = mass.interval[end]
            found[f"{word} {side}EDV by the base"] = _changed(facts, changes)
    return found


def _within(value: float, fact: Fact) -> float:
    return min(max(value, fact.interval[0]), fact.interval[1]) if fact.interval else value


def _changed(facts: Facts, values: Mapping[str, float]) -> Facts:
    """Return the facts with volumes or mass changed, and all that follows from them."""
    changed = dict(values)
    for side in ("LV", "RV"):
        edv_ml, esv_ml = (values.get(f"{side}{what}") for what in ("EDV", "ESV"))
        if edv_ml and esv_ml is not None:
            changed[f"{side}EF"] = 100 * (1 - esv_ml / edv_ml)
            changed[f"{side}SV"] = edv_ml - esv_ml
    for symbol, indexed in _INDEXED.items():
        before, index = facts.get(symbol), facts.get(indexed)
        if symbol in changed and before and before.value and index and index.value is not None:
            changed[indexed] = index.value * changed[symbol] / before.value
    return with_values(facts, changed)
