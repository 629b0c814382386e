"""The raw completions that are kept, each under its call: what they mean is read anew every time."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, fields
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path

from pinch import LINK_VERSIONS
from pinch.cache import ReplyCache, refreshing
from pinch.judge.calls import Completion
from pinch.rows import digest

FILE = "judge_replies.sqlite"


class Kept:
    """The completions of one model in the cache folder; the file is made when it is first needed."""

    def __init__(self, folder: str | Path, model: str) -> None:
        self.path = Path(folder) / FILE
        self.model = model

    @cached_property
    def _cache(self) -> ReplyCache:
        return ReplyCache(self.path)

    def completions(self, keys: Iterable[str]) -> dict[str, Completion]:
        """Those that there are, by the key of their call; none where the user asked to go past the caches."""
        if refreshing():
            return {}
        wanted = {_versioned(key): key for key in keys}
        names = [field.name for field in fields(Completion)]
        return {
            wanted[key]: Completion(**{name: kept[name] for name in names})
            for key, kept in self._cache.get_many(wanted).items()
        }

    def keep(self, key: str, completion: Completion) -> None:
        """Keep one by its key; it is on disk when this returns."""
        self.keep_many({key: completion})

    def keep_many(self, completions: Mapping[str, Completion]) -> None:
        """Keep some by their keys, in one write, with the model and the time, by which they can be purged."""
        when = datetime.now(UTC).isoformat(timespec="seconds")
        about = {"model": self.model, "kept": when}
        self._cache.put_many({_versioned(key): asdict(completion) | about for key, completion in completions.items()})


def _versioned(key: str) -> str:
    return digest(LINK_VERSIONS["judge"], key)
