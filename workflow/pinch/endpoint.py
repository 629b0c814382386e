"""An OpenAI-compatible endpoint: its client with the user's key, and what its errors mean to who can mend them."""

import json
import os
import re
import time
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import httpx2
import openai

from pinch.errors import PinchError


class EndpointSettings(Protocol):
    """What the sections of the config that name an endpoint share."""

    base_url: str
    model: str
    api_key_env: str | None
    timeout: float
    retries: int


WRITTEN = "file:"
"""Before the name of a file that holds an address: of a server that runs as a job, and nobody knows where."""

PATIENCE = 600.0
"""Seconds that such a file is waited for: a server that loads a model, or begins again elsewhere."""


def address(base_url: str, where: str) -> str:
    """A base_url as it is, or what is in the file that it names, once that is there. Raises PinchError where it is not.

    `where` begins the message.
    """
    if not base_url.startswith(WRITTEN):
        return base_url
    file = Path(base_url.removeprefix(WRITTEN))
    until = time.monotonic() + PATIENCE
    if not file.is_file():
        print(f"{where}: waiting for {file}, which the server writes when it is up", flush=True)
    while not file.is_file():
        if time.monotonic() > until:
            raise PinchError(
                f"{where}: base_url: {file} is not there after {PATIENCE / 60:.0f} minutes; start the server"
            )
        time.sleep(1)
    found = file.read_text(encoding="utf-8").strip()
    if not re.fullmatch(r"https?://\S+", found):
        raise PinchError(f"{where}: base_url: {file} holds no address such as http://node7:8000/v1, but {found[:60]!r}")
    return found


class Endpoint:
    """The client tries time-outs, 429 and 5xx again, with growing pauses, and respects Retry-After."""

    def __init__(self, settings: EndpointSettings, where: str) -> None:
        """`where` begins every message. Raises PinchError where the key is not in the environment, or is none."""
        self.settings = settings
        self.where = where
        self.base_url = address(settings.base_url, where)
        key = "none"
        if settings.api_key_env:
            key = os.environ.get(settings.api_key_env, "").strip()
            variable = f"{where}: the environment variable {settings.api_key_env}, named by api_key_env,"
            if not key:
                raise PinchError(f"{variable} is not set")
            if not (key.isascii() and key.isprintable()):
                raise PinchError(f"{variable} holds characters that no key has")
        self.key = key

    @cached_property
    def client(self) -> openai.OpenAI:
        """For one call at a time, or several from threads."""
        return openai.OpenAI(**self._options())

    def open(self) -> openai.AsyncOpenAI:
        """A client for many calls at once, of the event loop in which it is closed: `async with endpoint.open()`.

        It follows no redirects: they would carry a user's texts to where no config sends them. Who uses it limits the
        calls in flight: the client's own limits would let connections wait above 1,000, and close them above 100.
        """
        limits = httpx2.Limits(max_connections=None, max_keepalive_connections=None)
        http_client = openai.DefaultAsyncHttpxClient(follow_redirects=False, limits=limits)
        return openai.AsyncOpenAI(**self._options(), http_client=http_client)

    async def chat(self, client: openai.AsyncOpenAI, body: Mapping[str, Any]) -> Any:
        """What is answered to one chat completion, as JSON. Raises openai.OpenAIError, or ValueError where it is none.

        The client's own way, `chat.completions.create`, takes half as long again, to make typed objects of what goes
        and comes; time-outs, retries and errors are the same.
        """
        return json.loads((await client.post("/chat/completions", body=body, cast_to=httpx2.Response)).content)

    def _options(self) -> dict[str, Any]:
        settings = self.settings
        return {
            "base_url": self.base_url,
            "api_key": self.key,
            "timeout": settings.timeout,
            "max_retries": settings.retries,
        }

    def without_key(self, text: str) -> str:
        """A text of the endpoint's that may repeat the key, so that it can be written down."""
        return text.replace(self.key, "[key]") if self.settings.api_key_env else text

    def said(self, error: openai.APIStatusError) -> str:
        """What the endpoint gives as its reason, in one line and without the key."""
        body = error.body
        if isinstance(body, dict):
            body = body.get("message") or body.get("detail")
        said = " ".join(str(body or "").split())
        return "" if said.startswith("<") else self.without_key(said)[:300]

    def explain(self, error: openai.OpenAIError, rest: str) -> str:
        """Why it failed for good, in one line; `rest` says what was kept."""
        settings = self.settings
        where = f"{self.where}: {self.base_url}"
        if isinstance(error, openai.APITimeoutError):
            return f"{where} did not answer within {settings.timeout:g} s, {settings.retries} retries; {rest}"
        if isinstance(error, openai.APIConnectionError):
            return f"{where} cannot be reached; is the server up, and base_url right? {rest}"
        if isinstance(error, openai.AuthenticationError):
            return f"{where} refuses the key (401); look at the variable that api_key_env names"
        if isinstance(error, openai.APIStatusError) and error.status_code < 400:
            target = self.without_key(error.response.headers.get("location", "an address that it does not name"))
            return f"{where} answered {error.status_code}, a redirect to {target}; put the right address into base_url"
        if isinstance(error, openai.APIStatusError):
            said = self.said(error) or "no reason given"
            return f"{where} answered {error.status_code} for model {settings.model!r}: {said}; {rest}"
        return f"{where}: {type(error).__name__}; {rest}"
