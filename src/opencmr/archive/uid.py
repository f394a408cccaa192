"""What is a UID here.

Told again beside ``report.dicom_study``, whose import loads what analyses need: a node must be
back in seconds.  A test holds the two together.
"""

import re

UID_FORM = re.compile(r"(?=.{1,64}$)\d+(\.\d+)+", re.ASCII)
"""PS3.5 section 9.1, and leading zeros, which it forbids and archives are full of."""
RESULT_OBJECTS = "dicom"
"""Where in a result its DICOM objects lie."""
