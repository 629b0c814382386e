"""Cells of the table as a grid of coloured squares: training sets down the side, evaluation languages along the top."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pinch.plot.style import names

Matrix = list[list[float | None]]


@dataclass(frozen=True)
class Look:
    """Sizes of a grid, in inches and points: smaller ones where there are many rows or columns."""

    width: float
    height: float
    number: float
    small: float
    label: float


ROOMY = Look(width=0.82, height=0.5, number=10, small=6, label=9)
DENSE = Look(width=0.6, height=0.36, number=8.5, small=5, label=7.5)


def look(settings: dict[str, Any]) -> Look:
    """What fits the number of rows and columns."""
    return DENSE if len(settings["rows"]) > 16 or len(settings["columns"]) > 12 else ROOMY


@dataclass(frozen=True)
class Cells:
    """One column of the table as rows by columns of a figure: None where a cell is missing or not asked for."""

    values: Matrix
    """The mean over seeds."""
    seeds: list[list[int]]
    """How many seeds a cell has."""
    sd: Matrix
    """Sample standard deviation over seeds; None where there is one seed."""
    least: Matrix
    greatest: Matrix
    asked: list[list[bool]]
    """Whether the experiment asks for the cell: one that it does not ask for is left blank, not missing."""


def asked_for(settings: dict[str, Any], mixture: str) -> list[str]:
    """The columns that the experiment asks for in a row; all unless the settings say which."""
    columns: list[str] = settings["columns"]
    if "asked" not in settings:
        return columns
    return [lang for lang in columns if lang in settings["asked"].get(mixture, [])]


def cells(table: Any, settings: dict[str, Any], column: str) -> Cells:
    """A column of numbers of the table, over seeds."""
    import polars as pl

    value = pl.col(column).cast(pl.Float64)
    spread = table.group_by("mixture", "lang").agg(
        value.mean().alias("mean"),
        value.count().alias("seeds"),
        value.std().alias("sd"),
        value.min().alias("least"),
        value.max().alias("greatest"),
    )
    found = {(row["mixture"], row["lang"]): row for row in spread.iter_rows(named=True)}
    asked = [[lang in asked_for(settings, name) for lang in settings["columns"]] for name, _ in settings["rows"]]

    def matrix(what: str, empty: Any = None) -> Any:
        return [
            [
                found[name, lang][what] if there and (name, lang) in found else empty
                for lang, there in zip(settings["columns"], line, strict=True)
            ]
            for (name, _), line in zip(settings["rows"], asked, strict=True)
        ]

    return Cells(matrix("mean"), matrix("seeds", 0), matrix("sd"), matrix("least"), matrix("greatest"), asked)


def shades(values: Matrix, left_out: Sequence[Sequence[bool]]) -> Matrix:
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


def ink_on(colour: Sequence[float]) -> str:
    """White on what is dark, nearly black on what is light."""
    brightness = 0.299 * colour[0] + 0.587 * colour[1] + 0.114 * colour[2]
    return "white" if brightness < 0.48 else "#202020"


def draw(
    axes: Any,
    colours: Matrix,
    texts: list[list[str]],
    small: list[list[str]],
    cmap: Any,
    look: Look,
    asked: list[list[bool]],
) -> None:
    """Coloured squares, a number in each and a small text under it.

    Where `colours` (0 to 1) is None the square is grey; one without a text is missing, and hatched; one not asked for
    stays white.
    """
    from matplotlib.patches import Rectangle

    for row, line in enumerate(texts):
        for column, text in enumerate(line):
            if not asked[row][column]:
                continue
            shade = colours[row][column]
            colour = cmap(0.08 + 0.8 * shade) if shade is not None else (0.93, 0.93, 0.93, 1.0)
            axes.add_patch(Rectangle((column, row), 1, 1, facecolor=colour, hatch=None if text else "////"))
            # The white lines are drawn apart: an edge of its own would colour the hatch.
            axes.add_patch(Rectangle((column, row), 1, 1, fill=False, edgecolor="white", linewidth=1.5))
            if not text:
                continue
            ink = ink_on(colour)
            below = small[row][column]
            centre = {"ha": "center", "va": "center", "color": ink}
            axes.text(column + 0.5, row + (0.4 if below else 0.5), text, fontsize=look.number, **centre)
            if below:
                axes.text(column + 0.5, row + 0.75, below, fontsize=look.small, **centre)
    axes.set_xlim(0, len(texts[0]))
    axes.set_ylim(len(texts), 0)
    axes.set_aspect("auto")
    axes.tick_params(length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)


def tilted(columns: Sequence[str], look: Look, ha: str = "left") -> dict[str, Any]:
    """How the names of columns stand: side by side where there is room for the longest."""
    room = look.width * 72 / (0.58 * look.label)
    return {"rotation": 30, "ha": ha, "rotation_mode": "anchor"} if max(map(len, names(columns))) > room else {}


def explain_empty(texts: list[list[str]], asked: list[list[bool]]) -> list[str]:
    """What hatched and blank squares are, where there are any."""
    cells = [pair for lines in zip(texts, asked, strict=True) for pair in zip(*lines, strict=True)]
    missing, blank = any(wanted and not text for text, wanted in cells), not all(wanted for _, wanted in cells)
    return ["hatched: missing"] * missing + ["blank: not part of the experiment"] * blank


def label_axes(axes: Any, rows: Sequence[Sequence[str]], columns: Sequence[str], look: Look) -> None:
    """Training sets down the side, evaluation languages along the top (and the bottom of a tall grid)."""
    axes.set_yticks([row + 0.5 for row in range(len(rows))], [label for _, label in rows], fontsize=look.label)
    axes.set_ylabel("Training set")
    places = [column + 0.5 for column in range(len(columns))]
    axes.set_xticks(places, names(columns), fontsize=look.label, **tilted(columns, look))
    axes.set_xlabel("Evaluation language", labelpad=6)
    axes.xaxis.set_label_position("top")
    axes.xaxis.tick_top()
    if len(rows) > 24:
        below = axes.secondary_xaxis("bottom")
        below.set_xticks(places, names(columns), fontsize=look.label, **tilted(columns, look, "right"))
        below.tick_params(length=0)
        below.spines["bottom"].set_visible(False)
