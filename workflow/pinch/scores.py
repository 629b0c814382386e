"""Scores as figures, answers and comparisons take them: cells by training set and language, prompt by prompt.

The table of scores holds, for every cell, the outcome of each prompt (1 win, 0.5 tie, 0 loss, none where a verdict
is invalid). All cells share their prompts, so whatever is said of several of them together (an average, a difference,
a best of many) takes its interval from one bootstrap over prompts, in which a resampled prompt counts in all cells.

From `ENOUGH_SEEDS` seeds on seeds are resampled too, crossed with the prompts (the pigeonhole bootstrap: McCullagh
2000, Bernoulli 6:285; Owen 2007, Annals of Applied Statistics 1:386, who shows that it errs on the wide side), a seed
in all cells at once: the cells of a column share their baseline, which each seed trains once. Fewer seeds say too
little of their spread, which is then reported apart, and intervals are over prompts alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from pinch import inference
from pinch.errors import PinchError

ENOUGH_SEEDS = 5
"""From so many on intervals and tests are over seeds too."""

FLAT = 1e-9
"""Points of percent below which resamples count as all the same."""


def read(paths: Sequence[str], base: str, judge: str) -> Any:
    """The cells of one base model and judge, from the table of scores or from rows of it (polars.DataFrame)."""
    import polars as pl

    table = pl.concat([pl.read_parquet(path, glob=False) for path in paths])
    table = table.filter((pl.col("base") == base) & (pl.col("judge") == judge))
    if table.is_empty():
        raise PinchError(f"{', '.join(paths[:3])}: no cells of base {base} and judge {judge}")
    return table


@dataclass(frozen=True)
class Cube:
    """Outcomes of training sets by languages by prompts; NaN where there is none."""

    mixtures: list[str]
    langs: list[str]
    ids: list[str]
    """Of the prompts, sorted."""
    outcomes: Any
    """Array of shape (mixtures, langs, prompts), 0 to 1: each prompt's mean over the seeds in which it is valid."""
    seeds: list[str] = field(default_factory=lambda: ["d0t0"])
    by_seed: Any = None
    """Array of shape (seeds, mixtures, langs, prompts); None where there is one seed."""

    @property
    def over_seeds(self) -> bool:
        """Whether `resampled` is over seeds too."""
        return len(self.seeds) >= ENOUGH_SEEDS

    def means(self) -> Any:
        """Scores in percent, shape (mixtures, langs), the mean of the seeds' scores; NaN where a cell is missing."""
        return self.resampled_by(_ones(len(self.ids)))[0]

    def means_by_seed(self) -> Any:
        """Scores in percent, shape (seeds, mixtures, langs)."""
        import numpy as np

        return np.stack([_means(outcomes, _ones(len(self.ids)))[0] for outcomes in self._stack()])

    def resampled(self, resamples: int, seed: int) -> Any:
        """Scores in percent under the bootstrap, shape (resamples, mixtures, langs)."""
        import numpy as np

        rng = np.random.default_rng(seed)
        n, several = len(self.ids), len(self.seeds)
        prompts = rng.multinomial(n, np.full(n, 1 / n), size=resamples).astype(float)
        seeds = rng.multinomial(several, np.full(several, 1 / several), size=resamples) if self.over_seeds else None
        return self.resampled_by(prompts, seeds)

    def resampled_by(self, weights: Any, seeds: Any = None) -> Any:
        """Scores in percent where each prompt counts `weights` times (resamples, prompts), and each seed `seeds` times
        (resamples, seeds), once unless given.
        """
        import numpy as np

        if seeds is None:
            seeds = np.ones((len(weights), len(self.seeds)))
        shape = len(weights), len(self.mixtures), len(self.langs)
        total, count = np.zeros(shape), np.zeros(shape)
        for outcomes, times in zip(self._stack(), seeds.T[:, :, np.newaxis, np.newaxis], strict=True):
            means = _means(outcomes, weights)
            there = np.isfinite(means)
            total += times * np.where(there, means, 0.0)
            count += times * there
        with np.errstate(invalid="ignore"):
            return np.where(count > 0, total / count, np.nan)

    def pick(self, mixtures: Sequence[str], langs: Sequence[str]) -> "Cube":
        """The part of it with these training sets and languages, in this order."""
        import numpy as np

        rows = [self.mixtures.index(mixture) for mixture in mixtures]
        columns = [self.langs.index(lang) for lang in langs]
        place = np.ix_(rows, columns)
        by_seed = None if self.by_seed is None else self.by_seed[:, place[0], place[1]]
        return Cube(list(mixtures), list(langs), self.ids, self.outcomes[place], self.seeds, by_seed)

    def _stack(self) -> Any:
        return self.outcomes[None] if self.by_seed is None else self.by_seed


def _ones(n: int) -> Any:
    import numpy as np

    return np.ones((1, n))


def _means(outcomes: Any, weights: Any) -> Any:
    """Of (mixtures, langs, prompts) under (resamples, prompts), in percent; NaN where nothing valid has a weight."""
    import numpy as np

    flat = outcomes.reshape(-1, outcomes.shape[-1]).T
    there = np.isfinite(flat)
    total, count = weights @ np.where(there, flat, 0.0), weights @ there.astype(float)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(count > 0, 100 * total / count, np.nan).reshape(-1, *outcomes.shape[:-1])


def mean_of_valid(values: Any, axis: int) -> Any:
    """The mean along an axis of what is not NaN; NaN, without a warning, where all is."""
    import numpy as np

    there = np.isfinite(values)
    total, count = np.where(there, values, 0.0).sum(axis=axis), there.sum(axis=axis)
    with np.errstate(invalid="ignore"):
        return np.where(count > 0, total / count, np.nan)


def cube(table: Any, mixtures: Sequence[str], langs: Sequence[str], column: str = "outcomes") -> Cube:
    """The outcomes of these training sets in these languages; what the table lacks is NaN.

    `table` holds one base model and judge (see `read`); `column` may be "gated_outcomes" too.
    """
    import numpy as np
    import polars as pl

    wanted = table.filter(pl.col("mixture").is_in(list(mixtures)) & pl.col("lang").is_in(list(langs)))
    ids = sorted({id for found in wanted["ids"].to_list() for id in found})
    seeds = sorted(wanted["seed"].unique().to_list())
    places = [{name: at for at, name in enumerate(names)} for names in (seeds, mixtures, langs, ids)]
    by_seed = np.full((max(len(seeds), 1), len(mixtures), len(langs), len(ids)), np.nan)
    for *cell, found, outcomes in wanted.select("seed", "mixture", "lang", "ids", column).iter_rows():
        where = tuple(place[name] for place, name in zip(places, cell, strict=False))
        by_seed[where][[places[3][id] for id in found]] = np.array(outcomes, dtype=float)
    if len(seeds) < 2:
        return Cube(list(mixtures), list(langs), ids, by_seed[0], seeds or ["none"])
    return Cube(list(mixtures), list(langs), ids, mean_of_valid(by_seed, axis=0), seeds, by_seed)


def percentiles(samples: Any, confidence: float) -> tuple[Any, Any]:
    """The percentile interval over the first axis, NaN where a cell is missing."""
    import numpy as np

    tail = 50 * (1 - confidence)
    return np.percentile(samples, tail, axis=0), np.percentile(samples, 100 - tail, axis=0)


def interval(
    samples: Any, prompts: Any, confidence: float, resamples: int, seed: int, least: float = 0.0
) -> tuple[float, float] | None:
    """The interval of an average in percent: percentiles of its `samples` (resamples,).

    `prompts` are the averages of single prompts, `least` to 1 (-1 for differences), NaN where there is none. Where they
    are `inference.nearly_alike` a bootstrap covers too little, or has no width at all: there the interval is at least
    as wide as that of `inference.interval`, which falls back to an exact one. None where the average cannot be had in
    more than 1 % of the resamples, because hardly a verdict (or seed) is valid.
    """
    import numpy as np

    there = np.isfinite(samples)
    if (~there).mean() > 0.01:
        return None
    low, high = (float(end) for end in percentiles(samples[there], confidence))
    valid = np.round(prompts[np.isfinite(prompts)], 9)
    commonest = int(np.unique(valid, return_counts=True)[1].max())
    if inference.nearly_alike(len(valid), commonest) or high - low < FLAT:
        span = 1 - least
        exact = inference.interval(((valid - least) / span).tolist(), confidence, resamples, seed)
        low, high = (
            choose(a, span * b + 100 * least) for choose, a, b in ((min, low, exact[0]), (max, high, exact[1]))
        )
    return low, high


def p_value(average: float, samples: Any, differences: Any, seeds: int) -> float | None:
    """Two-sided p of an average in points being 0, in `samples` of the bootstrap (resamples,).

    Below `ENOUGH_SEEDS` seeds the exact test of `inference.p_paired` over the `differences` of single prompts, which
    holds for these seeds. From there on the average over its standard error in the crossed bootstrap, against t with
    seeds - 1 degrees of freedom: a test over prompts alone would call a seed's luck an effect.
    """
    import numpy as np

    there = samples[np.isfinite(samples)]
    if seeds >= ENOUGH_SEEDS and len(there) > 1 and (error := float(there.std(ddof=1))) > FLAT:
        from scipy.stats import t  # half a second of imports that few experiments need

        return float(2 * t.sf(abs(average) / error, seeds - 1))
    return inference.p_paired(differences)
