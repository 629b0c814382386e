"""A disk without room, a folder that may not be written to, memory that runs out: one clear line, and then on."""

import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random

from tests.faults.outcome import Outcome, Reference, Try, trying
from tests.faults.place import SITE, Failed, kill

MEGABYTE = 1 << 20


@contextmanager
def disk(path: Path, size: int) -> Iterator[None]:
    """A disk of its own of so many bytes at `path`. What it holds when it is let go is copied to where it was."""
    path.mkdir(parents=True, exist_ok=True)
    _mount("-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(path))
    try:
        yield
    finally:
        kept = path.with_name(f"{path.name}.kept")
        shutil.copytree(path, kept)
        subprocess.run(["umount", "-l", str(path)], check=True)
        path.rmdir()
        kept.rename(path)


def _mount(*words: str) -> None:
    done = subprocess.run(["mount", *words], capture_output=True, text=True, check=False)
    if done.returncode:
        raise Untried(f"cannot mount a disk here ({done.stderr.strip()})")


class Untried(Exception):
    """A fault that this machine cannot be given, and why."""


def fails(this: Try, *signs: str) -> str:
    """What a run says that must not end well, and must say one of `signs` in a line, without a traceback."""
    try:
        this.here.finish()
    except Failed as error:
        said = str(error)
    else:
        this.expect(False, "the fault had no effect")
        return ""
    told = [line for line in said.splitlines() if any(sign in line for sign in signs)]
    this.expect(bool(told), f"none of {signs} is said, but ...{said[-1500:]}")
    for sign in ("Traceback", "Error in file"):  # Python's, and Snakemake's own
        this.expect(sign not in said, f"a traceback: {said[said.find(sign) :][:1500]}")
    return "\n".join(told)


def full_disk(reference: Reference, folder: Path, number: int, chance: Random) -> Outcome:
    """Results and cache in turn lie on a disk that has room for a part of what is to be written."""
    with trying("full disk", reference, folder, number) as this:
        where = ("results", "cache")[number % 2]
        path = this.here.folder / this.here.config[where]
        # What the run that nothing happened to took, in blocks.
        whole = sum(-(-file.stat().st_size // 4096) for file in (reference.folder / path.name).rglob("*"))
        with disk(path, chance.randint(whole // 20, whole * 3 // 5) * 4096):
            said = fails(this, "No space left on device", "is full")
            this.expect(str(this.here.config[where]) in said, f"no file is named: {said[:300]}")
            _mount("-o", f"remount,size={64 * MEGABYTE}", str(path))
            this.here.count_lost()
            this.here.finish()
        this.check()
    return this.outcome


def read_only(reference: Reference, folder: Path, number: int, chance: Random) -> Outcome:
    """The results folder cannot be written to any more when a run that was killed is started again."""
    with trying("read-only results", reference, folder, number) as this:
        path = this.here.results
        with disk(path, 64 * MEGABYTE):
            process = this.here.start()
            try:
                process.wait(chance.uniform(3, reference.seconds * 0.7))
            except subprocess.TimeoutExpired:
                kill(process, signal.SIGKILL)
            this.here.count_lost()
            _mount("-o", "remount,ro", str(path))
            said = fails(this, "Read-only file system", "Write-protected output files")
            this.expect(str(this.here.config["results"]) in said, f"no file is named: {said[:300]}")
            _mount("-o", "remount,rw", str(path))
            this.here.finish()
        this.check()
    return this.outcome


def memory(reference: Reference, folder: Path, number: int, chance: Random) -> Outcome:
    """A limit of the address space that a job with torch does not fit into."""
    with trying("memory limit", reference, folder, number) as this:
        limit = chance.randint(900, 1800) * MEGABYTE
        this.here.environment = {"PINCH_ADDRESS_SPACE": str(limit), **SITE}
        fails(this, "error: out of memory")
        this.here.count_lost()
        this.here.environment = {}
        this.here.finish()
        this.check()
    return this.outcome
