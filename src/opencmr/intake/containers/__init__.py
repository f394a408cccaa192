"""Folders, zips and DICOMDIRs: which files there are, and how much is too much."""
