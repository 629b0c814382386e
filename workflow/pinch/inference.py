"""Intervals, tests and corrections: everything that says how far a score can be believed.

Formulas and sources are in docs/statistics.md; benchmarks/interval_coverage.py shows by simulation that intervals cover
what they claim and that false findings stay below the chosen rate. Shares and scores are in percent.
"""

from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Literal

RARE = 10
"""Prompts with another outcome than the commonest one, below which, where they are few of all, intervals are exact."""


def nearly_alike(n: int, commonest: int) -> bool:
    """Whether so few of `n` prompts have another outcome than the commonest one that resamples say too little of them:
    fewer than `RARE`, and at most a third (of few prompts, fewer than `RARE` may well be most)."""
    return n - commonest < RARE and 3 * (n - commonest) <= n


def interval(
    outcomes: Sequence[float], confidence: float = 0.95, resamples: int = 5000, seed: int = 0
) -> tuple[float, float]:
    """The interval of a score in percent, by bootstrap over prompts; `outcomes` are of 0 to 1, one a prompt.

    Bias-corrected and accelerated (Efron 1987), on the mid-distribution of the resampled scores; where the outcomes are
    `nearly_alike`, `exact_interval`. Within 0 to 100, around the score, of a width above 0, the same for the same
    outcomes in any order. Raises ValueError where there are no outcomes, or one is not of 0 to 1.
    """
    counts = Counter(float(outcome) for outcome in outcomes)
    if not counts or not all(0 <= value <= 1 for value in counts):
        raise ValueError("an interval needs outcomes, each of 0 to 1")
    return _interval(tuple(sorted(counts.items())), confidence, resamples, seed)


@lru_cache(maxsize=65536)
def _interval(
    counts: tuple[tuple[float, int], ...], confidence: float, resamples: int, seed: int
) -> tuple[float, float]:
    import numpy as np
    from scipy.special import ndtr, ndtri

    values, times = np.array([value for value, _ in counts]), np.array([count for _, count in counts])
    n = int(times.sum())
    if nearly_alike(n, int(times.max())):
        return exact_interval(counts, confidence)
    # To draw n prompts is to draw how many of each outcome; a hundred times faster than prompt by prompt. Other counts
    # take other numbers: with the same ones for all, the noise of a few thousand resamples would be the same in all.
    rng = np.random.default_rng([seed, *times.tolist()])
    scores = rng.multinomial(n, times / n, size=resamples) @ values / n
    # Of a mean the bias correction equals the acceleration (DiCiccio and Efron 1996): not estimated, it has no noise.
    score = float(times @ values) / n
    acceleration = times @ (values - score) ** 3 / (6 * (times @ (values - score) ** 2) ** 1.5)
    shift = acceleration + ndtri([(1 - confidence) / 2, (1 + confidence) / 2])
    levels = ndtr(acceleration + shift / (1 - acceleration * shift))
    # Scores lie on a lattice (half a point at 100 prompts); a plain percentile would take in a whole step too much.
    lattice, repeats = np.unique(scores.round(9), return_counts=True)
    low, high = np.interp(levels, (repeats.cumsum() - repeats / 2) / resamples, lattice)
    return 100 * min(float(low), score), 100 * max(float(high), score)


def exact_interval(counts: Sequence[tuple[float, int]], confidence: float = 0.95) -> tuple[float, float]:
    """The interval of a score in percent where nearly all prompts have the same outcome; `counts` by outcome.

    With m for the commonest outcome, score = m + (1 - m) up - m down, where up and down are the mean distances of the
    outcomes above and below m, as shares of the largest possible ones. Each takes Clopper and Pearson's interval (1934)
    with its sum for the number of successes; where both can be there, each at half of the error (Bonferroni). At m = 1
    or 0 it is Clopper and Pearson's interval of the score itself.
    """
    n = sum(count for _, count in counts)
    commonest = max(counts, key=lambda item: item[1])[0]
    level = confidence if commonest in (0.0, 1.0) else (1 + confidence) / 2
    low = high = commonest
    if commonest < 1:
        up = sum(count * (value - commonest) for value, count in counts if value > commonest) / (1 - commonest)
        least, most = clopper_pearson(up, n, level)
        low, high = low + (1 - commonest) * least, high + (1 - commonest) * most
    if commonest > 0:
        down = sum(count * (commonest - value) for value, count in counts if value < commonest) / commonest
        least, most = clopper_pearson(down, n, level)
        low, high = low - commonest * most, high - commonest * least
    return 100 * max(low, 0.0), 100 * min(high, 1.0)


def clopper_pearson(successes: float, n: int, confidence: float = 0.95) -> tuple[float, float]:
    """The exact interval of a share (0 to 1); `successes` need not be whole (a mean of outcomes between 0 and 1)."""
    from scipy.special import betaincinv  # the quantile of scipy.stats.beta, without half a second of imports

    tail = (1 - confidence) / 2
    low = float(betaincinv(successes, n - successes + 1, tail)) if successes > 0 else 0.0
    high = float(betaincinv(successes + 1, n - successes, 1 - tail)) if successes < n else 1.0
    return low, high


def proportion(count: int, n: int, confidence: float = 0.95) -> tuple[float, float] | None:
    """Clopper and Pearson's exact interval of `count` of `n`, in percent; None at n = 0."""
    if not n:
        return None
    low, high = clopper_pearson(count, n, confidence)
    return 100 * low, 100 * high


def p_against_50(wins: int, losses: int, ties: int) -> float | None:
    """The exact two-sided sign test of a score against 50; ties say nothing for either side.

    1 where all are ties, None where there is nothing at all.
    """
    n = wins + losses
    if n == 0:
        return 1.0 if ties else None
    probability: float = 2 * sum(_coin(n)[: min(wins, losses) + 1]) / 2**n
    return min(1.0, probability)


def _coin(n: int) -> list[int]:
    """Of the 2**n ways in which n coins can fall, how many have 0, 1, 2 ... heads; as integers, so without rounding."""
    ways = [1]
    for heads in range(n):
        ways.append(ways[-1] * (n - heads) // (heads + 1))
    return ways


def p_paired(differences: Any) -> float | None:
    """The exact two-sided sign-flip test of two training sets on the same prompts.

    `differences` of outcomes, -1 to 1, one a prompt; NaN, where either has no valid outcome, is left out. None where
    none is left. The chance, with every difference as likely to have the other sign, of a sum as far from 0 as found.
    """
    import numpy as np

    differences = np.asarray(differences, dtype=float)
    differences = differences[np.isfinite(differences)]
    if not differences.size:
        return None
    # In 120ths all means of up to six seeds are whole; rounding others is the same for both signs, so the test holds.
    steps = np.rint(differences * 120).astype(int)
    steps //= max(int(np.gcd.reduce(steps)), 1)
    sizes, times = np.unique(np.abs(steps[steps != 0]), return_counts=True)
    at_least = _positive_sum(tuple(zip(sizes.tolist(), times.tolist(), strict=True)))
    # Of the sum of all sizes the positive ones are the half plus half of what was found.
    return min(1.0, 2 * float(at_least[(int(sizes @ times) + abs(int(steps.sum()))) // 2]))


@lru_cache(maxsize=4096)
def _positive_sum(counts: tuple[tuple[int, int], ...]) -> Any:
    """P(sum of what gets a plus >= 0, 1, 2, ...) with random signs on `counts` (size, how many): added binomials."""
    import numpy as np

    # Not by Fourier transform: the smallest chances, for which Holm's correction asks, would drown in rounding.
    chances = np.ones(1)
    for size, times in counts:
        binomial = np.array([ways / 2**times for ways in _coin(times)])
        longer = np.zeros(len(chances) + size * times)
        if size * len(chances) < 5000:
            spread = np.zeros(size * times + 1)
            spread[::size] = binomial
            longer = np.convolve(chances, spread)
        else:  # most of a spread is nothing: the faster way for long ones
            for positive, chance in enumerate(binomial):
                longer[positive * size : positive * size + len(chances)] += chance * chances
        chances = longer
    return chances[::-1].cumsum()[::-1]


def p_paired_many(differences: Any) -> Any:
    """`p_paired` of many comparisons at once: (comparisons, prompts) to (comparisons,), NaN where none is left."""
    import numpy as np

    found = [p_paired(row) for row in np.asarray(differences, dtype=float)]
    return np.array([np.nan if p is None else p for p in found])


def corrected(p: Sequence[float | None], method: Literal["holm", "bh"]) -> list[float | None]:
    """The p of a family of tests, corrected for their number; None stays None and counts for nothing.

    holm (Holm 1979): below alpha, not even one false finding, but in alpha of all families. bh (Benjamini and Hochberg
    1995): below alpha, at most alpha of the findings false, in expectation.
    """
    import numpy as np

    places = [place for place, value in enumerate(p) if value is not None]
    there = np.array([p[place] for place in places], dtype=float)
    order = np.argsort(there, kind="stable")
    ranked, count = there[order], len(there)
    if method == "holm":
        ranked = np.maximum.accumulate(ranked * np.arange(count, 0, -1))
    else:
        ranked = np.minimum.accumulate((ranked / (np.arange(1, count + 1) / count))[::-1])[::-1]
    adjusted: list[float | None] = [None] * len(p)
    for place, value in zip(order, ranked, strict=True):
        adjusted[places[place]] = min(float(value), 1.0)
    return adjusted


def smallest_difference(prompts: int, sd: float, alpha: float = 0.05, power: float = 0.8) -> float:
    """The smallest difference of two scores, in points, that so many prompts show with this power.

    Two-sided, paired over prompts; `sd` in points, of the differences of single prompts. Infinite below two prompts.
    """
    from scipy.optimize import brentq
    from scipy.stats import nct, t

    if prompts < 2:
        return float("inf")
    df = prompts - 1
    critical = float(t.isf(alpha / 2, df))
    # Not statsmodels' solve_power: at the small alphas of a correction it stops at half of the power, without a word.
    shift = brentq(lambda shift: nct.sf(critical, df, shift) - power, 0, 3 * critical + 3)
    return float(sd * shift / prompts**0.5)
