"""Peak memory of a training at a vocabulary of 262,144: finetune against TRL's SFTTrainer with its defaults.

On a CPU the largest resident memory of the process, libraries and loading included; on a GPU what torch has allocated.
"""

import tempfile
from pathlib import Path

from harness import Measured, in_turn

from comparisons.training import JOINED, model_folder, train

ROUNDS = 2
STEPS = 4


def compare(gpu: bool, rounds: int) -> list[Measured]:
    """One row."""
    with tempfile.TemporaryDirectory() as scratch:
        model = model_folder(Path(scratch), gpu)

        def peak(side: str) -> float:
            found, resident = train(side, model, STEPS, JOINED["gpu" if gpu else "cpu"], "lora")
            return float(found["cuda_mb"]) if gpu else resident

        ours, theirs = in_turn(lambda: peak("ours"), lambda: peak("theirs"), rounds)
    return [
        Measured(
            f"peak memory of training, {'1 B random weights' if gpu else 'Gemma 3 270M'}, LoRA, 262,144 tokens",
            "SFTTrainer's defaults",
            "MB",
            ours,
            theirs,
            at_most=0.8,
        )
    ]
