"""transformers in this process, on the GPU where there is one: one base in memory, adapters put onto it in turn."""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from pinch import base_model, modelling
from pinch.config import Generate
from pinch.decoding import decode
from pinch.decoding.linear import keep, replaced
from pinch.generate.adapter import Adapter, is_adapter
from pinch.generate.engines import Respond
from pinch.generate.rows_of_base import Model


class TransformersEngine:
    """The engine `transformers`."""

    def __init__(self, settings: Generate, record: str, cache: str, threads: int) -> None:
        self.settings = settings
        self.base, _ = base_model.open_record(record, cache)
        modelling.quiet(threads)
        self.pool = ThreadPoolExecutor(1)
        self.folder: Path | None = None
        self.model: Any = None
        self.tokenizer: Future[Any] | None = None
        self.loaded = False
        self.laid_out = ExitStack()

    def _load(self, folder: Path) -> None:
        self.loaded = folder != self.folder
        if self.loaded:
            self.laid_out.close()
            self.model = None
            self.model = modelling.load_model(folder)
            self.folder = folder
            # Reading a vocabulary of 262,144 takes as long as laying out the weights, which needs no Python meanwhile.
            self.tokenizer = self.pool.submit(modelling.load_tokenizer, folder)
            # No adapter touches the head, which is most of a small model: it is laid out once for all of them.
            self.laid_out.enter_context(replaced(self.model.get_output_embeddings(), keep))

    @contextmanager
    def responding(self, model: Model) -> Iterator[Respond]:
        """An adapter's product is added to the weights that it was trained on, in float32, and rounded once.

        The base's own weights stay as they are, so that the next model starts from the same ones.
        """
        adapter = model.weights if model.weights is not None and is_adapter(model.weights) else None
        self._load(self.base if model.weights is None or adapter else model.weights)
        weights = Adapter(adapter, self.model) if adapter else keep
        with replaced(self.model, weights):
            assert self.tokenizer is not None
            tokenizer = self.tokenizer.result()
            yield lambda prompts: decode(self.model, tokenizer, prompts, self.settings, model.seed, model.chat)

    def ready(self, model: Model) -> str:
        """Of the last model."""
        return "model loaded" if self.loaded else "adapter changed"

    def close(self) -> None:
        """Let go of the model."""
        self.laid_out.close()
        self.pool.shutdown()
