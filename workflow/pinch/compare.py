"""compare: two training sets against each other, paired over the prompts that both were evaluated on.

    python -m pinch compare en4350 es4350 --scores SCORES.parquet --base B --judge J
    python -m pinch compare --scores SCORES.parquet --groups '{"figure 3": ["en4350", "es4350"]}' --output CSV

A line a pair and language: the score of the first less that of the second in points, over the prompts in which both
have a valid outcome, with its interval (the bootstrap of `pinch.scores`, the same resamples for all pairs) and the p of
there being no difference (`pinch.scores.p_value`). The line `average` is over the languages that both were judged in,
resampled jointly.

A model against itself is 50 by definition and no measurement. In a language in which one of the two is the baseline the
difference is 50 less the other's score, or the other way round: what the judge said of the two directly, on a scale of
-50 to 50. Elsewhere it is the difference of two scores against a third model, on a scale of -100 to 100. So the line of
such a language stands, and the average leaves it out. p_holm and p_bh are corrected over all lines of a design, judge
and base model.
"""

import argparse
import json
from collections.abc import Iterator, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

from pinch import inference, languages
from pinch import scores as tables
from pinch.arguments import settings_of
from pinch.config import Aggregate
from pinch.errors import PinchError
from pinch.scores import Cube
from pinch.spreadsheet import write_frame

AVERAGE = "average"

TOGETHER = 32
"""Pairs resampled at a time: with 12 languages and 5,000 resamples some 15 MB a pair on the way."""

NUMBERS = ("difference", "low", "high", "p", "p_holm", "p_bh")

Line = dict[str, Any]


def compare_pairs(
    table: Any, pairs: Sequence[tuple[str, str]], langs: Sequence[str], settings: Aggregate
) -> Iterator[Line]:
    """Lines of a, b, lang, difference, low, high, p, prompts and seeds; a language that either lacks has none.

    `table` holds the cells of one base model and judge.
    """
    import numpy as np

    mixtures = list(dict.fromkeys(mixture for pair in pairs for mixture in pair))
    cube = tables.cube(table, mixtures, langs)
    diagonal = np.zeros((len(mixtures), len(langs)), dtype=bool)
    for mixture, lang in table.filter(table["diagonal"]).select("mixture", "lang").iter_rows():
        if mixture in mixtures and lang in langs:
            diagonal[mixtures.index(mixture), langs.index(lang)] = True
    for start in range(0, len(pairs), TOGETHER):
        some = pairs[start : start + TOGETHER]
        first, second = ([mixtures.index(pair[side]) for pair in some] for side in (0, 1))
        yield from _lines(some, _differences(cube, first, second), diagonal[first] | diagonal[second], settings)


def _differences(cube: Cube, first: list[int], second: list[int]) -> Cube:
    """A cube whose training sets are pairs, and whose outcomes (-1 to 1) are differences within prompt and seed."""
    names = [f"{cube.mixtures[a]} {cube.mixtures[b]}" for a, b in zip(first, second, strict=True)]
    if cube.by_seed is None:
        return Cube(names, cube.langs, cube.ids, cube.outcomes[first] - cube.outcomes[second], cube.seeds)
    by_seed = cube.by_seed[:, first] - cube.by_seed[:, second]
    return Cube(names, cube.langs, cube.ids, tables.mean_of_valid(by_seed, axis=0), cube.seeds, by_seed)


def _lines(pairs: Sequence[tuple[str, str]], cube: Cube, direct: Any, settings: Aggregate) -> Iterator[Line]:
    """`direct` says in which languages (pairs, langs) one of the two is the baseline."""
    import numpy as np

    means, by_seed = cube.means(), cube.means_by_seed()
    samples = cube.resampled(settings.resamples, settings.seed)
    for at, (a, b) in enumerate(pairs):
        there = np.isfinite(means[at])
        for column in there.nonzero()[0]:
            seeds = np.isfinite(by_seed[:, at, column]).sum()
            prompts = cube.outcomes[at, column]
            numbers = _numbers(means[at, column], samples[:, at, column], prompts, prompts, seeds, settings)
            yield {"a": a, "b": b, "lang": cube.langs[column], **numbers}
        common = (there & ~direct[at]).nonzero()[0]
        if len(common):
            seeds = np.isfinite(by_seed[:, at, common]).all(axis=1).sum()
            outcomes = cube.outcomes[at, common]
            prompts = tables.mean_of_valid(outcomes, axis=0)
            # The test does not depend on scale, and sums, unlike means over some of the languages, are of few sizes.
            sums = np.where(np.isfinite(prompts), np.nansum(outcomes, axis=0), np.nan)
            average = samples[:, at, common].mean(axis=1)
            numbers = _numbers(means[at, common].mean(), average, prompts, sums, seeds, settings)
            yield {"a": a, "b": b, "lang": AVERAGE, **numbers}


def _numbers(mean: Any, samples: Any, prompts: Any, tested: Any, seeds: Any, settings: Aggregate) -> Line:
    import numpy as np

    told = settings.confidence, settings.resamples, settings.seed
    low, high = tables.interval(samples, prompts, *told, least=-1.0) or (None, None)
    return {
        **{"difference": float(mean), "low": low, "high": high},
        **{"p": tables.p_value(float(mean), samples, tested, int(seeds))},
        **{"prompts": int(np.isfinite(prompts).sum()), "seeds": int(seeds)},
    }


def compare_groups(table: Any, groups: dict[str, Sequence[tuple[str, str]]], settings: Aggregate) -> list[Line]:
    """All pairs of each group, for every judge and base model of the table, corrected within each of these."""
    import polars as pl

    found: list[Line] = []
    langs = list(dict.fromkeys(table["lang"]))
    for judge, base in table.select("judge", "base").unique(maintain_order=True).iter_rows():
        part = table.filter((pl.col("judge") == judge) & (pl.col("base") == base))
        known: dict[tuple[str, str], list[Line]] = {}
        wanted = list(dict.fromkeys(pair for pairs in groups.values() for pair in pairs))
        for line in compare_pairs(part, wanted, langs, settings):
            known.setdefault((line["a"], line["b"]), []).append(line)
        for design, pairs in groups.items():
            family = [line for pair in pairs for line in known.get(pair, [])]
            p = [line["p"] for line in family]
            for line, holm, bh in zip(
                family, inference.corrected(p, "holm"), inference.corrected(p, "bh"), strict=True
            ):
                found.append({"judge": judge, "base": base, "design": design, **line, "p_holm": holm, "p_bh": bh})
    return found


def write_csv(path: str, lines: Sequence[Line]) -> None:
    """The lines as a table; p with three digits, however small."""
    import polars as pl

    kinds = {
        **dict.fromkeys(("judge", "base", "design", "a", "b", "lang"), pl.String),
        **dict.fromkeys(NUMBERS, pl.Float64),
        **dict.fromkeys(("prompts", "seeds"), pl.Int64),
    }
    digits = [
        pl.col(name).map_elements(lambda p: f"{p:.3g}", return_dtype=pl.String) for name in NUMBERS if name[0] == "p"
    ]
    write_frame(path, pl.DataFrame(lines, schema=kinds).with_columns(digits), digits=3)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `python -m pinch compare`."""
    parser.add_argument("mixtures", nargs="*", metavar="A B", help="two training sets; --groups instead for all pairs")
    parser.add_argument("--scores", required=True, nargs="+", help="table made by aggregate, or rows of it, .parquet")
    parser.add_argument("--base", help="base model; all unless given")
    parser.add_argument("--judge", help="all unless given")
    parser.add_argument(
        "--groups", help='sets compared with one another: {"design": ["en48", "es48"]}, or a file of it'
    )
    parser.add_argument("--settings", default="{}", help='JSON: {"confidence": 0.95, "resamples": 5000, "seed": 0}')
    parser.add_argument("--output", help=".csv; needed for --groups")


def run(arguments: argparse.Namespace) -> str:
    """Compare two training sets, or all pairs of each group."""
    import polars as pl

    gone = [path for path in arguments.scores if not Path(path).is_file()]
    if gone:
        raise PinchError(f"--scores: {gone[0]}: no such file (training sets are named before --scores)")
    table = pl.concat([pl.read_parquet(path, glob=False) for path in arguments.scores])
    for column in ("base", "judge"):
        there = table[column].unique().sort().to_list()
        wanted = getattr(arguments, column)
        if wanted is not None and wanted not in there:
            raise PinchError(f"--{column}: no cells of {wanted} in {arguments.scores[0]}; it has {', '.join(there)}")
        table = table.filter(pl.col(column) == wanted) if wanted is not None else table
    settings = Aggregate.model_validate(json.loads(arguments.settings))
    groups = _groups(arguments, set(table["mixture"]))
    lines = compare_groups(table, groups, settings)
    if arguments.output:
        write_csv(arguments.output, lines)
    count = sum(map(len, groups.values()))
    said = f"{count} pair{'s' if count != 1 else ''} of training sets, {len(lines)} differences"
    return said if arguments.groups else "\n".join([said, *map(_sentence, lines)])


def _groups(arguments: argparse.Namespace, known: set[str]) -> dict[str, Sequence[tuple[str, str]]]:
    """The pairs to compare, by design; a training set of a group that has no cell yet is passed over."""
    if bool(arguments.mixtures) == bool(arguments.groups) or (arguments.groups and not arguments.output):
        raise PinchError("name two training sets, or give --groups and --output")
    if arguments.groups:
        named = settings_of(arguments.groups).items()
        return {name: list(combinations([one for one in members if one in known], 2)) for name, members in named}
    if len(set(arguments.mixtures)) != 2:
        raise PinchError(f"{' '.join(arguments.mixtures)}: a comparison needs two different training sets")
    unknown = [mixture for mixture in arguments.mixtures if mixture not in known]
    if unknown:
        raise PinchError(f"no cells of training set {', '.join(unknown)}; there are {', '.join(sorted(known))}")
    return {"": [tuple(arguments.mixtures)]}


def _sentence(line: Line) -> str:
    """A line for people."""
    where = "on average" if line["lang"] == AVERAGE else f"in {languages.name(line['lang'])}"
    ends = "" if line["low"] is None else f" ({line['low']:+.1f} to {line['high']:+.1f})"
    p = "" if line["p"] is None else f", p = {line['p']:.2g}, Holm {line['p_holm']:.2g}"
    who = f"{line['a']} - {line['b']} {where}, judge {line['judge']}, base {line['base']}"
    return f"{who}: {line['difference']:+.1f}{ends}{p}, {line['prompts']} prompts"
