"""The loss of a micro-batch: packed and through a head of tiles where the model bears it, else as the model does it."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch

from pinch.finetune import packing
from pinch.finetune.head import head_loss

CHECK = 24
"""Tokens of each of the two rows on which packing is tried, of which the last third are labels."""


@contextmanager
def cast_inputs(model: Any, cast: bool) -> Iterator[None]:
    """Whether adapters cast what they are given to their own dtype; under autocast that would be a copy for nothing."""
    layers = [module for module in model.modules() if hasattr(module, "cast_input_dtype_enabled")]
    before = [layer.cast_input_dtype_enabled for layer in layers]
    for layer in layers:
        layer.cast_input_dtype_enabled = cast
    try:
        yield
    finally:
        for layer, old in zip(layers, before, strict=True):
            layer.cast_input_dtype_enabled = old


def by_way_of(wrapped: Any, module: Any, function: Callable[..., Any], *arguments: Any) -> Any:
    """What `function` returns, called in the place of the forward method of `module`, by way of what wraps it.

    DDP and FSDP prepare weights and gradients there: whoever takes a weight and no forward pass, takes a part of it.
    """
    own = vars(module).get("forward")

    def back() -> None:
        if own is None:
            vars(module).pop("forward", None)
        else:
            module.forward = own

    def instead(*given: Any) -> Any:
        back()
        return function(*given)

    module.forward = instead
    try:
        return wrapped(*arguments)
    finally:
        back()


class Forward:
    """Computes losses with a model, which may be one with adapters.

    Packing relies on a model that mixes tokens in nothing but attention that can be replaced, and the head of tiles on
    one that does nothing but a softcap to its logits. Which models those are is tried on two rows, not looked up.
    """

    def __init__(self, model: Any, rows: Sequence[Any], autocast: Any, pad: int) -> None:
        """`rows`: at least one row of token ids to try packing on; `autocast`: makes a context; `pad`: a token id."""
        from peft import PeftModel

        self.base = model.get_base_model() if isinstance(model, PeftModel) else model
        self.autocast = autocast
        self.pad = pad
        self.own_attention = self.base.config._attn_implementation
        self.softcap = getattr(self.base.config.get_text_config(), "final_logit_softcapping", None)
        self.packed = False
        if self.own_attention == "sdpa":
            packing.register()
            ids = [torch.as_tensor(row[:CHECK], device=self.base.device) for row in (rows[0], rows[-1])]
            self.packed = self._bears_packing(ids)

    def _bears_packing(self, ids: list[Any]) -> bool:
        """Whether the loss of two rows together and packed is, to rounding, that of the model on each alone."""
        training = self.base.training
        self.base.train()  # new adapters do nothing, so that their dropout does nothing
        pairs = [(row, row.where(torch.arange(len(row), device=row.device) > len(row) * 2 // 3, -100)) for row in ids]
        try:
            with torch.no_grad(), self.autocast():
                alone = [self._padded([pair], 1).item() for pair in pairs]
                with self._attention(packing.NAME):
                    # In either order: what comes second would see what comes first.
                    packed = [self._packed(order, 1).item() for order in (pairs, pairs[::-1])]
        except (AttributeError, TypeError, ValueError, RuntimeError):
            return False
        finally:
            self.base.train(training)
        low = self.dtype != torch.float32
        return all(abs(one - sum(alone)) <= (2e-2 if low else 1e-4) * abs(sum(alone)) for one in packed)

    @property
    def dtype(self) -> Any:
        """What matrix products are computed in."""
        with self.autocast():
            device = self.base.device.type
            return torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else self.base.dtype

    @contextmanager
    def _attention(self, name: str) -> Iterator[None]:
        before = self.base.config._attn_implementation
        self.base.set_attn_implementation(name)
        try:
            yield
        finally:
            self.base.set_attn_implementation(before)

    @contextmanager
    def training(self) -> Iterator[None]:
        """Forward and backward passes of `loss` belong in here: a checkpointed layer is computed anew in backward."""
        low = self.dtype != torch.float32
        with self._attention(packing.NAME if self.packed else self.own_attention), cast_inputs(self.base, not low):
            yield

    @contextmanager
    def decoding(self) -> Iterator[None]:
        """The model as transformers made it, for decoding in the midst of a training."""
        with self._attention(self.own_attention), cast_inputs(self.base, True):
            yield

    def loss(self, rows: Sequence[tuple[Any, Any]], count: Any) -> Any:
        """Cross-entropy in nats, summed over the labels of `rows` (input_ids, labels) and divided by `count`."""
        with self.autocast():
            return self._packed(rows, count) if self.packed else self._padded(rows, count)

    def places(self, lengths: Sequence[int]) -> int:
        """Tokens that the model computes for a micro-batch of rows of these lengths, padding included."""
        return sum(lengths) if self.packed else max(lengths) * len(lengths)

    def _packed(self, rows: Sequence[tuple[Any, Any]], count: Any) -> Any:
        lengths = [len(ids) for ids, _ in rows]
        device = rows[0][0].device
        positions = torch.cat([torch.arange(length, device=device) for length in lengths])
        starts = torch.tensor([0, *lengths], device=device).cumsum(0).to(torch.int32)
        hidden = self.base.base_model(
            input_ids=torch.cat([ids for ids, _ in rows])[None],
            position_ids=positions[None],
            use_cache=False,
            row_lengths=lengths,
            row_starts=starts,
        ).last_hidden_state[0]
        targets = torch.cat([labels for _, labels in rows])[1:]
        places = (targets != -100).nonzero().flatten()
        head = self.base.get_output_embeddings()
        if head.bias is not None:
            raise ValueError("a head with a bias is left to the model")

        def loss(hidden: Any) -> Any:
            return head_loss(hidden, head.weight, targets[places], count, self.softcap)

        return by_way_of(head, head, loss, hidden[places])

    def _padded(self, rows: Sequence[tuple[Any, Any]], count: Any) -> Any:
        """Padded on the right; the model's own head runs over the columns in which some row has a label."""

        def pad(tensors: Sequence[Any], value: int) -> Any:
            return torch.nn.utils.rnn.pad_sequence(list(tensors), batch_first=True, padding_value=value)

        targets = pad([labels for _, labels in rows], -100)[:, 1:]
        columns = (targets != -100).any(dim=0).nonzero().flatten()
        # Not by calling the model: that is what may have brought us here, see PackedTrainer.rows_loss.
        logits = self.base.forward(
            input_ids=pad([ids for ids, _ in rows], self.pad),
            attention_mask=pad([torch.ones_like(ids) for ids, _ in rows], 0),
            logits_to_keep=columns,
            use_cache=False,
        ).logits
        summed = torch.nn.functional.cross_entropy(
            logits.float().flatten(0, 1), targets[:, columns].flatten(), ignore_index=-100, reduction="sum"
        )
        return summed / count
