"""NIfTI: what is read, what is refused, and that labels land where the image was."""

import gzip
import json
import tracemalloc
from pathlib import Path

import nibabel
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from opencmr.anatomy.structures import ACDC
from opencmr.errors import GeometryError, InputError
from opencmr.geometry.grid import Grid, grid_from_spacing
from opencmr.geometry.orientation import grid_from_ras_affine
from opencmr.imaging.flag import QualityFlag, Severity
from opencmr.imaging.image import untimed_image
from opencmr.intake.nifti.read import read_nifti, read_nifti_pair, require_image
from opencmr.intake.nifti.values import CHUNK_VOXELS
from opencmr.intake.nifti.write import write_image_nifti, write_labels_nifti

OBLIQUE = np.eye(4)
OBLIQUE[:3, :3] = Rotation.from_euler("xyz", (0.5, -0.4, 0.9)).as_matrix() @ np.diag([1.4, 1.6, 8])
OBLIQUE[:3, 3] = (-30.0, 40.0, 12.0)


def picture(*shape: int) -> np.ndarray:
    """Values that tell every voxel from every other, ``(x, y, z[, t])``."""
    return np.arange(np.prod(shape), dtype=np.int16).reshape(shape)


def write(
    path: Path,
    values: np.ndarray,
    affine: np.ndarray = OBLIQUE,
    *,
    units: tuple[str, str] = ("mm", "msec"),
    sform_code: int = 1,
    qform_code: int = 1,
    **fields: object,
) -> Path:
    """Write a NIfTI file; ``fields`` overwrite the header bytes as a careless program would."""
    image = nibabel.Nifti1Image(values, affine)
    image.header.set_xyzt_units(*units)
    image.header.set_qform(affine, 1)
    block = bytearray(image.to_bytes())
    header = nibabel.Nifti1Header(bytes(block[:348]), check=False)
    header["sform_code"], header["qform_code"] = sform_code, qform_code
    for name, value in fields.items():
        if name == "pixdim":
            header["pixdim"][1 : 1 + len(value)] = value  # type: ignore[arg-type]
        else:
            header[name] = value
    block[:348] = bytes(header.binaryblock)
    path.write_bytes(gzip.compress(bytes(block)) if path.suffix == ".gz" else bytes(block))
    return path


def codes(flags: tuple[QualityFlag, ...]) -> list[str]:
    return [flag.code for flag in flags]


@pytest.mark.parametrize("name", ["stack.nii", "stack.nii.gz"])
def test_a_stack_keeps_every_voxels_value_and_place(tmp_path, name):
    values = picture(5, 4, 3)
    reading = read_nifti(write(tmp_path / name, values))
    image = reading.image
    assert image.values.shape == (1, 3, 4, 5)
    assert image.values[0, 2, 3, 1] == values[1, 3, 2]
    ras = (OBLIQUE @ [1, 3, 2, 1])[:3]
    np.testing.assert_allclose(image.grid.position_mm(2, 3, 1), ras * [-1, -1, 1], atol=1e-4)
    assert image.grid.orientation_known
    assert reading.flags == ()


@settings(max_examples=25)
@given(
    turn=st.tuples(*[st.floats(-3, 3)] * 3),
    zooms=st.tuples(*[st.floats(0.6, 12)] * 3),
    offset=st.tuples(*[st.floats(-200, 200)] * 3),
    mirrored=st.booleans(),
)
def test_any_oblique_affine_of_either_handedness_stays_true(
    tmp_path_factory, turn, zooms, offset, mirrored
):
    affine = np.eye(4)
    affine[:3, :3] = Rotation.from_euler("xyz", turn).as_matrix() @ np.diag(zooms)
    affine[:3, 0] *= -1 if mirrored else 1
    affine[:3, 3] = offset
    path = write(tmp_path_factory.mktemp("n") / "x.nii", picture(4, 5, 3), affine)
    grid = read_nifti(path).image.grid
    lps = (affine @ [3, 4, 2, 1])[:3] * [-1, -1, 1]
    np.testing.assert_allclose(grid.position_mm(2, 4, 3), lps, atol=1e-3)
    assert grid.slice_spacing_mm == pytest.approx(zooms[2], rel=1e-4)
    assert (grid.column_spacing_mm, grid.row_spacing_mm) == pytest.approx(zooms[:2], rel=1e-4)


@pytest.mark.parametrize(("unit", "factor"), [("micron", 1000.0), ("meter", 0.001), ("mm", 1.0)])
def test_units_of_length_are_converted(tmp_path, unit, factor):
    affine = OBLIQUE.copy()
    affine[:3] *= factor
    reading = read_nifti(write(tmp_path / "x.nii", picture(5, 4, 3), affine, units=(unit, "msec")))
    assert reading.image.grid.slice_spacing_mm == pytest.approx(8.0)
    np.testing.assert_allclose(reading.image.grid.position_mm(0, 0, 0), [30, -40, 12], rtol=1e-5)


def test_no_unit_with_a_spacing_other_than_one_is_taken_as_mm_and_said(tmp_path):
    reading = read_nifti(write(tmp_path / "x.nii", picture(5, 4, 3), units=("unknown", "unknown")))
    assert reading.image.grid.slice_spacing_mm == pytest.approx(8.0)
    assert codes(reading.flags) == ["UNITS_UNKNOWN"]


def test_a_spacing_of_one_without_unit_is_refused(tmp_path):
    path = write(tmp_path / "x.nii", picture(5, 4, 3), np.eye(4), units=("unknown", "unknown"))
    with pytest.raises(GeometryError, match="--spacing"):
        read_nifti(path)
    reading = read_nifti(path, spacing_mm=(10.0, 1.6, 1.4))
    grid = reading.image.grid
    assert grid.slice_spacing_mm == pytest.approx(10.0)
    assert (grid.row_spacing_mm, grid.column_spacing_mm) == pytest.approx((1.6, 1.4))
    assert codes(reading.flags) == ["SPACING_GIVEN", "ORIENTATION_UNKNOWN"]


def test_a_spacing_of_one_millimetre_with_its_unit_is_believed(tmp_path):
    affine = np.eye(4)
    affine[:3, 3] = (7, 8, 9)
    reading = read_nifti(write(tmp_path / "x.nii", picture(5, 4, 3), affine))
    assert reading.image.grid.slice_spacing_mm == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("sform", "units"),
    [
        (np.diag([1.2, 1.2, 10.0, 1.0]), "mm"),
        (np.diag([-1.0, -1.0, 1.0, 1.0]), "unknown"),
        (np.diag([-1.0, -1.0, 1.0, 1.0]), "meter"),
        (nibabel.affines.from_matvec(np.eye(3), (7, 80, 9)), "mm"),
        (np.diag([1.0, 1.0, 2.0, 1.0]), "mm"),
    ],
    ids=["no bare one", "no unit", "another unit", "placed", "slices stated"],
)
def test_a_spacing_that_pixdim_and_sform_state_differently_is_refused(tmp_path, sform, units):
    path = write(
        tmp_path / "x.nii",
        picture(5, 4, 3),
        sform,
        units=(units, "msec"),
        qform_code=0,
        pixdim=(1.46, 1.46, 10.0),
    )
    with pytest.raises(GeometryError, match=r"GEOMETRY_CONFLICT.*--spacing|BAD_SPACING"):
        read_nifti(path)
    grid = read_nifti(path, spacing_mm=(10.0, 1.46, 1.46)).image.grid
    np.testing.assert_allclose(grid.voxel_mm3, 10 * 1.46**2)


@pytest.mark.parametrize("signs", [(1, 1, 1), (-1, -1, 1), (-1, 1, -1)])
@pytest.mark.parametrize("qform_code", [0, 1])
def test_pixdim_wins_over_a_bare_sform_of_one_millimetre_and_it_is_said(
    tmp_path, signs, qform_code
):
    path = write(
        tmp_path / "x.nii",
        picture(5, 4, 3),
        np.diag([*map(float, signs), 1.0]),
        qform_code=qform_code,
        pixdim=(1.46, 1.5, 10.0),
    )
    reading = read_nifti(path)
    grid = reading.image.grid
    assert (grid.slice_spacing_mm, grid.row_spacing_mm) == pytest.approx((10.0, 1.5))
    assert not grid.orientation_known
    assert codes(reading.flags) == ["PIXDIM_USED", "ORIENTATION_UNKNOWN"]
    write_labels_nifti(
        tmp_path / "labels.nii", np.zeros((1, 3, 4, 5), np.uint8), scheme=ACDC, grid=grid, like=path
    )
    source, labels = (nibabel.load(tmp_path / name) for name in ("x.nii", "labels.nii"))
    assert np.array_equal(labels.affine, source.affine)
    assert labels.header.get_zooms() == source.header.get_zooms()


def test_a_refused_spacing_is_offered_as_the_option_to_copy(tmp_path):
    sform, zooms = np.diag([-1.0, -1.0, 1.0, 1.0]), (1.5625, 1.5625, 10.0)
    unnamed = ("unknown", "unknown")
    values = picture(5, 4, 3)
    lost = write(tmp_path / "a.nii", values, sform, units=unnamed, qform_code=0, pixdim=zooms)
    with pytest.raises(GeometryError, match=r"--spacing 1\.5625,1\.5625,10$"):
        read_nifti(lost)
    stated = np.diag([*zooms, 1.0])
    ones = write(
        tmp_path / "b.nii", values, stated, units=unnamed, qform_code=0, pixdim=(1.0, 1.0, 1.0)
    )
    with pytest.raises(GeometryError, match=r"affine is right: --spacing 1\.5625,1\.5625,10$"):
        read_nifti(ones)


def test_an_sform_and_a_qform_that_lie_elsewhere_are_refused(tmp_path):
    image = nibabel.Nifti1Image(picture(5, 4, 3), OBLIQUE)
    image.header.set_xyzt_units("mm", "msec")
    turned = OBLIQUE.copy()
    turned[:3, :3] = Rotation.from_euler("z", 40, degrees=True).as_matrix() @ OBLIQUE[:3, :3]
    image.header.set_qform(turned, code=1)
    image.header.set_sform(OBLIQUE, code=1)
    path = tmp_path / "x.nii"
    path.write_bytes(
        bytes(image.header.binaryblock) + bytes(4) + np.asarray(image.dataobj).tobytes("F")
    )
    content = bytearray(path.read_bytes())
    header = nibabel.Nifti1Header(bytes(content[:348]), check=False)
    header["vox_offset"] = 352
    content[:348] = bytes(header.binaryblock)
    path.write_bytes(bytes(content))
    with pytest.raises(GeometryError, match="sform and qform"):
        read_nifti(path)
    reading = read_nifti(path, spacing_mm=(8.0, 1.6, 1.4))
    assert not reading.image.grid.orientation_known


@pytest.mark.parametrize(
    "pixdim",
    [(0, 1.4, 8), (-1.4, 1.4, 8), (float("nan"), 1.4, 8), (1.4, 1.4, 0), (1e9, 1.4, 8)],
)
def test_an_impossible_spacing_is_refused(tmp_path, pixdim):
    path = write(tmp_path / "x.nii", picture(5, 4, 3), sform_code=0, qform_code=0, pixdim=pixdim)
    with pytest.raises(GeometryError):
        read_nifti(path)


@pytest.mark.parametrize("spacing_mm", [(0, 1, 1), (8, -1, 1), (8, float("nan"), 1), (8, 1, 1e6)])
def test_an_impossible_given_spacing_is_refused(tmp_path, spacing_mm):
    path = write(tmp_path / "x.nii", picture(5, 4, 3))
    with pytest.raises(GeometryError, match="impossible"):
        read_nifti(path, spacing_mm=spacing_mm)


@pytest.mark.parametrize(
    "affine",
    [
        np.diag([1.4, 1.4, 10.0, 1.0]),
        np.diag([-1.4, -1.4, 10.0, 1.0]),
        np.array([[-1.4, 0, 0, 1.4 * 4], [0, 1.4, 0, 0], [0, 0, 10, 0], [0, 0, 0, 1.0]]),
        np.array([[1.4, 0, 0, -2.8], [0, 1.4, 0, -2.1], [0, 0, 10, -10], [0, 0, 0, 1.0]]),
    ],
    ids=["identity", "itk identity", "flipped", "centred"],
)
def test_an_affine_that_software_makes_up_names_no_orientation(tmp_path, affine):
    reading = read_nifti(write(tmp_path / "x.nii", picture(5, 4, 3), affine, qform_code=0))
    assert not reading.image.grid.orientation_known
    assert reading.image.grid.slice_spacing_mm == pytest.approx(10.0)
    assert codes(reading.flags) == ["ORIENTATION_UNKNOWN"]


def test_no_affine_at_all_names_no_orientation(tmp_path):
    path = write(
        tmp_path / "x.nii", picture(5, 4, 3), sform_code=0, qform_code=0, pixdim=(1.4, 1.6, 8)
    )
    grid = read_nifti(path).image.grid
    assert not grid.orientation_known
    assert (grid.column_spacing_mm, grid.row_spacing_mm) == pytest.approx((1.4, 1.6))


def test_a_true_axial_stack_keeps_its_orientation(tmp_path):
    affine = np.diag([1.4, 1.4, 10.0, 1.0])
    affine[:3, 3] = (-150, -120, 30)
    assert read_nifti(
        write(tmp_path / "x.nii", picture(5, 4, 3), affine)
    ).image.grid.orientation_known


@pytest.mark.parametrize(
    ("step", "unit", "step_ms"), [(30.0, "msec", 30.0), (0.03, "sec", 30.0), (3e4, "usec", 30.0)]
)
def test_a_cine_is_timed_by_its_fourth_spacing(tmp_path, step, unit, step_ms):
    path = write(
        tmp_path / "x.nii",
        picture(5, 4, 3, 25),
        units=("mm", unit),
        pixdim=(1.4, 1.6, 8.0, step),
    )
    reading = read_nifti(path)
    image = reading.image
    assert image.values.shape == (25, 3, 4, 5)
    assert image.values[7, 2, 3, 1] == picture(5, 4, 3, 25)[1, 3, 2, 7]
    np.testing.assert_allclose(image.trigger_ms[:, 1], step_ms * np.arange(25), rtol=1e-5)
    np.testing.assert_allclose(image.rr_ms, 25 * step_ms, rtol=1e-5)
    assert reading.flags == ()


@pytest.mark.parametrize("step", [0.0, 1.0, 1000.0, float("nan")])
def test_an_implausible_time_step_is_no_timing(tmp_path, step):
    path = write(tmp_path / "x.nii", picture(5, 4, 3, 25), pixdim=(1.4, 1.6, 8.0, step))
    reading = read_nifti(path)
    assert np.isnan(reading.image.trigger_ms).all()
    assert codes(reading.flags) == ["NO_TIMING"]


def test_a_cine_whose_third_axis_is_time_is_refused(tmp_path):
    rng = np.random.default_rng(1)
    slices = rng.normal(500, 200, size=(16, 16, 1, 6))
    beat = slices * (1 + 0.1 * np.sin(np.linspace(0, 6, 20)))[:, None]
    right = np.moveaxis(beat, 2, 3).astype(np.float32)
    assert right.shape == (16, 16, 6, 20)
    read_nifti(write(tmp_path / "right.nii", right))
    wrong = write(tmp_path / "wrong.nii", np.moveaxis(right, 2, 3))
    with pytest.raises(GeometryError, match="Swap"):
        read_nifti(wrong)
    reading = read_nifti(wrong, spacing_mm=(8.0, 1.6, 1.4))
    assert [f.severity for f in reading.flags if f.code == "GEOMETRY_CONFLICT"] == [Severity.REVIEW]


@pytest.mark.parametrize(("slope", "inter"), [(0.0, 5.0), (float("nan"), float("nan"))])
def test_a_slope_of_zero_or_no_number_means_no_scaling(tmp_path, slope, inter):
    path = write(tmp_path / "x.nii", picture(5, 4, 3), scl_slope=slope, scl_inter=inter)
    assert read_nifti(path).image.values.max() == 59


def test_slope_and_intercept_are_applied(tmp_path):
    path = write(tmp_path / "x.nii", picture(5, 4, 3), scl_slope=2.0, scl_inter=-10.0)
    values = read_nifti(path).image.values
    assert (values.min(), values.max()) == (-10.0, 108.0)


@pytest.mark.parametrize("value", [0.0, 7.0, float("nan"), float("inf")])
def test_an_image_without_signal_is_refused(tmp_path, value):
    path = write(tmp_path / "x.nii", np.full((5, 4, 3), value, dtype=np.float32))
    with pytest.raises(InputError, match="NO_SIGNAL"):
        read_nifti(path)


@pytest.mark.parametrize(("slope", "inter"), [(-1, 4095), (1e20, 0), (1, 1e12)])
def test_a_scaling_that_cannot_be_meant_is_refused(tmp_path, slope, inter):
    path = write(tmp_path / "x.nii", picture(5, 4, 3), scl_slope=slope, scl_inter=inter)
    with pytest.raises(InputError, match="BAD_SCALING"):
        read_nifti(path)


def test_values_that_are_no_number_are_replaced_and_said(tmp_path):
    values = picture(5, 4, 3).astype(np.float32) + 3
    values[0, 0, 0] = np.nan
    reading = read_nifti(write(tmp_path / "x.nii", values))
    assert np.isfinite(reading.image.values).all()
    assert codes(reading.flags) == ["NO_SIGNAL"]


@pytest.mark.parametrize("name", ["x.nii", "x.nii.gz"])
@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.95])
def test_a_file_that_is_cut_short_is_refused_as_such(tmp_path, name, share):
    path = write(tmp_path / name, picture(40, 40, 3))
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(InputError, match="TRUNCATED"):
        read_nifti(path)


def test_a_declared_size_over_the_limit_is_refused_before_it_is_read(tmp_path):
    path = write(tmp_path / "x.nii.gz", picture(5, 4, 3), dim=(3, 30000, 30000, 30000, 1, 1, 1, 1))
    with pytest.raises(InputError, match="TOO_LARGE"):
        read_nifti(path)


@pytest.mark.parametrize("kind", [np.int16, np.float64])
def test_reading_takes_little_more_memory_than_the_decoded_values(tmp_path, kind):
    path = write(tmp_path / "x.nii.gz", picture(128, 128, 16, 30).astype(kind))
    tracemalloc.start()
    reading = require_image(read_nifti(path))
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak_bytes < 1.7 * reading.image.values.nbytes + 10 * CHUNK_VOXELS


def test_more_pictures_than_any_image_has_are_refused_unread(tmp_path):
    path = write(tmp_path / "x.nii.gz", picture(5, 4, 3), dim=(4, 1, 1, 30000, 8000, 1, 1, 1))
    with pytest.raises(InputError, match=r"TOO_LARGE.*pictures"):
        read_nifti(path)


def test_values_of_a_compressed_file_with_a_wrong_checksum_are_not_believed(tmp_path):
    path = write(tmp_path / "x.nii.gz", picture(5, 4, 3))
    content = bytearray(path.read_bytes())
    content[-6] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(InputError, match="TRUNCATED"):
        read_nifti(path)


def test_a_length_in_mm_that_the_file_calls_metres_is_a_bad_spacing(tmp_path):
    path = write(tmp_path / "x.nii", picture(5, 4, 3), units=("meter", "msec"))
    with pytest.raises(GeometryError, match=r"BAD_SPACING.*unit of length.*--spacing"):
        read_nifti(path)
    given = read_nifti(path, spacing_mm=(8, 1.6, 1.4))
    assert given.image.grid.column_spacing_mm == pytest.approx(1.4)


@pytest.mark.parametrize("affine", [True, False])
def test_a_picture_of_more_than_a_metre_is_a_bad_spacing(tmp_path, affine):
    wide = np.diag([12.9, 1.4, 8.0, 1.0])
    path = write(tmp_path / "x.nii", picture(100, 9, 3), wide, sform_code=int(affine), qform_code=0)
    with pytest.raises(GeometryError, match=r"BAD_SPACING.*1290.*--spacing"):
        read_nifti(path)
    with pytest.raises(GeometryError, match="BAD_SPACING"):
        read_nifti(path, spacing_mm=(8, 1.4, 12.9))


@pytest.mark.parametrize(
    "fields",
    [
        {"dim": (3, -5, 4, 3, 1, 1, 1, 1)},
        {"dim": (9, 5, 4, 3, 1, 1, 1, 1)},
        {"dim": (5, 5, 4, 3, 2, 2, 1, 1)},
        {"datatype": 32},
        {"datatype": 999},
        {"datatype": 128},
        {"vox_offset": float("nan")},
        {"vox_offset": 1e12},
        {"vox_offset": 10},
        {"magic": b"ni1"},
        {"magic": b""},
    ],
)
def test_an_impossible_header_is_refused_in_words(tmp_path, fields):
    with pytest.raises(InputError):
        read_nifti(write(tmp_path / "x.nii", picture(5, 4, 3), **fields))


@settings(max_examples=60)
@given(st.lists(st.tuples(st.integers(0, 351), st.integers(0, 255)), min_size=1, max_size=8))
def test_no_change_of_header_bytes_leads_to_another_kind_of_error(tmp_path_factory, changes):
    path = write(tmp_path_factory.mktemp("n") / "x.nii", picture(5, 4, 3))
    content = bytearray(path.read_bytes())
    for at, value in changes:
        content[at] = value
    path.write_bytes(bytes(content))
    try:
        reading = read_nifti(path)
    except (InputError, GeometryError):
        return
    assert reading.image.values.ndim == 4


def test_big_endian_and_nifti2_files_are_read(tmp_path):
    values = picture(5, 4, 3)
    swapped = nibabel.Nifti1Header(endianness=">")
    swapped.set_data_dtype(">i2")
    big = nibabel.Nifti1Image(values, OBLIQUE, swapped)
    second = nibabel.Nifti2Image(values, OBLIQUE)
    for number, image in enumerate((big, second)):
        image.header.set_xyzt_units("mm", "msec")
        path = tmp_path / f"{number}.nii"
        path.write_bytes(image.to_bytes())
        read = read_nifti(path).image
        assert read.values[0, 2, 3, 1] == values[1, 3, 2]
        assert read.grid.slice_spacing_mm == pytest.approx(8.0)


def test_a_pair_of_stacks_becomes_two_phases(tmp_path):
    values = picture(5, 4, 3)
    ed = write(tmp_path / "ed.nii", values)
    es = write(tmp_path / "es.nii.gz", values + 1)
    image = read_nifti_pair(ed, es).image
    assert image.values.shape == (2, 3, 4, 5)
    np.testing.assert_array_equal(image.values[1] - image.values[0], 1)
    assert len(set(image.sources)) == 2


def test_a_pair_on_different_grids_is_refused(tmp_path):
    ed = write(tmp_path / "ed.nii", picture(5, 4, 3))
    moved = OBLIQUE.copy()
    moved[2, 3] += 8
    with pytest.raises(GeometryError, match="apart"):
        read_nifti_pair(ed, write(tmp_path / "es.nii", picture(5, 4, 3), moved))
    with pytest.raises(GeometryError, match="shape"):
        read_nifti_pair(ed, write(tmp_path / "s.nii", picture(5, 4, 2)))
    with pytest.raises(InputError, match="phases"):
        read_nifti_pair(ed, write(tmp_path / "c.nii", picture(5, 4, 3, 2)))


@pytest.mark.parametrize("shape", [(5, 4, 3), (5, 4, 3, 6)])
def test_labels_lie_on_the_sources_own_grid_bit_by_bit(tmp_path, shape):
    mirrored = OBLIQUE.copy()
    mirrored[:3, 0] *= -1
    source = write(
        tmp_path / "x.nii.gz",
        picture(*shape),
        mirrored,
        sform_code=2,
        qform_code=0,
        descrip=b"SECRET^NAME",
    )
    image = read_nifti(source).image
    labels = (image.values > image.values.mean()).astype(np.uint8)
    written = write_labels_nifti(
        tmp_path / "out.nii.gz", labels, scheme=ACDC, grid=image.grid, like=source
    )
    made, original = nibabel.load(written[0]), nibabel.load(source)
    assert made.shape == original.shape
    assert made.get_data_dtype() == np.uint8
    np.testing.assert_array_equal(made.affine, original.affine)
    for name in ("pixdim", "sform_code", "qform_code", "xyzt_units", "srow_x", "quatern_b"):
        np.testing.assert_array_equal(made.header[name], original.header[name])
    expected = np.asarray(original.dataobj) > np.asarray(original.dataobj).mean()
    np.testing.assert_array_equal(np.asarray(made.dataobj), expected)
    assert b"SECRET" not in gzip.decompress(written[0].read_bytes())


def test_labels_read_back_lie_where_the_image_lay(tmp_path):
    source = write(tmp_path / "x.nii", picture(5, 4, 3))
    image = read_nifti(source).image
    labels = np.zeros(image.values.shape, np.uint8)
    labels[0, 2, 3, 1] = 3
    for like, name in ((source, "a.nii"), (None, "b.nii.gz")):
        path, _ = write_labels_nifti(
            tmp_path / name, labels, scheme=ACDC, grid=image.grid, like=like
        )
        back = read_nifti(path).image
        np.testing.assert_array_equal(back.values, labels)
        np.testing.assert_allclose(back.grid.affines, image.grid.affines, atol=1e-4)
        assert back.grid.orientation_known


def test_labels_of_a_source_with_corrected_spacing_carry_the_true_one(tmp_path):
    source = write(
        tmp_path / "x.nii", picture(5, 4, 3), np.diag([-1.0, -1, 1, 1]), pixdim=(1.46, 1.46, 10)
    )
    image = read_nifti(source, spacing_mm=(10.0, 1.46, 1.46)).image
    path, _ = write_labels_nifti(
        tmp_path / "o.nii",
        (image.values > 9).astype(np.uint8),
        scheme=ACDC,
        grid=image.grid,
        like=source,
    )
    np.testing.assert_allclose(nibabel.load(path).header.get_zooms(), (1.46, 1.46, 10), rtol=1e-5)


def test_the_file_beside_the_labels_says_what_they_mean(tmp_path):
    grid = grid_from_spacing((3, 4, 5), (10.0, 1.6, 1.4))
    written = write_labels_nifti(
        tmp_path / "s01_seg.nii.gz", np.ones((2, 3, 4, 5), np.uint8), scheme=ACDC, grid=grid
    )
    assert [path.name for path in written] == ["s01_seg.nii.gz", "s01_seg.json"]
    said = json.loads(written[1].read_text())
    assert said["labels"] == {"0": "background", "1": "RV", "2": "MYO", "3": "LV"}
    assert said["is_regular"]
    assert "slice_affines_lps_mm" not in said
    np.testing.assert_allclose(nibabel.load(written[0]).header.get_zooms()[:3], (1.4, 1.6, 10))


@pytest.mark.parametrize(
    ("values", "kind", "error"),
    [
        ([-30000, 0, 1, 2], "int16", 0),
        ([0, 1, 2, 60000], "uint16", 0),
        ([0, 1, 2, 70000], "int16", 0.51 * 70000 / 65534),
        ([-0.5, 0.25, 0.3, 0.5], "int16", 0.51 / 65534),
        ([7, 7, 7, 7], "int16", 0),
        ([0.5, 0.5, 0.5, 0.5], "int16", 0),
    ],
)
def test_an_image_is_stored_as_integers_and_whole_numbers_stay_exact(tmp_path, values, kind, error):
    stack = np.array(values, np.float32).reshape(1, 1, 2, 2)
    image = untimed_image(stack, grid_from_spacing((1, 2, 2), (10.0, 1.6, 1.4)))
    write_image_nifti(tmp_path / "o.nii.gz", image, step_ms=None)
    stored = nibabel.load(tmp_path / "o.nii.gz")
    assert stored.get_data_dtype() == kind
    assert np.abs(stored.get_fdata().T - stack[0]).max() <= error


@pytest.mark.parametrize(
    ("step_ms", "unit", "pixdim"), [(37.5, "msec", 37.5), (None, "unknown", 0)]
)
def test_an_image_states_the_time_that_is_known_and_no_other(tmp_path, step_ms, unit, pixdim):
    stack = np.random.default_rng(1).normal(size=(20, 3, 6, 8)).astype(np.float32)
    grid = grid_from_ras_affine(OBLIQUE, (3, 6, 8))
    write_image_nifti(tmp_path / "o.nii", untimed_image(stack, grid), step_ms=step_ms)
    header = nibabel.load(tmp_path / "o.nii").header
    assert (header.get_xyzt_units()[1], header["pixdim"][4]) == (unit, pixdim)
    read = read_nifti(tmp_path / "o.nii")
    assert [flag.code for flag in read.flags] == ([] if step_ms else ["NO_TIMING"])
    np.testing.assert_allclose(read.image.grid.affines, grid.affines, atol=1e-4)


def test_a_packed_cine_holds_what_the_plain_file_does_and_names_no_time(tmp_path):
    stack = np.random.default_rng(1).normal(size=(20, 3, 6, 8)).astype(np.float32)
    image = untimed_image(stack, grid_from_ras_affine(OBLIQUE, (3, 6, 8)))
    for name in ("o.nii", "o.nii.gz"):
        write_image_nifti(tmp_path / name, image, step_ms=30.0)
    packed, plain = ((tmp_path / name).read_bytes() for name in ("o.nii.gz", "o.nii"))
    assert gzip.decompress(packed) == plain
    assert packed[4:8] == bytes(4)  # RFC 1952: when it was packed


def test_a_copy_of_an_uneven_stack_is_refused_as_a_source_of_volumes(tmp_path):
    affines = np.array(grid_from_ras_affine(OBLIQUE, (4, 6, 8)).affines)
    affines[3, :3, 3] += 5 * affines[3, :3, 2]
    stack = np.random.default_rng(1).normal(size=(1, 4, 6, 8)).astype(np.float32)
    image = untimed_image(stack, Grid((4, 6, 8), affines))
    write_image_nifti(tmp_path / "o.nii", image, step_ms=None)
    with pytest.raises(GeometryError, match=r"no single affine describes .* original study"):
        read_nifti(tmp_path / "o.nii")


def test_an_uneven_stack_is_written_nearest_and_every_slices_place_beside_it(tmp_path):
    affines = np.array(grid_from_spacing((4, 4, 5), (10.0, 1.6, 1.4)).affines)
    affines[:, 2, 3] = (0, 10, 20, 40)
    grid = Grid((4, 4, 5), affines)
    assert not grid.is_regular
    path, beside = write_labels_nifti(
        tmp_path / "o.nii", np.ones((1, 4, 4, 5), np.uint8), scheme=ACDC, grid=grid
    )
    said = json.loads(beside.read_text())
    assert not said["is_regular"]
    np.testing.assert_allclose(said["slice_affines_lps_mm"], grid.affines)
    affine = nibabel.load(path).affine
    assert affine[2, 2] == pytest.approx(13.0)
    middle_mm = affine[2, 3] + 1.5 * affine[2, 2]
    assert middle_mm == pytest.approx(17.5)


def test_the_same_labels_give_the_same_bytes(tmp_path):
    grid = grid_from_spacing((3, 4, 5), (10.0, 1.6, 1.4))
    labels = np.ones((1, 3, 4, 5), np.uint8)
    made = [
        write_labels_nifti(tmp_path / name, labels, scheme=ACDC, grid=grid)[0].read_bytes()
        for name in ("a.nii.gz", "b.nii.gz")
    ]
    assert made[0] == made[1]


def test_labels_that_do_not_fit_are_refused(tmp_path):
    grid = grid_from_spacing((3, 4, 5), (10.0, 1.6, 1.4))
    with pytest.raises(GeometryError, match="labels"):
        write_labels_nifti(
            tmp_path / "o.nii", np.ones((1, 3, 5, 4), np.uint8), scheme=ACDC, grid=grid
        )
    other = write(tmp_path / "x.nii", picture(4, 4, 3))
    with pytest.raises(GeometryError, match="belong"):
        write_labels_nifti(
            tmp_path / "o.nii", np.ones((1, 3, 4, 5), np.uint8), scheme=ACDC, grid=grid, like=other
        )


@pytest.mark.real_data
def test_acdc_stacks_are_read_with_true_spacing_and_no_orientation(data_folder):
    for path in sorted((data_folder / "acdc").glob("patient00*_ed.nii.gz")):
        reading = read_nifti_pair(path, path.with_name(path.name.replace("_ed", "_es")))
        zooms = nibabel.load(path).header.get_zooms()
        grid = reading.image.grid
        assert not grid.orientation_known
        assert grid.slice_spacing_mm == pytest.approx(zooms[2])
        assert grid.column_spacing_mm == pytest.approx(zooms[0])


@pytest.mark.real_data
def test_a_real_qform_of_negative_determinant_keeps_its_orientation(data_folder):
    path = data_folder / "lge_native" / "subject8_DE.nii.gz"
    image, affine = read_nifti(path).image, nibabel.load(path).affine
    assert image.grid.orientation_known
    corner = (affine @ [479, 0, 15, 1])[:3] * [-1, -1, 1]
    np.testing.assert_allclose(image.grid.position_mm(15, 0, 479), corner, atol=1e-2)


@pytest.mark.real_data
def test_the_contradicting_emidec_samples_are_refused(data_folder, tmp_path):
    import zipfile

    with zipfile.ZipFile(data_folder / "emidec" / "native_samples.zip") as archive:
        names = [name for name in archive.namelist() if name.endswith(".nii.gz")]
        assert len(names) == 4
        for number, name in enumerate(names):
            path = tmp_path / f"{number}.nii.gz"
            path.write_bytes(archive.read(name))
            with pytest.raises(GeometryError, match="--spacing"):
                read_nifti(path)


@pytest.mark.parametrize("content", [b"abc", b"no image at all " * 40])
@pytest.mark.parametrize("packed", [False, True])
def test_a_text_of_any_length_is_no_nifti(tmp_path, content, packed):
    path = tmp_path / "x.nii.gz"
    path.write_bytes(gzip.compress(content) if packed else content)
    with pytest.raises(InputError, match="NOT_AN_IMAGE"):
        read_nifti(path)


def test_a_folder_or_a_dicom_file_is_told_where_it_belongs(tmp_path, dicom):
    for path in (tmp_path, dicom.save(dicom.mr(), tmp_path / "a.dcm")):
        with pytest.raises(InputError, match="one NIfTI file; for DICOM use analyze"):
            read_nifti(path)


def test_labels_that_cannot_be_written_leave_the_older_ones_and_no_rest(tmp_path, monkeypatch):
    grid = grid_from_spacing((3, 4, 5), (8.0, 1.5, 1.5))
    labels = np.zeros((1, 3, 4, 5), np.uint8)
    written = write_labels_nifti(tmp_path / "x.nii.gz", labels, scheme=ACDC, grid=grid)
    before = [path.read_bytes() for path in written]

    def full(self, target):
        raise OSError("no space left")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(OSError, match="no space"):
        write_labels_nifti(tmp_path / "x.nii.gz", labels + 1, scheme=ACDC, grid=grid)
    assert [path.read_bytes() for path in written] == before
    assert sorted(tmp_path.iterdir()) == sorted(written)


def test_a_label_map_is_read_but_is_no_image_to_analyse(tmp_path):
    reading = read_nifti(write(tmp_path / "x.nii", picture(5, 4, 3) % 4))
    with pytest.raises(InputError, match="LABEL_MAP"):
        require_image(reading)
    with pytest.raises(InputError, match="LABEL_MAP"):
        read_nifti_pair(write(tmp_path / "ed.nii", picture(5, 4, 3)), tmp_path / "x.nii")


def test_a_clipped_stack_is_flagged_and_one_that_is_mostly_clipped_refused(tmp_path):
    values = np.random.default_rng(1).rayleigh(300, (30, 30, 4)).astype(np.float32)
    for percentile, expected in ((99, []), (80, ["SATURATED"])):
        cut = np.minimum(values, np.percentile(values, percentile))
        reading = require_image(read_nifti(write(tmp_path / "x.nii", cut)))
        assert codes(reading.flags) == expected
    for lost in (np.minimum(values, np.percentile(values, 40)), (values > 300) * np.float32(0.5)):
        with pytest.raises(InputError, match="NO_SIGNAL"):
            require_image(read_nifti(write(tmp_path / "x.nii", lost)))
