"""The fine names of sequence and view: what is told within a technique and within a view.

Two more tables of votes.  A technique's own names compete among each other alone, so that a name
never contradicts what the analyses take the series for; the probability of a name is that of the
technique times its share among the technique's names.
"""

from collections.abc import Callable, Mapping

from opencmr.anatomy.techniques import SequenceName, Technique
from opencmr.anatomy.views import View, ViewName
from opencmr.imaging.image import Unit
from opencmr.sort import words
from opencmr.sort.evidence import BODY_AXIS_DEG, Evidence
from opencmr.sort.rules import (
    INVERSION_MS,
    OFF_AXIS_MM,
    T1_MAP_TYPES,
    T2_MAP_TYPES,
    TURN_TOLERANCE_DEG,
    VELOCITY_TYPES,
    Rule,
    is_spin_echo,
    turn_from,
)
from opencmr.sort.words import Languages, any_language

BSSFP_FLIP_DEG, GRE_FLIP_DEG = 35.0, 25.0
"""Balanced cines flip by 45 to 70 degrees, spoiled ones by 10 to 20 (SCMR, JCMR 2020; 22:17)."""
TI_SCOUT_PICTURES = 15
"""A TI scout has a picture every 20 to 30 ms of the heartbeat; MOLLI has 7 to 11 (proposal)."""
STACK_OF_SCOUTS = 8
"""So many parallel slices of one orientation are a localiser stack (proposal)."""
OBLIQUE_AORTA_DEG = 25.0
"""The candy-cane plane of the aorta is a sagittal one, turned by less than this (proposal)."""

NAMES: Mapping[Technique, tuple[SequenceName, ...]] = {
    Technique.CINE: (
        SequenceName.CINE_BSSFP,
        SequenceName.CINE_GRE,
        SequenceName.REAL_TIME_CINE,
    ),
    Technique.LGE: (SequenceName.LGE_MAGNITUDE, SequenceName.LGE_PSIR),
    Technique.T1_MAPPING: (SequenceName.T1_RAW, SequenceName.T1_MAP, SequenceName.TI_SCOUT),
    Technique.T2_MAPPING: (SequenceName.T2_RAW, SequenceName.T2_MAP),
    Technique.T2_STAR_MAPPING: (SequenceName.T2_STAR,),
    Technique.FLOW: (SequenceName.FLOW_MAGNITUDE, SequenceName.FLOW_PHASE),
    Technique.SCOUT: (SequenceName.SCOUT, SequenceName.LOCALISER_STACK),
    Technique.OTHER: (
        SequenceName.PERFUSION,
        SequenceName.TAGGING,
        SequenceName.DENSE,
        SequenceName.REAL_TIME_CINE,
        SequenceName.TI_SCOUT,
        SequenceName.BLACK_BLOOD,
        SequenceName.DERIVED,
        SequenceName.NOT_CARDIAC,
        SequenceName.UNKNOWN,
    ),
}
"""The names that each technique may have."""

VIEW_NAMES: Mapping[View, tuple[ViewName, ...]] = {
    View.SAX: (ViewName.SAX,),
    View.TWO_CHAMBER: (ViewName.TWO_CHAMBER, ViewName.RV_TWO_CHAMBER),
    View.THREE_CHAMBER: (ViewName.THREE_CHAMBER, ViewName.LVOT),
    View.FOUR_CHAMBER: (ViewName.FOUR_CHAMBER,),
    View.RVOT: (ViewName.RVOT, ViewName.RV_TWO_CHAMBER),
    View.OTHER: (
        ViewName.TRANSAXIAL,
        ViewName.CORONAL,
        ViewName.SAGITTAL,
        ViewName.RV_TWO_CHAMBER,
        ViewName.LVOT,
        ViewName.AORTA,
        ViewName.OTHER,
    ),
}
"""The names that each view may have."""

Holds = Callable[[Evidence], bool]


def _typed(*parts: str) -> Holds:
    return lambda e: any(part in e.header.image_type for part in parts)


def _called(*topics: Languages) -> Holds:
    pattern = any_language(*topics)
    return lambda e: e.says(pattern)


def _flips(low_deg: float, high_deg: float) -> Holds:
    return lambda e: (
        e.header.flip_angle_deg is not None and low_deg <= e.header.flip_angle_deg <= high_deg
    )


def _is_synchronised(*by: str) -> Holds:
    return lambda e: e.header.cardiac_synchronization.upper() in by


def _shows_velocities(e: Evidence) -> bool:
    return any(part in e.header.image_type for part in VELOCITY_TYPES)


def _is_other_half(e: Evidence) -> bool:
    return e.other_half is not None and any(p in e.other_half.image_type for p in VELOCITY_TYPES)


def _is_for_another_body_part(e: Evidence) -> bool:
    part = e.header.body_part.upper()
    return bool(part) and part not in CARDIAC_PARTS


CARDIAC_PARTS = frozenset(
    {"HEART", "CHEST", "THORAX", "CARDIAC", "AORTA", "CORONARYARTERY", "WHOLEBODY", "BODY"}
)
"""Values of BodyPartExamined (PS3.16 annex L, and what scanners write) that may hold a heart."""


def _may_invert(e: Evidence) -> bool:
    time_ms = e.header.inversion_time_ms
    return e.phases >= TI_SCOUT_PICTURES and time_ms is not None and time_ms <= INVERSION_MS[1]


def _is_called_map(e: Evidence) -> bool:
    return not (e.prepared or e.echoes or e.beats) and e.says(any_language(words.MAP))


_S = SequenceName
SEQUENCE_NAME_RULES: tuple[Rule[SequenceName], ...] = (
    Rule(_S.CINE_BSSFP, 1.0, "most cines are balanced", lambda e: True),
    Rule(
        _S.CINE_BSSFP,
        2.0,
        "named as a balanced pulse sequence",
        lambda e: e.named(r"^\W*tfi|trufi|fiesta|b-?[tf]fe|ssfp"),
    ),
    Rule(_S.CINE_BSSFP, 1.0, "flips by {header.flip_angle_deg:.0f}°", _flips(BSSFP_FLIP_DEG, 180)),
    Rule(
        _S.CINE_BSSFP, 1.0, "described as balanced", lambda e: e.says(r"trufi|fiesta|ssfp|\bb ?ffe")
    ),
    Rule(_S.CINE_GRE, 2.0, "flips by {header.flip_angle_deg:.0f}°", _flips(1, GRE_FLIP_DEG)),
    Rule(
        _S.CINE_GRE,
        2.0,
        "named as a spoiled pulse sequence",
        lambda e: e.named(r"^\W*fl\d|flash|fgre|spgr"),
    ),
    Rule(_S.CINE_GRE, 1.0, "its variant is spoiled", lambda e: "SP" in e.header.sequence_variant),
    Rule(_S.CINE_GRE, 1.0, "described as spoiled", lambda e: e.says(r"\b(flash|fgre|spgr|gre)\b")),
    Rule(
        _S.REAL_TIME_CINE,
        4.0,
        "the header says that it is not gated",
        _is_synchronised("REALTIME", "NONE"),
    ),
    Rule(_S.REAL_TIME_CINE, 3.0, "described as real time", _called(words.REAL_TIME)),
    Rule(
        _S.REAL_TIME_CINE,
        6.0,
        "its pictures show {pictures.beats:.1f} heartbeats",
        lambda e: e.pictures is not None and e.pictures.repeats,
    ),
    Rule(_S.LGE_MAGNITUDE, 0.5, "nothing says phase-sensitive", lambda e: True),
    Rule(_S.LGE_MAGNITUDE, 2.0, "a magnitude by its image type", _typed("M", "MAGNITUDE")),
    Rule(_S.LGE_MAGNITUDE, 2.0, "described as a magnitude", _called(words.MAGNITUDE)),
    Rule(
        _S.LGE_PSIR,
        3.0,
        "phase-sensitive by its image type",
        _typed("P", "R", "REAL", "PSIR", "PHASE", "PHASE MAP", "PS"),
    ),
    Rule(_S.LGE_PSIR, 2.0, "described as phase-sensitive", _called(words.PHASE_SENSITIVE)),
    Rule(
        _S.T1_RAW,
        3.0,
        "{phases} pictures after different preparations",
        lambda e: e.prepared or e.phases > 2,
    ),
    Rule(_S.T1_MAP, 5.0, "a T1 map by its image type", _typed(*T1_MAP_TYPES)),
    Rule(_S.T1_MAP, 4.0, "its values are milliseconds", lambda e: e.unit is Unit.MILLISECONDS),
    Rule(_S.T1_MAP, 2.0, "one picture of a slice", lambda e: e.phases == 1),
    Rule(_S.T1_MAP, 2.0, "described as a map, and its pictures differ in nothing", _is_called_map),
    Rule(
        _S.TI_SCOUT, 2.0, "described as a TI scout", lambda e: e.says(any_language(words.TI_SCOUT))
    ),
    Rule(
        _S.TI_SCOUT,
        4.0,
        "{phases} inversion times of a slice",
        lambda e: e.prepared and e.phases >= TI_SCOUT_PICTURES,
    ),
    Rule(
        _S.T2_RAW,
        3.0,
        "{phases} pictures of a slice",
        lambda e: e.prepared or e.beats or e.phases > 2,
    ),
    Rule(_S.T2_MAP, 5.0, "a T2 map by its image type", _typed(*T2_MAP_TYPES)),
    Rule(_S.T2_MAP, 4.0, "its values are milliseconds", lambda e: e.unit is Unit.MILLISECONDS),
    Rule(_S.T2_MAP, 2.0, "one picture of a slice", lambda e: e.phases == 1),
    Rule(_S.T2_MAP, 2.0, "described as a map, and its pictures differ in nothing", _is_called_map),
    Rule(_S.T2_STAR, 1.0, "of different echoes", lambda e: e.echoes),
    Rule(_S.FLOW_PHASE, 5.0, "velocities by its image type", _shows_velocities),
    Rule(_S.FLOW_PHASE, 1.0, "described as phase", lambda e: e.says(r"\b(p|pha|phase|phasen)\b$")),
    Rule(_S.FLOW_MAGNITUDE, 3.0, "its other half shows the velocities", _is_other_half),
    Rule(_S.FLOW_MAGNITUDE, 2.0, "a magnitude by its image type", _typed("M", "MAGNITUDE")),
    Rule(_S.FLOW_MAGNITUDE, 0.5, "nothing says velocities", lambda e: not _shows_velocities(e)),
    Rule(
        _S.SCOUT,
        3.0,
        "the scanner's series holds several orientations",
        lambda e: e.other_orientations,
    ),
    Rule(_S.SCOUT, 1.0, "{slices} slices", lambda e: e.slices < STACK_OF_SCOUTS),
    Rule(
        _S.LOCALISER_STACK,
        2.0,
        "{slices} parallel slices of one orientation",
        lambda e: e.slices >= STACK_OF_SCOUTS and not e.other_orientations,
    ),
    Rule(_S.PERFUSION, 2.0, "described as perfusion", _called(words.PERFUSION)),
    Rule(
        _S.PERFUSION,
        3.0,
        "{phases} heartbeats of one place, one after another",
        lambda e: e.beats,
    ),
    Rule(
        _S.PERFUSION,
        1.5,
        "its brightness changes by {pictures.swing_percent:.0f} %",
        lambda e: e.pictures is not None and e.pictures.changes_brightness and not e.prepared,
    ),
    Rule(
        _S.PERFUSION,
        1.0,
        "named as a saturation-prepared pulse sequence",
        lambda e: e.named("perf|tfl2d"),
    ),
    Rule(
        _S.TAGGING,
        6.0,
        "lines or a grid lie over its pictures",
        lambda e: e.pictures is not None and e.pictures.tags_a_heart,
    ),
    Rule(_S.TAGGING, 2.0, "described as tagging", _called(words.TAGGING)),
    Rule(_S.TAGGING, 3.0, "named as a tagging sequence", lambda e: e.named("tag|spamm")),
    Rule(_S.DENSE, 2.5, "described as DENSE", _called(words.DENSE)),
    Rule(_S.DENSE, 3.0, "named as a DENSE sequence", lambda e: e.named("dense")),
    Rule(_S.TI_SCOUT, 1.5, "pictures with an inversion time", _may_invert),
    Rule(_S.BLACK_BLOOD, 2.5, "a single picture of a spin echo", is_spin_echo),
    Rule(_S.BLACK_BLOOD, 2.0, "described as black blood", _called(words.BLACK_BLOOD)),
    Rule(
        _S.BLACK_BLOOD,
        1.5,
        "named as a fast spin echo",
        lambda e: e.named(r"^\W*(tse|tir|h2d|fse)|haste"),
    ),
    Rule(
        _S.DERIVED,
        3.0,
        "described as what a fit leaves beside its map",
        _called(words.FIT_REMAINDER),
    ),
    Rule(_S.DERIVED, 2.0, "derived by its image type", _typed("DERIVED")),
    Rule(
        _S.DERIVED,
        1.5,
        "reformatted by its image type",
        _typed("SECONDARY", "MPR", "PROJECTION IMAGE", "MIP", "SUBTRACT"),
    ),
    Rule(
        _S.NOT_CARDIAC,
        4.0,
        "of another body part by its header",
        _is_for_another_body_part,
    ),
    Rule(_S.NOT_CARDIAC, 2.0, "described as another body part", _called(words.NOT_CARDIAC)),
    Rule(_S.UNKNOWN, 1.0, "nothing speaks for a known sequence", lambda e: True),
)
"""Weights in log-odds, as in ``rules``; choices, not fitted."""

_V = ViewName


def _beside_right(e: Evidence) -> bool:
    return (
        e.off_axis_mm is not None
        and e.off_axis_mm > OFF_AXIS_MM
        and e.is_right
        and e.is_along_axis
        and turn_from(e, View.TWO_CHAMBER) <= TURN_TOLERANCE_DEG
    )


def _across(plane: str) -> Holds:
    return lambda e: e.oriented and e.body_axis_deg <= BODY_AXIS_DEG and e.body_plane == plane


VIEW_NAME_RULES: tuple[Rule[ViewName], ...] = (
    *(
        Rule(_V(name), 3.0, "{body_plane}, {body_axis_deg:.0f}° from the body axis", _across(name))
        for name in ("transaxial", "coronal", "sagittal")
    ),
    Rule(_V.TWO_CHAMBER, 2.5, "through the left ventricle", lambda e: True),
    Rule(
        _V.RV_TWO_CHAMBER,
        3.0,
        "parallel to a two-chamber plane, {off_axis_mm:.0f} mm to the right of the long axis",
        _beside_right,
    ),
    Rule(
        _V.RV_TWO_CHAMBER,
        2.0,
        "described as two-chamber of the right ventricle",
        _called(words.RIGHT_TWO_CHAMBER),
    ),
    Rule(_V.THREE_CHAMBER, 2.0, "turned as three-chamber", lambda e: True),
    Rule(
        _V.LVOT,
        1.5,
        "described as left outflow tract",
        lambda e: e.says(any_language(words.LEFT_OUTFLOW)),
    ),
    Rule(_V.RVOT, 1.5, "beside the long axis, or described so", lambda e: True),
    Rule(_V.AORTA, 2.0, "described as aorta", _called(words.AORTA)),
    Rule(
        _V.AORTA,
        1.0,
        "an oblique sagittal plane",
        lambda e: (
            e.body_plane == "sagittal"
            and BODY_AXIS_DEG < e.body_axis_deg <= OBLIQUE_AORTA_DEG
            and e.says(any_language(words.AORTA))
        ),
    ),
    Rule(_V.OTHER, 1.0, "nothing speaks for a known view", lambda e: True),
)
"""Weights in log-odds, as in ``rules``; choices, not fitted."""
