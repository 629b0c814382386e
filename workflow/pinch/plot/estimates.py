"""Averages over cells with their intervals, as every figure but the heatmap's own cells takes them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from pinch import scores as tables

Cell = tuple[str, str]
"""A training set and an evaluation language."""


@dataclass(frozen=True)
class Estimate:
    """A score in percent and the ends of its interval; all None where a cell that belongs to it is missing."""

    score: float | None = None
    low: float | None = None
    high: float | None = None

    def as_columns(self) -> dict[str, float | None]:
        """For a line of the CSV."""
        return {"score": self.score, "low": self.low, "high": self.high}


class Estimates:
    """Averages over cells of one base model and judge, all intervals from one bootstrap over prompts.

    Several seeds are averaged prompt by prompt (see `pinch.scores`): intervals say nothing of the spread over seeds.
    """

    def __init__(self, table: Any, mixtures: Iterable[str], langs: Iterable[str], settings: dict[str, Any]) -> None:
        """`settings` gives confidence, resamples and seed (of the bootstrap)."""
        import numpy as np

        self._cube = tables.cube(table, list(dict.fromkeys(mixtures)), list(dict.fromkeys(langs)))
        self._settings = settings
        # Where the table has none of these cells there are no prompts to average over.
        shape = len(self._cube.mixtures), len(self._cube.langs)
        self._means = self._cube.means() if self._cube.ids else np.full(shape, np.nan)

    @cached_property
    def _samples(self) -> Any:
        return self._cube.resampled(self._settings["resamples"], self._settings["seed"])

    def missing(self, mixture: str, langs: Sequence[str]) -> list[str]:
        """The languages in which this training set has no score."""
        return [lang for lang in langs if self.over([(mixture, lang)], interval=False).score is None]

    def over(self, cells: Sequence[Cell], interval: bool = True) -> Estimate:
        """The mean over these cells, each counting the same; missing if any of them is, or if there are none."""
        import numpy as np
        from scipy.stats import binomtest

        if not cells:
            return Estimate()
        rows = [self._cube.mixtures.index(mixture) for mixture, _ in cells]
        columns = [self._cube.langs.index(lang) for _, lang in cells]
        score = float(self._means[rows, columns].mean())
        if np.isnan(score):
            return Estimate()
        if not interval:
            return Estimate(score)
        outcomes = self._cube.outcomes[rows, columns]
        found = np.unique(outcomes[np.isfinite(outcomes)])
        if found.tolist() in ([0.0], [1.0]):
            # Where every outcome is the same a bootstrap has no width, which no number of prompts can justify; as
            # `aggregate` does, the exact binomial interval stands in, its n being prompts (not prompts by languages).
            n = int(np.isfinite(outcomes).any(axis=0).sum())
            exact = binomtest(int(found[0]) * n, n).proportion_ci(self._settings["confidence"])
            return Estimate(score, 100 * exact.low, 100 * exact.high)
        low, high = tables.percentiles(self._samples[:, rows, columns].mean(axis=1), self._settings["confidence"])
        # A cell with hardly a valid verdict is empty in some resamples: it has a score and no interval.
        return Estimate(score) if np.isnan(low) or np.isnan(high) else Estimate(score, float(low), float(high))
