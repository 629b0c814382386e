"""sources: instruction data from files and datasets, as rows with an id, checked and counted."""

import argparse
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from pinch import languages
from pinch.arguments import check_output
from pinch.config.sources import NaturalList, NaturalSource, Place, Source, SourceList
from pinch.errors import PinchError
from pinch.held_out import held_out_ids
from pinch.rows import SourceRow, write_json, write_rows
from pinch.sources.formats import Selection, mapped, select
from pinch.sources.reading import read


def load(source: Source, pivot: str) -> tuple[list[SourceRow], dict[str, Any]]:
    """The rows of one source in the pivot language, and its entry in the record: name, read, kept, left_out, expected.

    Raises PinchError with file and line where a row is malformed, and where `expected_rows` is another number.
    """
    raws = read(source)
    selection = select(source, raws, pivot)
    entry = _entry(source, len(raws), selection) | {"expected": source.expected_rows}
    if source.expected_rows not in (None, len(selection.rows)):
        raise PinchError(
            f"{source.name}: {len(selection.rows)} rows remain of {len(raws)}, expected_rows says "
            f"{source.expected_rows}{_reasons(selection)}; mend the number or the source"
        )
    return [row.model_copy(update={"lang": None}) for row in selection.rows], entry


def load_natural(source: NaturalSource) -> tuple[list[SourceRow], dict[str, Any]]:
    """The rows of one natural source, each with its language, and its entry in the record.

    Raises PinchError with file and line where a row has no language, an unknown one or no response, and where
    `expected_rows` has another number for a language.
    """
    raws = read(source)
    selection = mapped(source, raws)
    for row in selection.rows:
        if row.lang is None or not languages.is_code(row.lang):
            near = languages.suggestions(str(row.lang))
            hint = f"did you mean {' or '.join(near)}?" if row.lang and near else "use an ISO 639 code such as es"
            said = f"{row.lang!r} is not a language code" if row.lang else "natural data need a `lang` in every row"
            raise PinchError(f"{selection.places[row.id].where}: {said}; {hint}")
    counts = dict(sorted(Counter(str(row.lang) for row in selection.rows).items()))
    for lang, expected in (source.expected_rows or counts).items():
        if counts.get(lang, 0) != expected:
            raise PinchError(
                f"{source.name}: {counts.get(lang, 0)} rows in {lang}, expected_rows says {expected}; "
                "mend the number or the source"
            )
    entry = _entry(source, len(raws), selection) | {"expected": source.expected_rows, "languages": counts}
    return selection.rows, entry


def count(source: Source, split: str, pivot: str) -> int:
    """How many rows a source gives, without fetching anything: `expected_rows`, or what its local file has.

    Snakemake asks in every job, so a file is read only where the config expects no number of it; the link checks the
    number. Raises PinchError where a file is missing, or one that is read has a fault.
    """
    _check_there(source)
    if source.expected_rows:
        return source.expected_rows
    rows, _ = load(source, pivot)
    if split == "train":
        require_responses([(source, rows)])
    return len(rows)


def count_by_language(source: NaturalSource) -> dict[str, int]:
    """How many rows a natural source gives of each language, likewise. Raises PinchError."""
    _check_there(source)
    if source.expected_rows:
        return dict(source.expected_rows)
    rows, entry = load_natural(source)
    require_responses([(source, rows)])
    found: dict[str, int] = entry["languages"]
    return found


def _check_there(place: Place) -> None:
    if place.path and not Path(place.path).is_file():
        raise PinchError(f"{place.path}: no such file")


def _entry(source: Place, read_rows: int, selection: Selection) -> dict[str, Any]:
    left_out = dict(sorted(selection.left_out.items()))
    assert read_rows == len(selection.rows) + sum(left_out.values()), f"{source.name}: rows are lost"
    if not selection.rows:
        raise PinchError(f"{source.name}: no row remains of {read_rows}{_reasons(selection)}")
    return {"name": source.name, "read": read_rows, "kept": len(selection.rows), "left_out": left_out}


def _reasons(selection: Selection) -> str:
    counted = ", ".join(f"{count} {reason}" for reason, count in sorted(selection.left_out.items()))
    return f" (left out: {counted})" if counted else ""


def concatenated(parts: Sequence[tuple[Place, list[SourceRow]]]) -> list[SourceRow]:
    """All rows, in order. Raises PinchError naming both sources of an id that two of them have."""
    seen: dict[str, str] = {}
    rows: list[SourceRow] = []
    for source, found in parts:
        for row in found:
            if row.id in seen:
                raise PinchError(f"id {row.id!r} is in {seen[row.id]} and in {source.name}; each may occur once")
            seen[row.id] = source.name
            rows.append(row)
    return rows


def require_responses(parts: Sequence[tuple[Place, list[SourceRow]]]) -> None:
    """Raise PinchError naming the training rows without a response."""
    for source, rows in parts:
        empty = [row.id for row in rows if row.response is None]
        if empty:
            raise PinchError(f"{source.name}: no response in {len(empty)} training rows: {', '.join(empty[:20])}")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `python -m pinch sources`."""
    parser.add_argument("--sources", required=True, help='JSON, such as ["train.jsonl"] or a list of mappings')
    parser.add_argument("--split", choices=["train", "eval", "natural"], required=True)
    parser.add_argument("--pivot", default="en", help="language of the rows; natural rows have their own")
    parser.add_argument("--held-out", type=int, default=0, help="training rows held out for development")
    parser.add_argument("--held-out-seed", type=int, default=0, help="another one holds out other rows")
    parser.add_argument("--output", required=True, help="the rows, .jsonl")
    parser.add_argument("--record", required=True, help="what was read, kept and left out, and the ids held out, .json")


def run(arguments: argparse.Namespace) -> str:
    """Bring the sources of one split together."""
    natural = arguments.split == "natural"
    kind: Any = NaturalList if natural else SourceList
    try:
        sources: list[Any] = TypeAdapter(kind).validate_json(arguments.sources)
    except ValidationError as error:
        first = error.errors()[0]
        raise PinchError(f"--sources: {'.'.join(map(str, first['loc']))}: {first['msg']}") from None
    for option, output in (("--output", arguments.output), ("--record", arguments.record)):
        check_output(option, output, [source.path for source in sources if source.path])
    parts: list[tuple[Place, list[SourceRow]]] = []
    entries: list[dict[str, Any]] = []
    for source in sources:
        rows, entry = load_natural(source) if natural else load(source, arguments.pivot)
        parts.append((source, rows))
        entries.append(entry)
    if arguments.split != "eval":
        require_responses(parts)
    rows = concatenated(parts)
    record: dict[str, Any] = {"sources": entries, "total": len(rows)}
    if natural:
        record["languages"] = dict(sorted(Counter(str(row.lang) for row in rows).items()))
        summary = " ".join(f"{lang} {count}" for lang, count in record["languages"].items())
    elif arguments.split == "train":
        record["held_out"] = held_out_ids([row.id for row in rows], arguments.held_out, arguments.held_out_seed)
        summary = f"{len(record['held_out'])} held out"
    else:
        summary = "for evaluation"
    write_rows(arguments.output, rows)
    write_json(arguments.record, record)
    counted = ", ".join(f"{entry['kept']} of {entry['read']} from {entry['name']}" for entry in entries)
    return f"{len(rows)} rows ({counted}), {summary}"
