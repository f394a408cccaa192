"""Every measure, and the one function that runs them all."""

from opencmr.anatomy.quantities import Quantity
from opencmr.imaging.measurements import Measurements
from opencmr.measure.body_size import BODY_SIZE
from opencmr.measure.function.curves import CURVES
from opencmr.measure.function.ejection import EJECTION
from opencmr.measure.function.long_axes import LONG_AXIS_QUANTITIES
from opencmr.measure.function.mass import MASS
from opencmr.measure.function.rates import RATES
from opencmr.measure.function.volumes import VOLUMES
from opencmr.measure.reference import with_reference
from opencmr.measure.relaxometry.extracellular import ECV_QUANTITIES
from opencmr.measure.relaxometry.in_wall import MAP_QUANTITIES
from opencmr.measure.scalars import Measure
from opencmr.measure.scar.in_wall import SCAR_QUANTITIES
from opencmr.measure.ventricles import Ventricles
from opencmr.measure.wall.thickness import WALL

MEASURES: tuple[Measure, ...] = (VOLUMES, EJECTION, MASS, BODY_SIZE, RATES, WALL, CURVES)
"""A new measurement is one file and one line here."""

QUANTITIES: tuple[Quantity, ...] = tuple(q for m in MEASURES for q in m.quantities)
"""What :func:`measure_all` measures on the ventricles."""
EVERY_QUANTITY: tuple[Quantity, ...] = (
    *QUANTITIES,
    *MAP_QUANTITIES,
    *ECV_QUANTITIES,
    *SCAR_QUANTITIES,
    *LONG_AXIS_QUANTITIES,
)
"""With what other series show: the tissue."""


def measure_all(ventricles: Ventricles) -> Measurements:
    """Return every measurement of a segmented short-axis stack, in the order of a report.

    Each has its verdict against the normal range that fits sex, age and contour policy, or
    the reason why none is shown.
    """
    return Measurements(
        tuple(
            with_reference(found, ventricles.demographics)
            for one in MEASURES
            for found in one.measure(ventricles)
        )
    )
