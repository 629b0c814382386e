"""The loss of response tokens, with logits of a part of the vocabulary at a time and its gradient at once."""

from typing import Any

import torch

TOKENS = {"cpu": 512, "cuda": 4096}
VOCABULARY = {"cpu": 8192, "cuda": 32768}
"""Logits in memory at once, label tokens by rows of the head: on a CPU some that a cache holds."""


class _HeadLoss(torch.autograd.Function):
    """Softmax over all of the vocabulary in one pass of tiles, as flash attention takes it over keys.

    With h W^T = s, the gradient of -log softmax(s)_t by h is sum_v softmax(s)_v W_v - W_t: attention over the rows of
    the head, so that its running maximum and sum serve here too (Milakov and Gimelshein 2018, Dao et al. 2022), and no
    logit is computed twice. It is taken in the forward pass. A head that is trained needs what is kept of a chunk of
    tokens over the whole vocabulary; one that is frozen needs nothing.
    """

    @staticmethod
    def forward(ctx: Any, hidden: Any, weight: Any, targets: Any, count: Any, softcap: float | None) -> Any:
        device = hidden.device.type
        dtype = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else hidden.dtype
        by_hidden = torch.empty_like(hidden)
        by_weight = torch.zeros_like(weight, dtype=torch.float32) if ctx.needs_input_grad[1] else None
        total = torch.zeros((), device=hidden.device)
        for start in range(0, len(targets), TOKENS[device]):
            part = slice(start, start + TOKENS[device])
            loss, by_hidden[part] = _chunk(hidden[part].to(dtype), weight, targets[part], count, softcap, by_weight)
            total += loss
        ctx.save_for_backward(by_hidden)
        ctx.by_weight = by_weight
        return total / count

    @staticmethod
    def backward(ctx: Any, grad: Any) -> Any:
        (by_hidden,) = ctx.saved_tensors
        by_weight = None if ctx.by_weight is None else ctx.by_weight.mul_(grad)
        return by_hidden * grad.to(by_hidden.dtype), by_weight, None, None, None


def _chunk(hidden: Any, weight: Any, targets: Any, count: Any, softcap: float | None, by_weight: Any) -> Any:
    """The summed loss of some tokens and its gradient by `hidden`, divided by `count`; adds that by `weight`."""
    tokens, step = len(targets), VOCABULARY[hidden.device.type]
    highest = torch.full((tokens, 1), -torch.inf, device=hidden.device)
    summed = torch.zeros((tokens, 1), device=hidden.device)
    expected = torch.zeros((tokens, weight.shape[1]), device=hidden.device)
    tiles = []
    for start in range(0, len(weight), step):
        rows = weight[start : start + step].to(hidden.dtype)
        logits = hidden @ rows.T
        slope = None
        if softcap is not None:
            logits = torch.tanh(logits.float() / softcap)
            slope = 1 - logits.square()
            logits *= softcap
        higher = torch.maximum(highest, logits.amax(1, keepdim=True).float())
        odds = torch.sub(logits, higher).exp_()  # float32, as the maximum is
        shrunk = (highest - higher).exp_()
        summed.mul_(shrunk).add_(odds.sum(1, keepdim=True))
        if slope is not None:
            odds *= slope
        odds = odds.to(hidden.dtype)
        expected.mul_(shrunk).add_(odds @ rows)
        highest = higher
        if by_weight is not None:
            tiles.append((start, higher, odds))
    own = weight[targets].to(hidden.dtype)
    chosen = (hidden.float() * own.float()).sum(1, keepdim=True)
    slope = torch.ones_like(chosen)
    if softcap is not None:
        chosen = torch.tanh(chosen / softcap)
        slope = 1 - chosen.square()
        chosen *= softcap
    for start, at, odds in tiles:
        scaled = hidden * ((at - highest).exp_() / (summed * count)).to(hidden.dtype)
        by_weight[start : start + step] += odds.T @ scaled
    if by_weight is not None:
        by_weight.index_put_((targets,), hidden.float() * slope / -count, accumulate=True)
    loss = (highest + summed.log() - chosen).sum()
    return loss, (expected / summed - slope * own) / count


def head_loss(hidden: Any, weight: Any, targets: Any, count: Any, softcap: float | None = None) -> Any:
    """Cross-entropy in nats, summed over label tokens and divided by `count`.

    `hidden`: (tokens, width), what the head is given where a label comes next; `weight`: (vocabulary, width), the
    head, trained or frozen; `targets`: (tokens,), the labels; `count`: a number or a tensor of one; `softcap`: c of
    c tanh(logits / c), as Gemma 2 has it.
    """
    return _HeadLoss.apply(hidden, weight, targets, count, softcap)  # type: ignore[no-untyped-call]
