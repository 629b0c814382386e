"""kill -9 of everything that belongs to a run, at a random moment; Ctrl-C; and restarts until it is done."""

import os
import signal
import time
from pathlib import Path
from random import Random

from tests.faults.outcome import Outcome, Reference, trying
from tests.faults.place import kill, killed_after


def kill_group(reference: Reference, folder: Path, number: int, chance: Random) -> Outcome:
    """Every other kill falls on a call, since those take little of a run's time and cost most.

    The larger experiment is now and then killed twice.
    """
    with trying("kill -9", reference, folder, number) as this:
        for again in range(chance.choice([1, 1, 2]) if reference.sets == 2 else 1):
            seconds = chance.uniform(0.3, reference.seconds) if (number + again) % 2 else None
            calls = None if seconds else chance.randint(1, reference.calls)
            if not killed_after(this.here, seconds, calls):
                break
        said = this.here.finish()
        this.check()
        this.expect("Unlock" not in said, "somebody had to unlock")
    return this.outcome


def interrupt(reference: Reference, folder: Path, number: int, chance: Random) -> Outcome:
    """Ctrl-C, as a terminal sends it: to the whole group; and again, where a user is in a hurry."""
    with trying("Ctrl-C", reference, folder, number) as this:
        process = this.here.start()
        time.sleep(chance.uniform(2, reference.seconds * 0.8))
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGINT)
            process.wait(60)
            kill(process)  # what outlives it
            this.here.count_lost()
        this.here.finish()
        this.check()
    return this.outcome
