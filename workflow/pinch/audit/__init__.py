"""audit: verdicts that show whether a judge can judge a language, on pairs of which the better response is known.

    python -m pinch audit --lang es --name rubric --settings '{"engine": "rubric"}' \\
        --labelled resources/labelled.jsonl --output audit.jsonl

What the verdicts add up to is worked out by `python -m pinch aggregate audit`.
"""

import argparse
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path

from pinch.audit.contrast import contrast_pairs
from pinch.audit.pairs import Asked, labelled_pairs, repeated_pairs
from pinch.errors import PinchError
from pinch.judge import add_judge_arguments, open_judge
from pinch.judge.protocol import ORDERS, Engine, Question, Siblings, judge_pairs, questions_of
from pinch.rows import AuditRow, GenerationRow, TranslatedRow, read_json, read_rows, write_rows


def known_pairs(arguments: argparse.Namespace) -> list[Asked]:
    """Pairs of which the better response is known: the labelled ones of the language, or else contrasts."""
    if arguments.labelled and (labelled := labelled_pairs(arguments.labelled, arguments.lang)):
        return labelled
    if not arguments.contrast:
        return []
    references = (
        {row.id: row.response for row in read_rows(arguments.prompts, TranslatedRow)} if arguments.prompts else {}
    )
    return contrast_pairs(
        read_rows(arguments.contrast, GenerationRow),
        read_rows(arguments.other, GenerationRow) if arguments.other else [],
        references,
        arguments.lang,
        arguments.pairs,
    )


def pairs_again(arguments: argparse.Namespace) -> list[Asked]:
    """Pairs of cells, to be asked about once more."""
    return repeated_pairs(arguments.repeat, arguments.prompts, arguments.repeats) if arguments.repeat else []


def questions_of_all(arguments: argparse.Namespace) -> Iterator[Question]:
    """What the audits of `--audits` ask whose inputs are all there."""
    if not arguments.audits or not Path(arguments.audits).is_file():
        return
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    for lang, words in read_json(arguments.audits).items():
        if all(Path(word).is_file() for word in words if not word.startswith("--")):
            numbers = ["--pairs", str(arguments.pairs), "--repeats", str(arguments.repeats)]
            theirs = parser.parse_args([*words, *numbers, "--lang", lang, "--output", ""])
            # One whose files do not fit each other is left to its own job, which says why.
            with suppress(PinchError):
                yield from questions_of(item.pair for item in known_pairs(theirs))
                yield from questions_of((item.pair for item in pairs_again(theirs)), repeat=1)


def ask(asked: list[Asked], engine: Engine, repeat: int) -> tuple[list[AuditRow], str]:
    """Two audit rows a pair, and what judging says of its calls; `repeat` is 1 for pairs that were asked before."""
    verdicts, calls = judge_pairs([item.pair for item in asked], engine, repeat)
    pairs_of_verdicts = (item for item in asked for _ in ORDERS)
    return [item.row(verdict) for item, verdict in zip(pairs_of_verdicts, verdicts, strict=True)], calls


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `python -m pinch audit`."""
    add_judge_arguments(parser)
    parser.add_argument("--labelled", help="pairs of which it is known which one is better, .jsonl")
    parser.add_argument(
        "--contrast", help="a baseline's responses, .jsonl, to make pairs of where the language has no labelled ones"
    )
    parser.add_argument("--other", help="a baseline's responses to the same prompts in another language, .jsonl")
    parser.add_argument("--prompts", help="the evaluation prompts with their references, .jsonl")
    parser.add_argument("--pairs", type=int, default=24, help="contrast pairs at most (default: 24)")
    parser.add_argument(
        "--repeat",
        nargs=3,
        action="append",
        default=[],
        metavar=("JUDGMENTS", "CANDIDATE", "BASELINE"),
        help="verdicts on a cell and the responses that they are about, .jsonl, to ask about some again",
    )
    parser.add_argument("--repeats", type=int, default=20, help="pairs to ask about again (default: 20)")
    parser.add_argument(
        "--audits",
        help="arguments of the judge's audits by language, .json; a local judge that has to be loaded is asked for all "
        "of them",
    )
    parser.add_argument("--output", required=True, help=".jsonl")


def run(arguments: argparse.Namespace) -> str:
    """Ask a judge for all that its audit in one language needs."""
    engine = open_judge(arguments, Siblings("audit", partial(questions_of_all, arguments)))
    if arguments.repeat and not arguments.prompts:
        raise PinchError("--repeat: needs --prompts, for the references that the judge was shown")
    known, repeated = known_pairs(arguments), pairs_again(arguments)
    rows, calls = ask(known, engine, 0)
    again, calls_again = ask(repeated, engine, 1)
    write_rows(arguments.output, rows + again)
    said = f"{len(known)} {known[0].part} pairs ({calls})" if known else f"no labelled pairs{_why(arguments)}"
    return f"{arguments.name} {arguments.lang}: {said}, {len(repeated)} pairs asked about again ({calls_again})"


def _why(arguments: argparse.Namespace) -> str:
    """Why there is no pair with a known winner."""
    if not arguments.contrast or not arguments.pairs:
        return ", and no contrasts wanted"
    return f", and no response of {arguments.contrast} can serve as a clear winner"
