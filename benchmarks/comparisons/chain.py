"""finetune -> generate -> judge by the workflow itself, with a model of random weights: 1 billion parameters on a GPU.

The local judge is that model too. Nothing is compared: these are the seconds and rates of whole jobs, loading included.
"""

import json
import re
import statistics
import sys
from pathlib import Path

import whole_runs
from harness import ROOT, Measured, run
from whole_runs import SEED, Experiment

ROUNDS = 1
CELL = re.compile(r"(\d+) responses, (\d+) tokens in ([\d.]+) s")


def config(model: Path, gpu: bool) -> dict[str, object]:
    """Two training sets and the base model itself, in two columns, judged by the rubric and by the model."""
    return {
        "results": "results",
        "cache": "cache",
        "base_models": [{"path": str(model), "name": "random"}],
        "pivot": "en",
        "languages": ["en", "es"],
        "data": {split: str(SEED / f"{split}.en.jsonl") for split in ("train", "eval")},
        "translate": {"memory": str(SEED / "memory" / "{split}.{lang}.jsonl")},
        "designs": [{"design": "monolingual", "languages": ["en", "es"]}, {"design": "untuned"}],
        "finetune": {"epochs": 8 if gpu else 1, "batch_size": 8},
        "generate": {"max_new_tokens": 128 if gpu else 8, "batch_size": 32},
        "judges": [
            {"engine": "rubric"},
            {"engine": "transformers", "name": "local", "model": {"path": str(model), "name": "random"}},
        ],
    }


def compare(gpu: bool, rounds: int) -> list[Measured]:
    """Once; rates are those that the links themselves report."""
    size = "1b" if gpu else "tiny"
    model = whole_runs.scratch() / size
    run([sys.executable, ROOT / "benchmarks" / "random_model.py", model, "--size", size])
    experiment = Experiment(whole_runs.scratch() / "chain")
    experiment.folder.mkdir(exist_ok=True)
    experiment.write(config(model, gpu))
    whole = experiment.snakemake()
    manifests = [
        json.loads(path.read_text(encoding="utf-8"))
        for path in (experiment.folder / "results" / "models").rglob("manifest.json")
    ]
    logs = (experiment.folder / "results" / "logs" / "generate").rglob("*.log")
    cells = [found for log in logs for found in CELL.findall(log.read_text(encoding="utf-8"))]
    took: dict[str, list[float]] = {}
    for job in experiment.jobs()[0]:
        took.setdefault(job.rule, []).append(job.seconds)
    about = f"a random model of {'1 B' if gpu else '0.3 M'} parameters, by the workflow"
    training = statistics.median(one["tokens_per_second"] for one in manifests)
    rows = [Measured(f"{about}: training", "", "tokens/s", [training], [])]
    tokens, decoding = (sum(float(cell[part]) for cell in cells) for part in (1, 2))
    if decoding:  # logs have whole seconds: of the tiny model none
        rows.append(Measured(f"{about}: generation", "", "tokens/s", [tokens / decoding], []))
    facts = {"seconds by rule": {rule: [round(one, 2) for one in times] for rule, times in took.items()}}
    device = manifests[0]["device"]
    rows.append(Measured(f"{about}: all of it", "", "s", [whole.seconds], [], note=f"on {device}", facts=facts))
    for rule in ("finetune", "generate", "judge"):
        rows.append(Measured(f"{about}: the longest job of {rule}", "", "s", [max(took[rule])], []))
    return rows
