"""Which checkpoint is kept: a score on the development rows at a few steps of a training that takes no notice."""

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from transformers import TrainerCallback

from pinch.config import Finetune, Generate
from pinch.decoding import decode
from pinch.errors import PinchError
from pinch.finetune.examples import languages_of, tokenize
from pinch.finetune.packing import collate, micro_batches, take
from pinch.finetune.rouge import mean_rouge_l
from pinch.finetune.trainer import PackedTrainer
from pinch.rows import ExampleRow


@contextmanager
def aside(model: Any) -> Iterator[None]:
    """A look at a model in training: no dropout, no gradients; the state of chance and the mode are put back."""
    training = model.training
    devices = [model.device] if model.device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices), torch.no_grad():
        model.eval()
        model.config.use_cache = True  # decoding without takes many times as long
        try:
            yield
        finally:
            model.train(training)
            model.config.use_cache = False


def mean_loss(
    loss: Callable[..., Any], examples: Sequence[dict[str, Any]], tokens: int, rows: int | None, device: Any
) -> float:
    """Cross-entropy in nats a response token: summed over all rows, divided by all of their response tokens.

    `loss`: that of some rows, divided by a count; `examples`: as `tokenize` makes them; `tokens` and `rows`: of a
    micro-batch at most. A mean of batches' means would weigh a token by the batch that it is in.
    """
    step = {key: tensor.to(device) for key, tensor in collate(examples).items()}
    count = int((step["labels"] != -100).sum())
    cut = micro_batches(step["lengths"].tolist(), tokens, rows)
    return sum(float(loss(take(step, places), count)) for places in cut)


def rouge_l(model: Any, tokenizer: Any, dev: Sequence[ExampleRow], tokens: int) -> float:
    """Mean ROUGE-L F1, 0 to 1, of greedy responses of at most `tokens` to the instructions of `dev`."""
    settings = Generate(max_new_tokens=tokens)  # a row takes far less memory than in training
    said = decode(model, tokenizer, dev, settings, "", chat=True, limit="finetune.rouge_l_tokens")
    return mean_rouge_l([row.response for row in dev], [row.response for row in said])


class Selection(TrainerCallback):
    """Scores the model at equal distances, the last step among them, and calls `keep` where it is the best so far."""

    def __init__(
        self,
        settings: Finetune,
        dev: Sequence[ExampleRow],
        trainer: PackedTrainer,
        keep: Callable[[Any], None],
    ) -> None:
        self.settings = settings
        self.dev = dev
        self.trainer = trainer
        self.tokenizer: Any = trainer.processing_class
        self.keep = keep
        self.examples, _ = tokenize(dev, self.tokenizer, settings.max_length, settings.max_response_length)
        self.steps: set[int] = set()
        self.scores: list[tuple[int, float]] = []
        self.chosen = 0
        self.best = -math.inf
        self.seconds = 0.0

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Choose the steps; all of them where there are fewer than checkpoints."""
        number = self.settings.checkpoints
        self.steps = {math.ceil(place * state.max_steps / number) for place in range(1, number + 1)}

    def on_step_end(self, args: Any, state: Any, control: Any, model: Any = None, **kwargs: Any) -> None:
        """Raises PinchError at a loss that is NaN or infinite."""
        if state.global_step not in self.steps:
            return
        started = time.monotonic()
        with aside(model):
            score = self.score(model)
            self.scores.append((state.global_step, score))
            merit = -score if self.settings.select == "loss" else score
            if merit > self.best:  # a tie goes to the earlier one
                self.best, self.chosen = merit, state.global_step
                self.keep(model)
        self.seconds += time.monotonic() - started
        said = "best so far" if self.chosen == state.global_step else f"step {self.chosen} stays the best"
        name = {"loss": "loss", "rouge_l": "ROUGE-L"}[self.settings.select]
        print(
            f"finetune: step {state.global_step}/{state.max_steps}, development {name} {score:.4f}, {said}", flush=True
        )

    def score(self, model: Any) -> float:
        """The number by which checkpoints are compared, to six digits as the manifest has it."""
        if self.settings.select == "rouge_l":
            with self.trainer.forward.decoding():
                return round(rouge_l(model, self.tokenizer, self.dev, self.settings.rouge_l_tokens), 6)
        tokens, rows = self.trainer.tokens, self.trainer.rows
        loss = mean_loss(self.trainer.rows_loss, self.examples, tokens, rows, self.trainer.args.device)
        if not math.isfinite(loss):
            raise PinchError(f"development loss {loss}: training diverged; lower finetune.lr or add finetune.warmup")
        return round(loss, 6)

    def state(self) -> dict[str, Any]:
        """What a training that goes on must know."""
        return {"scores": self.scores, "chosen": self.chosen, "seconds": self.seconds}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from such a state."""
        self.scores = [(step, score) for step, score in state["scores"]]
        self.chosen, self.seconds = state["chosen"], state["seconds"]
        if self.chosen:
            best = dict(self.scores)[self.chosen]
            self.best = -best if self.settings.select == "loss" else best

    def facts(self) -> dict[str, Any]:
        """For the manifest."""
        return {
            "by": self.settings.select,
            "checkpoints": self.scores,
            "chosen": self.chosen,
            "dev_rows": len(self.dev),
            "dev_languages": languages_of(self.dev),
            "seconds": round(self.seconds, 2),
        }
