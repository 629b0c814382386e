"""The protocol that every engine goes through: both orders, the winner mapped back, nothing lost.

A pair is shown twice, the order swapped (paper, section 2). The verdicts are written down as they are; what they
add up to is for aggregate to say. Identical responses are a tie without a call.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from pinch.rows import GenerationRow, VerdictRow

Order = Literal["baseline_first", "candidate_first"]
ORDERS: tuple[Order, Order] = ("baseline_first", "candidate_first")

Choice = Literal["first", "second", "tie", "invalid"]


@dataclass(frozen=True)
class Pair:
    """Two responses to one prompt, and the reference, where there is one."""

    candidate: GenerationRow
    baseline: GenerationRow
    reference: str | None


@dataclass(frozen=True)
class Question:
    """A pair as an engine sees it: a first and a second response, and not whose they are."""

    id: str
    instruction: str
    first: GenerationRow
    second: GenerationRow
    reference: str | None
    repeat: int = 0
    """Which time the same is asked, where it is asked again on purpose: 1 and more go past the first reply."""

    @property
    def lang(self) -> str:
        """The code of the language of the instruction."""
        return self.first.lang


@dataclass(frozen=True)
class Reply:
    """What an engine says of a question, and what that took: tokens and US dollars are the sum over all tries."""

    choice: Choice
    reason: str
    raw: str | None = None
    tokens_in: int = 0
    tokens_out: int = 0
    usd: float | None = None
    calls: int = 1
    """Made for it now."""
    cached: int = 0
    """Made for it before, and kept."""


@dataclass(frozen=True)
class Siblings:
    """What other jobs will ask the same judge; asked with a job's own questions where a model has to be loaded."""

    group: str
    """Jobs of one group wait for each other before they load a model."""
    questions: Callable[[], Iterable[Question]]


class Engine(Protocol):
    """What compares two responses."""

    def key(self, question: Question) -> str | None:
        """What the reply to the first call depends on, as a digest for the cache; None where asking is free."""
        ...

    def ask(self, questions: Sequence[Question]) -> list[Reply]:
        """A reply to every question, in their order. What costs is kept as it comes, so that a crash loses none.

        Raises PinchError where the engine cannot go on; a reply that cannot be read is one that is invalid.
        """
        ...


def _verdict(question: Question, order: Order, reply: Reply) -> VerdictRow:
    first, second = ("baseline", "candidate") if order == "baseline_first" else ("candidate", "baseline")
    return VerdictRow.model_validate(
        {
            "id": question.id,
            "order": order,
            "winner": {"first": first, "second": second}.get(reply.choice, reply.choice),
            "reason": reply.reason,
            "raw": reply.raw,
            "tokens_in": reply.tokens_in,
            "tokens_out": reply.tokens_out,
            "cost": reply.usd,
        }
    )


def _both_orders(pairs: Iterable[Pair], repeat: int) -> list[tuple[Order, Question]]:
    questions: list[tuple[Order, Question]] = []
    for pair in pairs:
        for order in ORDERS:
            shown = (pair.baseline, pair.candidate) if order == "baseline_first" else (pair.candidate, pair.baseline)
            questions.append(
                (order, Question(pair.candidate.id, pair.candidate.instruction, *shown, pair.reference, repeat))
            )
    return questions


def _differ(question: Question) -> bool:
    return question.first.response != question.second.response


def questions_of(pairs: Iterable[Pair], repeat: int = 0) -> list[Question]:
    """What `judge_pairs` asks its engine."""
    return [question for _, question in _both_orders(pairs, repeat) if _differ(question)]


def judge_pairs(pairs: Sequence[Pair], engine: Engine, repeat: int = 0) -> tuple[list[VerdictRow], str]:
    """Two verdicts a pair, in the order of the pairs, and a summary of what was asked and what was not.

    With a `repeat` above 0 everything is asked anew, as often as it is given another number. Raises PinchError where
    the engine cannot go on.
    """
    questions = _both_orders(pairs, repeat)
    asked = [question for _, question in questions if _differ(question)]
    replies = engine.ask(asked) if asked else []
    coming = iter(replies)
    rows = [
        _verdict(question, order, next(coming))
        if _differ(question)
        else VerdictRow.tied(question.id, order, "identical")
        for order, question in questions
    ]
    return rows, _summary(replies, len(questions) - len(asked))


def _summary(replies: Sequence[Reply], identical: int) -> str:
    calls, cached = sum(reply.calls for reply in replies), sum(reply.cached for reply in replies)
    said = f"calls {calls}, from the cache {cached}, identical {identical}"
    tokens_in, tokens_out = sum(reply.tokens_in for reply in replies), sum(reply.tokens_out for reply in replies)
    if tokens_in or tokens_out:
        said += f"; tokens {tokens_in:,} in, {tokens_out:,} out"
    prices = [reply.usd for reply in replies if reply.usd is not None]
    return f"{said}, worth {sum(prices):.4f} USD" if prices else said
