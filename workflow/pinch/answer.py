"""answer: how little is enough, in one sentence and in numbers, from the scores of a pinch design.

    python -m pinch answer --scores SCORES.parquet --settings JSON --text ANSWER.txt --json ANSWER.json

The settings are those of the figure of kind `pinch`: base, judge, baseline, pivot, points, seen, columns,
answer (margin, pivot_margin), confidence, resamples, seed.
"""

import argparse
from typing import Any

from pinch import scores
from pinch.arguments import paths_of, settings_of
from pinch.errors import PinchError
from pinch.noninferiority import find_answer
from pinch.rows import write_json, write_text

NEEDED = ("base", "judge", "pivot", "points", "seen", "columns", "answer", "confidence", "resamples", "seed")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `python -m pinch answer`."""
    parser.add_argument("--scores", nargs="+", default=[], help="table made by aggregate, or rows of it, .parquet")
    parser.add_argument("--scores-from", help="a file that names such tables, a path a line")
    parser.add_argument("--settings", required=True, help="those of the figure of kind pinch: JSON, or a file of it")
    parser.add_argument("--text", required=True, help="the answer in words")
    parser.add_argument("--json", required=True, help="the answer with all that it rests on")


def run(arguments: argparse.Namespace) -> str:
    """Work out one answer; prints it."""
    settings: dict[str, Any] = settings_of(arguments.settings)
    lacking = [key for key in NEEDED if key not in settings]
    if lacking:
        raise PinchError(f"--settings: {', '.join(lacking)} is missing; an answer needs {', '.join(NEEDED)}")
    mixtures = [mixture for _, mixture, _ in settings["points"]]
    given = paths_of(arguments.scores, arguments.scores_from)
    if not given:
        raise PinchError("--scores, --scores-from: no table is given; an answer needs the scores of its design")
    table = scores.read(given, settings["base"], settings["judge"])
    answer = find_answer(
        scores.cube(table, mixtures, settings["columns"]),
        settings["points"],
        settings["seen"],
        settings["pivot"],
        settings["answer"]["margin"],
        settings["answer"]["pivot_margin"],
        settings["confidence"],
        settings["resamples"],
        settings["seed"],
    )
    seeds = table.filter(table["mixture"].is_in(mixtures))["seed"].n_unique()
    # What the intervals leave out has to be said where they are read.
    over = "over prompts and seeds" if seeds >= scores.ENOUGH_SEEDS else "over prompts, not over seeds"
    spread = f"{seeds} seed{'s' if seeds > 1 else ''}; the intervals are {over}."
    text = f"{answer.sentence} {spread}" if answer.status != "missing" else answer.sentence
    kept = {key: settings.get(key) for key in ("base", "judge", "baseline", "pivot", "resamples", "seed")}
    write_json(arguments.json, {**kept, "seeds": seeds, "text": text, **answer.as_json()})
    write_text(arguments.text, "\n".join([text, *([answer.curve.sentence] if answer.curve else [])]) + "\n")
    return text
