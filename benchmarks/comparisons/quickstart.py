"""The quickstart, smaller, by Snakemake against the same chain by hand in one process (benchmarks/by_hand.py).

Two training languages and a pinch in the place of four and a pinch, two columns, one epoch; `bench.py quickstart_full`
takes the whole of it. The environment is there and the base model converted; every side begins with no cache.
"""

import json
import shutil
import sys
from pathlib import Path

import whole_runs
import yaml
from harness import ROOT, Measured, run
from whole_runs import SEED, Experiment

ROUNDS = 1
SHORT = ["en", "es"]
AT_MOST = 1.15
PROCESSES = (
    "What a process of its own for every job costs: a start of Python each, and of torch for those that need it."
)
BY_HAND = ROOT / "benchmarks" / "by_hand.py"


def config(full: bool) -> dict[str, object]:
    """The quickstart's, with absolute paths; unless `full`, with fewer training sets and columns and one epoch."""
    made = yaml.safe_load((ROOT / "config.yaml").read_text(encoding="utf-8"))
    made |= {"results": "results", "cache": "cache"}
    made["data"] |= {split: str(SEED / f"{split}.en.jsonl") for split in ("train", "eval")}
    made["translate"]["memory"] = str(SEED / "memory" / "{split}.{lang}.jsonl")
    if not full:
        made["languages"] = made["evaluation"]["languages"] = SHORT
        made["finetune"]["epochs"] = 1
        for design in made["designs"]:
            if "languages" in design:
                design["languages"] = SHORT
    return dict(made)


def converted(spec: dict[str, str]) -> Path:
    """The cache's folder with the base model, converted first where it is not yet."""
    from pinch.cache import cache_folder

    cache = (ROOT / cache_folder()).absolute()
    record = whole_runs.scratch() / "base.json"
    options = ["--spec", json.dumps(spec), "--cache", str(cache), "--output", str(record)]
    run([sys.executable, "-m", "pinch", "base_model", *options], ROOT)
    return cache / "base_models"


def prepared(folder: Path, models: Path, full: bool) -> Experiment:
    """A folder with nothing in it but the config and the converted base model."""
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "cache").mkdir(parents=True)
    (folder / "cache" / "base_models").symlink_to(models)
    made = Experiment(folder)
    made.write(config(full))
    return made


def by_snakemake(models: Path, full: bool) -> float:
    """Everything, from nothing."""
    return prepared(whole_runs.scratch() / "workflow", models, full).snakemake().seconds


def by_links(models: Path, full: bool) -> float:
    """The same commands in one process. Planning them, and drawing what the others are given too, is not counted."""
    made = prepared(whole_runs.scratch() / "links", models, full)
    listed = made.commands()
    written = [{"rule": one.rule, "arguments": one.arguments, "outputs": list(map(str, one.outputs))} for one in listed]
    (made.folder / "commands.json").write_text(json.dumps(written), encoding="utf-8")
    draw_training_sets(made)
    command = [sys.executable, str(BY_HAND), "--with", "links", "--commands", "commands.json"]
    return run(command, made.folder, made.environment()).seconds


def by_trl(models: Path, full: bool) -> float:
    """The script that one would write instead."""
    made = prepared(whole_runs.scratch() / "trl", models, full)
    draw_training_sets(made)
    base = next(path for path in models.iterdir() if path.is_dir())
    command = [sys.executable, str(BY_HAND), "--with", "trl", "--config", made.config]
    return run([*command, "--base", str(base), "--output", "by-hand"], made.folder, made.environment()).seconds


def draw_training_sets(made: Experiment) -> None:
    """Training sets and prompts, which is done in seconds and not counted."""
    wanted = [one for one in made.commands() if one.rule in ("build_mixture", "translate")]
    made.snakemake(*(str(one.outputs[0]) for one in wanted))


def whole(full: bool, rounds: int) -> list[Measured]:
    """Three sides in turn, another one first in each round."""
    models = converted(yaml.safe_load((ROOT / "config.yaml").read_text(encoding="utf-8"))["base_models"][0])
    sides = {"snakemake": by_snakemake, "links": by_links, "trl": by_trl}
    taken: dict[str, list[float]] = {name: [] for name in sides}
    names = list(sides)
    for turn in range(rounds):
        for name in names[turn % 3 :] + names[: turn % 3]:
            taken[name].append(sides[name](models, full))
            print(f"bench: the quickstart, {name}: {taken[name][-1]:.0f} s", flush=True)
    what = "the quickstart" + ("" if full else ", smaller")
    ours = taken["snakemake"]
    return [
        Measured(what, "by hand: SFTTrainer, generate", "s", ours, taken["trl"], at_most=AT_MOST),
        Measured(what, "its own links in one process", "s", ours, taken["links"], note=PROCESSES),
    ]


def compare(gpu: bool, rounds: int) -> list[Measured]:
    """The smaller one; on a GPU the whole, which takes no longer there."""
    return whole(gpu, rounds)
