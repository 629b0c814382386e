"""The judge's endpoint is down for a while, longer than a job tries again."""

import threading
import time
from pathlib import Path
from random import Random

from tests.chat_endpoint import Said
from tests.faults.outcome import Outcome, Reference, trying
from tests.faults.place import Failed, verdict


def down(reference: Reference, folder: Path, number: int, chance: Random) -> Outcome:
    """From a random call on every connection is closed, for some seconds; the run is started again until it is done."""
    with trying("endpoint down", reference, folder, number) as this:
        first = chance.randint(1, reference.judge_calls - 1)
        seconds = chance.uniform(8, 15)
        lock = threading.Lock()
        began: list[float] = []
        turned_away = 0

        def answer(count: int, asked: dict[str, object]) -> Said | None:
            nonlocal turned_away
            with lock:
                if count >= first and not began:
                    began.append(time.monotonic())
                if began and time.monotonic() - began[0] < seconds:
                    turned_away += 1
                    return None
            return verdict(count, asked)

        this.here.asked.judge.answer = answer
        failures = 0
        for _ in range(20):
            try:
                this.here.finish()
                break
            except Failed as error:
                failures += 1
                said = str(error)
                this.expect("cannot be reached" in said and "run again to go on" in said, f"not said: {said[-1500:]}")
                this.expect("Traceback" not in said, f"a traceback: {said[-3000:]}")
        else:
            raise Failed("not done in 20 runs")
        this.expect(failures > 0, "nothing failed: the endpoint was not down for long enough")
        this.check(paid_again=turned_away)  # turned away, not answered
    return this.outcome
