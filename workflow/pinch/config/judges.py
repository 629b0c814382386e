"""Who compares two responses, and with whose."""

import re
from typing import Annotated, Any, Literal, Self

from pydantic import Field, field_validator, model_validator
from pydantic_core import PydanticCustomError

from pinch.config.base_models import BaseModelSpec
from pinch.config.fields import NAME, FilePath, Float, Int, KeyVariable, ServerUrl, Strict, distinct


class Rubric(Strict):
    """A checklist of form, without a model: it says so of itself, and names the criterion that decided."""

    engine: Literal["rubric"]
    name: str = Field(default="rubric", pattern=f"^{NAME}$")
    """What files and figures call this judge."""
    margin: Float = Field(default=4.0, ge=0)
    """Points of chrF against the reference below which two responses count as equally close."""


class LanguageModelJudge(Strict):
    """What the two engines that ask a language model share."""

    name: str = Field(pattern=f"^{NAME}$")
    """What files and figures call this judge."""
    prompt: FilePath = "two-labels.txt"
    """A text file with {instruction}, {response_1}, {response_2} and, if wanted, {language} and {reference}, in
    workflow/prompts/ or by its path."""
    labels: tuple[str, ...] | None = None
    """What the judge says to name the first response, the second and, where there are three, a tie. Those of the
    prompt, where it is one of ours; A and B for a prompt of your own."""

    @field_validator("labels")
    @classmethod
    def _words(cls, value: tuple[str, ...] | None) -> tuple[str, ...] | None:
        if value is None:
            return value
        words = {label.casefold() for label in value if re.fullmatch(r"\w+", label)}
        if len(value) not in (2, 3) or len(words) < len(value):
            raise PydanticCustomError("labels", "must be two or three different words, such as [A, B] or [A, B, C]")
        return value


class OpenAIJudge(LanguageModelJudge):
    """Any endpoint that speaks OpenAI's chat completions."""

    engine: Literal["openai"]
    base_url: ServerUrl
    """Or file:NAME, a file in which a server that is a job of the cluster has written its address."""
    model: str
    """What the endpoint calls the model."""
    api_key_env: KeyVariable | None = None
    """The environment variable that holds the key; never the key itself. None for an endpoint without keys."""
    read: Literal["structured", "logprobs", "text"] = "structured"
    """How a label is got: by a JSON schema that the endpoint holds the reply to, by the log probabilities of the
    labels as the first token, or from the text of the reply, which is also read where an endpoint lacks the others."""
    temperature: Float = Field(default=0.0, ge=0)
    """0 is greedy."""
    max_tokens: Int = Field(default=64, ge=1)
    """Of a reply."""
    context: Annotated[Int, Field(ge=1)] | None = None
    """Tokens of prompt and reply together that the endpoint takes, for one that cuts longer prompts instead of refusing
    them: a reply to a prompt that fills it is invalid."""
    ask_again: Int = Field(default=2, ge=0, le=10)
    """Times that a judge whose reply names no label is asked again before the verdict is invalid."""
    concurrency: Int = Field(default=4, ge=1)
    """Calls in flight of one cell."""
    timeout: Float = Field(default=120, gt=0)
    """Seconds for one try."""
    retries: Int = Field(default=5, ge=0)
    """Tries after a first that failed by time-out, 429 or 5xx, with growing pauses; Retry-After is respected."""
    batch: bool = False
    """Whether calls go through the provider's batch mode: cheaper, and done within a day."""
    poll_seconds: Float = Field(default=60, gt=0)
    """Pause between two looks at a batch."""
    usd_per_million_tokens: tuple[Annotated[Float, Field(ge=0)], Annotated[Float, Field(ge=0)]] | None = None
    """Price of input and output tokens, for the cost in the verdicts; those of the batch mode where that is used."""
    max_usd: Annotated[Float, Field(gt=0)] | None = None
    """What this judge may cost in this experiment: before a call that could cost more than is left, the job stops."""

    @model_validator(mode="after")
    def _priced(self) -> Self:
        if self.max_usd is not None and self.usd_per_million_tokens is None:
            raise PydanticCustomError("max_usd", "max_usd needs usd_per_million_tokens, to know what a call costs")
        return self


class TransformersJudge(LanguageModelJudge):
    """A local model, by the logits of the labels."""

    engine: Literal["transformers"]
    model: BaseModelSpec
    """Where the model comes from, as in `base_models`."""
    batch_size: Int = Field(default=8, ge=1)
    """Questions of 1,024 tokens that go through the model at once; more of shorter ones, fewer of longer."""


class Jury(Strict):
    """The majority of other judges, as one more judge: no calls of its own."""

    engine: Literal["jury"]
    name: str = Field(default="jury", pattern=f"^{NAME}$")
    """What files and figures call this judge."""
    members: Annotated[list[str], Field(min_length=2)]
    """Names of judges of this experiment."""

    @field_validator("members")
    @classmethod
    def _once(cls, value: list[str]) -> list[str]:
        return distinct(value)


AnyJudge = Annotated[Rubric | OpenAIJudge | TransformersJudge | Jury, Field(discriminator="engine")]

TRANSPORT = frozenset(
    {
        "base_url",
        "api_key_env",
        "concurrency",
        "timeout",
        "retries",
        "batch",
        "poll_seconds",
        "usd_per_million_tokens",
        "max_usd",
        "batch_size",
    }
)
"""Settings of judges that change no verdict: how calls travel and what they cost."""


def check_members(judges: list[Any]) -> None:
    """Raises ValueError where a jury names a judge that is none, or another jury."""
    names = {judge.name for judge in judges if not isinstance(judge, Jury)}
    for judge in judges:
        if isinstance(judge, Jury) and (unknown := [name for name in judge.members if name not in names]):
            raise PydanticCustomError(
                "members",
                "the jury {jury} has the members {unknown}, which are no judges here; there are {names}",
                {"jury": judge.name, "unknown": ", ".join(unknown), "names": ", ".join(sorted(names))},
            )


class Judge(Strict):
    """What a candidate is compared with."""

    baseline: str = "monolingual"
    """monolingual: the model tuned on all rows in the evaluation language, as in the paper; else the name of
    one training set (or untuned) for all columns."""


class Audit(Strict):
    """Whether a judge can judge: asked of every judge, in every evaluation language."""

    labelled: FilePath = "labelled.jsonl"
    """JSONL of pairs of responses of which it is known which one is better, in resources/ or by its path."""
    contrast: Int = Field(default=24, ge=0)
    """Pairs made from the baseline's responses in a language that has no labelled ones; 0: it is not audited."""
    repeats: Int = Field(default=20, ge=0)
    """Pairs of a language whose verdicts are asked for a second time."""
    strict: bool = False
    """Whether a run fails where a judge is flagged in a language."""
