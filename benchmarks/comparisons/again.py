"""What is done already, done again: one cell whose verdicts were deleted, and everything after `rm -r results`.

One cell is compared with the judge's own time, its command run by hand. Everything again is compared with the first
run: with the caches warm training is all that is paid for, so responses, verdicts and translations are counted.
"""

import re
import shutil
import sys

import whole_runs
from harness import Measured, in_turn, run
from whole_runs import Command, Experiment, Tiny

ROUNDS = 2
MORE = 5
"""Seconds."""
FINISHED = re.compile(r"^Finished jobid: \d+ \(Rule: (\w+)\)$", re.MULTILINE)
GENERATED = re.compile(r"^generate: .*: (\d+) responses, \d+ tokens in ", re.MULTILINE)


def jobs(output: str) -> list[str]:
    """The rules of the jobs of a run, the target rule left out."""
    return [rule for rule in FINISHED.findall(output) if rule != "all"]


def one_cell(tiny: Tiny, judge: str, rounds: int) -> Measured:
    """Snakemake for one deleted file of verdicts, and its judge by hand; both past the cache of replies.

    Raises RuntimeError where any other job ran, which would have loaded a model.
    """
    experiment = tiny.experiment
    listed = [command for command in experiment.commands() if command.rule == "judge"]
    command = next(command for command in listed if judge in command.outputs[0].parts)
    cell = experiment.folder / command.outputs[0]
    refresh = {"PINCH_REFRESH": "1"}

    def again() -> float:
        cell.unlink()
        done = experiment.snakemake(str(command.outputs[0]), environment=refresh)
        if jobs(done.output) != ["judge"]:
            raise RuntimeError(f"one cell again ran {', '.join(jobs(done.output))}")
        return done.seconds

    def by_hand() -> float:
        return run(by_hand_command(command), experiment.folder, experiment.environment() | refresh).seconds

    ours, theirs = in_turn(again, by_hand, rounds)
    return Measured(
        f"one cell again, judge: {judge}", "the judge's command by hand", "s", ours, theirs, more_at_most=MORE
    )


def by_hand_command(command: Command) -> list[str]:
    """A job's, for this Python."""
    return [sys.executable, "-m", "pinch", *command.arguments]


def generated(experiment: Experiment) -> int:
    """Responses that a model made in the last run, as the logs say."""
    logs = (experiment.folder / "results" / "logs" / "generate").rglob("*.log")
    return sum(int(count) for log in logs for count in GENERATED.findall(log.read_text(encoding="utf-8")))


def everything(tiny: Tiny) -> list[Measured]:
    """One row a kind of cost: first run, and second run with warm caches."""
    experiment, endpoint = tiny.experiment, tiny.endpoint
    first = (generated(experiment), *tiny.asked)
    shutil.rmtree(experiment.folder / "results")
    asked = (endpoint.translations, endpoint.verdicts)
    second_run = experiment.snakemake()
    second = (generated(experiment), endpoint.translations - asked[0], endpoint.verdicts - asked[1])
    rows = []
    for what, ours, theirs in zip(("responses generated", "translations", "verdicts"), second, first, strict=True):
        # A first run without any of them would make the comparison mean nothing.
        if not theirs:
            raise RuntimeError(f"the first run counts no {what}")
        rows.append(
            Measured(f"everything again: {what} asked for", "the first run", "calls", [ours], [theirs], at_most=0)
        )
    spent = experiment.seconds_by_rule()
    paid = {"finetune": spent.pop("finetune"), "plots": spent.pop("plot", 0.0), "all else": sum(spent.values())}
    rows.append(
        Measured(
            "everything again: the tiny experiment",
            "the first run",
            "s",
            [second_run.seconds],
            [tiny.first.seconds],
            note="the second run's seconds: " + ", ".join(f"{what} {seconds:.0f}" for what, seconds in paid.items()),
            facts={"first": tiny.by_rule, "second": experiment.seconds_by_rule()},
        )
    )
    return rows


def compare(gpu: bool, rounds: int) -> list[Measured]:
    """One cell for a judge of each kind, and everything once."""
    tiny = whole_runs.tiny()
    return [one_cell(tiny, "rubric", rounds), one_cell(tiny, "endpoint", rounds), *everything(tiny)]
