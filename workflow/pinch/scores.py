"""Scores as figures and answers take them: cells by training set and language, prompt by prompt.

The table of scores holds, for every cell, the outcome of each prompt (1 win, 0.5 tie, 0 loss, none where a verdict
is invalid). All cells share their prompts, so whatever is said of several of them together (an average, a difference,
a best of many) takes its interval from one bootstrap over prompts, in which a resampled prompt counts in all cells.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pinch.errors import PinchError


def read(paths: Sequence[str], base: str, judge: str) -> Any:
    """The cells of one base model and judge, from the table of scores or from rows of it (polars.DataFrame)."""
    import polars as pl

    table = pl.concat([pl.read_parquet(path) for path in paths])
    table = table.filter((pl.col("base") == base) & (pl.col("judge") == judge))
    if table.is_empty():
        raise PinchError(f"{', '.join(paths[:3])}: no cells of base {base} and judge {judge}")
    return table


@dataclass(frozen=True)
class Cube:
    """Outcomes of training sets by languages by prompts, each the mean over seeds; NaN where there is none."""

    mixtures: list[str]
    langs: list[str]
    ids: list[str]
    """Of the prompts, sorted."""
    outcomes: Any
    """Array of shape (mixtures, langs, prompts), 0 to 1."""

    def means(self) -> Any:
        """Scores in percent, shape (mixtures, langs); NaN where a cell is missing."""
        return self.resampled_by(_ones(len(self.ids)))[0]

    def resampled(self, resamples: int, seed: int) -> Any:
        """Scores in percent under the bootstrap over prompts, shape (resamples, mixtures, langs)."""
        import numpy as np

        n = len(self.ids)
        weights = np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), size=resamples)
        return self.resampled_by(weights.astype(float))

    def resampled_by(self, weights: Any) -> Any:
        """Scores in percent where each prompt counts `weights` times (resamples, prompts)."""
        import numpy as np

        flat = self.outcomes.reshape(-1, len(self.ids)).T
        there = np.isfinite(flat)
        total, count = weights @ np.where(there, flat, 0.0), weights @ there.astype(float)
        with np.errstate(invalid="ignore", divide="ignore"):
            means = np.where(count > 0, 100 * total / count, np.nan)
        return means.reshape(-1, len(self.mixtures), len(self.langs))

    def pick(self, mixtures: Sequence[str], langs: Sequence[str]) -> "Cube":
        """The part of it with these training sets and languages, in this order."""
        import numpy as np

        rows = [self.mixtures.index(mixture) for mixture in mixtures]
        columns = [self.langs.index(lang) for lang in langs]
        return Cube(list(mixtures), list(langs), self.ids, self.outcomes[np.ix_(rows, columns)])


def _ones(n: int) -> Any:
    import numpy as np

    return np.ones((1, n))


def cube(table: Any, mixtures: Sequence[str], langs: Sequence[str]) -> Cube:
    """The outcomes of these training sets in these languages; what the table lacks is NaN.

    `table` holds one base model and judge (see `read`). A prompt's outcome is its mean over the seeds in which it
    has a valid one.
    """
    import numpy as np
    import polars as pl

    wanted = table.filter(pl.col("mixture").is_in(list(mixtures)) & pl.col("lang").is_in(list(langs)))
    ids = sorted({id for found in wanted["ids"].to_list() for id in found})
    place = {id: index for index, id in enumerate(ids)}
    total = np.zeros((len(mixtures), len(langs), len(ids)))
    count = np.zeros_like(total)
    rows = {mixture: row for row, mixture in enumerate(mixtures)}
    columns = {lang: column for column, lang in enumerate(langs)}
    for mixture, lang, found, outcomes in wanted.select("mixture", "lang", "ids", "outcomes").iter_rows():
        where = [place[id] for id in found]
        values = np.array(outcomes, dtype=float)
        there = np.isfinite(values)
        cell = rows[mixture], columns[lang]
        np.add.at(total[cell], where, np.where(there, values, 0.0))
        np.add.at(count[cell], where, there.astype(float))
    with np.errstate(invalid="ignore"):
        return Cube(list(mixtures), list(langs), ids, np.where(count > 0, total / count, np.nan))


def percentiles(samples: Any, confidence: float) -> tuple[Any, Any]:
    """The percentile interval over the first axis, NaN where a cell is missing."""
    import numpy as np

    tail = 50 * (1 - confidence)
    return np.percentile(samples, tail, axis=0), np.percentile(samples, 100 - tail, axis=0)
