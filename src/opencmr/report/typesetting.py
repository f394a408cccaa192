"""Setting a document with typst, in a process that ends with it.

typst keeps some ten documents in a cache of its process that nothing empties; of a process that
ends nothing is left.  Started as ``python -P -m opencmr.report.typesetting``: template and data
come as JSON on standard input, the PDF, or pictures of its pages as JSON, leave on standard output,
what typst says of a fault on standard error.

typst comes with the extra ``pdf``; without it nothing is set (ADR 0039).
"""

import base64
import importlib.util
import json
import subprocess
import sys

from opencmr.errors import OpencmrError
from opencmr.memory import give_back_memory

LIMIT_S = 300.0
"""A report takes about a second; this long is for a loaded machine (proposal)."""
TOLD_CHARACTERS = 500
"""Shown of what typst says of a fault."""
WITHOUT_TYPST = "typst is not installed; pip install 'opencmr[pdf]'"


class TypesettingError(OpencmrError, RuntimeError):
    """A template and its data do not make a document, or there is no typst to make one."""


def why_no_pdf() -> str:
    """Return why no document can be set, or nothing where one can."""
    return "" if importlib.util.find_spec("typst") else WITHOUT_TYPST


def typeset(template: str, content: object) -> bytes:
    """Return the PDF that a typst template makes of plain values.

    Parameters
    ----------
    template : str
        Finds ``content`` as JSON text in ``sys.inputs.data``.
    content : dict, list, str, number, bool or None
        Nothing in it is read as markup.

    Raises
    ------
    TypesettingError
        typst is not installed, refuses the template or the data, or does not come to an end.

    Examples
    --------
    >>> typeset("#json(bytes(sys.inputs.data)).title", {"title": "A heart"})[:5]
    b'%PDF-'
    """
    return _set(template, content, {})


def typeset_with_pictures(
    template: str, content: object, pixels_per_inch: float
) -> tuple[bytes, list[bytes]]:
    """Return the PDF of :func:`typeset`, and a PNG of each of its pages.

    A process makes each: one that made both would hold what typst keeps of both at its peak.

    Examples
    --------
    >>> document, pages = typeset_with_pictures("#set page(width: 1in, height: 1in)", None, 10)
    >>> document[:5], pages[0][1:4]
    (b'%PDF-', b'PNG')
    """
    pages = json.loads(_set(template, content, {"pixels_per_inch": pixels_per_inch}))
    return typeset(template, content), [base64.b64decode(page) for page in pages]


def _set(template: str, content: object, how: dict[str, float]) -> bytes:
    data = json.dumps(content, ensure_ascii=False, allow_nan=False)
    if reason := why_no_pdf():
        raise TypesettingError(f"no PDF can be made: {reason}")
    give_back_memory()  # the pictures of the page were drawn in it, and typst needs its own
    try:
        done = subprocess.run(
            (sys.executable, "-P", "-m", "opencmr.report.typesetting"),
            input=json.dumps({"template": template, "data": data} | how).encode("ascii"),
            capture_output=True,
            timeout=LIMIT_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise TypesettingError(
            f"Setting the PDF took longer than {LIMIT_S:.0f} s and was stopped. Start again on a "
            "machine with less to do; the page report.html says the same."
        ) from error
    if done.returncode:
        told = done.stderr.decode("utf-8", "replace").strip()[-TOLD_CHARACTERS:]
        raise TypesettingError(
            f"typst set no PDF (exit status {done.returncode}"
            f"{'; memory may have run out' if done.returncode < 0 else ''}): "
            f"{told or 'it gave no reason'}. Expected a template and data that make a document; "
            "this is a fault of opencmr or of its installation, please report it."
        )
    return done.stdout


def main() -> None:
    """Set what standard input holds."""
    import typst

    asked = json.load(sys.stdin.buffer)
    template, inputs = asked["template"].encode("utf-8"), {"data": asked["data"]}
    resolution = asked.get("pixels_per_inch")
    try:
        if resolution is None:
            made = bytes(typst.compile(template, format="pdf", sys_inputs=inputs))
        else:
            told = typst.compile(template, format="png", ppi=resolution, sys_inputs=inputs)
            pages: list[bytes] = told if isinstance(told, list) else [told]
            made = json.dumps([base64.b64encode(page).decode("ascii") for page in pages]).encode()
    except typst.TypstError as error:
        sys.exit(error.message)
    sys.stdout.buffer.write(made)


if __name__ == "__main__":
    main()
