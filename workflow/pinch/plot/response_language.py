"""response_language: how often models answer in the language they are asked in.

Settings: rows [[mixture, label], ...], columns [lang, ...], colormap and, if not every row is asked for in every
column, asked {mixture: [lang, ...]}.
"""

from typing import Any

from pinch.plot import grid
from pinch.plot.grid import Matrix
from pinch.plot.style import explain

COUNTS = ("right_language", "wrong_language", "undetermined_language")


def response_language(scores: Any, settings: dict[str, Any], plt: Any) -> tuple[Any, list[dict[str, Any]]]:
    """The share of responses in the language of the prompt, of those whose language can be told, over seeds."""
    rows, columns, look = settings["rows"], settings["columns"], grid.look(settings)
    found = grid.cells(scores, settings, "response_language_rate")
    counts = {name: grid.cells(scores, settings, name).values for name in COUNTS}
    several = any(count > 1 for line in found.seeds for count in line)
    digits = 1 if several else 0
    small = [
        [f"{value:.{digits}f} undet." if value else "" for value in line] for line in counts["undetermined_language"]
    ]
    figure, axes = plt.subplots(
        figsize=(2.6 + look.width * len(columns), 1.7 + look.height * len(rows)), layout="constrained"
    )
    colours: Matrix = [[None if value is None else value / 100 for value in line] for line in found.values]
    # A cell in which no language can be told is there all the same, without a rate.
    texts = [
        [
            "" if count is None else "–" if value is None else f"{value:.0f} %"
            for value, count in zip(*lines, strict=True)
        ]
        for lines in zip(found.values, counts["undetermined_language"], strict=True)
    ]
    grid.draw(axes, colours, texts, small, plt.get_cmap(settings["colormap"]), look, found.asked)
    grid.label_axes(axes, rows, columns, look)
    title = settings["title"] or "Responses in the language of the prompt"
    note = (
        "Share of the responses whose language can be determined (identification by py3langid);\n"
        "small numbers: responses in which it cannot"
    )
    empty = "; ".join(grid.explain_empty(texts, found.asked)).capitalize()
    explain(figure, f"{title} · {settings['base']}", note + ("; means over seeds." if several else ".") + f"\n{empty}")
    drawn = [
        {
            "mixture": name,
            "label": " ".join(label.split()),
            "lang": lang,
            "response_language_rate": found.values[row][column],
            **{count: values[row][column] for count, values in counts.items()},
            "seeds": found.seeds[row][column],
            "sd": found.sd[row][column],
            "min": found.least[row][column],
            "max": found.greatest[row][column],
        }
        for row, (name, label) in enumerate(rows)
        for column, lang in enumerate(columns)
        if found.asked[row][column]
    ]
    return figure, drawn
