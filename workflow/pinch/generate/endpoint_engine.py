"""A server that speaks OpenAI's completions (vLLM, llama.cpp): models by name, and no model loaded here.

Prompts go as token ids: what looks like a marker in a text stays text, as in training, whatever the server makes of it.
"""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import openai
from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_attempt, wait_exponential_jitter

from pinch import base_model, modelling
from pinch.config import Generate
from pinch.decoding import encode
from pinch.decoding.sampling import integer
from pinch.endpoint import Endpoint
from pinch.errors import PinchError
from pinch.generate.adapter import is_adapter
from pinch.generate.engines import Respond
from pinch.generate.facts import context_length
from pinch.generate.rows_of_base import Model
from pinch.progress import Progress
from pinch.rows import GenerationRow, TranslatedRow

REST = "cells that were finished are kept, run again to go on"

FIRST_PAUSE = 0.5
LONGEST_PAUSE = 8.0
"""Seconds, as the client itself pauses after a 429 or 5xx without Retry-After."""


class NoCompletionError(Exception):
    """Something came, with status 200, that is no completion: a page of HTML, half of one."""


class EndpointEngine:
    """The engine `endpoint`."""

    def __init__(self, settings: Generate, record: str, cache: str) -> None:
        """Raises PinchError where the key is not in the environment."""
        assert settings.endpoint is not None, "checked with the config"
        self.settings, self.options = settings, settings.endpoint
        self.endpoint = Endpoint(self.options, "generate.endpoint")
        folder, _ = base_model.open_record(record, cache, verify=False)  # the server has the weights
        self.tokenizer = modelling.load_tokenizer(folder)
        self.context = context_length(folder)

    def _name(self, model: Model) -> str:
        """What the server calls a model."""
        if model.weights is None:
            return self.options.model
        name = self.options.adapter.format(base=model.base, mixture=model.mixture, seed=model.seed)
        # A name that is loaded already must stand for the same weights.
        return f"{name}-{model.digest[:12]}" if self.options.load_adapters else name

    @contextmanager
    def responding(self, model: Model) -> Iterator[Respond]:
        """Where asked to, the server is told to load the adapter, and to let go of it afterwards."""
        name = self._name(model)
        loads = self.options.load_adapters and model.weights is not None
        if loads:
            assert model.weights is not None
            if not is_adapter(model.weights):
                raise PinchError("generate.endpoint.load_adapters: only adapters can be loaded (finetune.method: lora)")
            self._tell("load_lora_adapter", {"lora_name": name, "lora_path": str(model.weights.absolute())})
        try:
            yield lambda prompts: self._respond(prompts, model, name)
        finally:
            if loads:
                self._tell("unload_lora_adapter", {"lora_name": name})

    def _tell(self, what: str, body: dict[str, str]) -> None:
        try:
            self.endpoint.client.post(f"/{what}", body=body, cast_to=str)
        except openai.BadRequestError as error:
            if "already" not in self.endpoint.said(error):
                raise PinchError(self.endpoint.explain(error, REST)) from None
        except openai.NotFoundError as error:
            if what.startswith("unload"):
                return
            raise PinchError(
                f"{self.endpoint.explain(error, REST)}; a vLLM server loads adapters with --enable-lora and "
                "VLLM_ALLOW_RUNTIME_LORA_UPDATING=1 alone"
            ) from None
        except openai.OpenAIError as error:
            raise PinchError(self.endpoint.explain(error, REST)) from None

    def _respond(self, prompts: Sequence[TranslatedRow], model: Model, name: str) -> list[GenerationRow]:
        encoded = encode(self.tokenizer, prompts, model.chat, self.settings.max_new_tokens, self.context)
        bodies = [self._body(prompt, ids, name, model) for prompt, ids in zip(prompts, encoded, strict=True)]
        responses, failures = asyncio.run(self._send(prompts, bodies))
        if failures:
            prompt, error = failures[0]
            if isinstance(error, openai.OpenAIError):
                raise PinchError(f"prompt {prompt.id!r}: {self.endpoint.explain(error, REST)}") from None
            if isinstance(error, NoCompletionError):
                raise PinchError(
                    f"generate.endpoint: {self.endpoint.base_url} answered with something that is no completion "
                    f"({error}), {self.options.retries + 1} times; is base_url right (most end in /v1)? {REST}"
                ) from None
            raise error
        return [responses[place] for place in range(len(prompts))]

    def _body(self, prompt: TranslatedRow, ids: list[int], name: str, model: Model) -> dict[str, Any]:
        settings = self.settings
        body: dict[str, Any] = {
            "model": name,
            "prompt": ids,
            "max_tokens": settings.max_new_tokens,
            "temperature": settings.temperature,
        }
        if settings.temperature:
            # llama.cpp samples from the 40 likeliest unless told otherwise.
            body |= {"top_p": settings.top_p, "seed": integer(model.seed, prompt.lang, prompt.id)}
            body["extra_body"] = {"top_k": 0, "min_p": 0.0}
        return body

    async def _send(
        self, prompts: Sequence[TranslatedRow], bodies: Sequence[dict[str, Any]]
    ) -> tuple[dict[int, GenerationRow], list[tuple[TranslatedRow, Exception]]]:
        responses: dict[int, GenerationRow] = {}
        failures: list[tuple[TranslatedRow, Exception]] = []
        waiting = iter(enumerate(bodies))
        progress = Progress("generate", len(prompts), "responses")
        async with self.endpoint.open() as client:

            async def work() -> None:
                for place, body in waiting:
                    try:
                        responses[place] = await self._complete(client, prompts[place], body)
                    except Exception as error:
                        failures.append((prompts[place], error))
                    if failures:
                        return
                    progress.add(1)

            async with asyncio.TaskGroup() as group:
                for _ in range(min(self.options.concurrency, len(bodies))):
                    group.create_task(work())
        progress.close()
        return responses, failures

    async def _complete(self, client: openai.AsyncOpenAI, prompt: TranslatedRow, body: dict[str, Any]) -> GenerationRow:
        retrying = AsyncRetrying(
            retry=retry_if_exception_type(NoCompletionError),
            stop=stop_after_attempt(self.options.retries + 1),
            wait=wait_exponential_jitter(multiplier=FIRST_PAUSE, max=LONGEST_PAUSE, jitter=FIRST_PAUSE),
            reraise=True,
        )
        create: Any = client.completions.create
        async for attempt in retrying:
            with attempt:
                return self._read(prompt, await create(**body))
        raise AssertionError("the last attempt ends with a completion or an exception")

    def _read(self, prompt: TranslatedRow, said: Any) -> GenerationRow:
        try:
            choice, tokens = said.choices[0], said.usage.completion_tokens
            text, reason = choice.text, choice.finish_reason
        except (AttributeError, TypeError, IndexError):
            raise NoCompletionError("no text or no count of tokens") from None
        if not isinstance(text, str) or not isinstance(tokens, int) or reason not in ("stop", "length"):
            raise NoCompletionError(f"finish_reason {reason!r}")
        # Half of a surrogate pair, from a response cut off inside an emoji, could not be written down.
        clean = self.endpoint.without_key(text.encode("utf-8", "replace").decode("utf-8")).strip()
        return GenerationRow(
            id=prompt.id,
            lang=prompt.lang,
            instruction=prompt.instruction,
            response=clean,
            finish_reason=reason,
            n_tokens=tokens,
        )

    def ready(self, model: Model) -> str:
        """Of the last model."""
        return f"{self._name(model)} at {self.endpoint.base_url} asked"

    def close(self) -> None:
        """Nothing is held between cells."""
