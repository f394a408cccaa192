"""Which quantities a flag on a stack concerns."""

from opencmr.measure.body_size import BSA, BSA_DUBOIS
from opencmr.measure.function.ejection import HR
from opencmr.measure.registry import MEASURES
from opencmr.measure.wall.thickness import WALL

OF_THE_PATIENT = frozenset(q.symbol for q in (BSA, BSA_DUBOIS, HR))
"""Never withheld: they say nothing about the heart's labels."""
OF_WHOLE_STACKS = (
    frozenset(q.symbol for one in MEASURES if one is not WALL for q in one.quantities)
    - OF_THE_PATIENT
)
"""Quantities that a missing part of the heart spoils: all but those of the patient and of the
wall, which is measured slice by slice."""
OF_THE_RIGHT_VENTRICLE = frozenset(
    symbol for symbol in OF_WHOLE_STACKS if symbol.startswith(("RV", "SVDIFF"))
)
"""Quantities that the right ventricle's curve gives, and its comparison with the left one."""
