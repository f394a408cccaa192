"""Whether the volume curve of the left ventricle is that of a beating heart."""

from collections.abc import Iterator

import numpy as np

from opencmr.imaging.flag import About, QualityFlag, Severity
from opencmr.measure.ventricles import Chamber
from opencmr.quality.scope import OF_WHOLE_STACKS
from opencmr.sort.pictures import first_harmonics


def beat_flags(left: Chamber) -> Iterator[QualityFlag]:
    """Withhold the numbers of a curve that is noise: it has no end-diastole and end-systole."""
    power = (np.abs(np.fft.rfft(left.curve_ml)) ** 2)[1:]
    share, limit = first_harmonics(power[:, None], left.phases)
    if share < limit:
        yield QualityFlag(
            Severity.DO_NOT_REPORT,
            "NO_BEAT",
            "The volume of the left ventricle comes and goes without a heartbeat, so its numbers "
            "are withheld. Check that this series is a cine.",
            f"{share:.0%} of the curve's change is in its first three harmonics, expected at "
            f"least {limit:.0%}",
            About(symbols=OF_WHOLE_STACKS),
        )
