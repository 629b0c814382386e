"""validate: the check that every run begins with, by hand."""

import argparse

from pinch import check


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `python -m pinch validate`."""
    parser.add_argument("config", nargs="?", default="config.yaml")


def run(arguments: argparse.Namespace) -> str:
    """Check a config and the files that it names; say what it would make."""
    experiment, _ = check.open_experiment(arguments.config)
    cells = list(experiment.cells())
    names = " ".join(name for name in experiment.training_sets if name != "untuned")
    return f"{arguments.config}: {len(experiment.rows)} rows, {len(cells)} cells; training sets: {names}"
