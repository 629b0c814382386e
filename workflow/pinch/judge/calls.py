"""A call of a language model that judges: what is sent, what comes back, and who carries it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from operator import itemgetter
from typing import Any, Protocol

from pinch.rows import digest


@dataclass(frozen=True)
class Call:
    """One chat completion that is wanted."""

    body: dict[str, Any]
    """As the endpoint takes it: model, messages and decoding."""
    repeat: int = 0
    """Which time the same is asked, where it is asked again on purpose."""

    @property
    def key(self) -> str:
        """Prompt, model and decoding, as a digest for the cache; where the endpoint is does not matter."""
        return digest("chat", self.body, self.repeat)


@dataclass(frozen=True)
class Completion:
    """What an endpoint replied, raw: what it means is for who asked."""

    text: str = ""
    tokens_in: int = 0
    tokens_out: int = 0
    logprobs: dict[str, float] | None = None
    """Of the first token, by its text, the likeliest ones."""
    refused: str | None = None
    """Why the endpoint took no prompt of this length, in its words."""


MOST_TOKENS = 10**9

NO_COMPLETION = (AttributeError, IndexError, KeyError, TypeError, ValueError)
"""What `read_completion` raises."""


def read_completion(body: Any, clean: Callable[[str], str]) -> Completion:
    """A chat completion as JSON; `clean` is applied to its text. Raises one of NO_COMPLETION where it is none."""
    choice = body["choices"][0]
    message, usage = choice["message"], body.get("usage") or {}
    first = ((choice.get("logprobs") or {}).get("content") or [{}])[0]
    likeliest = [(_text(top["token"]), top["logprob"]) for top in first.get("top_logprobs") or []]
    finite = [(token, float(value)) for token, value in likeliest if isinstance(value, int | float) and isfinite(value)]
    return Completion(
        text=clean(_text(message.get("content") or message.get("refusal") or "")),
        tokens_in=_count(usage.get("prompt_tokens")),
        tokens_out=_count(usage.get("completion_tokens")),
        # Of the first token; sorted, as of tokens that read the same the likeliest counts.
        logprobs=dict(sorted(finite, key=itemgetter(1))) or None,
    )


def _count(value: Any) -> int:
    """Tokens of one call; a number that no call has would spoil the ledger."""
    if not 0 <= (found := value or 0) < MOST_TOKENS:
        raise ValueError(f"{value!r} is no number of tokens")
    return int(found)


def _text(text: str) -> str:
    """Half of a surrogate pair, from a reply cut off inside an emoji, could not be written down."""
    return text.encode("utf-8", "replace").decode("utf-8")


Keep = Callable[[Mapping[int, Completion]], None]
"""Keeps completions by the places of their calls; they are on disk when it returns."""


class Transport(Protocol):
    """What carries calls to an endpoint: one by one, or as a batch."""

    def send(self, calls: Sequence[Call], keep: Keep) -> None:
        """Hand completions to `keep` with the places of their calls, as they come.

        Raises PinchError where the endpoint fails for good; what came before is kept.
        """
        ...
