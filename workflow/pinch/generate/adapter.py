"""A LoRA adapter, as finetune writes it, merged into the weights of a base one layer at a time.

Not by PEFT: it would put its own layers around 126 of Gemma's, and could take an adapter off again only by subtraction,
which does not bring the same weights back.
"""

from pathlib import Path
from typing import Any

from pinch.errors import PinchError
from pinch.rows import read_json

CONFIG = "adapter_config.json"

PLAIN: dict[str, Any] = {
    "bias": "none",
    "modules_to_save": None,
    "rank_pattern": {},
    "alpha_pattern": {},
    "fan_in_fan_out": False,
    "use_dora": False,
    "use_rslora": False,
}
"""What finetune's adapters are."""

PREFIX = "base_model.model."


def is_adapter(weights: Path) -> bool:
    """Whether a folder made by finetune holds an adapter, and not a whole model."""
    return (weights / CONFIG).is_file()


class Adapter:
    """Weights of linear layers, by the name of the layer."""

    def __init__(self, folder: Path, model: Any) -> None:
        """Raises PinchError where it is none of finetune's, or does not fit the model."""
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        config = read_json(folder / CONFIG)
        odd = [name for name, value in PLAIN.items() if (config.get(name) or None) != (value or None)]
        if config.get("peft_type") != "LORA" or odd:
            raise PinchError(f"{folder / CONFIG}: is no adapter of finetune ({', '.join(odd) or 'not LoRA'})")
        self.scale = config["lora_alpha"] / config["r"]
        try:
            tensors = load_file(folder / "adapter_model.safetensors")
        except (SafetensorError, OSError) as error:
            raise PinchError(f"{folder}: the adapter cannot be read: {error}") from None
        self.factors: dict[str, dict[str, Any]] = {}
        for key, tensor in tensors.items():
            name, _, factor = key.removeprefix(PREFIX).removesuffix(".weight").rpartition(".")
            self.factors.setdefault(name, {})[factor] = tensor
        layers = dict(model.named_modules())
        for name, factors in self.factors.items():
            shape = getattr(getattr(layers.get(name), "weight", None), "shape", None)
            if set(factors) != {"lora_A", "lora_B"} or shape != (len(factors["lora_B"]), factors["lora_A"].shape[1]):
                raise PinchError(f"{folder}: the adapter's {name} does not fit the base model")

    def __call__(self, name: str, layer: Any) -> Any | None:
        """The merged weight of a layer, in its dtype and on its device; None where the adapter leaves it alone."""
        if name not in self.factors:
            return None
        weight = layer.weight.detach()
        down, up = (self.factors[name][factor].to(weight.device).float() for factor in ("lora_A", "lora_B"))
        return (weight.float() + (up @ down) * self.scale).to(weight.dtype)
