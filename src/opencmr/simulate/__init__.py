"""The built-in heart: a study with known truth."""

from opencmr.simulate.dicom import write_dicom
from opencmr.simulate.export import write_nifti
from opencmr.simulate.heart import HeartParameters, mass_of_wall_g
from opencmr.simulate.scar import ScarParameters
from opencmr.simulate.study import Protocol, SimulatedSeries, SimulatedStudy, simulate_study
from opencmr.simulate.tissue import TissueParameters

__all__ = [
    "HeartParameters",
    "Protocol",
    "ScarParameters",
    "SimulatedSeries",
    "SimulatedStudy",
    "TissueParameters",
    "mass_of_wall_g",
    "simulate_study",
    "write_dicom",
    "write_nifti",
]
