"""The next token of each row, from its logits: the likeliest, or drawn by numbers that depend on the row alone."""

from collections.abc import Sequence
from hashlib import sha256
from typing import Any

from pinch.rows import canonical

LIKELIEST = 512
"""Tokens in which a nucleus is looked for before the whole vocabulary is sorted."""


def integer(seed: str, lang: str, id: str) -> int:
    """A number of 31 bits for an engine that draws by itself."""
    return int.from_bytes(sha256(canonical([seed, lang, id]).encode()).digest()[:4], "big") >> 1


def uniform(seed: str, lang: str, id: str, place: int) -> float:
    """A number of 0 to 1 (not 1 itself) for the token at `place` of the response to a prompt."""
    drawn = sha256(canonical([seed, lang, id, place]).encode()).digest()[:8]
    return (int.from_bytes(drawn, "big") >> 11) / (1 << 53)


def greedy(logits: Any) -> list[int]:
    """(rows, vocabulary) to the likeliest tokens; the first of equals."""
    found: list[int] = logits.argmax(dim=-1).tolist()
    return found


def drawn(logits: Any, numbers: Sequence[float], temperature: float, top_p: float) -> list[int]:
    """(rows, vocabulary) to tokens, by the inverse of each row's distribution function at its number.

    `top_p`: of the likeliest tokens, the fewest whose probabilities add up to it (Holtzman et al. 2020).
    """
    import torch

    chances = torch.softmax(logits.float() / temperature, dim=-1)
    if top_p >= 1:
        return [_invert(row, number) for row, number in zip(chances, numbers, strict=True)]
    few, tokens = chances.topk(min(LIKELIEST, chances.shape[-1]), dim=-1)
    found = []
    for place, number in enumerate(numbers):
        row, names = few[place], tokens[place]
        if float(row.sum(dtype=torch.float64)) < top_p:
            row, names = chances[place].sort(descending=True)
        before = row.cumsum(0, dtype=torch.float64) - row
        found.append(int(names[_invert(row[before < top_p], number)]))
    return found


def _invert(chances: Any, number: float) -> int:
    """The first place at which the sum so far exceeds the number's share of the whole."""
    import torch

    sums = chances.cumsum(0, dtype=torch.float64)
    return int(torch.searchsorted(sums, sums[-1:] * number, right=True).clamp(max=len(chances) - 1))
