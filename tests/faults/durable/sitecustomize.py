"""Writes down what every Python process of a run has had put on the disk, for tests/faults/power.py.

A line a call of os.fsync: inode and size of the file or folder, and the time of the call.
Python imports a module of this name at its start, from PYTHONPATH.
"""

import os
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
