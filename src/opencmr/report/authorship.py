"""Who drew the labels of a series, and which labels they correct: one row wherever it is told."""

from opencmr.imaging.segmentation import Segmentation
from opencmr.report.plain_text import redacted, shown


def authorship(
    series_key: str, segmentation: Segmentation, words: tuple[str, ...]
) -> dict[str, object]:
    """Return the row as programs read it; ``words`` of an identity are taken out."""
    author, origin = segmentation.author, segmentation.derived_from
    return {
        "series": series_key,
        "author": redacted(shown(author.text), words),
        "author_kind": author.kind.value,
        "derived_from": None if origin is None else redacted(shown(origin), words),
    }
