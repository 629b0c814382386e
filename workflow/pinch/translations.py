"""Which translations an experiment needs, where they are, and with which settings they are made."""

from collections.abc import Mapping, Set
from pathlib import Path

from pinch.config import Config
from pinch.config.translation import LLM, TRANSPORT, Remote, Seq2Seq, WebEngine
from pinch.errors import PinchError
from pinch.prompts import TRANSLATION_FIELDS, read_prompt
from pinch.rows import canonical, digest

SPLITS = ("train", "eval")


class Translations:
    """What the rule translate asks. Raises PinchError, naming the key, where the config does not fit itself."""

    def __init__(self, config: Config, results: str, needed: Mapping[str, Set[str]]) -> None:
        """`needed` are the languages of each split in which the experiment has rows, the pivot perhaps among them."""
        self.config = config
        self.settings = config.translate
        self.results = results
        self.needed = needed
        self._check()

    def languages(self, split: str) -> list[str]:
        """Languages other than the pivot into which a split is brought."""
        needed = set(self.needed[split])
        if split == "train" and self.settings.gate.train == "drop":
            needed |= set(self.parallel_over)
        return [lang for lang in self.config.languages if lang in needed and lang != self.config.pivot]

    @property
    def parallel_over(self) -> list[str]:
        """The languages, the pivot aside, in which a row must pass the gate to be in any training set."""
        named = self.settings.parallel_over or []
        return [lang for lang in self.config.languages if lang in named and lang != self.config.pivot]

    def memory(self, split: str, lang: str) -> str:
        """The user's translation memory, or "" where there is none: a language with engines need not have one."""
        path = (self.settings.memory or "").replace("{split}", split).replace("{lang}", lang)
        return "" if self.settings.chain(lang) and not Path(path).is_file() else path

    def price(self, lang: str) -> float | None:
        """US dollars a character of the engine that is asked first, where it has a price of characters."""
        first = next(iter(self.settings.chain(lang)), None)
        price = first.usd_per_million_characters if isinstance(first, WebEngine) else None
        return None if price is None else price / 1e6

    def file(self, split: str, lang: str) -> str:
        """The translated rows."""
        return f"{self.results}/translations/{split}/{lang}.jsonl"

    def record(self, split: str, lang: str) -> str:
        """Their counts, flags and costs."""
        return f"{self.results}/translations/{split}/{lang}.json"

    def inputs(self, split: str, lang: str) -> dict[str, str]:
        """Inputs of translate: the pivot's own data need no memory."""
        inputs = {"source": f"{self.results}/sources/{split}.jsonl"}
        memory = self.memory(split, lang)
        return {**inputs, "memory": memory} if memory and lang != self.config.pivot else inputs

    def gated(self) -> list[str]:
        """The records that say which rows are in no training set."""
        return [self.record("train", lang) for lang in self.parallel_over] if self.settings.gate.train == "drop" else []

    def report_inputs(self) -> list[str]:
        """What the report on all translations is made from."""
        there = [(split, lang) for split in SPLITS for lang in self.languages(split)]
        sources = [f"{self.results}/sources/{split}.jsonl" for split in SPLITS]
        return sources + [name(split, lang) for split, lang in there for name in (self.file, self.record)]

    def report(self) -> list[str]:
        """The report, where anything is translated."""
        any_language = any(self.languages(split) for split in SPLITS)
        return [f"{self.results}/translations/report.{kind}" for kind in ("html", "csv")] if any_language else []

    # --- with which settings: canonical JSON, because Snakemake compares params as text ---

    def engines(self, lang: str) -> str:
        """The chain of engines for a language, as far as it makes the translations."""
        chain = self.settings.chain(lang) if lang != self.config.pivot else []
        return canonical([spec.model_dump(exclude_none=True, exclude=set(TRANSPORT)) for spec in chain])

    def prompts(self, lang: str) -> str:
        """The digests of the prompts of language models, so that an edit of the text translates anew."""
        chain = self.settings.chain(lang) if lang != self.config.pivot else []
        found = [spec.prompt for spec in chain if isinstance(spec, LLM)]
        return canonical([digest(read_prompt(name, TRANSLATION_FIELDS, "translate.engines")) for name in found])

    def transport(self, lang: str) -> str:
        """The rest of their settings: where, how fast, at what price. A change of it translates nothing anew."""
        chain = self.settings.chain(lang) if lang != self.config.pivot else []
        return canonical([spec.model_dump(exclude_none=True, include=set(TRANSPORT)) for spec in chain])

    def gate(self, split: str) -> str:
        """What becomes of a split's flagged rows."""
        settings = self.settings.gate.model_dump()
        return canonical({key: value for key, value in settings.items() if key in (split, "ignore", "limit")})

    @property
    def environment(self) -> str:
        """The environment of the rule: that with torch if a model of this machine translates into any language."""
        return "torch" if any(isinstance(spec, Seq2Seq) for spec in self.settings.engines) else "light"

    def needs_torch(self, lang: str) -> bool:
        """Whether an engine for a language runs a model on this machine."""
        return lang != self.config.pivot and any(isinstance(spec, Seq2Seq) for spec in self.settings.chain(lang))

    def calls(self, lang: str) -> int:
        """How many requests a job has in flight at most."""
        chain = self.settings.chain(lang) if lang != self.config.pivot else []
        return max((spec.concurrency for spec in chain if isinstance(spec, Remote)), default=0)

    def _check(self) -> None:
        known = ", ".join(self.config.languages)
        named = [("translate.parallel_over", self.settings.parallel_over or [])]
        for index, spec in enumerate(self.settings.engines):
            named.append((f"translate.engines[{index}].languages", spec.languages or []))
        for key, langs in named:
            for lang in langs:
                if lang not in self.config.languages:
                    raise PinchError(f"{key}: {lang} is not among languages ({known}); add it there too")
        for split in SPLITS:
            for lang in self.languages(split):
                if not self.settings.chain(lang) and not self.settings.memory:
                    raise PinchError(
                        f"translate.engines: none serves {lang}; add it to the `languages` of one, or name a memory"
                    )
