"""plot: figures from the table of scores, each as PNG and PDF, with a CSV of the numbers that it draws.

A figure that draws what a judge said tells what the judge's audits say of it (see `pinch.plot.flags`).
"""

import argparse
from importlib import import_module
from pathlib import Path
from typing import Any

from pinch import scores as tables
from pinch.arguments import paths_of, settings_of
from pinch.errors import PinchError
from pinch.plot import flags
from pinch.plot.heatmap import VALUES
from pinch.plot.style import start_style
from pinch.rows import read_json, replacing
from pinch.spreadsheet import write_frame

FIGURES = {
    "heatmap": "heatmap",
    "response_language": "response_language",
    "pinch": "pinch_curve",
    "incremental": "incremental",
    "pairs": "pairs",
    "pretraining_share": "pretraining_share",
    "untuned": "untuned",
    "similarity": "similarity",
    "languages": "languages_table",
    "translations": "translations",
    "language_confusion": "language_confusion",
    "audit": "audit",
}
"""Kinds of figures, each with its module in this package; a function of the kind's name there draws it.

It takes (scores, settings, pyplot) and returns the figure and the lines of its CSV. `scores` is the table of one base
model and judge (for WITHOUT_SCORES what is said there); the settings are in the module's docstring.
"""

WITHOUT_SCORES = {"languages", "translations", "audit"}
"""Kinds that draw no scores: a table of languages draws facts about them (None), translations the table of
translation_report, audit the audits (a list of what their files hold)."""

DEFAULTS = {
    **{"title": "", "colormap": "YlGnBu", "dpi": 200, "confidence": 0.95, "resamples": 5000, "seed": 0},
    **{"correction": "holm", "alpha": 0.05, "value": "score"},
}
"""Of settings that every kind has; an experiment gives all of them."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `python -m pinch plot`."""
    parser.add_argument("--scores", nargs="+", default=[], help="table made by aggregate, or rows of it, .parquet")
    parser.add_argument("--scores-from", help="a file that names such tables, a path a line")
    parser.add_argument(
        "--audits", nargs="*", default=[], help="made by aggregate, .json, a language each: what is known of the judge"
    )
    parser.add_argument("--translations", help="table made by translation_report, .csv, for a figure of that kind")
    parser.add_argument(
        "--settings", required=True, help="what to draw and how, JSON or a file of it; see Figures.setting"
    )
    parser.add_argument("--answer", help="made by answer, .json, for a figure of kind pinch to tell")
    for kind in ("png", "pdf", "csv"):
        parser.add_argument(f"--{kind}", required=True)


def run(arguments: argparse.Namespace) -> str:
    """Draw one figure."""
    import polars as pl

    settings = DEFAULTS | settings_of(arguments.settings)
    kind = settings["kind"]
    if arguments.answer:
        found = read_json(arguments.answer)
        settings |= {"sentence": found["text"], "chosen": (found["chosen"] or {}).get("percent")}
    if kind not in FIGURES:
        raise PinchError(f"--settings: kind {kind!r} is none of {', '.join(FIGURES)}")
    given = paths_of(arguments.scores, arguments.scores_from)
    if not given and kind not in WITHOUT_SCORES:
        raise PinchError(f"--scores: a figure of kind {kind} needs the table made by aggregate")
    if kind == "heatmap" and settings["value"] not in VALUES:
        raise PinchError(f"--settings: value {settings['value']!r} is none of {', '.join(VALUES)}")
    if kind == "translations" and not arguments.translations:
        raise PinchError("--translations: a figure of kind translations needs the table made by translation_report")
    plt = start_style()
    if settings["colormap"] not in plt.colormaps():
        raise PinchError(f"plot.colormap: {settings['colormap']!r} is not a colormap of matplotlib, such as YlGnBu")
    scores = None if kind in WITHOUT_SCORES else tables.read(given, settings["base"], settings["judge"])
    if kind == "translations":
        scores = pl.read_csv(arguments.translations, glob=False, infer_schema_length=None)
    if kind == "audit":
        scores = [read_json(path) for path in arguments.audits]
    audits = flags.read_audits(arguments.audits, settings) if kind in flags.JUDGED else {}
    draw: Any = getattr(import_module(f"pinch.plot.{FIGURES[kind]}"), kind)
    figure, drawn = draw(scores, settings, plt)
    if kind in flags.JUDGED:
        flags.mark(figure, settings, audits)
        drawn = flags.with_status(drawn, settings, audits)
    for suffix in ("png", "pdf"):
        with replacing(getattr(arguments, suffix)) as temporary:
            # Without the date two runs on the same numbers give the same file.
            metadata = {"CreationDate": None} if suffix == "pdf" else None
            figure.savefig(temporary, dpi=settings["dpi"], metadata=metadata)
    plt.close(figure)
    write_frame(arguments.csv, pl.DataFrame(drawn, infer_schema_length=None), digits=3)
    return f"{Path(arguments.png).stem}: {kind}, {len(drawn)} lines of numbers"
