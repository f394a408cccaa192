"""opencmr: cardiovascular magnetic resonance, from DICOM or NIfTI to a report."""

__version__ = "0.1.0"
