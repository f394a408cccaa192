"""Relaxation of the tissues that the simulated maps and late enhancement show.

The values were set after the works named here, not copied from their tables: they are the truth of
this phantom, not a reference for patients.  They are true times, not those that a MOLLI reads.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

import numpy as np

from opencmr.errors import ConfigurationError
from opencmr.simulate.physics import FAT_SHIFT_PPM, PROTON_MHZ_PER_T

FIELDS_T = (1.5, 3.0)
R1_PER_MM_S, R2_PER_MM_S = (5.2, 5.0), (6.1, 7.1)
"""Relaxivities of gadobutrol in plasma at 1.5 and 3 T (after Rohrer et al., Invest Radiol 2005;
40:715)."""
MUSCLE, SCAR, NO_REFLOW, BLOOD, VENOUS = "myocardium", "scar", "no-reflow", "blood", "venous blood"


@dataclass(frozen=True, slots=True)
class Relaxation:
    """One tissue at 1.5 and 3 T before contrast.

    Attributes
    ----------
    t1_ms, t2_ms, t2_star_ms : (at 1.5 T, at 3 T)
    density : float
        Of protons, relative to blood.
    plasma_share : float
        Share of its volume that the agent reaches at the concentration of plasma.
    source : str
    """

    t1_ms: tuple[float, float]
    t2_ms: tuple[float, float]
    t2_star_ms: tuple[float, float]
    density: float
    plasma_share: float
    source: str


_RADIOLOGY = "T1, T2 after de Bazelaire et al., Radiology 2004; 230:652; the rest plausible"
_MUSCLE = (
    "T1 after Chow et al., MRM 2014; 71:2082 (SASHA, 1.5 T), 3 T plausible; T2 after Giri et al., "
    "JCMR 2009; 11:56; T2* after Anderson et al., Eur Heart J 2001; 22:2171"
)

RELAXATIONS: Mapping[str, Relaxation] = MappingProxyType(
    {
        BLOOD: Relaxation((1650, 1850), (250, 180), (120, 80), 1.0, 0.58, "plausible"),
        VENOUS: Relaxation((1650, 1850), (190, 130), (90, 50), 1.0, 0.58, "plausible"),
        MUSCLE: Relaxation((1150, 1450), (50, 45), (36, 27), 0.8, 0.26, _MUSCLE),
        SCAR: Relaxation((1300, 1600), (56, 51), (38, 29), 0.82, 0.58, "plausible"),
        NO_REFLOW: Relaxation((1180, 1480), (48, 43), (28, 21), 0.8, 0.20, "plausible"),
        "skeletal muscle": Relaxation((1008, 1412), (44, 40), (30, 24), 0.75, 0.12, "plausible"),
        "fat": Relaxation((343, 382), (58, 68), (40, 35), 0.95, 0.02, _RADIOLOGY),
        "liver": Relaxation((586, 809), (46, 34), (28, 18), 0.75, 0.28, _RADIOLOGY),
        "spleen": Relaxation((1057, 1328), (79, 61), (50, 35), 0.85, 0.33, _RADIOLOGY),
        "vessel wall": Relaxation((950, 1050), (45, 42), (30, 24), 0.55, 0.30, "plausible"),
        "lung": Relaxation((1200, 1270), (40, 35), (2, 1), 0.16, 0.30, "plausible"),
        "bone marrow": Relaxation((549, 586), (49, 49), (15, 10), 0.42, 0.08, _RADIOLOGY),
        "cortical bone": Relaxation((250, 250), (1, 1), (0.5, 0.5), 0.1, 0.0, "plausible"),
        "cerebrospinal fluid": Relaxation(
            (4000, 4000), (1500, 1500), (500, 300), 1.0, 0.0, "plausible"
        ),
        "stomach content": Relaxation((1400, 1600), (110, 100), (50, 30), 0.7, 0.0, "plausible"),
        "air": Relaxation((1000, 1000), (1, 1), (0.5, 0.5), 0.0, 0.0, "no protons"),
    }
)
TISSUE_NAMES = tuple(RELAXATIONS)


@dataclass(frozen=True, slots=True, eq=False)
class Times:
    """The times of all tissues at one field strength, with or without agent, in one order.

    Attributes
    ----------
    names : tuple of str
    t1_ms, t2_ms, t2_star_ms, density, shift_hz : (K,)
        ``shift_hz`` is fat's chemical shift, 0 in water.
    """

    names: tuple[str, ...]
    t1_ms: np.ndarray
    t2_ms: np.ndarray
    t2_star_ms: np.ndarray
    density: np.ndarray
    shift_hz: np.ndarray


def field_index(field_strength_t: float) -> int:
    """Return the column of a field strength.

    Raises
    ------
    ConfigurationError
        For another than 1.5 or 3 T.
    """
    if field_strength_t not in FIELDS_T:
        raise ConfigurationError(f"field strength is {field_strength_t} T; expected 1.5 or 3")
    return FIELDS_T.index(field_strength_t)


def times_of(
    table: Mapping[str, Relaxation], field_strength_t: float, *, plasma_mm: float = 0.0
) -> Times:
    """Return the times of a table's tissues where plasma holds ``plasma_mm`` mmol/L of agent.

    Every rate grows by relaxivity times the concentration in the tissue (fast exchange), so that
    ``(1 - Hct) dR1(muscle) / dR1(blood)`` is the share of muscle that the agent reaches: its ECV.
    """
    which = field_index(field_strength_t)

    def column(name: str) -> np.ndarray:
        return np.array([getattr(one, name)[which] for one in table.values()], dtype=float)

    agent_mm = plasma_mm * np.array([one.plasma_share for one in table.values()])
    faster1, faster2 = (
        relaxivity[which] * agent_mm / 1000 for relaxivity in (R1_PER_MM_S, R2_PER_MM_S)
    )
    fat_hz = -FAT_SHIFT_PPM * PROTON_MHZ_PER_T * field_strength_t
    return Times(
        names=tuple(table),
        t1_ms=1 / (1 / column("t1_ms") + faster1),
        t2_ms=1 / (1 / column("t2_ms") + faster2),
        t2_star_ms=1 / (1 / column("t2_star_ms") + faster2),
        density=np.array([one.density for one in table.values()]),
        shift_hz=np.array([fat_hz if name in ("fat", "bone marrow") else 0.0 for name in table]),
    )


def table_with(
    *,
    haematocrit: float,
    ecv_percent: float,
    scar_ecv_percent: float,
    muscle: Mapping[str, float],
    field_strength_t: float,
) -> Mapping[str, Relaxation]:
    """Return the table of one patient: blood by its haematocrit, muscle and scar by their ECV.

    ``muscle`` replaces ``t1_ms``, ``t2_ms`` or ``t2_star_ms`` of healthy muscle at the field.
    """
    field_index(field_strength_t)
    table = dict(RELAXATIONS)
    for blood in (BLOOD, VENOUS):
        table[blood] = replace(table[blood], plasma_share=1 - haematocrit)
    table[SCAR] = replace(table[SCAR], plasma_share=scar_ecv_percent / 100)
    changed: dict[str, Any] = {name: (value, value) for name, value in muscle.items()}
    table[MUSCLE] = replace(table[MUSCLE], plasma_share=ecv_percent / 100, **changed)
    return MappingProxyType(table)
