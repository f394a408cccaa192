"""What the pictures of a cine do, whatever its header says: numbers that rules weigh.

Figures: three cines of Sunnybrook (GE), six of one Siemens study, eight simulated ones, and each of
them changed (tags, first pass, a still picture, several beats, noise).
"""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from opencmr.anatomy.plausible import CINE_PHASES
from opencmr.imaging.image import Image

SMALLEST_PX = 48
"""Pictures with a shorter side are too coarse to be looked at."""
BLOCK_PX = 4
"""Side of the blocks whose means are followed over time: noise averages out, a wall does not."""
TISSUE_SHARE = 0.2
"""Blocks brighter than this share of the brightest are tissue, not air."""
MOVING_SHARE = 0.02
"""The share of tissue that changes most is looked at: the heart's borders."""
TAG_PERIODS_MM = (3.2, 14.0)
"""Distances of tags; usual ones are 5 to 8 mm (Ibrahim, JCMR 2011; 13:36)."""
HARMONICS = 3
"""A volume curve is told by its first three harmonics (proposal)."""
LATEST_REPEAT = 0.8
"""A heartbeat that comes again before this share of the pictures is a second one."""

TAGGED_PERCENT = 13.0
"""Share of fine structure in one line pattern (proposal): at most 8.4 in 17 cines and 3.6 in 54
ACDC stacks, at least 18 with lines or grids whose depth is 70 % or more."""
TAGGED_EXCESS = 40.0
"""And so many times the share that an even spectrum has there (proposal): in small pictures a few
frequencies are much of it."""
LONGER_WAVES = 0.5
"""Anatomy has more of longer waves, tags none: a pattern that has this share of its power at half
its frequency is no tags (proposal).  At least 0.76 in 21 slices of large simulated hearts, whose
borders come near to a pattern of lines, and at most 0.02 in the same with tags."""
SWING_PERCENT = 25.0
"""Change of the mean brightness (proposal): at most 14 in cines, 38 and more with fading tags or a
first pass."""
GAIN_PERCENT = 25.0
"""Share of all change that is one of brightness alone (proposal): at most 7 in cines, 35 and more
in the others."""
STILL_PERCENT = 10.0
"""Change of the borders that is no motion, of the mean brightness (proposal): at least 38 in cines,
at most 2.6 in a still picture with 5 % of noise."""
BEAT_EXCESS = 0.3
"""Part of what noise leaves free that the first harmonics must take (proposal): at least 0.7 in
cines with up to 40 % of noise, at most 0.04 in stills and a first pass."""
BEAT_PHASES = 12
"""With fewer phases noise has too few harmonics beyond the third to be told."""
REPEAT_SHARE = 0.2
"""A picture so much more like that of a beat later than like the others repeats (proposal): at most
0.05 where cines were repeated, no such dip in cines of one beat."""

WHOLE_PERCENT = 65.0
"""Change that one motion of the whole picture explains (proposal): at most 11 in 13 cines, 33 and
59 in the same cut to 160 and 100 mm about the heart, at least 71 in moved photographs."""
WHOLE_SPREAD = 0.16
"""And over so much of the picture (proposal): a lone disc that contracts is a motion of the whole
too, but in one place (at most 0.12); most photographs have at least 0.2."""
SHIFT_PERCENT = 80.0
"""Change that one shift of the whole picture explains, wherever it is (proposal): a heart contracts
about its middle, a lone thing that a camera pans over does not."""
EVEN_PERCENT, EVEN_SPREAD = 45.0, 12**-0.5
"""Change that is spread over a picture as evenly as can be, or lies at its edges, has no heart in
its midst; so much of it, explained by one motion, is a camera's (proposal): at most 33 in nine real
cines cut to 160 mm about the heart, whose spread is at most 0.27."""
WHOLE_SLICES = 5
"""Of so many slices, which are enough."""
UNLIKE_NEIGHBOURS = 0.25
"""Correlation of neighbouring blocks below which a picture is noise (proposal): at least 0.83 in
nine real cines, at most 0.05 in white noise."""


@dataclass(frozen=True, slots=True)
class Pictures:
    """What the pictures of one series do.

    Attributes
    ----------
    line_percent : float
        Share of the fine structure that is one pattern of lines.
    line_limit_percent : float
        The least share that is no chance.
    swing_percent : float
        By how much the mean brightness changes.
    gain_percent : float
        Share of the change over time that multiplies the whole picture.
    motion_percent : float
        Change of what changes most, of the mean brightness.
    beat_share : float, 0 to 1
        Share of that change in the first harmonics; 1 with too few phases to tell.
    beat_limit : float, 0 to 1
        The least share that is no noise.
    beats : float
        Heartbeats that the pictures show.
    whole_percent : float
        Share of the change from picture to picture that one motion of the whole picture explains:
        shifted, turned, scaled or sheared.
    shift_percent : float
        And the share that a mere shift explains.
    spread : float
        Standard distance of the change from its middle along an axis, in sides of the picture; 0.29
        where it is even.
    likeness : float, -1 to 1
        Correlation of neighbouring blocks of a picture.
    """

    line_percent: float
    line_limit_percent: float
    swing_percent: float
    gain_percent: float
    motion_percent: float
    beat_share: float
    beat_limit: float
    beats: float
    whole_percent: float
    shift_percent: float
    spread: float
    likeness: float

    @property
    def is_tagged(self) -> bool:
        """Whether lines or a grid lie over the pictures."""
        return self.line_percent >= max(TAGGED_PERCENT, self.line_limit_percent)

    @property
    def tags_a_heart(self) -> bool:
        """Whether a heart bends the lines.

        A pattern that stands still, or moves with all the rest, is part of what is shown.  Of
        twelve tagged cines of simulated vendors none stands still, and one motion of the whole
        explains at most 10 % of their change; of photographs with a pattern at least 88 %.
        """
        return self.is_tagged and not (self.stands_still or self.moves_as_a_whole)

    @property
    def changes_brightness(self) -> bool:
        """Whether brightness changes rather than shape."""
        return self.swing_percent >= SWING_PERCENT and self.gain_percent >= GAIN_PERCENT

    @property
    def stands_still(self) -> bool:
        """Whether no heart beats in them."""
        return self.motion_percent < STILL_PERCENT or self.beat_share < self.beat_limit

    @property
    def repeats(self) -> bool:
        """Whether they show more than one heartbeat."""
        return self.beats > 1.0

    @property
    def moves_as_a_whole(self) -> bool:
        """Whether the camera moves, and not a heart in a chest that stays."""
        return (
            (self.whole_percent >= WHOLE_PERCENT and self.spread >= WHOLE_SPREAD)
            or (self.whole_percent >= EVEN_PERCENT and self.spread >= EVEN_SPREAD)
            or self.shift_percent >= SHIFT_PERCENT
        )

    @property
    def is_noise(self) -> bool:
        """Whether a picture has no structure larger than some pixels."""
        return self.likeness < UNLIKE_NEIGHBOURS


def look_at(image: Image) -> Pictures | None:
    """Return what the pictures do, or None for too few or too small ones."""
    values = image.values
    if len(values) < CINE_PHASES or min(values.shape[2:]) < SMALLEST_PX:
        return None
    blocks = _blocks(values)
    change = _tissue(blocks)
    if change is None:
        return None
    brightness = change.mean(1)
    mean = change.mean(0)
    gain = (change @ mean) / (mean @ mean)
    rest = change - gain[:, None] * mean
    whole = ((change - mean) ** 2).sum()
    power = (np.abs(np.fft.rfft(rest, axis=0)) ** 2)[1:]
    moving = np.argsort(power.sum(0))[-max(int(MOVING_SHARE * mean.size), 20) :]
    line_share, line_chance = _lines(image)
    whole_share, shift_share, spread = _whole(blocks)
    beat_share, beat_limit = first_harmonics(power[:, moving], len(values))
    return Pictures(
        line_percent=100 * line_share,
        line_limit_percent=100 * TAGGED_EXCESS * line_chance,
        swing_percent=float(100 * (brightness.max() / brightness.min() - 1)),
        gain_percent=float(100 * (1 - (rest**2).sum() / whole)) if whole > 0 else 0.0,
        motion_percent=float(100 * rest.std(0)[moving].mean() / mean.mean()),
        beat_share=beat_share,
        beat_limit=beat_limit,
        beats=_beats(rest[:, moving]),
        whole_percent=100 * whole_share,
        shift_percent=100 * shift_share,
        spread=spread,
        likeness=_likeness(blocks),
    )


def _blocks(values: np.ndarray) -> np.ndarray:
    """Return the means of blocks ``(T, Z, Y / 4, X / 4)``."""
    phases, slices, rows, columns = values.shape
    rows, columns = rows // BLOCK_PX, columns // BLOCK_PX
    cut = values[:, :, : rows * BLOCK_PX, : columns * BLOCK_PX]
    blocks = cut.reshape(phases, slices, rows, BLOCK_PX, columns, BLOCK_PX).mean((3, 5))
    return np.asarray(blocks)


def _tissue(blocks: np.ndarray) -> np.ndarray | None:
    """Return the means of tissue's blocks ``(T, N)``, or None where there is no tissue."""
    mean = blocks.mean(0)
    found = blocks[:, mean > TISSUE_SHARE * np.percentile(mean, 98)].astype(np.float64)
    return found if found.size and found.mean(1).min() > 0 else None


def _whole(blocks: np.ndarray) -> tuple[float, float, float]:
    """Return the shares of the change that one affine motion and one shift explain, and its spread.

    Brightness that moves by ``v`` changes by ``-v . gradient`` (Horn and Schunck, Artif Intell
    1981; 17:185); ``v`` is linear in the place, so its six numbers are a linear least-squares fit.
    """
    chosen = np.unique(np.linspace(0, blocks.shape[1] - 1, WHOLE_SLICES).astype(int))
    smooth = ndimage.gaussian_filter(blocks[:, chosen].astype(np.float64), (0, 0, 1, 1))
    _, slices, rows, columns = smooth.shape
    y, x = np.meshgrid(np.linspace(-1, 1, rows), np.linspace(-1, 1, columns), indexing="ij")
    ways = (np.ones_like(y), y, x)
    explained, power = np.zeros(2), np.zeros((rows, columns))
    for z in range(slices):
        change = np.diff(smooth[:, z], axis=0)
        down, across = np.gradient((smooth[1:, z] + smooth[:-1, z]) / 2, axis=(1, 2))
        moved = np.stack([g * way for way in ways for g in (down, across)], -1)
        moved = moved.reshape(len(change), -1, 6)
        explained += _explained(moved, change), _explained(moved[..., :2], change)
        power += (change**2).sum(0)
    total = float(power.sum())
    if total == 0:
        return 0.0, 0.0, 0.0
    variance = [
        (power * way**2).sum() / total - ((power * way).sum() / total) ** 2 for way in (y, x)
    ]
    affine, shift = explained / total
    return float(affine), float(shift), float(np.sqrt(np.mean(variance)) / 2)


def _explained(moved: np.ndarray, change: np.ndarray) -> float:
    """Return the power of ``change (T, Y, X)`` that ``moved (T, Y X, K)`` explains."""
    turned = moved.transpose(0, 2, 1)
    told = turned @ change.reshape(len(change), -1, 1)
    fitted = np.linalg.pinv(turned @ moved, hermitian=True) @ told
    return float((fitted * told).sum())


def _likeness(blocks: np.ndarray) -> float:
    """Return the correlation of neighbouring blocks in the first picture, median over slices."""
    apart = blocks[0] - blocks[0].mean((1, 2), keepdims=True)
    power = (apart**2).mean((1, 2))
    beside = (apart[:, 1:] * apart[:, :-1]).mean((1, 2))
    beside += (apart[:, :, 1:] * apart[:, :, :-1]).mean((1, 2))
    return float(np.median(np.divide(beside / 2, power, out=np.ones_like(power), where=power > 0)))


def first_harmonics(power: np.ndarray, phases: int) -> tuple[float, float]:
    """Return the share of the first harmonics, and the least that is no noise.

    Parameters
    ----------
    power : (K, N)
        Of each harmonic from the first on, of one or more curves.
    phases : int
        Samples of a curve; with few of them the share is 1, as nothing can be told.
    """
    noise = min(2 * HARMONICS / max(phases - 1, 1), 1.0)
    limit = noise + BEAT_EXCESS * (1 - noise)
    total = float(power.sum())
    if phases < BEAT_PHASES or total == 0:
        return 1.0, limit
    return float(power[:HARMONICS].sum() / total), limit


def _beats(moving: np.ndarray) -> float:
    """Return how many heartbeats the pictures ``(T, N)`` show: a second one repeats the first."""
    phases = len(moving)
    apart = np.array(
        [((moving[lag:] - moving[:-lag]) ** 2).mean() for lag in range(1, phases)], dtype=float
    )
    for lag in range(3, int(LATEST_REPEAT * phases)):
        at, before, after = apart[lag - 1], apart[: lag - 1].max(), apart[lag:].max()
        is_dip = at < apart[lag - 2] and at < apart[lag]
        if is_dip and at <= REPEAT_SHARE * before and after >= before / 2:
            return phases / lag
    return 1.0


def _lines(image: Image) -> tuple[float, float]:
    """Return the share of the fine structure in one pattern of parallel lines, and that of chance.

    Medians over slices, of the second picture: tags fade.
    """
    _, slices, rows, columns = image.values.shape
    row_mm, column_mm = image.grid.row_spacing_mm, image.grid.column_spacing_mm
    window = np.hanning(rows)[:, None] * np.hanning(columns)
    down = np.fft.fftfreq(rows, row_mm)[:, None]
    across = np.fft.rfftfreq(columns, column_mm)[None]
    frequency = np.hypot(down, across)
    fine = (frequency > 1 / TAG_PERIODS_MM[1]) & (frequency < 1 / TAG_PERIODS_MM[0])
    fine &= frequency < 0.5 / max(row_mm, column_mm)
    shares, chances = [], []
    for z in range(slices):
        picture = image.values[1, z].astype(np.float64)
        whole = np.abs(np.fft.rfft2((picture - picture.mean()) * window)) ** 2
        power = np.where(fine, whole, 0.0)
        peak = np.unravel_index(power.argmax(), power.shape)

        def about(part: float, wide: float, at: tuple[np.intp, ...] = peak) -> np.ndarray:
            near_down = np.abs(down - part * down[at[0]]) < wide / (rows * row_mm)
            near_across = np.abs(across - part * across[0, at[1]]) < wide / (columns * column_mm)
            return np.asarray(near_down & near_across)

        near = about(1.0, 2.5)
        total = power.sum()
        stands_out = whole[about(0.5, 1.5)].max() < LONGER_WAVES * power[peak]
        chances.append((near & fine).sum() / max(fine.sum(), 1))
        shares.append(power[near].sum() / total if total > 0 and stands_out else 0.0)
    return float(np.median(shares)), float(np.median(chances))
