"""What is withheld: measurements that a "do not report" flag concerns lose their value."""

from collections.abc import Iterable

from opencmr.anatomy.reasons import Reason
from opencmr.imaging.flag import About, QualityFlag, Severity
from opencmr.imaging.measurements import Measured, Measurements
from opencmr.quality.scope import OF_THE_PATIENT

WITHHELD = "withheld"
"""What is said of a measurement that a flag made null."""


def withhold(measurements: Measurements, flags: Iterable[QualityFlag]) -> Measurements:
    """Return the measurements with those that a "do not report" flag concerns made null.

    Parameters
    ----------
    measurements : Measurements
        Of one analysis.
    flags : iterable of QualityFlag
        Of the same analysis; each concerns the series and the quantities that it is about.
    """
    withheld = measurements.found
    for flag in flags:
        if flag.severity is Severity.DO_NOT_REPORT:
            withheld = tuple(
                one.withheld(Reason(flag.code, WITHHELD)) if _concerns(flag.about, one) else one
                for one in withheld
            )
    return Measurements(withheld)


def _concerns(about: About, measured: Measured) -> bool:
    """Whether a flag touches a measurement; one that names no series may come from any."""
    symbol, series = measured.quantity.symbol, measured.series
    return (
        symbol not in OF_THE_PATIENT
        and (not about.symbols or symbol in about.symbols)
        and (not about.series or not series or series == about.series)
    )
