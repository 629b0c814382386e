"""Training, tokens a second: finetune against TRL's SFTTrainer with its defaults, same model, rows and steps.

On a CPU the quickstart's model, Gemma 3 270M, with LoRA; on a GPU a model of 1 billion random weights, with LoRA and
with all weights, and the share of the peak of a large bfloat16 product. See training_sides.py for what the sides are.
"""

import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import random_model
import yaml
from harness import ROOT, Measured, in_turn, run

from comparisons.quickstart import converted

ROUNDS = 2
STEPS = {"cpu": 6, "gpu": 30}
JOINED = {"cpu": 1, "gpu": 12}


def model_folder(scratch: Path, gpu: bool) -> Path:
    """The model that is trained."""
    if gpu:
        random_model.write(scratch / "model", "1b")
        return scratch / "model"
    spec = yaml.safe_load((ROOT / "config.yaml").read_text(encoding="utf-8"))["base_models"][0]
    return converted(spec) / str(spec["pypi"])


def train(side: str, model: Path, steps: int, joined: int, method: str) -> tuple[dict[str, Any], float]:
    """What training_sides prints, and the peak of resident memory in MB."""
    options: Sequence[str | Path] = [
        "--model",
        model,
        "--steps",
        str(steps),
        "--joined",
        str(joined),
        "--method",
        method,
    ]
    done = run(
        [sys.executable, ROOT / "benchmarks" / "training_sides.py", side, *options],
        environment={"PYTHONPATH": f"{ROOT / 'workflow'}", "HF_HUB_OFFLINE": "1"},
    )
    return json.loads(done.output.rstrip().splitlines()[-1]), done.peak_mb


def compare(gpu: bool, rounds: int) -> list[Measured]:
    """A row for LoRA; on a GPU one more for full training, and one each for the share of the peak."""
    kind = "gpu" if gpu else "cpu"
    rows = []
    with tempfile.TemporaryDirectory() as scratch:
        model = model_folder(Path(scratch), gpu)
        for method in ("lora", "full") if gpu else ("lora",):
            seen: dict[str, list[dict[str, Any]]] = {"ours": [], "theirs": []}

            def rate(side: str, method: str = method, seen: dict[str, list[dict[str, Any]]] = seen) -> float:
                found, _ = train(side, model, STEPS[kind], JOINED[kind], method)
                seen[side].append(found)
                return float(found["tokens_per_second"])

            ours, theirs = in_turn(lambda rate=rate: rate("ours"), lambda rate=rate: rate("theirs"), rounds)  # type: ignore[misc]
            name = "1 B random weights" if gpu else "Gemma 3 270M"
            facts = {side: found[-1] for side, found in seen.items()}
            rows.append(
                Measured(
                    f"training, {name}, {'LoRA' if method == 'lora' else 'all weights'}, rows of mixed length",
                    "SFTTrainer's defaults",
                    "tokens/s",
                    ours,
                    theirs,
                    at_least=2.0 if gpu else 2.2,
                    facts=facts,
                )
            )
            if gpu:
                rows.append(
                    Measured(
                        f"the same, share of the bf16 peak, {method}",
                        "an 8192 x 8192 product",
                        "share",
                        [found["peak_share"] for found in seen["ours"]],
                        [1.0] * rounds,
                        at_least=0.45,
                        note="Products with weights only are counted, not attention and adapters.",
                    )
                )
    return rows
