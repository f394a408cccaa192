"""Every analysis, in the order in which they run."""

from opencmr.analyses.analysis import Analysis
from opencmr.analyses.function import FUNCTION
from opencmr.analyses.mapping import TISSUE_MAPPING
from opencmr.analyses.scar import LATE_ENHANCEMENT

ANALYSES: tuple[Analysis, ...] = (FUNCTION, TISSUE_MAPPING, LATE_ENHANCEMENT)
"""A new clinical question is one file and one line here, after those that it uses."""
