"""Whether an earlier result is of the patient whose study this is."""

from opencmr.errors import ConfigurationError
from opencmr.imaging.change import EarlierResult
from opencmr.imaging.study import Identity


def require_same_patient(who: Identity, earlier: EarlierResult, *, stated: bool) -> bool:
    """Return whether the identifiers agree; refuse an earlier result of somebody else.

    PatientID and its issuer are compared as they stand, outer blanks apart.

    Parameters
    ----------
    who : Identity
    earlier : EarlierResult
    stated : bool
        The caller says that it is the same patient: stands in for what is missing, never
        against identifiers that contradict.

    Raises
    ------
    ConfigurationError
        When identifiers contradict, or are missing and nobody says that it is the same patient.
    """
    now = who.patient_id.strip(), who.issuer_of_patient_id.strip()
    then = earlier.patient_id.strip(), earlier.issuer_of_patient_id.strip()
    if any(one and other and one != other for one, other in zip(now, then, strict=True)):
        raise ConfigurationError(
            "the earlier result is of another patient: the identifiers differ, and "
            "--same-patient does not overrule them; name a result of this patient"
        )
    is_known = bool(now[0]) and now == then
    if not is_known and not stated:
        both = bool(now[0] and then[0])
        what = "issuer of the patient's identifier" if both else "patient's identifier"
        lacking = "the earlier result" if now[both] else "this study"
        raise ConfigurationError(
            f"{lacking} states no {what}, so nothing says that both are of one patient; "
            "if you know that they are, give --same-patient (in Python, same_patient=True)"
        )
    return is_known
