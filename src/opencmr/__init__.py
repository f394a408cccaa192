"""opencmr: cardiovascular magnetic resonance, from DICOM or NIfTI to a report.

>>> import opencmr
>>> opencmr.read_studies.__module__
'opencmr.door'
"""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_ROOMS = {
    "analyze": "opencmr.door",
    "read_pair": "opencmr.door",
    "read_studies": "opencmr.door",
    "write_report": "opencmr.door",
    "plot_contours": "opencmr.plot",
    "plot_volume_curve": "opencmr.plot",
    "Report": "opencmr.report.contents",
    "Study": "opencmr.imaging.study",
}
__all__ = ["__version__", *_ROOMS]  # noqa: PLE0604 - names that load their room when asked for


def __getattr__(name: str) -> Any:
    if name not in _ROOMS:
        raise AttributeError(f"module 'opencmr' has no attribute {name!r}")
    return getattr(import_module(_ROOMS[name]), name)


def __dir__() -> list[str]:
    return __all__
