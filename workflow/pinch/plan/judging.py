"""What a judge would be asked: both orders of every prompt, less what is judged, identical or in the cache."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from statistics import fmean
from typing import Any

from pinch import LINK_VERSIONS
from pinch.cache import ReplyCache
from pinch.config import AnyJudge, OpenAIJudge, Rubric
from pinch.experiment import Experiment
from pinch.plan.amounts import Amount
from pinch.plan.lengths import Length
from pinch.plan.said import Said
from pinch.plan.work import Verdicts
from pinch.prompts import read_prompt
from pinch.rows import GenerationRow, VerdictRow, digest, read_rows

CHARACTERS = 4
"""Of an English token; for the judge's own prompt, whose tokenizer is the judge's."""


@dataclass
class Asked:
    """Of one judge: pairs in one order each, so a prompt counts twice."""

    verdicts: int = 0
    """All that the experiment asks for."""
    done: int = 0
    """Written down."""
    done_calls: int = 0
    """Of those, replies of a model."""
    identical: int = 0
    """Known to be ties without a call, judged or not."""
    cached: int = 0
    """Not written down, but replied to before."""
    to_ask: dict[tuple[str, str], int] = field(default_factory=dict)
    """Calls left, by base model and language."""
    tokens_in: list[int] = field(default_factory=list)
    tokens_out: list[int] = field(default_factory=list)
    """Of the replies there are."""

    @property
    def calls_left(self) -> int:
        """Calls that must be made."""
        return sum(self.to_ask.values())

    @property
    def left(self) -> int:
        """Verdicts that are not written down."""
        return self.verdicts - self.done


def asked(experiment: Experiment, judge: AnyJudge, pieces: Sequence[Verdicts]) -> Asked:
    """What is asked of a judge. Reads verdicts, and the responses of what is not judged yet."""
    total = Asked()
    # A row's candidates come one after the other, all against the same few baselines.
    responses = lru_cache(maxsize=64)(lambda path: read_rows(path, GenerationRow))
    known = _Known(experiment, judge)
    for piece in pieces:
        if piece.done:
            _count_done(total, read_rows(piece.path, VerdictRow, unique=("id", "order")), experiment.n_prompts)
            continue
        questions = 2 * experiment.n_prompts
        total.verdicts += questions
        needed = [piece.inputs["candidate"], piece.inputs["baseline"]]
        if all(Path(path).is_file() for path in needed):
            theirs = {row.id: row for row in responses(needed[1])}
            pairs = [(row, theirs[row.id]) for row in responses(needed[0]) if row.id in theirs]
            different = [pair for pair in pairs if pair[0].response != pair[1].response]
            identical = 2 * (len(pairs) - len(different))
            cached = sum(known(first, second) + known(second, first) for first, second in different)
            total.identical += identical
            total.cached += cached
            questions -= identical + cached
        where = (piece.base, piece.lang)
        total.to_ask[where] = total.to_ask.get(where, 0) + questions
    return total


def _count_done(total: Asked, rows: Sequence[VerdictRow], n_prompts: int) -> None:
    total.verdicts += len(rows) or 2 * n_prompts
    total.done += len(rows)
    for row in rows:
        if row.reason == "identical":
            total.identical += 1
            continue
        total.done_calls += 1
        if row.tokens_in:
            total.tokens_in.append(row.tokens_in)
            total.tokens_out.append(row.tokens_out)


class _Known:
    """Whether the cache has a reply, by the keys that the judge itself would look under."""

    def __init__(self, experiment: Experiment, judge: AnyJudge) -> None:
        self.experiment = experiment
        self.judge = judge
        file = Path(experiment.cache) / "judge_replies.sqlite"
        self.replies = _keys(file) if file.is_file() and not isinstance(judge, Rubric) else set()
        self.engine: Any = None

    def __call__(self, first: GenerationRow, second: GenerationRow) -> bool:
        if not self.replies:
            return False
        self.engine = self.engine or self._make()
        if self.engine is None:
            return False
        # A plan speaks of all links, and what a reply's key is only the judge's engines can say.
        from pinch.judge.protocol import Question

        key = self.engine.key(Question(first.id, first.instruction, first, second, None))
        return digest(LINK_VERSIONS["judge"], key) in self.replies

    def _make(self) -> Any:
        if isinstance(self.judge, OpenAIJudge):
            from pinch.judge.openai import OpenAIEngine

            # Nobody is asked, so no key is needed; it is no part of what a reply is kept under.
            return OpenAIEngine(self.judge.model_copy(update={"api_key_env": None}), self.judge.name)
        assert not isinstance(self.judge, Rubric), "the rubric keeps nothing"
        record = Path(self.experiment.results, "base_models", f"{self.judge.model.name}.json")
        if not record.is_file():
            self.replies = set()
            return None
        from pinch.judge.transformers import TransformersEngine

        return TransformersEngine(self.judge, str(record), self.experiment.cache, 0)


def _keys(file: Path) -> set[str]:
    """All keys at once: to look for each of the paper's 700,000 would take two minutes, this takes a second."""
    return ReplyCache(file).keys()


@dataclass(frozen=True)
class Cost:
    """What one judge takes."""

    amounts: dict[str, Amount]
    tokens: tuple[float, float]
    """Of the whole, and of what is left: in and out together."""
    usd: tuple[float, float] | None


def cost(
    judge: AnyJudge,
    total: Asked,
    lengths: dict[str, dict[str, Length]],
    said: dict[str, Said],
) -> Cost:
    """Calls, tokens and money of one judge.

    `lengths`: of rows, and `said`: of responses, both by base model.
    """
    name = judge.name
    amounts = {
        f"verdicts:{name}": Amount("judging", f"{name}: verdicts", "number", total.verdicts, total.left, "both orders")
    }
    if isinstance(judge, Rubric):
        amounts[f"calls:{name}"] = Amount("judging", f"{name}: calls", "number", 0, 0, "the rubric asks nobody")
        return Cost(amounts, (0.0, 0.0), (0.0, 0.0))
    tokens_in, tokens_out, basis_in, basis_out = _tokens(judge, total, lengths, said)
    calls = total.done_calls + total.cached + total.calls_left
    free = f"{total.identical:,} identical pairs and the diagonal are free; {total.cached:,} replies lie in the cache"
    amounts[f"calls:{name}"] = Amount("judging", f"{name}: calls", "number", calls, total.calls_left, free)
    done_in, done_out = sum(total.tokens_in), sum(total.tokens_out)
    amounts[f"tokens_in:{name}"] = Amount(
        "judging", f"{name}: tokens in", "tokens", done_in + tokens_in, tokens_in, basis_in
    )
    amounts[f"tokens_out:{name}"] = Amount(
        "judging", f"{name}: tokens out", "tokens", done_out + tokens_out, tokens_out, basis_out
    )
    usd = None
    if isinstance(judge, OpenAIJudge) and judge.usd_per_million_tokens:
        per_in, per_out = (price / 1e6 for price in judge.usd_per_million_tokens)
        usd = (
            (done_in + tokens_in) * per_in + (done_out + tokens_out) * per_out,
            tokens_in * per_in + tokens_out * per_out,
        )
    return Cost(amounts, (done_in + tokens_in + done_out + tokens_out, tokens_in + tokens_out), usd)


def _tokens(
    judge: Any,
    total: Asked,
    lengths: dict[str, dict[str, Length]],
    said: dict[str, Said],
) -> tuple[float, float, str, str]:
    """Tokens in and out of the calls left, and where they are known from."""
    if total.tokens_in:
        many = f"measured on {len(total.tokens_in):,} replies"
        return (
            total.calls_left * fmean(total.tokens_in),
            total.calls_left * fmean(total.tokens_out),
            many,
            many,
        )
    prompt = len(read_prompt(judge.prompt)) / CHARACTERS
    tokens_in = sum(
        calls * (prompt + lengths[base][lang].instruction + 2 * said[base].mean(lang))
        for (base, lang), calls in total.to_ask.items()
    )
    counted = "prompt, instruction and two responses, counted as the base model's tokens"
    basis_in = counted if all(one.responses for one in said.values()) else f"at most: {counted}"
    if isinstance(judge, OpenAIJudge):
        return tokens_in, total.calls_left * judge.max_tokens, basis_in, f"at most {judge.max_tokens} a call"
    return tokens_in, 0.0, basis_in, "the labels' logits are read, nothing is written"
