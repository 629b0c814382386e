"""How models are trained and how they respond."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from pinch.config.fields import Float, Int, Strict


class Finetune(Strict):
    """Hyperparameters of supervised fine-tuning (TRL's SFTTrainer)."""

    method: Literal["lora", "full"] = "lora"
    """lora stores the adapter alone; full stores all weights."""
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
    """Rows in memory at once; the batch size unless given, of which it must be a divisor."""
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
    gradient_checkpointing: bool = False
    """Less memory, a third more time."""
    select: Literal["last", "loss", "rouge_l"] = "last"
    """Which checkpoint is kept: the last, or the best on the development rows (`data.held_out`): that with the lowest
    loss a response token, or the highest ROUGE-L of greedy responses."""
    checkpoints: Int = Field(default=4, ge=2)
    """How many are compared, at equal distances, the last among them; without effect where select is last."""
    rouge_l_tokens: Int = Field(default=128, ge=1)
    """Tokens of a development response at most, where select is rouge_l."""

    @model_validator(mode="after")
    def _one_length(self) -> Self:
        if self.epochs is not None and self.steps is not None:
            message = "epochs ({epochs}) and steps ({steps}) are both given; keep one, and make the other null"
            raise PydanticCustomError("two_lengths", message, {"epochs": f"{self.epochs:g}", "steps": self.steps})
        return self

    @model_validator(mode="after")
    def _divisor(self) -> Self:
        if self.micro_batch_size and self.batch_size % self.micro_batch_size:
            raise PydanticCustomError("divisor", "micro_batch_size must be a divisor of batch_size")
        return self


class Generate(Strict):
    """How responses are decoded."""

    max_new_tokens: Int = Field(default=512, ge=1)
    """Tokens of a response at most; one that is cut says finish_reason length."""
    batch_size: Int = Field(default=16, ge=1)
    """Prompts decoded together; all of one language."""
    temperature: Float = Field(default=0.0, ge=0)
    """0 is greedy."""
    top_p: Float = Field(default=1.0, gt=0, le=1)
    """Nucleus; without effect at temperature 0."""
    untuned_prompt: Literal["chat", "raw"] = "chat"
    """What the untuned base model is shown: the chat template of the tuned ones, or the bare instruction."""
