"""CSV that a spreadsheet shows and does not compute.

A cell of text that a spreadsheet would take for a formula (=, +, - or @ at its start, behind white space, quotes or
apostrophes too) or that begins with a tab, a carriage return or a line feed gets an apostrophe before it, which
spreadsheets do not show: https://owasp.org/www-community/attacks/CSV_Injection. Numbers stay as they are, "-1.5" and
"+2e3" among them. Who reads such a table by program takes the apostrophe away again with `plain`.
"""

import csv
import io
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from pinch.printable import printable
from pinch.rows import replacing

_FORMULA = re.compile(r"[\s\x00-\x1f\x7f-\x9f\u200b-\u200f\ufeff'\"]*[=+\-@\uff1d\uff0b\uff0d\uff20]|'*[\t\r\n]")
_NUMBER = re.compile(r"[-+]?(\d+(\.\d*)?|\.\d+)([eE][-+]?\d+)?")


def cell(value: Any) -> Any:
    """What is written for a value: text that would be computed behind an apostrophe, all else as it is."""
    if isinstance(value, str) and _FORMULA.match(value) and not _NUMBER.fullmatch(value):
        return f"'{value}"
    return value


def plain(text: str) -> str:
    """A cell as it was before `cell`."""
    return text[1:] if text.startswith("'") and cell(text[1:]) == text else text


def table(rows: Iterable[Sequence[Any]], line_end: str = "\n") -> str:
    """Rows as CSV, the header first. Halves of surrogate pairs, which no file can hold, are written as \\ud800."""
    out = io.StringIO()
    for row in rows:
        values = [_writable(cell(value)) for value in row]
        # The library quotes a lone carriage return only where it ends lines, and readers end a line at it.
        some = any(isinstance(value, str) and "\r" in value for value in values)
        writer = csv.writer(out, lineterminator=line_end, quoting=csv.QUOTE_ALL if some else csv.QUOTE_MINIMAL)
        writer.writerow(values)
    return out.getvalue()


def _writable(value: Any) -> Any:
    return re.sub("[\ud800-\udfff]", lambda half: printable(half[0]), value) if isinstance(value, str) else value


def write_frame(path: str | Path, frame: Any, digits: int | None = None) -> None:
    """Write a polars table, whole or not at all; `digits` after the point of its numbers."""
    import polars as pl

    texts = [
        pl.Series(name, [cell(value) for value in frame[name]], dtype=pl.String)
        for name, kind in frame.schema.items()
        if kind == pl.String
    ]
    with replacing(path) as temporary:
        frame.with_columns(texts).write_csv(temporary, float_precision=digits)
