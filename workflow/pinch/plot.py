"""plot: figures from the table of scores, each as PNG and PDF, with a CSV of the numbers that it draws."""

import argparse
import json
from pathlib import Path
from typing import Any

from pinch import languages
from pinch.errors import PinchError
from pinch.rows import replacing

FONTS = ["DejaVu Sans", "Noto Sans", "Noto Sans CJK SC", "Noto Sans CJK JP", "Noto Sans Devanagari", "Arial Unicode MS"]
"""In this order; figures name languages in English, so that only a user's own labels need more than the first."""

Matrix = list[list[float | None]]


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
            "pdf.fonttype": 42,  # fonts inside, as text
            "axes.spines.top": False,
            "axes.spines.right": False,
        }
    )
    return plt


def mean(values: list[float | None]) -> float | None:
    """The mean of those that are there; None where none is."""
    there = [value for value in values if value is not None]
    return sum(there) / len(there) if there else None


def read_matrix(path: str, settings: dict[str, Any]) -> Any:
    """The cells that a figure draws: those of its base model and judge, of its rows and columns."""
    import polars as pl

    table = pl.read_parquet(path).filter(
        (pl.col("base") == settings["base"])
        & (pl.col("judge") == settings["judge"])
        & pl.col("mixture").is_in([name for name, _ in settings["rows"]])
        & pl.col("lang").is_in(settings["columns"])
    )
    if table.is_empty():
        raise PinchError(f"{path}: has no cells of base {settings['base']} and judge {settings['judge']}")
    return table


def cell_values(table: Any, settings: dict[str, Any], column: str) -> Matrix:
    """Rows by columns; the mean over seeds where there are several, None where a cell is missing."""
    import polars as pl

    means = table.group_by("mixture", "lang").agg(pl.col(column).mean())
    found = {(row["mixture"], row["lang"]): row[column] for row in means.iter_rows(named=True)}
    return [[found.get((name, lang)) for lang in settings["columns"]] for name, _ in settings["rows"]]


def draw_grid(
    axes: Any, values: Matrix, colours: Matrix, texts: list[list[str]], small: list[list[str]], cmap: Any
) -> None:
    """Coloured squares with a number in each; where `colours` (0 to 1) is None the square stays grey."""
    import numpy as np
    from matplotlib.patches import Rectangle

    for row, line in enumerate(values):
        for column, value in enumerate(line):
            shade = colours[row][column]
            colour = cmap(0.08 + 0.8 * shade) if shade is not None else (0.93, 0.93, 0.93, 1.0)
            hatch = "////" if value is None else None
            axes.add_patch(
                Rectangle((column, row), 1, 1, facecolor=colour, edgecolor="white", linewidth=1.5, hatch=hatch)
            )
            dark = float(np.dot(colour[:3], (0.299, 0.587, 0.114))) < 0.55
            ink = "white" if dark else "#202020"
            raised = 0.42 if small[row][column] else 0.5
            axes.text(column + 0.5, row + raised, texts[row][column], ha="center", va="center", color=ink, fontsize=10)
            axes.text(column + 0.5, row + 0.74, small[row][column], ha="center", va="center", color=ink, fontsize=6)
    axes.set_xlim(0, len(values[0]))
    axes.set_ylim(len(values), 0)
    axes.set_aspect("auto")
    axes.tick_params(length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)


def tilted(columns: list[str]) -> dict[str, Any]:
    """How the names of columns stand: side by side while there is room."""
    return {"rotation": 30, "ha": "left"} if len(columns) > 6 else {}


def label_axes(axes: Any, rows: list[list[str]], columns: list[str]) -> None:
    """Training sets down the side, evaluation languages along the top."""
    axes.set_yticks([row + 0.5 for row in range(len(rows))], [label for _, label in rows])
    axes.set_ylabel("Training set")
    names = [languages.name(lang) for lang in columns]
    axes.set_xticks([column + 0.5 for column in range(len(columns))], names, **tilted(columns))
    axes.set_xlabel("Evaluation language")
    axes.xaxis.set_label_position("top")
    axes.xaxis.tick_top()


def explain(figure: Any, title: str, note: str) -> None:
    """What a figure shows, above it, and how to read it, below."""
    figure.suptitle(f"{title}\n", fontsize=10)
    figure.supxlabel(note, fontsize=7, color="#505050")


def shades(values: Matrix, left_out: list[list[bool]]) -> Matrix:
    """0 to 1 within each column, from its least to its greatest value; None for what is left out of the colouring."""
    result: Matrix = [[None] * len(line) for line in values]
    for column in range(len(values[0])):
        there = [
            line[column]
            for line, out in zip(values, left_out, strict=True)
            if line[column] is not None and not out[column]
        ]
        numbers = [value for value in there if value is not None]
        for row, line in enumerate(values):
            value = line[column]
            if value is not None and not left_out[row][column]:
                span = max(numbers) - min(numbers)
                result[row][column] = (value - min(numbers)) / span if span else 0.5
    return result


def number(value: float | None, digits: int = 0) -> str:
    """A number for people; an en dash where there is none."""
    return "–" if value is None else f"{value:.{digits}f}"


def versus(baseline: str) -> str:
    """What candidates are compared with, in words."""
    if baseline == "monolingual":
        return "50 = as good as the model tuned on all rows in the evaluation language"
    return f"50 = as good as the baseline {baseline}, in every column"


def heatmap(table: Any, settings: dict[str, Any], plt: Any) -> tuple[Any, list[dict[str, Any]]]:
    """The layout of the paper's Figure 1: rows are training sets, every column a heatmap of its own.

    The diagonal (a model against itself) is shown and left out of the colouring and of the averages.
    """
    rows, columns = settings["rows"], settings["columns"]
    scores = cell_values(table, settings, "score")
    lows, highs = cell_values(table, settings, "low"), cell_values(table, settings, "high")
    diagonal = [
        [value == 1.0 for value in line]
        for line in cell_values(table.with_columns(table["diagonal"].cast(float)), settings, "diagonal")
    ]
    averages = [
        mean([value for value, out in zip(line, outs, strict=True) if not out])
        for line, outs in zip(scores, diagonal, strict=True)
    ]
    several = table["seed"].n_unique() > 1
    ranges = [
        # The interval of one run says nothing of the spread over seeds: none is drawn under a mean of several.
        ["" if low is None or several else f"{low:.0f}–{high:.0f}" for low, high in zip(*lines, strict=True)]
        for lines in zip(lows, highs, strict=True)
    ]
    cmap = plt.get_cmap(settings["colormap"])
    height = 1.9 + 0.5 * len(rows)
    figure, (left, right) = plt.subplots(
        1,
        2,
        figsize=(2.6 + 0.82 * (len(columns) + 1), height),
        width_ratios=[len(columns), 1],
        layout="constrained",
    )
    draw_grid(
        left, scores, shades(scores, diagonal), [[number(value) for value in line] for line in scores], ranges, cmap
    )
    single: Matrix = [[value] for value in averages]
    draw_grid(
        right,
        single,
        shades(single, [[False]] * len(rows)),
        [[number(value, 1)] for value in averages],
        [[""]] * len(rows),
        cmap,
    )
    label_axes(left, rows, columns)
    right.set_yticks([])
    right.set_xticks([0.5], ["Average"], **tilted(columns))
    right.xaxis.tick_top()
    seeds = f", mean of {table['seed'].n_unique()} seeds" if several else ""
    explain(
        figure,
        f"{settings['title']} · {settings['base']} · judge: {settings['judge']}",
        f"{versus(settings['baseline'])}; diagonal (grey) by definition, not in averages.\n"
        f"{table['n'].max()} prompts a cell{seeds}; small numbers: bootstrap interval over prompts; "
        "colours are per column.",
    )
    drawn = [
        {
            "mixture": name,
            "label": " ".join(label.split()),
            "lang": lang,
            "score": scores[row][column],
            "low": lows[row][column],
            "high": highs[row][column],
            "diagonal": diagonal[row][column],
        }
        for row, (name, label) in enumerate(rows)
        for column, lang in enumerate(columns)
    ]
    drawn += [
        {
            "mixture": name,
            "label": " ".join(label.split()),
            "lang": "average",
            "score": averages[row],
            "diagonal": False,
        }
        for row, (name, label) in enumerate(rows)
    ]
    return figure, drawn


def response_language(table: Any, settings: dict[str, Any], plt: Any) -> tuple[Any, list[dict[str, Any]]]:
    """How often a model answers in the language of the prompt, of the responses whose language can be told."""
    rows, columns = settings["rows"], settings["columns"]
    rates = cell_values(table, settings, "response_language_rate")
    counts = {
        name: cell_values(table, settings, name)
        for name in ("right_language", "wrong_language", "undetermined_language")
    }
    unknown = counts["undetermined_language"]
    small = [[f"{value:.0f} undet." if value else "" for value in line] for line in unknown]
    figure, axes = plt.subplots(figsize=(2.6 + 0.82 * len(columns), 1.7 + 0.5 * len(rows)), layout="constrained")
    colours: Matrix = [[None if value is None else value / 100 for value in line] for line in rates]
    texts = [["–" if value is None else f"{value:.0f} %" for value in line] for line in rates]
    draw_grid(axes, rates, colours, texts, small, plt.get_cmap(settings["colormap"]))
    label_axes(axes, rows, columns)
    explain(
        figure,
        f"Responses in the language of the prompt · {settings['base']}",
        "Share of the responses whose language can be determined (identification by py3langid);\n"
        "small numbers: responses in which it cannot.",
    )
    drawn = [
        {
            "mixture": name,
            "label": " ".join(label.split()),
            "lang": lang,
            "response_language_rate": rates[row][column],
            **{count: values[row][column] for count, values in counts.items()},
        }
        for row, (name, label) in enumerate(rows)
        for column, lang in enumerate(columns)
    ]
    return figure, drawn


FIGURES = {"heatmap": heatmap, "response_language": response_language}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `python -m pinch plot`."""
    parser.add_argument("--scores", required=True, help="table made by aggregate, .parquet")
    parser.add_argument("--settings", required=True, help="what to draw and how, JSON; see Experiment.figure_setting")
    for kind in ("png", "pdf", "csv"):
        parser.add_argument(f"--{kind}", required=True)


def run(arguments: argparse.Namespace) -> str:
    """Draw one figure."""
    import polars as pl

    settings = json.loads(arguments.settings)
    plt = start_style()
    if settings["colormap"] not in plt.colormaps():
        raise PinchError(f"plot.colormap: {settings['colormap']!r} is not a colormap of matplotlib, such as YlGnBu")
    table = read_matrix(arguments.scores, settings)
    figure, drawn = FIGURES[settings["kind"]](table, settings, plt)
    for kind in ("png", "pdf"):
        with replacing(getattr(arguments, kind)) as temporary:
            # Without the date two runs on the same numbers give the same file.
            metadata = {"CreationDate": None} if kind == "pdf" else None
            figure.savefig(temporary, dpi=settings["dpi"], metadata=metadata)
    plt.close(figure)
    with replacing(arguments.csv) as temporary:
        pl.DataFrame(drawn, infer_schema_length=None).write_csv(temporary, float_precision=3)
    return f"{Path(arguments.png).stem}: {len(settings['rows'])} rows, {len(settings['columns'])} columns"
