"""How finely a network computes: in 32-bit floats, or in 8-bit integers."""

from enum import StrEnum
from pathlib import Path

from opencmr.errors import ConfigurationError

CPUINFO = Path("/proc/cpuinfo")
INT8_FLAGS = frozenset(
    {"avx512_vnni", "avx_vnni", "amx_int8"}  # Intel SDM; AMD APM 3: dot products of bytes
    | {"asimddp"}  # Arm ARM: FEAT_DotProd
)
"""Names by which Linux calls instructions that multiply and add four bytes at once."""


class Precision(StrEnum):
    """How a network is asked to compute."""

    AUTO = "auto"
    F32 = "f32"
    INT8 = "int8"


def precision_named(name: str) -> Precision:
    """Return the precision of this name.

    Raises
    ------
    ConfigurationError
        When there is none.
    """
    if name not in set(Precision):
        names = ", ".join(Precision)
        raise ConfigurationError(f"no precision {name!r}; expected one of {names}")
    return Precision(name)


def is_quick_at_int8(cpuinfo: Path = CPUINFO) -> bool:
    """Whether the processor has instructions for bytes; False where the system cannot tell.

    Without them 8-bit weights run too, but no faster, and their sums may saturate.
    """
    try:
        lines = cpuinfo.read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return False
    named = (line.partition(":") for line in lines)
    return any(
        name.strip() in ("flags", "Features") and not INT8_FLAGS.isdisjoint(flags.split())
        for name, _, flags in named
    )
