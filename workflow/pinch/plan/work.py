"""What an experiment is made of, piece by piece, and which pieces are there."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pinch.designs import UNTUNED, TrainingSet
from pinch.experiment import Experiment
from pinch.plan.amounts import DesignCells
from pinch.rows import read_json


@dataclass(frozen=True)
class Training:
    """One tuned model."""

    base: str
    item: TrainingSet
    folder: Path
    manifest: dict[str, Any] | None
    """What the finished training says of itself."""
    done: bool
    """Its weights are there, or nothing waits for them any more: Snakemake trains no model again whose cells are
    all there."""


@dataclass(frozen=True)
class Responses:
    """The responses of one model in one language."""

    base: str
    lang: str
    path: Path
    done: bool


@dataclass(frozen=True)
class Verdicts:
    """What one judge says of one cell."""

    judge: str
    base: str
    mixture: str
    seed: str
    lang: str
    path: Path
    inputs: dict[str, str]
    done: bool


class Work:
    """All pieces of an experiment."""

    def __init__(self, experiment: Experiment) -> None:
        self.experiment = experiment
        self.trainings = list(self._trainings())
        self.responses = list(self._responses())
        self.verdicts = list(self._verdicts())

    def _repetitions(self) -> Iterator[tuple[str, str]]:
        for base in self.experiment.base_names():
            for seed in self.experiment.seeds():
                yield base, seed

    def _cell(self, base: str, mixture: str, seed: str, lang: str) -> Path:
        return Path(self.experiment.results, "generations", base, mixture, seed, f"{lang}.jsonl")

    def _trainings(self) -> Iterator[Training]:
        for base, seed in self._repetitions():
            for name, item in self.experiment.training_sets.items():
                langs = self.experiment.row_languages(name)
                if name == UNTUNED or not langs:
                    continue
                folder = Path(self.experiment.results, "models", base, name, seed)
                manifest = folder / "manifest.json"
                found = read_json(manifest) if manifest.is_file() else None
                answered = all(self._cell(base, name, seed, lang).is_file() for lang in langs)
                kept = found is not None and (folder / "weights").is_dir()
                yield Training(base, item, folder, found, answered or kept)

    def _responses(self) -> Iterator[Responses]:
        for base, seed in self._repetitions():
            for mixture in self.experiment.training_sets:
                for lang in self.experiment.row_languages(mixture):
                    path = self._cell(base, mixture, seed, lang)
                    yield Responses(base, lang, path, path.is_file())

    def _verdicts(self) -> Iterator[Verdicts]:
        for judge in self.experiment.judge_names():
            for base, seed in self._repetitions():
                for mixture in self.experiment.rows:
                    langs = self.experiment.judged_languages(mixture)
                    files = self.experiment.judgments(judge, base, mixture, seed)
                    for lang, file in zip(langs, files, strict=True):
                        inputs = self.experiment.judge_inputs(judge, base, mixture, seed, lang)
                        yield Verdicts(judge, base, mixture, seed, lang, Path(file), inputs, Path(file).is_file())

    def designs(self) -> list[DesignCells]:
        """The cells of every design."""
        repetitions = len(list(self._repetitions()))
        waiting: dict[tuple[str, str], set[tuple[str, str]]] = {}
        for piece in self.verdicts:
            if not piece.done:
                waiting.setdefault((piece.mixture, piece.lang), set()).add((piece.base, piece.seed))
        found, seen = [], set[tuple[str, str]]()
        for comparison in self.experiment.designs.comparisons:
            cells = {(mixture, lang) for mixture, langs in comparison.asked.items() for lang in langs}
            judged = {(mixture, lang) for mixture, lang in cells if self.experiment.baseline(lang) != mixture}
            found.append(
                DesignCells(
                    name=comparison.name,
                    design=comparison.design.design,
                    training_sets=len(comparison.asked),
                    cells=len(cells) * repetitions,
                    judged=len(judged) * repetitions,
                    new=len(judged - seen) * repetitions,
                    left=sum(len(waiting.get(cell, ())) for cell in judged),
                )
            )
            seen |= judged
        return found
