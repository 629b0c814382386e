"""draw: the figures of an experiment that is not finished, from the cells that are there.

The workflow draws a figure once all of its cells are made. This draws every figure at once, and marks what is missing.
"""

import argparse
from pathlib import Path

from pinch import check, unfinished


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `python -m pinch draw`."""
    parser.add_argument("config", nargs="?", default="config.yaml")
    parser.add_argument("--output", help="folder of the figures; R/partial unless given")


def run(arguments: argparse.Namespace) -> str:
    """Draw what can be drawn."""
    experiment, figures = check.open_experiment(arguments.config)
    output = Path(arguments.output or f"{experiment.results}/partial")
    scored = unfinished.score(experiment, output)
    drawn = unfinished.draw(figures, figures.all, scored)
    asked = len(list(experiment.cells())) * len(experiment.judge_names())
    return f"{len(drawn)} of {len(figures.all)} figures from {scored.cells} of {asked} cells, in {output}"
