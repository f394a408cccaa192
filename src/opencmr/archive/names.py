"""What names things on a DICOM network: UIDs and AE titles (PS3.5)."""

import re

from opencmr.errors import ConfigurationError

UID_FORM = re.compile(r"(?=.{1,64}$)\d+(\.\d+)+", re.ASCII)
"""PS3.5 section 9.1, and leading zeros, which it forbids and archives are full of.

Told again beside ``report.dicom_study``, whose import loads what analyses need: a node must be
back in seconds.  A test holds the two together.
"""
AE_TITLE = re.compile(r"(?=.*[^ ])[\x20-\x5b\x5d-\x7e]{1,16}")
"""PS3.5 section 6.2, AE: 16 characters without backslash and controls, not all spaces."""


def require_uid(uid: str) -> None:
    """Refuse what is no UID: it would become a part of an address.

    Raises
    ------
    ConfigurationError
    """
    if not UID_FORM.fullmatch(uid):
        raise ConfigurationError("a study is named by its UID: digits and dots, 64 at most")


def require_ae_title(text: str) -> str:
    """Return an AE title without the spaces that do not count, or refuse what is none.

    Raises
    ------
    ConfigurationError
        When it is empty, too long, or holds other characters.

    Examples
    --------
    >>> require_ae_title(" PACS ")
    'PACS'
    """
    if not AE_TITLE.fullmatch(text):
        raise ConfigurationError(
            f"{text!r} is no AE title: 1 to 16 characters of ASCII without a backslash"
        )
    return text.strip()
