"""What an experiment consists of: its training sets, its baselines, its cells, and where their files are.

Everything here follows from the config alone; the rules of the workflow ask this module and decide nothing.
What figures are told is in pinch.figures.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from pinch import accelerated, sources
from pinch.asked import words
from pinch.compositions import mixture_name
from pinch.config import BaseModelSpec, Config, Seed, TransformersJudge
from pinch.config.sources import Place
from pinch.designs import UNTUNED, Available, Designs, TrainingSet, check_languages
from pinch.errors import PinchError
from pinch.judging import Judging
from pinch.rows import canonical
from pinch.translations import Translations


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
        self.designs = Designs(config, self.n_rows, self.available)
        self.rows = self.designs.sets
        self._baselines: dict[str, str] = {}
        self._check_baseline()
        self.translations = self._translations()
        self.judging = Judging(config, self.results, self.columns, self.judged_cells)

    # --- what there is ---

    @cached_property
    def columns(self) -> list[str]:
        """Evaluation languages: all that some design asks for."""
        asked = {lang for langs in self.designs.asked.values() for lang in langs}
        return [lang for lang in self.config.languages if lang in asked]

    @cached_property
    def available(self) -> Available:
        """Rows to draw from, as the sources say or as their local files have."""
        data = self.config.data
        rows = self.source_rows("train")
        if data.held_out >= rows:
            raise PinchError(
                f"data.held_out: {data.held_out} of {rows} rows of data.train would leave none to train on"
            )
        natural: dict[str, int] = {}
        for index, source in enumerate(data.natural):
            try:
                for lang, count in sources.count_by_language(source).items():
                    natural[lang] = natural.get(lang, 0) + count
            except PinchError as error:
                raise PinchError(f"data.natural[{index}]: {error}") from None
        return Available(rows - data.held_out, natural)

    def source_rows(self, split: str) -> int:
        """Rows of data.train or data.eval, those held out among them."""
        return self._count(f"data.{split}", self._sources(split))

    @property
    def n_rows(self) -> int:
        """Rows of a training set, unless a design has a budget of its own."""
        wanted, there = self.config.mixture.rows, self.available.parallel
        if not wanted and self.config.translate.gate.train == "drop":
            raise PinchError(
                "mixture.rows: must be given where translate.gate.train is drop: rows that do not pass the gate leave, "
                f"so it should be less than the {there} that there are"
            )
        if wanted and wanted > there:
            held_out = f" (besides the {self.config.data.held_out} held out)" if self.config.data.held_out else ""
            raise PinchError(f"mixture.rows: {wanted} are wanted, data.train has {there}{held_out}")
        return wanted or there

    @cached_property
    def n_prompts(self) -> int:
        """Prompts of a cell."""
        wanted, there = self.config.evaluation.prompts, self.source_rows("eval")
        if wanted and wanted > there:
            raise PinchError(f"evaluation.prompts: {wanted} are wanted, data.eval has {there}")
        return wanted or there

    @cached_property
    def training_sets(self) -> dict[str, TrainingSet]:
        """All that is trained or evaluated: the rows of the matrix, then the baselines that are no row."""
        known = dict(self.rows)
        if self.config.judge.baseline == "monolingual":
            for lang in self.columns:
                name = self.baseline(lang)
                if name not in known:
                    known[name] = self.designs.monolingual(lang)
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
        if lang not in self._baselines:
            monolingual = self.config.judge.baseline == "monolingual"
            alone = ((lang, self.n_rows),)
            self._baselines[lang] = (
                mixture_name(alone, self.config.pivot) if monolingual else self.config.judge.baseline
            )
        return self._baselines[lang]

    def asked_languages(self, mixture: str) -> list[str]:
        """The columns of a row: the evaluation languages of the designs that ask for it."""
        return self.designs.asked.get(mixture, [])

    def row_languages(self, mixture: str) -> list[str]:
        """The languages in which a model generates: its columns, and those in which it is the baseline."""
        asked = self.asked_languages(mixture)
        return [lang for lang in self.columns if lang in asked or self.baseline(lang) == mixture]

    def judged_languages(self, mixture: str) -> list[str]:
        """The columns in which a row is compared with another model: all but the diagonal."""
        return [lang for lang in self.asked_languages(mixture) if self.baseline(lang) != mixture]

    def cells(self) -> Iterator[Cell]:
        """The cells of the matrix, the diagonal among them."""
        for base in self.base_names():
            for mixture in self.rows:
                for seed in self.seeds():
                    for lang in self.asked_languages(mixture):
                        yield Cell(base, mixture, seed, lang)

    # --- where it is ---

    def source_inputs(self, split: str) -> list[str]:
        """The user's local files of a split (train, eval, natural), so that an edit of one is noticed."""
        return [str(source.path) for source in self._sources(split) if source.path]

    def mixture_inputs(self, mixture: str) -> dict[str, Any]:
        """The training data of the languages of a composition, and which rows are held out."""
        item = self.training_sets[mixture]
        inputs: dict[str, Any] = {
            "record": f"{self.results}/sources/train.json",
            "translations": [self.translations.file("train", lang) for lang, _ in item.counts],
        }
        gated = self.translations.gated()
        if item.counts and gated:
            inputs["gated"] = gated
        return {**inputs, "natural": f"{self.results}/sources/natural.jsonl"} if item.natural else inputs

    def finetune_inputs(self, mixture: str, draw: str) -> dict[str, str]:
        """The training set, and the development rows where a checkpoint is chosen by them."""
        stem = f"{self.results}/mixtures/{mixture}/{draw}"
        settings = self.training_sets[mixture].finetune
        selects = settings is not None and settings.select != "last"
        return {"mixture": f"{stem}.jsonl"} | ({"dev": f"{stem}.dev.jsonl"} if selects else {})

    def model_input(self, base: str, mixture: str, seed: str) -> str:
        """What generate loads last: the weights trained on a base model, or its record where nothing was."""
        if mixture == UNTUNED:
            return f"{self.results}/base_models/{base}.json"
        return f"{self.results}/models/{base}/{mixture}/{seed}/weights"

    def generate_arguments(self, base: str, mixture: str, seed: str) -> str:
        """Who responds, to what and how, as arguments of `python -m pinch generate`; the responses depend on them.

        The record of the base model is no input of a tuned one: it is there when the weights made from it are.
        """
        return words(
            base=f"{self.results}/base_models/{base}.json",
            **({} if mixture == UNTUNED else {"weights": self.model_input(base, mixture, seed)}),
            prompts=f"{self.results}/translations/eval",
            limit=str(self.config.evaluation.prompts or 0),
            seed=seed,
            settings=self.generate_setting(mixture),
            # Files, because what is in them changes no response, and so must rerun nothing.
            rows=f"{self.results}/arguments/generate.json",
            transport=f"{self.results}/arguments/transport/generate.json",
        )

    @property
    def tunes_first(self) -> bool:
        """Whether trainings go before responses, so that one load of a base serves many models.

        Not where weights are deleted once they have responded: they would all be on the disk at once.
        """
        settings = self.config.generate
        return self.config.models.keep == "all" and settings.engine != "endpoint" and settings.models_per_load > 1

    def generate_transport(self) -> str:
        """What changes no response: where models run, and how many at a time."""
        return canonical(self.config.generate.transport())

    def generate_rows(self) -> str:
        """Every row with its languages, for a job that fills other rows than its own; no response depends on it."""
        rows = {mixture: names for mixture in self.training_sets if (names := self.row_names(mixture))}
        prompt = self.config.generate.untuned_prompt
        models = f"{self.results}/models"
        return canonical({"models": models, "rows": rows, "seeds": self.seeds(), "untuned_prompt": prompt})

    def row_names(self, mixture: str) -> str:
        """The languages in which a model generates, as one word."""
        return ",".join(self.row_languages(mixture))

    def compared_with(self, base: str, seed: str, lang: str) -> str:
        """The responses that those of a column are compared with."""
        return f"{self.results}/generations/{base}/{self.baseline(lang)}/{seed}/{lang}.jsonl"

    def judged_by(self, judge: str, base: str, seed: str, lang: str) -> dict[str, str]:
        """What a candidate's responses are judged with: those they are compared with, and a local judge's model."""
        return {"baseline": self.compared_with(base, seed, lang), **self.judging.model(judge)}

    def judge_inputs(self, judge: str, base: str, mixture: str, seed: str, lang: str) -> dict[str, str]:
        """The candidate's and the baseline's responses, the prompts, and a local judge's model."""
        inputs = {
            "candidate": f"{self.results}/generations/{base}/{mixture}/{seed}/{lang}.jsonl",
            "baseline": self.compared_with(base, seed, lang),
            "prompts": self.translations.file("eval", lang),
        }
        return {**inputs, **self.judging.model(judge)}

    def column(self, lang: str) -> list[tuple[str, str]]:
        """The judged cells of a column, each as the files of the candidate's and of the baseline's responses."""
        return [
            (f"{self.results}/generations/{base}/{mixture}/{seed}/{lang}.jsonl", self.compared_with(base, seed, lang))
            for base, mixture, seed in self.judged_cells(lang)
        ]

    def jury_inputs(self, jury: str, base: str, mixture: str, seed: str, lang: str) -> list[str]:
        """The verdicts of its members on a cell."""
        baseline = self.config.judge.baseline
        return [
            f"{self.results}/judgments/{judge}/{baseline}/{base}/{mixture}/{seed}/{lang}.jsonl"
            for judge in self.judging.members(jury)
        ]

    def audit_inputs(self, judge: str, lang: str) -> dict[str, Any]:
        """What a judge is asked about in a language for the sake of its audit."""
        return self.judging.audit_inputs(judge, lang, self.translations.file("eval", lang), self.baseline)

    def audited_rows(self, judge: str, lang: str) -> list[str]:
        """The rows of scores that have a judged cell in a language."""
        return [self.score_row(judge, base, mixture, seed) for base, mixture, seed in self.judged_cells(lang)]

    def judgments(self, judge: str, base: str, mixture: str, seed: str) -> list[str]:
        """The verdicts of a row."""
        folder = f"{self.results}/judgments/{judge}/{self.config.judge.baseline}/{base}/{mixture}/{seed}"
        return [f"{folder}/{lang}.jsonl" for lang in self.judged_languages(mixture)]

    def generations(self, base: str, mixture: str, seed: str) -> list[str]:
        """The responses of a row."""
        folder = f"{self.results}/generations/{base}/{mixture}/{seed}"
        return [f"{folder}/{lang}.jsonl" for lang in self.asked_languages(mixture)]

    def baselines(self, base: str, mixture: str, seed: str) -> list[str]:
        """The responses that those of a row are compared with."""
        return [self.compared_with(base, seed, lang) for lang in self.judged_languages(mixture)]

    def row_inputs(self, judge: str, base: str, mixture: str, seed: str) -> dict[str, list[str]]:
        """What a row of scores waits for: its verdicts, and the responses that nobody judges.

        The others are there where the verdicts on them are. Naming them again would be two thirds of the row's inputs,
        and inputs are what planning takes its time for.
        """
        responses = zip(self.asked_languages(mixture), self.generations(base, mixture, seed), strict=True)
        return {
            "judgments": self.judgments(judge, base, mixture, seed),
            "diagonal": [file for lang, file in responses if self.baseline(lang) == mixture],
        }

    def score_row(self, judge: str, base: str, mixture: str, seed: str) -> str:
        """The small table of one row of the matrix."""
        return f"{self.results}/scores/rows/{judge}/{self.config.judge.baseline}/{base}/{mixture}/{seed}.parquet"

    def score_rows(self) -> list[str]:
        """One small table a row of the matrix, judge and seed."""
        return [
            self.score_row(judge, base, mixture, seed)
            for judge in self.judge_names()
            for base in self.base_names()
            for mixture in self.rows
            for seed in self.seeds()
        ]

    def audits(self) -> list[str]:
        """The numbers of all audits."""
        return [file for judge in self.judge_names() for file in self.judging.audits(judge)]

    def targets(self) -> list[str]:
        """What is made of all cells, but the figures."""
        tables = [f"{self.results}/scores/{name}" for name in ("scores.csv", "scores.parquet", "comparisons.csv")]
        reports = [f"{self.results}/sources/overlap.csv", *self.translations.report()]
        return [*self.audits(), *tables, *reports]

    def cell_files(self) -> Iterator[tuple[str, list[str], list[str]]]:
        """The files of the cells, row by row: folder of responses, their languages, and the files of verdicts."""
        for base in self.base_names():
            for mixture in self.training_sets:  # a baseline that is no row has responses too
                for seed in self.seeds():
                    judges = self.judge_names() if mixture in self.rows else []
                    judged = [file for judge in judges for file in self.judgments(judge, base, mixture, seed)]
                    yield f"{self.results}/generations/{base}/{mixture}/{seed}", self.row_languages(mixture), judged

    def verdict(self) -> list[str]:
        """What a strict experiment ends with: that no judge is flagged."""
        return [f"{self.results}/audits/none-is-red"] if self.config.audit.strict else []

    # --- with which settings: canonical JSON, because Snakemake compares params as text ---

    def sources_setting(self, split: str) -> str:
        """The sources of a split (train, eval, natural)."""
        return canonical([source.model_dump(exclude_none=True) for source in self._sources(split)])

    def counts_setting(self, mixture: str) -> str:
        """Rows by language of a composition, in the experiment's order of languages."""
        item = self.training_sets[mixture]
        return canonical({"parallel": item.counts, "natural": item.natural} if item.natural else item.counts)

    def finetune_setting(self, mixture: str) -> str:
        """Hyperparameters of one training set."""
        settings = self.training_sets[mixture].finetune
        assert settings is not None, "the untuned base model is not finetuned"
        return canonical({name: value for name, value in settings.deciding().items() if value is not None})

    def finetune_transport(self) -> str:
        """Where a training runs, and what is kept of it on the way."""
        return canonical(self.config.finetune.transport())

    @cached_property
    def finetune_gpus(self) -> int:
        """How many GPUs of a machine a training takes. Raises PinchError where the file that says so does not serve."""
        file = self.config.finetune.accelerate
        return accelerated.read(file).per_machine if file else 1

    def generate_setting(self, mixture: str) -> str:
        """Decoding; how the untuned model is prompted concerns it alone."""
        return self._generate_settings[mixture == UNTUNED]

    def row_setting(self, mixture: str) -> str:
        """The columns of a row, each with its baseline."""
        return canonical([[lang, self.baseline(lang)] for lang in self.asked_languages(mixture)])

    def interval_setting(self) -> str:
        """Arithmetic alone."""
        return canonical(self.config.aggregate.model_dump())

    def groups_setting(self) -> str:
        """The training sets that each design compares."""
        return canonical({item.name: list(item.labels) for item in self.designs.comparisons if len(item.labels) > 1})

    def aggregate_setting(self) -> str:
        """Arithmetic, and the languages that identification may answer with."""
        return canonical({**self.config.aggregate.model_dump(), "languages": self.config.languages})

    # --- how it is made ---

    @cached_property
    def _judged(self) -> dict[str, list[tuple[str, str, str]]]:
        found: dict[str, list[tuple[str, str, str]]] = {}
        for cell in self.cells():
            if self.baseline(cell.lang) != cell.mixture:
                found.setdefault(cell.lang, []).append((cell.base, cell.mixture, cell.seed))
        return found

    def judged_cells(self, lang: str) -> list[tuple[str, str, str]]:
        """Base, training set and seed of the cells of a column that are judged, in the order of the matrix."""
        return self._judged.get(lang, [])

    @cached_property
    def _generate_settings(self) -> dict[bool, str]:
        settings = self.config.generate.deciding()
        others = {name: value for name, value in settings.items() if name != "untuned_prompt"}
        return {True: canonical(settings), False: canonical(others)}

    def _translations(self) -> Translations:
        trained = {lang for item in self.training_sets.values() for lang, _ in item.counts}
        return Translations(self.config, self.results, {"train": trained, "eval": set(self.columns)})

    def _sources(self, split: str) -> Sequence[Place]:
        data = self.config.data
        found: dict[str, Sequence[Place]] = {"train": data.train, "eval": data.eval, "natural": data.natural}
        return found[split]

    def _count(self, key: str, found: Sequence[Any]) -> int:
        total = 0
        for index, source in enumerate(found):
            where = f"{key}[{index}]" if len(found) > 1 else key
            split = key.removeprefix("data.")
            try:
                total += sources.count(source, split, self.config.pivot)
            except PinchError as error:
                raise PinchError(f"{where}: {error}") from None
        if not total:
            raise PinchError(f"{key}: {found[0].path or found[0].hub} has no rows")
        return total

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
