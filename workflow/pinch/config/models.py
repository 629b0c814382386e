"""How models are trained and how they respond."""

import re
from typing import Annotated, Any, Literal, Self

from pydantic import Field, field_validator, model_validator
from pydantic_core import PydanticCustomError

from pinch.config.fields import Float, Int, KeyVariable, ServerUrl, Strict

TRAINING_TRANSPORT = ("checkpoint_minutes", "accelerate")


class Finetune(Strict):
    """Hyperparameters of supervised fine-tuning (TRL's SFTTrainer)."""

    method: Literal["lora", "qlora", "full"] = "lora"
    """lora stores the adapter alone; qlora trains it beside a base of four bits (NF4, by bitsandbytes), and applies it
    to the base as it is when responses are generated; full stores all weights."""
    dtype: Literal["auto", "float32", "bfloat16"] = "auto"
    """What training computes in; what is trained is kept in float32. auto: bfloat16 where the processor has
    instructions for it, else float32."""
    lr: Float = Field(default=2e-4, gt=0)
    """Peak learning rate."""
    schedule: Literal["constant", "linear", "cosine"] = "cosine"
    """What the learning rate does after warm-up."""
    warmup: Float = Field(default=0.0, ge=0, lt=1)
    """Share of the optimizer steps in which the learning rate rises from 0."""
    epochs: Annotated[Float, Field(gt=0)] | None = None
    """Passes over the training set; 1 unless this or `steps` is given."""
    steps: Annotated[Int, Field(ge=1)] | None = None
    """Optimizer steps, instead of epochs."""
    batch_size: Int = Field(default=4, ge=1)
    """Rows of an optimizer step."""
    micro_batch_size: Annotated[Int, Field(ge=1)] | None = None
    """Rows in memory at once at most; no limit of its own unless given."""
    micro_batch_tokens: Annotated[Int, Field(ge=1)] | None = None
    """Tokens in memory at once, unless one row has more: an optimizer step is cut so, and still is one step of
    batch_size rows. At most 2,048 on a CPU and 16,384 on a GPU, or what its memory has room for, unless given."""
    max_length: Int = Field(default=1024, ge=8)
    """Tokens of instruction and response; what is cut is counted in the manifest and gets no stop token."""
    max_response_length: Annotated[Int, Field(ge=1)] | None = None
    """Tokens of a response, its stop token included; what is cut is counted, and gets no stop token, as above."""
    weight_decay: Float = Field(default=0.0, ge=0)
    """AdamW's."""
    lora_rank: Int = Field(default=16, ge=1)
    """Rank of the adapter, on all linear layers but the output head."""
    lora_alpha: Float = Field(default=32, gt=0)
    """Scale of the adapter is alpha / rank."""
    lora_dropout: Float = Field(default=0.0, ge=0, lt=1)
    """Dropout before the adapter."""
    gradient_checkpointing: bool | Literal["auto"] = "auto"
    """Less memory, a third more time; auto: where memory asks for it, which log and manifest tell. The result is the
    same."""
    select: Literal["last", "loss", "rouge_l"] = "last"
    """Which checkpoint is kept: the last, or the best on the development rows (`data.held_out`): that with the lowest
    loss a response token, or the highest ROUGE-L of greedy responses."""
    checkpoints: Int = Field(default=4, ge=2)
    """How many are compared, at equal distances, the last among them; without effect where select is last."""
    rouge_l_tokens: Int = Field(default=128, ge=1)
    """Tokens of a development response at most, where select is rouge_l."""
    checkpoint_minutes: Float = Field(default=30, ge=0)
    """How often the state of a training is kept, so that one that dies goes on from there; 0: only when it is asked to
    stop. Trains nothing anew, and holds for all sets."""
    accelerate: str | None = None
    """A file as `accelerate config` writes it (workflow/accelerate/ has two): one training over several GPUs or
    machines, by DDP or FSDP. A step has batch_size rows in all. Trains nothing anew, and holds for all sets."""

    @model_validator(mode="after")
    def _one_length(self) -> Self:
        if self.epochs is not None and self.steps is not None:
            message = "epochs ({epochs}) and steps ({steps}) are both given; keep one, and make the other null"
            raise PydanticCustomError("two_lengths", message, {"epochs": f"{self.epochs:g}", "steps": self.steps})
        return self

    def deciding(self) -> dict[str, Any]:
        """What weights depend on: hyperparameters."""
        return self.model_dump(exclude=set(TRAINING_TRANSPORT))

    def transport(self) -> dict[str, Any]:
        """What changes no weights, but for rounding: where a training runs, and what is kept of it on the way."""
        return self.model_dump(include=set(TRAINING_TRANSPORT))


class GenerateEndpoint(Strict):
    """A server that speaks OpenAI's completions and takes prompts as token ids: vLLM, llama.cpp."""

    base_url: ServerUrl
    """Or file:NAME, a file in which a server that is a job of the cluster has written its address."""
    model: str
    """What the server calls the untuned base model."""
    adapter: str = "{mixture}-{seed}"
    """What it calls a tuned model, with {base}, {mixture} and {seed}."""
    load_adapters: bool = False
    """Whether the server is told to load each adapter (vLLM), from a path that it must see as this machine does; the
    name then ends in a digest of the weights."""
    api_key_env: KeyVariable | None = None
    """The environment variable that holds the key; never the key itself. None for a server without keys."""
    concurrency: Int = Field(default=16, ge=1)
    """Calls in flight of one cell."""
    timeout: Float = Field(default=600, gt=0)
    """Seconds for one try."""
    retries: Int = Field(default=5, ge=0)
    """Tries after a first that failed by time-out, 429 or 5xx, with growing pauses; Retry-After is respected."""

    @field_validator("adapter")
    @classmethod
    def _fields(cls, value: str) -> str:
        # Not whatever format() takes: {base.__class__}, {seed:>1000000000}.
        if set("{}") & set(re.sub(r"\{(base|mixture|seed)\}", "", value)):
            raise PydanticCustomError("adapter", "has other fields in braces than base, mixture and seed")
        return value


class GenerateVllm(Strict):
    """vLLM in the job's own process."""

    gpus: Int = Field(default=1, ge=1)
    """Over which one model is split (tensor parallelism)."""
    gpu_memory: Float = Field(default=0.9, gt=0, le=1)
    """Share of a GPU's memory that it takes."""
    context: Annotated[Int, Field(ge=1)] | None = None
    """Tokens of prompt and response that it keeps room for; what the model takes unless given."""
    dtype: str | None = None
    """That of the weights unless given: bfloat16, float16, float32."""


class Generate(Strict):
    """How responses are decoded."""

    engine: Literal["transformers", "vllm", "endpoint"] = "transformers"
    """transformers and vllm run in the job; endpoint is a server that holds the models."""
    max_new_tokens: Int = Field(default=512, ge=1)
    """Tokens of a response at most; one that is cut says finish_reason length."""
    batch_size: Annotated[Int, Field(ge=1)] | Literal["auto"] = "auto"
    """Prompts decoded together at most, all of one cell. auto: 32 on a CPU; 256 on a GPU, or what fits its memory."""
    temperature: Float = Field(default=0.0, ge=0)
    """0 is greedy."""
    top_p: Float = Field(default=1.0, gt=0, le=1)
    """Nucleus; without effect at temperature 0."""
    untuned_prompt: Literal["chat", "raw"] = "chat"
    """What the untuned base model is shown: the chat template of the tuned ones, or the bare instruction."""
    models_per_load: Int = Field(default=8, ge=1)
    """Models as which one load of their base responds, where they are tuned by then. 1: every row loads anew."""
    vllm: GenerateVllm = GenerateVllm()
    """Of engine: vllm."""
    endpoint: GenerateEndpoint | None = None
    """Needed by, and only by, engine: endpoint."""

    @model_validator(mode="after")
    def _one_engine(self) -> Self:
        if (self.engine == "endpoint") != (self.endpoint is not None):
            message = "`engine: endpoint` and the section `endpoint` (base_url, model) go together"
            raise PydanticCustomError("endpoint", message)
        return self

    @property
    def gpus(self) -> int:
        """How many a job takes, where the machine has any."""
        return {"transformers": 1, "vllm": self.vllm.gpus, "endpoint": 0}[self.engine]

    @property
    def calls(self) -> int:
        """How many to a server a job has in flight, so that a limit over the whole run can count them."""
        return self.endpoint.concurrency if self.endpoint else 0

    def deciding(self) -> dict[str, Any]:
        """What responses depend on."""
        kept = {"engine", "max_new_tokens", "temperature", "top_p", "untuned_prompt"}
        found = self.model_dump(include=kept | ({"batch_size"} if self.engine == "transformers" else set()))
        if self.engine == "vllm":
            found["vllm"] = self.vllm.model_dump(include={"dtype"})
        if self.endpoint is not None:
            found["endpoint"] = self.endpoint.model_dump(include={"model", "adapter"})
        return found

    def transport(self) -> dict[str, Any]:
        """What changes no response: where models run, and how many at a time."""
        found: dict[str, Any] = {"models_per_load": self.models_per_load}
        if self.engine == "vllm":
            found |= {"vllm": self.vllm.model_dump(exclude={"dtype"}), "batch_size": self.batch_size}
        if self.endpoint is not None:
            found["endpoint"] = self.endpoint.model_dump(exclude={"model", "adapter"})
        return found
