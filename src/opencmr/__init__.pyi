"""The names of the Python door for type checkers; at run time each is loaded when asked for."""

from opencmr.door import analyze as analyze
from opencmr.door import read_pair as read_pair
from opencmr.door import read_studies as read_studies
from opencmr.door import write_report as write_report
from opencmr.imaging.study import Study as Study
from opencmr.plot import plot_contours as plot_contours
from opencmr.plot import plot_volume_curve as plot_volume_curve
from opencmr.report.contents import Report as Report

__version__: str
