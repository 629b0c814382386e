"""Where instruction data come from: files of one's own, or datasets of the hub at a pinned revision."""

import re
from collections.abc import Mapping
from pathlib import PurePath
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from pinch.config.fields import FilePath, Int, Lang, Strict, distinct

SUFFIXES = (".jsonl", ".json", ".csv", ".parquet")
"""Kinds of files that are read: one JSON object a line, one JSON array, and the two tables."""

FILTERED = ("oasst",)
"""What the paper leaves out of AlpacaFarm's evaluation set, because it trains on OpenAssistant (section 3)."""

Ours = Literal["id", "instruction", "input", "response", "lang"]
Count = Annotated[Int, Field(ge=1)]


def _suffix(place: str, key: str) -> None:
    if PurePath(place).suffix not in SUFFIXES:
        message = "{key}: {place} ends in none of {known}; its ending says how to read it"
        raise PydanticCustomError("suffix", message, {"key": key, "place": place, "known": ", ".join(SUFFIXES)})


class Place(Strict):
    """Where rows are read, and what their columns are called."""

    path: FilePath | None = None
    """A local file: .jsonl, .json (one array), .csv or .parquet."""
    hub: str | None = None
    """A dataset of the Hugging Face hub such as OpenAssistant/oasst1; needs `revision` and `expected_rows`."""
    revision: str | None = None
    """The commit of the hub dataset, 40 hexadecimal digits, so that it stays the same data."""
    config: str | None = None
    """The configuration of a hub dataset that has several."""
    split: str = "train"
    """The split of the hub dataset."""
    file: str | None = None
    """A data file inside the hub dataset, read alone; needed where the dataset relies on a loading script."""
    fields: dict[Ours, str | None] = Field(default={})
    """Column names, ours to theirs, such as {instruction: prompt}; the same unless given, null for none.
    {id: null} numbers the rows."""

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if bool(self.path) == bool(self.hub):
            found = "path and hub" if self.path else "none"
            message = "name the data by exactly one of path, hub; found {found}"
            raise PydanticCustomError("one_place", message, {"found": found})
        if self.path:
            _suffix(self.path, "path")
            for key in ("revision", "config", "file", "split"):
                if getattr(self, key) != type(self).model_fields[key].default:
                    raise PydanticCustomError("hub_only", "`{key}` goes with `hub` only; remove it", {"key": key})
        elif not re.fullmatch(r"[0-9a-f]{40}", self.revision or ""):
            message = "a hub dataset needs `revision`, the 40 hexadecimal digits of a commit, so that it stays the same"
            raise PydanticCustomError("revision", message)
        if self.file:
            _suffix(self.file, "file")
            if self.config or self.split != "train":
                raise PydanticCustomError("file", "`file` is read whole: `config` and `split` do not go with it")
        if "instruction" in self.fields and self.fields["instruction"] is None:
            raise PydanticCustomError("fields", "fields: every row needs an instruction; name its column")
        return self

    @property
    def name(self) -> str:
        """What messages and records call it: a path, or a hub dataset with the first digits of its revision."""
        if self.path:
            return self.path
        part = [self.file] if self.file else [part for part in (self.config, self.split) if part]
        return f"{self.hub}@{str(self.revision)[:8]}/{'/'.join(map(str, part))}"

    @property
    def stem(self) -> str:
        """What rows without ids of their own are numbered under."""
        return PurePath(self.path).stem if self.path else str(self.hub).split("/")[-1]


def _expected(place: Place, expected: object) -> None:
    if place.hub and not expected:
        message = (
            "a hub dataset needs `expected_rows`, the rows that remain after its filters, "
            "so that training sets can be planned before anything is fetched"
        )
        raise PydanticCustomError("expected_rows", message)


class Source(Place):
    """Instruction data in the pivot language: a file, or a dataset of the hub."""

    format: Literal["rows", "lima", "oasst", "alpaca_farm"] = "rows"
    """rows: columns as `fields` says; lima: first turn and first reply, longer conversations left out;
    oasst: first turns in the pivot language with their best-ranked reply; alpaca_farm: an evaluation set."""
    exclude: list[str] | None = None
    """alpaca_farm: values of its column `dataset` (or `datasplit`) that are left out; [oasst] unless given."""
    limit: Count | None = None
    """Use the first so many of the rows that the format leaves; all unless given."""
    expected_rows: Count | None = None
    """How many rows must remain; another number is an error. Needed for `hub`."""

    @model_validator(mode="after")
    def _goes_together(self) -> Self:
        if self.fields and self.format != "rows":
            message = "`fields` goes with format: rows only; {format} has columns of its own"
            raise PydanticCustomError("fields", message, {"format": self.format})
        if self.exclude is not None and self.format != "alpaca_farm":
            raise PydanticCustomError("exclude", "`exclude` goes with format: alpaca_farm only; remove it")
        if self.exclude is None and self.format == "alpaca_farm":
            object.__setattr__(self, "exclude", list(FILTERED))
        if self.limit and self.expected_rows and self.expected_rows > self.limit:
            raise PydanticCustomError("limit", "`expected_rows` is more than `limit` leaves")
        _expected(self, self.expected_rows)
        return self


class NaturalSource(Place):
    """Training data that exist in some languages only: rows with their own `lang`."""

    expected_rows: Annotated[dict[Lang, Count], Field(min_length=1)] | None = None
    """How many rows must be there of each language; another number is an error. Needed for `hub`."""

    @model_validator(mode="after")
    def _goes_together(self) -> Self:
        if "lang" in self.fields and self.fields["lang"] is None:
            raise PydanticCustomError("fields", "fields: every natural row needs a lang; name its column")
        _expected(self, self.expected_rows)
        return self


def _listed(value: Any) -> Any:
    values = [value] if isinstance(value, str | Mapping | Place) else value
    if not isinstance(values, list):
        return values
    return [{"path": item} if isinstance(item, str) else item for item in values]


def _once(values: list[Any]) -> list[Any]:
    distinct([value.name for value in values])
    return values


SourceList = Annotated[
    list[Source],
    Field(min_length=1),
    AfterValidator(_once),
    BeforeValidator(_listed, json_schema_input_type=str | Source | list[str | Source]),
]
"""Sources one after the other; a plain string is the path of a file, and one source needs no list."""

NaturalList = Annotated[
    list[NaturalSource],
    AfterValidator(_once),
    BeforeValidator(_listed, json_schema_input_type=str | NaturalSource | list[str | NaturalSource]),
]
"""Natural sources, likewise; none is allowed."""
