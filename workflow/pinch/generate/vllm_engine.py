"""vLLM in this process, on a GPU: one engine for a base model and all of its adapters.

Not run where this was written, for want of a GPU: tested against a stand-in that checks what is handed over.
"""

import importlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pinch import base_model, modelling
from pinch.config import Generate
from pinch.decoding import encode, response, stop_tokens
from pinch.decoding.sampling import integer
from pinch.errors import PinchError
from pinch.generate.adapter import CONFIG, is_adapter
from pinch.generate.engines import Respond
from pinch.generate.facts import configured_stops, context_length
from pinch.generate.rows_of_base import Model
from pinch.rows import GenerationRow, TranslatedRow, read_json

RANKS = (8, 16, 32, 64, 128, 256, 320, 512)
"""Of adapters for which vLLM keeps room."""


class VllmEngine:
    """The engine `vllm`."""

    def __init__(self, settings: Generate, record: str, cache: str) -> None:
        """Raises PinchError where vLLM is not installed."""
        try:
            self.vllm: Any = importlib.import_module("vllm")
            self.request: Any = importlib.import_module("vllm.lora.request").LoRARequest
        except ImportError as error:
            raise PinchError(
                f"generate.engine: vllm cannot be imported ({error}); `pip install vllm` into an environment of a "
                "machine with a GPU, or choose another engine"
            ) from None
        self.settings = settings
        self.base, _ = base_model.open_record(record, cache)
        self.folder: Path | None = None
        self.rank = 0
        self.llm: Any = None
        self.tokenizer: Any = None
        self.adapters = 0
        self.loaded = False

    def _load(self, folder: Path, rank: int) -> None:
        """A base with room for adapters of `rank`; 0 for none."""
        self.loaded = folder != self.folder or rank > self.rank
        if not self.loaded:
            return
        # A second engine does not fit beside the first.
        self.llm = None
        settings, options = self.settings, self.settings.vllm
        adapters: dict[str, Any] = {}
        if rank:
            room = next((known for known in RANKS if known >= rank), None)
            if room is None:
                raise PinchError(f"finetune.lora_rank: {rank} is more than vLLM takes ({RANKS[-1]})")
            adapters = {"enable_lora": True, "max_lora_rank": room, "max_loras": 1}
        if settings.batch_size != "auto":
            adapters["max_num_seqs"] = settings.batch_size
        self.llm = self.vllm.LLM(
            model=str(folder),
            tokenizer=str(folder),
            dtype="auto" if options.dtype is None else options.dtype,
            seed=0,
            # Neither pickled weights nor code that comes with a model, whatever vLLM's defaults are.
            load_format="safetensors",
            trust_remote_code=False,
            # "vllm": what a model's generation_config says of sampling and penalties is not ours.
            generation_config="vllm",
            gpu_memory_utilization=options.gpu_memory,
            tensor_parallel_size=options.gpus,
            **({"max_model_len": options.context} if options.context else {}),
            **adapters,
        )
        self.folder, self.rank = folder, rank
        self.tokenizer = modelling.load_tokenizer(folder)
        self.context = context_length(folder)
        self.stops = stop_tokens(self.tokenizer, configured_stops(folder))

    @contextmanager
    def responding(self, model: Model) -> Iterator[Respond]:
        """An adapter is kept beside its base, and not merged."""
        request = None
        if model.weights is not None and is_adapter(model.weights):
            self._load(self.base, int(read_json(model.weights / CONFIG)["r"]))
            self.adapters += 1
            request = self.request(f"{model.name}-{model.digest[:8]}", self.adapters, str(model.weights.absolute()))
        else:
            self._load(model.weights or self.base, self.rank if model.weights is None else 0)
        yield lambda prompts: self._respond(prompts, model, request)

    def _respond(self, prompts: Sequence[TranslatedRow], model: Model, request: Any) -> list[GenerationRow]:
        settings = self.settings
        context = self.settings.vllm.context or self.context
        encoded = encode(self.tokenizer, prompts, model.chat, settings.max_new_tokens, context)
        parameters = [
            self.vllm.SamplingParams(
                temperature=settings.temperature,
                top_p=settings.top_p if settings.temperature else 1.0,
                max_tokens=settings.max_new_tokens,
                seed=integer(model.seed, prompt.lang, prompt.id) if settings.temperature else None,
                stop_token_ids=sorted(self.stops),
                detokenize=False,
            )
            for prompt in prompts
        ]
        said = self.llm.generate(
            [{"prompt_token_ids": ids} for ids in encoded], parameters, lora_request=request, use_tqdm=False
        )
        return [
            response(self.tokenizer, prompt, list(output.outputs[0].token_ids), self.stops)
            for prompt, output in zip(prompts, said, strict=True)
        ]

    def ready(self, model: Model) -> str:
        """Of the last model."""
        return "model loaded" if self.loaded else "adapter changed"

    def close(self) -> None:
        """Free the GPU."""
        self.llm = None
