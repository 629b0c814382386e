"""The numbers of an audit: what a judge's own verdicts, and those asked for the audit, say of the judge.

    python -m pinch aggregate audit --judge rubric --baseline monolingual --lang es \\
        --calls audit.jsonl --output audit.json

docs/audit.md says what each number means. Shares are in percent, with Clopper and Pearson's interval.
"""

import argparse
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

from pinch import inference
from pinch.aggregate.behaviour import COUNTS, IDENTICAL
from pinch.arguments import paths_of
from pinch.config import Aggregate
from pinch.errors import PinchError
from pinch.rows import AuditRow, read_rows, write_json
from pinch.score import OUTCOMES, outcomes_of_verdicts

CHANCE = 50.0
"""Agreement of a judge that says anything but what the responses are like: by a coin it is right in both orders of a
quarter of the pairs and wrong in both of a quarter; one that names a position ties them all."""

NEARLY_ALWAYS = 90.0
"""Percent of the verdicts that name a response, from which on a judge that names the same position is flagged.
One that sees a difference between the responses names each position in half of them, whatever the difference is; one
that goes by position in eight of ten calls and by content in the others still comes out at exactly 90."""


def behaviour_of_cells(paths: Sequence[str], judge: str, lang: str) -> tuple[int, dict[str, int]]:
    """The number of judged cells of a judge and language in rows of scores, and the sums of COUNTS over them."""
    import polars as pl

    cells, sums = 0, dict.fromkeys(COUNTS, 0)
    for path in paths:
        table = pl.read_parquet(path, columns=["judge", "lang", "diagonal", *COUNTS], glob=False)
        table = table.filter((pl.col("judge") == judge) & (pl.col("lang") == lang) & ~pl.col("diagonal"))
        cells += table.height
        for name in COUNTS:
            sums[name] += int(table[name].sum())
    return cells, sums


def behaviour_of_calls(rows: Iterable[AuditRow]) -> dict[str, int]:
    """The same counts of the verdicts asked for the audit; which response is longer these do not tell."""
    asked = [row for row in rows if row.reason != IDENTICAL]
    named = [row for row in asked if row.winner in ("candidate", "baseline")]
    first = sum(row.order == f"{row.winner}_first" for row in named)
    winners = [{row.winner for row in pair} for pair in pairs_of(asked)]
    valid = [found for found in winners if "invalid" not in found]
    return {
        "verdicts": len(asked),
        "named_first": first,
        "named_second": len(named) - first,
        "orders_disagree": sum(len(found) > 1 for found in valid),
        "pairs_asked": len(valid),
        "named_longer": 0,
        "named_shorter": 0,
        "invalid_verdicts": sum(row.winner == "invalid" for row in asked),
    }


def pairs_of(rows: Iterable[AuditRow]) -> Iterator[list[AuditRow]]:
    """The verdicts of each pair. Raises PinchError naming the id of a pair that has not both orders."""

    def pair(row: AuditRow) -> tuple[str, str, str, str]:
        return row.part, row.source, row.kind, row.id

    for _, found in groupby(sorted(rows, key=pair), pair):
        verdicts = list(found)
        outcomes_of_verdicts(verdicts)
        yield verdicts


def share(count: int, n: int, confidence: float) -> dict[str, Any]:
    """`count` of `n` in percent, with its interval; None at n = 0."""
    low, high = inference.proportion(count, n, confidence) or (None, None)
    return {"share": 100 * count / n if n else None, "low": low, "high": high, "n": n}


def consistency(rows: Iterable[AuditRow], confidence: float) -> dict[str, Any]:
    """The share of questions asked twice whose two replies are the same, of those that are both valid."""
    both = [row for row in rows if row.part == "repeat" and "invalid" not in (row.winner, row.before)]
    return share(sum(row.winner == row.before for row in both), len(both), confidence)


def agreements(rows: Sequence[AuditRow]) -> list[float | None]:
    """By pair: 1 where the verdicts of both orders come to the known winner, 0.5 where to a tie, 0 where to the other.

    None where one is invalid. Sorted, so that intervals do not depend on the order of a file.
    """
    found = []
    for pair in pairs_of(rows):
        (outcome,) = outcomes_of_verdicts(pair).values()
        known = OUTCOMES[str(pair[0].better)]
        found.append(None if outcome is None else 1 - abs(outcome - known))
    return sorted(found, key=lambda value: -1 if value is None else value)


def counted(found: Sequence[float | None]) -> dict[str, int]:
    """Pairs with a known winner, by how the judge did."""
    counts = {"right": found.count(1.0), "tied": found.count(0.5), "wrong": found.count(0.0)}
    return {"pairs": len(found), **counts, "invalid": found.count(None)}


def labels(rows: Sequence[AuditRow], settings: Aggregate) -> dict[str, Any]:
    """How the judge did on pairs with a known winner, with accuracy and agreement over the valid ones.

    Pairs labelled as a tie are counted apart: on them a judge that goes by position is always right.
    """
    labelled = [row for row in rows if row.part != "repeat"]
    decided = [row for row in labelled if row.better != "tie"]
    parts = {row.part for row in labelled}
    if len(parts) > 1:
        raise PinchError("has labelled pairs and contrast pairs; an audit goes by one of them")
    found = agreements(decided)
    valid = [value for value in found if value is not None]
    low, high = (
        inference.interval(valid, settings.confidence, settings.resamples, settings.seed) if valid else (None, None)
    )
    ties = agreements([row for row in labelled if row.better == "tie"])
    return {
        "part": parts.pop() if parts else None,
        **counted(found),
        "accuracy": share(valid.count(1.0), len(valid), settings.confidence),
        "agreement": {"score": 100 * sum(valid) / len(valid) if valid else None, "low": low, "high": high},
        "by_kind": {
            kind: counted(agreements([row for row in decided if row.kind == kind]))
            for kind in sorted({row.kind for row in decided})
        },
        "ties": {"pairs": len(ties), "tied": ties.count(1.0), "invalid": ties.count(None)},
    }


def goes_by_position(named_first: Mapping[str, Any]) -> bool:
    """Whether nearly all verdicts that name a response name the same position, and not by chance."""
    if named_first["share"] is None:
        return False
    first = named_first["share"] >= NEARLY_ALWAYS and named_first["low"] > CHANCE
    second = named_first["share"] <= 100 - NEARLY_ALWAYS and named_first["high"] < 100 - CHANCE
    return bool(first or second)


def numbers(
    rows: Sequence[AuditRow], cells: int, cell_behaviour: Mapping[str, int], settings: Aggregate
) -> dict[str, Any]:
    """All that an audit says of a judge in a language, from its calls and the behaviour in its cells."""
    called = behaviour_of_calls(rows)
    total = {name: cell_behaviour[name] + called[name] for name in COUNTS}
    level = settings.confidence
    named_first = share(total["named_first"], total["named_first"] + total["named_second"], level)
    known = labels(rows, settings)
    flags = []
    if known["pairs"] and not (known["agreement"]["low"] or 0.0) > CHANCE:
        flags.append("no_better_than_chance")
    if goes_by_position(named_first):
        flags.append("one_position")
    return {
        "cells": cells,
        "verdicts": total["verdicts"],
        "named_first": named_first,
        "orders_disagree": share(total["orders_disagree"], total["pairs_asked"], level),
        "consistency": consistency(rows, level),
        "named_longer": share(total["named_longer"], total["named_longer"] + total["named_shorter"], level),
        "invalid": share(total["invalid_verdicts"], total["verdicts"], level),
        "labels": known,
        "flags": flags,
        "status": "red" if flags else "ok" if known["pairs"] else "not audited",
    }


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `python -m pinch aggregate audit`."""
    for name in ("judge", "baseline", "lang"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--calls", required=True, help="verdicts made by `audit`, .jsonl")
    parser.add_argument("--rows", nargs="*", default=[], help="rows made by `aggregate row`, .parquet")
    parser.add_argument("--rows-from", help="a file that names such rows, a path a line")
    parser.add_argument("--settings", default="{}", help='JSON: {"confidence": 0.95}')
    parser.add_argument("--output", required=True, help=".json")


def run(arguments: argparse.Namespace) -> str:
    """The numbers of one judge in one language."""
    settings = Aggregate.model_validate(json.loads(arguments.settings))
    paths = paths_of(arguments.rows, arguments.rows_from)
    cells, behaviour = behaviour_of_cells(paths, arguments.judge, arguments.lang)
    rows = read_rows(arguments.calls, AuditRow, unique=("part", "source", "kind", "id", "order"))
    try:
        found = numbers(rows, cells, behaviour, settings)
    except PinchError as error:
        raise PinchError(f"{arguments.calls}: {error}") from None
    who = {"judge": arguments.judge, "baseline": arguments.baseline, "lang": arguments.lang}
    write_json(arguments.output, {**who, **found})
    said = f" ({', '.join(found['flags'])})" if found["flags"] else ""
    return f"{arguments.judge} {arguments.lang}: {found['status']}{said}, {found['verdicts']} verdicts"
