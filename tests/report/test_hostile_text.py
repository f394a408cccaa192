"""Text from outside is data in every output (row H04), and identity only where it may be."""

import csv
import gzip
import io
import json
import re
import zlib
from dataclasses import fields, replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from opencmr.anatomy.reasons import Reason
from opencmr.imaging.flag import LeftOut, QualityFlag, Severity
from opencmr.imaging.measurements import Measurements
from opencmr.imaging.reading import ModelUse
from opencmr.imaging.segmentation import Author, AuthorKind
from opencmr.imaging.study import Identity, Scanner, SeriesHeader
from opencmr.report import html, labels, pdf, run_record, tables
from opencmr.report.contents import Report
from opencmr.report.plain_text import identifying_words
from opencmr.report.sections.table import page_of
from opencmr.report.tables import FORMULA_STARTS
from opencmr.report.writers import write_report

HOSTILE = (
    "<script>document.title='PWNED'</script>",
    '"><img src=x onerror=alert(1)>',
    "</style><script>alert(1)</script>",
    "{{7*7}}{% raw %}",
    "=cmd|' /C calc'!A0",
    '#include "/etc/passwd"',
    '#panic("PWNED") = Heading *bold* $x$ @ref <label> \\ `code`',
    "\u202egpj.exe\u202c",
    "a\x00b\x1b[31m\r\nc\ud800",
    "x" * 65_536,
    "山田^太郎=やまだ^たろう",
    "ﷺ العربية עברית",
)


def hostile_report(report: Report, text: str) -> Report:
    """Put ``text`` into every field that may quote the input."""
    study = report.study
    measured = study.series[1]
    flag = QualityFlag(Severity.REVIEW, "NO_TIMING", text, text)
    why = Reason("NO_TIMING", text)
    return replace(
        report,
        study=replace(
            study,
            identity=Identity(**{field.name: text for field in fields(Identity)}),
            demographics=replace(study.demographics, sex=text),
            scanner=Scanner(text, text, 1.5),
            left_out=(LeftOut(text, Reason("TRUNCATED", text)),),
            series=(
                study.series[0],
                replace(
                    measured,
                    header=SeriesHeader(series_description=text),
                    because=(text,),
                    flags=(flag,),
                ),
            ),
        ),
        segmentations={
            "s02": replace(report.segmentations["s02"], author=Author(AuthorKind.IMPORT, text))
        },
        measurements=Measurements(
            tuple(
                replace(m, evidence=text, reason=m.reason and why, reference_reason=why)
                for m in report.measurements
            )
        ),
        flags=(flag,),
        provenance=replace(
            report.provenance,
            models=(ModelUse(text, text, "ab" * 32, text, text),),
            configuration={"note": text, text: text},
        ),
    )


ACTIVE = re.compile(rb"/(?:JS|JavaScript|OpenAction|AA|Launch|SubmitForm|EmbeddedFile)\b")
"""Names by which a PDF acts on its own or carries files."""
STREAM = re.compile(rb"(<<(?:(?!endobj).)*?>>)\s*stream\r?\n(.*?)\r?\nendstream", re.DOTALL)


def _objects(document: bytes) -> bytes:
    """Return the objects of a PDF as text: all outside streams, and object streams unpacked.

    Streams of pages, fonts and pictures are left out: they hold no objects, and any three bytes
    may stand in compressed ones.
    """
    packed = [
        zlib.decompressobj().decompress(data)
        for header, data in STREAM.findall(document)
        if b"/ObjStm" in header
    ]
    return b"\n".join([STREAM.sub(rb"\1", document), *packed])


class _Elements(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[tuple[str, tuple[str, ...]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, tuple(sorted(name for name, _ in attrs))))


def _elements(page: str) -> list[tuple[str, tuple[str, ...]]]:
    parser = _Elements()
    parser.feed(page)
    parser.close()
    return parser.found


NIFTI_HEADER_BYTES = 352
SHA256 = re.compile(r"\b[0-9a-f]{64}\b")
"""Digits that spell short names by chance."""


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_the_page_has_the_same_elements_whatever_a_header_says(
    tiny_report: Report, text: str
) -> None:
    harmless = _elements(html.markup(page_of(hostile_report(tiny_report, "harmless"))))
    page = html.markup(page_of(hostile_report(tiny_report, text)))
    assert _elements(page) == harmless
    assert "script" not in {tag for tag, _ in harmless}
    page.encode("utf-8")
    assert len(page) < 2_000_000


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_the_document_takes_text_as_text(tiny_report: Report, text: str) -> None:
    document = pdf.document(page_of(hostile_report(tiny_report, text)))
    assert document.startswith(b"%PDF")
    assert ACTIVE.findall(_objects(document)) == []


def test_active_content_would_be_seen_in_a_compressed_object() -> None:
    packed = zlib.compress(b"1 0 << /OpenAction << /S /JavaScript /JS (app.alert(1)) >> >>")
    planted = b"%PDF-1.7\n2 0 obj << /Type /ObjStm >>\nstream\n" + packed + b"\nendstream\n"
    assert len(ACTIVE.findall(_objects(planted))) == 3


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_tables_and_records_stay_strict_whatever_a_header_says(
    tiny_report: Report, tmp_path: Path, text: str
) -> None:
    report = hostile_report(tiny_report, text)
    written = [*tables.write(report, tmp_path), *labels.write(report, tmp_path)]
    for path in [*written, *run_record.write(report, tmp_path, written)]:
        if path.suffix == ".json":
            json.loads(path.read_bytes(), parse_constant=pytest.fail)
        if path.suffix == ".csv":
            for row in csv.reader(io.StringIO(path.read_text(encoding="utf-8"))):
                assert not any(
                    cell.startswith(FORMULA_STARTS) and not _is_number(cell) for cell in row
                )


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def test_identity_is_in_the_page_alone_and_never_in_a_table_a_record_or_a_name(
    small_report: Report, tmp_path: Path
) -> None:
    words = [word.casefold() for word in identifying_words(small_report.study.identity)]
    quoting = replace(
        small_report,
        flags=(QualityFlag(Severity.INFO, "NO_TIMING", "in Lovelace^Ada, id CANARY-4711"),),
    )
    machine_readable = 0
    for path in write_report(quoting, tmp_path):
        name = path.relative_to(tmp_path).as_posix().casefold()
        assert not any(word in name for word in words)
        if path.suffix in {".html", ".pdf"}:
            continue
        content = path.read_bytes()
        plain = gzip.decompress(content) if path.suffix == ".gz" else content
        if name == "segmentation/s02.nii.gz":
            plain = plain[:NIFTI_HEADER_BYTES]  # pixels spell short names by chance
        text = SHA256.sub("", plain.decode("utf-8", "replace").casefold())
        assert not [word for word in words if word in text]
        machine_readable += 1
    assert machine_readable >= 4
    assert "Lovelace, Ada" in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_a_series_key_that_is_a_path_names_no_file_outside_the_folder(
    small_report: Report, tmp_path: Path
) -> None:
    key = "../../escaped"
    series = replace(small_report.study.series[1], key=key)
    report = replace(
        small_report,
        study=replace(small_report.study, series=(series,)),
        segmentations={key: small_report.segmentations["s02"]},
        landmarks={key: small_report.landmarks["s02"]},
    )
    folder = tmp_path / "a" / "b"
    written = write_report(report, folder)
    assert {path for path in tmp_path.rglob("*") if path.is_file()} == set(written)
    assert all(folder in path.parents for path in written)
