"""What a plan consists of."""

from dataclasses import dataclass, field
from typing import Literal, Self

Unit = Literal["number", "tokens", "characters", "hours", "usd", "bytes"]


@dataclass(frozen=True)
class Amount:
    """A number, for the whole experiment and for what is left of it; None where it cannot be known yet."""

    section: str
    label: str
    unit: Unit
    whole: float | None
    left: float | None
    basis: str = ""
    """Where the number is from: counted, measured, given or assumed; "at most" where it is a bound."""

    @classmethod
    def of(cls, section: str, label: str, unit: Unit, pair: tuple[float, float], basis: str = "") -> Self:
        """From what is known of both."""
        return cls(section, label, unit, *pair, basis)

    @property
    def pair(self) -> tuple[float, float]:
        """Whole and left of an amount that is known."""
        assert self.whole is not None and self.left is not None, f"{self.label} is known"
        return self.whole, self.left


@dataclass(frozen=True)
class Spread:
    """A number that differs from one tuned model to another."""

    label: str
    least: float
    mean: float
    most: float
    basis: str = ""


@dataclass(frozen=True)
class DesignCells:
    """The cells of one design, over all base models and seeds."""

    name: str
    design: str
    training_sets: int
    cells: int
    judged: int
    """Those off the diagonal."""
    new: int
    """Judged cells that no design above asks for."""
    left: int
    """Judged cells without the verdicts of all judges."""


@dataclass(frozen=True)
class LanguageTokens:
    """What the rows of a language cost under one base model's tokenizer."""

    base: str
    lang: str
    tokens: float
    """A training row: template, instruction, response and stop token, after the cuts that `finetune` says."""
    instruction: float
    """An evaluation instruction, bare."""
    origin: str


@dataclass(frozen=True)
class Saving:
    """A line of the bill of one judge's calls: from every cell of every design by itself to what is left to ask."""

    label: str
    calls: int
    """Taken off, so negative; of the first line, the naive number, and of the last, what is left."""
    basis: str = ""


@dataclass(frozen=True)
class Rate:
    """How fast something is on one GPU (or on the machine that it was measured on)."""

    label: str
    per_second: float | None
    origin: str


@dataclass(frozen=True)
class Difference:
    """The smallest difference that the prompts can show, in points; None where they can show none."""

    label: str
    alone: float | None
    """As the only test."""
    corrected: float | None
    """As the smallest p of its family, which every correction holds to alpha / tests."""
    tests: int
    """Of the family."""
    basis: str


@dataclass(frozen=True)
class Shown:
    """What the number of prompts can show."""

    prompts: int
    power: float
    alpha: float
    differences: list[Difference]


@dataclass
class Plan:
    """What an experiment takes."""

    results: str
    amounts: dict[str, Amount] = field(default_factory=dict)
    models: list[Spread] = field(default_factory=list)
    designs: list[DesignCells] = field(default_factory=list)
    savings: dict[str, list[Saving]] = field(default_factory=dict)
    """By judge that asks a model; all lines but the last add up to it."""
    languages: list[LanguageTokens] = field(default_factory=list)
    rates: list[Rate] = field(default_factory=list)
    shown: Shown | None = None
    notes: list[str] = field(default_factory=list)

    def left(self) -> bool:
        """Whether anything is left to do."""
        kinds = ("trainings", "cells", "verdicts", "audit_calls")
        keys = [key for key in self.amounts if key.partition(":")[0] in kinds]
        return any(self.amounts[key].left for key in keys)
