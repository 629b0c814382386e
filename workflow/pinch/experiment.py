"""What an experiment consists of: its training sets, its baselines, its cells, and where their files are.

Everything here follows from the config alone; the rules of the workflow ask this module and decide nothing.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from pinch.config import BaseModelSpec, Config, LanguageModelJudge, Seed, TransformersJudge
from pinch.designs import UNTUNED, TrainingSet, check_languages, expand_designs, mixture_name, monolingual
from pinch.errors import PinchError
from pinch.prompts import read_prompt
from pinch.rows import SourceRow, canonical, digest, read_rows


@dataclass(frozen=True)
class Cell:
    """One candidate evaluated in one language."""

    base: str
    mixture: str
    seed: str
    lang: str


class Experiment:
    """A config, expanded. Raises PinchError, naming the key, where its parts do not fit each other."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.results = config.results.rstrip("/")
        self.cache = config.cache.rstrip("/")
        check_languages(config)
        self.rows = expand_designs(config, self.n_rows)
        self._check_baseline()

    # --- what there is ---

    @property
    def columns(self) -> list[str]:
        """Evaluation languages."""
        return self.config.evaluation_languages

    @cached_property
    def n_rows(self) -> int:
        """Rows of a training set."""
        if self.config.mixture.rows:
            return self.config.mixture.rows
        try:
            return len(read_rows(self.config.data.train, SourceRow))
        except PinchError as error:
            raise PinchError(f"data.train: {error}") from None

    @cached_property
    def training_sets(self) -> dict[str, TrainingSet]:
        """All that is trained or evaluated: the rows of the matrix, then the baselines that are no row."""
        known = dict(self.rows)
        if self.config.judge.baseline == "monolingual":
            for lang in self.columns:
                name = self.baseline(lang)
                if name not in known:
                    known[name] = monolingual(self.config, self.n_rows, lang)
        return known

    @property
    def base_models(self) -> dict[str, BaseModelSpec]:
        """Every pretrained model that is needed, those of local judges too, by name."""
        specs = {spec.name: spec for spec in self.config.base_models}
        for judge in self.config.judges:
            if isinstance(judge, TransformersJudge) and specs.setdefault(judge.model.name, judge.model) != judge.model:
                raise PinchError(f"judges: {judge.name}: its model has the name {judge.model.name!r} of another model")
        return specs

    def base_names(self) -> list[str]:
        """The base models that are tuned."""
        return [spec.name for spec in self.config.base_models]

    def seeds(self) -> list[str]:
        """Names of the repetitions: d0t0 is draw 0, training 0."""
        return [seed_name(seed) for seed in self.config.seeds]

    def judge_names(self) -> list[str]:
        """Judges."""
        return [judge.name for judge in self.config.judges]

    def baseline(self, lang: str) -> str:
        """The training set that candidates are compared with in `lang`."""
        if self.config.judge.baseline == "monolingual":
            return mixture_name(((lang, self.n_rows),), self.config.pivot)
        return self.config.judge.baseline

    def row_languages(self, mixture: str) -> list[str]:
        """The languages in which a model generates: all columns for a row; a mere baseline only its own."""
        if mixture in self.rows:
            return self.columns
        return [lang for lang in self.columns if self.baseline(lang) == mixture]

    def judged_languages(self, mixture: str) -> list[str]:
        """The columns in which a row is compared with another model: all but the diagonal."""
        return [lang for lang in self.columns if self.baseline(lang) != mixture]

    def cells(self) -> Iterator[Cell]:
        """The cells of the matrix, the diagonal among them."""
        for base in self.base_names():
            for mixture in self.rows:
                for seed in self.seeds():
                    for lang in self.columns:
                        yield Cell(base, mixture, seed, lang)

    # --- where it is ---

    def source(self, split: str) -> str:
        """The user's file in the pivot language."""
        return self.config.data.train if split == "train" else self.config.data.eval

    def memory(self, split: str, lang: str) -> str:
        """The user's translation memory."""
        return self.config.translate.memory.replace("{split}", split).replace("{lang}", lang)

    def translated(self, split: str) -> list[str]:
        """Languages other than the pivot into which a split must be brought."""
        if split == "eval":
            needed = set(self.columns)
        else:
            needed = {lang for item in self.training_sets.values() for lang, _ in item.counts}
        return [lang for lang in self.config.languages if lang in needed and lang != self.config.pivot]

    def translation_inputs(self, split: str, lang: str) -> dict[str, str]:
        """Inputs of translate: the pivot's own data need no memory."""
        inputs = {"source": self.source(split)}
        return inputs if lang == self.config.pivot else {**inputs, "memory": self.memory(split, lang)}

    def mixture_inputs(self, mixture: str) -> list[str]:
        """The training data of the languages of a composition."""
        return [f"{self.results}/translations/train/{lang}.jsonl" for lang, _ in self.training_sets[mixture].counts]

    def model_inputs(self, base: str, mixture: str, seed: str) -> dict[str, str]:
        """What generate loads: the base, and what was trained on it."""
        inputs = {"base": f"{self.results}/base_models/{base}.json"}
        if mixture != UNTUNED:
            folder = f"{self.results}/models/{base}/{mixture}/{seed}"
            inputs |= {"manifest": f"{folder}/manifest.json", "weights": f"{folder}/weights"}
        return inputs

    def judge_inputs(self, judge: str, base: str, mixture: str, seed: str, lang: str) -> dict[str, str]:
        """The candidate's and the baseline's responses, the prompts, and a local judge's model."""
        folder = f"{self.results}/generations/{base}"
        inputs = {
            "candidate": f"{folder}/{mixture}/{seed}/{lang}.jsonl",
            "baseline": f"{folder}/{self.baseline(lang)}/{seed}/{lang}.jsonl",
            "prompts": f"{self.results}/translations/eval/{lang}.jsonl",
        }
        settings = self._judge(judge)
        if isinstance(settings, TransformersJudge):
            inputs["model"] = f"{self.results}/base_models/{settings.model.name}.json"
        return inputs

    def judgments(self, judge: str, base: str, mixture: str, seed: str) -> list[str]:
        """The verdicts of a row."""
        folder = f"{self.results}/judgments/{judge}/{self.config.judge.baseline}/{base}/{mixture}/{seed}"
        return [f"{folder}/{lang}.jsonl" for lang in self.judged_languages(mixture)]

    def generations(self, base: str, mixture: str, seed: str) -> list[str]:
        """The responses of a row."""
        return [f"{self.results}/generations/{base}/{mixture}/{seed}/{lang}.jsonl" for lang in self.columns]

    def score_rows(self) -> list[str]:
        """One small table a row of the matrix, judge and seed."""
        folder = f"{self.results}/scores/rows"
        return [
            f"{folder}/{judge}/{self.config.judge.baseline}/{base}/{mixture}/{seed}.parquet"
            for judge in self.judge_names()
            for base in self.base_names()
            for mixture in self.rows
            for seed in self.seeds()
        ]

    def figures(self) -> list[str]:
        """A heatmap a base model and judge, and response-language rates a base model."""
        return [f"{self.results}/figures/{name}.{kind}" for name in self._figures for kind in ("png", "pdf", "csv")]

    @property
    def _figures(self) -> dict[str, dict[str, str]]:
        found = {}
        for base in self.base_names():
            for judge in self.judge_names():
                found[f"heatmap-{base}-{judge}"] = {"kind": "heatmap", "base": base, "judge": judge}
            any_judge = self.judge_names()[0]
            found[f"response-language-{base}"] = {"kind": "response_language", "base": base, "judge": any_judge}
        return found

    def targets(self) -> list[str]:
        """Everything asked for: the cells too, since a missing one is not noticed while the figure is there."""
        rows = [(base, mixture, seed) for base in self.base_names() for mixture in self.rows for seed in self.seeds()]
        cells = [
            f"{self.results}/generations/{base}/{mixture}/{seed}/{lang}.jsonl"
            for base in self.base_names()
            for mixture in self.training_sets  # a baseline that is no row has responses too
            for seed in self.seeds()
            for lang in self.row_languages(mixture)
        ]
        cells += [file for judge in self.judge_names() for row in rows for file in self.judgments(judge, *row)]
        return [*cells, f"{self.results}/scores/scores.csv", f"{self.results}/scores/scores.parquet", *self.figures()]

    # --- with which settings: canonical JSON, because Snakemake compares params as text ---

    def counts_setting(self, mixture: str) -> str:
        """Rows by language of a composition, in the experiment's order of languages."""
        return canonical(self.training_sets[mixture].counts)

    def finetune_setting(self, mixture: str) -> str:
        """Hyperparameters of one training set."""
        settings = self.training_sets[mixture].finetune
        assert settings is not None, "the untuned base model is not finetuned"
        return canonical(settings.model_dump())

    def generate_setting(self, mixture: str) -> str:
        """Decoding; how the untuned model is prompted concerns it alone."""
        settings = self.config.generate.model_dump()
        prompt = settings.pop("untuned_prompt")
        return canonical({**settings, "untuned_prompt": prompt} if mixture == UNTUNED else settings)

    def judge_setting(self, judge: str) -> str:
        """One judge's settings."""
        return canonical(self._judge(judge).model_dump(exclude={"name"}))

    def judge_prompt(self, judge: str) -> str:
        """The digest of a judge's prompt, so that an edit of the text reruns its verdicts; the rubric has none."""
        settings = self._judge(judge)
        return digest(read_prompt(settings.prompt)) if isinstance(settings, LanguageModelJudge) else ""

    def judge_needs_torch(self, judge: str) -> bool:
        """Whether a judge runs a model on this machine."""
        return isinstance(self._judge(judge), TransformersJudge)

    def row_setting(self, mixture: str) -> str:
        """The columns of a row, each with its baseline."""
        return canonical([[lang, self.baseline(lang)] for lang in self.columns])

    def aggregate_setting(self) -> str:
        """Arithmetic, and the languages that identification may answer with."""
        return canonical({**self.config.aggregate.model_dump(), "languages": self.config.languages})

    def figure_setting(self, figure: str) -> str:
        """Which numbers a figure draws, in which order, under which labels, and how it looks."""
        return canonical(
            {
                **self._figures[figure],
                "rows": [[item.name, item.label] for item in self.rows.values()],
                "columns": self.columns,
                "baseline": self.config.judge.baseline,
                **self.config.plot.model_dump(),
            }
        )

    # --- how it is made ---

    def _judge(self, name: str) -> Any:
        return next(judge for judge in self.config.judges if judge.name == name)

    def _check_baseline(self) -> None:
        baseline = self.config.judge.baseline
        if baseline != "monolingual" and baseline not in self.rows:
            raise PinchError(
                f"judge.baseline: {baseline!r} is neither monolingual nor a training set: {', '.join(self.rows)}"
            )


def seed_name(seed: Seed) -> str:
    """d0t0 is draw 0, training 0."""
    return f"d{seed.draw}t{seed.train}"


def owner_name(configfiles: list[Any], directory: Path) -> str:
    """How a results folder calls the experiment that it belongs to: its config file."""
    if not configfiles:
        return "none"
    path = Path(configfiles[-1]).resolve()
    return path.relative_to(directory).as_posix() if path.is_relative_to(directory) else path.as_posix()
