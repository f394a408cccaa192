"""Pictures of a segmented series: every slice at ED and ES, and the beating heart.

Cropped to the heart, in true aspect, one grey window for all slices and phases.
"""

import io
import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from PIL import Image as Picture
from PIL import ImageDraw

from opencmr.imaging.landmarks import Landmarks
from opencmr.imaging.segmentation import Segmentation
from opencmr.imaging.study import Series
from opencmr.report import palette
from opencmr.report.outlines import Outline, outlines
from opencmr.report.phases import FEWEST_PHASES, phase_text

MARGIN_MM = 16.0
"""Surroundings shown about the heart."""
SMALLEST_CROP_MM = 90.0
"""The crop is never tighter than this."""
TILE_PIXEL_MM = 0.5
"""Pixel size of a printed slice; interpolated, so that no display shows squares."""
TILE_PIXELS = 420
"""Largest side of a slice's picture."""
BLACK_PERCENTILE = 1.0
"""Of the crop: darker values are black."""
WHITE_PERCENTILE = 98.0
"""Of the heart: the blood's brightness, little moved by inflow."""
WHITE_HEADROOM = 1.25
"""White, in brightnesses of the blood: fat is white, blood is not."""
LEAST_WINDOW = 1e-6
"""Of a picture without contrast."""
SAMPLE_SIZE = 400_000
"""Voxels that a percentile is taken from at most."""
CINE_TILES = 6
CINE_COLUMNS = 3
CINE_TILE_PIXELS = 240
"""Width of one slice in the moving picture."""
CINE_FRAMES = 30
"""Frames of the moving picture at most."""
SUPERSAMPLING = 2
"""Outlines are drawn this much finer and then reduced, for smooth edges."""
ASSUMED_BEAT_MS = 1000.0
"""Length of the beat that is played when the input does not say."""
JPEG_QUALITY = 88
WEBP_QUALITY = 74


@dataclass(frozen=True, slots=True)
class Tile:
    """One slice with its outlines, sizes in millimetres."""

    slice_number: int
    jpeg: bytes
    width_mm: float
    height_mm: float
    outlines: tuple[Outline, ...]

    @property
    def caption(self) -> str:
        """The slice's number, and a word where nothing is outlined."""
        return f"{self.slice_number}" + ("" if self.outlines else " · no outline")


@dataclass(frozen=True, slots=True)
class Panel:
    """All slices at one phase."""

    name: str
    when: str
    tiles: tuple[Tile, ...]

    @property
    def columns(self) -> int:
        """Columns of the montage on a wide page."""
        return columns_for(len(self.tiles))


@dataclass(frozen=True, slots=True)
class Moving:
    """An animated picture and one still of it."""

    webp: bytes
    still: bytes
    width: int
    height: int
    frames: int
    beat_ms: float
    beat_known: bool
    slice_numbers: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Crop:
    """A window of rows and columns."""

    rows: slice
    columns: slice
    height_mm: float
    width_mm: float


class HeartPictures:
    """The pictures of one segmented series.

    Parameters
    ----------
    series : Series
    segmentation : Segmentation
        On the same grid.
    landmarks : Landmarks
        Give the order of the slices.

    Attributes
    ----------
    crop : Crop
        About everything that is labelled.
    values : (T, Z, Y, X) float32
        Within the crop.
    window : (black, white)
        Of all slices and phases.
    """

    def __init__(self, series: Series, segmentation: Segmentation, landmarks: Landmarks) -> None:
        self._image = series.image
        self._segmentation = segmentation
        self.crop = crop_to_heart(segmentation)
        self._labels = segmentation.labels[:, :, self.crop.rows, self.crop.columns]
        self.values = series.image.values[:, :, self.crop.rows, self.crop.columns]
        self.window = window_of(self.values, self._labels > 0)
        self._slices = list(landmarks.base_first)
        self._traced: dict[tuple[int, int], tuple[Outline, ...]] = {}

    def outlines(self, phase: int, z: int) -> tuple[Outline, ...]:
        """Return the outlines of one slice at one phase, traced once for all who draw them."""
        place = phase, z
        if place not in self._traced:
            self._traced[place] = outlines(self._segmentation, self._labels[place])
        return self._traced[place]

    def panel(self, name: str, phase: int) -> Panel:
        """Return every slice at one phase, base first."""
        tiles = tuple(self.tile(phase, z) for z in self._slices)
        return Panel(name, phase_text(self._image, phase), tiles)

    def moving(self) -> Moving | None:
        """Return the beating heart, or None for too few phases."""
        phases = self._image.phases
        if phases < FEWEST_PHASES:
            return None
        shown = self._representative_slices()
        chosen = sorted(
            set(np.linspace(0, phases - 1, min(phases, CINE_FRAMES)).round().astype(int))
        )
        frames = [self._frame(int(phase), shown) for phase in chosen]
        beat_ms = self._image.mean_rr_ms
        played_ms = beat_ms or ASSUMED_BEAT_MS
        return Moving(
            webp=_animated(frames, played_ms / len(frames)),
            still=encoded(frames[0], "WEBP", quality=WEBP_QUALITY),
            width=frames[0].width,
            height=frames[0].height,
            frames=len(frames),
            beat_ms=played_ms,
            beat_known=beat_ms is not None,
            slice_numbers=tuple(z + 1 for z in shown),
        )

    def tile(self, phase: int, z: int) -> Tile:
        """Return one slice, 0-based, at one phase."""
        width, height = self.crop.width_mm, self.crop.height_mm
        pixel_mm = max(TILE_PIXEL_MM, max(width, height) / TILE_PIXELS)
        size = (round(width / pixel_mm), round(height / pixel_mm))
        grey = self._grey(phase, z).resize(size, Picture.Resampling.BICUBIC)
        return Tile(
            slice_number=z + 1,
            jpeg=encoded(grey, "JPEG", quality=JPEG_QUALITY),
            width_mm=round(width, 2),
            height_mm=round(height, 2),
            outlines=self.outlines(phase, z),
        )

    def _grey(self, phase: int, z: int) -> Picture.Image:
        return Picture.fromarray(greyed(self.values[phase, z], *self.window))

    def _representative_slices(self) -> list[int]:
        labelled = [z for z in self._slices if self._labels[:, z].any()] or self._slices
        wanted = min(len(labelled), CINE_TILES)
        return [labelled[i] for i in np.linspace(0, len(labelled) - 1, wanted).round().astype(int)]

    def _frame(self, phase: int, slices: list[int]) -> Picture.Image:
        width = CINE_TILE_PIXELS * SUPERSAMPLING
        scale = width / self.crop.width_mm
        height = math.ceil(self.crop.height_mm * scale / SUPERSAMPLING) * SUPERSAMPLING
        columns = min(CINE_COLUMNS, len(slices))
        rows = math.ceil(len(slices) / columns)
        canvas = Picture.new("RGB", (columns * width, rows * height), palette.DARK)
        draw = ImageDraw.Draw(canvas)
        for place, z in enumerate(slices):
            left, top = place % columns * width, place // columns * height
            grey = self._grey(phase, z).resize((width, height), Picture.Resampling.BICUBIC)
            canvas.paste(grey, (left, top))
            for outline in self.outlines(phase, z):
                points = outline.points_mm * scale + (left, top)
                draw.line(
                    [(float(x), float(y)) for x, y in points],
                    fill=palette.ON_DARK[outline.kind],
                    width=3,
                    joint="curve",
                )
        return canvas.reduce(SUPERSAMPLING)


def crop_to_heart(segmentation: Segmentation) -> Crop:
    """Return the window about everything that is labelled, or all where nothing is."""
    grid = segmentation.grid
    rows, columns = np.nonzero(segmentation.labels.any(axis=(0, 1)))
    row = _span(rows, grid.shape[1], grid.row_spacing_mm)
    column = _span(columns, grid.shape[2], grid.column_spacing_mm)
    return Crop(
        row,
        column,
        (row.stop - row.start) * grid.row_spacing_mm,
        (column.stop - column.start) * grid.column_spacing_mm,
    )


def _span(used: np.ndarray, size: int, spacing_mm: float) -> slice:
    if not used.size:
        return slice(0, size)
    middle = (used.min() + used.max() + 1) / 2
    half = max(
        (used.max() + 1 - used.min()) / 2 + MARGIN_MM / spacing_mm,
        SMALLEST_CROP_MM / 2 / spacing_mm,
    )
    return slice(max(0, math.floor(middle - half)), min(size, math.ceil(middle + half)))


def windowed(values: np.ndarray, heart: np.ndarray) -> np.ndarray:
    """Return grey values ``uint8`` under one window for the whole array, set by the heart.

    Parameters
    ----------
    values : (T, Z, Y, X) float
    heart : (T, Z, Y, X) bool
        Where anything is labelled; where nothing is, all values set the window.
    """
    return greyed(values, *window_of(values, heart))


def window_of(values: np.ndarray, heart: np.ndarray) -> tuple[float, float]:
    """Return the values that are shown black and white, as :func:`windowed` uses them.

    Fat beside a surface coil is far brighter than blood and would leave the heart dim.
    """
    finite = _finite(values)
    inside = finite[heart] if heart.any() else finite.reshape(-1)
    black = float(np.percentile(_sample(finite.reshape(-1)), BLACK_PERCENTILE))
    blood = float(np.percentile(_sample(inside), WHITE_PERCENTILE))
    return black, black + max(WHITE_HEADROOM * (blood - black), LEAST_WINDOW)


def greyed(values: np.ndarray, black: float, white: float) -> np.ndarray:
    """Return grey values ``uint8``: 0 at ``black`` and below, 255 at ``white`` and above."""
    share = (_finite(values) - black) / (white - black)
    return np.asarray(np.clip(share * 255, 0, 255).astype(np.uint8))


def _finite(values: np.ndarray) -> np.ndarray:
    held = np.asarray(values, dtype=np.float32)
    return np.asarray(np.nan_to_num(held, nan=0.0, posinf=0.0, neginf=0.0))


def _sample(values: np.ndarray) -> np.ndarray:
    return values[:: max(1, values.size // SAMPLE_SIZE)]


def columns_for(tiles: int) -> int:
    """Return how many columns of a montage leave the fewest gaps, more of them when equal.

    >>> [columns_for(n) for n in (1, 8, 9, 10, 12)]
    [4, 4, 5, 5, 6]
    """
    return min((6, 5, 4), key=lambda columns: -tiles % columns)


def encoded(picture: Picture.Image, kind: str, *, quality: int) -> bytes:
    """Return a picture as a file of a kind that Pillow knows."""
    stream = io.BytesIO()
    picture.save(stream, kind, quality=quality)
    return stream.getvalue()


def _animated(frames: Iterable[Picture.Image], frame_ms: float) -> bytes:
    first, *others = frames
    stream = io.BytesIO()
    first.save(
        stream,
        "WEBP",
        save_all=True,
        append_images=others,
        duration=max(1, round(frame_ms)),
        loop=0,
        quality=WEBP_QUALITY,
        method=2,
    )
    return stream.getvalue()
