"""Why a link has failed, in one line for who started it."""

import resource
import sys
import traceback
from pathlib import Path

from pinch.errors import PinchError
from pinch.printable import one_line, printable

NO_MEMORY = (
    "memoryerror",
    "allocate memory",
    "bad_alloc",
    "out of memory",
    "start new thread",
    "failed to map segment",
)
"""How libraries say it."""


def why(error: Exception) -> str:
    """What went wrong and what to do; of what nobody has foreseen, the traceback is printed besides."""
    if isinstance(error, PinchError):
        return str(error)
    if isinstance(error, OSError):
        return f"{error.strerror or error}" + (f": {error.filename}" if error.filename else "")
    if isinstance(error, RecursionError):
        return "what it was given is nested too deep to be read"
    if lacks_memory(error):
        said = one_line(str(error))[:200] or type(error).__name__
        return f"out of memory: {said}; give it more, or run fewer jobs at a time (--cores, --resources mem_mb=...)"
    # Nothing that a user did should lead here; the traceback is for who mends it, the last line for who met it.
    print(printable(traceback.format_exc()), file=sys.stderr, end="")
    return f"unexpected {type(error).__name__}: {one_line(str(error))[:300]}"


def lacks_memory(error: BaseException | None) -> bool:
    """Whether this, or what led to it, is how Python or a library says that the system gives it no more memory.

    Under a limit of the address space libraries fail in many words: there it is enough that little of it is left.
    """
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    if limit != resource.RLIM_INFINITY and _address_space() > 0.8 * limit:
        return True
    while error is not None:
        words = f"{type(error).__name__}: {error}".lower()
        if any(sign in words for sign in NO_MEMORY):
            return True
        error = error.__cause__ or error.__context__
    return False


def _address_space() -> int:
    """Bytes that this process takes; 0 where the system does not say."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    except OSError:
        return 0
