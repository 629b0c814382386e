"""One input given to one command, and what is wrong with what came of it."""

import io
import shutil
import signal
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from pinch.__main__ import main
from pinch.printable import printable

from tests.fuzz.kinds import Kind

LONGEST = 20
"""Seconds that any of these small files may take."""

LONGEST_ERROR = 3000
"""Characters, whatever the length of what is quoted."""


@dataclass
class Tried:
    """What one input led to."""

    code: int
    said: str
    fault: str = ""
    """What is wrong with that; "" where nothing is."""


class Hang(BaseException):
    """It took too long; no Exception, which a command would make an error of its own."""


@contextmanager
def limited(seconds: int) -> Iterator[None]:
    def stop(*_: Any) -> None:
        raise Hang(f"more than {seconds} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def files(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def attempt(kind: Kind, data: bytes, random: Random) -> Tried:
    """Give `data` as the kind's file."""
    shutil.rmtree(kind.made, ignore_errors=True)
    kind.made.mkdir()
    kind.file.write_bytes(data)
    kind.before(random)
    given = files(kind.made.parent / "given")
    command = kind.command(random)
    out, err = io.StringIO(), io.StringIO()
    try:
        with limited(LONGEST), redirect_stdout(out), redirect_stderr(err), kind.around():
            code = main(command)
    except (KeyboardInterrupt, GeneratorExit):
        raise
    except BaseException as error:
        return Tried(-1, err.getvalue(), f"{type(error).__name__} left the command: {error}\n{traceback.format_exc()}")
    tried = Tried(code, err.getvalue() or out.getvalue())
    if files(kind.made.parent / "given") != given:
        tried.fault = "an input is not what it was"
    elif Path("pwned").exists() or any(kind.made.parent.rglob("pwned*")):
        tried.fault = "a text was run as code"
    elif code:
        tried.fault = _no_error(command[0], err.getvalue(), kind.made)
    else:
        tried.fault = _no_result(kind, out.getvalue(), err.getvalue())
    return tried


def _no_error(name: str, err: str, made: Path) -> str:
    lines = err.splitlines()
    errors = [line for line in lines if line.startswith(f"{name}: error: ")]
    said = "".join(errors).removeprefix(f"{name}: error: ")
    left = files(made)
    faults = {
        "a traceback": "Traceback" in err or said.startswith("unexpected"),
        f"{len(errors)} lines of error, which are to be one and the last": len(errors) != 1 or lines[-1:] != errors,
        "an error that says nothing": len(said.strip()) < 10,
        f"an error of {len(said):,} characters": len(said) > LONGEST_ERROR,
        "control characters on the terminal": printable(err) != err,
        f"an error, and yet it wrote {', '.join(left)}": bool(left),
    }
    return next((fault for fault, found in faults.items() if found), "")


def _no_result(kind: Kind, out: str, err: str) -> str:
    if printable(out + err) != out + err:
        return "control characters on the terminal"
    if "Traceback" in err:
        return "a traceback"
    try:
        kind.check(out)
    except Exception as error:
        return f"a result that does not fit: {type(error).__name__}: {error}\n{traceback.format_exc()}"
    return ""
