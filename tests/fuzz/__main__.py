"""Every kind of file for so many seconds, and the table of what became of the inputs."""

import argparse
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from random import Random

from pinch import modelling

from tests.fuzz import mutate
from tests.fuzz.kinds import KINDS, Kind
from tests.fuzz.trying import attempt

BYTEWISE = 0.35
"""Of the inputs; of the others values are changed, so that what is read is read to the end."""


def fuzz(name: str, folder: Path, saved: Path, seed: int, more: Callable[[int], bool]) -> Counter[str]:
    """Try inputs of one kind while `more`, told how many were tried, says so; those that fail are saved."""
    kind = KINDS[name](folder / name)
    counts: Counter[str] = Counter()
    for number, valid in enumerate(kind.valid):
        # What is changed must be right before it is.
        tries = (attempt(kind, valid, Random(f"{seed} valid {number} {again}")) for again in range(8))
        assert any(tried.code == 0 and not tried.fault for tried in tries), f"{name}: valid file {number} is refused"
    while more(counts["tried"]):
        random = Random(f"{seed} {name} {counts['tried']}")
        data = changed(kind, random)
        tried = attempt(kind, data, random)
        counts["tried"] += 1
        if tried.fault:
            counts["failures"] += 1
            _save(saved, name, kind, data, f"{tried.fault}\n\n{tried.said}")
        else:
            counts["error" if tried.code else "right"] += 1
    return counts


def changed(kind: Kind, random: Random) -> bytes:
    """An input that is wrong, or may be."""
    valid = random.choice(kind.valid)
    if random.random() < BYTEWISE:
        return mutate.garbled(random, valid)
    data = kind.mutation(random, valid)
    return mutate.garbled(random, data) if random.random() < 0.05 else data


def _save(saved: Path, name: str, kind: Kind, data: bytes, why: str) -> None:
    saved.mkdir(parents=True, exist_ok=True)
    file = saved / f"{name}-{sha256(data).hexdigest()[:12]}{kind.file.suffix}"
    file.write_bytes(data)
    file.with_name(f"{file.name}.why").write_text(why, encoding="utf-8", errors="backslashreplace")
    print(f"{file}: {why.splitlines()[0][:300]}", flush=True)


def table(found: dict[str, Counter[str]]) -> str:
    """Markdown."""
    lines = ["| kind | tried | right result | named error | failures |", "|---|---|---|---|---|"]
    rows = [*found.items(), ("all", sum(found.values(), Counter()))]
    columns = ("tried", "right", "error", "failures")
    return "\n".join([*lines, *(f"| {name} | {' | '.join(str(one[key]) for key in columns)} |" for name, one in rows)])


def main(argv: list[str] | None = None) -> int:
    """0 if every input led to the right result or to one named error."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60, help="of all kinds together")
    parser.add_argument("--inputs", type=int, help="of each kind, in the place of --seconds")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default=",".join(KINDS), help=f"some of {', '.join(KINDS)}")
    parser.add_argument("--saved", type=Path, default=Path("fuzz-failures"), help="folder for inputs that fail")
    arguments = parser.parse_args(argv)
    names = arguments.only.split(",")
    if unknown := set(names) - set(KINDS):
        parser.error(f"--only: {', '.join(sorted(unknown))}: there are {', '.join(KINDS)}")
    modelling.quiet()
    found = {}
    with tempfile.TemporaryDirectory(prefix="pinch-fuzz-") as scratch:
        for name in names:
            ends = time.monotonic() + arguments.seconds / len(names)

            def more(tried: int, ends: float = ends) -> bool:
                return tried < arguments.inputs if arguments.inputs else time.monotonic() < ends

            found[name] = fuzz(name, Path(scratch), arguments.saved, arguments.seed, more)
    print(table(found))
    return 1 if any(one["failures"] for one in found.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
