"""TRL's SFTTrainer with the head computed only where a label counts, and one line of progress now and then."""

import math
import time
from collections.abc import Mapping
from typing import Any

import torch
from transformers import TrainerCallback
from trl import SFTTrainer

from pinch.errors import PinchError


def completion_loss(model: Any, inputs: Mapping[str, Any]) -> tuple[Any, Any, Any]:
    """Cross-entropy in nats, summed over the labels of a batch; the number of labels; and what the model put out.

    `inputs`: input_ids, attention_mask and labels, each (rows, tokens); -100 is no label. The head runs over the
    columns in which some row has one.
    """
    inputs = dict(inputs)
    targets = inputs.pop("labels")[:, 1:]
    columns = (targets != -100).any(dim=0).nonzero().flatten()
    outputs = model(**inputs, logits_to_keep=columns, use_cache=False)
    targets = targets[:, columns]
    total = torch.nn.functional.cross_entropy(
        outputs.logits.float().flatten(0, 1), targets.flatten(), ignore_index=-100, reduction="sum"
    )
    return total, (targets != -100).sum(), outputs


class CompletionLossTrainer(SFTTrainer):
    """The same loss as SFTTrainer's, without logits that nobody needs.

    SFTTrainer (TRL 1.16) replaces the head by a fused one that runs over all tokens, prompt and padding too, and
    takes entropy and top-1 accuracy from them at every step. At a vocabulary of 262,144 the head is most of the
    bill. Here the model's own head runs where there is a label, see completion_loss.
    """

    def compute_loss(
        self,
        model: Any,
        inputs: dict[str, Any],
        return_outputs: bool = False,
        num_items_in_batch: Any = None,
    ) -> Any:
        """Cross-entropy summed over labels, divided by the labels of the whole optimizer step."""
        total, labels, outputs = completion_loss(model, inputs)
        count = num_items_in_batch if num_items_in_batch is not None else labels
        loss = total / torch.as_tensor(count, device=total.device).clamp(min=1)
        if self.args.average_tokens_across_devices and num_items_in_batch is not None:
            # Gradients are averaged over processes, but num_items_in_batch counts the labels of all of them.
            loss = loss * self.accelerator.num_processes
        return (loss, outputs) if return_outputs else loss


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
