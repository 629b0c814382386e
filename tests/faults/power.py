"""A power cut: all processes end at once, and what was not yet on the disk may be gone, cut off or zeros.

The model. A file is safe if some process called fsync on it when it had its present length (nothing here changes a
file in place; Snakemake sets the times of outputs once more, so times say nothing), and its name is safe if its folder
was fsynced after that: what is not safe is left whole, cut at a random place, emptied, filled with zeros
from a random place on, or gone, by chance; a file whose name alone is not safe is left or gone. SQLite syncs by itself
at every commit (PRAGMA synchronous is FULL unless set otherwise), so its files count as safe, but for the ledger of
spending, which is opened without that. Snakemake syncs none of its own records, so all of them are at risk.
"""

from pathlib import Path
from random import Random

from tests.faults.outcome import Outcome, Reference, trying
from tests.faults.place import SITE, Failed, Place, killed_after

UNSYNCED = ("spending.sqlite",)


def power_cut(reference: Reference, folder: Path, number: int, chance: Random) -> Outcome:
    """At a random moment; then the run is started again."""
    with trying("power cut", reference, folder, number) as this:
        here = this.here
        log = here.folder / "fsync.log"
        here.environment = {"PINCH_FSYNC_LOG": str(log), **SITE}
        killed_after(here, chance.uniform(reference.seconds * 0.15, reference.seconds), None)
        hit = cut(here, log, chance)
        this.expect(hit > 0, "nothing was at risk: is PYTHONPATH passed on?")
        try:
            here.finish()
        except Failed as error:
            # The one file of which the user has to say what is to become of it.
            if "max_usd counts from zero again" not in str(error):
                raise
            (here.results / "spending.sqlite").unlink()
            here.finish()
        this.check()
    return this.outcome


def cut(here: Place, log: Path, chance: Random) -> int:
    """Damage what was not on the disk; how many files."""
    files: dict[tuple[int, int], int] = {}
    folders: dict[int, int] = {}
    for line in log.read_text().splitlines() if log.exists() else []:
        inode, size, when = map(int, line.split())
        files[inode, size] = folders[inode] = when
    hit = 0
    for path in sorted(here.folder.rglob("*")):
        if not path.is_file() or path.parent == here.folder:
            continue
        about = path.stat()
        synced = files.get((about.st_ino, about.st_size))
        if path.suffix == ".sqlite" and path.name not in UNSYNCED:
            continue
        if synced is None:
            hit += damage(path, chance)
        elif folders.get(path.parent.stat().st_ino, 0) < synced and chance.random() < 0.5:
            path.unlink()
            hit += 1
    return hit


def damage(path: Path, chance: Random) -> bool:
    """One of what a power cut does to a file that was on its way; whether it did anything."""
    data = path.read_bytes()
    place = chance.randrange(len(data) + 1)
    what = chance.choice(["whole", "cut", "empty", "zeros", "gone"])
    if what == "whole":
        return False
    if what == "gone":
        path.unlink()
        return True
    path.write_bytes({"cut": data[:place], "empty": b"", "zeros": data[:place] + bytes(len(data) - place)}[what])
    return True
