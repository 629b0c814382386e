"""Files and datasets as they are: raw rows, each with the place where it stands."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pinch import rows
from pinch.config.sources import Place
from pinch.errors import PinchError


@dataclass(frozen=True)
class RawRow:
    """A row before anything is made of it."""

    where: str
    """For messages: file:line of JSONL, else the file or dataset and the number of the row."""
    line: str
    """The same within its file, such as "line 7"."""
    number: int
    """Counted from 1 over all rows, those later left out included."""
    values: dict[str, Any]


def read(place: Place) -> list[RawRow]:
    """All rows of a file or hub dataset. Raises PinchError where it cannot be read or fetched."""
    if place.hub:
        found = [
            (f"{place.name} row {number}", f"row {number}", row) for number, row in enumerate(_hub(place), start=1)
        ]
    else:
        found = list(_local(Path(str(place.path))))
    if not found:
        raise PinchError(f"{place.name} has no rows")
    return [RawRow(where, line, number, values) for number, (where, line, values) in enumerate(found, start=1)]


def _local(path: Path) -> Iterator[tuple[str, str, dict[str, Any]]]:
    if path.suffix == ".jsonl":
        yield from ((f"{path}:{number}", f"line {number}", value) for number, value in rows.json_lines(path))
        return
    values = _json_array(path) if path.suffix == ".json" else _table(path)
    for number, value in enumerate(values, start=1):
        yield f"{path} row {number}", f"row {number}", value


def _json_array(path: Path) -> list[dict[str, Any]]:
    values = rows.read_json(path)
    if not isinstance(values, list):
        raise PinchError(f"{path}: is not a JSON array of rows, but {type(values).__name__}")
    for number, value in enumerate(values, start=1):
        if not isinstance(value, dict):
            raise PinchError(f"{path} row {number}: is not a JSON object, but {type(value).__name__}")
    return values


def _table(path: Path) -> list[dict[str, Any]]:
    if not path.is_file():
        raise PinchError(f"{path}: no such file")
    names, values = _csv(path) if path.suffix == ".csv" else _parquet(path)
    if doubled := next((name for name in names if names.count(name) > 1), None):
        raise PinchError(f"{path}: has two columns {doubled!r}; leave one out or rename it")
    return values


def _csv(path: Path) -> tuple[list[str], list[dict[str, Any]]]:
    import polars
    from polars.exceptions import PolarsError

    try:
        # Types are not guessed: an id 007 stays what it is. Brackets in a path are no pattern.
        table = polars.read_csv(path, infer_schema=False, glob=False)
    except PolarsError as error:
        raise _unreadable(path, error) from None
    # The second of two is called id_duplicated_0 by polars; a column may also be called so by its author.
    asked = [re.sub(r"_duplicated_\d+$", "", name) for name in table.columns]
    names = [old if old in table.columns else name for old, name in zip(asked, table.columns, strict=True)]
    return names, table.to_dicts()


def _parquet(path: Path) -> tuple[list[str], list[dict[str, Any]]]:
    """By pyarrow: at some damaged files polars 2.1 panics, or ends the process."""
    import pyarrow
    from pyarrow.parquet import ParquetFile

    try:
        with path.open("rb") as file:
            table = ParquetFile(file).read()
            return list(table.column_names), table.to_pylist()
    except (pyarrow.ArrowException, OSError, ValueError, ArithmeticError, MemoryError) as error:
        # ValueError of text that is not UTF-8, ArithmeticError of times beyond those of Python.
        raise _unreadable(path, error) from None


def _unreadable(path: Path, error: Exception) -> PinchError:
    said = " ".join(str(error).split())[:200]
    return PinchError(f"{path}: is not {path.suffix[1:]} of UTF-8 text that can be read: {said}")


def _hub(place: Place) -> list[dict[str, Any]]:
    import datasets

    datasets.disable_progress_bars()
    try:
        if place.file:
            kind = "json" if place.file.endswith(("json", "jsonl")) else place.file.rsplit(".", 1)[1]
            where = f"hf://datasets/{place.hub}@{place.revision}/{place.file}"
            table = datasets.load_dataset(kind, data_files=where, split="train")
        else:
            table = datasets.load_dataset(place.hub, place.config, split=place.split, revision=place.revision)
    except Exception as error:  # of the hub's HTTP client, of datasets and of the builders, which share no class
        said = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise PinchError(
            f"hub dataset {place.hub} at {place.revision}: cannot be fetched: {said} "
            "(a gated dataset needs its terms accepted and HF_TOKEN; one with a loading script needs `file`)"
        ) from None
    found: list[dict[str, Any]] = table.to_list()
    return found
