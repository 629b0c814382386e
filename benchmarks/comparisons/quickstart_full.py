"""The quickstart as it is in config.yaml, by Snakemake against the same chain by hand in one process."""

from harness import Measured

from comparisons import quickstart

ROUNDS = 1


def compare(gpu: bool, rounds: int) -> list[Measured]:
    """All of it; half an hour on 2 cores."""
    return quickstart.whole(True, rounds)
