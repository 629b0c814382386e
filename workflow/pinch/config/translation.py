"""How the data come into the other languages: engines, the memory before them, and the gate after them."""

import re
from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator
from pydantic_core import PydanticCustomError

from pinch.config.fields import (
    BaseUrl,
    FilePath,
    Float,
    Int,
    KeyVariable,
    Lang,
    PathTemplate,
    ServerUrl,
    Strict,
    distinct,
)

Flag = Literal[
    "untranslated",
    "empty",
    "wrong_language",
    "copied",
    "length",
    "repetition",
    "lost_numbers",
    "lost_verbatim",
    "cut_off",
]
"""What a row can be flagged for that speaks against it; a language that is `undetermined` only informs."""

TRANSPORT = frozenset(
    {
        "languages",
        "base_url",
        "api_key_env",
        "concurrency",
        "timeout",
        "retries",
        "requests_per_second",
        "batch_size",
        "usd_per_million_characters",
        "usd_per_million_tokens",
    }
)
"""Settings of engines that say where, how fast and at what price, and change no translation."""


class EngineSettings(Strict):
    """What all engines share."""

    languages: Annotated[list[Lang], Field(min_length=1)] | None = None
    """The languages that it is for; all that it knows unless given."""

    @field_validator("languages")
    @classmethod
    def _once(cls, value: list[str] | None) -> list[str] | None:
        return distinct(value) if value else value


class Remote(EngineSettings):
    """What engines behind an address share."""

    concurrency: Int = Field(default=1, ge=1)
    """Requests in flight of one job."""
    timeout: Float = Field(default=60, gt=0)
    """Seconds for one try."""
    retries: Int = Field(default=7, ge=0)
    """Tries after a first that failed by time-out, 429, 5xx or an answer that is none, with growing pauses;
    Retry-After is respected."""


class WebEngine(Remote):
    """A translation service, as deep-translator speaks to it."""

    engine: Literal["google", "deepl", "microsoft", "libre", "mymemory", "yandex", "qcri", "papago", "baidu"]
    """A service of the web, as deep-translator speaks to it."""
    base_url: BaseUrl | None = None
    """Of a server of one's own, for libre; it may want no key."""
    api_key_env: KeyVariable | None = None
    """The environment variable that holds the key, never the key itself; the service's usual one unless given."""
    options: dict[str, str | bool] = Field(default={})
    """More arguments of deep-translator's class: microsoft's region, category, profanityAction and allowFallback,
    mymemory's email, qcri's domain, deepl's use_free_api (which its key tells otherwise)."""
    requests_per_second: Float = Field(default=5, gt=0)
    """Over all jobs of this machine."""
    usd_per_million_characters: Float | None = Field(default=None, ge=0)
    """For the cost in the report."""

    @model_validator(mode="after")
    def _fits_the_service(self) -> Self:
        if self.base_url and self.engine != "libre":
            raise PydanticCustomError("base_url", "is for libre only; the other services have one address each")
        if self.api_key_env and self.engine in ("google", "mymemory"):
            raise PydanticCustomError(
                "api_key_env", "is for services that take a key; {engine} takes none", {"engine": self.engine}
            )
        if self.engine == "google" and self.concurrency > 1:
            raise PydanticCustomError("concurrency", "must be 1 for google, which answers 429 to many at once")
        return self


class Apertium(EngineSettings):
    """Debian's rule-based engine, one long-lived process a pair, by way of other languages where there is no pair."""

    engine: Literal["apertium"]
    through: dict[Lang, Annotated[list[Lang], Field(min_length=1)]] = Field(default={})
    """By target language, the languages on the way: {it: [es]}; the shortest way that is installed unless given."""


class Seq2Seq(EngineSettings):
    """A translation model (NLLB, M2M100, MADLAD, OPUS) on this machine, by transformers or CTranslate2."""

    engine: Literal["seq2seq"]
    hub: str | None = None
    """A model of the Hugging Face hub, with `revision`; {lang} stands for the language."""
    revision: str | dict[Lang, str] | None = None
    """The commit of the hub's repository, 40 hexadecimal digits; by language where `hub` has {lang}."""
    path: PathTemplate | None = None
    """A local directory with config.json, tokenizer and safetensors; {lang} stands for the language."""
    codes: dict[Lang, str] = Field(default={})
    """What the model calls a language, where that cannot be told from its tokenizer: {es: spa_Latn}."""
    batch_size: Int = Field(default=16, ge=1)
    """Sentences translated together."""
    beams: Int = Field(default=4, ge=1)
    """Of beam search; 1 is greedy."""
    max_new_tokens: Int = Field(default=256, ge=1)
    """Of a sentence; what is not finished by then is translated otherwise."""
    backend: Literal["transformers", "ctranslate2"] = "transformers"
    """What computes it. CTranslate2 is installed beside (pip install ctranslate2==4.8.5); it is faster on a CPU, by
    much in int8, and its format of the model lies in the cache once more. On a GPU it needs CUDA 12's cuBLAS."""
    compute_type: Literal["float32", "bfloat16", "float16", "int8"] = "float32"
    """For ctranslate2: int8 is the fastest on a CPU and changes some translations, the halves are for GPUs.
    transformers tells its own: bfloat16 on GPUs that have it, else float32."""

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if (self.hub is None) == (self.path is None):
            raise PydanticCustomError("model", "name the model by `hub` (with `revision`) or by `path`")
        if self.path and self.revision:
            raise PydanticCustomError("revision", "`revision` goes with `hub` only; remove it")
        commits = self.revision.values() if isinstance(self.revision, dict) else [self.revision or ""]
        if self.hub and not (commits and all(re.fullmatch(r"[0-9a-f]{40}", commit) for commit in commits)):
            message = "`hub` needs `revision`, the 40 hexadecimal digits of a commit, so that it stays the same model"
            raise PydanticCustomError("revision", message)
        if self.hub and ("{lang}" in self.hub) != isinstance(self.revision, dict):
            message = (
                "`revision` is a commit by language where `hub` has {placeholder}, and one commit where it has not"
            )
            raise PydanticCustomError("revision", message, {"placeholder": "{lang}"})
        return self

    @model_validator(mode="after")
    def _compute_type_of_its_backend(self) -> Self:
        if self.backend == "transformers" and self.compute_type != "float32":
            raise PydanticCustomError(
                "compute_type", "is for `backend: ctranslate2`; transformers tells its own, remove it"
            )
        return self

    def commit(self, lang: str) -> str | None:
        """The commit of the hub's model for a language."""
        return self.revision.get(lang) if isinstance(self.revision, dict) else self.revision


class LLM(Remote):
    """A language model behind an OpenAI-compatible endpoint; instruction and response are translated together."""

    engine: Literal["llm"]
    base_url: ServerUrl
    """Or file:NAME, a file in which a server that is a job of the cluster has written its address."""
    model: str
    """What the endpoint calls the model."""
    api_key_env: KeyVariable | None = None
    """The environment variable that holds the key; never the key itself. None for an endpoint without keys."""
    prompt: FilePath = "translate.txt"
    """A text file with {source_language}, {target_language} and {texts}, in workflow/prompts/ or by its path."""
    temperature: Float = Field(default=0.0, ge=0)
    """0 is greedy."""
    max_tokens: Int = Field(default=4096, ge=1)
    """Of an answer."""
    max_characters: Int = Field(default=8000, ge=100)
    """Of instruction and response together; what is longer is cut between lines and sentences."""
    concurrency: Int = Field(default=4, ge=1)
    usd_per_million_tokens: tuple[Annotated[Float, Field(ge=0)], Annotated[Float, Field(ge=0)]] | None = None
    """Price of input and output tokens."""


AnyEngine = Annotated[WebEngine | Apertium | Seq2Seq | LLM, Field(discriminator="engine")]

Policy = Literal["keep", "drop", "fail"]


class Gate(Strict):
    """What becomes of rows that are flagged: they stay in the translation file, with their flags, in any case."""

    train: Policy = "keep"
    """keep: they are used and reported. drop: their ids leave all languages of `parallel_over`. fail: the job fails."""
    eval: Policy = "keep"
    """The same; a dropped prompt leaves its own language only."""
    ignore: list[Flag] = Field(default=[])
    """Flags that are reported, but drop and fail nothing."""
    limit: Float = Field(default=50.0, ge=0, le=100)
    """Percent of a language's rows that may be flagged; the job fails above it, whatever the policy."""

    @field_validator("ignore")
    @classmethod
    def _once(cls, value: list[str]) -> list[str]:
        return distinct(value)


class Translate(Strict):
    """How the data come into the other languages."""

    memory: PathTemplate | None = None
    """JSONL or TMX files of translations, consulted before any engine; {split} stands for train or eval, {lang} for
    the language."""
    engines: list[AnyEngine] = Field(default=[])
    """Asked for what the memory lacks. A language's engines are those that serve it, in this order: the second is asked
    for what the first does not bring back whole, and so on."""
    parallel_over: Annotated[list[Lang], Field(min_length=1)] | None = None
    """Languages in which a training row must pass the gate to be in any training set, for the policy drop."""
    gate: Gate = Gate()
    """What becomes of rows that are flagged."""

    @field_validator("memory")
    @classmethod
    def _placeholders(cls, value: str | None) -> str | None:
        if value is None:
            return None
        if unknown := re.search(r"\{[^}]*\}?|\}", re.sub(r"\{(split|lang)\}", "", value)):
            message = "unknown placeholder {what}; only {known} are filled in"
            context = {"what": unknown[0], "known": "{split} and {lang}"}
            raise PydanticCustomError("placeholder", message, context)
        if "{lang}" not in value and not value.endswith(".tmx"):
            message = "names one file for all languages; put {placeholder} where the language stands"
            raise PydanticCustomError("placeholder", message, {"placeholder": "{lang}"})
        return value

    @field_validator("parallel_over")
    @classmethod
    def _once(cls, value: list[str] | None) -> list[str] | None:
        return distinct(value) if value else value

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.memory is None and not self.engines:
            raise PydanticCustomError("engines", "needs `memory`, files of translations, or `engines`, or both")
        if self.gate.train == "drop" and self.parallel_over is None:
            message = (
                "gate.train: drop needs `parallel_over`, the languages in which a row must pass to be in any training "
                "set; a language added later then changes no finished one"
            )
            raise PydanticCustomError("parallel_over", message)
        return self

    def chain(self, lang: str) -> list[AnyEngine]:
        """The engines for a language, in the order in which they are asked."""
        return [spec for spec in self.engines if spec.languages is None or lang in spec.languages]
