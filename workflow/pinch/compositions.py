"""Compositions of training sets: how many rows of which language, exactly, and what that is called."""

import random
from collections.abc import Mapping, Sequence
from hashlib import sha256

from pinch.errors import PinchError
from pinch.rows import canonical

Counts = tuple[tuple[str, int], ...]
"""Rows by language."""


MIXTURE = r"[A-Za-z0-9][A-Za-z0-9_+-]*"
"""What any composition is called, as a regular expression: a name becomes a folder."""


def mixture_name(counts: Counts, pivot: str, variant: str | None = None, natural: Counts = ()) -> str:
    """The name of a composition, the same whichever design asked for it.

    Up to four languages all are named, as in en46+es1+it1, natural rows with an n behind (en46+es2n); above, the
    pivot's rows, the number of the other languages, the most rows that one of them has, and a digest of it all:
    en4350+11x4-3f2a9c.
    """
    parts = [(lang, rows, "") for lang, rows in counts] + [(lang, rows, "n") for lang, rows in natural]
    if len(parts) <= 4:
        ordered = sorted(parts, key=lambda part: (part[0] != pivot, part[0], part[2]))
        name = "+".join(f"{lang}{rows}{kind}" for lang, rows, kind in ordered)
    else:
        others = [rows for lang, rows, _ in parts if lang != pivot]
        # Without natural rows the digest is that of the counts alone.
        whole = [sorted(counts), sorted(natural)] if natural else sorted(counts)
        code = sha256(canonical(whole).encode()).hexdigest()[:6]
        own = f"{pivot}{dict(counts)[pivot]}+" if pivot in dict(counts) else ""
        name = f"{own}{len(others)}x{max(others)}-{code}"
    return f"{name}_{variant}" if variant else name


def largest_remainder(total: int, shares: Mapping[str, float], pivot: str) -> dict[str, int]:
    """`total` rows by `shares` (any positive numbers), exactly, by the method of the largest remainder.

    Among equal remainders the pivot comes first, then the order of `shares`.
    """
    whole = sum(shares.values())
    exact = {lang: total * share / whole for lang, share in shares.items()}
    counts = {lang: int(value + 1e-9) for lang, value in exact.items()}
    places = list(shares)
    # Rounded, so that what is equal on paper is equal here: thirds are not, as floating point numbers.
    by_remainder = sorted(
        places, key=lambda lang: (-round(exact[lang] - counts[lang], 9), lang != pivot, places.index(lang))
    )
    for lang in by_remainder[: total - sum(counts.values())]:
        counts[lang] += 1
    return counts


def even_split(total: int, langs: Sequence[str], pivot: str) -> dict[str, int]:
    """`total` rows evenly over `langs`, exactly: among equal remainders the pivot comes first, then their order."""
    return largest_remainder(total, dict.fromkeys(langs, 1.0), pivot)


def pinch_counts(percent: float, rows: int, langs: Sequence[str], pivot: str) -> dict[str, int]:
    """Rows by language where `percent` of them go evenly over `langs` and the rest to the pivot (paper, 3.2).

    The share of P = 1 over 12 languages of 4,390 rows is 44 rows, 40 of them not in the pivot.
    """
    spread = int(percent * rows / 100 + 0.5)
    counts = even_split(spread, langs, pivot)
    counts[pivot] += rows - spread
    return {lang: count for lang, count in counts.items() if count}


def draw_orders(langs: Sequence[str], count: int, seed: int) -> list[list[str]]:
    """`count` orders of `langs`, of which no two begin with the same set of languages before all are in.

    So every set that they make is a training set of its own; only the last, all languages, is shared. Raises
    PinchError where there are not so many (each order begins with another language, so at most as many as those).
    """
    draw = random.Random(f"orders {seed}")
    for _ in range(10_000):
        orders = [draw.sample(list(langs), len(langs)) for _ in range(count)]
        sets = [frozenset(order[:size]) for order in orders for size in range(1, len(langs))]
        if len(set(sets)) == len(sets):
            return orders
    raise PinchError(f"{count} orders of {len(langs)} languages cannot do without a common set; draw fewer")


def draw_pairs(langs: Sequence[str], seed: int) -> list[list[str]]:
    """`langs`, an even number of them, in random pairs, each in one; in the order of `langs`."""
    shuffled = random.Random(f"pairs {seed}").sample(list(langs), len(langs))
    pairs = [sorted(shuffled[start : start + 2], key=list(langs).index) for start in range(0, len(langs), 2)]
    return sorted(pairs, key=lambda pair: list(langs).index(pair[0]))
