"""Which label convention either side of a comparison is of, and which files are of another."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from opencmr.anatomy.structures import ACDC, SCHEMES, LabelScheme
from opencmr.errors import ConfigurationError, GeometryError

OPTIONS = ("--labels", "--reference-labels")
"""How a caller names the convention of the predictions, and of the reference."""

Stated = tuple[LabelScheme | None, LabelScheme | None]
"""What the files of a pair say of themselves: the prediction's convention, the reference's."""


@dataclass(frozen=True, slots=True)
class Conventions:
    """What the integers of either side mean.

    Attributes
    ----------
    prediction, reference : LabelScheme
    left_out : mapping of str to str
        Name of each pair that is of another convention to the reason in words.
    """

    prediction: LabelScheme
    reference: LabelScheme
    left_out: Mapping[str, str]


def choose_conventions(
    stated: Mapping[str, Stated],
    prediction: LabelScheme | None = None,
    reference: LabelScheme | None = None,
) -> Conventions:
    """Return one convention a side: the caller's, else what the files state, else a default.

    The default of the predictions is acdc, that of the reference what the predictions are of.  A
    figure over labels of several conventions, hence of several techniques, would mean nothing, so
    that one is chosen, and what states another is left out.

    Parameters
    ----------
    stated : mapping of str to Stated
        By the name of a pair.
    prediction, reference : LabelScheme or None
        What the caller says.

    Raises
    ------
    ConfigurationError
        When a side is of several conventions and the caller chooses none, or when no pair is of
        the chosen ones.

    Examples
    --------
    >>> from opencmr.anatomy.structures import EMIDEC
    >>> chosen = choose_conventions({"s04": (ACDC, None), "s11": (EMIDEC, None)}, EMIDEC)
    >>> chosen.reference.name, chosen.left_out["s04"]
    ('emidec', 'the prediction is of the label convention acdc, not emidec')
    """
    left_out: dict[str, str] = {}
    chosen: list[LabelScheme] = []
    default = ACDC
    for place, (side, asked) in enumerate((("prediction", prediction), ("reference", reference))):
        of_side = {name: one[place] for name, one in stated.items() if name not in left_out}
        default = asked or _only_one(of_side, default, f"{side}s", OPTIONS[place])
        chosen.append(default)
        left_out |= {
            name: f"the {side} is of the label convention {one.name}, not {default.name}"
            for name, one in of_side.items()
            if one is not None and one is not default
        }
    if len(left_out) == len(stated):
        name, reason = next(iter(left_out.items()))
        raise ConfigurationError(
            f"nothing is left to compare: of {name}, {reason}, says the JSON file beside it; see "
            f"{' and '.join(OPTIONS)}"
        )
    return Conventions(chosen[0], chosen[1], left_out)


def require_known_labels(labels: np.ndarray, scheme: LabelScheme) -> None:
    """Refuse labels that the convention does not have.

    Parameters
    ----------
    labels : (T, Z, Y, X) uint8
    scheme : LabelScheme

    Raises
    ------
    GeometryError
        When there are some; the message names the conventions that have them all.
    """
    found = {*np.unique(labels).tolist()} - {0}
    strange = sorted(found - {*scheme.structures})
    if strange:
        fitting = [one.name for one in SCHEMES.values() if found <= {*one.structures}]
        have_all = " or ".join(fitting) if fitting else "none that is known"
        raise GeometryError(
            f"labels {strange} are not in the convention {scheme.name}, which has "
            f"{sorted(scheme.structures)}. That of all labels here: {have_all}; say it with "
            f"{' or '.join(OPTIONS)}, and compare files of another convention by themselves"
        )


def _only_one(
    stated: Mapping[str, LabelScheme | None], default: LabelScheme, side: str, option: str
) -> LabelScheme:
    """Return the only convention of a side; what states none is of the default."""
    files: dict[str, list[str]] = {}
    for name, one in stated.items():
        files.setdefault((one or default).name, []).append(name)
    if len(files) > 1:
        told = "; ".join(f"{scheme}: {_some(names)}" for scheme, names in sorted(files.items()))
        choices = " or ".join(f"{option} {scheme}" for scheme in sorted(files))
        raise ConfigurationError(
            f"the {side} are of several label conventions ({told}). Choose one with {choices}: "
            "the others are then left out, and named"
        )
    return SCHEMES[next(iter(files))] if files else default


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - 1} more" if len(names) > 1 else ""
    return f"{names[0]}{more}"
