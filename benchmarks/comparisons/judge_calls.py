"""Judge calls of experiments/paper.yaml, against two orders of every prompt in every cell of every figure."""

from pathlib import Path

from harness import ROOT, Measured

ROUNDS = 1

CONFIGS = ("experiments/paper.yaml",)


def compare(gpu: bool, rounds: int) -> list[Measured]:
    """What `python -m pinch plan` says, in a folder where nothing has run."""
    return [_calls(ROOT / config, rounds) for config in CONFIGS]


def _calls(config: Path, rounds: int) -> Measured:
    from pinch import check
    from pinch.experiment import Experiment
    from pinch.plan import make_plan

    parsed = check.read(config)
    # Whatever this checkout has run: a plan of the whole.
    parsed = parsed.model_copy(update={"results": "no such results", "cache": "no such cache"})
    experiment = Experiment(parsed)
    ((judge, lines),) = make_plan(experiment).savings.items()
    left = lines[-1].calls
    assert sum(line.calls for line in lines[:-1]) == left
    off = [line for line in lines[1:-1] if line.calls]
    said = ", ".join(f"{line.calls:+,} {line.label} ({line.basis})" for line in off)
    return Measured(
        what=f"judge calls of {config.relative_to(ROOT)}, {judge}",
        against="2 orders x prompts x cells, every figure by itself",
        unit="calls",
        ours=[left] * rounds,
        theirs=[lines[0].calls] * rounds,
        at_most=1,
        note=f"{lines[0].basis}: {lines[0].calls:,}; {said}; makes {left:,}, before anything has run. Identical "
        "responses and pairs that come twice are known when there are responses; the plan then takes them off as well.",
        facts={line.label: line.calls for line in lines},
    )
