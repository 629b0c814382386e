"""aggregate row: the cells of one training set, one line a cell, from verdicts and responses."""

import argparse
import json
from collections.abc import Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

from pinch import inference, languages
from pinch.aggregate.behaviour import COUNTS, behaviour, spent
from pinch.aggregate.gated import gated_outcomes
from pinch.config import Aggregate
from pinch.errors import PinchError
from pinch.repetition import loops
from pinch.rows import GenerationRow, VerdictRow, read_rows, replacing
from pinch.score import outcomes_of_verdicts, summarize

LISTS = ("ids", "outcomes", "gated_outcomes", "length_differences", "found_languages")
"""Columns with an entry a prompt, all in the order of ids, which are sorted."""

Responses = Mapping[str, GenerationRow]
"""Of one model in one language, by id."""


def schema() -> dict[str, Any]:
    """The columns of a row of scores, with polars' types."""
    import polars as pl

    text, whole, number = pl.String, pl.Int64, pl.Float64
    return {
        **dict.fromkeys(("judge", "baseline", "base", "mixture", "seed", "lang"), text),
        "diagonal": pl.Boolean,
        **dict.fromkeys(("n", "wins", "ties", "losses", "invalid"), whole),
        **dict.fromkeys(("score", "low", "high", "bound_low", "bound_high", "p"), number),
        **dict.fromkeys(("gated_score", "gated_low", "gated_high"), number),
        **dict.fromkeys(("right_language", "wrong_language", "undetermined_language"), whole),
        **dict.fromkeys(("response_language_rate", "mean_tokens", "length_cap_rate", "repetition_rate"), number),
        **dict.fromkeys(COUNTS, whole),
        "judge_usd": number,
        "ids": pl.List(text),
        "outcomes": pl.List(number),
        "gated_outcomes": pl.List(number),
        "length_differences": pl.List(whole),
        "found_languages": pl.List(text),
    }


def judged_cell(
    verdicts: Sequence[VerdictRow],
    candidates: Responses,
    baselines: Responses,
    found: Mapping[str, str],
    lang: str,
    allowed: frozenset[str],
    settings: Aggregate,
) -> dict[str, Any]:
    """Scores, intervals and p of a cell, and how the judge behaved; `found` is the language of each response by id.

    Raises PinchError naming an id that has not each order once.
    """
    outcomes = outcomes_of_verdicts(verdicts)
    ids = sorted(outcomes)
    theirs = {id: languages.found(row.response, lang, allowed) for id, row in baselines.items()}
    gated = gated_outcomes(outcomes, found, theirs, lang)
    scored, gated_scored = summarize(outcomes.values(), settings), summarize(gated.values(), settings)
    return {
        **scored,
        "p": inference.p_against_50(scored["wins"], scored["losses"], scored["ties"]),
        **{f"gated_{name}": gated_scored[name] for name in ("score", "low", "high")},
        **behaviour(verdicts, candidates, baselines),
        "judge_usd": spent(verdicts),
        "ids": ids,
        "outcomes": [outcomes[id] for id in ids],
        "gated_outcomes": [gated[id] for id in ids],
        "length_differences": [candidates[id].n_tokens - baselines[id].n_tokens for id in ids],
    }


def diagonal_cell(responses: Responses) -> dict[str, Any]:
    """A model against itself: 50 by definition (paper, Figure 1), never judged, so without interval and p."""
    ids = sorted(responses)
    n = len(ids)
    return {
        **{"n": n, "wins": 0, "ties": n, "losses": 0, "invalid": 0},
        **{"score": 50.0, "low": None, "high": None, "bound_low": 50.0, "bound_high": 50.0, "p": None},
        **{"gated_score": 50.0, "gated_low": None, "gated_high": None},
        **dict.fromkeys(COUNTS, 0),
        "judge_usd": 0.0,
        **{"ids": ids, "outcomes": [0.5] * n, "gated_outcomes": [0.5] * n, "length_differences": [0] * n},
    }


def described(responses: Responses, found: Mapping[str, str], lang: str) -> dict[str, Any]:
    """What the responses are like, apart from any judge; `found` is the language of each by id.

    Rates are in percent: that of the language of the responses whose language can be determined, None where none can;
    those of the length cap and of repetition of all responses, None where there are none.
    """
    rows = list(responses.values())
    right = sum(found[id] == lang for id in responses)
    undetermined = sum(found[id] == languages.UNDETERMINED for id in responses)
    determined = len(rows) - undetermined
    return {
        "right_language": right,
        "wrong_language": determined - right,
        "undetermined_language": undetermined,
        "response_language_rate": 100 * right / determined if determined else None,
        "mean_tokens": sum(row.n_tokens for row in rows) / len(rows) if rows else None,
        "length_cap_rate": 100 * sum(row.finish_reason == "length" for row in rows) / len(rows) if rows else None,
        "repetition_rate": 100 * sum(loops(row.response) for row in rows) / len(rows) if rows else None,
        "found_languages": [found[id] for id in sorted(responses)],
    }


def write_parquet(path: str, table: Any) -> None:
    """Write a whole table, or nothing; by way of memory, because polars has no clear word for a full disk."""
    content = BytesIO()
    table.write_parquet(content)
    with replacing(path) as temporary:
        temporary.write_bytes(content.getvalue())


def _by_language(files: Sequence[str]) -> dict[str, str]:
    return {Path(file).stem: file for file in files}


def _file(files: Mapping[str, str], lang: str, option: str) -> str:
    if lang not in files:
        raise PinchError(f"--{option}: there is no {lang}.jsonl for the column {lang}; give it")
    return files[lang]


def _read_responses(file: str) -> dict[str, GenerationRow]:
    return {row.id: row for row in read_rows(file, GenerationRow)}


def run(arguments: argparse.Namespace) -> str:
    """One row of the matrix as a small table, a cell a row."""
    import polars as pl

    raw = json.loads(arguments.settings)
    allowed = languages.candidates(raw.pop("languages", ()))
    settings = Aggregate.model_validate(raw)
    judgments, baselines, generations = (
        _by_language(files) for files in (arguments.judgments, arguments.baselines, arguments.generations)
    )
    cells = []
    for lang, baseline in json.loads(arguments.columns):
        file = _file(generations, lang, "generations")
        responses = _read_responses(file)
        found = {id: languages.found(row.response, lang, allowed) for id, row in responses.items()}
        diagonal = baseline == arguments.mixture
        if diagonal:
            scored = diagonal_cell(responses)
        else:
            judged, beside = _file(judgments, lang, "judgments"), _file(baselines, lang, "baselines")
            verdicts = read_rows(judged, VerdictRow, unique=("id", "order"))
            theirs = _read_responses(beside)
            if theirs.keys() != responses.keys():
                raise PinchError(
                    f"{beside}: its ids are not those of {file}; delete the older of the two and run again"
                )
            if {row.id for row in verdicts} != responses.keys():
                raise PinchError(f"{judged}: its ids are not those of {file}; judge this cell again")
            try:
                scored = judged_cell(verdicts, responses, theirs, found, lang, allowed, settings)
            except PinchError as error:
                raise PinchError(f"{judged}: {error}") from None
        names = {name: getattr(arguments, name) for name in ("judge", "base", "mixture", "seed")}
        where = {**names, "baseline": baseline, "lang": lang, "diagonal": diagonal}
        cells.append({**where, **scored, **described(responses, found, lang)})
    write_parquet(arguments.output, pl.DataFrame(cells, schema=schema()))
    return f"{arguments.mixture}: {len(cells)} cells, {sum(cell['diagonal'] for cell in cells)} on the diagonal"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `python -m pinch aggregate row`."""
    for name in ("judge", "baseline", "base", "mixture", "seed"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--columns", required=True, help='languages and their baselines, JSON: [["es", "es48"]]')
    parser.add_argument("--settings", default="{}", help='JSON: {"confidence": 0.95, "languages": ["en", "es"]}')
    parser.add_argument("--judgments", nargs="*", default=[], help="verdicts of the judged cells, LANG.jsonl")
    parser.add_argument("--generations", nargs="+", required=True, help="responses, LANG.jsonl")
    parser.add_argument("--baselines", nargs="*", default=[], help="the baselines' responses in those, LANG.jsonl")
    parser.add_argument("--output", required=True, help=".parquet")
