"""An experiment's chain in one process, without a workflow: what the workflow is compared with.

    python benchmarks/by_hand.py --with trl --config my.yaml --base .cache/pinch/base_models/MODEL --output by-hand
    python benchmarks/by_hand.py --with links --commands commands.json

With `trl` it is the script that a good engineer writes instead: SFTTrainer with the experiment's hyperparameters and
else its defaults, `generate` in batches, the tuned model kept in memory from the one to the other, the rubric, scores
with bootstrap intervals, one heatmap. It is given the training sets and the prompts that the workflow has drawn, in the
experiment's results; it makes no audit, no comparison and no other figure. With `links` it is every command of the
workflow itself, one after the other in one process: what is left to Snakemake then is starting processes and records.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

RESAMPLES = 5000
BATCH = 16
"""Prompts that are decoded together, in the order in which they come."""


def rows_of(path: Path) -> list[dict[str, Any]]:
    """The objects of a JSONL file."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]


def load(base: Path) -> tuple[Any, Any]:
    """The base model, and its tokenizer with the chat template that the workflow gives it."""
    from pinch.modelling import TEMPLATE
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer: Any = AutoTokenizer.from_pretrained(base, padding_side="left")
    tokenizer.chat_template = TEMPLATE.read_text(encoding="utf-8")
    return AutoModelForCausalLM.from_pretrained(base, device_map="auto" if on_gpu() else None), tokenizer


def on_gpu() -> bool:
    """Whether torch finds one."""
    import torch

    return torch.cuda.is_available()


def tune(model: Any, tokenizer: Any, rows: Sequence[dict[str, Any]], settings: dict[str, Any], output: Path) -> Any:
    """SFTTrainer's LoRA training on instructions and responses; the model with the adapter merged into it."""
    from datasets import Dataset
    from peft import LoraConfig
    from trl import SFTConfig, SFTTrainer

    examples = [
        {
            "prompt": [{"role": "user", "content": row["instruction"]}],
            "completion": [{"role": "assistant", "content": row["response"]}],
        }
        for row in rows
    ]
    trainer = SFTTrainer(
        model=model,
        args=SFTConfig(
            output_dir=str(output),
            num_train_epochs=settings["epochs"],
            per_device_train_batch_size=settings["batch_size"],
            learning_rate=float(settings["lr"]),  # YAML reads 3e-4 as text
            lr_scheduler_type=settings["schedule"],
            max_length=settings["max_length"],
            report_to="none",
            use_cpu=not on_gpu(),  # TRL's default of bfloat16 is refused without a GPU unless this is said
        ),
        train_dataset=Dataset.from_list(examples),
        processing_class=tokenizer,
        peft_config=LoraConfig(
            r=settings["lora_rank"],
            lora_alpha=settings["lora_alpha"],
            target_modules="all-linear",
            task_type="CAUSAL_LM",
        ),
    )
    trainer.train()
    trainer.save_model()
    return trainer.model.merge_and_unload()


def answer(model: Any, tokenizer: Any, prompts: Sequence[dict[str, Any]], settings: dict[str, Any]) -> list[Any]:
    """Greedy responses in batches, as rows that the rubric reads."""
    import torch

    model.eval()
    model.config.use_cache = True
    said = []
    for start in range(0, len(prompts), BATCH):
        batch = prompts[start : start + BATCH]
        inputs = tokenizer.apply_chat_template(
            [[{"role": "user", "content": row["instruction"]}] for row in batch],
            add_generation_prompt=True,
            return_tensors="pt",
            return_dict=True,
            padding=True,
        ).to(model.device)
        with torch.no_grad():
            output = model.generate(
                **inputs,
                max_new_tokens=settings["max_new_tokens"],
                do_sample=False,
                eos_token_id=tokenizer.eos_token_id,
            )
        for row, ids in zip(batch, output[:, inputs["input_ids"].shape[1] :].tolist(), strict=True):
            length = ids.index(tokenizer.eos_token_id) + 1 if tokenizer.eos_token_id in ids else len(ids)
            said.append(
                {
                    **{key: row[key] for key in ("id", "lang", "instruction")},
                    "response": tokenizer.decode(ids[:length], skip_special_tokens=True).strip(),
                    "finish_reason": "stop" if tokenizer.eos_token_id in ids else "length",
                    "n_tokens": length,
                }
            )
    return said


def score(candidate: Path, baseline: Path, prompts: Path, lang: str, output: Path) -> tuple[float, float, float]:
    """The score in percent with its 95 % interval, by the workflow's rubric."""
    import numpy as np
    from pinch.__main__ import main as pinch

    output.parent.mkdir(parents=True, exist_ok=True)
    files = {"candidate": candidate, "baseline": baseline, "prompts": prompts, "output": output}
    arguments = [str(part) for key, path in files.items() for part in (f"--{key}", path)]
    if pinch(["judge", *arguments, "--lang", lang, "--name", "rubric"]):
        raise RuntimeError(f"{output}: the rubric failed")
    wins: dict[str, list[str]] = {}
    for verdict in rows_of(output):
        wins.setdefault(verdict["id"], []).append(verdict["winner"])
    twice = {("candidate", "candidate"): 1.0, ("baseline", "baseline"): 0.0}
    outcomes = np.array([twice.get((both[0], both[1]), 0.5) for both in wins.values()])
    drawn = np.random.default_rng(0).choice(outcomes, size=(RESAMPLES, len(outcomes))).mean(axis=1)
    low, high = np.percentile(drawn, [2.5, 97.5])
    return 100 * float(outcomes.mean()), 100 * float(low), 100 * float(high)


def draw(
    scores: dict[tuple[str, str], tuple[float, float, float]], names: list[str], langs: list[str], to: Path
) -> None:
    """The heatmap of all scores, 50 on the diagonal."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    same = (50.0, 50.0, 50.0)
    grid = [[scores.get((name, lang), same)[0] for lang in langs] for name in names]
    figure, axes = pyplot.subplots(layout="constrained")
    axes.imshow(grid, cmap="YlGnBu", vmin=0, vmax=100)
    axes.set_xticks(range(len(langs)), langs)
    axes.set_yticks(range(len(names)), names)
    for y, name in enumerate(names):
        for x, lang in enumerate(langs):
            middle, low, high = scores.get((name, lang), same)
            axes.text(x, y, f"{middle:.0f}\n{low:.0f} to {high:.0f}", ha="center", va="center")
    figure.savefig(to.with_suffix(".png"), dpi=200)
    figure.savefig(to.with_suffix(".pdf"))


def write_rows(path: Path, rows: Sequence[Any]) -> None:
    """As JSONL."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")


def chain(config: dict[str, Any], results: Path, base: Path, output: Path) -> None:
    """Train on each set, answer in each language, judge, score, draw."""
    langs = config["evaluation"]["languages"]
    sets = {path.parent.name: path for path in sorted((results / "mixtures").glob("*/d0.jsonl"))}
    count = config["mixture"]["rows"]
    eval_files = {lang: results / "translations" / "eval" / f"{lang}.jsonl" for lang in langs}
    prompts = {lang: rows_of(file)[: config["evaluation"]["prompts"]] for lang, file in eval_files.items()}
    for name in ["untuned", *sets]:
        model, tokenizer = load(base)
        if name in sets:
            model = tune(model, tokenizer, rows_of(sets[name]), config["finetune"], output / "models" / name)
        for lang in langs:
            said = answer(model, tokenizer, prompts[lang], config["generate"])
            write_rows(output / "responses" / name / f"{lang}.jsonl", said)
        print(f"by_hand: {name}: answered in {len(langs)} languages", flush=True)
    scores = {
        (name, lang): score(
            output / "responses" / name / f"{lang}.jsonl",
            output / "responses" / f"{lang}{count}" / f"{lang}.jsonl",
            eval_files[lang],
            lang,
            output / "verdicts" / name / f"{lang}.jsonl",
        )
        for name in ["untuned", *sets]
        for lang in langs
        if name != f"{lang}{count}"
    }
    write_rows(output / "scores.jsonl", [[*cell, *numbers] for cell, numbers in scores.items()])
    draw(scores, ["untuned", *sets], langs, output / "heatmap")


def links(commands: Sequence[dict[str, Any]]) -> None:
    """Every command of the workflow in this process. Raises RuntimeError at the first that fails."""
    from pinch.__main__ import main as pinch

    for command in commands:
        for made in command["outputs"]:
            Path(made).parent.mkdir(parents=True, exist_ok=True)
        if pinch(command["arguments"]):
            raise RuntimeError(f"{command['rule']} failed: python -m pinch {' '.join(command['arguments'])}")


def main() -> int:
    """Run the chain."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--with", dest="how", choices=("trl", "links"), required=True)
    parser.add_argument("--config", type=Path, help="the experiment, .yaml, its mixtures and translations made")
    parser.add_argument("--base", type=Path, help="folder of the converted base model")
    parser.add_argument("--output", type=Path, help="folder to write")
    parser.add_argument(
        "--commands", type=Path, help="the workflow's commands in order, .json: rule, arguments, outputs"
    )
    arguments = parser.parse_args()
    needed = ("commands",) if arguments.how == "links" else ("config", "base", "output")
    if missing := [f"--{name}" for name in needed if getattr(arguments, name) is None]:
        parser.error(f"--with {arguments.how} needs {', '.join(missing)}")
    if arguments.how == "links":
        links(json.loads(arguments.commands.read_text(encoding="utf-8")))
    else:
        config = yaml.safe_load(arguments.config.read_text(encoding="utf-8"))
        chain(config, arguments.config.parent / config["results"], arguments.base, arguments.output)
    return 0


if __name__ == "__main__":
    sys.exit(main())
