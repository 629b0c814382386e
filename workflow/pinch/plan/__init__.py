"""plan: what an experiment takes, before anything runs.

    python -m pinch plan experiments/paper.yaml

Counts follow from the config; tokens are counted where texts and a tokenizer are at hand; rates, lengths of responses
and judges' tokens are measured as soon as something has run. What is assumed instead says so. Nothing is fetched.
"""

import argparse
from dataclasses import asdict

from pinch import check
from pinch.plan.amounts import Amount, Plan
from pinch.plan.making import make_plan
from pinch.plan.render import render, render_markdown
from pinch.printable import printable
from pinch.rows import write_json, write_text

__all__ = ["Amount", "Plan", "add_arguments", "make_plan", "render", "render_markdown", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `python -m pinch plan`."""
    parser.add_argument("config", nargs="?", default="config.yaml")
    parser.add_argument("--output", help="the plan as a page, .md")
    parser.add_argument("--json", help="the plan as numbers, .json")


def run(arguments: argparse.Namespace) -> str:
    """Print the plan of a config, and write it where asked to."""
    plan = make_plan(check.open_experiment(arguments.config)[0])
    print(printable(render(plan)), flush=True)
    if arguments.output:
        write_text(arguments.output, render_markdown(plan, arguments.config))
    if arguments.json:
        write_json(arguments.json, asdict(plan))
    left, whole = plan.amounts["trainings"].left, plan.amounts["trainings"].whole
    return (
        f"{arguments.config}: {left:,.0f} of {whole:,.0f} trainings left"
        if plan.left()
        else (f"{arguments.config}: nothing is left to do")
    )
