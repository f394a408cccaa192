"""Copies of DICOM files that name nobody (PS3.15, annex E)."""
