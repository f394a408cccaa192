"""Which series of a study given labels belong to: the one whose grid they lie on."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from opencmr.analyses.analysis import Analysis
from opencmr.anatomy.structures import LabelScheme, Structure
from opencmr.anatomy.techniques import Technique
from opencmr.errors import ConfigurationError, GeometryError, InputError
from opencmr.geometry.orientation import apart_mm, is_grid_of_file
from opencmr.imaging.given_contours import GivenContours
from opencmr.imaging.given_labels import GivenLabels
from opencmr.imaging.given_outlines import GivenOutlines
from opencmr.imaging.given_segments import GivenSegments
from opencmr.imaging.segmentation import Segmentation
from opencmr.imaging.study import Series, Study

Given = GivenContours | GivenOutlines | GivenSegments
"""What is drawn on pictures and becomes labels of their series."""


def alone(study: Study, one: Series) -> Study:
    """Return the study as if it held one series alone."""
    return replace(study, series=(one,))


def place_labels(
    given: GivenLabels, study: Study, analyses: Sequence[Analysis]
) -> tuple[Series, Segmentation]:
    """Return the series that the labels belong to, and they as its segmentation.

    Parameters
    ----------
    given : GivenLabels
    study : Study
        Sorted.
    analyses : sequence of Analysis
        Those that run a network take labels in its place.

    Raises
    ------
    GeometryError
        When they lie on no series, have another number of phases, or lie on several series.
    InputError
        When they are empty or not of the convention, or nothing is measured from their series.
    ConfigurationError
        When the caller names a series that is not there.
    """
    _require_contents(given)
    series = _series_of(given, study, analyses)
    # The labels say which voxel is what; which way the patient lies is the series' to say.
    segmentation = Segmentation(
        given.labels,
        given.scheme,
        series.image.grid,
        given.policy,
        given.author,
        derived_from=given.derived_from,
    )
    return series, segmentation


def _require_contents(given: GivenLabels) -> None:
    known = ", ".join(f"{n} {one.value}" for n, one in sorted(given.scheme.structures.items()))
    found = np.bincount(given.labels.reshape(-1), minlength=256) > 0
    strange = sorted({*np.flatnonzero(found).tolist()} - {0, *given.scheme.structures})
    if strange:
        raise InputError(
            f"{given.file} holds the label values {', '.join(map(str, strange[:8]))}; expected "
            f"those of the convention {given.scheme.name}: 0 background, {known}"
        )
    if not found[1:].any():
        raise InputError(f"{given.file} is empty: every voxel is background; expected {known}")


def among_series(study: Study, key: str | None) -> list[Series]:
    """Return the series that a caller may mean: the one of the key, all where there is no key.

    Raises
    ------
    ConfigurationError
        When the caller names a series that is not there.
    """
    among = [one for one in study.series if key in (None, one.key)]
    if not among:
        keys = ", ".join(one.key for one in study.series)
        raise ConfigurationError(f"the input has no series {key}; it has {keys}")
    return among


def series_taking(given: Given, study: Study, analyses: Sequence[Analysis]) -> list[Series]:
    """Return the series that a caller may mean and that are measured from such labels.

    Raises
    ------
    ConfigurationError
        When the caller names a series that is not there.
    """
    return [
        one
        for one in among_series(study, given.series)
        if takes(given.scheme, one, study, analyses)
    ]


def drawn_on(series: Series, labels: np.ndarray, given: Given, called: str) -> GivenLabels:
    """Return labels ``(T, Z, Y, X)`` of a series that were made of what a caller gave.

    ``called``: as the caller's own errors name what was given.
    """
    return GivenLabels(
        labels,
        series.image.grid,
        given.scheme,
        given.policy,
        given.author,
        given.sha256,
        called,
        given.derived_from,
        series.key,
    )


def _series_of(given: GivenLabels, study: Study, analyses: Sequence[Analysis]) -> Series:
    among = among_series(study, given.series)
    phases = len(given.labels)
    here = [one for one in among if is_grid_of_file(given.grid, one.image.grid)]
    if not here:
        expected = _measurable(among, study, analyses) or among
        raise GeometryError(
            f"{given.file} lies on another grid than the input: {given.grid}, {_count(phases)}; "
            f"expected {'; or '.join(_apart(given, one) for one in expected)}. Save the labels on "
            "the grid of the image that was labelled."
        )
    fitting = [one for one in here if one.image.phases == phases]
    if not fitting:
        raise GeometryError(
            f"{given.file} has {_count(phases)}; expected as many as its series: "
            f"{'; '.join(map(_told, here))}"
        )
    measured = _measurable(fitting, study, analyses)
    if not measured:
        raise InputError(
            f"{given.file} lies on {'; '.join(map(_told, fitting))}: nothing is measured there "
            "from labels; expected a short-axis cine or a short-axis late enhancement"
        )
    taking = [one for one in measured if takes(given.scheme, one, study, analyses)]
    if not taking:
        raise InputError(
            f"{given.file} is of the convention {given.scheme.name}, and lies on "
            f"{'; '.join(map(_told, measured))}; late enhancement needs labels of scar (emidec), "
            "and a cine has none"
        )
    if len(taking) > 1:
        raise GeometryError(
            f"{given.file} may belong to several series, which lie on one grid: "
            f"{'; '.join(map(_told, taking))}. Say which with --series."
        )
    return taking[0]


def _measurable(
    among: Sequence[Series], study: Study, analyses: Sequence[Analysis]
) -> list[Series]:
    return [one for one in among if any(measures(a, one, study) for a in analyses)]


def measures(analysis: Analysis, one: Series, study: Study) -> bool:
    """Return whether an analysis measures a series from its labels, were there no other."""
    if analysis.network is None or not analysis.takes_labels:
        return False
    seen = alone(study, one)
    return all(role.fill(seen).series is not None for role in analysis.wants)


def takes(scheme: LabelScheme, one: Series, study: Study, analyses: Sequence[Analysis]) -> bool:
    """Return whether labels of the convention are those that a series' analysis needs."""
    of_scar = Structure.SCAR in scheme.structures.values()
    return any(
        measures(analysis, one, study)
        and analysis.network is not None
        and (analysis.network.technique is Technique.LGE) == of_scar
        for analysis in analyses
    )


def _told(one: Series) -> str:
    """Return a series as an error names it."""
    image = one.image
    what = f"{one.view.value} {one.sequence.value}: {image.grid}, {_count(image.phases)}"
    return f"{one.key} ({what})"


def _apart(given: GivenLabels, one: Series) -> str:
    """Return a series, and how far the labels lie from it where only their place differs."""
    grid = one.image.grid
    if given.grid.shape != grid.shape or not given.grid.orientation_known:
        return _told(one)
    return f"{_told(one)}, from which it lies up to {apart_mm(given.grid, grid):.3g} mm away"


def _count(phases: int) -> str:
    return f"{phases} phase{'s' * (phases != 1)}"
