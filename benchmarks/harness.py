"""What comparisons share: both sides in turn on the same input, and ratios with their spread.

A comparison is a module of benchmarks/comparisons/ with a function `compare(gpu, rounds)` that returns a list of
Measured. In a round ours and the baseline run one after the other, and who is first changes from round to round, so
that what else the machine does, and what it has just done, hits both.
"""

import os
import resource
import statistics
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[1]


@dataclass(frozen=True)
class Measured:
    """One figure, ours beside a baseline's, a number a round."""

    what: str
    """What is measured, with its size: "training, Gemma 3 270M, LoRA"."""
    against: str
    """The baseline."""
    unit: str
    ours: Sequence[float]
    theirs: Sequence[float]
    """Empty where nothing is compared."""
    at_least: float | None = None
    """The target: of ours over theirs."""
    at_most: float | None = None
    more_at_most: float | None = None
    """The target where a difference is what counts: of ours less theirs, in the unit."""
    note: str = ""
    """The cause of a miss, or what a reader must know to believe the number."""
    facts: Mapping[str, object] = field(default_factory=dict)
    """What else was seen, for the record."""

    @property
    def ratios(self) -> list[float]:
        """Ours over theirs, round by round."""
        if not self.theirs:
            return []
        return [ours / theirs for ours, theirs in zip(self.ours, self.theirs, strict=True)]

    @property
    def ratio(self) -> float:
        """The median of the rounds."""
        return statistics.median(self.ratios)

    @property
    def differences(self) -> list[float]:
        """Ours less theirs, round by round."""
        if not self.theirs:
            return []
        return [ours - theirs for ours, theirs in zip(self.ours, self.theirs, strict=True)]

    @property
    def target(self) -> str:
        """In words."""
        if self.more_at_most is not None:
            return f"≤ {self.more_at_most:g} {self.unit} more"
        if self.at_least is not None:
            return f"≥ {self.at_least:g}"
        return f"≤ {self.at_most:g}" if self.at_most is not None else ""

    @property
    def met(self) -> bool | None:
        """Whether the median reaches the target; None where there is none."""
        if self.more_at_most is not None:
            return statistics.median(self.differences) <= self.more_at_most
        if self.at_least is not None:
            return self.ratio >= self.at_least
        return self.ratio <= self.at_most if self.at_most is not None else None


def in_turn(
    ours: Callable[[], float], theirs: Callable[[], float], rounds: int, warm_up: bool = False
) -> tuple[list[float], list[float]]:
    """A number of each side a round; who is first changes. `warm_up`: once each before, not counted."""
    if warm_up:
        ours()
        theirs()
    found: tuple[list[float], list[float]] = ([], [])
    sides = (ours, theirs)
    for turn in range(rounds):
        for side in (0, 1) if turn % 2 == 0 else (1, 0):
            found[side].append(sides[side]())
    return found


def seconds(work: Callable[[], object]) -> float:
    """Wall-clock seconds of one call."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


@dataclass(frozen=True)
class Process:
    """What a command took."""

    seconds: float
    peak_mb: float
    """The largest resident memory of any of its processes, in MB."""
    output: str


def run(command: Sequence[str | Path], cwd: Path = ROOT, environment: Mapping[str, str] | None = None) -> Process:
    """Run a command to its end in a process of its own. Raises RuntimeError with what it said where it fails."""
    import sys

    # GNU time's way: the child waits for the command, so that its children's peak is this command's alone.
    watch = (
        "import resource, subprocess, sys\n"
        "code = subprocess.call(sys.argv[1:])\n"
        "print('peak', resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, file=sys.stderr)\n"
        "sys.exit(code)\n"
    )
    started = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", watch, *map(str, command)],
        cwd=cwd,
        env={**os.environ, **(environment or {})},
        capture_output=True,
        text=True,
        check=False,
    )
    took = time.perf_counter() - started
    said, _, peak = done.stderr.rstrip().rpartition("peak ")
    if done.returncode:
        raise RuntimeError(f"{' '.join(map(str, command))}\n{done.stdout[-2000:]}\n{(said or done.stderr)[-2000:]}")
    return Process(took, int(peak) / 1024, done.stdout + said)


def peak_mb() -> float:
    """The largest resident memory of this process so far, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
