"""The rules of sorting: a table of evidence, its weight, and the words for the reader.

A weight is a log-odds vote; votes for one answer add up, and the softmax of the sums is the
confidence.  Geometry and timing weigh 2 to 4, what a human typed weighs 1: descriptions are
evidence, never proof.  Velocity encoding outweighs a sweep of the heartbeat, which flow
series show as well.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, TypeVar

import numpy as np

from opencmr.anatomy.plausible import CINE_PHASES, THICK_SLICES_MM
from opencmr.anatomy.techniques import Technique
from opencmr.anatomy.views import View
from opencmr.imaging.axis import Heartbeat
from opencmr.sort import words
from opencmr.sort.evidence import SHORT_AXIS_DEG, Evidence
from opencmr.sort.words import Languages, any_language

SWEEP_SHARE = 0.5
"""A cine's trigger times span at least this share of the heartbeat."""
STILL_SHARE = 0.3
"""Pictures within this share of the heartbeat are all of one phase (mapping, perfusion)."""
INVERSION_MS = (150.0, 500.0)
"""Inversion times that null healthy myocardium after contrast."""
OFF_AXIS_MM = 15.0
"""A plane this far beside the long axis of the left ventricle shows another chamber."""
TURN_TOLERANCE_DEG = 25.0
"""Long-axis views are 60 degrees apart about the axis; nearer than this is that view."""
TURNS_DEG = {View.TWO_CHAMBER: 2.0, View.THREE_CHAMBER: 62.0, View.FOUR_CHAMBER: 122.0}
"""Turn of each long-axis view about the axis (see ``evidence.turn_about_deg``).

Sixty degrees apart by convention (echocardiography's apical views); the start measured on a
volunteer whose three views were confirmed by eye.
"""

T2_PICTURES = 6
"""T2-prepared pictures of a slice are three to six; a first pass has 40 and more (SCMR protocols,
JCMR 2020; 22:17)."""
PICTURES_WEIGHT = 8.0
"""What the pictures do outweighs what a cine's header says (4 to 5), not a velocity encoding."""
VELOCITY_TYPES = ("P", "PHASE MAP", "VELOCITY", "PHASE")
"""Image types of phase-contrast pictures that show velocities."""
T1_MAP_TYPES, T2_MAP_TYPES, T2_STAR_MAP_TYPES = (
    tuple(name + end for name in names for end in ("", " MAP", "MAP", "_MAP"))
    for names in (("T1",), ("T2",), ("T2*", "T2_STAR"))
)
"""Image types by which scanners call a picture their map."""
MAPPING_WORDS = any_language(words.T1_MAPPING, words.T2_MAPPING, words.T2_STAR)
TAGGING_SEQUENCES = r"tag|spamm|dense"
"""Siemens ``*fl2d1_tag...``, GE ``fgretag``: written by the scanner and not by a hand."""
PERFUSION_SEQUENCES = r"perf|tfl2d"
"""Saturation-prepared turbo flash (Siemens), which makes other pictures too."""
NO_CINE_WORDS = any_language(words.PERFUSION, words.TAGGING, words.DENSE, words.TI_SCOUT)
"""Of series whose times look like a cine's; they count where no beat is seen in the pictures."""

Answer = TypeVar("Answer", bound=StrEnum)


@dataclass(frozen=True, slots=True)
class Rule(Generic[Answer]):
    """One vote.

    Attributes
    ----------
    answer : View or Sequence
    weight : float
        Log-odds, negative against.
    because : str
        For the reader; may name fields of the evidence in braces.
    holds : function of the evidence
    """

    answer: Answer
    weight: float
    because: str
    holds: Callable[[Evidence], bool]


def _sweeps(e: Evidence) -> bool:
    return (
        e.along is Heartbeat
        and e.phases > 2
        and e.heartbeat_share is not None
        and e.heartbeat_share >= SWEEP_SHARE
    )


def _stands_still(e: Evidence) -> bool:
    return e.phases > 2 and e.heartbeat_share is not None and e.heartbeat_share < STILL_SHARE


def _is_moving(e: Evidence) -> bool:
    """Return whether a heartbeat is shown: phase pictures of stills are no velocities."""
    return _sweeps(e) or _is_timeless(e)


def _is_timeless(e: Evidence) -> bool:
    return e.along is Heartbeat and e.phases >= CINE_PHASES and e.heartbeat_share is None


def _typed(e: Evidence, *parts: str) -> bool:
    return any(part in e.header.image_type for part in parts)


def _has_velocities(e: Evidence) -> bool:
    """Return whether the other half of its acquisition shows velocities."""
    return e.other_half is not None and any(p in e.other_half.image_type for p in VELOCITY_TYPES)


def _tagged(e: Evidence) -> bool:
    return e.pictures is not None and e.pictures.is_tagged


def _changes_brightness(e: Evidence) -> bool:
    return (
        e.pictures is not None
        and e.along is Heartbeat
        and not e.pictures.is_tagged
        and e.pictures.changes_brightness
    )


def _shows_no_beat(e: Evidence) -> bool:
    return e.pictures is not None and e.along is Heartbeat and e.pictures.stands_still


def _shows_beats(e: Evidence) -> bool:
    return e.pictures is not None and e.along is Heartbeat and e.pictures.repeats


def _moves_as_a_whole(e: Evidence) -> bool:
    return e.pictures is not None and e.along is Heartbeat and e.pictures.moves_as_a_whole


def _is_noise(e: Evidence) -> bool:
    return e.pictures is not None and e.along is Heartbeat and e.pictures.is_noise


def beats_once(e: Evidence) -> bool:
    """Return whether the pictures were enough to see one heart beat once."""
    return e.pictures is not None and not (
        e.pictures.is_tagged
        or e.pictures.changes_brightness
        or e.pictures.stands_still
        or e.pictures.repeats
        or e.pictures.moves_as_a_whole
        or e.pictures.is_noise
    )


def is_spin_echo(e: Evidence) -> bool:
    """Return whether the header says spin echo: SE alone or with an echo train."""
    return "SE" in e.header.scanning_sequence and "GR" not in e.header.scanning_sequence


def _inverts(e: Evidence) -> bool:
    time_ms = e.header.inversion_time_ms
    return (
        e.phases == 1
        and time_ms is not None
        and INVERSION_MS[0] <= time_ms <= INVERSION_MS[1]
        and "IR" in (*e.header.scanning_sequence, *e.header.sequence_variant)
    )


SEQUENCE_RULES: tuple[Rule[Technique], ...] = (
    Rule(Technique.CINE, 4.0, "{phases} phases sweep the heartbeat", _sweeps),
    Rule(
        Technique.CINE,
        2.5,
        "{phases} phases, times unknown",
        _is_timeless,
    ),
    Rule(
        Technique.CINE,
        1.5,
        "two phases without a header, taken for end-diastole and end-systole",
        lambda e: e.silent and 1 < e.phases < CINE_PHASES,
    ),
    Rule(Technique.CINE, -4.0, "a single phase is no cine", lambda e: e.phases == 1),
    Rule(Technique.CINE, -4.0, "all its pictures are of one phase", _stands_still),
    Rule(
        Technique.CINE,
        -6.0,
        "its pictures differ in their preparation, not in the heartbeat",
        lambda e: e.prepared,
    ),
    Rule(
        Technique.CINE,
        -6.0,
        "its pictures differ in their echo, not in the heartbeat",
        lambda e: e.echoes,
    ),
    Rule(
        Technique.CINE,
        -6.0,
        "its pictures are of many heartbeats, one after another",
        lambda e: e.beats,
    ),
    Rule(
        Technique.CINE,
        -3.0,
        "described as a mapping series",
        lambda e: e.says(MAPPING_WORDS),
    ),
    Rule(
        Technique.CINE,
        -3.0,
        "described as perfusion, tagging, DENSE or a TI scout, and no beat is seen",
        lambda e: e.says(NO_CINE_WORDS) and not beats_once(e),
    ),
    Rule(
        Technique.CINE,
        -3.0,
        "the name of its pulse sequence is that of perfusion, and no beat is seen",
        lambda e: e.named(PERFUSION_SEQUENCES) and not beats_once(e),
    ),
    Rule(
        Technique.OTHER,
        6.0,
        "the name of its pulse sequence is that of tagging or DENSE",
        lambda e: e.named(TAGGING_SEQUENCES),
    ),
    Rule(
        Technique.OTHER,
        1.5,
        "described as perfusion, tagging or DENSE",
        lambda e: e.says(any_language(words.PERFUSION, words.TAGGING, words.DENSE)),
    ),
    Rule(
        Technique.OTHER,
        1.5,
        "described as black blood",
        lambda e: e.phases == 1 and e.says(any_language(words.BLACK_BLOOD)),
    ),
    Rule(
        Technique.OTHER,
        2.5,
        "described as what a fit leaves beside its map: parameters, residuals, errors",
        lambda e: not e.prepared and not e.echoes and e.says(any_language(words.FIT_REMAINDER)),
    ),
    Rule(
        Technique.OTHER,
        2.5,
        "a single picture of a spin echo",
        lambda e: e.phases == 1 and is_spin_echo(e),
    ),
    Rule(
        Technique.OTHER,
        2.5,
        "pictures of one place over many heartbeats",
        lambda e: e.beats and e.phases > T2_PICTURES,
    ),
    Rule(
        Technique.CINE,
        1.0,
        "described as a cine",
        lambda e: e.says(any_language(words.CINE)) and e.phases > 1,
    ),
    Rule(
        Technique.OTHER,
        PICTURES_WEIGHT,
        "lines or a grid lie over its pictures ({pictures.line_percent:.0f} % of their fine "
        "structure): tagging",
        _tagged,
    ),
    Rule(
        Technique.OTHER,
        PICTURES_WEIGHT,
        "its pictures change in brightness (by {pictures.swing_percent:.0f} %) and not in shape: "
        "perfusion, an inversion or fading tags",
        _changes_brightness,
    ),
    Rule(
        Technique.OTHER, PICTURES_WEIGHT, "no heart beats in its pictures: a still", _shows_no_beat
    ),
    Rule(
        Technique.OTHER,
        PICTURES_WEIGHT,
        "its pictures show {pictures.beats:.1f} heartbeats and not one: real time",
        _shows_beats,
    ),
    Rule(
        Technique.OTHER,
        PICTURES_WEIGHT,
        "its pictures move as a whole ({pictures.whole_percent:.0f} % of their change), as those "
        "of no heart do",
        _moves_as_a_whole,
    ),
    Rule(Technique.OTHER, PICTURES_WEIGHT, "its pictures are noise", _is_noise),
    Rule(
        Technique.FLOW,
        6.0,
        "velocity-encoded pictures by their image type",
        lambda e: _typed(e, *VELOCITY_TYPES) and _is_moving(e),
    ),
    Rule(
        Technique.FLOW,
        6.0,
        "the magnitude of velocity-encoded pictures",
        lambda e: _has_velocities(e) and _is_moving(e),
    ),
    Rule(
        Technique.FLOW,
        5.5,
        "velocities up to {venc_cm_s:.0f} cm/s are encoded",
        lambda e: e.venc_cm_s is not None,
    ),
    Rule(
        Technique.FLOW,
        1.0,
        "described as flow",
        lambda e: e.says(any_language(words.FLOW)),
    ),
    Rule(Technique.LGE, 2.5, "inversion recovery that nulls myocardium", _inverts),
    Rule(
        Technique.LGE,
        1.0,
        "a contrast agent was given",
        lambda e: bool(e.header.contrast_agent) and _inverts(e),
    ),
    Rule(
        Technique.LGE,
        2.0,
        "described as late enhancement",
        lambda e: e.phases <= 2 and e.says(any_language(words.LATE_ENHANCEMENT)),
    ),
    Rule(
        Technique.T1_MAPPING,
        2.5,
        "several pictures of one phase, described as T1 mapping",
        lambda e: not _sweeps(e) and e.says(any_language(words.T1_MAPPING)),
    ),
    Rule(
        Technique.T1_MAPPING,
        3.0,
        "{phases} pictures of a slice after different inversion times",
        lambda e: e.prepared and not e.t2_prepared,
    ),
    Rule(
        Technique.T1_MAPPING,
        1.5,
        "pictures of one phase with an inversion time",
        lambda e: _stands_still(e) and e.header.inversion_time_ms is not None,
    ),
    Rule(
        Technique.T1_MAPPING,
        3.0,
        "a T1 map by its image type",
        lambda e: _typed(e, *T1_MAP_TYPES),
    ),
    Rule(
        Technique.T2_MAPPING,
        2.5,
        "described as T2 mapping",
        lambda e: not _sweeps(e) and e.says(any_language(words.T2_MAPPING)),
    ),
    Rule(
        Technique.T2_MAPPING,
        4.0,
        "{phases} pictures of a slice after T2 preparations of different lengths",
        lambda e: e.t2_prepared,
    ),
    Rule(
        Technique.T2_MAPPING,
        3.0,
        "{phases} pictures of a slice, heartbeats apart: too few for a first pass",
        lambda e: e.beats and e.phases <= T2_PICTURES,
    ),
    Rule(
        Technique.T2_MAPPING,
        3.0,
        "a T2 map by its image type",
        lambda e: _typed(e, *T2_MAP_TYPES),
    ),
    Rule(Technique.T2_STAR_MAPPING, 3.0, "{phases} echoes of a slice", lambda e: e.echoes),
    Rule(
        Technique.T2_STAR_MAPPING,
        3.0,
        "a T2* map by its image type",
        lambda e: _typed(e, *T2_STAR_MAP_TYPES),
    ),
    Rule(
        Technique.T2_STAR_MAPPING,
        2.0,
        "described as T2*",
        lambda e: not _sweeps(e) and e.says(any_language(words.T2_STAR)),
    ),
    Rule(
        Technique.SCOUT,
        2.0,
        "one phase, and the scanner's series holds several orientations",
        lambda e: e.phases == 1 and e.other_orientations,
    ),
    Rule(
        Technique.SCOUT,
        1.5,
        "one phase along a body axis, beside stacks of other directions",
        lambda e: (
            e.phases == 1
            and e.oriented
            and e.body_axis_deg < 1.0
            and not e.silent
            and e.beside_others
        ),
    ),
    Rule(
        Technique.SCOUT,
        2.0,
        "described as a scout",
        lambda e: e.phases == 1 and e.says(any_language(words.SCOUT)),
    ),
    Rule(Technique.OTHER, 1.0, "nothing speaks for a known sequence", lambda e: True),
)


def _short_axis(limit_deg: float) -> Callable[[Evidence], bool]:
    return lambda e: e.oriented and e.typical_axis_deg <= limit_deg


def _beside(e: Evidence) -> bool:
    return e.off_axis_mm is not None and e.off_axis_mm > OFF_AXIS_MM


def turn_from(e: Evidence, view: View) -> float:
    """Return by how many degrees a plane is turned against a view about the long axis."""
    apart = abs(e.turn_deg - TURNS_DEG[view])
    return min(apart, 180.0 - apart)


def _long_axis_rules(view: View, name: str, called: Languages) -> tuple[Rule[View], ...]:
    def turned(e: Evidence) -> bool:
        return (
            e.is_along_axis
            and not e.is_stack
            and not _beside(e)
            and turn_from(e, view) <= TURN_TOLERANCE_DEG
        )

    return (
        Rule(
            view, 3.0, f"along the long axis, turned as a {name} plane ({{turn_deg:.0f}}°)", turned
        ),
        Rule(
            view,
            1.0,
            "passes through the line that the long-axis planes share",
            lambda e: turned(e) and e.off_axis_mm is not None,
        ),
        Rule(view, 1.0, f"described as {name}", lambda e: e.says(any_language(called))),
    )


VIEW_RULES: tuple[Rule[View], ...] = (
    Rule(
        View.SAX,
        2.0,
        "its normal is {typical_axis_deg:.0f}° from the usual long axis",
        _short_axis(SHORT_AXIS_DEG),
    ),
    Rule(View.SAX, 1.0, "and so within the normal spread", _short_axis(25.0)),
    Rule(
        View.SAX,
        1.5,
        "a stack of {slices} parallel slices",
        lambda e: e.is_stack and e.oriented and e.typical_axis_deg <= SHORT_AXIS_DEG,
    ),
    Rule(
        View.SAX,
        2.5,
        "a stack of {slices} thick slices of unknown orientation, taken for short axis",
        lambda e: not e.oriented and e.is_stack and (e.spacing_mm or 0) >= THICK_SLICES_MM,
    ),
    Rule(
        View.SAX,
        1.5,
        "a single-phase stack of unknown orientation, taken for short axis",
        lambda e: (
            not e.oriented
            and e.is_stack
            and e.phases == 1
            and (e.spacing_mm or 0) < THICK_SLICES_MM
        ),
    ),
    Rule(
        View.SAX,
        2.0,
        "an oblique cine stack of {slices} even slices",
        lambda e: (
            e.oriented
            and e.slices >= 6
            and e.even
            and e.phases >= CINE_PHASES
            and (e.spacing_mm or 0) >= THICK_SLICES_MM
            and e.body_axis_deg > 15.0
        ),
    ),
    Rule(
        View.SAX,
        1.0,
        "described as short axis",
        lambda e: e.says(any_language(words.SHORT_AXIS)),
    ),
    *_long_axis_rules(View.TWO_CHAMBER, "two-chamber", words.TWO_CHAMBER),
    *_long_axis_rules(View.THREE_CHAMBER, "three-chamber", words.THREE_CHAMBER),
    *_long_axis_rules(View.FOUR_CHAMBER, "four-chamber", words.FOUR_CHAMBER),
    Rule(
        View.RVOT,
        1.5,
        "a sagittal-like plane {off_axis_mm:.0f} mm beside the long axis",
        lambda e: _beside(e) and not e.is_stack and 10.0 <= e.turn_deg <= 50.0,
    ),
    Rule(
        View.RVOT,
        1.5,
        "described as right outflow tract",
        lambda e: e.says(any_language(words.RIGHT_OUTFLOW)),
    ),
    Rule(
        View.OTHER,
        2.0,
        "passes {off_axis_mm:.0f} mm beside the long axis of the left ventricle",
        lambda e: _beside(e) and not e.is_stack,
    ),
    Rule(
        View.OTHER,
        3.0,
        "lies along a body axis",
        lambda e: (
            e.oriented
            and e.body_axis_deg <= 10.0
            and (e.is_stack or (not _beside(e) and e.tilt_deg > 25.0))
        ),
    ),
    Rule(View.OTHER, 1.0, "nothing speaks for a known view", lambda e: True),
)


def weigh(
    rules: Sequence[Rule[Answer]], evidence: Evidence, answers: Sequence[Answer]
) -> tuple[Answer, float, tuple[str, ...]]:
    """Return the answer with most votes, its confidence (0 to 1), and why.

    Votes for what is none of ``answers`` do not count.
    """
    votes = dict.fromkeys(answers, 0.0)
    holding = [rule for rule in rules if rule.answer in votes and rule.holds(evidence)]
    for rule in holding:
        votes[rule.answer] += rule.weight
    best = max(answers, key=lambda answer: votes[answer])
    odds = np.exp(np.array(list(votes.values())) - votes[best])
    facts = {name: getattr(evidence, name) for name in Evidence.__slots__}
    because = tuple(
        f"{best.value}: {rule.because.format_map(facts)}"
        for rule in holding
        if rule.answer == best and rule.weight > 0
    )
    if len(because) > 1 and best.value in ("other", "unknown"):
        because = because[:-1]
    return best, float(1 / odds.sum()), because
