"""The paper's engine: Google Translate's page for telephones, as deep-translator reads it. It needs no key."""

import argparse
import time
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote_plus

from filelock import FileLock

from pinch.cache import ReplyCache, refreshing
from pinch.errors import PinchError
from pinch.rows import SourceRow, digest
from pinch.translate.chunks import split, translate
from pinch.translate.engines import Translation

MAX_CHARACTERS = 4_999
"""Google takes 5,000; deep-translator refuses texts from there on."""

MAX_URL = 16_000
"""Bytes of the text in the address, where Google answers 400 from 16 KiB on: 1,800 Chinese characters."""

ATTEMPTS = 8
FIRST_PAUSE = 2.0
LONGEST_PAUSE = 60.0
"""Seconds; the pauses double, so that Google has about three minutes to answer again."""

TIMEOUT = 60.0
"""Seconds that one request may stay without an answer; deep-translator itself would wait for ever."""

EVERY = 10.0
"""Seconds between two lines of progress."""

CODES = {"fil": "tl", "he": "iw", "jv": "jw", "kmr": "ku", "kok": "gom", "mni": "mni-Mtei", "nb": "no", "zh": "zh-CN"}
"""Where Google's code is not the one of ISO 639."""


class _NoTranslationError(Exception):
    """What Google did instead of translating; it may do better later."""


def google_code(lang: str) -> str:
    """Google's code of a language. Raises PinchError where Google does not translate it."""
    from deep_translator.constants import GOOGLE_LANGUAGES_TO_CODES

    code = CODES.get(lang, lang)
    if code not in GOOGLE_LANGUAGES_TO_CODES.values():
        raise PinchError(f"google: {lang}: Google does not translate this language; use a translation memory for it")
    return code


def fits(text: str) -> bool:
    """Whether Google takes `text` in one request."""
    return len(text) <= MAX_CHARACTERS and len(quote_plus(text)) <= MAX_URL


class Google:
    """Asks for as many lines at once as fit; what has no letters is not asked for. Each reply is kept as it comes."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        if arguments.memory:
            raise PinchError("translate.memory: the engine google does not look into a memory; give one of the two")
        self.cache = ReplyCache(Path(arguments.cache) / "translations.sqlite")
        # All jobs of a machine take turns: many at once is what Google answers 429 to.
        self.turn = FileLock(Path(arguments.cache) / "google.lock")
        self.requests = 0
        self.status = 0

    def translate(self, rows: Sequence[SourceRow], source: str, target: str) -> list[Translation]:
        """Instructions and responses each by itself.

        Raises PinchError with the id where a sentence is too long for Google, before anything is asked, and where
        Google gives no translation in ATTEMPTS attempts; what was translated is kept.
        """
        self._open(google_code(source), google_code(target))
        plans = {}
        for row in rows:
            for field, text in (("instruction", row.instruction), ("response", row.response or "")):
                if text.strip():
                    try:
                        plans[row.id, field] = split(text, source, fits)
                    except PinchError as error:
                        raise PinchError(f"google: id {row.id!r}: {field}: {error}") from None
        done: dict[tuple[str, str], str] = {}
        told = time.monotonic()
        for (id, field), chunks in plans.items():
            try:
                done[id, field] = translate(chunks, self._ask)
            except _NoTranslationError as error:
                raise PinchError(
                    f"google: {target}: id {id!r}: {field}: Google {error}, {ATTEMPTS} times in a row; "
                    f"{len(done)} of {len(plans)} texts are done and kept in {self.cache.path}; run again to go on"
                ) from None
            if time.monotonic() - told >= EVERY or len(done) == len(plans):
                told = time.monotonic()
                print(f"translate: {target}: {len(done)} of {len(plans)} texts, {self.requests} requests", flush=True)
        return [(done[row.id, "instruction"], done.get((row.id, "response"))) for row in rows]

    def _open(self, source: str, target: str) -> None:
        from deep_translator import google
        from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_exponential_jitter

        if source == target:
            raise PinchError(f"google: source and target are both {source!r} to Google; leave one of them out")
        # It calls requests.get without a time limit and keeps the status to itself; there is no option for either.
        google.requests = SimpleNamespace(get=self._get)
        self.translator = google.GoogleTranslator(source=source, target=target)
        self.retrying = Retrying(
            retry=retry_if_exception_type(_NoTranslationError),
            stop=stop_after_attempt(ATTEMPTS),
            wait=wait_exponential_jitter(multiplier=FIRST_PAUSE, max=LONGEST_PAUSE, jitter=FIRST_PAUSE),
            before_sleep=_tell,
            reraise=True,
        )

    def _get(self, url: str, **options: Any) -> Any:
        import requests

        self.requests += 1
        with self.turn:
            response = requests.get(url, timeout=TIMEOUT, **options)
        self.status = response.status_code
        return response

    def _ask(self, text: str) -> str:
        """The reply to a text that fits, from the cache or from Google."""
        key = digest("google", self.translator.source, self.translator.target, text)
        known = None if refreshing() else self.cache.get(key)
        if known:
            return str(known["text"])
        reply: str = self.retrying(self._request, text)
        self.cache.put(key, {"text": reply})
        return reply

    def _request(self, text: str) -> str:
        from deep_translator.exceptions import RequestError, TooManyRequests, TranslationNotFound

        try:
            reply = self.translator.translate(text)
        except TooManyRequests:
            raise _NoTranslationError("answers 429, too many requests") from None
        except RequestError:
            raise _NoTranslationError(f"answers with status {self.status}") from None
        except TranslationNotFound:
            raise _NoTranslationError("answers with a page that holds no translation") from None
        except OSError as error:  # which all errors of requests are
            raise _NoTranslationError(f"cannot be reached ({type(error).__name__})") from None
        if not (reply or "").strip():
            raise _NoTranslationError("answers with an empty translation")
        return str(reply)


def _tell(state: Any) -> None:
    print(
        f"translate: Google {state.outcome.exception()}; again in {state.next_action.sleep:.0f} s "
        f"(attempt {state.attempt_number} of {ATTEMPTS})",
        flush=True,
    )
