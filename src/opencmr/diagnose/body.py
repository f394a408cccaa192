"""Indices of measurements that came without them, where the body's size is stated beside."""

from opencmr.diagnose.facts import Fact, Facts
from opencmr.imaging.study import Demographics
from opencmr.measure.body_size import mosteller_m2, plausible_size
from opencmr.measure.ventricles import Unmeasurable

INDEXED = ("LVEDV", "LVESV", "LVSV", "LVM", "RVEDV", "RVESV", "RVSV")


def with_indices(facts: Facts, body: Demographics) -> dict[str, Fact]:
    """Return the facts with each volume and mass over the body surface area (Mosteller).

    Unchanged where height or weight is not given or cannot be a body's.

    Examples
    --------
    >>> facts = {"LVEDV": Fact(200.0)}
    >>> with_indices(facts, Demographics(height_cm=180.0, weight_kg=80.0))["LVEDVi"].value
    100.0
    """
    try:
        bsa_m2 = mosteller_m2(*plausible_size(body))
    except Unmeasurable:
        return dict(facts)
    indices = {}
    for symbol in INDEXED:
        fact = facts.get(symbol)
        if fact is not None and fact.value is not None:
            indices[f"{symbol}i"] = Fact(fact.value / bsa_m2, papillary=fact.papillary)
    return dict(facts) | indices
