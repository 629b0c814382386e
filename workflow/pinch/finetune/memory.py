"""How much of an optimizer step is in memory at once, and whether layers are computed twice to save some."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from pinch.config import Finetune
from pinch.finetune.forward import Forward
from pinch.finetune.packing import collate, take

TOKENS = {"cpu": 2048, "cuda": 16384}
"""Of a micro-batch: above it a device computes no faster."""
ENOUGH = {"cpu": 512, "cuda": 4096}
"""Of a micro-batch: below it smaller ones cost more than computing layers twice does."""
EXAMPLE = 64
"""Tokens, about, of the example that tells what a token saves."""
BYTES_A_WEIGHT = 12
"""Of a weight that is trained: its gradient, and AdamW's two moments, in float32."""
USABLE = 0.8
"""Share of the free memory that is planned with."""


def free_bytes(device: str) -> int:
    """Memory that this process may still take: of the GPU with what torch holds in reserve, else of the machine."""
    if device == "cuda":
        free, _ = torch.cuda.mem_get_info()
        return int(free + torch.cuda.memory_reserved() - torch.cuda.memory_allocated())
    import psutil

    return int(psutil.virtual_memory().available)


def saved_bytes(model: Any, work: Any) -> int:
    """What `work`, a forward pass, keeps for backward, in bytes, the weights of `model` left out."""
    kept: dict[int, int] = {}
    weights = {weight.untyped_storage().data_ptr() for weight in model.parameters()}

    def pack(tensor: Any) -> Any:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        loss = work()  # held until all is counted: a freed address would be counted once for two tensors
    del loss
    return sum(kept.values())


@dataclass(frozen=True)
class Plan:
    """What was decided, and the sentence that says why."""

    tokens: int
    """Of a micro-batch at most, unless a single row has more."""
    checkpointing: bool
    why: str


def plan(
    wanted: int | None,
    checkpointing: bool | str,
    longest: int,
    step: int,
    device: str,
    per_token: float,
    per_token_checkpointed: float,
    fixed: int,
    free: int,
) -> Plan:
    """Micro-batches as large as is of use and fits; then smaller ones; then layers computed twice; then smaller still.

    `wanted`: micro_batch_tokens; `checkpointing`: true, false or auto; `longest`: tokens of the longest row, which no
    micro-batch can undercut; `step`: tokens of an optimizer step at most; `per_token`, `per_token_checkpointed`: bytes
    that a token saves for backward; `fixed`: bytes that a training needs besides; `free`: bytes that there are.
    """
    most = max(longest, min(step, wanted or TOKENS[device]))
    room = max(0, int(USABLE * free) - fixed)
    said = f"{free / 2**30:.1f} GiB free, {fixed / 2**30:.2f} GiB and {per_token / 2**20:.2f} MiB a token needed"
    fits = int(room / per_token)
    enough = most if wanted else min(most, max(longest, ENOUGH[device]))  # a wish is not cut short
    if checkpointing is False or (checkpointing == "auto" and fits >= enough):
        off = "is off" if checkpointing is False else "is not needed"
        if wanted or fits >= most:
            return Plan(most, False, f"gradient checkpointing {off}: {said}")
        return Plan(max(longest, fits), False, f"gradient checkpointing {off}, but smaller micro-batches are: {said}")
    fits = int(room / per_token_checkpointed)
    on = "is on" if checkpointing is True else "is needed"
    said += f", {per_token_checkpointed / 2**20:.2f} MiB a token with it"
    if wanted or fits >= most:
        return Plan(most, True, f"gradient checkpointing {on}: {said}")
    if fits < longest:
        return Plan(longest, True, f"gradient checkpointing {on}, and memory may still not do: {said}")
    return Plan(fits, True, f"gradient checkpointing {on}, and smaller micro-batches: {said}")


def plan_for(model: Any, examples: Sequence[dict[str, Any]], settings: Finetune, forward: Forward) -> Plan:
    """The plan of a training on this device now, from what a short example of it saves."""
    lengths = sorted((len(example["input_ids"]) for example in examples), reverse=True)
    trained = sum(weight.numel() for weight in model.parameters() if weight.requires_grad)
    example = min(examples, key=lambda example: abs(len(example["input_ids"]) - EXAMPLE))
    rows = take({key: tensor.to(model.device) for key, tensor in collate([example]).items()}, [0])
    model.train()
    with forward.training():
        saved = saved_bytes(model, lambda: forward.loss(rows, 1)) / len(example["input_ids"])
    config = model.config.get_text_config()
    layers = config.num_hidden_layers
    return plan(
        settings.micro_batch_tokens,
        settings.gradient_checkpointing,
        lengths[0],
        sum(lengths[: settings.batch_size]),
        model.device.type,
        saved,
        # Each layer keeps what it is given, and one at a time all of its own.
        layers * config.hidden_size * forward.dtype.itemsize + saved / layers,
        trained * BYTES_A_WEIGHT,
        free_bytes(model.device.type),
    )


def peak_bytes(device: str) -> int:
    """The most memory that this process has held: on the GPU where there is one, else resident."""
    if device == "cuda":
        return int(torch.cuda.max_memory_allocated())
    import resource
    import sys

    # Linux counts in KiB, macOS in bytes.
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
