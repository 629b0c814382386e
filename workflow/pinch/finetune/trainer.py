"""TRL's SFTTrainer on micro-batches of whole optimizer steps, and one line of progress now and then."""

import math
import time
from contextlib import nullcontext
from typing import Any

import torch
import transformers
from safetensors import SafetensorError
from transformers import TrainerCallback
from trl import SFTTrainer

from pinch.errors import PinchError
from pinch.finetune import packing
from pinch.finetune.forward import Forward, by_way_of


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
        self.unsaved: str | None = None
        """Why the last checkpoint could not be written, if it could not."""

    @property
    def sharded(self) -> bool:
        """Whether each process has a part of the model only, and gathers the rest in every forward pass."""
        return bool(self.is_fsdp_enabled)

    def training_step(self, model: Any, inputs: dict[str, Any], num_items_in_batch: Any = None) -> Any:
        """Forward and backward of a whole optimizer step; its loss a label token, for the log.

        Of several processes each takes its share of the rows. The sum of its losses is divided by the label tokens of
        all and multiplied by the number of processes, of whose gradients DDP and FSDP take the mean: loss and gradient
        are those of one process, to rounding.
        """
        model.train()
        inputs = self._prepare_inputs(inputs)
        self.state.num_input_tokens_seen += inputs["input_ids"].numel()
        count = (inputs["labels"] != -100).sum().clamp(min=1)
        total = torch.zeros((), device=count.device)
        number = self.args.world_size
        lengths = inputs["lengths"].tolist()
        cuts = self._cuts(lengths)
        self.micro_batches += sum(map(len, cuts))
        self.computed += sum(
            self.forward.places([lengths[place] for place in places]) for cut in cuts for places in cut
        )
        cut = self._own(cuts, lengths)
        for place, (places, weight) in enumerate(cut):
            rows = packing.take(inputs, places)
            # What FSDP has not brought together yet is a whole gradient in memory.
            together = place + 1 == len(cut) or self.sharded or number == 1
            with nullcontext() if together else self.accelerator.no_sync(model):
                loss = self.rows_loss(rows, count)
                self.accelerator.backward(loss if number == 1 else loss * (number * weight))
            if weight:
                total += loss.detach()
        return total if number == 1 else self.accelerator.reduce(total, "sum")

    def _cuts(self, lengths: list[int]) -> list[list[list[int]]]:
        """Every process's micro-batches of a step, as places of rows."""
        if self.args.world_size == 1:
            return [packing.micro_batches(lengths, self.tokens, self.rows)]
        parts = packing.shares(lengths, self.args.world_size)
        found = []
        for part in parts:
            held = packing.micro_batches([lengths[place] for place in part], self.tokens, self.rows)
            found.append([[part[place] for place in places] for places in held])
        return found

    def _own(self, cuts: list[list[list[int]]], lengths: list[int]) -> list[tuple[list[int], int]]:
        """This process's micro-batches, and 1; or a short row of another one's and 0, where it must do as others do.

        A gradient is brought together by all processes or none; with FSDP so is every forward pass.
        """
        own = cuts[self.args.process_index]
        most = max(map(len, cuts)) if self.sharded else 1
        shortest = min(range(len(lengths)), key=lambda place: lengths[place])
        return [(places, 1) for places in own] + [([shortest], 0)] * max(0, most - len(own))

    def rows_loss(self, rows: list[tuple[Any, Any]], count: Any) -> Any:
        """Forward.loss, by way of what accelerate has put around the model: it prepares weights and gradients there."""
        if self.args.world_size == 1 or not (self.sharded or torch.is_grad_enabled()):
            return self.forward.loss(rows, count)
        model = self.accelerator.unwrap_model(self.model_wrapped)
        return by_way_of(self.model_wrapped, model, self.forward.loss, rows, count)

    def get_train_dataloader(self) -> Any:
        """Every process reads all rows in the same order, and takes its share of each step by itself."""
        if self.args.world_size == 1:
            return super().get_train_dataloader()
        from accelerate.data_loader import prepare_data_loader

        loader = torch.utils.data.DataLoader(
            self.train_dataset,
            batch_size=self.args.per_device_train_batch_size,
            sampler=self._get_train_sampler(),
            collate_fn=self.data_collator,
            pin_memory=self.args.dataloader_pin_memory,
        )
        return prepare_data_loader(
            loader,
            self.args.device,
            num_processes=1,
            process_index=0,
            put_on_device=True,
            use_seedable_sampler=True,
            data_seed=self.args.data_seed,
        )

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        """transformers' own, without TRL's card of the model; a fault is kept for who asked for it."""
        self.unsaved = None
        try:
            transformers.Trainer._save_checkpoint(self, model, trial)
        except (OSError, RuntimeError, SafetensorError) as error:  # torch has no error of its own for a full disk
            self.unsaved = " ".join(str(error).split())

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
