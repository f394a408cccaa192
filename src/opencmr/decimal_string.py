"""Numbers as DICOM writes them in text: the value representation DS (PS3.5, 6.2)."""

import math

LONGEST = 16
"""Characters of a decimal string."""


def decimal_string(value: float) -> str:
    """Return a number as a decimal string, as exact as 16 characters allow.

    pydicom's own function gives 17 to what lies just below a power of ten.

    Raises
    ------
    ValueError
        When it is no finite number.

    Examples
    --------
    >>> decimal_string(1.5), decimal_string(-1 / 3), decimal_string(9.999999999999998)
    ('1.5', '-0.3333333333333', '10')
    """
    value = float(value)
    if not math.isfinite(value):
        raise ValueError("a decimal string holds a finite number")
    exact = repr(value).removesuffix(".0")
    if len(exact) <= LONGEST:
        return exact
    rounded = (f"{value:.{digits}g}" for digits in range(LONGEST, 0, -1))
    return next(text for text in rounded if len(text) <= LONGEST)
