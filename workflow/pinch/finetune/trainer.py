"""TRL's SFTTrainer on micro-batches of whole optimizer steps, and one line of progress now and then."""

import math
import time
from typing import Any

import torch
from transformers import TrainerCallback
from trl import SFTTrainer

from pinch.errors import PinchError
from pinch.finetune import packing
from pinch.finetune.forward import Forward


class PackedTrainer(SFTTrainer):
    """The same loss and the same steps as SFTTrainer's, without padding and without logits that nobody needs.

    A batch of the data loader is a whole optimizer step, see packing.collate, and is cut into micro-batches here, so
    that a step has as many rows in every language, however long they are. SFTTrainer (TRL 1.16) pads, keeps its rows
    in the order in which they come, and on a CPU runs its fused head over prompts and padding too; everywhere it takes
    entropy and top-1 accuracy from the logits at every step, and computes them a second time in backward.
    """

    def __init__(self, *arguments: Any, forward: Forward, tokens: int, rows: int | None = None, **others: Any) -> None:
        """`tokens` and `rows`: of a micro-batch at most."""
        super().__init__(*arguments, data_collator=packing.collate, **others)
        self.tokens = tokens
        self.rows = rows
        self.forward = forward
        self.micro_batches = 0
        self.computed = 0

    def training_step(self, model: Any, inputs: dict[str, Any], num_items_in_batch: Any = None) -> Any:
        """Forward and backward of a whole optimizer step; its loss a label token, for the log."""
        model.train()
        inputs = self._prepare_inputs(inputs)
        count = (inputs["labels"] != -100).sum().clamp(min=1)
        total = torch.zeros((), device=count.device)
        for places in packing.micro_batches(inputs["lengths"].tolist(), self.tokens, self.rows):
            rows = packing.take(inputs, places)
            loss = self.forward.loss(rows, count)
            self.accelerator.backward(loss)
            total += loss.detach()
            self.micro_batches += 1
            self.computed += self.forward.places(rows)
        return total

    def facts(self) -> dict[str, Any]:
        """For the manifest: how it was computed; padding as a share of the tokens computed."""
        return {
            "dtype": str(self.forward.dtype).removeprefix("torch."),
            "attention": "packed rows" if self.forward.packed else f"padded rows, {self.forward.own_attention}",
            "padding_share": round(1 - self.state.num_input_tokens_seen / self.computed, 4),
            "micro_batches": self.micro_batches,
        }

    def floating_point_ops(self, inputs: dict[str, Any]) -> int:
        """Nobody reads them, and counting walks over all weights at every step."""
        return 0


class Progress(TrainerCallback):
    """Keeps the loss curve, prints some eight lines a training, and stops at a loss that is no number."""

    def __init__(self, tokens_per_epoch: int) -> None:
        self.tokens_per_epoch = tokens_per_epoch
        self.curve: list[tuple[int, float]] = []
        self.started = time.monotonic()

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Start the clock."""
        self.started = time.monotonic()

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, float] | None = None, **kwargs: Any) -> None:
        """Raises PinchError at a loss that is NaN or infinite."""
        if not logs or "loss" not in logs:
            return
        loss = logs["loss"]
        if not math.isfinite(loss) or not math.isfinite(logs.get("grad_norm", 0.0)):
            raise PinchError(
                f"loss {loss} with gradient norm {logs.get('grad_norm')} at step {state.global_step} of "
                f"{state.max_steps}: training diverged; lower finetune.lr or add finetune.warmup"
            )
        self.curve.append((state.global_step, round(loss, 4)))
        every = math.ceil(state.max_steps / 8)
        if state.global_step % every == 0 or state.global_step == state.max_steps:
            seconds = time.monotonic() - self.started
            rate = self.tokens_per_epoch * (state.epoch or 0) / seconds
            left = seconds / state.global_step * (state.max_steps - state.global_step)
            print(
                f"finetune: step {state.global_step}/{state.max_steps}, loss {loss:.3f}, {rate:.0f} tokens/s, "
                f"{left:.0f} s left",
                flush=True,
            )
