"""Every analysis, in the order in which they run."""

from opencmr.analyses.analysis import Analysis
from opencmr.analyses.function import FUNCTION

ANALYSES: tuple[Analysis, ...] = (FUNCTION,)
"""A new clinical question is one file and one line here, after those that it uses."""
