"""Every analysis, in the order in which a reader asks."""

from opencmr.analyses.analysis import Analysis
from opencmr.analyses.function import FUNCTION
from opencmr.analyses.long_axes import LONG_AXES
from opencmr.analyses.mapping import TISSUE_MAPPING
from opencmr.analyses.scar import LATE_ENHANCEMENT

ANALYSES: tuple[Analysis, ...] = (FUNCTION, LONG_AXES, TISSUE_MAPPING, LATE_ENHANCEMENT)
"""A new clinical question is one file and one line here; each runs after those that it uses."""
