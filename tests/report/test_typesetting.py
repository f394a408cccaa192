"""A document is set in a process that ends with it, and a fault comes back in words."""

import io
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from opencmr.report.typesetting import TypesettingError, typeset, typeset_with_pictures

SHOW = "#let data = json(bytes(sys.inputs.data))\n#data.text"
HOSTILE = ('#panic("no") *bold* \\', "a\x00b", "山田", "\u202eexe")


@pytest.mark.parametrize("text", HOSTILE)
def test_any_text_is_set_as_data(text: str) -> None:
    assert typeset(SHOW, {"text": text}).startswith(b"%PDF-")


def test_the_calling_process_never_loads_typst() -> None:
    code = (
        "import sys\n"
        "from opencmr.report.typesetting import typeset\n"
        "assert typeset('Text', None).startswith(b'%PDF-')\n"
        "print('typst' in sys.modules)"
    )
    told = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert told.stdout == "False\n"


def test_a_faulty_template_says_what_typst_said() -> None:
    with pytest.raises(TypesettingError, match=r"unknown variable: heart.*please report it"):
        typeset("#heart", None)


def test_a_process_that_is_killed_is_an_error_in_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed = tmp_path / "python"
    killed.write_text("#!/bin/sh\nkill -KILL $$\n")
    killed.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(killed))
    with pytest.raises(TypesettingError, match=r"exit status -9; memory .* gave no reason"):
        typeset(SHOW, {"text": ""})


def test_a_number_that_is_none_is_refused_before_anything_is_set() -> None:
    with pytest.raises(ValueError, match="JSON"):
        typeset(SHOW, {"text": float("nan")})


def test_pages_come_as_pictures_of_the_size_that_was_asked_for() -> None:
    template = "#set page(width: 1in, height: 2in, fill: rgb(255, 0, 0))\n#pagebreak()"
    document, pages = typeset_with_pictures(template, None, 30)
    assert document.startswith(b"%PDF-")
    assert len(pages) == 2
    with Image.open(io.BytesIO(pages[1])) as picture:
        assert picture.size == (30, 60)
        assert picture.convert("RGB").getcolors() == [(30 * 60, (255, 0, 0))]
