"""What the processes of one training tell each other; with a single one, nothing."""

import os
import sys
import warnings
from datetime import timedelta
from pathlib import Path
from typing import Any

PATIENCE = timedelta(hours=2)
"""How long the others wait for one: a large checkpoint is written and read again by the first alone."""


def join() -> None:
    """Meet the others, and take this process's own device. Only the first one prints."""
    import torch
    from accelerate.state import PartialState

    # accelerate hands an option of transformers on by a name that torch is about to retire.
    warnings.filterwarnings("ignore", message=".*broadcast_buffers.*", category=FutureWarning)
    PartialState(cpu=not torch.cuda.is_available(), timeout=PATIENCE)
    if rank():
        sys.stdout = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115


def part() -> None:
    """Leave the others, when all is done."""
    import torch

    if number() > 1:
        torch.distributed.destroy_process_group()


def _grouped() -> bool:
    from torch import distributed

    return distributed.is_available() and distributed.is_initialized()


def number() -> int:
    """How many processes there are."""
    from torch import distributed

    return distributed.get_world_size() if _grouped() else 1


def rank() -> int:
    """Which of them this is, from 0."""
    from torch import distributed

    return distributed.get_rank() if _grouped() else 0


def from_first(value: Any) -> Any:
    """What the first process has to say."""
    if number() == 1:
        return value
    from torch import distributed

    said = [value]
    distributed.broadcast_object_list(said, src=0)
    return said[0]


def whole(model: Any) -> dict[str, Any]:
    """The trained weights of a model of which each process has a part, on the CPU of the first; all must ask."""
    from torch.distributed.tensor import DTensor

    found = {}
    for name, weight in model.named_parameters(remove_duplicate=False):
        if weight.requires_grad:
            gathered = weight.full_tensor() if isinstance(weight, DTensor) else weight
            if rank() == 0:
                found[name] = gathered.detach().cpu().clone()  # clone: what is still on its way has no storage
    return found


def highest(value: int, device: Any) -> int:
    """The highest of all processes' numbers; every one of them must ask."""
    if number() == 1:
        return value
    import torch

    found = torch.tensor(value, device=device)
    torch.distributed.all_reduce(found, op=torch.distributed.ReduceOp.MAX)
    return int(found)
