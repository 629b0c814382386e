"""judge: verdicts on one cell, the candidate's responses against the baseline's (paper, section 2)."""

import argparse
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from pinch import languages
from pinch.cache import ReplyCache, cache_folder
from pinch.config import AnyJudge, OpenAIJudge, Rubric, TransformersJudge
from pinch.errors import PinchError
from pinch.judge.protocol import Engine, Pair, judge_pairs
from pinch.rows import GenerationRow, TranslatedRow, read_rows, write_rows


def pairs_of(candidate: Path, baseline: Path, prompts: Path) -> list[Pair]:
    """The two responses to each prompt. Raises PinchError naming the ids that one file has and another has not."""
    ours = {row.id: row for row in read_rows(candidate, GenerationRow)}
    theirs = {row.id: row for row in read_rows(baseline, GenerationRow)}
    references = {row.id: row.response for row in read_rows(prompts, TranslatedRow)}
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


def make_engine(settings: Any, name: str, lang: str, arguments: argparse.Namespace) -> Engine:
    """The engine that a judge's settings ask for; what it needs is imported here and not by the others."""
    if isinstance(settings, Rubric):
        from pinch.judge.rubric import RubricEngine

        return RubricEngine(settings, lang, languages.candidates((lang,)))
    if isinstance(settings, OpenAIJudge):
        from pinch.judge.openai import OpenAIEngine

        return OpenAIEngine(settings, name)
    from pinch.judge.transformers import TransformersEngine

    return TransformersEngine(settings, arguments.model, arguments.cache, arguments.threads)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `python -m pinch judge`."""
    parser.add_argument("--candidate", required=True, help="responses of the model to be scored, .jsonl")
    parser.add_argument("--baseline", required=True, help="responses of the model it is compared with, .jsonl")
    parser.add_argument("--prompts", required=True, help="the evaluation prompts with their references, .jsonl")
    parser.add_argument("--lang", required=True, help="evaluation language")
    parser.add_argument("--name", default="judge", help="name of the judge, for messages")
    parser.add_argument("--settings", default='{"engine": "rubric"}', help="the judge's section of the config, JSON")
    parser.add_argument("--model", help="record of a local judge's model, .json")
    parser.add_argument("--cache", default=cache_folder(), help="folder of the cache of replies; default: $PINCH_CACHE")
    parser.add_argument("--threads", type=int, default=0, help="cores for torch; 0: all")
    parser.add_argument("--output", required=True)


def run(arguments: argparse.Namespace) -> str:
    """Judge every pair in both orders."""
    data = TypeAdapter(dict[str, Any]).validate_json(arguments.settings)
    settings: Rubric | OpenAIJudge | TransformersJudge = TypeAdapter(AnyJudge).validate_python(
        {"name": arguments.name, **data}
    )
    pairs = pairs_of(Path(arguments.candidate), Path(arguments.baseline), Path(arguments.prompts))
    engine = make_engine(settings, arguments.name, arguments.lang, arguments)
    cache = ReplyCache(Path(arguments.cache) / "judge_replies.sqlite")
    verdicts, calls = judge_pairs(pairs, engine, cache)
    assert len(verdicts) == 2 * len(pairs)
    write_rows(arguments.output, verdicts)
    counted = {
        winner: sum(row.winner == winner for row in verdicts) for winner in ("candidate", "baseline", "tie", "invalid")
    }
    summary = ", ".join(f"{winner} {count}" for winner, count in counted.items())
    return f"{arguments.name} {arguments.lang}: {len(pairs)} pairs in both orders, {summary}; {calls}"
