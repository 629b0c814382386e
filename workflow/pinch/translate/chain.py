"""Rows through a chain of engines: what is asked, kept, verified, asked otherwise, and at last left as it was.

Memory, cache, engine; what does not come back whole is cut finer and asked again; what an engine cannot do whole in
any way, and rows that the gate flags, go to the next engine; what none can do stays in the source language.
"""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from pinch.cache import ReplyCache, refreshing, turn
from pinch.config import AnyEngine
from pinch.config.translation import LLM, Apertium, Seq2Seq
from pinch.errors import PinchError
from pinch.progress import Progress
from pinch.rows import digest
from pinch.translate.document import Cut, LostError, Segment, cut
from pinch.translate.engines import Answer, Engine, EngineDownError

FLUSH = 0.02
"""Seconds of answers that a kill may lose: an engine that takes longer for one loses those under way, no more."""

Texts = tuple[str, ...]
"""Instruction and, where there is one, response."""


class SegmentMemory(Protocol):
    """What people have translated, by segment."""

    def segment(self, text: str) -> str | None:
        """The translation of exactly this text, if there is one."""
        ...


@dataclass(frozen=True)
class Result:
    """What became of one row."""

    texts: Texts
    engines: tuple[str, ...]
    """Who translated parts of it, in the order of the chain; none where there was nothing to translate."""
    left: int
    """Segments left in the source language."""


@dataclass
class Work:
    """What was done, and what it cost."""

    all: int = 0
    """Segments asked for, finer ones not among them."""
    cached: int = 0
    retried: int = 0
    """Requests that did not come back whole and were asked otherwise."""
    left: int = 0
    """Segments left in the source language in the end."""
    calls_now: int = 0
    calls: int = 0
    """Sent for these translations, whenever and by whomever; likewise:"""
    characters: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    usd: float | None = None

    def count(self, reply: dict[str, Any], characters: int) -> None:
        """Add what a kept reply cost when it was made."""
        self.calls += reply["calls"]
        self.characters += characters
        self.tokens_in += reply["tokens_in"]
        self.tokens_out += reply["tokens_out"]
        if reply["usd"] is not None:
            self.usd = (self.usd or 0.0) + reply["usd"]


@dataclass
class _Part:
    """A segment, and what has become of it: translated, cut finer, or neither yet."""

    segment: Segment
    translation: str | None = None
    by: str = ""
    cut: Cut | None = None
    parts: "list[_Part]" = field(default_factory=list)

    def leaves(self) -> "Iterator[_Part]":
        if self.cut is None:
            yield self
        for part in self.parts:
            yield from part.leaves()

    def text(self) -> str:
        if self.cut is not None:
            return self.cut.join([part.text() for part in self.parts])
        return self.segment.original if self.translation is None else self.translation


@dataclass
class _Row:
    """The fields of a row, as one engine is asked for them."""

    cuts: list[Cut]
    fields: list[list[_Part]]

    def leaves(self) -> Iterator[_Part]:
        for parts in self.fields:
            for part in parts:
                yield from part.leaves()

    def result(self) -> Result:
        texts = tuple(
            cut.join([part.text() for part in parts]) for cut, parts in zip(self.cuts, self.fields, strict=True)
        )
        leaves = list(self.leaves())
        engines = tuple(dict.fromkeys(leaf.by for leaf in leaves if leaf.by))
        return Result(texts, engines, sum(leaf.translation is None for leaf in leaves))


_Ask = tuple[_Part, ...]
"""Parts that are asked for in one request."""


def open_engine(spec: AnyEngine, source: str, target: str, cache: Path) -> Engine:
    """The engine of a section of the config; what it needs is imported here and not by the others."""
    if isinstance(spec, Apertium):
        from pinch.translate import apertium

        return apertium.Apertium(spec, source, target, cache)
    if isinstance(spec, Seq2Seq):
        from pinch.translate import seq2seq

        return seq2seq.Seq2Seq(spec, source, target, cache)
    if isinstance(spec, LLM):
        from pinch.translate import llm

        return llm.Llm(spec, source, target, cache)
    from pinch.translate import web

    return web.Web(spec, source, target, cache)


class Chain:
    """The engines of one pair of languages."""

    def __init__(
        self, specs: Sequence[AnyEngine], source: str, target: str, cache: Path, memory: SegmentMemory | None = None
    ) -> None:
        self.specs = specs
        self.source = source
        self.target = target
        self.folder = cache
        self.cache = ReplyCache(cache / "translations.sqlite")
        self.memory = memory
        self.work = Work()

    def translate(
        self,
        rows: Sequence[Texts],
        faults: Callable[[int, Result], int] = lambda place, result: result.left,
        names: Sequence[str] = (),
    ) -> list[Result]:
        """One result a row, in their order.

        `faults` says how much speaks against a row's result; a row with faults goes to the next engine, and the
        result with the fewest is taken, of equal ones the first. `names` are the rows' ids, for errors. Raises
        PinchError where an engine cannot be used, or answers no more: what it had answered is kept.
        """
        best: dict[int, Result] = {}
        pending = list(range(len(rows)))
        for spec in self.specs:
            if not pending:
                break
            engine = open_engine(spec, self.source, self.target, self.folder)
            try:
                found = self._by_engine(engine, [rows[place] for place in pending])
            except EngineDownError as error:
                raise PinchError(self._missing(error, engine, [rows[place] for place in pending], names)) from None
            finally:
                engine.close()
            for place, result in zip(pending, found, strict=True):
                if place not in best or faults(place, result) < faults(place, best[place]):
                    best[place] = result
            pending = [place for place in pending if faults(place, best[place])]
        results = [best[place] for place in range(len(rows))]
        self.work.left = sum(result.left for result in results)
        return results

    # --- one engine ---

    def _by_engine(self, engine: Engine, rows: Sequence[Texts]) -> list[Result]:
        made = [self._row(engine, row) for row in rows]
        asks = [ask for row in made for ask in self._asks(engine, row)]
        self.work.all += sum(len(ask) for ask in asks)
        words = f"translate: {self.target}: {engine.name}"
        while asks:
            with closing(Progress(words, sum(_size(ask) for ask in asks), "chars")) as progress:
                failed = self._round(engine, asks, progress)
            asks = []
            for ask in failed:
                again = self._otherwise(engine, ask)
                self.work.retried += bool(again)
                asks += again
            words = f"translate: {self.target}: {engine.name}, what did not come back whole, cut finer"
        return [row.result() for row in made]

    def _otherwise(self, engine: Engine, ask: _Ask) -> list[_Ask]:
        """What is asked for where parts of a request did not come back whole; nothing where nothing is finer."""
        failed = [part for part in ask if part.translation is None]
        if len(ask) > 1:
            return [(part,) for part in failed]
        for part in failed:
            part.cut = part.segment.finer(self.source, engine.fits)
            if part.cut is not None:
                part.parts = [_Part(segment) for segment in part.cut.segments]
        return [(piece,) for part in failed for piece in part.parts]

    def _row(self, engine: Engine, row: Texts) -> _Row:
        cuts = [cut(text, self.source, engine.unit, engine.fits) for text in row]
        return _Row(cuts, [[_Part(segment) for segment in one.segments] for one in cuts])

    def _asks(self, engine: Engine, row: _Row) -> list[_Ask]:
        """Instruction and response together for engines that see rows, where both are whole and fit."""
        whole = tuple(parts[0] for parts in row.fields if len(parts) == 1)
        together = len(whole) == len(row.fields) > 1 and engine.fits("".join(part.segment.text for part in whole))
        if engine.unit == "row" and together:
            return [whole]
        return [(part,) for parts in row.fields for part in parts]

    def _round(self, engine: Engine, asks: Sequence[_Ask], progress: Progress) -> list[_Ask]:
        """Ask once for every part; the requests of which some did not come back whole."""
        open_asks = []
        for ask in asks:
            if self._remembered(ask):
                progress.add(_size(ask))
            else:
                open_asks.append(ask)
        keys = [self._key(engine, ask) for ask in open_asks]
        known = {} if refreshing() else self.cache.get_many(set(keys))
        wanted = {key: ask for key, ask in zip(keys, open_asks, strict=True) if key not in known}
        progress.add(sum(_size(ask) for key, ask in zip(keys, open_asks, strict=True) if key in known))
        self.work.cached += sum(len(ask) for key, ask in zip(keys, open_asks, strict=True) if key in known)
        if wanted:
            with turn(self.folder, digest("translate", sorted(wanted))):
                # Who waited may find that another run has asked for the same.
                came = {} if refreshing() else self.cache.get_many(wanted)
                known |= came
                still = {key: ask for key, ask in wanted.items() if key not in came}
                known |= self._asked(engine, still, progress)
        for key, ask in dict(zip(keys, open_asks, strict=True)).items():
            self.work.count(known[key], sum(len(part.segment.text) for part in ask))
        failed = []
        for key, ask in zip(keys, open_asks, strict=True):
            texts = known[key]["texts"] or [None] * len(ask)
            for part, text in zip(ask, texts, strict=True):
                try:
                    part.translation = None if text is None else part.segment.restore(text)
                except LostError:
                    part.translation = None
                part.by = engine.name if part.translation is not None else ""
            if any(part.translation is None for part in ask):
                failed.append(ask)
        return failed

    def _remembered(self, ask: _Ask) -> bool:
        if self.memory is None or len(ask) > 1:
            return False
        found = self.memory.segment(ask[0].segment.original)
        if found is not None:
            ask[0].translation, ask[0].by = found, "memory"
        return found is not None

    def _key(self, engine: Engine, ask: _Ask) -> str:
        return digest(engine.identity, self.source, self.target, [part.segment.text for part in ask])

    def _asked(self, engine: Engine, wanted: dict[str, _Ask], progress: Progress) -> dict[str, dict[str, Any]]:
        """The replies to what the cache lacks; each is in the cache soon after it came."""
        replies: dict[str, dict[str, Any]] = {}
        unkept: dict[str, dict[str, Any]] = {}
        lock = threading.Lock()
        flushed = time.monotonic()
        keys = list(wanted)

        def keep(start: int, place: int, answer: Answer) -> None:
            nonlocal flushed
            key = keys[start + place]
            texts = None if answer.texts is None else [_writable(text) for text in answer.texts]
            if texts is not None and len(texts) != len(wanted[key]):
                texts = None
            reply = {
                "texts": texts,
                "reason": answer.reason,
                "calls": answer.calls,
                "tokens_in": answer.tokens_in,
                "tokens_out": answer.tokens_out,
                "usd": answer.usd,
            }
            with lock:
                replies[key] = unkept[key] = reply
                self.work.calls_now += answer.calls
                progress.add(_size(wanted[key]))
                if time.monotonic() - flushed >= FLUSH:
                    self.cache.put_many(unkept)
                    unkept.clear()
                    flushed = time.monotonic()

        try:
            for start in range(0, len(keys), engine.batch):
                requests = [
                    tuple(part.segment.text for part in wanted[key]) for key in keys[start : start + engine.batch]
                ]
                engine.ask(requests, lambda place, answer, start=start: keep(start, place, answer))  # type: ignore[misc]
        finally:
            with lock:
                self.cache.put_many(unkept)
        return replies

    def _missing(self, error: EngineDownError, engine: Engine, rows: Sequence[Texts], names: Sequence[str]) -> str:
        """The error of an engine that is down, with what was kept and what is missing."""
        made = [self._row(engine, row) for row in rows]
        asks = [self._asks(engine, row) for row in made]
        known = self.cache.get_many({self._key(engine, ask) for row in asks for ask in row})
        lacking = [
            place
            for place, row in enumerate(asks)
            if any(self._key(engine, ask) not in known and not self._remembered(ask) for ask in row)
        ]
        done = len(rows) - len(lacking)
        which = f" (the first of the others: {names[lacking[0]]})" if names and lacking else ""
        return (
            f"{self.target}: {error}; {done} of {len(rows)} rows are answered{which} and {len(known)} replies are kept "
            f"in {self.cache.path}; run again to go on"
        )


def _size(ask: _Ask) -> int:
    return sum(len(part.segment.text) for part in ask)


def _writable(text: str) -> str:
    """Half of a surrogate pair, from an answer cut off inside an emoji, could not be written down."""
    return text.encode("utf-8", "replace").decode("utf-8")


def translate_texts(
    texts: Sequence[str], specs: Sequence[AnyEngine], source: str, target: str, cache: Path
) -> list[Result]:
    """Texts, each by itself, as rows without a response are translated."""
    return Chain(specs, source, target, cache).translate([(text,) for text in texts])
