"""A content-addressed cache of replies that cost time or money, safe under several processes.

Every reply is kept with a digest of itself: what a disk has garbled is told, forgotten and asked for again, and a file
that SQLite can no longer read is put aside, and what can still be read of it kept.
"""

import fcntl
import json
import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeVar

from pinch.errors import PinchError
from pinch.parsing import parse_json

REFRESH = "PINCH_REFRESH"
"""Set to 1 in the environment, this makes translate, generate and judge work anew for what runs, past the caches."""

BROKEN = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
"""What SQLite says of a file that is no longer a database of its own making."""

Found = TypeVar("Found")

Stored = tuple[str, str, str | None]
"""A row of the table: key, reply as JSON, and its digest, which older versions did not write."""


def cache_folder() -> str:
    """Where caches and converted base models lie: $PINCH_CACHE, which the workflow sets from its config."""
    return os.environ.get("PINCH_CACHE") or ".cache/pinch"


def refreshing() -> bool:
    """Whether the user asked to go past the caches."""
    return os.environ.get(REFRESH, "") not in ("", "0")


class ReplyCache:
    """JSON objects by key, in one SQLite file; each put is kept the moment that it returns."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._do(_make)

    def _do(self, work: Callable[[sqlite3.Connection], Found]) -> Found:
        """What a use of the database finds; a broken file is mended first."""
        try:
            return self._once(work)
        except sqlite3.DatabaseError as error:
            if (getattr(error, "sqlite_errorcode", 0) & 0xFF) not in BROKEN:
                raise PinchError(f"{self.path}: the cache of replies cannot be used: {error}") from None
            self._mend(str(error))
        try:
            return self._once(work)
        except sqlite3.Error as error:
            raise PinchError(f"{self.path}: the cache of replies cannot be used: {error}") from None

    def _once(self, work: Callable[[sqlite3.Connection], Found]) -> Found:
        # A connection a call: threads and processes share the file, never a connection. Two minutes of patience
        # with writers beside us are plenty for rows of a kilobyte.
        with closing(sqlite3.connect(self.path, timeout=120)) as database, database:
            database.text_factory = _text
            return work(database)

    def _mend(self, why: str) -> None:
        """Put the file aside, and what can be read of it into a new one."""
        with turn(self.path.parent, f"mend {self.path.name}"):
            if self._intact():  # another process has just done it
                return
            number = 1 + len(list(self.path.parent.glob(f"{self.path.name}.damaged*")))
            aside = self.path.with_name(f"{self.path.name}.damaged{number}")
            self.path.replace(aside)
            self.path.with_name(f"{self.path.name}-journal").unlink(missing_ok=True)
            saved: dict[str, Stored] = {}
            # From both ends: reading stops at the page that is broken.
            for order in ("ASC", "DESC"):
                with suppress(sqlite3.DatabaseError), closing(sqlite3.connect(aside)) as database:
                    database.text_factory = _text
                    for row in database.execute(f"SELECT key, reply, sum FROM replies ORDER BY rowid {order}"):
                        saved[row[0]] = row
            whole = [row for row in saved.values() if row[2] == _sum(row[0], row[1])]
            self._once(_make)
            self._once(lambda database: database.executemany("INSERT OR IGNORE INTO replies VALUES (?, ?, ?)", whole))
        print(
            f"cache: {self.path}: damaged ({why}); {len(whole):,} replies of it are saved, the rest will be asked for "
            f"again; the damaged file is {aside}",
            flush=True,
        )

    def _intact(self) -> bool:
        try:
            return self._once(
                lambda database: bool(database.execute("PRAGMA integrity_check(1)").fetchone() == ("ok",))
            )
        except sqlite3.DatabaseError:
            return False

    def _whole(self, rows: Iterable[Stored]) -> dict[str, dict[str, Any]]:
        """The replies of rows that are as they were written; others are forgotten, and that is said."""
        found, damaged = {}, []
        for key, reply, total in rows:
            try:
                if total is not None and total != _sum(key, reply):
                    raise ValueError
                # What `put` writes has no escapes but of control characters; with others it is somebody else's.
                value = parse_json(reply) if "\\u" in reply else json.loads(reply)
                if not isinstance(value, dict):
                    raise ValueError
                found[key] = value
            except (ValueError, RecursionError):
                damaged.append((key,))
        if damaged:
            print(f"cache: {self.path}: {len(damaged):,} kept replies are damaged and forgotten", flush=True)
            if self._intact():
                self._do(lambda database: database.executemany("DELETE FROM replies WHERE key = ?", damaged))
            else:  # what was garbled there is more than texts, and what is put there now might not be found again
                self._mend("its pages do not fit together")
        return found

    def get(self, key: str) -> dict[str, Any] | None:
        """The reply under `key`, or None."""
        return self.get_many([key]).get(key)

    def get_many(self, keys: Iterable[str]) -> dict[str, dict[str, Any]]:
        """The replies that there are, by key: one look for many."""
        wanted = list(keys)

        def look(database: sqlite3.Connection) -> list[Stored]:
            rows: list[Stored] = []
            for start in range(0, len(wanted), 500):  # SQLite takes a limited number of variables
                some = wanted[start : start + 500]
                marks = ",".join("?" * len(some))
                rows += database.execute(f"SELECT key, reply, sum FROM replies WHERE key IN ({marks})", some)
            return rows

        return self._whole(self._do(look))

    def keys(self) -> set[str]:
        """All keys at once: for who has many to look for."""
        return self._do(lambda database: {str(key) for (key,) in database.execute("SELECT key FROM replies")})

    def items(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """All replies with their keys."""
        rows = self._do(lambda database: database.execute("SELECT key, reply, sum FROM replies").fetchall())
        yield from self._whole(rows).items()

    def remove(self, keys: Iterable[str]) -> None:
        """Forget these replies, and give the room in the file back."""

        def forget(database: sqlite3.Connection) -> None:
            database.executemany("DELETE FROM replies WHERE key = ?", ((key,) for key in keys))
            database.commit()
            database.execute("VACUUM")

        self._do(forget)

    def put(self, key: str, reply: dict[str, Any]) -> None:
        """Keep a reply, in the place of an older one."""
        self.put_many({key: reply})

    def put_many(self, replies: Mapping[str, dict[str, Any]]) -> None:
        """Keep replies, all or none of them: one write for many."""
        texts = {key: json.dumps(reply, ensure_ascii=False) for key, reply in replies.items()}
        rows = [(key, text, _sum(key, text)) for key, text in texts.items()]
        insert = "INSERT OR REPLACE INTO replies (key, reply, sum) VALUES (?, ?, ?)"
        self._do(lambda database: database.executemany(insert, rows))


def _make(database: sqlite3.Connection) -> None:
    database.execute("CREATE TABLE IF NOT EXISTS replies (key TEXT PRIMARY KEY, reply TEXT NOT NULL, sum TEXT)")
    if len(database.execute("PRAGMA table_info(replies)").fetchall()) < 3:  # made by an older version
        with suppress(sqlite3.OperationalError):  # which another process has just done
            database.execute("ALTER TABLE replies ADD COLUMN sum TEXT")


@contextmanager
def turn(folder: str | Path, what: str) -> Iterator[None]:
    """Wait until nobody else who uses this folder is at the same; `what` names it.

    Of two runs that share a cache and want the same, the second then finds what the first has kept. One byte of one
    file a name, locked by the system, which lets go of it when a process dies.
    """
    path = Path(folder) / ".turns.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    place = int.from_bytes(sha256(what.encode()).digest()[:7], "big")
    with path.open("ab") as file:
        locked = True
        try:
            fcntl.lockf(file, fcntl.LOCK_EX, 1, place)
        except OSError:  # a file system without locks: then both pay
            locked = False
        try:
            yield
        finally:
            if locked:
                fcntl.lockf(file, fcntl.LOCK_UN, 1, place)


def _sum(key: str, reply: str) -> str:
    return sha256(f"{key}\n{reply}".encode("utf-8", "surrogateescape")).hexdigest()[:16]


def _text(raw: bytes) -> str:
    """What is no UTF-8 any more is to be found damaged by its digest, not by an exception in the middle of a query."""
    return raw.decode("utf-8", "surrogateescape")
