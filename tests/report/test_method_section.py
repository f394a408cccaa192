"""How the page tells what was decided for a run."""

import numpy as np
import pytest

from opencmr.analyses.function import NAME as FUNCTION
from opencmr.anatomy.policy import ACDC_POLICY
from opencmr.anatomy.structures import ACDC
from opencmr.geometry.grid import grid_from_spacing
from opencmr.imaging.change import EarlierResult
from opencmr.imaging.given_labels import GivenLabels
from opencmr.imaging.image import untimed_image
from opencmr.imaging.measurement import Measurement
from opencmr.imaging.measurements import Measurements
from opencmr.imaging.segmentation import Author, AuthorKind, Segmentation
from opencmr.imaging.study import Series, Study
from opencmr.measure.function.ejection import LVEF
from opencmr.pipeline import Configuration
from opencmr.report.contents import Provenance, Report
from opencmr.report.sections.method import SETTINGS, measured_from

LABELS = GivenLabels(
    np.zeros((1, 2, 4, 4), dtype=np.uint8),
    grid_from_spacing((2, 4, 4), (8.0, 1.5, 1.5)),
    ACDC,
    ACDC_POLICY,
    Author(AuthorKind.READER, "A. Reader"),
    "0" * 64,
    "labels.nii.gz",
)


@pytest.mark.parametrize(
    "configuration",
    [Configuration(), Configuration(labels=LABELS), Configuration(previous=EarlierResult("k", {}))],
)
def test_every_key_of_the_record_has_a_name_for_people(configuration: Configuration) -> None:
    assert configuration.record.keys() <= SETTINGS.keys()


def test_a_name_on_the_page_is_said_once_and_no_key() -> None:
    assert len({*SETTINGS.values()}) == len(SETTINGS)
    assert not [name for name in SETTINGS.values() if "_" in name]
    assert all("SHA-256" in SETTINGS[key] for key in SETTINGS if key.endswith("sha256"))


def test_a_table_of_ventricles_names_no_series_that_another_analysis_measured() -> None:
    grid = grid_from_spacing((1, 4, 4), (8.0, 1.5, 1.5))
    image = untimed_image(np.zeros((1, 1, 4, 4), dtype=np.float32), grid)
    labels = np.zeros((1, 1, 4, 4), dtype=np.uint8)
    drawn = Segmentation(labels, ACDC, grid, ACDC_POLICY, Author(AuthorKind.READER, "A. Reader"))
    report = Report(
        Study("phantom", (Series("s01", image), Series("s02", image))),
        {"s01": drawn, "s02": drawn},
        {},
        Measurements((Measurement(LVEF, 61.0, series="s01", analysis=FUNCTION),)),
        (),
        Provenance("0", (), {}, ""),
    )
    assert "(s01)" in measured_from(report, FUNCTION)
    assert "(s02)" not in measured_from(report, FUNCTION)
    assert "(s02)" in measured_from(report)
