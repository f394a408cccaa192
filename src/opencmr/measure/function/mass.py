"""Left ventricular mass: at end-diastole, and at end-systole as a check."""

from opencmr.anatomy.plausible import MYOCARDIUM_G_PER_ML
from opencmr.anatomy.quantities import Code, Quantity
from opencmr.anatomy.structures import Structure
from opencmr.measure.function.base import interval
from opencmr.measure.function.volumes import at_end_diastole, at_end_systole
from opencmr.measure.scalars import Scalar, private, table
from opencmr.measure.ventricles import Unmeasurable, Ventricles

LVM = Quantity(
    "LVM",
    "LV mass",
    "g",
    0,
    Code("18087-7", "LN", "Left Ventricle Mass"),
    f"Volume of the left ventricular myocardium at end-diastole times {MYOCARDIUM_G_PER_ML} g/mL.",
)
LVM_ES = Quantity(
    "LVM_ES",
    "LV mass at end-systole",
    "g",
    0,
    private("LVM_ES", "Left ventricular mass at end-systole"),
    f"Volume of the left ventricular myocardium at end-systole times {MYOCARDIUM_G_PER_ML} g/mL; "
    "a check: mass does not change over the heartbeat.",
)


def mass_g(ventricles: Ventricles, phase: int) -> float:
    """Return the mass of the left ventricular myocardium at one phase."""
    myocardium_ml = float(ventricles.myocardium_ml[phase])
    if myocardium_ml <= 0:
        raise Unmeasurable("NO_HEART_FOUND", "the segmentation holds no myocardium at this phase")
    return MYOCARDIUM_G_PER_ML * myocardium_ml


MASS_ROWS = (
    Scalar(
        LVM,
        Structure.MYOCARDIUM,
        lambda v: mass_g(v, v.lv.ed_phase),
        lambda v: at_end_diastole(v.lv),
        interval(Structure.LV, lambda reading: reading.mass_g),
    ),
    Scalar(
        LVM_ES,
        Structure.MYOCARDIUM,
        lambda v: mass_g(v, v.lv.es_phase),
        lambda v: at_end_systole(v.lv),
    ),
)
MASS = table(*MASS_ROWS)
