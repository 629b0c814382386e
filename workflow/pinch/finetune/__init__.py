"""finetune: the base model tuned on one training set, by supervised fine-tuning on the responses."""

import argparse
import shutil
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

from pinch import base_model, modelling
from pinch.cache import cache_folder
from pinch.config import Finetune
from pinch.errors import PinchError
from pinch.rows import ExampleRow, digest, file_digest, folder_digest, read_json, read_rows, write_json

LIBRARIES = ("torch", "transformers", "trl", "peft", "accelerate", "datasets")


def tokenize(rows: list[ExampleRow], tokenizer: Any, max_length: int) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Training examples as token ids with a mask of the completion, and counts by language.

    What is longer than `max_length` is cut and counted; a cut response has no stop token left. Raises PinchError
    if nothing of a response would be left, naming its id.
    """
    examples = []
    counts: dict[str, Any] = {"rows": {}, "tokens": {}, "response_tokens": {}, "truncated": {}}
    for row in rows:
        ids, prompt = modelling.example_ids(tokenizer, row.instruction, row.response)
        if prompt >= max_length:
            raise PinchError(
                f"id {row.id!r} ({row.lang}): the instruction alone has {prompt} tokens; raise finetune.max_length "
                f"(now {max_length}) or leave the row out"
            )
        kept = ids[:max_length]
        examples.append({"input_ids": kept, "completion_mask": [0] * prompt + [1] * (len(kept) - prompt)})
        for key, number in (
            ("rows", 1),
            ("tokens", len(kept)),
            ("response_tokens", len(kept) - prompt),
            ("truncated", int(len(kept) < len(ids))),
        ):
            counts[key][row.lang] = counts[key].get(row.lang, 0) + number
    return examples, counts


def train(
    base: Path, base_digest: str, rows: list[ExampleRow], settings: Finetune, seed: int, weights: Path, scratch: Path
) -> dict[str, Any]:
    """Tune and save into `weights`, with `scratch` for the trainer's own files; returns facts for the manifest."""
    import torch
    import transformers
    from datasets import Dataset
    from peft import LoraConfig
    from trl import SFTConfig

    from pinch.finetune.trainer import CompletionLossTrainer, Progress

    transformers.set_seed(seed)
    tokenizer = modelling.load_tokenizer(base)
    examples, counts = tokenize(rows, tokenizer, settings.max_length)
    tokens = sum(counts["tokens"].values())
    cut = sum(counts["truncated"].values())
    print(f"finetune: {len(rows)} rows, {tokens} tokens, {cut} cut at {settings.max_length} tokens", flush=True)
    # All weights are trained in float32, whatever the forward pass computes in: bfloat16 would round small steps away.
    model = modelling.load_model(base, whole=settings.method == "full")
    model.config.use_cache = False
    adapter = None
    if settings.method == "lora":
        adapter = LoraConfig(
            r=settings.lora_rank,
            lora_alpha=settings.lora_alpha,
            lora_dropout=settings.lora_dropout,
            target_modules="all-linear",
            task_type="CAUSAL_LM",
        )
    micro_batch = settings.micro_batch_size or settings.batch_size
    cuda = modelling.device() == "cuda"
    dtype = modelling.dtype()
    arguments = SFTConfig(
        output_dir=str(scratch),
        seed=seed,
        data_seed=seed,
        num_train_epochs=settings.epochs,
        per_device_train_batch_size=micro_batch,
        gradient_accumulation_steps=settings.batch_size // micro_batch,
        learning_rate=settings.lr,
        lr_scheduler_type=settings.schedule,
        warmup_steps=settings.warmup,
        weight_decay=settings.weight_decay,
        max_length=None,  # cut above, and counted
        completion_only_loss=True,  # by itself TRL would learn the prompts of rows that come as token ids too
        gradient_checkpointing=settings.gradient_checkpointing,
        bf16=dtype == torch.bfloat16,
        use_cpu=not cuda,
        packing=False,
        logging_steps=1,
        logging_nan_inf_filter=False,  # a loss that is no number must be seen
        disable_tqdm=True,
        report_to="none",
        save_strategy="no",
        dataloader_pin_memory=cuda,
    )
    progress = Progress(tokens)
    trainer = CompletionLossTrainer(
        model=model,
        args=arguments,
        train_dataset=Dataset.from_list(examples),
        processing_class=tokenizer,
        peft_config=adapter,
        callbacks=[progress],
    )
    trainer.remove_callback(transformers.PrinterCallback)
    started = time.monotonic()
    trainer.train()
    seconds = time.monotonic() - started
    trained: Any = trainer.model
    # The last step's effect is in no loss that was logged.
    if not all(bool(torch.isfinite(weight).all()) for weight in trained.parameters() if weight.requires_grad):
        raise PinchError("weights that are no numbers after the last step: training diverged; lower finetune.lr")
    trained.config.use_cache = True
    modelling.save(trained, tokenizer, weights)
    if settings.method == "lora":
        # The adapter knows its base by digest, not by a path of this machine.
        config = weights / "adapter_config.json"
        write_json(config, read_json(config) | {"base_model_name_or_path": base_digest})
    (weights / "README.md").unlink(missing_ok=True)
    return {
        "method": settings.method,
        "trainable_parameters": sum(p.numel() for p in trained.parameters() if p.requires_grad),
        "optimizer_steps": trainer.state.global_step,
        "tokens_per_epoch": counts,
        "loss_curve": progress.curve,
        "seconds": round(seconds, 2),
        "tokens_per_second": round(tokens * settings.epochs / seconds, 1),
        "device": modelling.device_name(),
        "dtype": str(dtype).removeprefix("torch."),
    }


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `python -m pinch finetune`."""
    parser.add_argument("--base", required=True, help="record of the base model, .json")
    parser.add_argument("--mixture", required=True, help="the training set, .jsonl")
    parser.add_argument("--settings", default="{}", help='hyperparameters, JSON: {"epochs": 2, "lr": 2e-4}')
    parser.add_argument("--seed", type=int, default=0, help="seed of the training")
    parser.add_argument(
        "--cache", default=cache_folder(), help="folder of converted base models; default: $PINCH_CACHE"
    )
    parser.add_argument("--threads", type=int, default=0, help="cores for torch; 0: all")
    parser.add_argument("--weights", required=True, help="folder to write")
    parser.add_argument("--manifest", required=True, help="what was done with what, .json")


def run(arguments: argparse.Namespace) -> str:
    """Tune a base model on a training set; weights and manifest appear whole or not at all."""
    settings = Finetune.model_validate_json(arguments.settings)
    rows = read_rows(arguments.mixture, ExampleRow)
    folder, base_digest = base_model.open_record(arguments.base, arguments.cache)
    modelling.quiet(arguments.threads)
    weights = Path(arguments.weights)
    weights.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=weights.parent, prefix=".finetune.") as scratch:
        made = Path(scratch) / "weights"
        facts = train(folder, base_digest, rows, settings, arguments.seed, made, Path(scratch) / "trainer")
        shutil.rmtree(weights, ignore_errors=True)
        made.rename(weights)
    weights_digest = folder_digest(weights)
    manifest = {
        "base": Path(arguments.base).stem,
        "base_digest": base_digest,
        "mixture": Path(arguments.mixture).parent.name,
        "data_digest": file_digest(arguments.mixture),
        "weights_digest": weights_digest,
        "model_digest": digest(base_digest, weights_digest),
        "seed": arguments.seed,
        "hyperparameters": settings.model_dump(),
        "libraries": {name: version(name) for name in LIBRARIES},
        **facts,
    }
    write_json(arguments.manifest, manifest)
    first, last = facts["loss_curve"][0][1], facts["loss_curve"][-1][1]
    return (
        f"{manifest['mixture']}: {facts['optimizer_steps']} steps in {facts['seconds']:.0f} s, "
        f"loss {first:.2f} -> {last:.2f}, {facts['tokens_per_second']:.0f} tokens/s on {facts['device']}"
    )
