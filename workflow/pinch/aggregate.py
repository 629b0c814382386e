"""aggregate: all arithmetic. Verdicts and responses of a row become scores, intervals and rates; rows become a table.

A pair that a response wins in both orders is a win (1), one that it loses in both a loss (0), any other a tie
(0.5): the discounted-tie score of the paper's section 2, the mean over the prompts, in percent. A pair with an
invalid verdict is out of the mean and counted.
"""

import argparse
import json
from collections.abc import Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

from pinch import languages
from pinch.config import Aggregate
from pinch.errors import PinchError
from pinch.rows import GenerationRow, VerdictRow, read_rows, replacing

ORDERS = {"baseline_first", "candidate_first"}


def pair_scores(verdicts: Sequence[VerdictRow]) -> dict[str, float | None]:
    """Score of each prompt, by id: 1, 0.5 or 0, and None where a verdict is invalid.

    Raises PinchError naming an id that has not both orders.
    """
    by_id: dict[str, dict[str, str]] = {}
    for row in verdicts:
        if row.order in by_id.setdefault(row.id, {}):
            raise PinchError(f"id {row.id!r}: the order {row.order} is there twice")
        by_id[row.id][row.order] = row.winner
    scores: dict[str, float | None] = {}
    for id, winners in by_id.items():
        missing = ORDERS - winners.keys()
        if missing:
            raise PinchError(f"id {id!r}: the order {missing.pop()} is missing; judge this cell again")
        found = set(winners.values())
        if "invalid" in found:
            scores[id] = None
        else:
            scores[id] = 1.0 if found == {"candidate"} else 0.0 if found == {"baseline"} else 0.5
    return scores


def interval(scores: Sequence[float], settings: Aggregate) -> tuple[float, float]:
    """Bootstrap interval of a mean of scores of 0 to 1, in percent; the prompts are what is resampled.

    Percentile bootstrap (scipy). Where all scores are the same 0 or 1 it would have no width, which no number of
    prompts can justify: there the exact binomial interval (Clopper and Pearson 1934) stands in.
    """
    import numpy as np
    from scipy.stats import binomtest, bootstrap

    if set(scores) in ({0.0}, {1.0}):
        exact = binomtest(int(sum(scores)), len(scores)).proportion_ci(settings.confidence)
        return 100 * exact.low, 100 * exact.high
    if len(scores) < 2:
        return 0.0, 100.0
    found = bootstrap(
        (np.asarray(scores),),
        np.mean,
        confidence_level=settings.confidence,
        n_resamples=settings.resamples,
        method="percentile",
        rng=np.random.default_rng(settings.seed),
    ).confidence_interval
    return 100 * float(found.low), 100 * float(found.high)


def score_cell(verdicts: Sequence[VerdictRow], settings: Aggregate) -> dict[str, Any]:
    """n, wins, ties, losses, invalid, score, low and high of a judged cell; score None where nothing is valid.

    With ids and outcomes: each prompt's own 1, 0.5 or 0, None where a verdict is invalid, sorted by id. What is said
    of several cells together is resampled from them (see `pinch.scores`).
    """
    by_id = pair_scores(verdicts)
    scores = [score for score in by_id.values() if score is not None]
    low, high = interval(scores, settings) if scores else (None, None)
    return {
        "n": len(by_id),
        "wins": scores.count(1.0),
        "ties": scores.count(0.5),
        "losses": scores.count(0.0),
        "invalid": len(by_id) - len(scores),
        "score": 100 * sum(scores) / len(scores) if scores else None,
        "low": low,
        "high": high,
        **by_prompt(by_id),
    }


def by_prompt(outcomes: Mapping[str, float | None]) -> dict[str, Any]:
    """The columns ids and outcomes, one entry a prompt."""
    ids = sorted(outcomes)
    return {"ids": ids, "outcomes": [outcomes[id] for id in ids]}


def diagonal_cell(ids: Sequence[str]) -> dict[str, Any]:
    """A model against itself: 50 by definition (paper, Figure 1), never judged, so without an interval."""
    n = len(ids)
    counts = {"n": n, "wins": 0, "ties": n, "losses": 0, "invalid": 0}
    return {**counts, "score": 50.0, "low": None, "high": None, **by_prompt(dict.fromkeys(ids, 0.5))}


def describe_responses(responses: Sequence[GenerationRow], lang: str, allowed: frozenset[str]) -> dict[str, Any]:
    """Response-language counts and rate, mean length, share of responses that stopped by themselves.

    The rate is in percent of the responses whose language can be determined; None where none can.
    """
    matches = [languages.match(row.response, lang, allowed) for row in responses]
    right, wrong = matches.count("right"), matches.count("wrong")
    return {
        "right_language": right,
        "wrong_language": wrong,
        "undetermined_language": matches.count("undetermined"),
        "response_language_rate": 100 * right / (right + wrong) if right + wrong else None,
        "mean_tokens": sum(row.n_tokens for row in responses) / len(responses) if responses else None,
        "stopped_rate": 100 * sum(row.finish_reason == "stop" for row in responses) / len(responses)
        if responses
        else None,
    }


def write_parquet(path: str, table: Any) -> None:
    """Write a whole table, or nothing; by way of memory, because polars has no clear word for a full disk."""
    content = BytesIO()
    table.write_parquet(content)
    with replacing(path) as temporary:
        temporary.write_bytes(content.getvalue())


def aggregate_row(arguments: argparse.Namespace) -> str:
    """One row of the matrix as a small table, a cell a row."""
    import polars as pl

    raw = json.loads(arguments.settings)
    allowed = languages.candidates(raw.pop("languages", ()))
    settings = Aggregate.model_validate(raw)
    judgments = {Path(path).stem: Path(path) for path in arguments.judgments}
    generations = {Path(path).stem: Path(path) for path in arguments.generations}
    cells = []
    for lang, baseline in json.loads(arguments.columns):
        responses = read_rows(generations[lang], GenerationRow)
        diagonal = baseline == arguments.mixture
        if diagonal:
            scored = diagonal_cell([row.id for row in responses])
        else:
            verdicts = read_rows(judgments[lang], VerdictRow, unique=("id", "order"))
            if {row.id for row in verdicts} != {row.id for row in responses}:
                raise PinchError(
                    f"{judgments[lang]}: its ids are not those of {generations[lang]}; judge this cell again"
                )
            try:
                scored = score_cell(verdicts, settings)
            except PinchError as error:
                raise PinchError(f"{judgments[lang]}: {error}") from None
        cells.append(
            {
                "judge": arguments.judge,
                "baseline": baseline,
                "base": arguments.base,
                "mixture": arguments.mixture,
                "seed": arguments.seed,
                "lang": lang,
                "diagonal": diagonal,
                **scored,
                **describe_responses(responses, lang, allowed),
            }
        )
    text, whole, number = pl.String, pl.Int64, pl.Float64
    schema: dict[str, Any] = {
        **dict.fromkeys(("judge", "baseline", "base", "mixture", "seed", "lang"), text),
        "diagonal": pl.Boolean,
        **dict.fromkeys(("n", "wins", "ties", "losses", "invalid"), whole),
        **dict.fromkeys(("score", "low", "high"), number),
        **dict.fromkeys(("right_language", "wrong_language", "undetermined_language"), whole),
        **dict.fromkeys(("response_language_rate", "mean_tokens", "stopped_rate"), number),
        "ids": pl.List(text),
        "outcomes": pl.List(number),
    }
    write_parquet(arguments.output, pl.DataFrame(cells, schema=schema))
    return f"{arguments.mixture}: {len(cells)} cells, {sum(cell['diagonal'] for cell in cells)} on the diagonal"


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
    lists = ("ids", "outcomes")
    joined = table.join(spread, on=cell, how="left", maintain_order="left")
    return joined.select(pl.exclude(lists), *lists)


def aggregate_table(arguments: argparse.Namespace) -> str:
    """All rows as one table, as Parquet and as CSV."""
    import polars as pl

    table = with_spread(pl.concat([pl.read_parquet(path) for path in arguments.rows]))
    write_parquet(arguments.parquet, table)
    with replacing(arguments.csv) as temporary:
        # A CSV has no place for lists; prompt by prompt, outcomes are in the Parquet file (and in the judgments).
        table.drop("ids", "outcomes").write_csv(temporary, float_precision=3)
    return f"{table.height} cells of {len(arguments.rows)} rows"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `python -m pinch aggregate`."""
    steps = parser.add_subparsers(dest="step", required=True)
    row = steps.add_parser("row", help="the cells of one row of the matrix")
    for name in ("judge", "baseline", "base", "mixture", "seed"):
        row.add_argument(f"--{name}", required=True)
    row.add_argument("--columns", required=True, help='languages and their baselines, JSON: [["es", "es48"]]')
    row.add_argument("--settings", default="{}", help='JSON: {"confidence": 0.95, "languages": ["en", "es"]}')
    row.add_argument("--judgments", nargs="*", default=[], help="verdicts, LANG.jsonl")
    row.add_argument("--generations", nargs="+", required=True, help="responses, LANG.jsonl")
    row.add_argument("--output", required=True, help=".parquet")
    table = steps.add_parser("table", help="all rows as one table")
    table.add_argument("--rows", nargs="+", required=True, help="rows made by `aggregate row`, .parquet")
    table.add_argument("--parquet", required=True)
    table.add_argument("--csv", required=True)


def run(arguments: argparse.Namespace) -> str:
    """One row, or the table of all."""
    return aggregate_row(arguments) if arguments.step == "row" else aggregate_table(arguments)
