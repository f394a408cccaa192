"""From what was read of a heart, or from the file that tells it, to the finding on it."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from opencmr.anatomy.reasons import Reason
from opencmr.diagnose.body import with_indices
from opencmr.diagnose.classifier import load_classifier
from opencmr.diagnose.facts import Fact, Facts, facts_of, facts_of_rows, with_values
from opencmr.diagnose.groups import NORMAL
from opencmr.diagnose.lake_louise import MAIN, judge_inflammation
from opencmr.diagnose.opinion import form_opinion
from opencmr.diagnose.shape import shape_values
from opencmr.diagnose.tissue_values import TissueValue, tissue_of_rows
from opencmr.imaging.axis import Heartbeat
from opencmr.imaging.finding import Finding, Outcome
from opencmr.imaging.flag import Severity
from opencmr.imaging.landmarks import Landmarks
from opencmr.imaging.reading import Reading
from opencmr.imaging.study import Demographics, Series
from opencmr.measure.registry import MEASURES
from opencmr.measure.ventricles import Unmeasurable, Ventricles
from opencmr.models.card import DiagnosisCard
from opencmr.quality.withhold import WITHHELD, withhold

CONTRASTS = {"brighter": 0.973, "darker": 1.027}
"""Exponents of the grey values that move none by more than 1 % of their range (reliability row
N12)."""
_OF_THE_HEART = frozenset(q.symbol for one in MEASURES for q in one.quantities)


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
    return _with_tissue(finding, tissue, facts, patient)


def find_in_rows(
    rows: Sequence[Mapping[str, object]],
    drawn: Sequence[str],
    patient: Demographics,
    card: DiagnosisCard,
) -> Finding:
    """Return the finding on a heart that the rows of a ``measurements.json`` tell.

    Where anything of it was withheld, nothing is concluded, as by :func:`find`.

    Parameters
    ----------
    rows : sequence of mappings
    drawn : sequence of str
        The series that no network outlined.
    patient : Demographics
        As far as known; sizes make the indices that the rows lack.
    card : DiagnosisCard
        Of the classifier.

    Raises
    ------
    InputError
        When a row is not as that file has it, or a symbol has several values.
    ModelError
        When the classifier is damaged.
    """
    facts, classifier = facts_of_rows(rows), load_classifier(card)
    tissue = tissue_of_rows(rows, drawn)
    reason = _withheld_among(facts)
    facts = with_indices(facts, patient) if reason is None else _without_values(facts, reason)
    opinion = form_opinion(facts, classifier, sex=patient.sex, age_years=patient.age_years)
    finding = opinion.finding(card.use)
    return finding if reason else _with_tissue(finding, tissue, facts, patient)


def _with_tissue(
    finding: Finding, tissue: Sequence[TissueValue], facts: Facts, patient: Demographics
) -> Finding:
    """Add what the tissue says, and where the classifier, which reads none, says otherwise."""
    inflammation = judge_inflammation(tissue, facts, sex=patient.sex, age_years=patient.age_years)
    met = [one for one in inflammation if one.criterion in MAIN and one.outcome is Outcome.MET]
    against = tuple(
        f"{one.full_name} is met; the classifier, which reads no tissue, says {NORMAL}"
        for one in met
        if finding.groups == (NORMAL,)
    )
    return replace(
        finding,
        criteria=(*finding.criteria, *inflammation),
        disagreements=(*finding.disagreements, *against),
    )


def _withheld(heart: Reading) -> Reason | None:
    """Return why nothing is concluded; None where nothing of the heart is withheld."""
    codes = (flag.code for flag in heart.flags if flag.severity is Severity.DO_NOT_REPORT)
    return _withheld_by(codes)


def _withheld_among(facts: Facts) -> Reason | None:
    """Return why nothing is concluded; None where no measurement of the heart was withheld."""
    reasons = (fact.reason for symbol, fact in facts.items() if symbol in _OF_THE_HEART)
    return _withheld_by(one.code for one in reasons if one and one.sentence == WITHHELD)


def _withheld_by(codes: Iterable[str]) -> Reason | None:
    code = next(iter(codes), None)
    return None if code is None else Reason(code, "measurements of this heart are withheld")


def _without_values(facts: Facts, reason: Reason) -> dict[str, Fact]:
    return {symbol: Fact(None, reason) for symbol in facts}


def _facts(heart: Reading, series: Series, patient: Demographics) -> dict[str, Fact]:
    """Return what was measured, and the wall's shape; no value where anything is withheld."""
    facts = facts_of(withhold(heart.measurements, heart.flags))
    reason = _withheld(heart)
    if reason is not None:
        return _without_values(facts, reason)
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
