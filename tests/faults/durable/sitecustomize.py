"""In every Python process of a run, from its start: Python imports a module of this name from PYTHONPATH.

PINCH_FSYNC_LOG, for tests/faults/power.py, names a file that tells what processes have had put on the disk: a line a
call of os.fsync, with inode and size of the file or folder and the time of the call.
PINCH_ADDRESS_SPACE, for tests/faults/storage.py, is a limit of a job's memory in bytes, as a cluster sets one.
"""

import os
import resource
import sys
import time

_fsync = os.fsync


def _noted(file):  # type: ignore[no-untyped-def]
    _fsync(file)
    handle = file if isinstance(file, int) else file.fileno()
    about = os.fstat(handle)
    line = f"{about.st_ino} {about.st_size} {time.time_ns()}\n"
    log = os.open(os.environ["PINCH_FSYNC_LOG"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(log, line.encode())
    os.close(log)


if os.environ.get("PINCH_FSYNC_LOG"):
    os.fsync = _noted

if os.environ.get("PINCH_ADDRESS_SPACE") and "pinch" in sys.orig_argv:
    limit = int(os.environ["PINCH_ADDRESS_SPACE"])
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
