"""The built-in heart: a study with known truth."""

from opencmr.simulate.dicom import write_dicom
from opencmr.simulate.export import write_nifti
from opencmr.simulate.heart import HeartParameters, mass_of_wall_g
from opencmr.simulate.study import Protocol, SimulatedSeries, SimulatedStudy, simulate_study

__all__ = [
    "HeartParameters",
    "Protocol",
    "SimulatedSeries",
    "SimulatedStudy",
    "mass_of_wall_g",
    "simulate_study",
    "write_dicom",
    "write_nifti",
]
