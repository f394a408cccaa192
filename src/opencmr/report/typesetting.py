"""Setting a document with typst, in a process that ends with it.

typst keeps some ten documents in a cache of its process that nothing empties; of a process that
ends nothing is left.  Started by :func:`typeset` as ``python -P -m opencmr.report.typesetting``:
template and data come as JSON on standard input, the PDF leaves on standard output, what typst
says of a fault on standard error.
"""

import json
import subprocess
import sys

from opencmr.errors import OpencmrError

LIMIT_S = 300.0
"""A report takes about a second; this long is for a loaded machine (proposal)."""
TOLD_CHARACTERS = 500
"""Shown of what typst says of a fault."""


class TypesettingError(OpencmrError, RuntimeError):
    """A template and its data do not make a document."""


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
        typst refuses the template or the data, or does not come to an end.

    Examples
    --------
    >>> typeset("#json(bytes(sys.inputs.data)).title", {"title": "A heart"})[:5]
    b'%PDF-'
    """
    data = json.dumps(content, ensure_ascii=False, allow_nan=False)
    try:
        done = subprocess.run(
            (sys.executable, "-P", "-m", "opencmr.report.typesetting"),
            input=json.dumps({"template": template, "data": data}).encode("ascii"),
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
    inputs = {"data": asked["data"]}
    try:
        pdf = typst.compile(asked["template"].encode("utf-8"), format="pdf", sys_inputs=inputs)
    except typst.TypstError as error:
        sys.exit(error.message)
    sys.stdout.buffer.write(bytes(pdf))


if __name__ == "__main__":
    main()
