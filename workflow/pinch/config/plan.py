"""What a plan reckons with where nothing was measured."""

from typing import Annotated

from pydantic import Field

from pinch.config.fields import Float, Int, Strict

Rate = Annotated[Float, Field(gt=0)]


class Plan(Strict):
    """What `plan` reckons with; no run depends on it. What finished runs have measured takes the place of it."""

    gpus: Int = Field(default=1, ge=1)
    """GPUs that work at the same time."""
    train_tokens_per_second: Rate = 5000
    """Of one GPU in training. The default is an assumption: LoRA on a model of 8 B parameters, on an H100."""
    generate_tokens_per_second: Rate = 1500
    """Of one GPU in decoding. The default is an assumption: a model of 8 B parameters in batches of 64, on an H100."""
    judge_tokens_per_second: Rate | None = None
    """Of one GPU, prompt and reply, for judges that run on GPUs of one's own: those without a price. Unless given, the
    time of judging is not counted."""
    usd_per_gpu_hour: Annotated[Float, Field(ge=0)] | None = None
    """Price of an hour of one GPU. Unless given, no money is counted for them."""
    tokens_per_instruction: Int = Field(default=50, ge=1)
    """Where no text or no tokenizer is at hand. The default is an assumption: English rows of LIMA and OpenAssistant
    have some 40, other languages more."""
    tokens_per_response: Int = Field(default=300, ge=1)
    """Of a training row, likewise; English rows of LIMA and OpenAssistant have some 250."""
    parameters: dict[str, Rate] = Field(default={})
    """Parameters of base models that are not at hand yet, by name: {Apertus-8B-2509: 8e9}. Unless given, what the name
    says."""
