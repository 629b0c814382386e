"""Arguments that are too long for a command line: thousands of paths, and settings that name every row.

The shell takes 128 KiB in one string, which is some thousand rows. So what grows with the number of rows reaches a
command by a file: R/arguments/ has one for every figure, audit and table, written when a run begins (see
`pinch.record`). The commands take the same in words where they are run by hand.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pinch.errors import PinchError
from pinch.rows import read_json


def settings_of(given: str) -> Any:
    """Settings given as JSON, or as a file that holds them. Raises PinchError naming the file where it does not."""
    return json.loads(given) if is_text(given) else read_json(given)


def text_of(given: str) -> str:
    """The JSON itself, unread, of what may be a file that holds it."""
    return given if is_text(given) or not Path(given).is_file() else Path(given).read_text(encoding="utf-8")


def is_text(given: str) -> bool:
    """Whether this is JSON and not the name of a file: an object or a list."""
    return given.lstrip().startswith(("{", "["))


def paths_of(given: Sequence[str], listed: str | None) -> list[str]:
    """Paths given in words, then those that a file names, a path a line. Raises PinchError where there is no file."""
    if not listed:
        return list(given)
    try:
        text = Path(listed).read_text(encoding="utf-8")
    except OSError as error:
        raise PinchError(f"{listed}: cannot be read ({error.strerror}); a run writes it when it begins") from None
    return [*given, *filter(None, text.split("\n"))]


OUTPUTS = frozenset({"output", "record", "csv", "json", "text", "parquet", "png", "pdf", "manifest"})
"""Arguments of links that name what is written."""


def check_outputs(arguments: Mapping[str, Any]) -> None:
    """Raise PinchError where a file that is to be written is one that is given to be read: it would be gone."""
    inputs = [word for name, value in arguments.items() if name not in OUTPUTS for word in _words(value)]
    for name in sorted(OUTPUTS & arguments.keys()):
        for output in _words(arguments[name]):
            check_output(f"--{name}", output, inputs)


def check_output(key: str, output: str | Path, inputs: Iterable[str]) -> None:
    """Raise PinchError, which names `key`, where the file `output` is one of `inputs`, words that may be paths."""
    if Path(output).is_file():
        for word in inputs:
            if _same(word, output):
                raise PinchError(f"{key}: {output} is to be read ({word}) and would be overwritten; name another file")


def _words(value: Any) -> list[str]:
    return [word for word in (value if isinstance(value, list) else [value]) if isinstance(word, str)]


def _same(word: str, output: str | Path) -> bool:
    try:
        return Path(word).samefile(output)
    except (OSError, ValueError):  # no path, or none of a file that is there
        return False
