"""explorer: a finished or unfinished run as pages to look at, in a browser, from a file or any web server.

    python -m pinch explorer config.yaml       # of the cells that are there, in R/partial/explorer

The rule `explorer` makes R/explorer of a finished run. index.html is what one opens; app/ and lib/ are scripts and
styles; data/ has a file for the prompts of a language, the responses of a model in a language, and the verdicts of a
judge on a cell, each loaded when it is looked at. All of it can be sent around as a folder; it needs no network.
"""

import argparse
from functools import partial
from pathlib import Path

from pinch import check, explored
from pinch.arguments import settings_of
from pinch.errors import PinchError
from pinch.explorer import cells, index, libraries
from pinch.explorer.packing import Data
from pinch.rows import canonical, digest, write_text

PAGES = Path(__file__).parents[2] / "explorer"
"""The pages themselves."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `python -m pinch explorer`."""
    parser.add_argument("config", nargs="?", help="an experiment, finished or not; or all of what follows")
    parser.add_argument("--settings", help="what there is, JSON or a file of it; see pinch.explored")
    parser.add_argument("--scores", help="the table made by aggregate, .parquet")
    parser.add_argument("--heatmaps", nargs="*", default=[], help="numbers of the figures heatmap-*, .csv")
    parser.add_argument("--comparisons", help="made by compare, .csv")
    parser.add_argument("--audits", nargs="*", default=[], help="made by aggregate audit, .json")
    parser.add_argument("--output", help="index.html of the explorer; R/partial/explorer/index.html unless given")


def run(arguments: argparse.Namespace) -> str:
    """Write or bring up to date the pages of an experiment."""
    if arguments.config is None and not (arguments.settings and arguments.scores and arguments.output):
        raise PinchError("name an experiment's config, or give --settings, --scores and --output")
    if arguments.config is not None and (arguments.settings or arguments.scores):
        raise PinchError(f"{arguments.config}: with a config neither --settings nor --scores is taken; leave one out")
    if arguments.config is not None:
        arguments = _of_experiment(arguments)
    return _write(arguments)


def _of_experiment(arguments: argparse.Namespace) -> argparse.Namespace:
    """The same arguments as the rule gives, for what is there of an experiment."""
    from pinch import unfinished

    experiment, figures = check.open_experiment(arguments.config)
    output = Path(arguments.output or f"{experiment.results}/partial/explorer/index.html")
    scored = unfinished.score(experiment, Path(experiment.results) / "partial")
    wanted = [name for name, figure in figures.all.items() if figure.kind == "heatmap" and not figure.comparison]
    drawn = unfinished.draw(figures, wanted, scored)
    return argparse.Namespace(
        settings=explored.setting(figures),
        scores=scored.table,
        heatmaps=[file for name, file in drawn.items() if name in wanted],
        comparisons=None,
        audits=scored.audits,
        output=str(output),
    )


def _write(arguments: argparse.Namespace) -> str:
    import polars as pl

    settings = settings_of(arguments.settings)
    table = pl.read_parquet(arguments.scores, glob=False)
    output = Path(arguments.output)
    data = Data(output.parent / "data")
    cells.put_prompts(data, settings)
    responses = cells.put_responses(data, settings, index.found_languages(table, settings["results"]))
    verdicts = cells.put_verdicts(data, settings)
    if arguments.comparisons:
        for place, lines in index.comparisons(arguments.comparisons).items():
            base, judge = place.split("/")
            data.put(f"comparisons/{judge}/{base}", [arguments.comparisons], place, partial(list, lines))
    matrix = {
        **settings,
        "cells": index.cells(table),
        "heatmaps": index.heatmaps(arguments.heatmaps, settings),
        "audits": index.audits(arguments.audits),
        "shades": index.shades(settings["colormap"]),
        "files": sorted(path.relative_to(data.folder).with_suffix("").as_posix() for path in data.kept),
    }
    data.put("index", [], digest(canonical(matrix)), lambda: matrix)
    removed = data.clear()
    libraries.write(output.parent / "lib")
    _copy_pages(output)
    megabytes = data.bytes / 1e6
    return (
        f"{responses} cells of responses, {verdicts} of verdicts: {len(data.kept)} data files of {megabytes:.1f} MB, "
        f"{data.written} of them written{f', {removed} old ones deleted' if removed else ''}; open {output}"
    )


def _copy_pages(output: Path) -> None:
    for path in sorted(PAGES.iterdir()):
        if path.name == output.name or path.suffix not in (".js", ".css", ".html"):
            continue
        write_text(output.parent / "app" / path.name, path.read_text(encoding="utf-8"))
    # Last, for its presence says that the rest is there.
    write_text(output, (PAGES / "index.html").read_text(encoding="utf-8"))
