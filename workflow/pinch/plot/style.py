"""How all figures look: fonts, colours of a meaning, titles and notes, labels, and how a missing cell is marked."""

import textwrap
from collections.abc import Sequence
from typing import Any

from pinch import languages
from pinch.scores import ENOUGH_SEEDS

FONTS = ["DejaVu Sans", "Noto Sans", "Noto Sans CJK SC", "Noto Sans CJK JP", "Noto Sans Devanagari", "Arial Unicode MS"]
"""In this order; figures name languages in English, so that only a user's own labels need more than the first."""

# Of Okabe and Ito's palette, which readers who see colours differently can tell apart. A colour means the same in
# every figure; markers differ too, for prints without colour.
SEEN, UNSEEN, PIVOT = "#0072B2", "#D55E00", "#000000"
MONOLINGUAL, GREY = "#767676", "#505050"
RED = "#B2182B"
"""What is not to be believed; darker than the colour of unseen languages, and always bold or said in words too."""

Text = dict[str, Any]
SMALL: Text = {"fontsize": 7, "color": GREY}


def start_style() -> Any:
    """matplotlib without a screen, in the style of all figures; returns pyplot."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    from matplotlib import font_manager

    there = {font.name for font in font_manager.fontManager.ttflist}
    plt.rcParams.update(
        {
            "font.family": [font for font in FONTS if font in there] or ["sans-serif"],
            "font.size": 9,
            "text.parse_math": False,  # a $ in a label is a dollar
            "pdf.fonttype": 42,  # fonts inside, as text
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.axisbelow": True,
            "hatch.linewidth": 0.6,
            "hatch.color": "#a0a0a0",
        }
    )
    return plt


def headline(settings: dict[str, Any], own: str) -> str:
    """The first line above a figure: the title of the settings, or the kind's own words, and whose scores these are."""
    return f"{settings['title'] or own} · {settings['base']} · judge: {settings['judge']}"


def explain(figure: Any, title: str, note: str) -> None:
    """What a figure shows, above it, and how to read it, below; lines broken where the figure ends."""
    figure.suptitle(fitted(title, figure, 10), fontsize=10)
    figure.supxlabel(fitted(note, figure, SMALL["fontsize"]), linespacing=1.4, **SMALL)


def tell(figure: Any, axes: Any, text: str) -> None:
    """A sentence or several between title and legend, smaller than the one and larger than a note."""
    axes.set_title(fitted(text, figure, 8.8), fontsize=8, loc="left", x=0, pad=24, color="#303030", linespacing=1.3)


def fitted(text: str, figure: Any, fontsize: float) -> str:
    """The text with lines as long as the figure is wide, a letter being 0.55 of the font's size on average."""
    letters = int(figure.get_figwidth() * 72 / (0.55 * fontsize))
    return "\n".join(line for words in text.split("\n") for line in textwrap.wrap(words, letters))


def versus(baseline: str) -> str:
    """What candidates are compared with, in words."""
    if baseline == "monolingual":
        return "50 = as good as the model tuned on all rows in the evaluation language"
    return f"50 = as good as the baseline {baseline}, in every column"


def sizes(scores: Any) -> str:
    """How many prompts and seeds stand behind a figure's cells, in words."""
    seeds = scores["seed"].n_unique()
    return f"{(scores['n'] + scores['invalid']).max()} prompts a cell" + (
        f", mean of {seeds} seeds" if seeds > 1 else ""
    )


def intervals(settings: dict[str, Any], scores: Any) -> str:
    """What kind of interval a figure draws, in words; over seeds as `pinch.scores` has it."""
    seeds = scores["seed"].n_unique()
    over = " and seeds" if seeds >= ENOUGH_SEEDS else f", not over the {seeds} seeds" if seeds > 1 else ""
    return f"{100 * settings['confidence']:g} % bootstrap intervals over prompts{over}"


def number(value: float | None, digits: int = 0) -> str:
    """A number for people, its minus as long as a plus; an en dash where there is none."""
    return "–" if value is None else f"{value:.{digits}f}".replace("-", "\u2212")


def equal_line(axes: Any) -> None:
    """The line at 50, where the candidate is as good as the baseline."""
    axes.axhline(50, color=GREY, linewidth=0.8, linestyle=(0, (4, 3)), zorder=1)


def gaps(values: Sequence[float | None]) -> list[float]:
    """Values as matplotlib draws them: NaN, a gap in the line, where one is missing."""
    return [float("nan") if value is None else value for value in values]


def band(axes: Any, where: Sequence[float], estimates: Sequence[Any], color: str) -> None:
    """The interval around a line, as a band; where a neighbour is missing, as a bar, which a band could not show."""
    lows, highs = gaps([item.low for item in estimates]), gaps([item.high for item in estimates])
    axes.fill_between(where, lows, highs, color=color, alpha=0.16, linewidth=0, zorder=2)
    there = [item.low is not None for item in estimates]
    for index, at in enumerate(where):
        if there[index] and not any(there[max(0, index - 1) : index] + there[index + 1 : index + 2]):
            axes.plot([at, at], [lows[index], highs[index]], color=color, alpha=0.4, linewidth=2, zorder=2)


def mark_missing(axes: Any, marks: Sequence[tuple[float, Sequence[str]]], of: int) -> None:
    """Grey crosses at the bottom, at each x whose cells are missing in some languages.

    Above a cross its languages, or how many `of` how many where there are more than three. Room is made below the data.
    """
    marks = [(at, langs) for at, langs in marks if langs]
    if not marks:
        return
    low, high = axes.get_ylim()
    axes.set_ylim(low - 0.1 * (high - low), high)
    where = {"transform": axes.get_xaxis_transform(), "clip_on": False}
    for at, langs in marks:
        axes.plot([at], [0.02], marker="x", color=GREY, markersize=5, markeredgewidth=1.2, linestyle="none", **where)
        words = ", ".join(langs) if len(langs) <= 3 else f"{len(langs)} of {of}"
        axes.text(at, 0.045, words, ha="center", va="bottom", fontsize=6, color=GREY, **where)


def spread(positions: Sequence[float], gap: float) -> list[float]:
    """Positions at least `gap` apart, in the same order, moved as little as possible (least squares)."""
    import numpy as np
    from scipy.optimize import isotonic_regression

    order = np.argsort(positions, kind="stable")
    steps = gap * np.arange(len(order))
    result = np.empty(len(order))
    # x[i + 1] - x[i] >= gap is "x[i] - i * gap never falls": an isotonic regression.
    result[order] = isotonic_regression(np.asarray(positions, dtype=float)[order] - steps).x + steps
    return [float(value) for value in result]


def label_ends(
    figure: Any, axes: Any, last: float, ends: Sequence[tuple[float, float, str, str, bool]], fontsize: float = 7.5
) -> None:
    """Names of lines to the right of them, spread so that none covers another, each tied to the end of its line.

    `ends` are (x, y, text, colour, bold) of the last point of a line; `last` is the x of the figure's last tick.
    """
    if not ends:
        return
    figure.canvas.draw()
    height = axes.get_window_extent().height * 72 / figure.dpi
    low, high = axes.get_ylim()
    places = spread([end[1] for end in ends], (high - low) * fontsize * 1.2 / height)
    # A label pushed past the edges of the axes would come to lie on the title or the ticks.
    shift = min(0.0, high - max(places)) or max(0.0, low - min(places))
    for (x, y, text, color, bold), place in zip(ends, places, strict=True):
        tie = {"arrowstyle": "-", "color": color, "alpha": 0.45, "linewidth": 0.6, "shrinkA": 0, "shrinkB": 2}
        axes.annotate(
            text,
            xy=(x, y),
            xytext=(last + 0.03 * (last - axes.get_xlim()[0]), place + shift),
            va="center",
            fontsize=fontsize,
            color=color,
            fontweight="bold" if bold else "normal",
            arrowprops=tie,
            annotation_clip=False,
        )


def label_points(figure: Any, axes: Any, points: Sequence[tuple[float, float, str]], fontsize: float = 7.5) -> None:
    """Names beside points, each on the side where it covers least of the other points and names."""
    figure.canvas.draw()
    scale = figure.dpi / 72
    inside = axes.get_window_extent()
    dots = [axes.transData.transform((x, y)) for x, y, _ in points]
    taken = [(x - 4 * scale, y - 4 * scale, x + 4 * scale, y + 4 * scale) for x, y in dots]
    sides = [(1, 0), (1, 0.8), (1, -0.8), (-1, 0), (-1, 0.8), (-1, -0.8), (0, 1.2), (0, -1.2), (1, 1.7), (1, -1.7)]
    for (x, y, text), (left, bottom) in zip(points, dots, strict=True):
        label = axes.annotate(
            text, (x, y), xytext=(0, 0), textcoords="offset points", fontsize=fontsize, ha="center", va="center"
        )
        extent = label.get_window_extent()
        best: tuple[float, tuple[float, float], tuple[float, ...]] | None = None
        for rank, (across, up) in enumerate(sides):
            move = (across * (extent.width / scale / 2 + 6), up * (extent.height / scale / 2 + 3))
            centre = (left + move[0] * scale, bottom + move[1] * scale)
            box = (
                centre[0] - extent.width / 2,
                centre[1] - extent.height / 2,
                centre[0] + extent.width / 2,
                centre[1] + extent.height / 2,
            )
            outside = box[0] < inside.x0 or box[1] < inside.y0 or box[2] > inside.x1 or box[3] > inside.y1
            cost = sum(_common(box, other) for other in taken) + (1e6 if outside else 0) + 0.01 * rank
            if best is None or cost < best[0]:
                best = cost, move, box
        assert best is not None
        label.set_position(best[1])
        taken.append((best[2][0], best[2][1], best[2][2], best[2][3]))


def _common(one: tuple[float, ...], other: tuple[float, ...]) -> float:
    """The area that two boxes (left, bottom, right, top) share."""
    across = min(one[2], other[2]) - max(one[0], other[0])
    up = min(one[3], other[3]) - max(one[1], other[1])
    return across * up if across > 0 and up > 0 else 0.0


def legend_above(axes: Any, columns: int) -> None:
    """The legend between title and data, in one or two lines."""
    axes.legend(
        loc="lower left",
        bbox_to_anchor=(0, 1.01),
        ncols=columns,
        frameon=False,
        fontsize=8,
        borderaxespad=0,
        handlelength=1.8,
        columnspacing=1.4,
    )


def names(langs: Sequence[str]) -> list[str]:
    """English names of languages."""
    return [languages.name(lang) for lang in langs]
