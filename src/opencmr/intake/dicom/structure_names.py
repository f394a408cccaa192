"""Names that people and programs give the structures of the heart, and what they stand for.

Segments and regions are known by their codes; these names count where there is none.  Abbreviations
are those of the language: LV and RV, French VG and VD, Spanish VI and VD.
"""

import re
from collections.abc import Iterator, Mapping

from opencmr.accents import without_accents
from opencmr.anatomy.structures import Structure
from opencmr.imaging.given_outlines import EPICARDIUM, Region

_LEFT = (
    "lv",
    "left ventricle",
    "left ventricular",
    "linker ventrikel",
    "linksventrikulär",
    "linksventrikuläres",
    "vg",
    "ventricule gauche",
    "vi",
    "ventrículo izquierdo",
)
_RIGHT = (
    "rv",
    "right ventricle",
    "right ventricular",
    "rechter ventrikel",
    "rechtsventrikulär",
    "vd",
    "ventricule droit",
    "ventrículo derecho",
)
_BESIDE_A_WORD = ("vg", "vd", "vi")
"""By themselves they may be anything: VI is a number, and a segment of the liver."""
_CAVITY = ("cavity", "blood pool", "kavum", "cavité", "cavidad")
_INNER = ("endo", "endocardium", "endocardial", "endokard", "endocarde", "endocardio")
_OUTER = ("epi", "epicardium", "epicardial", "epikard", "épicarde", "epicardio")
_WALL = ("myo", "myocardium", "myokard", "myocarde", "miocardio")
_SCAR = ("scar", "infarct", "narbe", "infarkt", "cicatrice", "infarctus", "cicatriz", "infarto")
_NO_REFLOW = ("no-reflow", "mvo")
_SHORT_AXIS = "sa"
"""Before the names of surfaces that one widespread program writes."""
_PASSED_OVER = frozenset({"contour", "contours", "ed", "es", "manual", "auto", "de", "du", "del"})
"""Words of a name that do not say which structure it is."""


def region_named(name: str) -> Region | None:
    """Return what a name stands for, whatever its case, accents and punctuation; or None.

    >>> region_named("LV_Endo - ED") == region_named("Endocarde VG") == Region(Structure.LV)
    True
    >>> region_named("Aorta")
    """
    return _NAMES.get(_plain(name))


def _plain(name: str) -> str:
    """Return what two spellings of a name share.

    >>> _plain("LV_Endo - ED"), _plain("LV endo"), _plain("saEpicardialContour"), _plain("Épicarde")
    ('lvendo', 'lvendo', 'saepicardial', 'epicarde')
    """
    words = re.findall(r"\w+", without_accents(name.lower().replace("_", " ")))
    return "".join(word for word in words if word not in _PASSED_OVER).removesuffix("contour")


def _names() -> Iterator[tuple[str, Region]]:
    chambers = ((_LEFT, Region(Structure.LV)), (_RIGHT, Region(Structure.RV)))
    for sides, cavity in chambers:
        for side in sides:
            if side not in _BESIDE_A_WORD:
                yield side, cavity
            yield from ((name, cavity) for word in _CAVITY + _INNER for name in _both(side, word))
    for word in _INNER:
        yield word, Region(Structure.LV)
        yield _SHORT_AXIS + word, Region(Structure.LV)
        yield _SHORT_AXIS + "rv" + word, Region(Structure.RV)
    for words, region in ((_OUTER, EPICARDIUM), (_WALL, Region(Structure.MYOCARDIUM))):
        for word in words:
            yield word, region
            yield from ((name, region) for side in _LEFT for name in _both(side, word))
    yield from ((_SHORT_AXIS + word, EPICARDIUM) for word in _OUTER)
    yield from ((word, Region(Structure.SCAR)) for word in _SCAR)
    yield from ((word, Region(Structure.NO_REFLOW)) for word in _NO_REFLOW)


def _both(side: str, word: str) -> tuple[str, str]:
    """Return "LV cavity", and as Romance languages say it, "cavité VG"."""
    return f"{side} {word}", f"{word} {side}"


_NAMES: Mapping[str, Region] = {_plain(name): region for name, region in _names()}
