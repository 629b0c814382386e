"""Designs of training sets: what should be compared, and in which languages it is evaluated."""

from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, field_validator, model_validator
from pydantic_core import PydanticCustomError

from pinch.config.fields import FilePath, Float, Int, Lang, Strict, distinct

Languages = Annotated[list[Lang], Field(min_length=1)]
Percent = Annotated[Float, Field(ge=0, le=100)]
Count = Annotated[Int, Field(ge=1)]


def _listed(value: Any) -> Any:
    return [value] if isinstance(value, int | float | str) else value


class Named(Strict):
    """What all designs share."""

    name: str | None = Field(default=None, pattern=r"^[a-z0-9][a-z0-9-]{0,59}$")
    """What the files of the design's figures are called; the design's kind unless given."""
    title: str | None = None
    """The first words above the design's figure."""
    label: str | None = None
    """What figures call the training set, for a design that makes one; made from its composition unless given."""
    evaluate: Languages | Literal["unseen"] | None = None
    """Evaluation languages of this design's training sets; `evaluation.languages` unless given. unseen: those of
    them in which the design has no training data (of pairs: in which the pair has none)."""

    @field_validator("evaluate")
    @classmethod
    def _columns_once(cls, value: Any) -> Any:
        return distinct(value) if isinstance(value, list) else value


class Design(Named):
    """What the designs of training sets share."""

    budget: Annotated[list[Count], BeforeValidator(_listed), Field(min_length=1)] | None = None
    """Rows of a training set; a list makes one of each size. `mixture.rows` unless given."""
    data: Literal["parallel", "natural"] = "parallel"
    """natural: rows in other languages than the pivot come from `data.natural` instead of a translation."""
    finetune: dict[str, Any] = Field(default={})
    """Hyperparameters in which these training sets differ from the section `finetune`."""
    variant: str | None = Field(default=None, pattern=r"^[a-z][a-z0-9]{0,29}$")
    """Appended to the names, where the same composition is trained with other hyperparameters."""

    _budget_once = field_validator("budget")(classmethod(lambda cls, value: distinct(value) if value else value))


class Monolingual(Design):
    """One training set for each language, all rows in it (paper, 3.1)."""

    design: Literal["monolingual"]
    languages: Languages | None = None
    """All of `languages` unless given."""
    similarity: bool = False
    """Also a figure of whether similar languages transfer better (paper, 4.1)."""
    pretraining_shares: FilePath | None = None
    """A CSV of each language's share in pretraining (lang,percent), for a figure of it (paper, 4.2)."""

    _once = field_validator("languages")(classmethod(lambda cls, value: distinct(value) if value else value))


class Pinch(Design):
    """`percent` of the rows evenly over `languages`, the pivot among them; the rest in the pivot (paper, 3.2)."""

    design: Literal["pinch"]
    languages: Annotated[list[Lang], Field(min_length=2)]
    """The languages of the set, the pivot among them."""
    percent: Annotated[list[Percent], BeforeValidator(_listed), Field(min_length=1)]
    """A list: one training set for each, and one with all rows in the pivot (0), from which gains are counted."""

    _once = field_validator("languages", "percent")(classmethod(lambda cls, value: distinct(value)))


class Incremental(Design):
    """Sets of 1 to k languages, each with one more than the last, the rows split evenly (paper, 3.4)."""

    design: Literal["incremental"]
    orders: Annotated[list[Languages], Field(min_length=1)] | Count
    """The orders in which languages are added; or how many of them to draw from `languages` by `seed`."""
    languages: Languages | None = None
    """Of the drawn orders."""
    seed: Annotated[Int, Field(ge=0)] | None = None
    """Of the draw; 0 unless given."""

    @model_validator(mode="after")
    def _given_or_drawn(self) -> Self:
        if isinstance(self.orders, int):
            if not self.languages:
                raise PydanticCustomError("orders", "orders that are drawn need `languages` to draw from")
            distinct(self.languages)
            return self
        if self.languages or self.seed is not None:
            message = "`languages` and `seed` go with orders that are drawn; the orders given need neither"
            raise PydanticCustomError("orders", message)
        for number, order in enumerate(self.orders, start=1):
            repeated = sorted({lang for lang in order if order.count(lang) > 1})
            if repeated:
                message = "order {number} names {langs} more than once; a language is added once"
                raise PydanticCustomError("orders", message, {"number": number, "langs": ", ".join(repeated)})
        return self


class Pairs(Design):
    """Two languages, half of the rows each (paper, 3.4)."""

    design: Literal["pairs"]
    pairs: Annotated[list[Annotated[list[Lang], Field(min_length=2, max_length=2)]], Field(min_length=1)] | None = None
    """The pairs; drawn from `languages` by `seed` unless given."""
    languages: Languages | None = None
    """Of the drawn pairs, each of them in one pair."""
    seed: Annotated[Int, Field(ge=0)] | None = None
    """Of the draw; 0 unless given."""

    @model_validator(mode="after")
    def _given_or_drawn(self) -> Self:
        if self.pairs is None:
            if not self.languages:
                raise PydanticCustomError("pairs", "needs `pairs`, or `languages` to draw them from")
            distinct(self.languages)
            if len(self.languages) % 2:
                message = "{n} languages do not go into pairs; add one or leave one out"
                raise PydanticCustomError("pairs", message, {"n": len(self.languages)})
            return self
        if self.languages or self.seed is not None:
            message = "`languages` and `seed` go with pairs that are drawn; the pairs given need neither"
            raise PydanticCustomError("pairs", message)
        for first, second in self.pairs:
            if first == second:
                raise PydanticCustomError("pairs", "{lang} is paired with itself", {"lang": first})
        distinct([" + ".join(sorted(pair)) for pair in self.pairs])
        return self


class Custom(Design):
    """One training set with the rows of each language given, or their shares."""

    design: Literal["custom"]
    rows: Annotated[dict[Lang, Count], Field(min_length=1)] | None = None
    """Rows by language."""
    shares: Annotated[dict[Lang, Annotated[Float, Field(gt=0, le=100)]], Field(min_length=1)] | None = None
    """Percent of the budget by language, 100 together."""

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.rows is None) == (self.shares is None):
            raise PydanticCustomError("custom", "needs either `rows` or `shares`, by language")
        if self.rows and self.budget:
            message = "`budget` goes with shares; `rows` already says how many rows there are"
            raise PydanticCustomError("custom", message)
        if self.shares and abs(sum(self.shares.values()) - 100) > 1e-6:
            message = "shares sum to {total} percent, not to 100"
            raise PydanticCustomError("custom", message, {"total": f"{sum(self.shares.values()):g}"})
        return self


class Untuned(Named):
    """The base model itself, as a row of the matrix."""

    design: Literal["untuned"]


AnyDesign = Annotated[
    Monolingual | Pinch | Incremental | Pairs | Custom | Untuned,
    Field(discriminator="design"),
]
