"""A local model as a judge, by the logits of the labels: every reply is valid, none is parsed.

The first job of a group of siblings loads the model and asks it for all of them; the others find their replies kept and
load nothing. What is asked is the same either way, and kept batch by batch.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from filelock import FileLock

from pinch import base_model, gpus, modelling
from pinch.cache import refreshing
from pinch.config import TransformersJudge
from pinch.errors import PinchError
from pinch.judge.calls import Completion
from pinch.judge.kept import Kept
from pinch.judge.prompting import fill, largest
from pinch.judge.protocol import Question, Reply, Siblings
from pinch.progress import Progress
from pinch.prompts import labels_of, read_prompt
from pinch.rows import canonical, digest, read_json

TOKENS = 1024
"""Of a question, as `batch_size` counts them: so many such questions, or more of shorter ones, are a batch."""

TOGETHER = 1024
"""Questions, of whole prompts, among which shared beginnings are looked for: some megabytes of token ids."""


class TransformersEngine:
    """The model is loaded when the first question comes that the cache cannot answer."""

    def __init__(
        self,
        settings: TransformersJudge,
        record: str | None,
        cache: str,
        threads: int,
        siblings: Siblings | None = None,
    ) -> None:
        if not record:
            raise PinchError("judges: the engine transformers needs --model, the record of a base model")
        self.settings = settings
        self.record = record
        self.cache = cache
        self.threads = threads
        self.siblings = siblings
        self.prompt = read_prompt(settings.prompt)
        self.labels = labels_of(settings)
        self.digest = str(read_json(record)["digest"])
        self.kept = Kept(cache, settings.model.name)

    def key(self, question: Question) -> str:
        """Prompt and model; the labels' logits have no chance in them."""
        return digest("transformers", self.digest, self.labels, fill(self.prompt, question), question.repeat)

    @cached_property
    def loaded(self) -> tuple[Path, Any, Any]:
        """The model's folder, the model and its tokenizer, once."""
        folder, _ = base_model.open_record(self.record, self.cache)
        modelling.quiet(self.threads)
        from pinch.judge.logits import widen

        model = modelling.load_model(folder)
        widen(model)
        return folder, model, modelling.load_tokenizer(folder, template=False)

    def _encode(self, tokenizer: Any, text: str) -> list[int]:
        if tokenizer.chat_template:
            return modelling.prompt_ids(tokenizer, text)
        # Without a chat template the model is led to the place where only a label fits.
        return modelling.text_ids(tokenizer, text + "\nAnswer:")

    def _label_ids(self, tokenizer: Any, label: str) -> list[int]:
        """First tokens of a label, with and without a space before it."""
        found = {tokenizer(text, add_special_tokens=False)["input_ids"][0] for text in (label, f" {label}")}
        return sorted(found)

    def ask(self, questions: Sequence[Question]) -> list[Reply]:
        """The label with the largest probability as the next token; what is too long for the model is invalid.

        Raises PinchError where two labels begin with the same token.
        """
        keys = [self.key(question) for question in questions]
        known = self.kept.completions(dict.fromkeys(keys))
        new = {key: question for key, question in zip(keys, questions, strict=True) if key not in known}
        if new:
            # Before the turn: who has it must not wait for a GPU that is held by who waits for the turn.
            gpus.take()
            with self._turn():
                # Who waited here may find that a sibling has asked for all.
                known |= self.kept.completions(new)
                new = {key: question for key, question in new.items() if key not in known}
                if new:
                    for completions in self._complete(self._with_siblings(new)):
                        self.kept.keep_many(completions)
                        known |= {key: completion for key, completion in completions.items() if key in new}
        replies = []
        for key in keys:
            replies.append(self._reply(known[key], key not in new))
            new.pop(key, None)
        return replies

    def _turn(self) -> FileLock:
        """Held by whoever loads the model for a group of siblings."""
        folder = Path(self.cache) / "judging"
        folder.mkdir(parents=True, exist_ok=True)
        return FileLock(folder / f".{self.digest[:16]}-{self.siblings.group if self.siblings else 'alone'}.lock")

    def _with_siblings(self, new: Mapping[str, Question]) -> dict[str, Question]:
        """What is to be asked: what is new, and what the siblings will ask that is not kept either."""
        # Who asks to go past the caches means this job's own questions.
        if self.siblings is None or refreshing():
            return dict(new)
        theirs = {self.key(question): question for question in self.siblings.questions()}
        there = self.kept.completions(theirs)
        return {**new, **{key: question for key, question in theirs.items() if key not in there}}

    def _reply(self, completion: Completion, cached: bool) -> Reply:
        if completion.refused is not None:
            return Reply("invalid", completion.refused, calls=int(not cached), cached=int(cached))
        assert completion.logprobs is not None
        return Reply(
            largest([completion.logprobs[label] for label in self.labels]),
            "logits of the labels",
            canonical(completion.logprobs),
            completion.tokens_in,
            calls=int(not cached),
            cached=int(cached),
        )

    def _complete(self, questions: Mapping[str, Question]) -> Iterator[dict[str, Completion]]:
        """A batch at a time, of questions by their keys; the log probabilities are those of the labels."""
        folder, model, tokenizer = self.loaded
        starts = [self._label_ids(tokenizer, label) for label in self.labels]
        if len({token for ids in starts for token in ids}) < sum(map(len, starts)):
            raise PinchError(f"judges: labels {', '.join(self.labels)} begin with the same token; choose others")
        from pinch.judge.logits import next_logprobs

        context = getattr(model.config.get_text_config(), "max_position_embeddings", None)
        progress = Progress(f"judge: {folder.name}", len(questions), "questions")
        for some in _together(questions):
            encoded = {key: self._encode(tokenizer, fill(self.prompt, questions[key])) for key in some}
            fitting = [key for key, ids in encoded.items() if not context or len(ids) <= context]
            for key in encoded.keys() - set(fitting):
                said = f"{len(encoded[key])} tokens do not fit the judge's context of {context}"
                yield {key: Completion(refused=said)}
                progress.add(1)
            sequences = [encoded[key] for key in fitting]
            for places, scores in next_logprobs(model, sequences, TOKENS * self.settings.batch_size):
                masses = [scores[:, ids].logsumexp(-1).tolist() for ids in starts]
                # Rounded to what float32 knows of them. Coarser steps would make no verdict surer: the order of two
                # labels that are near each other would hang on where a step falls.
                logprobs = [
                    dict(zip(self.labels, (round(mass, 6) for mass in row), strict=True))
                    for row in zip(*masses, strict=True)
                ]
                yield {
                    fitting[place]: Completion(tokens_in=len(sequences[place]), logprobs=row)
                    for place, row in zip(places, logprobs, strict=True)
                }
                progress.add(len(places))
        progress.close()
        print(f"judge: {len(questions)} questions asked of {folder.name}", flush=True)


def _together(questions: Mapping[str, Question]) -> Iterator[list[str]]:
    """Keys of the questions of some whole prompts at a time."""
    prompts: dict[str, list[str]] = {}
    for key, question in questions.items():
        prompts.setdefault(question.instruction, []).append(key)
    some: list[str] = []
    for keys in prompts.values():
        some += keys
        if len(some) >= TOGETHER:
            yield some
            some = []
    if some:
        yield some
