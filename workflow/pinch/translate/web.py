"""Translation services of the web: the paper's Google Translate, and what else deep-translator speaks to by name."""

import copy
import importlib.util
import os
import sys
import threading
from collections.abc import Callable, Sequence
from functools import partial
from importlib.metadata import version
from multiprocessing.pool import ThreadPool
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from pinch.config.translation import WebEngine
from pinch.errors import PinchError
from pinch.printable import one_line
from pinch.translate.engines import Answer, EngineDownError, Request, Unit
from pinch.translate.services import SERVICES, Service, fits, service_code
from pinch.translate.transport import RefusedError, RejectedError, Transport, TryAgainError

FIRST_PAUSE = 2.0
LONGEST_PAUSE = 60.0
"""Seconds; the pauses double, so that with seven retries a service has about three minutes to answer again."""

REFUSED_IN_A_ROW = 10
"""A service that refuses so many texts before it has translated any refuses us, not the texts."""


class Web:
    """Asks one of deep-translator's services, `settings.concurrency` texts at a time; an `Engine`.

    Raises PinchError where the service does not translate one of the languages, where a key is not in the environment,
    and for an option that deep-translator's class has not. Nothing is sent before the first `ask`.
    """

    unit: Unit = "text"

    def __init__(self, settings: WebEngine, source: str, target: str, cache: Path) -> None:
        self.name: str = settings.engine
        self._settings = settings
        self._pair = f"{source} to {target}"
        self._service = SERVICES[self.name]
        self._codes = service_code(self.name, source), service_code(self.name, target, target=True)
        if self._codes[0] == self._codes[1]:
            raise PinchError(
                f"{self.name}: {source} and {target} are both {self._codes[0]!r} to it; leave one of them out"
            )
        self._keys = _keys(settings, self._service)
        changing = _options(settings, self._service)
        self.identity: dict[str, str | int | float | None] = {
            "engine": self.name,
            "deep-translator": version("deep-translator"),
            "source": self._codes[0],
            "target": self._codes[1],
            **changing,
        }
        self.batch = 32 * settings.concurrency
        self._transport = Transport(
            self.name, self._service, self._keys.values(), settings.timeout, settings.requests_per_second, cache
        )
        self._translator: Any = None
        self._lock = threading.Lock()
        self._answered = self._refused = 0

    def fits(self, text: str) -> bool:
        """Whether the service takes `text` in one request."""
        return fits(self._service, text)

    def ask(self, requests: Sequence[Request], keep: Callable[[int, Answer], None]) -> None:
        """Translate each request, which is one text, calling `keep` from its thread as soon as it is answered.

        Raises EngineDownError where the service rejects us, or still fails after `settings.retries` retries; what is
        under way then is still waited for and kept.
        """
        if not requests:
            return
        self._transport.stopped.clear()
        self._answered = self._refused = 0
        failure: str | None = None
        # Not a ThreadPoolExecutor: its threads are waited for at the end of the process, for as long as a service that
        # hangs lets them; these are daemons.
        pool = ThreadPool(min(self._settings.concurrency, len(requests)))
        try:
            work = partial(self._answer, requests, keep)
            for told in pool.imap_unordered(work, range(len(requests))):
                failure = failure or told
        finally:
            self._transport.stopped.set()
            pool.terminate()
        if failure:
            raise EngineDownError(
                f"{self.name}: {self._pair}: the service {failure}; {self._answered} of {len(requests)} requests were "
                "answered; run again to go on"
            )

    def close(self) -> None:
        """Close connections."""
        self._transport.close()

    def _answer(self, requests: Sequence[Request], keep: Callable[[int, Answer], None], place: int) -> str | None:
        """Have one request answered and kept; why the service is down, if it is."""
        if self._transport.stopped.is_set():
            return None
        text = requests[place][0]
        try:
            answer = self._ask_until_answered(text)
        except (TryAgainError, RejectedError) as error:
            first = not self._transport.stopped.is_set()
            self._transport.stopped.set()
            return str(error) if first else None
        keep(place, answer)
        with self._lock:
            self._answered += answer.texts is not None
            self._refused += answer.texts is None
            if not self._answered and self._refused >= REFUSED_IN_A_ROW:
                self._transport.stopped.set()
                return f"refuses all texts, the last of {self._refused}: {answer.reason}"
        return None

    def _ask_until_answered(self, text: str) -> Answer:
        from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_exponential_jitter
        from tenacity.nap import sleep_using_event
        from tenacity.stop import stop_when_event_set

        # Google's page for a text without them is one that deep-translator reads as nothing.
        if not any(character.isalnum() for character in text):
            return Answer((text,), calls=0)
        attempts = self._settings.retries + 1
        calls = 0
        # One budget for what HTTP shows and for what only the content shows, which urllib3's Retry does not see.
        retrying = Retrying(
            retry=retry_if_exception_type(TryAgainError),
            stop=stop_after_attempt(attempts) | stop_when_event_set(self._transport.stopped),
            wait=wait_exponential_jitter(multiplier=FIRST_PAUSE, max=LONGEST_PAUSE, jitter=FIRST_PAUSE),
            sleep=sleep_using_event(self._transport.stopped),
            before_sleep=partial(self._tell, attempts),
            reraise=True,
        )
        try:
            for attempt in retrying:
                with attempt:
                    calls += 1
                    translation = self._translate(text)
        except RefusedError as error:
            return Answer(None, str(error), calls)
        except TryAgainError as error:
            times = f", {calls} times in a row" if calls > 1 else ""
            raise TryAgainError(f"{error}{times}") from None
        price = self._settings.usd_per_million_characters
        return Answer((translation,), calls=calls, usd=None if price is None else price * len(text) / 1e6)

    def _translate(self, text: str) -> str:
        from deep_translator.exceptions import BaseError

        spoken = {name: self._settings.options.get(name, default) for name, default in self._service.spoken.items()}
        try:
            with self._lock:
                # Not earlier: Microsoft's class asks for its languages when it is made.
                self._translator = self._translator or self._make()
            # A copy, because the classes keep the text that they are at in themselves.
            reply = copy.deepcopy(self._translator).translate(text, **spoken)
        except UnicodeEncodeError:
            raise RefusedError("cannot be sent a text that is no UTF-8") from None
        except ValueError:
            raise TryAgainError("answers with what is not JSON") from None
        # What the classes raise where an answer lacks what they look for in it.
        except (BaseError, LookupError, TypeError, AttributeError, StopIteration):
            raise TryAgainError("answers with no translation") from None
        if isinstance(reply, list) and len(reply) == 1:  # Yandex's
            reply = reply[0]
        if not isinstance(reply, str):
            raise TryAgainError("answers with no translation")
        if not reply.strip():
            raise TryAgainError("answers with an empty translation")
        return reply

    def _make(self) -> Any:
        """An object of deep-translator's class, whose requests go through our transport.

        The class calls requests.get and .post without a time limit, and keeps status and headers to itself; it has no
        option for either. So it comes from a copy of its module, in which `requests` is ours: nobody else sees it.
        """
        import requests

        spec = importlib.util.find_spec(f"deep_translator.{self.name}")
        assert spec is not None and spec.loader is not None
        module: Any = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        module.requests = SimpleNamespace(
            get=partial(self._transport.send, "GET"),
            post=partial(self._transport.send, "POST"),
            exceptions=requests.exceptions,
        )
        arguments: dict[str, Any] = {name: key or "none" for name, key in self._keys.items()}
        if self.name == "deepl":
            arguments["use_free_api"] = self._keys["api_key"].endswith(":fx")
        if self.name == "libre":
            arguments["use_free_api"] = False  # libretranslate.com, which is who gives keys
            arguments["custom_url"] = f"{self._settings.base_url.rstrip('/')}/" if self._settings.base_url else None
        arguments |= {name: value for name, value in self._settings.options.items() if name in self._service.options}
        # "auto" is what all of the classes let pass; their tables lack languages, and Papago's is upside down.
        translator = getattr(module, self._service.class_name)(source="auto", target="auto", **arguments)
        translator.source, translator.target = self._codes
        if self.name == "libre":
            translator.api_key = self._keys["api_key"]  # or none, which the class accepts only now
        return translator

    def _tell(self, attempts: int, state: Any) -> None:
        said = one_line(str(state.outcome.exception()))
        print(
            f"translate: {self.name} {said}; again in {state.next_action.sleep:.0f} s "
            f"(attempt {state.attempt_number} of {attempts})",
            file=sys.stderr,
            flush=True,
        )


def _keys(settings: WebEngine, service: Service) -> dict[str, str]:
    """The keys by argument. Raises PinchError naming the variable that is not set."""
    variables = dict(service.keys)
    if settings.api_key_env and variables:
        variables[list(variables)[-1]] = settings.api_key_env
    keys = {argument: os.environ.get(variable, "").strip() for argument, variable in variables.items()}
    missing = [variable for argument, variable in variables.items() if not keys[argument]]
    # A server of one's own may want none.
    if missing and not (settings.base_url and not settings.api_key_env):
        raise PinchError(
            f"{settings.engine}: no key: set the environment variable {' and '.join(missing)}, "
            "or name the one that holds it by `api_key_env`"
        )
    return keys


def _options(settings: WebEngine, service: Service) -> dict[str, str]:
    """The options that change translations. Raises PinchError for one that the service has not."""
    known = {**service.options, **dict.fromkeys(service.spoken, True)}
    for name in settings.options:
        if name not in known:
            raise PinchError(
                f"translate.engines: {settings.engine}: options: {name}: not one of its options "
                f"({', '.join(known) or 'it has none'})"
            )
    return {name: str(value) for name, value in sorted(settings.options.items()) if known[name]}
