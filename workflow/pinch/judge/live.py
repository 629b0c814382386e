"""Calls to an endpoint one by one, many in flight at a time."""

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import openai
from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_attempt, wait_exponential_jitter

from pinch.config import OpenAIJudge
from pinch.endpoint import Endpoint
from pinch.errors import PinchError
from pinch.judge.calls import NO_COMPLETION, Call, Completion, Keep, read_completion
from pinch.judge.openai import FILTERED
from pinch.judge.writer import Writer
from pinch.printable import one_line
from pinch.progress import Progress

if TYPE_CHECKING:
    from pinch.judge.spending import Spending

REST = "replies that came are kept, run again to go on"

FORMS = ("response_format", "logprobs", "top_logprobs")
"""Fields of a call that not every endpoint knows."""

ABOUT_FORMS = (*FORMS, "response format", "json_schema", "structured", "schema", "grammar")

ABOUT_LENGTH = ("context", "too long", "`inputs` tokens")
"""What endpoints say, in other codes each, of a prompt of too many tokens."""

THREADS = 64
"""At most, for reservations that wait for the ledger."""

APART = 0.002
"""Seconds between the first calls: about what a call takes of this process. Replies to calls that began all at once
come all at once from an endpoint that is as quick with each, and then wait for each other, again at every next call."""

FIRST_PAUSE = 0.5
LONGEST_PAUSE = 8.0
"""Seconds, as the client itself pauses after a 429 or 5xx without Retry-After."""


class NoCompletionError(Exception):
    """Something came, with status 200, that is no chat completion: a page of HTML, half of one."""


@dataclass(frozen=True)
class _Came:
    """A completion on its way to the disk."""

    place: int
    completion: Completion
    reserved: float
    """US dollars, for its call."""


class LiveTransport:
    """Time-outs, 429 and 5xx are tried again by the client, with growing pauses; Retry-After is respected."""

    def __init__(self, endpoint: Endpoint, settings: OpenAIJudge, spending: "Spending | None") -> None:
        self.endpoint = endpoint
        self.settings = settings
        self.spending = spending
        self.plain = False
        """Whether the endpoint has refused a FORM, so that no call has one any more."""

    def send(self, calls: Sequence[Call], keep: Keep) -> None:
        """Hand completions to `keep` with the places of their calls, as they come: many together where writing is slow.

        Calls go on meanwhile, until as many replies wait to be kept as there are calls in flight. Raises PinchError
        where the endpoint fails for good or the money is spent: no call is begun then, and those in flight are kept.
        """
        failures = asyncio.run(self._send(calls, keep))
        if not failures:
            return
        error = failures[0]
        if isinstance(error, openai.OpenAIError):
            raise PinchError(self.endpoint.explain(error, REST)) from None
        if isinstance(error, NoCompletionError):
            raise PinchError(
                f"{self.endpoint.where}: {self.endpoint.base_url} answered with something that is no chat completion, "
                f"in {self.settings.retries + 1} tries; is base_url right (most end in /v1)? {REST}"
            ) from None
        raise error

    async def _send(self, calls: Sequence[Call], keep: Keep) -> list[Exception]:
        failures: list[Exception] = []
        workers = max(1, min(self.settings.concurrency, len(calls)))
        # One iterator for all workers: whoever is free takes the next call, and few are made tasks of at a time.
        waiting = iter(enumerate(calls))
        progress = Progress(self.endpoint.where, len(calls), "calls")
        # Reservations wait for the ledger in threads, or no call could go on meanwhile.
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(min(workers, THREADS)))

        def write(some: list[_Came]) -> None:
            # What was spent is a fact, whether or not the replies can be kept.
            self._settle(some)
            keep({came.place: came.completion for came in some})
            progress.add(len(some))

        async with self.endpoint.open() as client, Writer(write, 2 * workers, failures.append) as writer:

            async def work(number: int) -> None:
                await asyncio.sleep(number * APART)
                for place, call in waiting:
                    await writer.begin()
                    if failures:
                        return
                    try:
                        writer.put(_Came(place, *await self._complete(client, call.body)))
                    except Exception as error:
                        failures.append(error)
                        writer.give_up()
                    if failures:
                        return

            async with asyncio.TaskGroup() as group:
                for number in range(workers):
                    group.create_task(work(number))
        progress.close()
        return failures

    def _settle(self, some: Sequence[_Came]) -> None:
        if self.spending:
            tokens = [(came.completion.tokens_in, came.completion.tokens_out) for came in some]
            tokens_in, tokens_out = map(sum, zip(*tokens, strict=True))
            self.spending.settle(sum(came.reserved for came in some), tokens_in, tokens_out)

    async def _complete(self, client: openai.AsyncOpenAI, wanted: dict[str, Any]) -> tuple[Completion, float]:
        """A completion, and what is reserved for it until its cost is entered."""
        while True:
            body = plain(wanted, self.settings.max_tokens) if self.plain else wanted
            try:
                return await self._paid(client, body)
            except (openai.BadRequestError, openai.UnprocessableEntityError) as error:
                words = f"{error.message} {error.body}".lower()
                if any(word in words for word in ABOUT_LENGTH):
                    return Completion(refused=self.endpoint.said(error) or "no reason given"), 0.0
                if error.code == FILTERED:
                    return Completion(refused=f"{FILTERED}: {self.endpoint.said(error)}"), 0.0
                if not (any(form in body for form in FORMS) and any(word in words for word in ABOUT_FORMS)):
                    raise
                self._fall_back(error)
            except openai.APIStatusError as error:
                if error.status_code != 413:
                    raise
                return Completion(refused=self.endpoint.said(error) or "the endpoint answered 413"), 0.0

    def _fall_back(self, error: openai.APIStatusError) -> None:
        if not self.plain:
            self.plain = True
            print(
                f"{self.endpoint.where}: {self.endpoint.base_url} takes no `read: {self.settings.read}` "
                f"({one_line(self.endpoint.said(error))}); labels are read from the text of the replies",
                flush=True,
            )

    async def _paid(self, client: openai.AsyncOpenAI, body: dict[str, Any]) -> tuple[Completion, float]:
        """One completion, and what was reserved for it. Raises PinchError before a call that could cost too much."""
        if self.spending is None or self.settings.max_usd is None:
            return await self._retried(client, body), 0.0
        reserved = await asyncio.to_thread(self.spending.reserve, body)
        try:
            return await self._retried(client, body), reserved
        except BaseException:
            self.spending.release(reserved)
            raise

    async def _retried(self, client: openai.AsyncOpenAI, body: dict[str, Any]) -> Completion:
        retrying = AsyncRetrying(
            retry=retry_if_exception_type(NoCompletionError),
            stop=stop_after_attempt(self.settings.retries + 1),
            wait=wait_exponential_jitter(multiplier=FIRST_PAUSE, max=LONGEST_PAUSE, jitter=FIRST_PAUSE),
            reraise=True,
        )
        async for attempt in retrying:
            with attempt:
                try:
                    return self._read(await self.endpoint.chat(client, body))
                except NO_COMPLETION:
                    # Whatever came is handed on, so a page of HTML or an error with status 200 shows only here.
                    raise NoCompletionError from None
        raise AssertionError("the last attempt ends with a completion or an exception")

    def _read(self, said: Any) -> Completion:
        if isinstance(said, dict) and said.get("choices") == []:
            return Completion()  # nothing was said
        return read_completion(said, self.endpoint.without_key)


def plain(body: dict[str, Any], max_tokens: int) -> dict[str, Any]:
    """The same call with nothing in it that an endpoint may not know, and room for a reply in words."""
    return {key: value for key, value in body.items() if key not in FORMS} | {"max_tokens": max_tokens}
