"""export: a tuned model as one whole, for use with other tools. The chain itself keeps adapters unmerged."""

import argparse
from pathlib import Path

from pinch import base_model, modelling
from pinch.cache import cache_folder
from pinch.errors import PinchError
from pinch.rows import folder_digest, read_json


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `python -m pinch export`."""
    parser.add_argument("model", help="folder of a model: results/models/BASE/MIXTURE/SEED")
    parser.add_argument("output", help="folder to write: safetensors, tokenizer, chat template")
    parser.add_argument(
        "--cache", default=cache_folder(), help="folder of converted base models; default: $PINCH_CACHE"
    )


def run(arguments: argparse.Namespace) -> str:
    """Merge the adapter into its base and save both as one."""
    folder, output = Path(arguments.model), Path(arguments.output)
    if output.exists() and any(output.iterdir()):
        raise PinchError(f"{output}: is there already and not empty; name another folder")
    manifest = read_json(folder / "manifest.json")
    # results/models/BASE/MIXTURE/SEED: the record of the base lies in results/base_models.
    record = folder.resolve().parents[3] / "base_models" / f"{manifest['base']}.json"
    base, digest = base_model.open_record(record, arguments.cache)
    if digest != manifest["base_digest"]:
        raise PinchError(f"{folder}: was tuned on the base {manifest['base_digest'][:12]}, {record} is {digest[:12]}")
    if folder_digest(folder / "weights") != manifest["weights_digest"]:
        raise PinchError(f"{folder / 'weights'}: is not what finetune wrote: a file was changed or is damaged")
    modelling.quiet()
    model = modelling.load_model(base, folder / "weights")
    modelling.save(model, modelling.load_tokenizer(folder / "weights"), output)
    return f"{manifest['mixture']} on {manifest['base']} in {output}"
