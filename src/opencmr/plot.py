"""One call a picture, for notebooks: contours on a slice, volumes over the heartbeat.

Drawn by matplotlib, of the extra ``opencmr[plot]``.
"""

from typing import TYPE_CHECKING

from opencmr.errors import ConfigurationError
from opencmr.imaging.study import Series
from opencmr.report.contents import DISCLAIMER, Report
from opencmr.report.outlines import outlines
from opencmr.report.palette import ON_DARK, ON_PAPER

if TYPE_CHECKING:
    from matplotlib.axes import Axes

VOLUME_CURVES = {"LVV": "LV", "RVV": "RV"}


def plot_contours(
    report: Report, *, slice_index: int, phase: int | None = None, axes: "Axes | None" = None
) -> "Axes":
    """Draw one slice with the contours that the measurements rest on.

    Parameters
    ----------
    report : Report
    slice_index : int
        0-based, in the order of the image's slices.
    phase : int or None
        0-based; by default end-diastole, or the only phase.
    axes : matplotlib Axes or None
        Where to draw; by default the current ones.

    Raises
    ------
    ConfigurationError
        When nothing was segmented, there is no such slice or phase, or no matplotlib.
    """
    series = _measured(report)
    cycle = report.landmarks[series.key].lv
    if phase is None:
        phase = cycle.ed_phase if cycle else 0
    image, segmentation = series.image, report.segmentations[series.key]
    for name, index, count in (
        ("slice", slice_index, image.grid.shape[0]),
        ("phase", phase, image.phases),
    ):
        if not 0 <= index < count:
            raise ConfigurationError(f"there is no {name} {index}: they are 0 to {count - 1}")
    axes = _axes(axes)
    rows, columns = image.grid.shape[1:]
    height_mm = rows * image.grid.row_spacing_mm
    width_mm = columns * image.grid.column_spacing_mm
    axes.imshow(image.values[phase, slice_index], cmap="gray", extent=(0, width_mm, height_mm, 0))
    for line in outlines(segmentation, segmentation.labels[phase, slice_index]):
        axes.plot(*line.points_mm.T, color=ON_DARK[line.kind], linewidth=1.2)
    axes.set(xlabel="mm", ylabel="mm", title=f"slice {slice_index}, phase {phase}")
    return axes


def plot_volume_curve(report: Report, *, axes: "Axes | None" = None) -> "Axes":
    """Draw both ventricles' volumes over the heartbeat.

    Raises
    ------
    ConfigurationError
        When there is no curve, or no matplotlib.
    """
    curves = [c for symbol in VOLUME_CURVES if (c := report.measurements.curve(symbol))]
    if not curves:
        raise ConfigurationError("this report holds no volume over the heartbeat")
    axes = _axes(axes)
    for curve in curves:
        name = VOLUME_CURVES[curve.quantity.symbol]
        times = range(curve.values.size) if curve.times_ms is None else curve.times_ms
        axes.plot(times, curve.values, color=ON_PAPER[name], label=name)
    timed = all(curve.times_ms is not None for curve in curves)
    axes.set(
        xlabel="time after the R wave, ms" if timed else "phase", ylabel="mL", title=DISCLAIMER
    )
    axes.legend()
    return axes


def _measured(report: Report) -> Series:
    series = report.measured_stacks() or report.measured_series()
    if not series:
        raise ConfigurationError("nothing was segmented in this study; its flags say why")
    return series[0]


def _axes(axes: "Axes | None") -> "Axes":
    if axes is not None:
        return axes
    try:
        from matplotlib import pyplot
    except ImportError as error:
        raise ConfigurationError("pictures need matplotlib: pip install 'opencmr[plot]'") from error
    return pyplot.gca()
