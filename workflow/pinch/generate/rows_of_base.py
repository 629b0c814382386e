"""The models that one load of a base can respond as: the job's own, and those of other rows that are there already."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pinch.config import Generate
from pinch.designs import UNTUNED
from pinch.errors import PinchError
from pinch.rows import folder_digest, read_json


@dataclass(frozen=True)
class Model:
    """Who responds."""

    base: str
    """Name of the base model."""
    mixture: str
    seed: str
    """Name of the repetition."""
    weights: Path | None
    """Made by finetune; None of the untuned base."""
    digest: str
    """Of base and weights together."""
    chat: bool
    """Whether prompts are shown in the chat template."""
    langs: tuple[str, ...] = ()
    """Of a model of another row: the languages in which it is to respond."""
    weights_digest: str | None = None
    """By its manifest; None of the untuned base."""

    @property
    def name(self) -> str:
        """For messages."""
        return f"{self.mixture}/{self.seed}"

    def unchanged(self) -> bool:
        """Whether the weights are those of the manifest: a disk may have garbled them, or a job beside this one be
        training them anew."""
        return self.weights is None or folder_digest(self.weights) == self.weights_digest


def own_model(arguments: argparse.Namespace, settings: Generate) -> Model:
    """The model of this job."""
    base = Path(arguments.base).stem
    if not arguments.weights:
        digest = read_json(arguments.base)["digest"]
        return Model(base, UNTUNED, arguments.seed, None, digest, settings.untuned_prompt == "chat")
    weights = Path(arguments.weights)
    manifest = read_json(weights.parent / "manifest.json")
    mixture = weights.parent.parent.name
    digests = manifest["model_digest"], manifest["weights_digest"]
    return Model(base, mixture, arguments.seed, weights, digests[0], chat=True, weights_digest=digests[1])


def other_models(arguments: argparse.Namespace, settings: Generate, own: Model) -> Sequence[Model]:
    """Models of other rows of the same base whose weights are there now, from the one after `own` on.

    Jobs that run side by side so begin at different ones. Only what a load of the base can respond as: adapters and the
    untuned base. Raises PinchError where the file of --rows cannot be read.
    """
    if not arguments.rows or settings.models_per_load == 1 or settings.engine == "endpoint":
        return []
    listed = read_json(arguments.rows)
    names = [(mixture, seed) for mixture in listed["rows"] for seed in listed["seeds"]]
    place = names.index((own.mixture, own.seed)) if (own.mixture, own.seed) in names else -1
    found = (_model(arguments.base, listed, own, *name) for name in (*names[place + 1 :], *names[: max(place, 0)]))
    return [model for model in found if model]


def _model(record: str, listed: dict[str, Any], own: Model, mixture: str, seed: str) -> Model | None:
    langs = tuple(listed["rows"][mixture].split(","))
    if mixture == UNTUNED:
        chat = listed["untuned_prompt"] == "chat"
        return Model(own.base, mixture, seed, None, read_json(record)["digest"], chat, langs)
    folder = Path(listed["models"], own.base, mixture, seed)
    weights = folder / "weights"
    try:
        if not (weights / "adapter_config.json").is_file():
            return None
        manifest = read_json(folder / "manifest.json")
        digests = manifest["model_digest"], manifest["weights_digest"]
    except (PinchError, OSError, KeyError):  # its training is at work on them
        return None
    return Model(own.base, mixture, seed, weights, digests[0], True, langs, digests[1])
