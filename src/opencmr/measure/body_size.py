"""Body surface area, and every volume, mass and output indexed to it."""

from opencmr.anatomy.plausible import (
    BMI_LIMITS_KG_M2,
    BSA_LIMITS_M2,
    HEIGHT_LIMITS_CM,
    WEIGHT_LIMITS_KG,
)
from opencmr.anatomy.quantities import Code, Quantity
from opencmr.imaging.study import Demographics
from opencmr.measure.function.ejection import EJECTION_ROWS, LVCO, RVCO
from opencmr.measure.function.mass import LVM, MASS_ROWS
from opencmr.measure.function.volumes import LVEDV, LVESV, LVSV, RVEDV, RVESV, RVSV, VOLUME_ROWS
from opencmr.measure.scalars import Scalar, private, scaled, table
from opencmr.measure.ventricles import Unmeasurable, Ventricles


def mosteller_m2(height_cm: float, weight_kg: float) -> float:
    """Return the body surface area by Mosteller (N Engl J Med 1987; 317:1098).

    Examples
    --------
    >>> mosteller_m2(180, 80)
    2.0
    """
    return float((height_cm * weight_kg / 3600.0) ** 0.5)


def dubois_m2(height_cm: float, weight_kg: float) -> float:
    """Return the body surface area by DuBois and DuBois (Arch Intern Med 1916; 17:863).

    Examples
    --------
    >>> round(dubois_m2(180, 80), 3)
    1.996
    """
    return float(0.007184 * height_cm**0.725 * weight_kg**0.425)


def plausible_size(demographics: Demographics) -> tuple[float, float]:
    """Return height in cm and weight in kg, or raise where they cannot be a body's."""
    height_cm, weight_kg = demographics.height_cm, demographics.weight_kg
    if height_cm is None or weight_kg is None:
        raise Unmeasurable("BSA_UNKNOWN", "height or weight is not given")
    if not (
        HEIGHT_LIMITS_CM[0] <= height_cm <= HEIGHT_LIMITS_CM[1]
        and WEIGHT_LIMITS_KG[0] <= weight_kg <= WEIGHT_LIMITS_KG[1]
        and BMI_LIMITS_KG_M2[0] <= weight_kg / (height_cm / 100) ** 2 <= BMI_LIMITS_KG_M2[1]
        and BSA_LIMITS_M2[0] <= mosteller_m2(height_cm, weight_kg) <= BSA_LIMITS_M2[1]
    ):
        raise Unmeasurable(
            "BSA_UNKNOWN", f"{height_cm:g} cm and {weight_kg:g} kg are no plausible body size"
        )
    return height_cm, weight_kg


def bsa_m2(ventricles: Ventricles) -> float:
    """Return the body surface area that every index uses (Mosteller)."""
    return mosteller_m2(*plausible_size(ventricles.demographics))


BSA = Quantity(
    "BSA",
    "Body surface area (Mosteller)",
    "m2",
    2,
    Code("8277-6", "LN", "BSA"),
    "Square root of height in cm times weight in kg over 3600 (Mosteller, N Engl J Med 1987; "
    "317:1098); every index uses it.",
)
BSA_DUBOIS = Quantity(
    "BSA_DUBOIS",
    "Body surface area (DuBois)",
    "m2",
    2,
    private("BSA_DUBOIS", "Body surface area by DuBois and DuBois"),
    "0.007184 times height in cm to 0.725 times weight in kg to 0.425 (DuBois and DuBois, Arch "
    "Intern Med 1916; 17:863); shown, not used.",
)


def _indexed(row: Scalar, symbol: str, decimals: int, code: Code | None = None) -> Scalar:
    """Return the row that divides another row's value by the body surface area."""
    base = row.quantity
    name = f"{base.name} index"
    quantity = Quantity(
        symbol,
        name,
        f"{base.unit}/m2",
        decimals,
        code or private(symbol, f"{base.name} over body surface area"),
        f"{base.symbol} over body surface area (Mosteller).",
    )
    return Scalar(
        quantity,
        row.structure,
        lambda v: row.value(v) / bsa_m2(v),
        lambda v: f"body surface area {bsa_m2(v):.2f} m² (Mosteller)",
        scaled(row.interval, lambda v: 1 / bsa_m2(v)),
    )


_CARDIAC_INDEX = Code("54993008", "SCT", "Cardiac Index")
_ROWS = {row.quantity: row for row in (*VOLUME_ROWS, *MASS_ROWS, *EJECTION_ROWS)}
INDEX_ROWS = (
    *(
        _indexed(_ROWS[base], f"{base.symbol}i", 0)
        for base in (LVEDV, LVESV, LVSV, LVM, RVEDV, RVESV, RVSV)
    ),
    _indexed(_ROWS[LVCO], "LVCI", 1, _CARDIAC_INDEX),
    _indexed(_ROWS[RVCO], "RVCI", 1, _CARDIAC_INDEX),
)

BODY_SIZE = table(
    Scalar(BSA, None, bsa_m2),
    Scalar(BSA_DUBOIS, None, lambda v: dubois_m2(*plausible_size(v.demographics))),
    *INDEX_ROWS,
)
