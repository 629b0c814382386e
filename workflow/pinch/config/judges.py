"""Who compares two responses, and with whose."""

import re
from typing import Annotated, Literal

from pydantic import Field, field_validator
from pydantic_core import PydanticCustomError

from pinch.config.base_models import BaseModelSpec
from pinch.config.fields import NAME, Float, Int, Strict


class Rubric(Strict):
    """A checklist of form, without a model: it says so of itself, and names the criterion that decided."""

    engine: Literal["rubric"]
    name: str = Field(default="rubric", pattern=f"^{NAME}$")
    margin: Float = Field(default=4.0, ge=0)
    """Points of chrF against the reference below which two responses count as equally close."""


class LanguageModelJudge(Strict):
    """What the two engines that ask a language model share."""

    name: str = Field(pattern=f"^{NAME}$")
    """What files and figures call this judge."""
    prompt: str = "two-labels.txt"
    """A text file with {instruction}, {response_1} and {response_2}, in workflow/prompts/ or by its path."""
    labels: tuple[str, str] = ("A", "B")
    """What the judge says to name the first and the second response."""

    @field_validator("labels")
    @classmethod
    def _two_words(cls, value: tuple[str, str]) -> tuple[str, str]:
        words = {label.casefold() for label in value if re.fullmatch(r"\w+", label)}
        if len(words) < 2:
            raise PydanticCustomError("labels", "must be two different words, such as [A, B]")
        return value


class OpenAIJudge(LanguageModelJudge):
    """Any endpoint that speaks OpenAI's chat completions."""

    engine: Literal["openai"]
    base_url: str = Field(pattern=r"^https?://")
    model: str
    api_key_env: str | None = Field(default=None, pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")
    """The environment variable that holds the key; never the key itself. None for an endpoint without keys."""
    temperature: Float = Field(default=0.0, ge=0)
    max_tokens: Int = Field(default=64, ge=1)
    concurrency: Int = Field(default=4, ge=1)
    """Calls in flight of one cell."""
    timeout: Float = Field(default=120, gt=0)
    """Seconds for one try."""
    retries: Int = Field(default=5, ge=0)
    """Tries after a first that failed by time-out, 429 or 5xx, with growing pauses; Retry-After is respected."""
    usd_per_million_tokens: tuple[Annotated[Float, Field(ge=0)], Annotated[Float, Field(ge=0)]] | None = None
    """Price of input and output tokens, for the cost in the verdicts."""


class TransformersJudge(LanguageModelJudge):
    """A local model, by the logits of the two labels."""

    engine: Literal["transformers"]
    model: BaseModelSpec
    batch_size: Int = Field(default=8, ge=1)


AnyJudge = Annotated[Rubric | OpenAIJudge | TransformersJudge, Field(discriminator="engine")]


class Judge(Strict):
    """What a candidate is compared with."""

    baseline: str = "monolingual"
    """monolingual: the model tuned on all rows in the evaluation language, as in the paper; else the name of
    one training set (or untuned) for all columns."""
