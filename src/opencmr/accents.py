"""Letters without their accents: what two spellings of a word share."""

import unicodedata


def without_accents(text: str) -> str:
    """Return a text whose letters are bare, and whose compatible signs are the usual ones.

    Examples
    --------
    >>> without_accents("Épicarde, Spätenhancement, 短轴, T²")
    'Epicarde, Spatenhancement, 短轴, T2'
    """
    apart = unicodedata.normalize("NFKD", text)
    return "".join(sign for sign in apart if not unicodedata.combining(sign))
