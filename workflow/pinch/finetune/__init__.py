"""finetune: the base model tuned on one training set, by supervised fine-tuning on the responses."""

import argparse
import json
import os
import shutil
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from pinch import LINK_VERSIONS, accelerated, base_model, gpus, modelling
from pinch.cache import cache_folder
from pinch.config import Finetune
from pinch.errors import PinchError
from pinch.faults import explain
from pinch.finetune import launch, loading, together
from pinch.finetune.examples import read_dev
from pinch.finetune.store import Store
from pinch.finetune.training import train
from pinch.rows import ExampleRow, digest, file_digest, folder_digest, read_rows, write_json

LIBRARIES = ("torch", "transformers", "trl", "peft", "accelerate", "datasets")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `python -m pinch finetune`."""
    parser.add_argument("--base", required=True, help="record of the base model, .json")
    parser.add_argument("--mixture", required=True, help="the training set, .jsonl")
    parser.add_argument("--dev", help="development rows, .jsonl; needed where settings.select is not last")
    parser.add_argument("--settings", default="{}", help='hyperparameters, JSON: {"epochs": 2, "lr": 2e-4}')
    parser.add_argument(
        "--transport",
        default=os.environ.get("PINCH_FINETUNE") or "{}",
        help="more of them, which change no weights: checkpoint_minutes, accelerate; default: $PINCH_FINETUNE",
    )
    parser.add_argument("--seed", type=int, default=0, help="seed of the training")
    parser.add_argument(
        "--cache", default=cache_folder(), help="folder of converted base models; default: $PINCH_CACHE"
    )
    parser.add_argument("--threads", type=int, default=0, help="cores for torch; 0: all")
    parser.add_argument("--weights", required=True, help="folder to write")
    parser.add_argument("--manifest", required=True, help="what was done with what, .json")


def read_settings(settings: str, transport: str) -> Finetune:
    """Both JSON objects together. Raises PinchError naming the option or the key at fault."""
    found: dict[str, Any] = {}
    for option, text in (("--settings", settings), ("--transport", transport)):
        try:
            data = json.loads(text)
        except json.JSONDecodeError:
            data = None
        if not isinstance(data, dict):
            raise PinchError(f"{option}: {text!r} is not a JSON object")
        found |= data
    try:
        return Finetune.model_validate(found)
    except ValidationError as error:
        raise PinchError(f"--settings: {explain(error, found)}") from None


def words(arguments: argparse.Namespace) -> list[str]:
    """The command line that `arguments` come from."""
    names = ("base", "mixture", "dev", "settings", "transport", "seed", "cache", "threads", "weights", "manifest")
    given = {name: getattr(arguments, name) for name in names}
    return [part for name, value in given.items() if value is not None for part in (f"--{name}", str(value))]


def circumstances(settings: Finetune, processes: accelerated.Processes | None) -> dict[str, Any]:
    """What a training must find as it was, to go on: other numbers of processes and other devices round otherwise."""
    return {
        "processes": together.number(),
        "kind": processes.kind if processes and together.number() > 1 else None,
        "device": modelling.device_name() if modelling.device() == "cuda" else "cpu",
        "dtype": str(loading.training_dtype(settings.dtype)),
    }


def run(arguments: argparse.Namespace) -> str | None:
    """Tune a base model on a training set; weights and manifest appear whole or not at all."""
    settings = read_settings(arguments.settings, arguments.transport)
    processes = accelerated.read(settings.accelerate) if settings.accelerate else None
    if processes is not None:
        accelerated.check(processes, settings)
        if processes.number > 1 and not launch.launched():
            threads = max(1, (arguments.threads or os.cpu_count() or 1) // processes.per_machine)
            arguments.threads = threads  # of a process
            launch.launch(["finetune", *words(arguments)], processes, threads)
            return None  # the first process has said what there is to say
    if settings.method == "qlora":
        loading.require_four_bits(settings.select)
    rows = read_rows(arguments.mixture, ExampleRow)
    dev = read_dev(arguments.dev, settings, rows)
    folder, base_digest = base_model.open_record(arguments.base, arguments.cache)
    if not launch.launched():
        gpus.take()
    modelling.quiet(arguments.threads)
    if launch.launched():
        together.join()
    libraries = list(LIBRARIES)
    libraries += ["rouge-score"] * (settings.select == "rouge_l") + ["bitsandbytes"] * (settings.method == "qlora")
    used: dict[str, Any] = {
        "base_digest": base_digest,
        "data_digest": file_digest(arguments.mixture),
        "dev_digest": file_digest(arguments.dev) if dev else None,
        "seed": arguments.seed,
        "hyperparameters": settings.deciding(),
        "libraries": {name: version(name) for name in libraries},
    }
    store = Store(Path(arguments.cache), digest(used, LINK_VERSIONS["finetune"], circumstances(settings, processes)))
    # Under FSDP every process would have to write a part at once, and one that fails would leave the others waiting.
    sharded = processes is not None and processes.kind == "fsdp" and together.number() > 1
    kept = together.rank() == 0 and not sharded and store.open()
    if together.rank() == 0 and not kept:
        why = "FSDP has none here" if sharded else "another process trains the same"
        print(f"finetune: no checkpoints are kept: {why}", flush=True)
    weights = Path(arguments.weights)
    weights.parent.mkdir(parents=True, exist_ok=True)
    try:
        with tempfile.TemporaryDirectory(dir=weights.parent, prefix=".finetune.") as scratch:
            made = Path(scratch) / "weights"
            unfinished = store.scratch if together.from_first(kept) else Path(scratch) / "trainer"
            facts = train(
                folder, base_digest, rows, dev, settings, arguments.seed, made, unfinished, store if kept else None
            )
            if together.rank():
                return None
            shutil.rmtree(weights, ignore_errors=True)
            made.rename(weights)
        weights_digest = folder_digest(weights)
        manifest = {
            "base": Path(arguments.base).stem,
            "mixture": Path(arguments.mixture).parent.name,
            **used,
            "weights_digest": weights_digest,
            "model_digest": digest(base_digest, weights_digest),
            "accelerate_digest": processes.digest if processes else None,
            **facts,
        }
        write_json(arguments.manifest, manifest)
        if kept:
            store.close(finished=True)
    finally:
        if kept:
            store.close()
    together.part()
    first, last = facts["loss_curve"][0][1], facts["loss_curve"][-1][1]
    return (
        f"{manifest['mixture']}: {facts['optimizer_steps']} steps in {facts['seconds']:.0f} s, "
        f"loss {first:.2f} -> {last:.2f}, {facts['tokens_per_second']:.0f} tokens/s on {facts['device']}"
    )
