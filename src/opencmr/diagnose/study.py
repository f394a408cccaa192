"""From what was read of a heart to the finding on it."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from opencmr.anatomy.reasons import Reason
from opencmr.diagnose.classifier import load_classifier
from opencmr.diagnose.facts import Fact, facts_of, with_values
from opencmr.diagnose.lake_louise import judge_inflammation
from opencmr.diagnose.opinion import form_opinion
from opencmr.diagnose.shape import shape_values
from opencmr.diagnose.tissue_values import TissueValue
from opencmr.imaging.axis import Heartbeat
from opencmr.imaging.finding import Finding
from opencmr.imaging.flag import Severity
from opencmr.imaging.landmarks import Landmarks
from opencmr.imaging.reading import Reading
from opencmr.imaging.study import Demographics, Series
from opencmr.measure.ventricles import Unmeasurable, Ventricles
from opencmr.models.card import DiagnosisCard
from opencmr.quality.withhold import withhold

CONTRASTS = {"brighter": 0.973, "darker": 1.027}
"""Exponents of the grey values that move none by more than 1 % of their range (reliability row
N12)."""


def find(
    heart: Reading,
    series: Series,
    patient: Demographics,
    card: DiagnosisCard,
    read_again: Callable[[Series], Reading] | None,
    tissue: Sequence[TissueValue] = (),
) -> Finding:
    """Return the finding on a heart.

    Where a "do not report" flag withholds anything of it, nothing is concluded.  Where a group
    would be named, end-diastole and end-systole are read again at slightly other contrasts, and
    must give the same.

    Parameters
    ----------
    heart : Reading
        Of the ventricles, on the labels of one series.
    series : Series
        That one.
    patient : Demographics
    card : DiagnosisCard
        Of the classifier.
    read_again : function of a Series, or None
        Reads another as this one was read; None where no network read it.
    tissue : sequence of TissueValue
        Of the study's maps and late enhancement.

    Raises
    ------
    ModelError
        When the classifier is damaged.
    """
    facts, classifier = _facts(heart, series, patient), load_classifier(card)
    opinion = form_opinion(facts, classifier, sex=patient.sex, age_years=patient.age_years)
    if opinion.group is not None and read_again is not None:
        others = {
            f"grey values moved by up to 1 % ({word})": _facts(read_again(other), other, patient)
            for word, other in _at_other_contrasts(series, heart.landmarks[series.key])
        }
        opinion = form_opinion(
            facts, classifier, sex=patient.sex, age_years=patient.age_years, others=others
        )
    finding = opinion.finding(card.use)
    if _withheld(heart):
        return finding
    inflammation = judge_inflammation(tissue, facts, sex=patient.sex, age_years=patient.age_years)
    return replace(finding, criteria=(*finding.criteria, *inflammation))


def _withheld(heart: Reading) -> Reason | None:
    """Return why nothing is concluded; None where nothing of the heart is withheld."""
    for flag in heart.flags:
        if flag.severity is Severity.DO_NOT_REPORT:
            return Reason(flag.code, "measurements of this heart are withheld")
    return None


def _facts(heart: Reading, series: Series, patient: Demographics) -> dict[str, Fact]:
    """Return what was measured, and the wall's shape; no value where anything is withheld."""
    facts = facts_of(withhold(heart.measurements, heart.flags))
    reason = _withheld(heart)
    if reason is not None:
        return {symbol: Fact(None, reason) for symbol in facts}
    segmentation = heart.segmentations.get(series.key)
    if segmentation is None:
        return facts
    try:
        return with_values(
            facts, shape_values(Ventricles(segmentation, series.image, patient, series.key))
        )
    except Unmeasurable:
        return facts  # the sheets that need no wall answer


def _at_other_contrasts(series: Series, landmarks: Landmarks) -> Iterator[tuple[str, Series]]:
    """Yield the phases at which the heart was measured at each other contrast, with its name."""
    cycles = [cycle for cycle in (landmarks.lv, landmarks.rv) if cycle is not None]
    phases = sorted({phase for one in cycles for phase in (one.ed_phase, one.es_phase)})
    image = series.image
    values = image.values[phases]
    low, high = values.min(), values.max()
    few = replace(
        image,
        values=values,
        along=Heartbeat(image.trigger_ms[phases], image.rr_ms),
        instances=tuple(image.instances[phase] for phase in phases) if image.instances else (),
    )
    for word, exponent in CONTRASTS.items():
        changed = low + (high - low) * ((values - low) / (high - low)) ** exponent
        yield word, replace(series, image=replace(few, values=changed.astype(values.dtype)))
