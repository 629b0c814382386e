"""What became of runs under a fault."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from tests.faults.comparing import differences
from tests.faults.place import Failed, Place, place


@dataclass
class Outcome:
    """Of one fault, added up over its tries."""

    fault: str
    tried: int = 0
    survived: int = 0
    lost: int = 0
    """Files that differ from those of the run that nothing happened to, or were missing, or half."""
    twice: int = 0
    """Calls that were paid for again and that were not under way when a run died."""
    in_flight: int = 0
    """Calls that were, and so had to be made again."""
    troubles: list[str] = field(default_factory=list)

    def __add__(self, other: "Outcome") -> "Outcome":
        numbers = {
            name: getattr(self, name) + getattr(other, name)
            for name in ("tried", "survived", "lost", "twice", "in_flight")
        }
        return Outcome(self.fault, **numbers, troubles=self.troubles + other.troubles)


@dataclass
class Reference:
    """The run that nothing happened to."""

    model: Path
    folder: Path
    results: Path
    sets: int
    seconds: float
    judge_calls: int
    calls: int


@dataclass
class Try:
    """One try of a fault: a new place, and what is to be held against what is found there."""

    outcome: Outcome
    reference: Reference
    here: Place

    def expect(self, what: bool, trouble: str) -> None:
        """Something that must be so."""
        if not what:
            self.outcome.troubles.append(trouble)

    def check(self, paid_again: int = 0) -> None:
        """All files as they should be, and no call paid twice but `paid_again`, which the fault explains."""
        different = differences(self.here.results, self.reference.results)
        self.outcome.lost += len(different)
        self.outcome.troubles += different[:5]
        excess = len(self.here.asked) - self.reference.calls
        explained = self.here.lost_calls - self.here.beyond + paid_again
        self.outcome.in_flight += min(max(excess, 0), explained)
        self.outcome.twice += max(0, excess - explained)


@contextmanager
def trying(fault: str, reference: Reference, folder: Path, number: int) -> Iterator[Try]:
    """Survived unless something in the block goes wrong; the folder then stays to be looked at."""
    outcome = Outcome(fault, tried=1)
    with place(folder / f"{fault.replace(' ', '-')}-{number}", reference.model, reference.sets) as here:
        made = Try(outcome, reference, here)
        try:
            yield made
        except Failed as error:
            outcome.troubles.append(f"did not end well: ...{str(error)[-1500:]}")
        if not outcome.troubles and not outcome.twice and not outcome.lost:
            outcome.survived = 1


Scenario = Callable[[Reference, Path, int, Random], Outcome]
"""One try: the reference, a folder for places, the number of the try, chance."""
