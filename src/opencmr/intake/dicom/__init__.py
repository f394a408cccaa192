"""From one DICOM file to a decoded picture, in a process that may be killed."""
