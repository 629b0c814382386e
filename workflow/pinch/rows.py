"""Rows: what passes between the links, as JSON Lines.

UTF-8, one object a line, lines ended by "\\n" only: texts may hold U+2028 and its like, at which
str.splitlines() would break. Every row keeps the `id` of the row of the source language that it came from.
"""

import json
import os
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from pinch.errors import PinchError
from pinch.parsing import parse_json


def _id_to_text(value: Any) -> Any:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _not_blank(value: Any) -> Any:
    if isinstance(value, str) and not value.strip():
        raise ValueError("is empty")
    return value


Id = Annotated[str, BeforeValidator(_not_blank), BeforeValidator(_id_to_text)]
Text = Annotated[str, BeforeValidator(_not_blank)]


class Row(BaseModel):
    """A row has an id; fields that a link does not know are left to the user who added them."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    id: Id


class SourceRow(Row):
    """A row in the pivot language, as the user gives it; `lang`, where given, must be the pivot."""

    instruction: Text
    response: str | None = None
    lang: str | None = None


class MemoryRow(Row):
    """A unit of translation memory: the texts of the source language and their translations."""

    source_instruction: Text
    source_response: str | None = None
    instruction: Text
    response: str | None = None
    lang: str | None = None


class TranslatedRow(Row):
    """R/translations/{split}/{lang}.jsonl; in the split eval `response` is the reference, if there is one.

    `flags` say what is known against the translation, `dropped` that by the policy of the config it is not used.
    """

    lang: str
    instruction: Text
    response: str | None
    source: str
    engine: str
    flags: list[str] = []
    dropped: bool = False


class ExampleRow(Row):
    """R/mixtures/{mixture}/{draw}.jsonl: a training example."""

    lang: str
    instruction: Text
    response: Text


class GenerationRow(Row):
    """R/generations/.../{lang}.jsonl: a model's response; `n_tokens` counts the stop token where there is one."""

    lang: str
    instruction: Text
    response: str
    finish_reason: Literal["stop", "length"]
    n_tokens: int = Field(ge=0)


class VerdictRow(Row):
    """R/judgments/.../{lang}.jsonl: what the judge said of one pair in one order."""

    order: Literal["baseline_first", "candidate_first"]
    winner: Literal["baseline", "candidate", "tie", "invalid"]
    reason: str = ""
    raw: str | None = None
    tokens_in: int = 0
    tokens_out: int = 0
    cost: float | None = None

    @classmethod
    def tied(cls, id: str, order: Literal["baseline_first", "candidate_first"], reason: str) -> Self:
        """A verdict that needed no call."""
        return cls(id=id, order=order, winner="tie", reason=reason)


class LabelledRow(Row):
    """A pair of responses of which it is known which one is better, to audit a judge by."""

    lang: str
    instruction: Text
    response_1: str
    response_2: str
    better: Literal[1, 2, "tie"]
    kind: str = "unnamed"
    """What is wrong with the other one: wrong_language, off_topic, cut_off, incorrect ..."""
    reference: str | None = None


class AuditRow(VerdictRow):
    """R/audits/{judge}/{baseline}/{lang}.jsonl: a verdict asked for the sake of the audit.

    Of a labelled pair response 1 is the candidate, response 2 the baseline.
    """

    part: Literal["labelled", "contrast", "repeat"]
    source: str = ""
    """Of a repeat: base, mixture and seed of its cell, joined by "/"."""
    kind: str = ""
    """Of a labelled pair or a contrast."""
    better: Literal["candidate", "baseline", "tie"] | None = None
    """The known winner, of a labelled pair or a contrast."""
    before: Literal["baseline", "candidate", "tie", "invalid"] | None = None
    """Of a repeat: the winner of the same question in its cell."""


AnyRow = TypeVar("AnyRow", bound=Row)


def lines(path: Path) -> Iterator[tuple[int, str]]:
    """The lines of a JSONL file that are not blank, with their numbers from 1. Raises PinchError naming the file."""
    try:
        text = path.read_bytes().decode("utf-8")
    except FileNotFoundError:
        raise PinchError(f"{path}: no such file") from None
    except UnicodeDecodeError as error:
        number = path.read_bytes()[: error.start].count(b"\n") + 1
        raise PinchError(f"{path}:{number}: is not UTF-8 text; convert the file to UTF-8") from None
    except OSError as error:
        raise PinchError(f"{path}: cannot be read: {error.strerror}") from None
    for number, line in enumerate(text.removeprefix("\ufeff").split("\n"), start=1):
        if line.strip():
            yield number, line


def json_lines(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """The JSON objects of a JSONL file, with the numbers of their lines. Raises PinchError naming file and line."""
    for number, line in lines(path):
        try:
            data = parse_json(line)
        except ValueError as error:
            said = f"{error.msg} at column {error.colno}" if isinstance(error, json.JSONDecodeError) else error
            raise PinchError(f"{path}:{number}: is not JSON ({said}); mend or remove the line") from None
        if not isinstance(data, dict):
            raise PinchError(f"{path}:{number}: is not a JSON object, but {type(data).__name__}")
        yield number, data


def read_rows(path: str | Path, kind: type[AnyRow], unique: Sequence[str] = ("id",)) -> list[AnyRow]:
    """All rows of a JSONL file, checked.

    `unique` names the fields that together occur once a file. Raises PinchError with the file and the line
    of the first row that is malformed, of another shape, or a repetition.
    """
    path = Path(path)
    rows: list[AnyRow] = []
    seen: dict[tuple[str, ...], int] = {}
    for number, data in json_lines(path):
        try:
            row = kind.model_validate(data)
        except ValidationError as error:
            first = error.errors()[0]
            field = ".".join(str(part) for part in first["loc"])
            message = "is missing" if first["type"] == "missing" else first["msg"].removeprefix("Value error, ")
            of = f" (id {data['id']!r})" if data.get("id") else ""
            raise PinchError(f"{path}:{number}: field {field!r} {message}{of}") from None
        key = tuple(str(getattr(row, field)) for field in unique)
        if key in seen:
            fields = ", ".join(f"{field} {value!r}" for field, value in zip(unique, key, strict=True))
            raise PinchError(f"{path}:{number}: repeats {fields} of line {seen[key]}; each may occur once")
        seen[key] = number
        rows.append(row)
    return rows


def source_rows(path: str, split: str, pivot: str) -> list[SourceRow]:
    """The user's rows in the pivot language. Raises PinchError where a row cannot serve its split."""
    rows = read_rows(path, SourceRow)
    for row in rows:
        if row.lang not in (None, pivot):
            raise PinchError(f"{path}: id {row.id!r}: lang is {row.lang!r}, but the config says pivot: {pivot}")
    empty = [row.id for row in rows if not (row.response or "").strip()] if split == "train" else []
    if empty:
        raise PinchError(f"{path}: no response in {len(empty)} training rows: {', '.join(empty[:20])}")
    return rows


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """A temporary path beside `path` that takes its place when the block ends well, and vanishes if it does not."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=path.suffix, dir=path.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
        sync(path.parent)
    except OSError as error:
        # A full disk does not say which file it was.
        error.filename = error.filename or str(path)
        raise
    finally:
        temporary.unlink(missing_ok=True)


def sync(*paths: Path) -> None:
    """Have files and folders on the disk when this returns: a power cut takes nothing of what was renamed after that.

    A folder's own entries count, not what is in its files. Some network file systems sync no folders, and need not.
    """
    for path in paths:
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        except OSError:
            if not path.is_dir():
                raise
        finally:
            os.close(handle)


def sync_folder(folder: Path) -> None:
    """Have a whole folder on the disk, before it is renamed to where it is looked for."""
    below = sorted(folder.rglob("*"))
    sync(*(path for path in below if path.is_file() or path.is_dir()), folder)


def write_text(path: str | Path, text: str) -> None:
    """Write a whole text file, or nothing."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


def write_rows(path: str | Path, rows: Iterable[Row]) -> None:
    """Write a whole JSONL file, or nothing."""
    write_text(path, "".join(row.model_dump_json() + "\n" for row in rows))


def write_json(path: str | Path, data: Any) -> None:
    """Write an indented JSON file for people and programs, or nothing."""
    write_text(path, json.dumps(data, ensure_ascii=False, indent=2) + "\n")


def read_json(path: str | Path) -> Any:
    """The content of a JSON file; raises PinchError with its name where it is missing or malformed."""
    try:
        return parse_json(Path(path).read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise PinchError(f"{path}: no such file") from None
    except ValueError as error:  # of JSON or of UTF-8
        raise PinchError(f"{path}: is not JSON ({error})") from None


def canonical(data: Any) -> str:
    """JSON with sorted keys and no spaces: equal for equal data, whatever the order of the user's keys."""
    return json.dumps(data, sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def digest(*parts: Any) -> str:
    """The sha256 of canonical JSON, as 64 hexadecimal digits."""
    return sha256(canonical(parts).encode("utf-8")).hexdigest()


def file_digest(path: str | Path) -> str:
    """The sha256 of a file's bytes, as 64 hexadecimal digits."""
    with Path(path).open("rb") as file:
        hasher = sha256()
        while block := file.read(1 << 20):
            hasher.update(block)
    return hasher.hexdigest()


def folder_digest(folder: str | Path) -> str:
    """The sha256 over names and contents of all files below a folder."""
    folder = Path(folder)
    files = sorted(path for path in folder.rglob("*") if path.is_file() and not path.name.startswith("."))
    # Hashing lets go of Python's lock: the shards of a big model on several cores.
    with ThreadPoolExecutor(min(4, len(files)) or 1) as pool:
        digests = list(pool.map(file_digest, files))
    names = [path.relative_to(folder).as_posix() for path in files]
    return digest(list(zip(names, digests, strict=True)))
