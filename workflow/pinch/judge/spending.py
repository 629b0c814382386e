"""What judges have cost in an experiment: a ledger that all its jobs share, and that says no before money is spent.

The worst that a call can cost is reserved before it is sent, and what it did cost takes the place of that when the
reply is there. So spent and reserved together never pass `max_usd`, whatever the number of jobs. (What an
endpoint bills beyond `max_tokens`, or for a call that it never answered, nobody can know before.)
"""

import os
import socket
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from pinch.cache import BROKEN
from pinch.config import OpenAIJudge
from pinch.errors import PinchError
from pinch.rows import canonical

PICO = 10**12
"""Money is added up in whole picodollars: sums of floats would drift past a limit, or stop short of it."""

OVERHEAD = 200
"""Tokens that an endpoint may add to a prompt: the chat template, with a system prompt of its own."""

TABLES = (
    "CREATE TABLE IF NOT EXISTS spent (judge TEXT PRIMARY KEY, pico INTEGER NOT NULL)",
    "CREATE TABLE IF NOT EXISTS reserved"
    " (judge TEXT, owner TEXT, host TEXT, pid INTEGER, pico INTEGER NOT NULL, PRIMARY KEY (judge, owner))",
)

ADD = " VALUES (?, ?) ON CONFLICT DO UPDATE SET pico = pico + excluded.pico"


class Spending:
    """The ledger, as one judge uses it. Threads and processes may share the file; a judge without prices has none."""

    def __init__(self, path: str | Path, judge: str, settings: OpenAIJudge) -> None:
        self.path = Path(path)
        self.judge = judge
        self.settings = settings
        if settings.usd_per_million_tokens:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with _open(self.path) as database:
                for table in TABLES:
                    database.execute(table)
                self._bury(database)

    def reserve(self, body: Mapping[str, Any]) -> float:
        """Set aside what this call may cost at most, in US dollars; 0 where there is no limit to keep to.

        Raises PinchError, before anything is sent, where max_usd does not allow for it.
        """
        if self.settings.max_usd is None:
            return 0.0
        pico = self._worst(body)
        self._reserve(pico, _process(), "this call")
        return pico / PICO

    def settle(self, reserved: float, tokens_in: int, tokens_out: int) -> None:
        """A reply is there: what it costs takes the place of what was reserved for its call."""
        if self.settings.usd_per_million_tokens:
            with _open(self.path) as database:
                self._free(database, round(reserved * PICO))
                self._spend(database, tokens_in, tokens_out)

    def release(self, reserved: float) -> None:
        """The call was never answered, or refused: it cost nothing."""
        if reserved:
            with _open(self.path) as database:
                self._free(database, round(reserved * PICO))

    def reserve_batch(self, name: str, bodies: Iterable[Mapping[str, Any]]) -> None:
        """Set aside what a batch may cost at most, once a name: it outlives this process, as the batch does.

        Raises PinchError, before anything is sent, where max_usd does not allow for it.
        """
        if self.settings.usd_per_million_tokens:
            # Without a limit too: by its name it is known later whether it is still to be settled.
            self._reserve(sum(map(self._worst, bodies)), f"batch {name}", "this batch")

    def settle_batch(self, name: str, tokens_in: int, tokens_out: int) -> None:
        """A batch is over: what its replies cost takes the place of what was reserved for it; a second time is none."""
        if self.settings.usd_per_million_tokens:
            with _open(self.path) as database:
                mine = (self.judge, f"batch {name}")
                if database.execute("DELETE FROM reserved WHERE judge = ? AND owner = ?", mine).rowcount:
                    self._spend(database, tokens_in, tokens_out)

    def _worst(self, body: Mapping[str, Any]) -> int:
        """In picodollars: every token of the prompt stands for a byte of UTF-8 at least."""
        limit = body.get("max_completion_tokens") or body.get("max_tokens") or self.settings.max_tokens
        return self._pico(len(canonical(body).encode("utf-8", "replace")) + OVERHEAD, limit)

    def _pico(self, tokens_in: int, tokens_out: int) -> int:
        price_in, price_out = (round(price * PICO / 1e6) for price in self.settings.usd_per_million_tokens or (0, 0))
        return tokens_in * price_in + tokens_out * price_out

    def _reserve(self, pico: int, owner: str, what: str) -> None:
        limit = self.settings.max_usd
        with _open(self.path) as database:
            sums = (f"SELECT sum(pico) FROM {table} WHERE judge = ?" for table in ("spent", "reserved"))
            spent, reserved = (int(database.execute(look, (self.judge,)).fetchone()[0] or 0) for look in sums)
            if limit is not None and spent + reserved + pico > round(limit * PICO):
                raise PinchError(
                    f"judges: {self.judge}: max_usd: {_usd(spent)} of {limit:g} USD spent, {_usd(reserved)} reserved "
                    f"for calls under way, and {what} could cost {_usd(pico)}; what came is kept: raise max_usd, or "
                    "where much is reserved lower concurrency, and run again to go on"
                )
            host, pid = (None, None) if owner.startswith("batch") else (socket.gethostname(), os.getpid())
            database.execute(
                "INSERT INTO reserved VALUES (?, ?, ?, ?, ?)"
                " ON CONFLICT DO UPDATE SET pico = pico + iif(host IS NULL, 0, excluded.pico)",
                (self.judge, owner, host, pid, pico),
            )

    def _free(self, database: sqlite3.Connection, pico: int) -> None:
        mine = (pico, self.judge, _process())
        database.execute("UPDATE reserved SET pico = max(0, pico - ?) WHERE judge = ? AND owner = ?", mine)
        database.execute("DELETE FROM reserved WHERE pico = 0 AND host IS NOT NULL")

    def _spend(self, database: sqlite3.Connection, tokens_in: int, tokens_out: int) -> None:
        database.execute("INSERT INTO spent" + ADD, (self.judge, self._pico(tokens_in, tokens_out)))

    def _bury(self, database: sqlite3.Connection) -> None:
        """What processes of this machine had reserved when they died counts as spent.

        Nobody knows whether their calls reached the endpoint, and a limit must not trust that they did not. It is
        little: the calls that were under way. What other machines reserved stays reserved, which counts the same.
        """
        rows = database.execute("SELECT judge, owner, pid, pico FROM reserved WHERE host = ?", (socket.gethostname(),))
        for judge, owner, pid, pico in rows.fetchall():
            if owner != _identity(pid):
                database.execute("DELETE FROM reserved WHERE judge = ? AND owner = ?", (judge, owner))
                database.execute("INSERT INTO spent" + ADD, (judge, pico))


def spent(path: str | Path) -> dict[str, float]:
    """US dollars by judge, of a ledger; empty where there is none. What is reserved does not count."""
    if not Path(path).is_file():
        return {}
    with _open(Path(path)) as database:
        return {str(judge): pico / PICO for judge, pico in database.execute("SELECT * FROM spent ORDER BY judge")}


@contextmanager
def _open(path: Path) -> Iterator[sqlite3.Connection]:
    try:
        with closing(sqlite3.connect(path, timeout=120, isolation_level=None)) as database, database:
            # Waiting for the disk at every call would hold up calls in flight. What a killed process wrote is there all
            # the same; only a power cut may cost the last entries.
            database.execute("PRAGMA synchronous = OFF")
            # Immediate: between the look at what is left and the reservation nobody else may reserve.
            database.execute("BEGIN IMMEDIATE")
            yield database
    except sqlite3.Error as error:
        # Nobody but the user can say what a limit is to trust that no longer knows what was spent.
        broken = (getattr(error, "sqlite_errorcode", 0) & 0xFF) in BROKEN
        remedy = (
            "; it was damaged, by a power cut perhaps: delete it, and max_usd counts from zero again" if broken else ""
        )
        raise PinchError(f"{path}: the ledger of what judges cost cannot be used: {error}{remedy}") from None


def _usd(pico: int) -> str:
    return f"{pico / PICO:.4g}"


def _process() -> str:
    return _own(os.getpid())


@cache
def _own(pid: int) -> str:
    return _identity(pid) or f"{socket.gethostname()} {pid}"


def _identity(pid: int) -> str | None:
    """A process by host, number and start, as numbers are used again; None where there is none."""
    import psutil

    try:
        return f"{socket.gethostname()} {pid} {psutil.Process(pid).create_time():.0f}"
    except psutil.Error:
        return None
