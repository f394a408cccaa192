"""From files to studies: DICOM, NIfTI, archives; nothing that cannot be trusted passes."""
