"""The smallest differences that an experiment's number of prompts can show."""

from collections.abc import Sequence
from itertools import combinations
from math import isfinite, sqrt
from pathlib import Path
from typing import Any, NamedTuple

from pinch import inference
from pinch.errors import PinchError
from pinch.experiment import Experiment
from pinch.plan.amounts import Difference, Shown

POWER = 0.8

ASSUMED_SD = 45.0
"""Points, of a prompt's outcome (0, 50 or 100) in a cell; it would be 50 with as many wins as losses and no tie."""

COLUMNS = ("judge", "base", "mixture", "seed", "lang", "diagonal", "ids", "outcomes")


class Measured(NamedTuple):
    """The standard deviation of a prompt, in points, and of how many cells or pairs it is the average; 0 of none."""

    sd: float
    n: int

    @classmethod
    def of(cls, variances: Sequence[float]) -> "Measured":
        """From variances of outcomes that are of 0 to 1."""
        return cls(100 * sqrt(sum(variances) / len(variances)) if variances else 0.0, len(variances))


def shown(experiment: Experiment) -> Shown:
    """What the experiment's prompts can show, two-sided and paired over prompts.

    Raises PinchError where a row of scores that is there cannot be read.
    """
    prompts, alpha = experiment.n_prompts, experiment.config.aggregate.alpha
    cell, pair, average = measured(experiment)

    def difference(label: str, sd: float, most: int, tests: int, basis: str) -> Difference:
        points = [inference.smallest_difference(prompts, sd, level, POWER) for level in (alpha, alpha / max(tests, 1))]
        alone, corrected = (value if isfinite(value) and value < most else None for value in points)
        return Difference(label, alone, corrected, tests, basis)

    cells = sum(len(experiment.judged_languages(mixture)) for mixture in experiment.rows)
    sd, basis = (cell.sd, f"measured on {cell.n:,} cells") if cell.sd else (ASSUMED_SD, f"assumed: sd {ASSUMED_SD:g}")
    found = [difference("a cell against 50", sd, 50, cells, basis)]
    comparisons, langs = _comparisons(experiment)
    if comparisons:
        # What two sets have in common, an easy prompt or a weak baseline, makes their difference smaller.
        sd, basis = (
            (pair.sd, f"measured on {pair.n:,} pairs of cells")
            if pair.sd
            else (sqrt(2) * sd, "at most: two sets without correlation")
        )
        found.append(difference("two training sets, one language", sd, 100, comparisons, basis))
        if langs > 1:
            sd, basis = (
                (average.sd, f"measured on {average.n:,} pairs of sets")
                if average.sd
                else (sd / sqrt(langs), "if languages are without correlation; at worst as in one")
            )
            found.append(difference(f"two training sets, {langs} languages", sd, 100, comparisons, basis))
    return Shown(prompts, POWER, alpha, found)


def measured(experiment: Experiment) -> tuple[Measured, Measured, Measured]:
    """Of a prompt in the judged cells that there are: its outcome in a cell, its difference between two training sets
    in a language, and the mean of that over the languages."""
    found: tuple[list[float], list[float], list[float]] = ([], [], [])
    for judge in experiment.judge_names():
        for base in experiment.base_names():
            paths = [
                path
                for mixture in experiment.rows
                for seed in experiment.seeds()
                if Path(path := experiment.score_row(judge, base, mixture, seed)).is_file()
            ]
            if paths:
                for variances, more in zip(found, _variances(_read(paths)), strict=True):
                    variances.extend(more)
    cells, pairs, averages = (Measured.of(variances) for variances in found)
    return cells, pairs, averages


def _read(paths: Sequence[str]) -> Any:
    """The judged cells of rows of scores, a polars.DataFrame."""
    import polars as pl

    try:
        table = pl.concat([pl.read_parquet(path, columns=list(COLUMNS), glob=False) for path in paths])
    except pl.exceptions.PolarsError as error:
        said = str(error).partition("\n")[0]
        raise PinchError(f"{Path(paths[0]).parent}: rows of scores cannot be read ({said}); delete them") from None
    return table.filter(~pl.col("diagonal"))


def _variances(table: Any) -> tuple[list[float], list[float], list[float]]:
    """Variances over prompts within cells, within pairs of them, and within pairs of training sets; of 0 to 1."""
    from pinch import scores

    mixtures, langs = sorted(table["mixture"].unique()), sorted(table["lang"].unique())
    outcomes = scores.cube(table, mixtures, langs).outcomes
    cells = _over_prompts(table["outcomes"].to_list())
    pairs: list[float] = []
    averages: list[float] = []
    for place in range(1, len(mixtures)):
        differences = outcomes[place:] - outcomes[place - 1]
        pairs += _over_prompts(differences.reshape(-1, differences.shape[-1]))
        averages += _over_prompts(scores.mean_of_valid(differences, axis=1))
    return cells, pairs, averages


def _over_prompts(rows: Any) -> list[float]:
    """The variance of each row of outcomes, without those that are NaN or None; of rows with two or more."""
    import numpy as np

    found = []
    for row in rows:
        values = np.array(row, dtype=float)
        values = values[np.isfinite(values)]
        if len(values) > 1:
            found.append(float(values.var(ddof=1)))
    return found


def _comparisons(experiment: Experiment) -> tuple[int, int]:
    """Tests of the largest design (each pair of its training sets, by language and on their average), and the largest
    number of languages that two sets of a design share."""
    tests, langs = 0, 0
    for item in experiment.designs.comparisons:
        asked = [set(item.asked[mixture]) for mixture in item.labels]
        shared = [len(first & second) for first, second in combinations(asked, 2)]
        tests = max(tests, sum(count + 1 for count in shared if count))
        langs = max([langs, *shared])
    return tests, langs
