"""From labels to numbers; pure functions that read and write no file."""

from opencmr.measure.registry import MEASURES, QUANTITIES, measure_all
from opencmr.measure.ventricles import Ventricles

__all__ = ["MEASURES", "QUANTITIES", "Ventricles", "measure_all"]
