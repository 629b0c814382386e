"""How many tokens the rows of each language have, under the tokenizer of a base model."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from pinch import modelling
from pinch.base_model import weights_folder
from pinch.config import BaseModelSpec, Finetune
from pinch.config.plan import Plan as Settings
from pinch.errors import PinchError
from pinch.experiment import Experiment
from pinch.plan.amounts import LanguageTokens
from pinch.plan.texts import Text, Texts
from pinch.plan.work import Training

SAMPLE = 200
"""Rows of a language that are tokenised: the mean of a row is then known to some 5 %, in a second or two."""

BYTES_PER_TOKEN = 4
"""Of UTF-8: English letters are one byte, Cyrillic ones two, Chinese characters three, and cost about as much more."""

Pair = tuple[float, float]
"""Tokens of a training row up to where its response begins, and of the whole row."""


@dataclass(frozen=True)
class Length:
    """The rows of one language."""

    rows: tuple[Pair, ...]
    """Of training, before any cut."""
    instruction: float
    """Mean tokens of an evaluation instruction, bare."""
    origin: str
    exact: bool = True

    def training(self, settings: Finetune) -> float:
        """Mean tokens of a training row after the cuts that the settings say."""
        most = settings.max_response_length
        return fmean(min(whole, settings.max_length, prompt + most if most else whole) for prompt, whole in self.rows)

    def scaled(self, by: float, instruction: float, origin: str) -> "Length":
        """The same rows, longer by a factor."""
        rows = tuple((prompt * by, whole * by) for prompt, whole in self.rows)
        return Length(rows, instruction, origin, exact=False)


class Counter:
    """Counts as finetune does, without torch: the tokenizer alone, and our chat template.

    One thing is simpler: a text that holds the name of a special token counts as that token. Where there is no
    tokenizer, every BYTES_PER_TOKEN bytes of UTF-8 count as one, which the word assumed goes with.
    """

    def __init__(self, folder: Path) -> None:
        from jinja2.sandbox import ImmutableSandboxedEnvironment

        file = folder / "tokenizer.json"
        self.tokenizer = _tokenizer(file) if file.is_file() else None
        environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)
        self.template = environment.from_string(modelling.TEMPLATE.read_text(encoding="utf-8"))
        self.special = {f"{name}_token": _special(folder, f"{name}_token") for name in ("bos", "eos")}

    def _shown(self, *turns: dict[str, str], prompt: bool = False) -> str:
        return self.template.render(messages=turns, add_generation_prompt=prompt, **self.special)

    def count(self, texts: Sequence[str]) -> list[float]:
        """Tokens of each text, without those that the tokenizer would put around it."""
        if self.tokenizer is None:
            return [len(text.encode("utf-8", "replace")) / BYTES_PER_TOKEN for text in texts]
        return [len(found.ids) for found in self.tokenizer.encode_batch(list(texts), add_special_tokens=False)]

    def rows(self, texts: Sequence[Text]) -> tuple[Pair, ...]:
        """Each as a training row."""
        users = [{"role": "user", "content": text.instruction} for text in texts]
        prompts = self.count([self._shown(user, prompt=True) for user in users])
        wholes = self.count(
            [
                self._shown(user, {"role": "assistant", "content": text.response})
                for user, text in zip(users, texts, strict=True)
            ]
        )
        return tuple(zip(prompts, wholes, strict=True))

    def origin(self, rows: int) -> str:
        """How rows were counted."""
        return f"tokenised, {rows} rows" if self.tokenizer else f"assumed: {BYTES_PER_TOKEN} bytes a token, {rows} rows"


def _tokenizer(file: Path) -> Any:
    from tokenizers import Tokenizer

    try:
        tokenizer = Tokenizer.from_file(str(file))
    except Exception as error:  # a bare Exception is what the library raises
        raise PinchError(f"{file}: the tokenizer cannot be loaded: {error}") from None
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def _special(folder: Path, name: str) -> str:
    file = folder / "tokenizer_config.json"
    found = json.loads(file.read_text(encoding="utf-8")).get(name) if file.is_file() else None
    return str(found.get("content", "") if isinstance(found, dict) else found or "")


def _sample(texts: Sequence[Text]) -> list[Text]:
    """Evenly over the rows, so that translations of the same rows are compared."""
    if len(texts) <= SAMPLE:
        return list(texts)
    return [texts[place * len(texts) // SAMPLE] for place in range(SAMPLE)]


def lengths(
    experiment: Experiment, texts: Texts, spec: BaseModelSpec, trainings: Sequence[Training], assumed: Settings
) -> dict[str, Length]:
    """The rows of every language of the experiment: tokenised, else as finished trainings counted them, else by their
    bytes; where there is no text in a language, scaled from the pivot's; and without any text, assumed."""
    counter = Counter(weights_folder(spec, experiment.cache))
    finished = _finished(trainings)
    found: dict[str, Length] = {}
    for lang in experiment.config.languages:
        rows = _sample([text for text in texts.rows("train", lang) if text.response])
        if lang in finished and (counter.tokenizer is None or not rows):
            found[lang] = finished[lang]
        elif rows:
            bare = counter.count([text.instruction for text in _sample(texts.rows("eval", lang)) or rows])
            exact = counter.tokenizer is not None
            found[lang] = Length(counter.rows(rows), fmean(bare), counter.origin(len(rows)), exact)
    return {lang: found.get(lang) or _unknown(lang, found, experiment, assumed) for lang in experiment.config.languages}


def _finished(trainings: Sequence[Training]) -> dict[str, Length]:
    """Tokens of a row by language, from the manifests of trainings."""
    totals: dict[str, list[int]] = {}
    for training in trainings:
        counts: dict[str, Any] = (training.manifest or {}).get("tokens_per_epoch", {})
        for lang, rows in counts.get("rows", {}).items():
            total = totals.setdefault(lang, [0, 0, 0])
            for place, number in enumerate((rows, counts["tokens"][lang], counts["response_tokens"][lang])):
                total[place] += number
    return {
        lang: Length(
            (((tokens - response) / rows, tokens / rows),),
            (tokens - response) / rows,
            f"finished trainings, {rows} rows",
        )
        for lang, (rows, tokens, response) in totals.items()
        if rows
    }


def _unknown(lang: str, found: dict[str, Length], experiment: Experiment, assumed: Settings) -> Length:
    pivot = experiment.config.pivot
    start = found.get(pivot)
    if start is None:
        prompt, response = assumed.tokens_per_instruction, assumed.tokens_per_response
        return Length(((prompt, prompt + response),), prompt, "assumed", exact=False)
    others = [found[lang] for lang in found if lang != pivot]
    if not others:
        return start.scaled(1, start.instruction, f"as {pivot}, a lower bound for most languages")
    tokens = fmean(whole for _, whole in start.rows)
    by = fmean(fmean(whole for _, whole in other.rows) / tokens for other in others)
    some = f"{len(others)} other languages" if len(others) > 1 else "1 other language"
    return start.scaled(by, start.instruction * by, f"scaled from {pivot} by {by:.2f}, as {some}")


def table(base: str, found: dict[str, Length], settings: Finetune) -> list[LanguageTokens]:
    """What each language costs."""
    return [
        LanguageTokens(base, lang, round(length.training(settings), 1), round(length.instruction, 1), length.origin)
        for lang, length in found.items()
    ]
