"""finetune: the base model tuned on one training set, by supervised fine-tuning on the responses."""

import argparse
import shutil
import tempfile
import time
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

from pinch import base_model, gpus, modelling
from pinch.cache import cache_folder
from pinch.config import Finetune
from pinch.errors import PinchError
from pinch.finetune import loading
from pinch.finetune.examples import read_dev, tokenize
from pinch.rows import ExampleRow, digest, file_digest, folder_digest, read_json, read_rows, write_json

LIBRARIES = ("torch", "transformers", "trl", "peft", "accelerate", "datasets")


def trainer_arguments(settings: Finetune, seed: int, scratch: Path, autocast: bool, checkpointing: bool) -> Any:
    """TRL's SFTConfig of a training; `scratch` is a folder for the trainer's own files."""
    from trl import SFTConfig

    cuda = modelling.device() == "cuda"
    return SFTConfig(
        output_dir=str(scratch),
        seed=seed,
        data_seed=seed,
        num_train_epochs=settings.epochs or 1,
        max_steps=settings.steps or -1,  # -1: as many as the epochs have
        per_device_train_batch_size=settings.batch_size,  # a whole optimizer step, which the trainer cuts
        learning_rate=settings.lr,
        # To transformers a plain constant rate has no warm-up, whatever is asked for.
        lr_scheduler_type="constant_with_warmup"
        if settings.schedule == "constant" and settings.warmup
        else settings.schedule,
        warmup_steps=settings.warmup,
        weight_decay=settings.weight_decay,
        max_length=None,  # cut by tokenize, and counted
        dataset_kwargs={"skip_prepare_dataset": True},  # it comes as token ids with labels
        gradient_checkpointing=checkpointing,
        bf16=autocast,
        use_cpu=not cuda,
        packing=False,
        include_num_input_tokens_seen="all",  # a step of ours has no padding
        logging_steps=1,
        logging_nan_inf_filter=False,  # a loss that is no number must be seen
        disable_tqdm=True,
        report_to="none",
        save_strategy="no",
        dataloader_pin_memory=cuda,
    )


def with_adapters(model: Any, settings: Finetune, seed: int) -> Any:
    """The model with new LoRA adapters on all linear layers but the head; they are float32 whatever the model is."""
    import transformers
    from peft import LoraConfig, get_peft_model

    transformers.set_seed(seed)
    adapter = LoraConfig(
        r=settings.lora_rank,
        lora_alpha=settings.lora_alpha,
        lora_dropout=settings.lora_dropout,
        target_modules="all-linear",
        task_type="CAUSAL_LM",
    )
    return get_peft_model(model, adapter)


def settle_adapter(config: Path, base_digest: str) -> None:
    """Let the same training have the same adapter_config.json, or its cells would be generated anew.

    The adapter knows its base by digest, not by a path of this machine; and PEFT writes a set of modules in whatever
    order it has in this process.
    """
    said = read_json(config)
    modules = {"target_modules": sorted(said["target_modules"])}
    write_json(config, said | modules | {"base_model_name_or_path": base_digest})


def make_trainer(
    base: Path, tokenizer: Any, examples: list[dict[str, Any]], settings: Finetune, seed: int, scratch: Path, log: Any
) -> tuple[Any, Any]:
    """The trainer of these examples, with a line about memory and the callback `log`; and the plan of its memory."""
    import torch
    import transformers
    from datasets import Dataset

    from pinch.finetune import memory
    from pinch.finetune.forward import Forward
    from pinch.finetune.trainer import PackedTrainer

    # What is trained is kept in float32, whatever the forward pass computes in: bfloat16 would round small steps away.
    dtype = loading.training_dtype(settings.dtype)
    low = dtype != torch.float32
    model = loading.load(base, settings.method, dtype)
    model.config.use_cache = False
    model.config.get_text_config().pad_token_id = tokenizer.pad_token_id
    model.generation_config.pad_token_id = tokenizer.pad_token_id
    if settings.method != "full":
        model = with_adapters(model, settings, seed)
    autocast = partial(torch.autocast, modelling.device(), dtype=torch.bfloat16, enabled=low)
    ids = [example["input_ids"] for example in examples]
    forward = Forward(model, [ids[0], ids[-1]], autocast, tokenizer.pad_token_id)
    planned = memory.plan_for(model, examples, settings, forward)
    print(f"finetune: {planned.why}", flush=True)
    trainer = PackedTrainer(
        model=model,
        args=trainer_arguments(settings, seed, scratch, low, planned.checkpointing),
        train_dataset=Dataset.from_list(examples),
        processing_class=tokenizer,
        callbacks=[log],
        forward=forward,
        tokens=planned.tokens,
        rows=settings.micro_batch_size,
    )
    trainer.remove_callback(transformers.PrinterCallback)
    for weight in trainer.model.parameters():
        if weight.requires_grad:  # SFTTrainer makes those beside a quantized base bfloat16
            weight.data = weight.data.float()
    return trainer, planned


def train(
    base: Path,
    base_digest: str,
    rows: list[ExampleRow],
    dev: list[ExampleRow],
    settings: Finetune,
    seed: int,
    weights: Path,
    scratch: Path,
) -> dict[str, Any]:
    """Tune and save into `weights`, with `scratch` for the trainer's own files; returns facts for the manifest.

    `dev`: rows on which checkpoints are compared, unless settings.select is last.
    """
    with modelling.no_collection():
        import torch
        import transformers

        from pinch.finetune import memory
        from pinch.finetune.selection import Selection
        from pinch.finetune.trainer import Progress

    transformers.set_seed(seed)
    tokenizer = modelling.load_tokenizer(base)
    examples, counts = tokenize(rows, tokenizer, settings.max_length, settings.max_response_length)
    tokens = sum(counts["tokens"].values())
    cut = sum(counts["truncated"].values())
    print(f"finetune: {len(rows)} rows, {tokens} tokens, {cut} cut to the longest allowed", flush=True)
    progress = Progress(tokens)
    trainer, planned = make_trainer(base, tokenizer, examples, settings, seed, scratch, progress)

    def keep(best: Any) -> None:
        shutil.rmtree(weights, ignore_errors=True)
        modelling.save(best, tokenizer, weights)

    selection = None
    if settings.select != "last":
        selection = Selection(settings, dev, trainer, keep)
        trainer.add_callback(selection)
    started = time.monotonic()
    with trainer.forward.training():
        trainer.train()
    seconds = time.monotonic() - started
    training = seconds - (selection.seconds if selection else 0)
    trained: Any = trainer.model
    # The last step's effect is in no loss that was logged.
    if not all(bool(torch.isfinite(weight).all()) for weight in trained.parameters() if weight.requires_grad):
        raise PinchError("weights that are no numbers after the last step: training diverged; lower finetune.lr")
    if selection is None:
        trained.config.use_cache = True
        keep(trained)
    if settings.method != "full":
        settle_adapter(weights / "adapter_config.json", base_digest)
    (weights / "README.md").unlink(missing_ok=True)
    state = trainer.state
    return {
        "method": settings.method,
        "trainable_parameters": sum(p.numel() for p in trained.parameters() if p.requires_grad),
        "optimizer_steps": state.global_step,
        "epochs": round(state.epoch, 4),
        "tokens_seen": state.num_input_tokens_seen,
        "tokens_per_epoch": counts,
        "loss_curve": progress.curve,
        "selection": selection.facts() if selection else {"by": "last", "chosen": state.global_step},
        "seconds": round(seconds, 2),
        "tokens_per_second": round(state.num_input_tokens_seen / training, 1),
        "device": modelling.device_name(),
        **trainer.facts(),
        "micro_batch_tokens": planned.tokens,
        "gradient_checkpointing": planned.checkpointing,
        "memory_plan": planned.why,
        "peak_memory_bytes": memory.peak_bytes(modelling.device()),
    }


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `python -m pinch finetune`."""
    parser.add_argument("--base", required=True, help="record of the base model, .json")
    parser.add_argument("--mixture", required=True, help="the training set, .jsonl")
    parser.add_argument("--dev", help="development rows, .jsonl; needed where settings.select is not last")
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
    if settings.method == "qlora":
        loading.require_four_bits(settings.select)
    rows = read_rows(arguments.mixture, ExampleRow)
    dev = read_dev(arguments.dev, settings, rows)
    folder, base_digest = base_model.open_record(arguments.base, arguments.cache)
    gpus.take()
    modelling.quiet(arguments.threads)
    weights = Path(arguments.weights)
    weights.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=weights.parent, prefix=".finetune.") as scratch:
        made = Path(scratch) / "weights"
        facts = train(folder, base_digest, rows, dev, settings, arguments.seed, made, Path(scratch) / "trainer")
        shutil.rmtree(weights, ignore_errors=True)
        made.rename(weights)
    libraries = list(LIBRARIES)
    libraries += ["rouge-score"] * (settings.select == "rouge_l") + ["bitsandbytes"] * (settings.method == "qlora")
    weights_digest = folder_digest(weights)
    manifest = {
        "base": Path(arguments.base).stem,
        "base_digest": base_digest,
        "mixture": Path(arguments.mixture).parent.name,
        "data_digest": file_digest(arguments.mixture),
        "dev_digest": file_digest(arguments.dev) if dev else None,
        "weights_digest": weights_digest,
        "model_digest": digest(base_digest, weights_digest),
        "seed": arguments.seed,
        "hyperparameters": settings.model_dump(),
        "libraries": {name: version(name) for name in libraries},
        **facts,
    }
    write_json(arguments.manifest, manifest)
    first, last = facts["loss_curve"][0][1], facts["loss_curve"][-1][1]
    return (
        f"{manifest['mixture']}: {facts['optimizer_steps']} steps in {facts['seconds']:.0f} s, "
        f"loss {first:.2f} -> {last:.2f}, {facts['tokens_per_second']:.0f} tokens/s on {facts['device']}"
    )
