"""The configuration of an experiment: every key, its type, its default and its limits.

Typed here, once; checked before any job starts; trusted everywhere else. The JSON Schema for editors
(workflow/schemas/config.schema.json) is made from these classes by `python -m pinch schema`.
"""

import re
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator
from pydantic_core import PydanticCustomError

from pinch.config.base_models import BaseModelSpec
from pinch.config.designs import AnyDesign, Custom, Design, Monolingual, Pinch, Untuned
from pinch.config.fields import Float, Int, Lang, Strict, distinct
from pinch.config.judges import AnyJudge, Judge, LanguageModelJudge, OpenAIJudge, Rubric, TransformersJudge
from pinch.config.models import Finetune, Generate

__all__ = [
    "Aggregate",
    "AnyDesign",
    "AnyJudge",
    "BaseModelSpec",
    "Config",
    "Custom",
    "Data",
    "Design",
    "Evaluation",
    "Finetune",
    "Generate",
    "Judge",
    "LanguageModelJudge",
    "Mixture",
    "Monolingual",
    "OpenAIJudge",
    "Pinch",
    "Plot",
    "Rubric",
    "Seed",
    "TransformersJudge",
    "Translate",
    "Untuned",
]


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
        if "{lang}" not in value and not value.endswith(".tmx"):
            message = "names one file for all languages; put {placeholder} where the language stands"
            raise PydanticCustomError("placeholder", message, {"placeholder": "{lang}"})
        return value


class Mixture(Strict):
    """How training sets are drawn."""

    rows: Annotated[Int, Field(ge=1)] | None = None
    """Rows of every training set; all that `data.train` has unless given."""


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
        return distinct(value) if value else value


class Seed(Strict):
    """One repetition: the draw of the rows and the training."""

    draw: Int = Field(default=0, ge=0)
    train: Int = Field(default=0, ge=0)


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
    seeds: list[Seed] = Field(default=[Seed()], min_length=1)
    evaluation: Evaluation = Evaluation()
    finetune: Finetune = Finetune()
    generate: Generate = Generate()
    judge: Judge = Judge()
    judges: Annotated[list[AnyJudge], Field(min_length=1)]
    aggregate: Aggregate = Aggregate()
    plot: Plot = Plot()

    @field_validator("results", "cache")
    @classmethod
    def _folder(cls, value: str) -> str:
        if not value.strip(" /"):
            raise PydanticCustomError("folder", "{value} is not a folder of its own; name one", {"value": repr(value)})
        return value

    @field_validator("languages")
    @classmethod
    def _once(cls, value: list[str]) -> list[str]:
        return distinct(value)

    @field_validator("base_models", "judges")
    @classmethod
    def _names(cls, value: list[Any]) -> list[Any]:
        distinct([item.name for item in value])
        return value

    @field_validator("seeds")
    @classmethod
    def _seeds(cls, value: list[Seed]) -> list[Seed]:
        return distinct(value)

    @property
    def evaluation_languages(self) -> list[str]:
        """The columns, in the order of `languages`."""
        wanted = self.evaluation.languages
        return [lang for lang in self.languages if wanted is None or lang in wanted]
