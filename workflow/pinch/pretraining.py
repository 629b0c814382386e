"""Shares of languages in pretraining: a table that the user gives, as `resources/pretraining_shares/README.md` says."""

import re
from collections.abc import Sequence
from pathlib import Path

from pinch.errors import PinchError

NUMBER = re.compile(r"[0-9]*\.?[0-9]+([eE][-+]?[0-9]+)?|[0-9]+\.")

HEADER = ["lang", "percent"]


def read_shares(path: str | Path, languages: Sequence[str]) -> dict[str, float]:
    """Percent of the pretraining documents or tokens in each of `languages`.

    A CSV with the header lang,percent; lines that begin with # are comments. Raises PinchError naming the file and
    the line where one is malformed, and the languages that the file lacks.
    """
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        said = "is not UTF-8 text" if isinstance(error, UnicodeDecodeError) else f"cannot be read: {error.strerror}"
        raise PinchError(f"{path}: {said}; name a CSV with the header lang,percent") from None
    found: dict[str, float] = {}
    header = False
    for number, line in enumerate(text.split("\n"), start=1):
        fields = [field.strip() for field in line.split(",")]
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        if not header:
            header = fields == HEADER
            if not header:
                raise PinchError(f"{path}:{number}: is {line.strip()!r}; the first line must be lang,percent")
            continue
        if len(fields) != 2 or not fields[0]:
            raise PinchError(f"{path}:{number}: is {line.strip()!r}; write a language code, a comma and a percentage")
        lang = fields[0]
        # float() would take 1_0, digits of other scripts, nan and inf.
        percent = float(fields[1]) if NUMBER.fullmatch(fields[1]) else -1.0
        if not 0 <= percent <= 100:
            raise PinchError(f"{path}:{number}: the percentage of {lang} is {fields[1]!r}; it must be 0 to 100")
        if lang in found:
            raise PinchError(f"{path}:{number}: {lang} is there twice; each language may occur once")
        found[lang] = percent
    missing = [lang for lang in languages if lang not in found]
    if missing:
        raise PinchError(f"{path}: has no share of {', '.join(missing)}; add a line lang,percent for each")
    return {lang: found[lang] for lang in languages}
