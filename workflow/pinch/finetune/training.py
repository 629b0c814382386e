"""A training itself: the model with its adapters, the trainer, and what becomes of the weights."""

import shutil
from functools import partial
from pathlib import Path
from typing import Any

from pinch import modelling, stopping
from pinch.config import Finetune
from pinch.errors import PinchError
from pinch.finetune import loading, together
from pinch.finetune.examples import tokenize
from pinch.finetune.store import Store
from pinch.rows import ExampleRow, read_json, write_json


def trainer_arguments(settings: Finetune, seed: int, scratch: Path, autocast: bool, checkpointing: bool) -> Any:
    """TRL's SFTConfig of a training; `scratch` is a folder for the trainer's own files."""
    from trl import SFTConfig

    cuda = modelling.device() == "cuda"
    several = {
        # Each forward pass uses every weight, and changes no buffer: to look for others would be a pass for nothing.
        "ddp_find_unused_parameters": False,
        "ddp_broadcast_buffers": False,
        "bf16": False,  # computed in by Forward alone: FSDP would round what it gathers and sums up, too
    }
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
        **({"bf16": autocast} if together.number() == 1 else several),
        use_cpu=not cuda,
        packing=False,
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
    store: Store | None = None,
) -> dict[str, Any]:
    """Tune and save into `weights`, with `scratch` for the trainer's own files; returns facts for the manifest.

    `dev`: rows on which checkpoints are compared, unless settings.select is last. `store`: where an unfinished training
    is kept; one that is there goes on. Raises PinchError where a signal has stopped it. Of several processes all must
    call this, and the first one writes.
    """
    with modelling.no_collection():
        import torch
        import transformers

        from pinch.finetune import memory
        from pinch.finetune.checkpoints import TRAINING, Checkpoints
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
        state = together.whole(best) if trainer.sharded else None
        if together.rank() == 0:
            shutil.rmtree(weights, ignore_errors=True)
            modelling.save(trainer.accelerator.unwrap_model(best), tokenizer, weights, state)

    selection = None
    if settings.select != "last":
        selection = Selection(settings, dev, trainer, keep)
        trainer.add_callback(selection)
    checkpoints = Checkpoints(store, settings.checkpoint_minutes, trainer, progress, selection, weights)
    trainer.add_callback(checkpoints)
    unfinished = together.from_first(store.newest() if store else None)
    if unfinished is not None:
        checkpoints.restore(unfinished)
        print(f"finetune: goes on from step {checkpoints.newest}, at which it was stopped", flush=True)
    if together.rank():
        torch.manual_seed(seed + together.rank())  # or dropout would fall on the same places in the rows of all
    with trainer.forward.training(), stopping.deferred():
        trainer.train(resume_from_checkpoint=None if unfinished is None else str(unfinished / TRAINING))
    seconds = checkpoints.seconds
    training = seconds - (selection.seconds if selection else 0)
    trained: Any = trainer.model
    # The last step's effect is in no loss that was logged.
    if not all(bool(torch.isfinite(weight).all()) for weight in trained.parameters() if weight.requires_grad):
        raise PinchError("weights that are no numbers after the last step: training diverged; lower finetune.lr")
    if selection is None:
        trained.config.use_cache = True
        keep(trained)
    if together.rank() == 0:
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
        "processes": together.number(),
        "resumed_at": checkpoints.resumed_at,
        **trainer.facts(),
        "micro_batch_tokens": trainer.tokens,
        "gradient_checkpointing": planned.checkpointing,
        "memory_plan": planned.why,
        "peak_memory_bytes": memory.peak_bytes(modelling.device()),
    }
