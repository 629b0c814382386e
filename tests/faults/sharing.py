"""Two runs at once: in one folder, and in two folders with one cache."""

import shutil
import subprocess
import time
from pathlib import Path
from random import Random

from tests.faults.comparing import differences
from tests.faults.outcome import Outcome, Reference, trying
from tests.faults.place import Failed, Place

SIGNS = ("is being written by another run", "Directory cannot be locked")


def one_folder(reference: Reference, folder: Path, number: int, chance: Random) -> Outcome:
    """The second is refused, even if it unlocks what is not to be unlocked; the first does not notice."""
    with trying("two runs, one folder", reference, folder, number) as this:
        first = this.here.start()
        time.sleep(chance.choice([0.0, chance.uniform(0, 0.8), chance.uniform(0, reference.seconds / 2)]))
        if number % 2:
            unlock = this.here.start("--unlock", log="second.txt")
            unlock.wait()
        second = this.here.start(log="second.txt")
        codes = [first.wait(600), second.wait(600)]
        said = this.here.said() + (this.here.folder / "second.txt").read_text(encoding="utf-8")
        this.expect(sorted(map(bool, codes)) == [False, True], f"exit codes {codes}")
        this.expect(any(sign in said for sign in SIGNS), f"no clear word: {said[-1500:]}")
        this.expect("Traceback" not in said, f"a traceback: {said[said.find('Traceback') :][:1500]}")
        this.check()
    return this.outcome


def one_cache(reference: Reference, folder: Path, number: int, chance: Random) -> Outcome:
    """Two folders, one experiment, one cache, the same endpoints."""
    with trying("two runs, one cache", reference, folder, number) as this:
        here = this.here
        here.edit(lambda config: config.update(cache=str(here.folder / "its cache")))
        beside = Place(here.folder.with_name(f"{here.folder.name} beside"), here.asked, here.sets, here.targets)
        beside.folder.mkdir()
        for name in ("tiny.yaml", "train.jsonl", "eval.jsonl", "no-labels.jsonl"):
            shutil.copy(here.folder / name, beside.folder)
        first = here.start()
        time.sleep(chance.uniform(0, 3))
        second = beside.start()
        if first.wait(600) or second.wait(600):
            raise Failed((here.said() + beside.said())[-3000:])
        different = differences(beside.results, reference.results)
        this.outcome.lost += len(different)
        this.outcome.troubles += different[:5]
        this.check()
    return this.outcome


def orphans(reference: Reference, folder: Path, number: int, chance: Random) -> Outcome:
    """Snakemake alone is killed: its jobs go on, and a second run is refused while they do."""
    with trying("jobs that outlive their run", reference, folder, number) as this:
        process = this.here.start()
        deadline = time.monotonic() + 60
        while not _jobs(process.pid) and time.monotonic() < deadline:
            time.sleep(0.01)
        process.kill()
        process.wait()
        said = ""
        for _ in range(60):
            try:
                said += this.here.finish()
                break
            except Failed as error:
                this.expect("at work: " in str(error), f"not said: {str(error)[-1500:]}")
                time.sleep(0.5)
        this.check()
    return this.outcome


def _jobs(group: int) -> list[str]:
    done = subprocess.run(
        ["pgrep", "-g", str(group), "-f", "pinch finetune"], capture_output=True, text=True, check=False
    )
    return done.stdout.split()
