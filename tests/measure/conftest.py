"""Hearts whose volumes, mass and wall are known by formula."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import pytest

from opencmr.anatomy.policy import ACDC_POLICY
from opencmr.anatomy.structures import ACDC
from opencmr.geometry.grid import Grid, grid_from_spacing
from opencmr.imaging.axis import Heartbeat
from opencmr.imaging.image import Image, untimed_image
from opencmr.imaging.segmentation import Author, AuthorKind, Segmentation
from opencmr.imaging.study import Demographics
from opencmr.measure import Ventricles

BASE_TO_APEX = np.array([0.6, -0.6, -0.5]) / np.linalg.norm([0.6, -0.6, -0.5])
_septum = np.array([-0.6, -0.7, 0.0])
TO_SEPTUM = _septum - (_septum @ BASE_TO_APEX) * BASE_TO_APEX
TO_SEPTUM /= np.linalg.norm(TO_SEPTUM)
TO_ANTERIOR = np.cross(TO_SEPTUM, BASE_TO_APEX)


def short_axis_grid(shape: tuple[int, int, int], spacing_mm: tuple[float, float, float]) -> Grid:
    """A short-axis stack as it is usually shown: septum left, anterior up, base first."""
    affines = np.zeros((shape[0], 4, 4))
    affines[:, :3, 0] = -TO_ANTERIOR * spacing_mm[1]
    affines[:, :3, 1] = -TO_SEPTUM * spacing_mm[2]
    affines[:, :3, 3] = np.arange(shape[0])[:, None] * spacing_mm[0] * BASE_TO_APEX
    affines[:, 3, 3] = 1
    return Grid(shape, affines)


@dataclass(frozen=True)
class Tube:
    """A left ventricle that is a tube and a right one that is a sector of a ring about it.

    Squared radii, and so volumes, follow a cosine; the RV lags behind the LV.
    """

    phases: int = 20
    shape: tuple[int, int, int] = (12, 128, 128)
    spacing_mm: tuple[float, float, float] = (8.0, 1.0, 1.0)
    rr_ms: float = 800.0
    lv_ed: int = 3
    rv_ed: int = 5
    lv_slices: int = 10
    rv_slices: int = 7
    septum_half_deg: float = 60.0
    centre_mm: tuple[float, float] = (63.3, 70.6)
    demographics: Demographics = field(
        default_factory=lambda: Demographics("M", 60.0, 180.0, 80.0, None)
    )

    def inner2(self, phase: float) -> float:
        return 457.0 + 168.0 * np.cos(2 * np.pi * (phase - self.lv_ed) / self.phases)

    def outer2(self, phase: float) -> float:
        return self.inner2(phase) + 531.0

    def rv2(self, phase: float) -> float:
        return 1300.0 + 600.0 * np.cos(2 * np.pi * (phase - self.rv_ed) / self.phases)

    def lv_ml(self, phase: float) -> float:
        return float(np.pi * self.inner2(phase) * self.lv_slices * self.spacing_mm[0] / 1000)

    def rv_ml(self, phase: float) -> float:
        share = np.deg2rad(self.septum_half_deg) * self.rv2(phase)
        return float(share * self.rv_slices * self.spacing_mm[0] / 1000)

    def mass_g(self) -> float:
        return float(1.05 * np.pi * 531.0 * self.lv_slices * self.spacing_mm[0] / 1000)

    def wall_mm(self, phase: float) -> float:
        return float(np.sqrt(self.outer2(phase)) - np.sqrt(self.inner2(phase)))

    def labels(self) -> np.ndarray:
        rows = np.arange(self.shape[1]) * self.spacing_mm[1] - self.centre_mm[0]
        columns = np.arange(self.shape[2]) * self.spacing_mm[2] - self.centre_mm[1]
        distance2 = rows[:, None] ** 2 + columns**2
        off_septum = np.abs(np.arctan2(rows[:, None], -columns[None]))
        sector = off_septum <= np.deg2rad(self.septum_half_deg)
        labels = np.zeros((self.phases, *self.shape), dtype=np.uint8)
        for phase in range(self.phases):
            outer2 = self.outer2(phase)
            rv = sector & (distance2 > outer2) & (distance2 <= outer2 + self.rv2(phase))
            labels[phase, 1 : 1 + self.rv_slices, rv] = 1
            labels[phase, 1 : 1 + self.lv_slices, distance2 <= outer2] = 2
            labels[phase, 1 : 1 + self.lv_slices, distance2 <= self.inner2(phase)] = 3
        return labels

    def ventricles(self) -> Ventricles:
        grid = short_axis_grid(self.shape, self.spacing_mm)
        triggers = np.arange(self.phases) / self.phases * self.rr_ms
        values = np.zeros((self.phases, *self.shape), dtype=np.float32)
        image = Image(
            values,
            grid,
            Heartbeat(
                np.repeat(triggers[:, None], self.shape[0], axis=1),
                np.full(self.shape[0], self.rr_ms),
            ),
        )
        masks = Segmentation(
            self.labels(), ACDC, grid, ACDC_POLICY, Author(AuthorKind.IMPORT, "phantom")
        )
        return Ventricles(masks, image, self.demographics, "s01")


def untimed_ventricles(
    labels: np.ndarray, grid: Grid | None = None, demographics: Demographics | None = None
) -> Ventricles:
    """Ventricles of bare labels ``(T, Z, Y, X)``, 1 mm apart unless a grid is given."""
    grid = grid or grid_from_spacing(labels.shape[1:], (1.0, 1.0, 1.0))
    image = untimed_image(np.zeros(labels.shape, dtype=np.float32), grid)
    masks = Segmentation(
        labels.astype(np.uint8), ACDC, grid, ACDC_POLICY, Author(AuthorKind.IMPORT, "phantom")
    )
    return Ventricles(masks, image, demographics or Demographics(), "s01")


@pytest.fixture(scope="session")
def tube() -> Tube:
    return Tube()


@pytest.fixture(scope="session")
def tube_of() -> type[Tube]:
    return Tube


@pytest.fixture(scope="session")
def tube_ventricles(tube: Tube) -> Ventricles:
    return tube.ventricles()


@pytest.fixture(scope="session")
def untimed() -> Callable[..., Ventricles]:
    return untimed_ventricles


@pytest.fixture(scope="session")
def sax_grid() -> Callable[..., Grid]:
    return short_axis_grid
