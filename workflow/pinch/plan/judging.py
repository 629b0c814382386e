"""What a judge would be asked: both orders of every prompt, less what is judged, identical or in the cache."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path
from statistics import fmean
from typing import Any

from pinch import LINK_VERSIONS
from pinch.cache import ReplyCache
from pinch.config import AnyJudge, Jury, LanguageModelJudge, OpenAIJudge, TransformersJudge
from pinch.experiment import Experiment
from pinch.plan.amounts import Amount
from pinch.plan.lengths import Length
from pinch.plan.said import Said
from pinch.plan.work import Verdicts
from pinch.prompts import read_prompt
from pinch.rows import GenerationRow, TranslatedRow, VerdictRow, digest, read_rows

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
    repeated: int = 0
    """Not written down, and the same question as another one that is counted."""
    known: int = 0
    """Cells whose responses are there, so that it is known what is identical."""
    unknown: int = 0
    """Cells whose responses are not."""
    to_ask: dict[tuple[str, str], int] = field(default_factory=dict)
    """Calls left, by base model and language; of a judge that asks nobody, verdicts."""
    tokens_in: list[int] = field(default_factory=list)
    tokens_out: list[int] = field(default_factory=list)
    """Of the replies there are."""

    @property
    def calls_left(self) -> int:
        """Calls that must be made."""
        return sum(self.to_ask.values())

    @property
    def calls(self) -> int:
        """Calls of the whole experiment, those replied to among them."""
        return self.done_calls + self.cached + self.calls_left

    @property
    def left(self) -> int:
        """Verdicts that are not written down."""
        return self.verdicts - self.done

    def count_done(self, rows: Sequence[VerdictRow]) -> None:
        """Add verdicts that are written down."""
        self.verdicts += len(rows)
        self.done += len(rows)
        for row in rows:
            if row.reason == "identical":
                self.identical += 1
                continue
            self.done_calls += 1
            if row.tokens_in:
                self.tokens_in.append(row.tokens_in)
                self.tokens_out.append(row.tokens_out)

    def add(self, base: str, lang: str, questions: int, cached: int = 0, identical: int = 0, repeated: int = 0) -> None:
        """Add verdicts that are not written down, some of which take no call."""
        self.verdicts += questions
        self.cached += cached
        self.identical += identical
        self.repeated += repeated
        left = questions - cached - identical - repeated
        self.to_ask[base, lang] = self.to_ask.get((base, lang), 0) + left


def asked(experiment: Experiment, judge: AnyJudge, pieces: Sequence[Verdicts], known: "Known") -> Asked:
    """What is asked of a judge. Reads verdicts, and the responses of what a language model has not judged yet."""
    total = Asked()
    # A row's candidates come one after the other, all against the same few baselines.
    responses = lru_cache(maxsize=64)(lambda path: read_rows(path, GenerationRow))
    references = lru_cache(maxsize=64)(_references)
    for piece in pieces:
        if piece.done:
            total.known += 1
            total.count_done(read_rows(piece.path, VerdictRow, unique=("id", "order")))
            continue
        identical = cached = repeated = 0
        needed = [piece.inputs["candidate"], piece.inputs["baseline"]]
        there = isinstance(judge, LanguageModelJudge) and all(Path(path).is_file() for path in needed)
        total.known += there
        total.unknown += not there
        if there:
            theirs = {row.id: row for row in responses(needed[1])}
            pairs = [(row, theirs[row.id]) for row in responses(needed[0]) if row.id in theirs]
            different = [pair for pair in pairs if pair[0].response != pair[1].response]
            identical = 2 * (len(pairs) - len(different))
            shown = references(piece.inputs["prompts"]) if different else {}
            for pair in different:
                replies, again = known.replies_to(*pair, shown.get(pair[0].id))
                cached += replies
                repeated += again
        total.add(piece.base, piece.lang, 2 * experiment.n_prompts, cached, identical, repeated)
    return total


def _references(path: str) -> dict[str, str | None]:
    return {row.id: row.response for row in read_rows(path, TranslatedRow)} if Path(path).is_file() else {}


class Known:
    """Whether the cache has a reply, by the keys that the judge itself would look under."""

    def __init__(self, experiment: Experiment, judge: AnyJudge) -> None:
        self.experiment = experiment
        self.judge = judge
        file = Path(experiment.cache) / "judge_replies.sqlite"
        asks = isinstance(judge, LanguageModelJudge)
        self.replies = _keys(file) if asks and file.is_file() else set()
        self.prompt = read_prompt(judge.prompt) if isinstance(judge, LanguageModelJudge) else ""
        self.seen: set[int] = set()
        """Questions looked for, by hash: a grid has a million."""

    def replies_to(self, candidate: GenerationRow, baseline: GenerationRow, reference: str | None) -> tuple[int, int]:
        """In how many of its two orders a pair has been replied to, and in how many it was looked for before.

        Pairs of two cells are the same question where both models' responses have the same words.
        """
        if not isinstance(self.judge, LanguageModelJudge):
            return 0, 0
        # A plan speaks of all links, and what a reply's key is only the judge's engines can say.
        from pinch.judge.protocol import Question

        cached = again = 0
        for first, second in ((baseline, candidate), (candidate, baseline)):
            words = hash((candidate.instruction, first.response, second.response, *self._shown(candidate, reference)))
            if words in self.seen:
                again += 1
                continue
            self.seen.add(words)
            if self.replies and (engine := self.engine) is not None:
                key = engine.key(Question(candidate.id, candidate.instruction, first, second, reference))
                cached += digest(LINK_VERSIONS["judge"], key) in self.replies
        return cached, again

    def _shown(self, row: GenerationRow, reference: str | None) -> tuple[str | None, ...]:
        """What else the prompt shows."""
        return (
            row.lang if "{language}" in self.prompt else None,
            reference if "{reference}" in self.prompt else None,
        )

    @cached_property
    def engine(self) -> Any:
        """The judge's, which knows under which keys it keeps its replies; None where it cannot be made yet."""
        return self._make()

    def _make(self) -> Any:
        if isinstance(self.judge, OpenAIJudge):
            from pinch.judge.openai import OpenAIEngine

            return OpenAIEngine(self.judge, self.judge.name, self.experiment.cache)
        assert isinstance(self.judge, TransformersJudge), "the others keep nothing"
        record = Path(self.experiment.results, "base_models", f"{self.judge.model.name}.json")
        if not record.is_file():
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
    audit: Asked,
    lengths: dict[str, dict[str, Length]],
    said: dict[str, Said],
) -> Cost:
    """Calls, tokens and money of one judge, those of its audit among them.

    `lengths`: of rows, and `said`: of responses, both by base model.
    """
    name = judge.name
    amounts = {
        f"verdicts:{name}": Amount("judging", f"{name}: verdicts", "number", total.verdicts, total.left, "both orders")
    }
    if not isinstance(judge, LanguageModelJudge):
        nobody = "the majority of its members" if isinstance(judge, Jury) else "the rubric asks nobody"
        amounts[f"calls:{name}"] = Amount("judging", f"{name}: calls", "number", 0, 0, nobody)
        return Cost(amounts, (0.0, 0.0), (0.0, 0.0))
    free = (
        f"{total.identical:,} identical and {total.repeated:,} repeated pairs are free; {total.cached:,} replies lie "
        "in the cache"
    )
    amounts[f"calls:{name}"] = Amount("judging", f"{name}: calls", "number", total.calls, total.calls_left, free)
    if audit.verdicts:
        basis = f"{'at most; ' if audit.calls_left else ''}{audit.cached:,} replies lie in the cache"
        amounts[f"audit_calls:{name}"] = Amount(
            "judging", f"{name}: audit calls", "number", audit.calls, audit.calls_left, basis
        )
    tokens_in, tokens_out, basis_in, basis_out = _tokens(judge, (total, audit), lengths, said)
    done_in, done_out = sum(total.tokens_in + audit.tokens_in), sum(total.tokens_out + audit.tokens_out)
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
    judge: LanguageModelJudge,
    parts: Sequence[Asked],
    lengths: dict[str, dict[str, Length]],
    said: dict[str, Said],
) -> tuple[float, float, str, str]:
    """Tokens in and out of the calls left, and where they are known from."""
    calls_left = sum(part.calls_left for part in parts)
    replied = [count for part in parts for count in zip(part.tokens_in, part.tokens_out, strict=True)]
    if replied:
        mean_in, mean_out = (fmean(counts) for counts in zip(*replied, strict=True))
        many = f"measured on {len(replied):,} replies"
        return calls_left * mean_in, calls_left * mean_out, many, many
    prompt = len(read_prompt(judge.prompt)) / CHARACTERS
    tokens_in = sum(
        calls * (prompt + lengths[base][lang].instruction + 2 * said[base].mean(lang))
        for part in parts
        for (base, lang), calls in part.to_ask.items()
    )
    counted = "prompt, instruction and two responses, counted as the base model's tokens"
    basis_in = counted if all(one.responses for one in said.values()) else f"at most: {counted}"
    if isinstance(judge, OpenAIJudge):
        most = 1 if judge.read == "logprobs" else judge.max_tokens
        return tokens_in, calls_left * most, basis_in, f"at most {most} a call"
    return tokens_in, 0.0, basis_in, "the labels' logits are read, nothing is written"
