"""A local model as a judge, by the logits of the two labels: every reply is valid, none is parsed."""

from collections.abc import Callable, Sequence
from typing import Any, Literal

from pinch import base_model, modelling
from pinch.config import TransformersJudge
from pinch.errors import PinchError
from pinch.judge.prompting import fill
from pinch.judge.protocol import Question, Reply
from pinch.prompts import read_prompt
from pinch.rows import canonical, digest, read_json


class TransformersEngine:
    """The model is loaded when the first question comes that the cache cannot answer."""

    def __init__(self, settings: TransformersJudge, record: str | None, cache: str, threads: int) -> None:
        if not record:
            raise PinchError("judges: the engine transformers needs --model, the record of a base model")
        self.settings = settings
        self.record = record
        self.cache = cache
        self.threads = threads
        self.prompt = read_prompt(settings.prompt)
        self.digest = str(read_json(record)["digest"])

    def key(self, question: Question) -> str:
        """Prompt and model; the labels' logits have no chance in them."""
        return digest("transformers", self.digest, self.settings.labels, fill(self.prompt, question))

    def cost(self, reply: Reply) -> float | None:
        """Nothing is paid for it."""
        return None

    def _encode(self, tokenizer: Any, text: str) -> list[int]:
        if tokenizer.chat_template:
            return modelling.prompt_ids(tokenizer, text)
        # Without a chat template the model is led to the place where only a label fits.
        return modelling.text_ids(tokenizer, text + "\nAnswer:")

    def _label_ids(self, tokenizer: Any, label: str) -> list[int]:
        """First tokens of a label, with and without a space before it."""
        found = {tokenizer(text, add_special_tokens=False)["input_ids"][0] for text in (label, f" {label}")}
        return sorted(found)

    def ask(self, questions: Sequence[Question], keep: Callable[[int, Reply], None]) -> None:
        """One forward pass a batch. What is too long for the model is invalid, with its length as the reason."""
        import torch

        folder, _ = base_model.open_record(self.record, self.cache)
        modelling.quiet(self.threads)
        model, tokenizer = modelling.load_model(folder), modelling.load_tokenizer(folder, template=False)
        first, second = (self._label_ids(tokenizer, label) for label in self.settings.labels)
        if set(first) & set(second):
            raise PinchError(f"judges: labels {self.settings.labels} begin with the same token; choose others")
        context = getattr(model.config.get_text_config(), "max_position_embeddings", None)
        encoded = [self._encode(tokenizer, fill(self.prompt, question)) for question in questions]
        places = []
        for place, ids in enumerate(encoded):
            if context and len(ids) > context:
                keep(place, Reply("invalid", f"{len(ids)} tokens do not fit the judge's context of {context}"))
            else:
                places.append(place)
        places.sort(key=lambda place: len(encoded[place]))
        for start in range(0, len(places), self.settings.batch_size):
            batch = places[start : start + self.settings.batch_size]
            padded = tokenizer.pad({"input_ids": [encoded[place] for place in batch]}, return_tensors="pt")
            with torch.inference_mode():
                logits = model(**padded.to(model.device), logits_to_keep=1).logits[:, -1].float()
            scores = logits.log_softmax(-1)
            for row, place in enumerate(batch):
                one, two = (float(scores[row, ids].logsumexp(0)) for ids in (first, second))
                raw = canonical(
                    {label: round(score, 3) for label, score in zip(self.settings.labels, (one, two), strict=True)}
                )
                choice: Literal["first", "second", "tie"] = "tie" if one == two else "first" if one > two else "second"
                keep(place, Reply(choice, "logits of the labels", raw, len(encoded[place]), 0))
        print(f"judge: {len(questions)} questions asked of {folder.name}", flush=True)
