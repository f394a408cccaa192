"""Seeded smooth fields: what makes blood, trabeculae, fat and vessels irregular."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class CosineField:
    """A smooth random field in space: a sum of plane waves of unit variance.

    Attributes
    ----------
    waves : (N, 3) float32, rad/mm
    phases : (N,) float32, rad
    """

    waves: np.ndarray
    phases: np.ndarray

    def at(self, position_mm: np.ndarray) -> np.ndarray:
        """Return the field at positions ``(3, ...)``, float32."""
        total = np.zeros(position_mm.shape[1:], dtype=np.float32)
        x, y, z = position_mm
        for (a, b, c), phase in zip(self.waves, self.phases, strict=True):
            total += np.cos(a * x + b * y + c * z + phase)
        return np.asarray(total * np.float32(np.sqrt(2 / len(self.phases))))


def cosine_field(random: np.random.Generator, wavelength_mm: float, waves: int = 10) -> CosineField:
    """Draw a field whose waves are between 0.7 and 1.4 of a wavelength, in all directions."""
    directions = random.normal(size=(waves, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    lengths_mm = wavelength_mm * random.uniform(0.7, 1.4, size=(waves, 1))
    return CosineField(
        np.asarray(2 * np.pi * directions / lengths_mm, dtype=np.float32),
        random.uniform(0, 2 * np.pi, waves).astype(np.float32),
    )


def tubes(first: np.ndarray, second: np.ndarray, width: float) -> np.ndarray:
    """Return the coverage, 0 to 1, of the curves where two fields vanish together."""
    return np.asarray(np.clip(1.5 - (first * first + second * second) / width**2, 0, 1))
