"""One run at a time in a results folder, and no lock that outlives the run that took it.

Snakemake locks its working folder by files, which stay where a run was killed: the next one is refused until somebody
says `--unlock`. Here a run and its jobs hold locks of the system (flock), which lets them go when a process dies,
however it dies. So what nobody holds any more is unlocked without a word of the user's, and a results folder that is
held is refused even to who said `--unlock` too early. Where a file system knows no such locks, Snakemake's are all.
"""

import fcntl
import os
import shutil
import socket
from contextlib import suppress
from pathlib import Path
from typing import IO

from pinch.errors import PinchError

RUN = "PINCH_RUN"
"""Names, in the environment of a run's jobs, the file that they hold with it while they are at work."""

_held: list[IO[str]] = []
"""Open until this process ends, and so locked."""


def unlock_dead(snakemake: Path) -> str | None:
    """Remove what runs that are dead have left of Snakemake's lock; a line for people where there was something.

    `snakemake` is the folder .snakemake. Left alone is what runs of another machine have locked, of which nobody here
    can say whether they live, and what was locked without this workflow.
    """
    locks, path = snakemake / "locks", snakemake / "pinch.lock"
    if not path.is_file() or not locks.is_dir() or not any(locks.iterdir()):
        return None
    with path.open("r+", encoding="utf-8") as file:
        host, _, process = file.read().strip().partition(" ")
        if host != socket.gethostname():
            return None
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:  # a run is at work
            return None
        shutil.rmtree(locks, ignore_errors=True)
    return f"pinch: the last run here (process {process}) was killed: its lock is removed, what it finished is kept"


def hold(results: str, snakemake: Path) -> None:
    """Keep the results folder for this process, until it ends.

    Raises PinchError where another run has it, or where jobs of a run that was killed still write there and still ask
    endpoints.
    """
    working = _open(snakemake / "pinch.lock")
    with suppress(OSError):
        fcntl.flock(working, fcntl.LOCK_SH | fcntl.LOCK_NB)
        _sign(working)
    path = Path(results) / ".run.lock"
    file = _open(path)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        _sign(file)
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)  # as its jobs will
    except BlockingIOError:
        host, _, process = file.read().strip().partition(" ")
        raise PinchError(
            f"results: {results} is being written by another run (process {process} on {host})"
            f"{_at_work(path)}; wait until that has ended, or end it"
        ) from None
    except OSError:
        pass
    _held.extend((working, file))


def join() -> None:
    """What a job holds while it is at work: so it is known where one outlives its run."""
    path = os.environ.get(RUN)
    with suppress(OSError):
        if path and Path(path).is_file():
            _held.append(_open(Path(path)))
            fcntl.flock(_held[-1], fcntl.LOCK_SH | fcntl.LOCK_NB)


def prepare(results: str) -> None:
    """Tell the jobs of this process what to hold."""
    os.environ[RUN] = str(Path(results, ".run.lock").absolute())


def _open(path: Path) -> IO[str]:
    path.parent.mkdir(parents=True, exist_ok=True)
    return os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o666), "r+", encoding="utf-8")


def _sign(file: IO[str]) -> None:
    file.seek(0)
    file.truncate()
    file.write(f"{socket.gethostname()} {os.getpid()}\n")
    file.flush()
    with suppress(OSError):
        os.fsync(file.fileno())  # after a power cut too it is to be known whose it was


def _at_work(path: Path) -> str:
    """Processes of this machine that have the file open, as far as this user may see them."""
    import psutil

    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            if process.pid != os.getpid() and any(file.path == str(path.absolute()) for file in process.open_files()):
                command = process.cmdline()
                found.append(f"{process.pid} {' '.join(command[2:4]) if '-m' in command else process.name()}")
    return f", at work: {', '.join(sorted(found))}" if found else ""
