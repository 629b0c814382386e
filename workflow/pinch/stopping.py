"""What becomes of signals: a scheduler's warning, its end of patience, Ctrl-C; and of a reader that they have killed.

A scheduler signals all processes of a job, and who started them may pass the signal on: of one wish to stop, a process
hears several times. So what comes within moments of a first signal is its echo.
"""

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1)
ECHO = 2.0
"""Seconds in which a signal says nothing new."""


class Stopped(KeyboardInterrupt):
    """A signal asks to stop; its name. What Ctrl-C raises, so that libraries let go of what they hold."""


class _Asked:
    """The wish to stop, as far as this process has heard of it."""

    def __init__(self) -> None:
        self.name: str | None = None
        self.heard = 0.0
        self.deferred = False

    def __call__(self, number: int, frame: FrameType | None) -> None:
        now = time.monotonic()
        if self.name is not None and now - self.heard < ECHO:
            return
        # After a scheduler's warning comes its SIGTERM, and says nothing else than to hurry.
        insisting = self.name not in (None, signal.SIGUSR1.name)
        self.name, self.heard = signal.Signals(number).name, now
        if insisting or not self.deferred:
            raise Stopped(self.name)


_asked = _Asked()


def asked() -> str | None:
    """The name of the signal by which this process was asked to stop; None if it was not."""
    return _asked.name


@contextmanager
def handled() -> Iterator[None]:
    """Signals raise Stopped in here, in the main thread; and to print where nobody reads any more is no fault."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, _asked) for number in SIGNALS}
    streams = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = _Unbroken(sys.stdout), _Unbroken(sys.stderr)
    try:
        yield
    finally:
        sys.stdout, sys.stderr = streams
        for number, handler in before.items():
            signal.signal(number, handler)
        _asked.name = None  # a process may run several links


@contextmanager
def deferred() -> Iterator[None]:
    """A first signal raises nothing in here: who works asks for it at every step (`asked`). A second one does."""
    before, _asked.deferred = _asked.deferred, True
    try:
        yield
    finally:
        _asked.deferred = before


class _Unbroken:
    """A stream whose reader may die, as `tee` does of the signal that stops us: what follows is written to nowhere."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        try:
            return int(self._stream.write(text))
        except BrokenPipeError:
            self._to_nowhere()
            return len(text)

    def flush(self) -> None:
        try:
            self._stream.flush()
        except BrokenPipeError:
            self._to_nowhere()

    def _to_nowhere(self) -> None:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self._stream.fileno())
        os.close(nowhere)
