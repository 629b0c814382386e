"""heatmap: the layout of the paper's Figures 1 and 7.

Settings: rows [[mixture, label], ...], columns [lang, ...], baseline, colormap, confidence, resamples, seed and, if not
every row is asked for in every column, asked {mixture: [lang, ...]}.
"""

from dataclasses import dataclass
from statistics import mean, stdev
from typing import Any

from pinch.plot import grid
from pinch.plot.estimates import Estimate, Estimates
from pinch.plot.grid import Cells, Matrix
from pinch.plot.style import explain, headline, intervals, number, sizes, versus

Flags = list[list[bool]]


@dataclass(frozen=True)
class Average:
    """A row's average, with an interval where it is of one seed."""

    estimate: Estimate
    by_seed: list[float]
    """The same average in each seed in which the row is complete."""

    @property
    def sd(self) -> float | None:
        """Sample standard deviation over seeds."""
        return stdev(self.by_seed) if len(self.by_seed) > 1 else None


def heatmap(scores: Any, settings: dict[str, Any], plt: Any) -> tuple[Any, list[dict[str, Any]]]:
    """Rows are training sets, every column a heatmap of its own; averages where a row is asked for in all columns.

    The diagonal (a model against itself) is shown and left out of the colouring and of the averages. Under a mean
    over several seeds stands their standard deviation, under a score of one seed its bootstrap interval, which says
    nothing of the spread over seeds.
    """
    rows, columns, look = settings["rows"], settings["columns"], grid.look(settings)
    found = grid.cells(scores, settings, "score")
    lows, highs = (grid.cells(scores, settings, end).values for end in ("low", "high"))
    diagonal = [[value == 1.0 for value in line] for line in grid.cells(scores, settings, "diagonal").values]
    for row, column in ((row, column) for row in range(len(rows)) for column in range(len(columns))):
        if found.seeds[row][column] > 1:
            lows[row][column] = highs[row][column] = None
    averages = _averages(scores, settings, found, diagonal)
    with_averages = any(averages)
    most = max(max(line) for line in found.seeds)
    small = [
        [
            ""
            if diagonal[row][column]
            else _under(found.sd[row][column], lows[row][column], highs[row][column], found.seeds[row][column], most)
            for column in range(len(columns))
        ]
        for row in range(len(rows))
    ]
    cmap = plt.get_cmap(settings["colormap"])
    panels = [len(columns), 1] if with_averages else [len(columns)]
    figure, axes = plt.subplots(
        1,
        len(panels),
        figsize=(2.6 + look.width * sum(panels), 1.9 + look.height * len(rows)),
        width_ratios=panels,
        layout="constrained",
        squeeze=False,
    )
    texts = [["" if value is None else number(value) for value in line] for line in found.values]
    left = axes[0][0]
    grid.draw(left, grid.shades(found.values, diagonal), texts, small, cmap, look, found.asked)
    grid.label_axes(left, rows, columns, look)
    if with_averages:
        _draw_averages(axes[0][1], averages, columns, cmap, look)
    explain(
        figure, headline(settings, "Instruction-following score"), _note(scores, settings, found, texts, with_averages)
    )
    return figure, _lines(settings, found, lows, highs, diagonal, averages)


def _averages(scores: Any, settings: dict[str, Any], found: Cells, diagonal: Flags) -> list[Average | None]:
    """Each row's average off the diagonal, missing where a cell is.

    None of a row that is not asked for in all columns (it could not be compared with the others') or has but the
    diagonal.
    """
    mixtures, columns = [name for name, _ in settings["rows"]], settings["columns"]
    together = Estimates(scores, mixtures, columns, settings)
    apart = [
        Estimates(scores.filter(scores["seed"] == seed), mixtures, columns, settings)
        for seed in sorted(scores["seed"].unique())
    ]
    averages: list[Average | None] = []
    for row, mixture in enumerate(mixtures):
        cells = [(mixture, lang) for lang, out in zip(columns, diagonal[row], strict=True) if not out]
        values = [value for value, out in zip(found.values[row], diagonal[row], strict=True) if not out]
        there = [value for value in values if value is not None]
        if not all(found.asked[row]) or not values:
            averages.append(None)
            continue
        if len(there) < len(values):
            averages.append(Average(Estimate(), []))
            continue
        by_seed = [estimates.over(cells, interval=False).score for estimates in apart]
        whole = [value for value in by_seed if value is not None]
        several = max(found.seeds[row]) > 1
        averages.append(Average(Estimate(mean(there)) if several else together.over(cells), whole))
    return averages


def _under(sd: float | None, low: float | None, high: float | None, seeds: int, most: int) -> str:
    """The small text of a cell: its spread over seeds (and how many, where others have more), else its interval."""
    if sd is not None:
        return f"± {sd:.1f}" + (f" ({seeds})" if seeds < most else "")
    return "" if low is None or high is None else f"{low:.0f}–{high:.0f}"


def _draw_averages(axes: Any, averages: list[Average | None], columns: list[str], cmap: Any, look: grid.Look) -> None:
    """The last column, which is a heatmap of its own too."""
    shown = [average or Average(Estimate(), []) for average in averages]
    most = max(len(average.by_seed) for average in shown)
    single: Matrix = [[average.estimate.score] for average in shown]
    texts = [["" if score is None else number(score, 1)] for (score,) in single]
    under = [
        [_under(average.sd, average.estimate.low, average.estimate.high, len(average.by_seed), most)]
        for average in shown
    ]
    shades = grid.shades(single, [[False]] * len(single))
    grid.draw(axes, shades, texts, under, cmap, look, [[average is not None] for average in averages])
    axes.set_yticks([])
    axes.set_xticks([0.5], ["Average"], fontsize=look.label, **grid.tilted(columns, look))
    axes.xaxis.tick_top()


def _note(scores: Any, settings: dict[str, Any], found: Cells, texts: list[list[str]], with_averages: bool) -> str:
    counts = {count for line in found.seeds for count in line} - {0}
    words = []
    if 1 in counts:
        words.append(intervals(settings))
    if counts - {1}:
        words.append("± standard deviation over seeds" + (" (how many, where fewer)" if len(counts - {1}) > 1 else ""))
    empty = grid.explain_empty(texts, found.asked)
    if with_averages and not all(all(line) for line in found.asked):
        empty.append("averages: of the rows that are asked for in all columns")
    lines = [
        f"{versus(settings['baseline'])}; diagonal (grey) by definition"
        + (", not in averages." * with_averages or "."),
        f"{sizes(scores)}; " + f"small numbers: {'; '.join(words)}; " * bool(words) + "colours are per column.",
        "; ".join(empty).capitalize(),
    ]
    return "\n".join(lines)


def _lines(
    settings: dict[str, Any], found: Cells, lows: Matrix, highs: Matrix, diagonal: Flags, averages: list[Average | None]
) -> list[dict[str, Any]]:
    drawn = [
        {
            "mixture": name,
            "label": " ".join(label.split()),
            "lang": lang,
            "score": found.values[row][column],
            "low": lows[row][column],
            "high": highs[row][column],
            "diagonal": diagonal[row][column],
            "seeds": found.seeds[row][column],
            "sd": None if diagonal[row][column] else found.sd[row][column],
            "min": found.least[row][column],
            "max": found.greatest[row][column],
        }
        for row, (name, label) in enumerate(settings["rows"])
        for column, lang in enumerate(settings["columns"])
        if found.asked[row][column]
    ]
    for (name, label), average in zip(settings["rows"], averages, strict=True):
        if average:
            drawn.append(
                {"mixture": name, "label": " ".join(label.split()), "lang": "average", **average.estimate.as_columns()}
                | {"diagonal": False, "seeds": len(average.by_seed), "sd": average.sd}
                | {"min": min(average.by_seed, default=None), "max": max(average.by_seed, default=None)}
            )
    return drawn
