"""Which verdicts an experiment needs: from which judges, with which settings, and how those judges are audited.

The rules judge, jury and audit ask this module, as those of translation ask pinch.translations.
"""

import re
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from pinch.asked import words
from pinch.config import AnyJudge, Config, Jury, LanguageModelJudge, OpenAIJudge, TransformersJudge
from pinch.config.judges import TRANSPORT
from pinch.errors import PinchError
from pinch.prompts import read_prompt
from pinch.rows import LabelledRow, canonical, digest, read_rows

RESOURCES = Path(__file__).parents[2] / "resources"

SAMPLED_CELLS = 3
"""Of a language, from which the audit draws what it asks again: the first ones, so that it waits for few, and training
sets that join an experiment change nothing."""

Cells = Callable[[str], list[tuple[str, str, str]]]
"""From a language to its judged cells in the order of the matrix: base, training set, seed."""


class Judging:
    """The judges of a config. Raises PinchError, naming the key, where one cannot be asked as it says."""

    def __init__(self, config: Config, results: str, columns: Sequence[str], cells: Cells) -> None:
        self.config = config
        self.results = results
        self.columns = columns
        self.cells = cells
        self.judges: dict[str, AnyJudge] = {judge.name: judge for judge in config.judges}

    # --- verdicts ---

    def pattern(self, juries: bool) -> str:
        """Names of the judges that are juries, or of those that are none, as a regular expression."""
        names = [name for name, judge in self.judges.items() if isinstance(judge, Jury) == juries]
        # Where there is none, a pattern that nothing matches.
        return "|".join(map(re.escape, names)) or r"(?!)"

    def members(self, jury: str) -> list[str]:
        """Of a jury."""
        settings = self.judges[jury]
        assert isinstance(settings, Jury)
        return settings.members

    def setting(self, name: str) -> str:
        """What a judge's verdicts depend on; canonical JSON."""
        return canonical(self.judges[name].model_dump(exclude={"name", *TRANSPORT}, exclude_none=True))

    def transport(self, name: str) -> str:
        """How its calls travel and what they cost; canonical JSON."""
        return canonical(self.judges[name].model_dump(include=set(TRANSPORT), exclude_none=True))

    def prompt(self, name: str) -> str:
        """The digest of a judge's prompt, so that an edit of the text reruns its verdicts; the rubric has none."""
        settings = self.judges[name]
        return digest(read_prompt(settings.prompt)) if isinstance(settings, LanguageModelJudge) else ""

    def needs_torch(self, name: str) -> bool:
        """Whether a judge runs a model on this machine."""
        return isinstance(self.judges[name], TransformersJudge)

    def model(self, name: str) -> dict[str, str]:
        """The input that a local judge's model is."""
        settings = self.judges[name]
        if not isinstance(settings, TransformersJudge):
            return {}
        return {"model": f"{self.results}/base_models/{settings.model.name}.json"}

    def arguments(self, name: str, lang: str) -> str:
        """Who judges, how and what, as arguments of `python -m pinch judge`; a judge's verdicts depend on them."""
        return words(
            name=name,
            settings=self.setting(name),
            **self.model(name),
            spending=self.spending,
            lang=lang,
            # The responses were given to them, so that they are there, and no newer.
            prompts=f"{self.results}/translations/eval/{lang}.jsonl",
            # Of the same name whatever is in them: another row, price or address is no reason to judge again.
            column=f"{self.results}/arguments/judge/{lang}.json",
            transport=f"{self.results}/arguments/transport/judges/{name}.json",
        )

    def priority(self, name: str) -> int:
        """A model of this machine judges when nothing else is ready, so that one load serves all there is by then."""
        return -1 if self.needs_torch(name) else 0

    def audit_priority(self, name: str) -> int:
        """Its audits come last, for the same reason."""
        return 2 * self.priority(name)

    def local(self) -> list[str]:
        """The judges that run on this machine."""
        return [name for name in self.judges if self.needs_torch(name)]

    def gpus(self, name: str) -> int:
        """How many a judge takes."""
        return int(self.needs_torch(name))

    def calls(self, name: str) -> int:
        """How many to an endpoint a job of it has in flight, so that a limit over the whole run can count them."""
        settings = self.judges[name]
        return settings.concurrency if isinstance(settings, OpenAIJudge) and not settings.batch else 0

    def threads(self, cores: int, name: str) -> int:
        """How many of the cores: a model of this machine takes them all."""
        return cores if self.needs_torch(name) else 1

    @property
    def spending(self) -> str:
        """The ledger of what judges have cost in this experiment."""
        return f"{self.results}/spending.sqlite"

    # --- the audit ---

    @property
    def labelled_file(self) -> Path:
        """The labelled set, ours or the user's."""
        ours = RESOURCES / self.config.audit.labelled
        if not ours.is_file():
            return Path(self.config.audit.labelled)
        # Relative where it can be: a checkout that has moved has not changed.
        return ours.relative_to(Path.cwd()) if ours.is_relative_to(Path.cwd()) else ours

    @cached_property
    def labelled_languages(self) -> frozenset[str]:
        """The languages that the labelled set has pairs in. Raises PinchError where the file does not serve."""
        try:
            return frozenset(row.lang for row in read_rows(self.labelled_file, LabelledRow))
        except PinchError as error:
            raise PinchError(f"audit.labelled: {error}") from None

    def audited_languages(self) -> list[str]:
        """The evaluation languages in which somebody is judged."""
        return [lang for lang in self.columns if self.cells(lang)]

    def audit(self, judge: str, lang: str) -> str:
        """The numbers of one audit."""
        return f"{self.results}/audits/{judge}/{self.config.judge.baseline}/{lang}.json"

    def audits(self, judge: str, langs: Sequence[str] | None = None) -> list[str]:
        """The numbers of a judge's audits in some languages; in all unless given."""
        audited = self.audited_languages()
        return [self.audit(judge, lang) for lang in (audited if langs is None else langs) if lang in audited]

    def audit_inputs(self, judge: str, lang: str, prompts: str, baseline: Callable[[str], str]) -> dict[str, Any]:
        """What the audit asks about: labelled pairs, or responses to make contrasts of, and cells to ask again.

        `prompts` is the file of the language's, `baseline` tells the training set that candidates are compared with.
        """
        inputs: dict[str, Any] = self.model(judge)
        audited, settings = self.cells(lang), self.config.audit
        base, _, seed = audited[0]

        def responses(mixture: str, where: str, base: str = base, seed: str = seed) -> str:
            return f"{self.results}/generations/{base}/{mixture}/{seed}/{where}.jsonl"

        if lang in self.labelled_languages:
            inputs["labelled"] = str(self.labelled_file)
        elif settings.contrast:
            inputs["contrast"] = responses(baseline(lang), lang)
            others = [other for other in self.columns if other != lang]
            if others:
                inputs["other"] = responses(baseline(others[0]), others[0])
        if settings.repeats:
            inputs["prompts"] = prompts
            inputs["repeat"] = [
                file
                for base, mixture, seed in audited[:SAMPLED_CELLS]
                for file in (
                    f"{self.results}/judgments/{judge}/{self.config.judge.baseline}/{base}/{mixture}/{seed}/{lang}.jsonl",
                    responses(mixture, lang, base, seed),
                    responses(baseline(lang), lang, base, seed),
                )
            ]
        return inputs

    def audit_arguments(self, inputs: Any) -> list[str]:
        """The same as arguments of `python -m pinch audit`; `inputs` as Snakemake has them."""
        # Whether a key is "in" Snakemake's inputs asks for a file of that name.
        there = [key for key in ("model", "labelled", "contrast", "other", "prompts") if key in inputs.keys()]  # noqa: SIM118
        words = [str(word) for key in there for word in (f"--{key}", inputs[key])]
        files = list(inputs["repeat"]) if "repeat" in inputs.keys() else []  # noqa: SIM118
        for start in range(0, len(files), 3):
            words += ["--repeat", *files[start : start + 3]]
        return words
