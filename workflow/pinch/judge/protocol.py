"""The protocol that every engine goes through: both orders, the winner mapped back, nothing lost.

A pair is shown twice, the order swapped (paper, section 2). The verdicts are written down as they are; what they
add up to is for aggregate to say. Identical responses are a tie without a call.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from pinch import LINK_VERSIONS
from pinch.cache import ReplyCache, refreshing
from pinch.rows import GenerationRow, VerdictRow, digest

Order = Literal["baseline_first", "candidate_first"]
ORDERS: tuple[Order, Order] = ("baseline_first", "candidate_first")


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


@dataclass(frozen=True)
class Reply:
    """What an engine says of a question."""

    choice: Literal["first", "second", "tie", "invalid"]
    reason: str
    raw: str | None = None
    tokens_in: int = 0
    tokens_out: int = 0


class Engine(Protocol):
    """What compares two responses."""

    def key(self, question: Question) -> str | None:
        """What the reply depends on, as a digest for the cache; None if asking again costs nothing."""
        ...

    def ask(self, questions: Sequence[Question], keep: Callable[[int, Reply], None]) -> None:
        """Answer every question, handing each reply to `keep` as it comes, so that a crash loses none.

        Raises PinchError where the engine cannot go on; a reply that cannot be read is one that is invalid.
        """
        ...

    def cost(self, reply: Reply) -> float | None:
        """What a reply costs in US dollars, None where that is not known; no part of what the cache keeps."""
        ...


def _verdict(pair: Pair, order: Order, reply: Reply, cost: float | None) -> VerdictRow:
    first, second = ("baseline", "candidate") if order == "baseline_first" else ("candidate", "baseline")
    winner = {"first": first, "second": second}.get(reply.choice, reply.choice)
    return VerdictRow.model_validate(
        {
            "id": pair.candidate.id,
            "order": order,
            "winner": winner,
            "reason": reply.reason,
            "raw": reply.raw,
            "tokens_in": reply.tokens_in,
            "tokens_out": reply.tokens_out,
            "cost": cost,
        }
    )


def judge_pairs(pairs: Sequence[Pair], engine: Engine, cache: ReplyCache) -> tuple[list[VerdictRow], str]:
    """Two verdicts a pair, in the order of the pairs, and a summary of what was asked and what was not."""
    verdicts: dict[tuple[int, Order], VerdictRow] = {}
    asked: list[tuple[int, Order, Question, str | None]] = []
    identical = cached = 0
    for index, pair in enumerate(pairs):
        for order in ORDERS:
            if pair.candidate.response == pair.baseline.response:
                verdicts[index, order] = VerdictRow.tied(pair.candidate.id, order, "identical")
                identical += 1
                continue
            first, second = (
                (pair.baseline, pair.candidate) if order == "baseline_first" else (pair.candidate, pair.baseline)
            )
            question = Question(pair.candidate.id, pair.candidate.instruction, first, second, pair.reference)
            key = engine.key(question)
            if key is not None:
                key = digest(LINK_VERSIONS["judge"], key)
                known = None if refreshing() else cache.get(key)
                if known:
                    reply = Reply(**known)
                    verdicts[index, order] = _verdict(pair, order, reply, engine.cost(reply))
                    cached += 1
                    continue
            asked.append((index, order, question, key))

    def keep(place: int, reply: Reply) -> None:
        index, order, _, key = asked[place]
        if key is not None:
            cache.put(key, reply.__dict__)
        verdicts[index, order] = _verdict(pairs[index], order, reply, engine.cost(reply))

    if asked:
        engine.ask([question for _, _, question, _ in asked], keep)
    rows = [verdicts[index, order] for index in range(len(pairs)) for order in ORDERS]
    return rows, f"calls {len(asked)}, from the cache {cached}, identical {identical}"
