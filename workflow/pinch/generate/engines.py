"""Who decodes: transformers in this process, vLLM in this process, or a server."""

import argparse
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from pinch.config import Generate
from pinch.generate.rows_of_base import Model
from pinch.rows import GenerationRow, TranslatedRow

Respond = Callable[[Sequence[TranslatedRow]], list[GenerationRow]]
"""Responses in the order of the prompts, which are of one language."""


class Engine(Protocol):
    """Loads a base model at most once, and responds as it and as what was tuned from it."""

    def responding(self, model: Model) -> AbstractContextManager[Respond]:
        """Responds as `model` within the block. Raises PinchError where it cannot be had."""

    def ready(self, model: Model) -> str:
        """What was made ready, for the log: "model loaded"."""

    def close(self) -> None:
        """Let go of what is held."""


def make_engine(settings: Generate, arguments: argparse.Namespace) -> Engine:
    """The engine of the settings; what it needs is imported here and not by the others."""
    if settings.engine == "transformers":
        from pinch.generate.transformers_engine import TransformersEngine

        return TransformersEngine(settings, arguments.base, arguments.cache, arguments.threads)
    if settings.engine == "vllm":
        from pinch.generate.vllm_engine import VllmEngine

        return VllmEngine(settings, arguments.base, arguments.cache)
    from pinch.generate.endpoint_engine import EndpointEngine

    return EndpointEngine(settings, arguments.base, arguments.cache)
