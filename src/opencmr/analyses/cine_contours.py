"""The contours of the short-axis cine for the analyses after it: carried to another series."""

from opencmr.analyses.analysis import Earlier
from opencmr.analyses.function import NAME as FUNCTION
from opencmr.anatomy.reasons import Reason
from opencmr.imaging.flag import Severity
from opencmr.imaging.segmentation import Segmentation
from opencmr.imaging.study import Series, Study
from opencmr.measure.ventricles import Unmeasurable, Ventricles
from opencmr.measure.wall.carried import Carried, carried_to, nearest_phase
from opencmr.measure.wall.profile import WallProfile


class CineContours:
    """The segmented cine of a study, as the analysis of function left it; or why there is none.

    Parameters
    ----------
    study : Study
    earlier : Earlier
    """

    def __init__(self, study: Study, earlier: Earlier) -> None:
        self._study = study
        self._found = _found(study, earlier)

    def carried(
        self, series: Series, *, otherwise_phase: int | None = None
    ) -> tuple[Carried, WallProfile]:
        """Return the labels on the grid of another series, and the wall from which they come.

        Parameters
        ----------
        series : Series
        otherwise_phase : int or None
            Taken where the series does not say at which moment of the heartbeat it was made.

        Raises
        ------
        Unmeasurable
            When there is no such cine, no common frame of reference, moment or plane.
        """
        if isinstance(self._found, Reason):
            raise Unmeasurable(self._found.code, self._found.sentence)
        cine, segmentation = self._found
        uid = series.frame_of_reference_uid
        if not uid or uid != cine.frame_of_reference_uid:
            raise Unmeasurable(
                "OTHER_FRAME",
                "the cine with the contours lies in another frame of reference, or none is stated",
            )
        try:
            phase = nearest_phase(cine.image, series.image)
        except Unmeasurable:
            if otherwise_phase is None:
                raise
            phase = otherwise_phase
        carried = carried_to(series.image.grid, segmentation, phase)
        ventricles = Ventricles(segmentation, cine.image, self._study.demographics, cine.key)
        return carried, ventricles.at_phase(WallProfile, phase)


def _found(study: Study, earlier: Earlier) -> tuple[Series, Segmentation] | Reason:
    function = earlier.get(FUNCTION)
    if function is None or not function.segmentations:
        return Reason(
            "NO_CONTOURS", "no short-axis cine was segmented, so nobody says where the wall lies"
        )
    withheld = [f.code for f in function.flags if f.severity is Severity.DO_NOT_REPORT]
    if withheld:
        return Reason("NO_CONTOURS", f"the cine's contours are not trusted: {withheld[0]}")
    ((key, segmentation),) = function.segmentations.items()
    return next(one for one in study.series if one.key == key), segmentation
