"""Without the extra ``pdf`` everything but the PDF is made, and that is said once."""

import json
import sys

import pytest

from opencmr.report.typesetting import TypesettingError, typeset

INSTALL = "pip install 'opencmr[pdf]'"
OF_THE_PDF = ("report.pdf", "dicom/report.dcm", "dicom/report_page")


@pytest.fixture
def no_typst(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "typst", None)  # as if it were not installed


def files(folder) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.long
@pytest.mark.usefixtures("no_typst")
def test_analyze_writes_all_but_the_pdf_and_says_so_once(
    opencmr, analysed, phantom_dicom, tmp_path
):
    before, with_pdf = analysed
    outcome = opencmr("analyze", phantom_dicom, "-o", tmp_path / "out")
    assert outcome.status == before.status
    assert outcome.err.count(INSTALL) == 1
    missing = files(with_pdf) - files(tmp_path / "out")
    assert missing == {name for name in files(with_pdf) if name.startswith(OF_THE_PDF)} != set()
    record = json.loads((tmp_path / "out" / "run.json").read_text())
    reasons = {row["what"]: row["reason"] for row in record["not_written"]}
    assert all(INSTALL in reasons[what] for what in OF_THE_PDF)
    assert before.json["studies"][0]["measurements"] == {
        row["symbol"]: row["value"]
        for row in json.loads((tmp_path / "out" / "measurements.json").read_text())["measurements"]
        if row["symbol"] in before.json["studies"][0]["measurements"]
        and row["phase"] is None
        and row["segment"] is None
    }


@pytest.mark.usefixtures("no_typst")
def test_a_document_that_is_asked_for_is_an_error_with_the_remedy():
    with pytest.raises(TypesettingError, match=r"pip install 'opencmr\[pdf\]'"):
        typeset("A heart", None)


@pytest.mark.usefixtures("no_typst")
def test_doctor_names_the_extra_and_stays_healthy(opencmr, monkeypatch):
    from importlib import metadata

    found = metadata.version

    def without(name: str) -> str:
        if name == "typst":
            raise metadata.PackageNotFoundError(name)
        return found(name)

    monkeypatch.setattr(metadata, "version", without)
    told = opencmr("doctor")
    assert told.status == 0
    assert INSTALL in " ".join(told.out.split())
    for_programs = opencmr("doctor", "--json").json
    assert for_programs["healthy"]
    assert for_programs["packages"]["typst"] is for_programs["extras"]["typst"] is None
