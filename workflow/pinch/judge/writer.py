"""Writes down what comes from an endpoint while calls go on: many replies in one write, never two writes at a time."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Generic, Self, TypeVar

Item = TypeVar("Item")


class Writer(Generic[Item]):
    """An asynchronous context; when it is left, all that came is written, or has failed to be."""

    def __init__(self, write: Callable[[list[Item]], None], room: int, failed: Callable[[Exception], None]) -> None:
        """`write` blocks until what it is given is on disk; it is called in a thread, with all that came meanwhile.

        `room`: how many may be under way, from `begin` until they are written; `failed` is told what `write` raises.
        """
        self._write = write
        self._failed = failed
        self._room = asyncio.Semaphore(room)
        self._came: list[Item] = []
        self._news = asyncio.Event()
        self._over = False
        self._thread = ThreadPoolExecutor(1)

    async def begin(self) -> None:
        """Wait until one more may be under way."""
        await self._room.acquire()

    def put(self, item: Item) -> None:
        """What was begun is there."""
        self._came.append(item)
        self._news.set()

    def give_up(self) -> None:
        """What was begun will not come."""
        self._room.release()

    async def __aenter__(self) -> Self:
        """From now on it writes."""
        self._task = asyncio.create_task(self._work())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Write the rest."""
        self._over = True
        self._news.set()
        await self._task
        self._thread.shutdown()

    async def _work(self) -> None:
        while self._came or not self._over:
            await self._news.wait()
            self._news.clear()
            items, self._came = self._came, []
            if not items:
                continue
            try:
                await asyncio.get_running_loop().run_in_executor(self._thread, self._write, items)
            except Exception as error:
                self._failed(error)
            for _ in items:
                self._room.release()
