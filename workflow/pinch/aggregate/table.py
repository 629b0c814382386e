"""aggregate table: all rows as one table, with what can be said of a cell only beside others.

The spread over seeds, p corrected for the many cells, length-controlled scores, and what the audit says of the judge.
"""

import argparse
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from pinch import inference
from pinch.aggregate.length_control import Cell, length_controlled
from pinch.aggregate.row import LISTS, write_parquet
from pinch.arguments import paths_of
from pinch.errors import PinchError
from pinch.rows import read_json
from pinch.spreadsheet import write_frame

NOT_AUDITED = "not audited"

SMALL_NUMBERS = ("p", "p_holm", "p_bh", "judge_usd")
"""Columns of which three decimals would leave nothing: six significant digits in the CSV."""

Audits = Mapping[tuple[str, str, str], Mapping[str, Any]]
"""The numbers of audits, by judge, baseline and language."""


def read_rows_of_scores(files: Sequence[str]) -> Any:
    """The cells of all rows, one under the other (polars.DataFrame)."""
    import polars as pl

    return pl.concat([pl.read_parquet(file, glob=False) for file in files])


def read_audits(files: Sequence[str]) -> dict[tuple[str, str, str], dict[str, Any]]:
    """The numbers of audits. Raises PinchError where two are of the same judge, baseline and language."""
    audits: dict[tuple[str, str, str], dict[str, Any]] = {}
    for file in files:
        found = read_json(file)
        key = found["judge"], found["baseline"], found["lang"]
        if key in audits:
            raise PinchError(f"{file}: the judge {key[0]} has another audit in {key[2]}; give one of the two")
        audits[key] = found
    return audits


def with_spread(table: Any) -> Any:
    """The table with the spread of each cell over seeds: their number, the mean score, its standard deviation.

    The deviation is that of a sample, None for a single seed.
    """
    import polars as pl

    cell = ("judge", "baseline", "base", "mixture", "lang")
    spread = table.group_by(cell).agg(
        pl.col("score").count().cast(pl.Int64).alias("seeds"),
        pl.col("score").mean().alias("seeds_mean"),
        pl.col("score").std().alias("seeds_sd"),
    )
    return table.join(spread, on=cell, how="left", maintain_order="left")


def with_corrections(table: Any) -> Any:
    """The table with p_holm and p_bh: p corrected for all judged cells of the same judge, base model and seed."""
    import polars as pl

    columns: dict[str, list[float | None]] = {"p_holm": [None] * table.height, "p_bh": [None] * table.height}
    p = table["p"].to_list()
    for places in _judged(table, ("judge", "base", "seed")).values():
        for name, values in columns.items():
            method: Any = name.removeprefix("p_")
            for place, value in zip(places, inference.corrected([p[place] for place in places], method), strict=True):
                values[place] = value
    return table.with_columns(pl.Series(name, values, dtype=pl.Float64) for name, values in columns.items())


def with_length_control(table: Any) -> tuple[Any, list[str]]:
    """The table with length_controlled, fitted per judge, baseline, base model and language; 50 on the diagonal.

    With a note for each group or number of cells that has no such score, and why.
    """
    import polars as pl

    values: list[float | None] = [50.0 if diagonal else None for diagonal in table["diagonal"]]
    lists = table.select("ids", "outcomes", "length_differences").rows()
    notes: dict[str, list[str]] = defaultdict(list)
    for group, places in _judged(table, ("judge", "baseline", "base", "lang")).items():
        scores, reason = length_controlled([Cell(*lists[place]) for place in places])
        judge, _, base, lang = group
        if reason:
            notes[reason].append(f"{lang} ({judge}, {base})")
        elif None in scores:
            notes["no valid pair"].append(f"{scores.count(None)} cells of {lang} ({judge}, {base})")
        for place, score in zip(places, scores, strict=True):
            values[place] = score
    told = [f"no length-controlled score in {', '.join(groups)}: {reason}" for reason, groups in notes.items()]
    return table.with_columns(pl.Series("length_controlled", values, dtype=pl.Float64)), told


def with_audits(table: Any, audits: Audits) -> Any:
    """The table with audit: "ok", "not audited", or the flags of the judge in the language, joined by "+"."""
    import polars as pl

    cells = table.select("judge", "baseline", "lang").rows()
    return table.with_columns(pl.Series("audit", [_said(audits, *cell) for cell in cells], dtype=pl.String))


def _said(audits: Audits, judge: str, baseline: str, lang: str) -> str:
    # In a table each column has its own monolingual model for a baseline, in an audit they have one word for it.
    audit = audits.get((judge, baseline, lang)) or audits.get((judge, "monolingual", lang))
    if audit is None:
        return NOT_AUDITED
    return "+".join(audit["flags"]) or str(audit["status"])


def _judged(table: Any, by: Sequence[str]) -> dict[tuple[str, ...], list[int]]:
    """The places of the cells off the diagonal, by these columns."""
    groups: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for place, (diagonal, *key) in enumerate(table.select("diagonal", *by).iter_rows()):
        if not diagonal:
            groups[tuple(key)].append(place)
    return groups


def write_csv(path: str, table: Any) -> None:
    """The table without its lists, for which a CSV has no place: prompt by prompt, the Parquet file has them."""
    import polars as pl

    small = [
        pl.Series(name, [None if value is None else f"{value:.6g}" for value in table[name]], dtype=pl.String)
        for name in SMALL_NUMBERS
    ]
    write_frame(path, table.drop(LISTS).with_columns(small), digits=3)


def run(arguments: argparse.Namespace) -> str:
    """All rows as one table, as Parquet and as CSV."""
    import polars as pl

    files = paths_of(arguments.rows, arguments.rows_from)
    if not files:
        raise PinchError("--rows, --rows-from: no row is given; a table needs at least one")
    audits = read_audits(arguments.audits)
    table, notes = with_length_control(with_corrections(with_spread(read_rows_of_scores(files))))
    table = with_audits(table, audits).select(pl.exclude(LISTS), *LISTS)
    write_parquet(arguments.parquet, table)
    write_csv(arguments.csv, table)
    return "; ".join([f"{table.height} cells of {len(files)} rows", *notes])


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `python -m pinch aggregate table`."""
    parser.add_argument("--rows", nargs="*", default=[], help="rows made by `aggregate row`, .parquet")
    parser.add_argument("--rows-from", help="a file that names rows, a path a line, for more than a command line holds")
    parser.add_argument("--audits", nargs="*", default=[], help="numbers made by `aggregate audit`, .json")
    parser.add_argument("--parquet", required=True)
    parser.add_argument("--csv", required=True)
