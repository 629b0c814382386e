"""Does a language transfer better to its like? The matrix of transfer against likeness, by permuting languages.

The directed matrix holds the score of each language's monolingual model in each other language. Every column has a
baseline of its own and every row a model of its own, so what rows and columns have in common is removed from both
matrices (least squares over the entries off the diagonal: without a diagonal plain subtraction of means would leave
some); what remains is correlated (Pearson).

The entries are not independent: each language is in 2 (n - 1) of them. So p comes from permuting the languages, rows
and columns together (the quadratic assignment procedure: Hubert and Schultz 1976, British Journal of Mathematical and
Statistical Psychology 29:190; Dekker, Krackhardt and Snijders 2007, Psychometrika 72:563), over all n! orders where
these are few enough.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import factorial
from typing import Any

from pinch import language_facts, languages
from pinch.scores import Cube

PERMUTATIONS = 10_000
"""At most; 7! = 5,040 orders of the paper's Slavic languages are all of them."""

PREDICTORS = {
    "script": "Same script",
    "family": "Same family",
    "branch": "Same branch",
    "intelligible": "Mutually intelligible",
    "distance": "Syntactic distance",
}
"""What is compared with transfer, with its name for people; all but the distance are 0 or 1."""


@dataclass(frozen=True)
class Correlation:
    """Of transfer with one predictor; r, interval and p are None where they cannot be had, and `reason` says why."""

    predictor: str
    n_languages: int
    r: float | None = None
    low: float | None = None
    high: float | None = None
    """Over prompts: how sure r is of these languages, as measured (noise in the cells pulls it towards 0). How far it
    holds of languages at large is p's to say."""
    p: float | None = None
    """Two-sided."""
    permutations: int = 0
    exact: bool = False
    reason: str = ""
    transfer: Any = None
    """Residuals, shape (n, n), rows the trained languages; NaN on the diagonal."""


def predictors(codes: Sequence[str]) -> dict[str, Any]:
    """The matrices of likeness, shape (n, n); NaN on the diagonal, and where a fact of a language is not known."""
    import numpy as np

    known = [language_facts.facts(code) for code in codes]
    found = {name: np.full((len(codes), len(codes)), np.nan) for name in PREDICTORS}
    for i, one in enumerate(known):
        for j, other in enumerate(known):
            if i == j:
                continue
            for name in ("script", "family", "branch"):
                values = getattr(one, name), getattr(other, name)
                if None not in values:
                    found[name][i, j] = float(values[0] == values[1])
            found["intelligible"][i, j] = float(other.code in one.intelligible_with)
            found["distance"][i, j] = language_facts.typological_distance(one.code, other.code)
    return found


def residuals(matrices: Any) -> Any:
    """Directed matrices, shape (..., n, n), without their rows' and columns' effects; the diagonal is NaN."""
    import numpy as np

    n = matrices.shape[-1]
    off = ~np.eye(n, dtype=bool)
    rows, columns = off.nonzero()
    dummies = np.hstack([np.eye(n)[rows], np.eye(n)[columns]])
    removed = np.eye(len(rows)) - dummies @ np.linalg.pinv(dummies)
    result = np.full(matrices.shape, np.nan)
    result[..., off] = matrices[..., off] @ removed
    return result


def permutation_p(transfer: Any, predictor: Any, permutations: int, seed: int) -> tuple[float, int, bool]:
    """Two-sided p of two matrices of residuals, over how many orders of the languages, and whether these are all."""
    import numpy as np
    from scipy.stats import permutation_test

    n = len(transfer)
    fixed, moved = np.nan_to_num(transfer), np.nan_to_num(predictor)

    def together(order: Any, axis: int = -1) -> Any:
        order = np.moveaxis(order, axis, -1).astype(int)
        # Norms do not change with the order, so the product orders as the correlation does. Rounded, for orders that
        # give the same matrix must count as equal.
        products = (moved[order[..., :, np.newaxis], order[..., np.newaxis, :]] * fixed).sum(axis=(-2, -1))
        return np.round(products / (np.linalg.norm(fixed) * np.linalg.norm(moved)), 10)

    exact = factorial(n) <= permutations
    result = permutation_test(
        (np.arange(n),),
        together,
        permutation_type="pairings",
        n_resamples=factorial(n) if exact else permutations,
        vectorized=True,
        batch=1000,
        rng=np.random.default_rng(seed),
    )
    return float(result.pvalue), factorial(n) if exact else permutations, exact


def correlations(
    cube: Cube,
    models: Sequence[tuple[str, str]] | Sequence[Sequence[str]],
    likeness: Mapping[str, Any],
    confidence: float,
    resamples: int,
    seed: int,
    permutations: int = PERMUTATIONS,
) -> list[Correlation]:
    """Of the transfer between the languages of `models`, [[language, its monolingual training set], ...], with each
    of the matrices of `likeness` (see `predictors`).

    Where a cell off the diagonal is missing nothing is computed, and the reason names the cells.
    """
    import numpy as np

    langs, mixtures = [lang for lang, _ in models], [mixture for _, mixture in models]
    n = len(langs)
    off = ~np.eye(n, dtype=bool)
    reason = ""
    if n < 4:
        reason = f"{n} languages; four are needed for something to remain without rows' and columns' effects"
    else:
        cube = cube.pick(mixtures, langs)
        means = cube.means()
        gone = [f"{mixtures[row]} in {langs[column]}" for row, column in np.argwhere(np.isnan(means) & off)]
        if gone:
            more = f" and {len(gone) - 3} more" if len(gone) > 3 else ""
            reason = f"{len(gone)} of {n * (n - 1)} cells are missing: {', '.join(gone[:3])}{more}"
    if reason:
        return [Correlation(name, n, reason=reason) for name in likeness]
    transfer = residuals(means)
    drawn = residuals(cube.resampled(resamples, seed))
    drawn = drawn[np.isfinite(drawn[:, off]).all(axis=1)]
    found = []
    for name, matrix in likeness.items():
        reason = _unusable(name, matrix, langs) or _constant(residuals(matrix), "predictor")
        reason = reason or _constant(transfer, "transfer")
        if reason:
            found.append(Correlation(name, n, reason=reason, transfer=transfer))
            continue
        rest = residuals(matrix)
        r = _pearson(transfer[off], rest[off])
        low, high = _interval(float(r), _pearson(drawn[:, off], rest[off]), confidence)
        p, count, exact = permutation_p(transfer, rest, permutations, seed)
        found.append(Correlation(name, n, float(r), low, high, p, count, exact, transfer=transfer))
    return found


def _pearson(one: Any, other: Any) -> Any:
    """Of residuals, whose mean is 0, along the last axis; 0 where `one` has no variance."""
    import numpy as np

    norms = np.linalg.norm(one, axis=-1) * np.linalg.norm(other, axis=-1)
    return np.divide((one * other).sum(axis=-1), norms, out=np.zeros_like(norms), where=norms > 0)


def _interval(r: float, resampled: Any, confidence: float) -> tuple[float, float]:
    """The standard bootstrap interval (Efron and Tibshirani 1993, chapter 12) on Fisher's z scale.

    Not percentiles: a resample adds noise to every cell, which pulls r towards 0, so that they may not even hold r.
    """
    import numpy as np
    from scipy.stats import norm

    limit = 1 - 1e-9
    reach = norm.ppf((1 + confidence) / 2) * np.arctanh(np.clip(resampled, -limit, limit)).std()
    centre = np.arctanh(np.clip(r, -limit, limit))
    return float(np.tanh(centre - reach)), float(np.tanh(centre + reach))


def _unusable(name: str, matrix: Any, langs: Sequence[str]) -> str:
    """Why a predictor cannot be used as it is; empty if it can."""
    import numpy as np

    off = ~np.eye(len(langs), dtype=bool)
    # A language is unknown where all of its row is; of one known language beside it nothing is missing.
    unknown = [lang for lang, line, others in zip(langs, matrix, off, strict=True) if np.isnan(line[others]).all()]
    if unknown or np.isnan(matrix[off]).any():
        return f"not known of {', '.join(languages.name(lang) for lang in unknown) or 'some pair'}"
    values = np.unique(matrix[off])
    if len(values) > 1:
        return ""
    if name == "intelligible":
        return "no two of the languages are known to be mutually intelligible"
    return f"the same for all pairs of languages ({values[0]:g})"


def _constant(rest: Any, what: str) -> str:
    """Why nothing is left to correlate; empty if something is."""
    import numpy as np

    off = ~np.eye(len(rest), dtype=bool)
    return "" if np.abs(rest[off]).max() > 1e-9 else f"nothing of the {what} remains without rows' and columns' effects"
