"""Which GPUs of a machine a job works on.

Snakemake counts GPUs and hands out no numbers: of four jobs on four GPUs each would see all of them and take the first.
So a job takes a free one for itself, by a lock on a file of the machine, which the system lets go when the process
ends, however it ends. A cluster does the same for its jobs, and there nothing is done.
"""

import hashlib
import os
import random
import shutil
import subprocess
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from filelock import FileLock, Timeout

from pinch.errors import PinchError

VISIBLE = "CUDA_VISIBLE_DEVICES"
TAKEN = "PINCH_GPUS_TAKEN"
"""Set for the processes that this one starts: what it has taken is theirs as well."""

_held = ExitStack()
"""Locks, to the end of the process."""


def take(count: int = 1) -> list[str]:
    """Take `count` GPUs that no other job of this user has, and show this process no others; waits until they are free.

    Before CUDA is used for the first time. Returns their ids: none where there is no GPU, where SLURM has given the job
    its own, or where this process or the one that started it has taken some already. Raises PinchError where the
    machine has fewer. Never to be called with a lock in hand that a job with a GPU may wait for.
    """
    if not count or TAKEN in os.environ or "SLURM_JOB_ID" in os.environ:
        return []
    ids = visible()
    if not ids:
        return []
    if count > len(ids):
        raise PinchError(f"{count} GPUs are asked for, and there are {len(ids)} ({', '.join(ids)})")
    folder = _folder()
    waiting = False
    while len(found := _free(folder, ids, count)) < count:
        if not waiting:
            print(f"gpus: waiting for {count} of {len(ids)} that other jobs hold", flush=True)
            waiting = True
        time.sleep(random.uniform(0.2, 0.6))  # not in step with others that wait for several
    os.environ[VISIBLE] = os.environ[TAKEN] = ",".join(found)
    print(f"gpus: {', '.join(found)}", flush=True)
    return found


def visible() -> list[str]:
    """Ids of the GPUs that this process may use, as CUDA_VISIBLE_DEVICES names them: its own, or all of the machine."""
    if VISIBLE in os.environ:
        ids = [id.strip() for id in os.environ[VISIBLE].split(",")]
        # As CUDA reads it: what follows an id that there cannot be is not visible.
        hidden = next((place for place, id in enumerate(ids) if id in ("", "-1")), len(ids))
        return ids[:hidden]
    program = shutil.which("nvidia-smi")
    if program is None:
        return []
    done = subprocess.run(
        [program, "--query-gpu=uuid", "--format=csv,noheader"], capture_output=True, text=True, check=False, timeout=60
    )
    # A machine whose driver does not answer has no GPU for torch either, which says so where one is needed.
    return done.stdout.split() if done.returncode == 0 else []


def _folder() -> Path:
    """Of the locks: one for all checkouts of a user on a machine. Raises PinchError where it is somebody else's."""
    folder = Path(tempfile.gettempdir()) / f"pinch-gpus-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.lstat().st_uid != os.getuid() or folder.is_symlink():
        raise PinchError(f"{folder}: belongs to another user; set TMPDIR to a folder of this machine that is yours")
    return folder


def _free(folder: Path, ids: list[str], count: int) -> list[str]:
    """`count` ids that are locked now for this process; fewer, and none of them locked, where there are not as many."""
    found = []
    with ExitStack() as locks:
        for id in ids:
            lock = FileLock(folder / f"{hashlib.sha256(id.encode()).hexdigest()[:16]}.lock")
            try:
                locks.enter_context(lock.acquire(timeout=0))
            except Timeout:
                continue
            found.append(id)
            if len(found) == count:
                _held.push(locks.pop_all())
                break
    return found
