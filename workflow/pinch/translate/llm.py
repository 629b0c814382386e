"""A language model behind an OpenAI-compatible endpoint; instruction and response are translated in one call."""

import json
import re
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import openai
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_exponential_jitter

from pinch import languages
from pinch.config.translation import LLM as Settings
from pinch.endpoint import Endpoint
from pinch.prompts import TRANSLATION_FIELDS, read_prompt
from pinch.rows import digest
from pinch.translate.engines import Answer, EngineDownError, Request, Unit

KEYS = {1: ("text",), 2: ("instruction", "response")}
"""What the texts of a request are called, by their number."""

REST = "what came is kept, run again to go on"

FIRST_PAUSE = 0.5
LONGEST_PAUSE = 8.0
"""Seconds, as the client itself pauses after a 429 or 5xx without Retry-After."""


class _NoCompletionError(Exception):
    """Something came, with status 200, that is no chat completion: a page of HTML, half of one."""


class _UnusableError(Exception):
    """A reply that is not the translations asked for, and why."""


@dataclass
class _Spent:
    """What one request has cost so far."""

    calls: int = 0
    tokens_in: int = 0
    tokens_out: int = 0


def fill(prompt: str, source: str, target: str, texts: str) -> str:
    """The prompt with its fields filled in, all at once: what looks like a field in a text stays text."""
    values = dict(zip(TRANSLATION_FIELDS, (languages.name(source), languages.name(target), texts), strict=True))
    return re.sub("|".join(map(re.escape, TRANSLATION_FIELDS)), lambda match: values[match.group()], prompt)


def read_translations(reply: str, keys: Sequence[str]) -> tuple[str, ...]:
    """The texts of a reply, in the order of `keys`: one JSON object, alone or in a fence of code.

    Raises _UnusableError for anything else. Nothing is guessed: a text in the wrong place looks like any other.
    """
    fenced = re.fullmatch(r"```(?:json)?\s*(.*?)\s*```", reply.strip(), re.DOTALL)
    try:
        # Not strict: many models write line breaks into strings as they are.
        found = json.loads(fenced[1] if fenced else reply, strict=False)
    except json.JSONDecodeError as error:
        raise _UnusableError(f"is not JSON ({error.msg})") from None
    wanted = " and ".join(keys)
    if not isinstance(found, dict) or set(found) != set(keys):
        raise _UnusableError(f"is not a JSON object with the {'keys' if len(keys) > 1 else 'key'} {wanted} alone")
    if not all(isinstance(found[key], str) and found[key].strip() for key in keys):
        raise _UnusableError(f"has no text for {wanted}")
    # Half of a surrogate pair, from an emoji that was written as \\u escapes, could not be written down.
    return tuple(found[key].encode("utf-8", "replace").decode("utf-8") for key in keys)


class Llm:
    """Calls in parallel; time-outs, 429 and 5xx are tried again by the client, with growing pauses."""

    unit: Unit = "row"

    def __init__(self, settings: Settings, source: str, target: str, cache: Path) -> None:
        self.settings = settings
        self.source, self.target = source, target
        self.name = f"llm:{settings.model}"
        self.batch = settings.concurrency * 8
        self.prompt = read_prompt(settings.prompt, TRANSLATION_FIELDS, "llm")
        self.endpoint = Endpoint(settings, self.name)
        self.structured = True
        """Until the endpoint says that it knows no response_format."""
        self.ending = threading.Event()
        self.identity: dict[str, str | int | float | None] = {
            "engine": "llm",
            "model": settings.model,
            "prompt": digest(self.prompt),
            "temperature": settings.temperature,
            "max_tokens": settings.max_tokens,
        }

    def fits(self, text: str) -> bool:
        """By characters: what an endpoint counts in tokens it says only afterwards."""
        return len(text) <= self.settings.max_characters

    def ask(self, requests: Sequence[Request], keep: Callable[[int, Answer], None]) -> None:
        """Raises EngineDownError when the endpoint fails for good; answers that came before are kept."""
        self.ending.clear()

        def answer(place: int) -> None:
            if self.ending.is_set():
                return
            try:
                keep(place, self._ask(requests[place]))
            except BaseException:
                # Those in flight go on to their end, none is begun.
                self.ending.set()
                raise

        with ThreadPoolExecutor(self.settings.concurrency) as pool:
            futures = [pool.submit(answer, place) for place in range(len(requests))]
        try:
            for future in futures:
                future.result()
        except openai.OpenAIError as error:
            raise EngineDownError(self.endpoint.explain(error, REST)) from None
        except _NoCompletionError:
            raise EngineDownError(
                f"{self.name}: {self.endpoint.base_url} answered with something that is no chat completion, "
                f"{self.settings.retries + 1} times in a row; is base_url right (most end in /v1)? {REST}"
            ) from None

    def _ask(self, request: Request) -> Answer:
        """Ask, and once more where the reply cannot be used, saying why."""
        keys = KEYS[len(request)]
        texts = json.dumps(dict(zip(keys, request, strict=True)), ensure_ascii=False, indent=1)
        prompt = fill(self.prompt, self.source, self.target, texts)
        spent = _Spent()
        reason = ""
        for more in (
            "",
            "\n\nYour last answer could not be used: it {reason}. Answer again, with the JSON object alone.",
        ):
            try:
                said = self._reply(prompt + more.replace("{reason}", reason), keys, spent)
                return self._answer(read_translations(said, keys), "", spent)
            except _UnusableError as error:
                reason = str(error)
            except openai.APIStatusError as error:
                spent.calls += 1
                said = _about_its_texts(error)
                if not said:
                    raise
                return self._answer(None, f"{said}: {self.endpoint.said(error)}", spent)
        return self._answer(None, f"the reply {reason}, twice", spent)

    def _answer(self, texts: tuple[str, ...] | None, reason: str, spent: _Spent) -> Answer:
        price = self.settings.usd_per_million_tokens
        usd = (spent.tokens_in * price[0] + spent.tokens_out * price[1]) / 1e6 if price else None
        return Answer(texts, reason, spent.calls, spent.tokens_in, spent.tokens_out, usd)

    def _reply(self, prompt: str, keys: Sequence[str], spent: _Spent) -> str:
        """What the model says. Raises _UnusableError where it was cut off or says nothing."""
        retrying = Retrying(
            retry=retry_if_exception_type(_NoCompletionError),
            stop=lambda state: stop_after_attempt(self.settings.retries + 1)(state) or self.ending.is_set(),
            wait=wait_exponential_jitter(multiplier=FIRST_PAUSE, max=LONGEST_PAUSE, jitter=FIRST_PAUSE),
            reraise=True,
        )
        finish, said, refusal = retrying(self._complete, prompt, keys, spent)
        if finish == "length":
            raise _UnusableError(f"was cut off at {self.settings.max_tokens} tokens")
        if refusal or finish == "content_filter":
            raise _UnusableError(f"was a refusal: {' '.join((refusal or finish).split())[:200]}")
        if not said.strip():
            raise _UnusableError("was empty")
        return said

    def _complete(self, prompt: str, keys: Sequence[str], spent: _Spent) -> tuple[str, str, str]:
        """One call: finish_reason, content and refusal."""
        structured = self.structured
        try:
            raw = self._create(prompt, keys, structured)
        except (openai.BadRequestError, openai.UnprocessableEntityError) as error:
            # Endpoints without structured output say so in other words each; trying tells.
            if not structured or _about_its_texts(error):
                raise
            spent.calls += 1
            raw = self._create(prompt, keys, structured=False)
            self.structured = False
        spent.calls += 1 + raw.retries_taken
        try:
            completion = raw.parse()
            choice = completion.choices[0]
            content, refusal = choice.message.content or "", getattr(choice.message, "refusal", None) or ""
            usage = completion.usage
            spent.tokens_in += int(getattr(usage, "prompt_tokens", None) or 0)
            spent.tokens_out += int(getattr(usage, "completion_tokens", None) or 0)
            return str(choice.finish_reason), content.encode("utf-8", "replace").decode("utf-8"), str(refusal)
        except (AttributeError, TypeError, ValueError, LookupError, openai.APIResponseValidationError):
            # The client hands on whatever came.
            raise _NoCompletionError from None

    def _create(self, prompt: str, keys: Sequence[str], structured: bool) -> Any:
        text = {"type": "string"}
        schema = {
            "type": "object",
            "properties": dict.fromkeys(keys, text),
            "required": list(keys),
            "additionalProperties": False,
        }
        wanted = {"type": "json_schema", "json_schema": {"name": "translation", "strict": True, "schema": schema}}
        create: Any = self.endpoint.client.chat.completions.with_raw_response.create
        return create(
            model=self.settings.model,
            messages=[{"role": "user", "content": prompt}],
            temperature=self.settings.temperature,
            max_tokens=self.settings.max_tokens,
            response_format=wanted if structured else openai.omit,
        )

    def close(self) -> None:
        """Close the connections."""
        self.endpoint.client.close()


def _about_its_texts(error: openai.APIStatusError) -> str:
    """What an error says of the texts of this one request, which must not stop the others; "" for other errors."""
    # All endpoints say it in other codes, but with this word.
    if error.status_code == 413 or (error.status_code in (400, 422) and "context" in error.message.lower()):
        return "does not fit the model's context"
    return "is refused by the endpoint's filter" if error.code == "content_filter" else ""
