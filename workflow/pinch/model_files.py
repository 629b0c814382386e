"""The files of a model, looked at before anything in them is used.

Weights are safetensors, which are numbers and nothing else. Pickled ones, which are code, are never opened, and code
that comes with a model (auto_map) is never run.
"""

import json
import math
from pathlib import Path
from typing import Any

from pinch.errors import PinchError
from pinch.parsing import parse_json

LONGEST_HEADER = 100_000_000
"""Bytes, as the safetensors library has it."""

DTYPE_BITS = {"F64": 64, "I64": 64, "U64": 64, "F32": 32, "I32": 32, "U32": 32, "F16": 16, "BF16": 16, "I16": 16} | {
    "U16": 16, "I8": 8, "U8": 8, "BOOL": 8, "F8_E4M3": 8, "F8_E5M2": 8, "C64": 64
}  # fmt: skip


def check_folder(folder: Path, called: str) -> None:
    """Raise PinchError, which begins with `called`, where a folder is no model that can be loaded safely.

    Reads the JSON files and the headers of the weights: a matter of milliseconds, whatever the size.
    """
    config = folder / "config.json"
    if not config.is_file():
        raise PinchError(f"{called}: has no config.json; a directory saved by transformers is needed")
    files = sorted(folder.glob("*.safetensors"))
    if not files:
        raise PinchError(
            f"{called}: has no *.safetensors; pickled weights are not loaded, since they are code (on the hub many "
            "models have a revision with converted ones among their pull requests)"
        )
    tensors = sum(len(_tensors(file, called)) for file in files)
    settings = _object(config, called)
    _check_code(settings, called)
    _check_layers(settings, tensors, called)
    for index in folder.glob("*.index.json"):
        _check_index(index, called)


def _object(path: Path, called: str) -> dict[str, Any]:
    try:
        data = parse_json(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise PinchError(f"{called}: {path.name} is not JSON ({error})") from None
    if not isinstance(data, dict):
        raise PinchError(f"{called}: {path.name} is not a JSON object")
    return data


def _check_code(settings: dict[str, Any], called: str) -> None:
    """A model whose class transformers has is loaded as that, whatever code lies beside it."""
    if not settings.get("auto_map"):
        return
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING_NAMES

    kind = settings.get("model_type")
    if not isinstance(kind, str) or kind not in CONFIG_MAPPING_NAMES:
        raise PinchError(
            f"{called}: its model_type {kind!r} is code of its own (auto_map in config.json), which is not run; take a "
            "model of a kind that transformers knows, or a version of transformers that knows it"
        )


def _check_layers(settings: dict[str, Any], tensors: int, called: str) -> None:
    """A config can ask for a billion layers; each has a tensor at least."""
    nested = settings.get("text_config")
    for section in (settings, nested if isinstance(nested, dict) else {}):
        layers = section.get("num_hidden_layers")
        if isinstance(layers, int) and layers > tensors:
            raise PinchError(f"{called}: config.json has {layers} layers, its weights are {tensors} tensors")


def _check_index(index: Path, called: str) -> None:
    """The parts of weights that are in several files: files of this folder, and of this kind."""
    parts = _object(index, called).get("weight_map")
    names = set(parts.values()) if isinstance(parts, dict) and all(isinstance(n, str) for n in parts.values()) else {""}
    for name in sorted(names):
        if Path(name).name != name or not name.endswith(".safetensors") or not (index.parent / name).is_file():
            if index.name != "model.safetensors.index.json":
                continue  # of other formats, which nobody reads
            raise PinchError(f"{called}: {index.name} names {name!r}, which is no *.safetensors of this folder")


def _tensors(file: Path, called: str) -> dict[str, Any]:
    """Names, types, shapes and places of the tensors of a safetensors file: 8 bytes of length, a header of JSON, data.

    Raises PinchError where it is none, or is cut off.
    """

    def wrong(what: str) -> PinchError:
        return PinchError(f"{called}: {file.name} is not safetensors, or damaged: {what}; fetch or copy it again")

    with file.open("rb") as opened:
        length = int.from_bytes(opened.read(8), "little")
        size = file.stat().st_size
        if not 0 < length <= min(LONGEST_HEADER, size - 8):
            raise wrong(f"its header would have {length} of {size} bytes")
        try:
            header = json.loads(opened.read(length))
            found = {name: tensor for name, tensor in header.items() if name != "__metadata__"}
            end = 0
            for name, tensor in found.items():
                start, stop = tensor["data_offsets"]
                bits = DTYPE_BITS.get(tensor["dtype"])  # other types may come
                if bits and 8 * (stop - start) != bits * math.prod(tensor["shape"]):
                    raise wrong(f"the tensor {name!r} has not the bytes that its shape has")
                end = max(end, stop)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            raise wrong("its header cannot be read") from None
        if end != size - 8 - length:
            raise wrong(f"it has {size - 8 - length} bytes of weights, its header says {end}")
    return found
