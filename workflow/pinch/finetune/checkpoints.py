"""A training that is asked to stop, and one that goes on: its state is saved every so often, and at a signal.

transformers saves and restores weights, optimizer, schedule, the state of chance, the place in the data and the counts
of steps and tokens; beside it lies what is ours: the curve, what was selected so far, the seconds spent.
"""

import os
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from transformers import TrainerCallback

from pinch import stopping
from pinch.errors import PinchError
from pinch.finetune import together
from pinch.finetune.launch import PARENT
from pinch.finetune.selection import Selection
from pinch.finetune.store import RECORD, Store
from pinch.finetune.trainer import PackedTrainer, Progress
from pinch.rows import read_json

TRAINING, BEST = "training", "best"
"""Of a checkpoint: what transformers has saved, and the weights of the best step so far. Beside each other, because an
adapter in a folder of the first would be taken for a second one of the model."""
SAVE, STOP = 1, 2


class Checkpoints(TrainerCallback):
    """Saves the state of a training at the ends of optimizer steps. Every process has one; the first one has the store.

    `store`: None where nothing can be kept.
    """

    def __init__(
        self,
        store: Store | None,
        minutes: float,
        trainer: PackedTrainer,
        progress: Progress,
        selection: Selection | None,
        best: Path,
    ) -> None:
        self.store = store
        self.every = minutes * 60 or float("inf")
        self.trainer = trainer
        self.progress = progress
        self.selection = selection
        self.best = best
        self.resumed_at: list[int] = []
        self.spent = 0.0
        self.started = self.saved = time.monotonic()
        self.launcher = int(os.environ.get(PARENT) or "0")
        self.wanted = 0
        self.began = 0.0
        self.newest = 0

    @property
    def seconds(self) -> float:
        """That this training has taken in all of its runs."""
        return self.spent + time.monotonic() - self.started

    # --- going on ---

    def restore(self, folder: Path) -> None:
        """Take back from a checkpoint what transformers does not; `train` takes the rest."""
        said = read_json(folder / RECORD)
        self.resumed_at = [*said["resumed_at"], said["step"]]
        self.spent, self.newest = said["seconds"], said["step"]
        self.progress.curve = [(step, loss) for step, loss in said["curve"]]
        self.trainer.micro_batches, self.trainer.computed = said["micro_batches"], said["computed"]
        if self.selection is not None:
            self.selection.restore(said["selection"])
            if together.rank() == 0 and (folder / BEST).is_dir():
                shutil.rmtree(self.best, ignore_errors=True)
                shutil.copytree(folder / BEST, self.best)

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Start the clocks."""
        self.started = self.saved = time.monotonic()
        self.progress.started = self.started - self.spent

    # --- saving ---

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Ask for a checkpoint where it is time, or where any process is asked to stop; after the last step never."""
        wanted = STOP if self._stopping() else SAVE if time.monotonic() - self.saved >= self.every else 0
        # All processes must do the same at the same step, whichever of them it was that heard a signal.
        self.wanted = together.highest(wanted, self.trainer.accelerator.device)
        if state.global_step >= state.max_steps:
            self.wanted = 0
        control.should_save = bool(self.wanted) and bool(together.from_first(self.store is not None))
        self.began = time.monotonic()
        if self.wanted == STOP and not control.should_save:
            raise PinchError(together.from_first(self._stopped(state, "its state is not kept")))

    def on_save(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Seal what transformers has saved. Raises PinchError where the training is to stop."""
        fault, size = self.trainer.unsaved, 0
        together.highest(0, self.trainer.accelerator.device)  # until every process has written its part
        if self.store is not None and fault is None:
            try:
                size = self.store.keep(self._made(state), state.global_step, self._facts())
                self.newest = state.global_step
            except OSError as error:
                fault = f"{error.filename or self.store.folder}: {error.strerror}"
                shutil.rmtree(self.store.scratch, ignore_errors=True)
        faults = together.highest(int(fault is not None), self.trainer.accelerator.device)
        self.saved = time.monotonic()
        took = f"{size / 1e6:.1f} MB in {self.saved - self.began:.1f} s"
        if faults:
            said = f"its state could not be written ({fault or 'by another process'})"
            print(f"finetune: step {state.global_step}/{state.max_steps}: {said}", flush=True)
        elif self.wanted == SAVE:
            print(f"finetune: step {state.global_step}/{state.max_steps}: checkpoint of {took}", flush=True)
        if self.wanted == STOP:
            raise PinchError(together.from_first(self._stopped(state, said if faults else None, took)))

    def _stopping(self) -> bool:
        orphaned = bool(self.launcher) and os.getppid() != self.launcher
        return orphaned or stopping.asked() is not None

    def _stopped(self, state: Any, fault: str | None, took: str = "") -> str:
        by = stopping.asked() or "a signal to another process"
        where = f"stopped by {by} at step {state.global_step} of {state.max_steps}"
        if fault is None:
            return f"{where}; the next run goes on from there (checkpoint of {took})"
        return f"{where}; {fault}, and the next run goes on from " + (
            f"step {self.newest}" if self.newest else "the start"
        )

    def _made(self, state: Any) -> Path:
        """A folder of all that is saved."""
        folder = Path(self.trainer.args.output_dir)
        whole = folder / "whole"
        whole.mkdir()
        (folder / f"checkpoint-{state.global_step}").rename(whole / TRAINING)
        (whole / TRAINING / "training_args.bin").unlink(missing_ok=True)  # a pickle that nobody reads
        if self.best.is_dir():
            shutil.copytree(self.best, whole / BEST)
        return whole

    def _facts(self) -> Mapping[str, Any]:
        return {
            "curve": self.progress.curve,
            "seconds": self.seconds,
            "resumed_at": self.resumed_at,
            "micro_batches": self.trainer.micro_batches,
            "computed": self.trainer.computed,
            "micro_batch_tokens": self.trainer.tokens,
            "selection": self.selection.state() if self.selection else None,
        }
