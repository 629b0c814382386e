"""Optimizer steps cut into micro-batches without padding, and attention that keeps their rows apart."""

from collections.abc import Sequence
from typing import Any

import torch
from torch.nn.functional import scaled_dot_product_attention

NAME = "pinch_packed"
"""What transformers calls the attention of packed rows, once `register` was called."""


def collate(examples: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Rows one after the other: input_ids and labels, each (tokens,), and lengths (rows,).

    No row's first token is a label, so that no label is ever predicted from the row before it.
    """
    if any(example["labels"][0] != -100 for example in examples):
        raise ValueError("the first token of a row is a label, and there is nothing to predict it from")
    return {
        "input_ids": torch.tensor([token for example in examples for token in example["input_ids"]]),
        "labels": torch.tensor([label for example in examples for label in example["labels"]]),
        "lengths": torch.tensor([len(example["input_ids"]) for example in examples]),
    }


def micro_batches(lengths: Sequence[int], tokens: int, rows: int | None = None) -> list[list[int]]:
    """The rows of an optimizer step by their places, longest first, cut where `tokens` or `rows` would be exceeded.

    A row of more than `tokens` is alone.
    """
    cut: list[list[int]] = []
    held = 0
    for place in sorted(range(len(lengths)), key=lambda place: (-lengths[place], place)):
        if not cut or held + lengths[place] > tokens or len(cut[-1]) == rows:
            cut.append([])
            held = 0
        cut[-1].append(place)
        held += lengths[place]
    return cut


def shares(lengths: Sequence[int], number: int) -> list[list[int]]:
    """The rows of an optimizer step by their places, shared among `number` processes with about as many tokens each.

    The longest first, each to whom has the fewest so far. Where there are fewer rows than processes, some have none.
    """
    parts: list[list[int]] = [[] for _ in range(number)]
    held = [0] * number
    for place in sorted(range(len(lengths)), key=lambda place: (-lengths[place], place)):
        least = held.index(min(held))
        parts[least].append(place)
        held[least] += lengths[place]
    return parts


def take(step: dict[str, Any], places: Sequence[int]) -> list[tuple[Any, Any]]:
    """input_ids and labels of some rows of what `collate` made, a pair a row."""
    lengths = step["lengths"].tolist()
    ids, labels = step["input_ids"].split(lengths), step["labels"].split(lengths)
    return [(ids[place], labels[place]) for place in places]


def attention(
    module: Any,
    query: Any,
    key: Any,
    value: Any,
    attention_mask: Any,
    dropout: float = 0.0,
    scaling: float | None = None,
    sliding_window: int | None = None,
    row_lengths: Sequence[int] = (),
    row_starts: Any = None,
    **kwargs: Any,
) -> tuple[Any, None]:
    """Causal attention within each of the rows that are packed into one, as transformers calls it.

    `query`: (1, heads, tokens, width), `key` and `value` the same with as many heads or a divisor of it;
    `row_lengths`: tokens of each row; `row_starts`: the same as offsets, (rows + 1,), int32. A token sees itself and
    the `sliding_window` - 1 before it, or all before it where that is None. There is no mask of tokens by tokens: on a
    GPU the rows go through one call of torch's flash attention, elsewhere through a call each.
    """
    shared = query.shape[1] != key.shape[1]
    if query.is_cuda and query.dtype in (torch.bfloat16, torch.float16) and query.shape[-1] <= 256 and not dropout:
        from torch.nn.attention.varlen import varlen_attn

        window = (-1 if sliding_window is None else sliding_window - 1, 0)
        queries, keys, values = (tensor[0].transpose(0, 1).contiguous() for tensor in (query, key, value))
        ends = (row_starts, row_starts, max(row_lengths), max(row_lengths))
        found: Any = varlen_attn(queries, keys, values, *ends, scale=scaling, window_size=window, enable_gqa=shared)
        return found[None], None
    parts = []
    for queries, keys, values in zip(
        *(tensor.split(list(row_lengths), dim=2) for tensor in (query, key, value)), strict=True
    ):
        length = queries.shape[2]
        mask = None
        if sliding_window is not None and length > sliding_window:
            mask = torch.ones(length, length, dtype=torch.bool, device=query.device).tril().triu(1 - sliding_window)
        parts.append(
            scaled_dot_product_attention(
                queries, keys, values, mask, dropout, is_causal=mask is None, scale=scaling, enable_gqa=shared
            )
        )
    return torch.cat(parts, dim=2).transpose(1, 2), None


def register() -> None:
    """Make the attention of packed rows known to transformers: without a mask function, it makes no masks for it."""
    from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

    ALL_ATTENTION_FUNCTIONS.register(NAME, attention)
