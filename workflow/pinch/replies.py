"""replies: what the cache of judges' replies holds, and how to have it ask anew.

Replies are kept for good, as they were paid for. Those of a model that has changed behind its name, or that one is not
to keep, are purged by model, by date, or all.
"""

import argparse
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from pinch.cache import ReplyCache, cache_folder
from pinch.errors import PinchError
from pinch.judge.kept import FILE
from pinch.printable import one_line

OLDER = "older"
"""Stands for the model of replies that older versions kept, which wrote down neither model nor date."""


@dataclass
class Holding:
    """What the cache has of one model."""

    calls: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    first: str = ""
    last: str = ""
    """Dates, of UTC; empty where none is known."""

    def add(self, reply: dict[str, Any]) -> None:
        """One reply more."""
        self.calls += 1
        self.tokens_in += reply.get("tokens_in") or 0
        self.tokens_out += reply.get("tokens_out") or 0
        day = str(reply.get("kept") or "")[:10]
        self.first = min(filter(None, (self.first, day)), default="")
        self.last = max(self.last, day)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `python -m pinch replies`."""
    parser.add_argument("--cache", default=cache_folder(), help="folder of the caches; default: $PINCH_CACHE")
    parser.add_argument("--purge", action="store_true", help="delete, without asking, what one or two of these select:")
    parser.add_argument("--model", help=f"replies of this model, as the list calls it; {OLDER!r} where none is known")
    parser.add_argument("--before", metavar="DATE", help="replies kept before this day of UTC, such as 2026-01-01")
    parser.add_argument("--all", action="store_true", help="all replies")


def run(arguments: argparse.Namespace) -> str:
    """List the cache, or purge it."""
    selecting = arguments.model is not None or arguments.before is not None
    if arguments.purge != (selecting or arguments.all) or (selecting and arguments.all):
        raise PinchError("--purge goes with --model, --before or both, or with --all; without it everything is listed")
    path = Path(arguments.cache) / FILE
    if not path.is_file():
        return f"{path}: no replies are kept there"
    return _purge(path, arguments.model, _day(arguments.before)) if arguments.purge else _list(path)


def _list(path: Path) -> str:
    models: dict[str, Holding] = {}
    for _, reply in ReplyCache(path).items():
        models.setdefault(one_line(reply.get("model") or OLDER), Holding()).add(reply)
    width = max(map(len, models), default=0)
    for name, held in sorted(models.items()):
        when = f", {held.first} to {held.last}" if held.last else ""
        print(f"{name:{width}}  {held.calls:>9,} calls, {held.tokens_in:,} tokens in, {held.tokens_out:,} out{when}")
    calls = sum(held.calls for held in models.values())
    return f"{path}: {calls:,} calls, {len(models)} models, {path.stat().st_size / 1e6:.1f} MB"


def _purge(path: Path, model: str | None, before: str | None) -> str:
    """Raises PinchError where nothing is kept of the model, which is a name misspelt."""
    cache = ReplyCache(path)
    doomed: list[str] = []
    models: set[str] = set()
    count = 0
    for key, reply in cache.items():
        name = reply.get("model") or OLDER
        models.add(name)
        count += 1
        if model in (None, name) and (before is None or "" < (reply.get("kept") or "") < before):
            doomed.append(key)
    if model is not None and model not in models:
        raise PinchError(f"--model: {path} has no replies of {model!r}, but of {', '.join(sorted(models)) or 'nobody'}")
    cache.remove(doomed)
    return f"{path}: {len(doomed):,} of {count:,} calls purged, {path.stat().st_size / 1e6:.1f} MB left"


def _day(text: str | None) -> str | None:
    try:
        return text and date.fromisoformat(text).isoformat()
    except ValueError:
        raise PinchError(f"--before: {text!r} is no date such as 2026-01-01") from None
