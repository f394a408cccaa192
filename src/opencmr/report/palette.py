"""The colours of a report, in one place.

The three outline colours stay apart for every common colour blindness (orange, bluish green and
sky blue of Okabe and Ito, lightened for dark pictures, darkened for white paper).
"""

INK = "#15222c"
MUTED = "#61707c"
LINE = "#dfe5e9"
PAPER = "#ffffff"
DARK = "#0c1014"

ON_DARK = {"endo": "#ff8c24", "epi": "#24dba0", "rv": "#45a6ff", "scar": "#f7e04b"}
"""Outlines over grey pictures: LV endocardium, LV epicardium, RV endocardium, scar."""
ON_PAPER = {"LV": "#c25a12", "RV": "#1f6fb2"}
"""Curves on white."""

SEQUENTIAL = ("#f1f6f5", "#c6dfdb", "#86bab6", "#438b8e", "#195e6a", "#0b3642")
"""One hue from light to dark, for the bull's-eyes."""
PERCEPTUAL = (
    "#440154",
    "#472d7b",
    "#3b528b",
    "#2c728e",
    "#21918c",
    "#28ae80",
    "#5ec962",
    "#addc30",
    "#fde725",
)
"""Even steps to the eye from dark to light, also in grey and for the colour blind: nine stops of
viridis (Smith and van der Walt 2015, CC0).  For maps of relaxation times."""
NEGATIVE = "#d9805f"
"""A value below zero where only positive ones are expected: thinning for thickening."""


def mix(stops: tuple[str, ...], share: float) -> str:
    """Return the colour at ``share`` (0 to 1) of a row of colours.

    >>> mix(("#000000", "#ffffff"), 0.5)
    '#808080'
    """
    place = min(max(share, 0.0), 1.0) * (len(stops) - 1)
    left = min(int(place), len(stops) - 2)
    low, high = rgb(stops[left]), rgb(stops[left + 1])
    return "#" + "".join(
        f"{round(a + (b - a) * (place - left)):02x}" for a, b in zip(low, high, strict=True)
    )


def rgb(colour: str) -> tuple[int, int, int]:
    """Return red, green and blue of ``#rrggbb``, 0 to 255."""
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def is_dark(colour: str) -> bool:
    """Return whether white text reads better on ``colour`` (relative luminance, WCAG 2.1)."""
    red, green, blue = (
        c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4
        for c in (channel / 255 for channel in rgb(colour))
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue < 0.24
