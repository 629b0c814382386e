"""Log probabilities of what a model would say next, after many texts that begin alike.

What texts share runs through the model once, and its keys and values serve all that goes on from there; of the rest
each token runs once, and only the last one is looked at. Nothing is generated.
"""

import inspect
from collections.abc import Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from pinch.judge.prefixes import Node, batches, tree

PLAIN_LAYERS = frozenset({"full_attention", "sliding_attention"})
"""Kinds of layers whose keys and values can be taken from one place to another."""

KeysAndValues = list[tuple[Any, Any]]
"""A layer each, of (rows, heads, tokens, head size)."""


@dataclass(frozen=True)
class _Before:
    """Keys and values of some nodes and of all that is before them, aligned to the right."""

    layers: KeysAndValues
    row: dict[int, int]
    """Of what goes on from there: the row that it goes on from, by the node's id()."""


def shares(model: Any) -> bool:
    """Whether a beginning can run through this model apart from what follows it."""
    config = model.config.get_text_config()
    kinds = getattr(config, "layer_types", None) or PLAIN_LAYERS
    parameters = inspect.signature(model.forward).parameters
    return (
        PLAIN_LAYERS.issuperset(kinds)
        and not getattr(model, "_is_stateful", False)
        and not getattr(config, "num_kv_shared_layers", None)
        and {"position_ids", "past_key_values"} <= parameters.keys()
    )


def widen(model: Any) -> None:
    """Have the last layer compute in float32: in bfloat16 a logit near 20 is known to 1/8, and labels would tie."""
    import torch

    head = model.get_output_embeddings()
    if not isinstance(head, torch.nn.Linear) or head.weight.dtype not in (torch.bfloat16, torch.float16):
        return
    exact = deepcopy(head).float()
    exact.register_forward_pre_hook(lambda _, states: (states[0].float(),))
    model.set_output_embeddings(exact)


def next_logprobs(
    model: Any, sequences: Sequence[list[int]], tokens: int, share: bool | None = None
) -> Iterator[tuple[list[int], Any]]:
    """For every sequence of token ids the log probabilities of the next token, a batch at a time.

    Yields the places of some sequences and a float32 tensor of (sequences, vocabulary). `tokens`: of a batch, padding
    and what is before it counted; a longer sequence goes alone. `share`: whether to; where the model can unless given.
    """
    share = shares(model) if share is None else share

    def visit(nodes: list[Node], before: _Before | None) -> Iterator[tuple[list[int], Any]]:
        for batch in batches([node for node in nodes if node.sequence is not None], tokens):
            yield [node.sequence for node in batch if node.sequence is not None], _ends(model, batch, before)
        for batch in batches([node for node in nodes if node.sequence is None], tokens):
            yield from visit([child for node in batch for child in node.children], _beginnings(model, batch, before))

    yield from visit(tree(sequences, share), None)


def _ends(model: Any, batch: list[Node], before: _Before | None) -> Any:
    """Log probabilities of the token after each node of a batch."""
    import torch

    with torch.inference_mode():
        inputs = _inputs(model, batch, before)
        if before is not None:
            inputs |= {"past_key_values": _cache(batch, before), "use_cache": True}
        else:
            inputs |= {"use_cache": False}
            del inputs["position_ids"]  # as it is without a cache; not every model takes them
        last = torch.tensor([[len(node.ids) - 1] for node in batch], device=model.device)
        return model(**inputs, logits_to_keep=last).logits[:, -1].float().log_softmax(-1)


def _beginnings(model: Any, batch: list[Node], before: _Before | None) -> _Before:
    """What those who go on from a batch need of it."""
    import torch

    with torch.inference_mode():
        cache = _cache(batch, before)
        model.base_model(**_inputs(model, batch, before), past_key_values=cache, use_cache=True)
        return _aligned(cache, batch)


def _inputs(model: Any, batch: list[Node], before: _Before | None) -> dict[str, Any]:
    """Tokens, positions and mask of a batch, on the model's device.

    What is before is padded on the left and what is new on the right, so that no text has a hole in it: a sliding
    window counts places, not positions.
    """
    import torch

    width = max(node.start for node in batch)
    longest = max(len(node.ids) for node in batch)
    ids = torch.zeros((len(batch), longest), dtype=torch.long)
    mask = torch.zeros((len(batch), width + longest), dtype=torch.long)
    positions = torch.arange(longest).repeat(len(batch), 1)
    for row, node in enumerate(batch):
        ids[row, : len(node.ids)] = torch.as_tensor(node.ids)
        mask[row, width - node.start : width + len(node.ids)] = 1
        positions[row] += node.start
    inputs = {"input_ids": ids, "attention_mask": mask, "position_ids": positions}
    return {name: tensor.to(model.device) for name, tensor in inputs.items()}


def _cache(batch: list[Node], before: _Before | None) -> Any:
    """The keys and values of what is before each node of a batch."""
    import torch
    import transformers

    # Without the config every layer keeps all: one that keeps a window's worth would count the padding into it.
    cache = transformers.DynamicCache()
    if before is not None:
        rows = torch.tensor([before.row[id(node)] for node in batch])
        width = max(node.start for node in batch)
        for layer, (keys, values) in enumerate(before.layers):
            at = keys.shape[2] - width
            cache.update(keys[rows.to(keys.device), :, at:], values[rows.to(keys.device), :, at:], layer)
    return cache


def _aligned(cache: Any, batch: list[Node]) -> _Before:
    """The keys and values that a pass has left, with those before, aligned to the right."""
    import torch

    width = max(node.start for node in batch)
    ends = torch.tensor([width + len(node.ids) for node in batch])
    longest = max(node.end for node in batch)
    rows = torch.arange(len(batch))[:, None]
    # Where a row is shorter, its first places hold anything: they are masked.
    places = (ends[:, None] - longest + torch.arange(longest)).clamp(min=0)
    layers = [
        (layer.keys[rows, :, places].transpose(1, 2), layer.values[rows, :, places].transpose(1, 2))
        for layer in cache.layers
    ]
    return _Before(layers, {id(child): row for row, node in enumerate(batch) for child in node.children})
