"""Labels that a reader gives, with what the JSON file beside them says."""

import json
from dataclasses import dataclass
from pathlib import Path

from opencmr.anatomy.policy import ACDC_POLICY, BasalRule, ContourPolicy, PapillaryRule
from opencmr.anatomy.structures import ACDC, LabelScheme, scheme_named
from opencmr.errors import ConfigurationError, GeometryError, InputError
from opencmr.imaging.given_labels import GivenLabels
from opencmr.imaging.segmentation import Author, AuthorKind
from opencmr.intake.nifti.read import read_label_map
from opencmr.intake.nifti.write import sidecar_of
from opencmr.storage import sha256_of

LARGEST_BYTES = 4 << 20
"""A larger JSON file is none of ours."""
_POLICIES = [ContourPolicy(one, other) for one in PapillaryRule for other in BasalRule]


def read_given_labels(
    path: Path,
    *,
    author: str,
    scheme: str | None = None,
    original: Path | None = None,
    series: str | None = None,
    spacing_mm: tuple[float, float, float] | None = None,
) -> GivenLabels:
    """Read labels that a reader drew or corrected.

    Parameters
    ----------
    path : Path
        ``.nii`` or ``.nii.gz`` of whole numbers.
    author : str
        Who drew or corrected them.
    scheme : str or None
        Name of their convention; by default what the JSON file beside them or beside the
        ``original`` says, else acdc.
    original : Path or None
        The labels that were corrected; by default what the JSON file beside ``path`` describes.
    series : str or None
        Key of the series that they belong to, where the caller knows.
    spacing_mm : (slice, row, column) or None
        The true spacing, where the file's is missing or wrong.

    Raises
    ------
    InputError, GeometryError
        When the file cannot be read as labels; the message names it.
    ConfigurationError
        When the convention is unknown or another than the JSON file says, or the author has no
        name.
    """
    if not author.strip():
        raise ConfigurationError("the author of the labels needs a name")
    try:
        read = read_label_map(path, spacing_mm=spacing_mm)
    except (InputError, GeometryError) as error:
        raise type(error)(f"{path}: {error}") from error
    described = _described(sidecar_of(original or path))
    stated = described.scheme if described else None
    if scheme is not None and stated is not None and scheme != stated.name:
        raise ConfigurationError(
            f"the convention {scheme} was asked for, and the JSON file beside the labels says "
            f"{stated.name}; leave out --scheme, or put the labels elsewhere"
        )
    return GivenLabels(
        read.labels,
        read.grid,
        scheme_named(scheme) if scheme else stated or ACDC,
        described.policy if described else ACDC_POLICY,
        Author(AuthorKind.READER, author.strip()),
        read.sha256,
        str(path),
        derived_from=_origin(described, original),
        series=series,
    )


def stated_scheme(path: Path) -> LabelScheme | None:
    """Return the label convention that the JSON file beside a NIfTI file says; None: none.

    Raises
    ------
    ConfigurationError
        When it says an unknown one.
    """
    described = _described(sidecar_of(path))
    return described.scheme if described else None


@dataclass(frozen=True, slots=True)
class _Described:
    """What the JSON file beside labels of ours says."""

    scheme: LabelScheme
    policy: ContourPolicy
    author: str
    sha256: str


def _described(path: Path) -> _Described | None:
    """Return what a JSON file of ours says; None where there is none, or another's."""
    try:
        if path.stat().st_size > LARGEST_BYTES:
            return None
        content = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    if not isinstance(content, dict) or not isinstance(content.get("scheme"), str):
        return None
    policy = next((one for one in _POLICIES if one.text == content.get("policy")), ACDC_POLICY)
    author, sha256 = content.get("author"), content.get("sha256")
    return _Described(
        scheme_named(content["scheme"]),
        policy,
        author if isinstance(author, str) else "",
        sha256 if isinstance(sha256, str) else "",
    )


def _origin(described: _Described | None, original: Path | None) -> str | None:
    """Return which labels were corrected, by their author and checksum; None: not stated."""
    sha256 = sha256_of(original) if original else (described.sha256 if described else "")
    author = described.author if described else ""
    told = [author, f"SHA-256 {sha256}" if sha256 else ""]
    return ", ".join(one for one in told if one) or None
