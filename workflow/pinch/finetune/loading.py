"""The base model as a training holds it: its weights in the dtype asked for, in four bits, or ready to be trained."""

from importlib.util import find_spec
from pathlib import Path
from typing import Any

from pinch import modelling
from pinch.errors import PinchError

PART = 2**24
"""Numbers of a weight that are read and rounded at a time."""


def require_four_bits(select: str) -> None:
    """Raises PinchError where qlora cannot be: without its package, or on a CPU where checkpoints are compared.

    On a CPU bitsandbytes 0.50.2 rearranges its weights for decoding as soon as a model is not in training, and gives
    wrong gradients from then on.
    """
    if find_spec("bitsandbytes") is None:
        raise PinchError(
            "finetune.method: qlora needs the package bitsandbytes: pip install bitsandbytes==0.50.2; or set lora"
        )
    if select != "last" and modelling.device() == "cpu":
        raise PinchError(
            f"finetune.select: {select} with method: qlora needs a GPU; on a CPU set select: last, or method: lora"
        )


def training_dtype(asked: str) -> Any:
    """What training computes in: auto is bfloat16 where the GPU or the CPU has instructions for it, else float32.

    A CPU with them (AVX-512 BF16, AMX) trains twice as fast, and gives up some digits of a loss. Raises PinchError
    where bfloat16 is asked of a GPU that has none.
    """
    import torch

    cuda = modelling.device() == "cuda"
    native = (
        torch.cuda.is_bf16_supported(including_emulation=False)
        if cuda
        else torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    )
    if asked == "bfloat16" and cuda and not native:
        raise PinchError(
            f"finetune.dtype: {modelling.device_name()} does not compute in bfloat16; set float32, or auto"
        )
    return torch.bfloat16 if asked == "bfloat16" or (asked == "auto" and native) else torch.float32


def load(base: Path, method: str, dtype: Any) -> Any:
    """The base model: float32 where all of it is trained, else frozen in `dtype`, or in NF4 where `method` is qlora."""
    import torch

    if method == "full":
        return modelling.load_model(base, weights_dtype=torch.float32)
    if method == "qlora":
        return _four_bits(base, dtype)
    if modelling.device() == "cpu" and dtype == torch.bfloat16:
        return _rounded(base, dtype) or modelling.load_model(base, weights_dtype=dtype)
    return modelling.load_model(base, weights_dtype=dtype)


def _four_bits(base: Path, dtype: Any) -> Any:
    """Dettmers et al. 2023: NF4 with double quantization; products are computed in `dtype`."""
    import transformers

    quantized = transformers.BitsAndBytesConfig(
        load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=True, bnb_4bit_compute_dtype=dtype
    )
    with modelling.reading(base, "model"):
        model: Any = transformers.AutoModelForCausalLM.from_pretrained(
            base,
            dtype=dtype,
            use_safetensors=True,
            trust_remote_code=False,
            quantization_config=quantized,
            device_map={"": modelling.device()},
        )
    return model


def _rounded(base: Path, dtype: Any) -> Any:
    """The model with weights rounded as they are read; None where it is none of transformers' own classes.

    transformers maps the whole file and rounds from there, so that for a moment a process holds the weights both in
    float32 and in bfloat16: with a small model on a CPU that is the peak of its memory. Here a part of a weight is
    mapped at a time.
    """
    import torch
    import transformers
    from safetensors import safe_open

    files = sorted(base.glob("*.safetensors"))
    with modelling.reading(base, "model"):
        config = transformers.AutoConfig.from_pretrained(base, trust_remote_code=False)
        kind = getattr(transformers, (config.architectures or [""])[0], None)
        if kind is None or not files:
            return None
        weights = {}
        for file in files:
            with safe_open(file, "pt") as opened:
                shapes = {name: opened.get_slice(name).get_shape() for name in opened.keys()}  # noqa: SIM118
            for name, shape in shapes.items():
                weights[name] = torch.empty(shape, dtype=dtype)
                step = max(1, PART // max(1, torch.Size(shape[1:]).numel()))
                for start in range(0, shape[0] if shape else 0, step):
                    with safe_open(file, "pt") as opened:  # what was mapped is given back with each closing
                        weights[name][start : start + step] = opened.get_slice(name)[start : start + step]
        model: Any = kind.from_pretrained(None, config=config, state_dict=weights, dtype=dtype)
        model.name_or_path = model.config._name_or_path = str(base)  # where PEFT looks the base's vocabulary up
        if (base / "generation_config.json").is_file():
            model.generation_config = transformers.GenerationConfig.from_pretrained(base)
    return model.eval()
