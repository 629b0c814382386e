"""Filled sheets, read back and checked against the key."""

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pinch.annotate.key import SHEET_FORMAT, TASKS, Key, shown_digest
from pinch.errors import PinchError
from pinch.parsing import parse_json
from pinch.spreadsheet import plain

TOLD = 5
"""Faults that are told at once."""


@dataclass(frozen=True)
class Filled:
    """One item of a filled sheet, as it was found."""

    where: str
    sheet: str
    item: str
    shown: str
    choice: str
    comment: str


@dataclass(frozen=True)
class Answer:
    """What one annotator said of one item, no longer blind: a rating, or candidate, baseline or tie."""

    lang: str
    annotator: int
    id: str
    mixture: str
    item: str
    choice: str
    comment: str


@dataclass
class Counts:
    """Items of one annotator in one language; asked = answered + unanswered + not_returned."""

    lang: str
    annotator: int
    asked: int
    answered: int = 0
    unanswered: int = 0
    not_returned: int = 0


@dataclass
class Returned:
    """All answers of the sheets that came back, and what did not."""

    answers: list[Answer] = field(default_factory=list)
    counts: list[Counts] = field(default_factory=list)


def read_sheets(key: Key, paths: Sequence[str]) -> Returned:
    """The answers of filled sheets, .json or .csv; the same sheet may be given several times.

    Raises PinchError naming file and line or item of sheets of another export, unknown items, changed texts, choices
    that there are not, and answers to one item that contradict each other.
    """
    rows = [row for path in paths for row in _read(Path(path), key)]
    faults = [f"{row.where}: {fault}" for row in rows if (fault := _fault(key, row))]
    given: dict[str, Filled] = {}
    comments: dict[str, list[str]] = {}
    for row in rows:
        comments.setdefault(row.item, []).append(row.comment.strip())
        if not row.choice:
            continue
        before = given.setdefault(row.item, row)
        if before.choice != row.choice:
            faults.append(
                f"{row.where}: says {row.choice!r}, but {before.where} says {before.choice!r} of the same item; "
                "leave one of the two out"
            )
    if faults:
        more = f"; and {len(faults) - TOLD} more" if len(faults) > TOLD else ""
        raise PinchError("; ".join(faults[:TOLD]) + more)
    return _returned(key, {row.sheet for row in rows}, given, comments)


def _returned(key: Key, sheets: set[str], given: dict[str, Filled], comments: dict[str, list[str]]) -> Returned:
    found = Returned()
    for name, sheet in key.sheets.items():
        counts = Counts(sheet.lang, sheet.annotator, len(sheet.items))
        found.counts.append(counts)
        if name not in sheets:
            counts.not_returned = counts.asked
            continue
        for token in sheet.items:
            item = key.items[token]
            if token not in given:
                counts.unanswered += 1
                continue
            counts.answered += 1
            choice = given[token].choice
            if item.first is not None and choice != "tie":
                other = "candidate" if item.first == "baseline" else "baseline"
                choice = item.first if choice == "first" else other
            comment = " | ".join(dict.fromkeys(text for text in comments[token] if text))
            found.answers.append(Answer(item.lang, sheet.annotator, item.id, item.mixture, token, choice, comment))
    for counts in found.counts:
        assert counts.asked == counts.answered + counts.unanswered + counts.not_returned
    return found


def _fault(key: Key, row: Filled) -> str | None:
    """What is wrong with a row, if anything is."""
    if row.sheet not in key.sheets:
        return f"sheet {row.sheet!r} is of another export than {key.export}; give each export its own import"
    if row.item not in key.items or key.items[row.item].sheet != row.sheet:
        return f"item {row.item!r} is not on the sheet {row.sheet!r}; the column item must stay as it was"
    if row.shown != key.items[row.item].shown:
        return f"the texts of item {row.item!r} were changed, so it is not known what the answer is about"
    if row.choice and row.choice not in TASKS[key.task].choices:
        return f"item {row.item!r}: {row.choice!r} is none of {', '.join(TASKS[key.task].choices)}"
    return None


# --- the two kinds of files ---


def _read(path: Path, key: Key) -> Iterator[Filled]:
    if path.suffix not in (".json", ".csv"):
        raise PinchError(f"{path}: is neither .json, as the page saves it, nor .csv")
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise PinchError(f"{path}: cannot be read: {error.strerror}") from None
    try:
        # Spreadsheets that write UTF-16 begin it with its mark.
        text = raw.decode("utf-16" if raw[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig")
    except UnicodeDecodeError:
        raise PinchError(f"{path}: is not UTF-8; save the sheet as CSV with UTF-8") from None
    return _read_json(path, text, key) if path.suffix == ".json" else _read_csv(path, text, key)


def _word(value: Any) -> str:
    return value.strip() if isinstance(value, str) else "" if value is None else str(value)


def _read_json(path: Path, text: str, key: Key) -> Iterator[Filled]:
    try:
        data = parse_json(text)
    except ValueError as error:
        raise PinchError(f"{path}: is not JSON ({error}); was the file cut off?") from None
    if not isinstance(data, dict) or data.get("format") != SHEET_FORMAT or not isinstance(data.get("answers"), list):
        raise PinchError(f"{path}: is not a sheet that the page saved ({SHEET_FORMAT})")
    if data.get("export") != key.export:
        raise PinchError(f"{path}: is a sheet of the export {data.get('export')!r}, this is {key.export!r}")
    for number, answer in enumerate(data["answers"], start=1):
        where = f"{path}: answer {number}"
        if not isinstance(answer, dict):
            raise PinchError(f"{where}: is not an object")
        words = (_word(answer.get(name)) for name in ("item", "digest", "choice", "comment"))
        yield Filled(where, _word(data.get("sheet")), *words)


def _read_csv(path: Path, text: str, key: Key) -> Iterator[Filled]:
    head = text.partition("\n")[0]
    # Spreadsheets separate by what their country does.
    separator = max(",;\t", key=head.count)
    # The library's limit is less than a long text.
    csv.field_size_limit(max(csv.field_size_limit(), len(text)))
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    columns = [name.strip() for name in next(reader, [])]
    if len(set(columns)) < len(columns):
        raise PinchError(f"{path}:1: has two columns of the same name; leave one out")
    fields = TASKS[key.task].fields
    lacking = [name for name in ("sheet", "item", *fields, "choice", "comment") if name not in columns]
    if lacking:
        raise PinchError(f"{path}:1: lacks the column {lacking[0]!r} of a sheet for {key.task}")
    while True:
        line = reader.line_num + 1
        cells = next(reader, None)
        if cells is None:
            return
        if not any(cell.strip() for cell in cells):
            continue
        row = dict(zip(columns, [*cells, *[""] * len(columns)], strict=False))
        shown = shown_digest([row[name] for name in fields])
        choice = row["choice"].strip().casefold()
        yield Filled(f"{path}:{line}", row["sheet"].strip(), row["item"].strip(), shown, choice, plain(row["comment"]))
