"""The configuration of an experiment: every key, its type, its default and its limits.

Typed here, once; checked before any job starts; trusted everywhere else. The JSON Schema for editors
(workflow/schemas/config.schema.json) is made from these classes by `python -m pinch schema`.
"""

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator
from pydantic_core import PydanticCustomError

from pinch.config.base_models import BaseModelSpec
from pinch.config.designs import AnyDesign, Custom, Design, Incremental, Monolingual, Pairs, Pinch, Untuned
from pinch.config.fields import FilePath, Float, Int, Lang, Strict, distinct
from pinch.config.judges import (
    AnyJudge,
    Audit,
    Judge,
    Jury,
    LanguageModelJudge,
    OpenAIJudge,
    Rubric,
    TransformersJudge,
    check_members,
)
from pinch.config.models import Finetune, Generate
from pinch.config.plan import Plan
from pinch.config.sources import NaturalList, NaturalSource, Source, SourceList
from pinch.config.translation import AnyEngine, Gate, Translate

__all__ = [
    "Aggregate",
    "Answer",
    "AnyDesign",
    "AnyEngine",
    "AnyJudge",
    "Audit",
    "BaseModelSpec",
    "Config",
    "Custom",
    "Data",
    "Design",
    "Evaluation",
    "Finetune",
    "Gate",
    "Generate",
    "Incremental",
    "Judge",
    "Jury",
    "LanguageModelJudge",
    "Mixture",
    "Models",
    "Monolingual",
    "NaturalSource",
    "OpenAIJudge",
    "Pairs",
    "Pinch",
    "Plan",
    "Plot",
    "Rubric",
    "Seed",
    "Source",
    "TransformersJudge",
    "Translate",
    "Untuned",
]


class Data(Strict):
    """Instruction data: a JSONL file with id, instruction, response, or sources of other kinds."""

    train: SourceList
    """Training examples in the pivot language; each needs a response."""
    eval: SourceList
    """Evaluation instructions; a response, where there is one, is the reference of the rubric judge."""
    natural: NaturalList = Field(default=[])
    """Training examples that exist in some languages only, each with its own `lang`; for designs that ask for them."""
    held_out: Int = Field(default=0, ge=0)
    """Training rows kept out of every training set and language: the development set, by which a checkpoint may be
    chosen."""


class Mixture(Strict):
    """How training sets are drawn."""

    rows: Annotated[Int, Field(ge=1)] | None = None
    """Rows of every training set; all that `data.train` has, less those held out, unless given."""


class Models(Strict):
    """What becomes of tuned models."""

    keep: Literal["all", "none"] = "all"
    """none: the weights are deleted as soon as the responses of all cells of the model are there. The manifest stays,
    and nothing is trained again for cells that are there."""


class Answer(Strict):
    """How little is enough: what counts as enough of a pinch."""

    margin: Float = Field(default=2.0, gt=0)
    """Points by which its average outside the pivot may be below the best one."""
    pivot_margin: Float = Field(default=2.0, gt=0)
    """Points that the pivot may lose against P = 0."""


class Aggregate(Strict):
    """Arithmetic over verdicts; a change reruns no judge."""

    confidence: Float = Field(default=0.95, gt=0, lt=1)
    """Of the bootstrap intervals."""
    resamples: Int = Field(default=5000, ge=100)
    """Bootstrap resamples of the prompts."""
    seed: Int = Field(default=0, ge=0)
    """Of the resamples."""
    correction: Literal["holm", "bh"] = "holm"
    """For the many cells of a matrix: holm (no false finding among them, but in `alpha` of all matrices) or bh (at most
    `alpha` of the findings false, in expectation; Benjamini and Hochberg 1995)."""
    alpha: Float = Field(default=0.05, gt=0, lt=1)
    """What the corrected p of a cell must stay below to be marked as different from 50."""


class Plot(Strict):
    """How figures look; a change reruns nothing else."""

    colormap: str = "YlGnBu"
    """A colormap of matplotlib."""
    dpi: Int = Field(default=200, ge=50, le=1200)
    """Of the PNG files."""
    title: str = ""
    """The first words above a figure; each kind has its own unless given."""


class Evaluation(Strict):
    """The columns of the matrix."""

    languages: Annotated[list[Lang], Field(min_length=1)] | None = None
    """Evaluation languages of designs that name none of their own; all of `languages` unless given."""
    prompts: Annotated[Int, Field(ge=1)] | None = None
    """The first so many of data.eval; all unless given."""

    @field_validator("languages")
    @classmethod
    def _once(cls, value: list[str] | None) -> list[str] | None:
        return distinct(value) if value else value


class Seed(Strict):
    """One repetition: the draw of the rows and the training."""

    draw: Int = Field(default=0, ge=0)
    """Seed of the choice of rows: which are in a training set, and in which language."""
    train: Int = Field(default=0, ge=0)
    """Seed of the training: order of the rows, the adapter at the start, dropout."""


class Config(Strict):
    """An experiment: which base models, tuned on which training sets, evaluated in which languages."""

    results: FilePath = "results"
    """Folder of everything that the experiment makes."""
    cache: FilePath = ".cache/pinch"
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
    models: Models = Models()
    generate: Generate = Generate()
    judge: Judge = Judge()
    judges: Annotated[list[AnyJudge], Field(min_length=1)]
    """Who compares two responses; each judge has its own scores and figures."""
    audit: Audit = Audit()
    aggregate: Aggregate = Aggregate()
    answer: Answer = Answer()
    plan: Plan = Plan()
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
        check_members(value)
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
