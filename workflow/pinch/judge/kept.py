"""The raw completions that are kept, each under its call: what they mean is read anew every time."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, fields
from datetime import UTC, datetime
from functools import cached_property
from math import isfinite
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from pinch import LINK_VERSIONS
from pinch.cache import ReplyCache, refreshing
from pinch.judge.calls import MOST_TOKENS, Completion
from pinch.rows import digest

FILE = "judge_replies.sqlite"

_FIELDS = [field.name for field in fields(Completion)]
_COMPLETION = TypeAdapter(Completion)


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
        found = {wanted[key]: _completion(kept) for key, kept in self._cache.get_many(wanted).items()}
        whole = {key: completion for key, completion in found.items() if completion is not None}
        if strange := len(found) - len(whole):
            print(
                f"cache: {self.path}: {strange:,} kept replies are none of a judge's, and are asked for again",
                flush=True,
            )
        return whole

    def keep(self, key: str, completion: Completion) -> None:
        """Keep one by its key; it is on disk when this returns."""
        self.keep_many({key: completion})

    def keep_many(self, completions: Mapping[str, Completion]) -> None:
        """Keep some by their keys, in one write, with the model and the time, by which they can be purged."""
        when = datetime.now(UTC).isoformat(timespec="seconds")
        about = {"model": self.model, "kept": when}
        self._cache.put_many({_versioned(key): asdict(completion) | about for key, completion in completions.items()})


def _completion(kept: Mapping[str, Any]) -> Completion | None:
    """None where this is no reply as `keep_many` writes them."""
    try:
        taken = {name: kept[name] for name in _FIELDS}
        found = _COMPLETION.validate_python(taken)
    except (KeyError, ValidationError):
        return None
    # What pydantic has made something else of, "1" a 1, was not written here.
    counted = all(0 <= number < MOST_TOKENS for number in (found.tokens_in, found.tokens_out))
    return found if asdict(found) == taken and counted and _finite(found.logprobs) else None


def _finite(logprobs: Mapping[str, float] | None) -> bool:
    return logprobs is None or all(map(isfinite, logprobs.values()))


def _versioned(key: str) -> str:
    return digest(LINK_VERSIONS["judge"], key)
