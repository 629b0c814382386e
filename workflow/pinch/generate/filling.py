"""Filling the cache with cells: the job's own row first, then rows of other models while the base is in memory."""

import argparse
import time
from collections.abc import Sequence
from pathlib import Path

from filelock import FileLock, Timeout

from pinch import gpus
from pinch.cache import refreshing
from pinch.config import Generate
from pinch.errors import PinchError
from pinch.generate.cells import Cells, read_cell
from pinch.generate.engines import Engine, make_engine
from pinch.generate.rows_of_base import Model
from pinch.printable import one_line


class Filling:
    """What one job generates, with an engine that is made when something is missing."""

    def __init__(self, cells: Cells, settings: Generate, arguments: argparse.Namespace) -> None:
        self.cells, self.settings, self.arguments = cells, settings, arguments
        self._engine: Engine | None = None
        self.filled = 0
        """Models that it has responded as."""

    def own(self, model: Model, langs: Sequence[str], cell: Path, others: Sequence[Model]) -> bool:
        """Fill the row of the job's own model; whether it was this job that did so.

        Where another job is at it, this one works on other models meanwhile. Raises PinchError where it cannot be done.
        """
        # Before the lock: who has a model must not wait for a GPU that is held by who waits for the model.
        gpus.take(self.settings.gpus)
        lock = FileLock(self.cells.lock(model))
        while True:
            try:
                lock.acquire(timeout=0)
                break
            except Timeout:
                if not self._next(others):
                    lock.acquire()
                    break
        try:
            if refreshing():
                # Nothing but what was asked for is made anew.
                cell.unlink(missing_ok=True)
                langs = langs[:1]
            elif read_cell(cell) is not None:
                return False
            self._fill(model, self.cells.missing(model, langs))
            return True
        finally:
            lock.release()

    def rest(self, others: Sequence[Model]) -> None:
        """Go on with other models, where this job has loaded the base, to `models_per_load` in all."""
        while self._engine is not None and self._next(others):
            pass
        if self._engine is not None:
            self._engine.close()

    def _next(self, others: Sequence[Model]) -> bool:
        """Fill the row of the first model that lacks cells and that no job is at; False where there is none."""
        if self.filled >= self.settings.models_per_load:
            return False
        for model in others:
            lock = FileLock(self.cells.lock(model))
            try:
                lock.acquire(timeout=0)
            except Timeout:
                continue
            try:
                missing = self.cells.missing(model, model.langs)
                if missing and model.unchanged():
                    print(f"generate: beside its own row: {model.name}", flush=True)
                    self._fill(model, missing)
                    return True
            except (PinchError, OSError, RuntimeError) as error:
                # Its own job will meet it again, and fail by it.
                print(f"generate: {model.name} is left to its own job: {one_line(str(error))}", flush=True)
            finally:
                lock.release()
        return False

    def _fill(self, model: Model, langs: Sequence[str]) -> None:
        self.filled += 1
        if self._engine is None:
            self._engine = make_engine(self.settings, self.arguments)
        started = time.monotonic()
        with self._engine.responding(model) as respond:
            said = self._engine.ready(model)
            seconds = time.monotonic() - started
            print(f"generate: {said} in {seconds:.1f} s, cells to make: {' '.join(langs)}", flush=True)
            if not model.unchanged():
                raise PinchError(
                    f"{model.weights}: the weights are not those that manifest.json beside them records: damaged or "
                    f"changed since; delete {model.weights}, and they are trained again"
                )
            for done, lang in enumerate(langs, start=1):
                started = time.monotonic()
                responses = respond(self.cells.prompts.of(lang))
                self.cells.keep(model, lang, responses)
                seconds = time.monotonic() - started
                tokens = sum(response.n_tokens for response in responses)
                print(
                    f"generate: {lang} ({done}/{len(langs)}): {len(responses)} responses, {tokens} tokens "
                    f"in {seconds:.1f} s, {tokens / seconds:.0f} tokens/s",
                    flush=True,
                )
