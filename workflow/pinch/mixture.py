"""build_mixture: one training set, each source row once, in one language."""

import argparse
import json
import random
from collections.abc import Mapping, Sequence
from pathlib import Path

from pinch.errors import PinchError
from pinch.rows import ExampleRow, TranslatedRow, read_rows, write_json, write_rows


def assign(ids: Sequence[str], counts: Mapping[str, int], pivot: str, draw: int) -> dict[str, str]:
    """Which language each drawn row is in: id -> language, in drawn order.

    The ids are shuffled by `draw`, the first sum(counts) of them are used. The languages other than the pivot
    take turns, in the order of `counts`, until each has its rows; the pivot takes the rest. So the sets of a
    pinch nest: what is not in the pivot at a smaller percentage is the same row in the same language at a
    larger one. Raises PinchError if there are fewer ids than rows wanted.
    """
    wanted = sum(counts.values())
    if wanted > len(ids):
        raise PinchError(f"mixture.rows: {wanted} rows are wanted, {len(ids)} source rows can be drawn")
    order = sorted(ids)
    random.Random(f"draw {draw}").shuffle(order)
    left = {lang: count for lang, count in counts.items() if lang != pivot}
    turns: list[str] = []
    while any(left.values()):
        turns += [lang for lang, count in left.items() if count]
        left = {lang: max(0, count - 1) for lang, count in left.items()}
    turns += [pivot] * counts.get(pivot, 0)
    return dict(zip(order[:wanted], turns, strict=True))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `python -m pinch mixture`."""
    parser.add_argument("--counts", required=True, help='rows by language, JSON: [["en", 46], ["es", 1], ["it", 1]]')
    parser.add_argument("--pivot", required=True, help="language of the rows that nobody else takes")
    parser.add_argument("--draw", required=True, help="seed of the draw: d0, d1, ...")
    parser.add_argument("--translations", required=True, help="folder of LANG.jsonl")
    parser.add_argument("--output", required=True, help="the training set, .jsonl")
    parser.add_argument("--record", required=True, help="its counts and ids, .json")


def run(arguments: argparse.Namespace) -> str:
    """Draw a training set."""
    counts: dict[str, int] = dict(json.loads(arguments.counts))
    available: dict[str, dict[str, TranslatedRow]] = {}
    for lang in counts:
        rows = read_rows(Path(arguments.translations) / f"{lang}.jsonl", TranslatedRow)
        available[lang] = {row.id: row for row in rows}
    # A row serves if every language of the set has it: else its place in the draw would depend on the language.
    common = set.intersection(*(set(rows) for rows in available.values()))
    chosen = assign(sorted(common), counts, arguments.pivot, int(arguments.draw.removeprefix("d")))
    examples = []
    for id, lang in chosen.items():
        row = available[lang][id]
        if not (row.response or "").strip():
            raise PinchError(f"{arguments.translations}/{lang}.jsonl: id {id!r}: a training row without a response")
        examples.append(ExampleRow(id=id, lang=lang, instruction=row.instruction, response=str(row.response)))
    by_language = {lang: sorted(id for id, found in chosen.items() if found == lang) for lang in counts}
    write_rows(arguments.output, examples)
    write_json(
        arguments.record,
        {"rows": len(examples), "counts": {lang: len(ids) for lang, ids in by_language.items()}, "ids": by_language},
    )
    summary = " ".join(f"{lang} {len(ids)}" for lang, ids in by_language.items())
    return f"{len(examples)} rows of {len(common)}: {summary}"
