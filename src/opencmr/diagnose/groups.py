"""The five groups of ACDC (Bernard et al., IEEE TMI 2018) in words."""

from collections.abc import Mapping
from types import MappingProxyType

GROUPS: Mapping[str, str] = MappingProxyType(
    {
        "NOR": "normal heart",
        "MINF": "infarction with a low ejection fraction",
        "DCM": "dilated cardiomyopathy",
        "HCM": "hypertrophic cardiomyopathy",
        "RV": "abnormal right ventricle",
    }
)

NORMAL = "NOR"


def in_words(group: str) -> str:
    """Return a group's name with its abbreviation; the abbreviation where it has no other.

    >>> in_words("DCM"), in_words("X")
    ('dilated cardiomyopathy (DCM)', 'X')
    """
    return f"{GROUPS[group]} ({group})" if group in GROUPS else group
