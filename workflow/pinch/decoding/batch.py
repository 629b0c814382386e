"""Decoding in a batch that stays full: a row that has ended leaves at once, and a waiting prompt takes its place."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from pinch.decoding.columns import Columns, Layer

PREFILL = 8192
"""Tokens of prompts that are read at a time."""

SHARE = 4
"""A quarter of the rows is waited for before new prompts are read: reading one costs nearly a step of all."""

MEMORY = 0.8
"""Share of a GPU's free memory that keys and values may take."""

Choose = Callable[[Any, Sequence[tuple[int, int]]], list[int]]
"""Tokens for logits (rows, vocabulary), given of each row its prompt's place and the tokens that it has so far."""


@dataclass
class Row:
    """A response in the making."""

    place: int
    """Of its prompt."""
    tokens: list[int] = field(default_factory=list)


def most_rows(model: Any, wanted: int, columns: int) -> int:
    """`wanted` rows, or as many as have room for keys and values in the memory of a GPU; one at least."""
    import torch

    if model.device.type != "cuda":
        return wanted
    config = model.config.get_text_config()
    heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
    size = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    row = int(2 * config.num_hidden_layers * heads * size * columns * model.dtype.itemsize)
    free, _ = torch.cuda.mem_get_info(model.device)
    free += torch.cuda.memory_reserved(model.device) - torch.cuda.memory_allocated(model.device)
    return max(1, min(wanted, int(MEMORY * free) // row))


def decoded(
    model: Any,
    layers: list[Layer],
    prompts: Sequence[Sequence[int]],
    stops: set[int],
    most_tokens: int,
    batch_size: int,
    pad: int,
    choose: Choose,
) -> Iterator[tuple[int, list[int]]]:
    """The place of each prompt (token ids) with its response's tokens, a stop token among them, as they end.

    Longest prompts first: later ones then fit the columns that are there, and what takes most memory comes first.
    """
    import torch

    waiting = sorted(range(len(prompts)), key=lambda place: (-len(prompts[place]), place))
    longest = len(prompts[waiting[0]]) + most_tokens
    size = most_rows(model, min(batch_size, len(prompts)), longest)
    # A half more than the longest row needs: columns are then moved to the left once in many steps.
    columns = Columns(layers, size, longest + max(64, longest // 2))
    rows: list[Row] = []

    def ended() -> Iterator[tuple[int, list[int]]]:
        nonlocal rows
        done = [place for place, row in enumerate(rows) if row.tokens[-1] in stops or len(row.tokens) == most_tokens]
        if done:
            yield from [(rows[place].place, rows[place].tokens) for place in done]
            rows = [rows[place] for place in columns.leave(done)]

    while rows or waiting:
        while waiting and (not rows or size - len(rows) >= min(len(waiting), max(1, size // SHARE))):
            count = min(size - len(rows), max(1, PREFILL // len(prompts[waiting[0]])))
            new, waiting = waiting[:count], waiting[count:]
            logits = _prefill(model, columns, [prompts[place] for place in new], pad)
            tokens = choose(logits, [(place, 0) for place in new])
            rows += [Row(place, [token]) for place, token in zip(new, tokens, strict=True)]
            yield from ended()
        if not rows:
            continue
        output = model(
            input_ids=torch.tensor([[row.tokens[-1]] for row in rows], device=model.device),
            attention_mask=columns.mask(model.device),
            position_ids=columns.positions(model.device),
            past_key_values=columns,
            use_cache=True,
        )
        columns.advance()
        chosen = choose(output.logits[:, -1], [(row.place, len(row.tokens)) for row in rows])
        for row, token in zip(rows, chosen, strict=True):
            row.tokens.append(token)
        yield from ended()


def _prefill(model: Any, columns: Columns, prompts: Sequence[Sequence[int]], pad: int) -> Any:
    """Read prompts, and add them to the batch: the logits of their first tokens, (prompts, vocabulary)."""
    import torch
    from transformers.cache_utils import DynamicCache

    longest = max(map(len, prompts))
    ids = torch.tensor([[pad] * (longest - len(prompt)) + list(prompt) for prompt in prompts], device=model.device)
    begins = torch.tensor([[longest - len(prompt)] for prompt in prompts], device=model.device)
    places = torch.arange(longest, device=model.device)[None, :] - begins
    read = DynamicCache(config=model.config)
    output = model(
        input_ids=ids,
        attention_mask=(places >= 0).long(),
        position_ids=places.clamp(min=0),
        past_key_values=read,
        use_cache=True,
        logits_to_keep=1,
    )
    columns.join(read, [len(prompt) for prompt in prompts])
    return output.logits[:, -1]
