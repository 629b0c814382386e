"""All faults, each so many times, and the table of what became of the runs."""

import argparse
import json
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from random import Random

from pinch import modelling
from pinch.rehearse import tiny_model

from tests.conftest import seed_texts
from tests.faults import endpoints, garbled, kills, power, sharing, storage
from tests.faults.outcome import Outcome, Reference, Scenario
from tests.faults.place import place

FAULTS: dict[str, tuple[Scenario, bool]] = {
    "kill": (kills.kill_group, True),
    "interrupt": (kills.interrupt, False),
    "power": (power.power_cut, False),
    "disk": (storage.full_disk, False),
    "readonly": (storage.read_only, False),
    "memory": (storage.memory, False),
    "endpoint": (endpoints.down, False),
    "folder": (sharing.one_folder, False),
    "cache": (sharing.one_cache, False),
    "orphans": (sharing.orphans, False),
    "garbled": (garbled.cache_entries, False),
    "base": (garbled.base_model, False),
    "adapter": (garbled.adapter, False),
}
"""Name -> one try, and whether it is tried --rounds times (else --times)."""


def make_reference(folder: Path, model: Path, sets: int) -> Reference:
    """Run the experiment with nothing happening to it."""
    with place(folder, model, sets) as here:
        started = time.monotonic()
        here.finish()
        seconds = time.monotonic() - started
        return Reference(model, folder, here.results, sets, seconds, len(here.asked.judge.asked), len(here.asked))


def try_all(
    folder: Path, names: list[str], rounds: int, times: int, seed: int, sets: int, side_by_side: int, model: Path
) -> dict[str, Outcome]:
    """The outcome by fault."""
    reference = make_reference(folder / "reference", model, sets)
    say(f"the experiment takes {reference.seconds:.0f} s and {reference.calls} calls")
    found: dict[str, Outcome] = {}
    with ThreadPoolExecutor(side_by_side) as pool:
        waiting = [
            (name, number, pool.submit(FAULTS[name][0], reference, folder, number, Random(f"{seed} {name} {number}")))
            for name in names
            for number in range(rounds if FAULTS[name][1] else times)
        ]
        for name, number, future in waiting:
            try:
                outcome = future.result()
            except storage.Untried as error:
                say(f"{name} {number}: not tried: {error}")
                continue
            for trouble in outcome.troubles:
                say(f"{outcome.fault} {number}: {trouble}")
            say(f"{outcome.fault} {number}: {'survived' if outcome.survived else 'NOT SURVIVED'}")
            found[name] = found[name] + outcome if name in found else outcome
    return found


def say(text: str) -> None:
    """At once, with the time."""
    print(f"{time.strftime('%H:%M:%S')} {text}", flush=True)


def table(outcomes: dict[str, Outcome]) -> str:
    """Markdown."""
    lines = ["| fault | tried | survived | lost | paid twice | in flight, made again |", "|---|---|---|---|---|---|"]
    lines += [
        f"| {one.fault} | {one.tried} | {one.survived} | {one.lost} | {one.twice} | {one.in_flight} |"
        for one in outcomes.values()
    ]
    return "\n".join(lines)


def main(argv: list[str] | None = None) -> int:
    """0 if every run survived, nothing was lost and nothing paid twice."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--rounds", type=int, default=50, help="kills")
    parser.add_argument("--times", type=int, default=1, help="tries of each other fault")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default=",".join(FAULTS), help=f"some of {', '.join(FAULTS)}")
    parser.add_argument("--sets", type=int, choices=(1, 2), default=2, help="training sets of the experiment")
    parser.add_argument("--jobs", type=int, default=1, help="tries side by side")
    parser.add_argument("--folder", type=Path, help="where to run; a temporary folder unless given")
    parser.add_argument("--json", type=Path, help="file to write the outcomes to")
    arguments = parser.parse_args(argv)
    names = arguments.only.split(",")
    if unknown := set(names) - set(FAULTS):
        parser.error(f"--only: {', '.join(sorted(unknown))}: there are {', '.join(FAULTS)}")
    with tempfile.TemporaryDirectory(prefix="pinch-faults-") as scratch:
        folder = arguments.folder or Path(scratch)
        modelling.quiet()
        model = folder / "a tiny model"
        if not model.is_dir():
            tiny_model.write(model, seed_texts())
        outcomes = try_all(
            folder, names, arguments.rounds, arguments.times, arguments.seed, arguments.sets, arguments.jobs, model
        )
    print(table(outcomes))
    if arguments.json:
        arguments.json.write_text(json.dumps({name: asdict(one) for name, one in outcomes.items()}, indent=1))
    return 0 if all(one.survived == one.tried for one in outcomes.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
