"""judge: verdicts on one cell, the candidate's responses against the baseline's (paper, section 2)."""

import argparse
import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from pinch import LINK_VERSIONS, languages, made
from pinch.arguments import text_of
from pinch.cache import cache_folder
from pinch.config import AnyJudge, Jury, OpenAIJudge, Rubric
from pinch.errors import PinchError
from pinch.faults import explain
from pinch.judge.protocol import Engine, Pair, Question, Siblings, judge_pairs, questions_of
from pinch.rows import GenerationRow, TranslatedRow, file_digest, read_json, read_rows, write_json, write_rows

LIBRARIES = {"rubric": ("py3langid", "sacrebleu"), "openai": ("openai",), "transformers": ("transformers", "torch")}
"""On which verdicts depend, by engine."""


def pairs_of(candidate: Path, baseline: Path, prompts: Path, read: Callable[..., list[Any]] = read_rows) -> list[Pair]:
    """The two responses to each prompt. Raises PinchError naming the ids that one file has and another has not.

    `read`: read_rows, or one that remembers.
    """
    ours = {row.id: row for row in read(candidate, GenerationRow)}
    theirs = {row.id: row for row in read(baseline, GenerationRow)}
    references = {row.id: row.response for row in read(prompts, TranslatedRow)}
    alone = sorted((ours.keys() ^ theirs.keys()) | (ours.keys() - references.keys()))
    if alone:
        raise PinchError(
            f"{candidate} and {baseline} do not answer the same prompts of {prompts}: {', '.join(alone[:20])}; "
            "delete the older of the two and run again"
        )
    different = sorted(id for id in ours if ours[id].instruction != theirs[id].instruction)
    if different:
        raise PinchError(
            f"{candidate} and {baseline} answer different instructions under the ids {', '.join(different)}"
        )
    return [Pair(ours[id], theirs[id], references[id]) for id in ours]


def make_engine(
    settings: AnyJudge,
    name: str,
    lang: str,
    model: str | None,
    cache: str,
    threads: int,
    spending: str | None,
    siblings: Siblings | None = None,
) -> Engine:
    """The engine that a judge's settings ask for; what it needs is imported here and not by the others.

    `model` is the record of a local judge's model, `cache` the folder of the caches, `spending` the ledger of what
    judges have cost, `siblings` what a local judge is asked besides. Raises PinchError where the settings are a jury's,
    or ask for what is not given.
    """
    if isinstance(settings, Rubric):
        from pinch.judge.rubric import RubricEngine

        return RubricEngine(settings, lang, languages.candidates((lang,)))
    if isinstance(settings, OpenAIJudge):
        from pinch.judge.openai import OpenAIEngine

        return OpenAIEngine(settings, name, cache, spending)
    if isinstance(settings, Jury):
        raise PinchError(
            f"judges: {name}: a jury asks nobody; its verdicts are made of its members' by `python -m pinch jury`"
        )
    from pinch.judge.transformers import TransformersEngine

    return TransformersEngine(settings, model, cache, threads, siblings)


def read_settings(name: str, settings: str, transport: str) -> AnyJudge:
    """A judge's section of the config, of two JSON objects. Raises PinchError naming the key at fault."""
    objects: list[dict[str, Any]] = []
    for option, text in (("--settings", settings), ("--transport", text_of(transport))):
        try:
            objects.append(TypeAdapter(dict[str, Any]).validate_json(text))
        except ValidationError:
            raise PinchError(f"{option}: {text!r} is not a JSON object") from None
    data = {"name": name} | objects[0] | objects[1]
    try:
        found: AnyJudge = TypeAdapter(AnyJudge).validate_python(data)
    except ValidationError as error:
        raise PinchError(f"--settings: {explain(error, data)}") from None
    return found


def add_judge_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments that say who judges: those of every command that asks a judge."""
    parser.add_argument("--lang", required=True, help="evaluation language")
    parser.add_argument("--name", default="judge", help="name of the judge, for messages")
    parser.add_argument("--settings", default='{"engine": "rubric"}', help="the judge's section of the config, JSON")
    parser.add_argument("--transport", default="{}", help="more of them, which change no verdict; or a file of it")
    parser.add_argument("--model", help="record of a local judge's model, .json")
    parser.add_argument("--cache", default=cache_folder(), help="folder of the cache of replies; default: $PINCH_CACHE")
    parser.add_argument("--threads", type=int, default=0, help="cores for torch; 0: all")
    parser.add_argument("--spending", help="ledger of what judges have cost in the experiment, .sqlite")


def open_judge(arguments: argparse.Namespace, siblings: Siblings | None = None) -> Engine:
    """The engine that these arguments name."""
    return make_engine(
        read_settings(arguments.name, arguments.settings, arguments.transport),
        arguments.name,
        arguments.lang,
        arguments.model,
        arguments.cache,
        arguments.threads,
        arguments.spending,
        siblings,
    )


def column_questions(arguments: argparse.Namespace) -> Iterator[Question]:
    """What the cells of `--column` ask whose responses are all there."""
    if not arguments.column or not Path(arguments.column).is_file():
        return
    # A column has few baselines, each read once.
    read = lru_cache(maxsize=8)(read_rows)
    for candidate, baseline in read_json(arguments.column):
        # One that is not there is left to itself, and so is one that does not fit the prompts: its own job says why.
        if Path(candidate).is_file() and Path(baseline).is_file():
            with suppress(PinchError):
                yield from questions_of(pairs_of(Path(candidate), Path(baseline), Path(arguments.prompts), read))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `python -m pinch judge`."""
    parser.add_argument("--candidate", required=True, help="responses of the model to be scored, .jsonl")
    parser.add_argument("--baseline", required=True, help="responses of the model it is compared with, .jsonl")
    parser.add_argument("--prompts", required=True, help="the evaluation prompts with their references, .jsonl")
    add_judge_arguments(parser)
    parser.add_argument(
        "--column",
        help="cells of the same language, [candidate, baseline] each, .json; a local judge that has to be loaded is "
        "asked about all of them",
    )
    parser.add_argument("--output", required=True, help="two verdicts a pair, .jsonl")


def run(arguments: argparse.Namespace) -> str:
    """Judge every pair in both orders."""
    engine = open_judge(arguments, Siblings(arguments.lang, partial(column_questions, arguments)))
    pairs = pairs_of(Path(arguments.candidate), Path(arguments.baseline), Path(arguments.prompts))
    verdicts, calls = judge_pairs(pairs, engine)
    assert len(verdicts) == 2 * len(pairs)
    write_rows(arguments.output, verdicts)
    write_json(Path(arguments.output).with_suffix(".json"), _about(arguments))
    counted = {
        winner: sum(row.winner == winner for row in verdicts) for winner in ("candidate", "baseline", "tie", "invalid")
    }
    summary = ", ".join(f"{winner} {count}" for winner, count in counted.items())
    return f"{arguments.name} {arguments.lang}: {len(pairs)} pairs in both orders, {summary}; {calls}"


def _about(arguments: argparse.Namespace) -> dict[str, Any]:
    """What the verdicts were made from and with, for the record beside them."""
    settings = json.loads(arguments.settings)
    return {
        "judge": arguments.name,
        "settings": settings,
        "model_digest": read_json(arguments.model)["digest"] if arguments.model else None,
        "candidate": arguments.candidate,
        "candidate_digest": file_digest(arguments.candidate),
        "baseline": arguments.baseline,
        "baseline_digest": file_digest(arguments.baseline),
        "verdicts_digest": file_digest(arguments.output),
        "link": LINK_VERSIONS["judge"],
        "made_with": made.versions(LIBRARIES.get(settings["engine"], ())),
    }
