"""The start of every job that needs no torch, with its work on four prompts, against a Python that does nothing.

The jobs are those of the tiny experiment, run again in its folder by the very commands that Snakemake gives them: what
they take is Python, their imports and a little work, as the judge's replies and the responses are in the cache.
"""

import os
import re
import subprocess
import sys
from collections import Counter
from dataclasses import replace

import whole_runs
from harness import Measured, in_turn, run
from whole_runs import Command, Experiment

ROUNDS = 2
HEAVY = {"base_model", "finetune"}
"""Rules that load a model."""
MORE = 0.5
"""Seconds."""
IDENTIFIER = "the language identifier's model, 0.4 s to unpack, and its work"
WORK = {
    "judge by rubric": IDENTIFIER,
    "audit by rubric": IDENTIFIER,
    "plot of a heatmap": "drawing, and writing PNG and PDF with their fonts inside",
    "plot of a table": "drawing, and writing PNG and PDF with their fonts inside",
}
"""What takes a job its time after its imports, where that is more than half a second with them."""
IMPORTED = re.compile(r"^import time: +(\d+) \| +\d+ \| +([\w.]+)$", re.MULTILINE)


def chosen(commands: list[Command]) -> dict[str, Command]:
    """One command a kind of light job, by what it is called in the table."""
    found: dict[str, Command] = {}
    for command in commands:
        if command.rule in HEAVY:
            continue
        name = command.rule
        if name in ("judge", "audit"):
            name += " by endpoint" if "endpoint" in command.outputs[0].parts else " by rubric"
        elif name == "generate":
            name += ", found in the cache"
        elif name == "plot":
            name += " of a heatmap" if "heatmap" in command.outputs[0].name else " of a table"
        found[name] = command
    return found


def imports(experiment: Experiment, command: Command) -> Counter[str]:
    """Seconds that the imports of a job take, by package; a run of its own, slower for being watched."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "pinch", *command.arguments],
        cwd=experiment.folder,
        env=os.environ | experiment.environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    spent: Counter[str] = Counter()
    for microseconds, module in IMPORTED.findall(done.stderr):
        spent[module.split(".")[0]] += int(microseconds)
    return Counter({package: round(taken / 1e6, 3) for package, taken in spent.items()})


def compare(gpu: bool, rounds: int) -> list[Measured]:
    """A row a kind of job."""
    experiment = whole_runs.tiny().experiment
    environment = experiment.environment()

    def nothing() -> float:
        return run([sys.executable, "-c", "pass"]).seconds

    rows = []
    for name, command in sorted(chosen(experiment.commands()).items()):

        def job(command: Command = command) -> float:
            made = [sys.executable, "-m", "pinch", *command.arguments]
            return run(made, experiment.folder, environment).seconds

        ours, theirs = in_turn(job, nothing, rounds, warm_up=True)
        costs = imports(experiment, command)
        row = Measured(f"a job: {name}", "`python -c pass`", "s", ours, theirs, more_at_most=MORE)
        if not row.met:
            said = ", ".join(f"{package} {taken:.2f} s" for package, taken in costs.most_common(3))
            note = (
                f"{name}: {sum(costs.values()):.2f} s are imports ({said}), the rest is {WORK.get(name, 'its work')}."
            )
            row = replace(row, note=note)
        rows.append(replace(row, facts={"imports": dict(costs.most_common(8)), "all imports": sum(costs.values())}))
    return rows
