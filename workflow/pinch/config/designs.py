"""Designs of training sets."""

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator

from pinch.config.fields import Float, Int, Lang, Strict, distinct


class Design(Strict):
    """What the designs of training sets share."""

    label: str | None = None
    """What figures call the training set; made from its composition unless given."""
    finetune: dict[str, Any] = Field(default={})
    """Hyperparameters in which these training sets differ from the section `finetune`."""
    variant: str | None = Field(default=None, pattern=r"^[a-z][a-z0-9]*$")
    """Appended to the names, where the same composition is trained with other hyperparameters."""


class Monolingual(Design):
    """One training set for each language, all rows in it."""

    design: Literal["monolingual"]
    languages: Annotated[list[Lang], Field(min_length=1)] | None = None
    """All of `languages` unless given."""

    _once = field_validator("languages")(classmethod(lambda cls, value: distinct(value) if value else value))


class Pinch(Design):
    """`percent` of the rows evenly over `languages`, the pivot among them; the rest in the pivot."""

    design: Literal["pinch"]
    languages: Annotated[list[Lang], Field(min_length=2)]
    percent: Annotated[list[Annotated[Float, Field(gt=0, le=100)]], Field(min_length=1)]
    """A list: one training set for each."""

    _once = field_validator("languages", "percent")(classmethod(lambda cls, value: distinct(value)))

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
