"""Which figures an experiment has, what each is told, and from which rows of scores it is drawn."""

import json
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from pinch.config import Incremental, Monolingual, Pairs, Pinch, Untuned
from pinch.designs import Comparison
from pinch.errors import PinchError
from pinch.experiment import Experiment
from pinch.pretraining import read_shares
from pinch.rows import canonical

KINDS = {
    Monolingual: "heatmap",
    Pinch: "pinch",
    Incremental: "incremental",
    Pairs: "pairs",
    Untuned: "untuned",
}
"""The figure that a design has of its own; a custom training set is a row of the matrix and no more."""


VALUES = {"heatmap": "score", "language-gated": "gated_score", "length-controlled": "length_controlled"}
"""Heatmaps of the whole matrix, each with the column of the table that it draws."""

RESERVED = (*VALUES, "response-language", "language-confusion", "languages", "translations", "audit")
"""What the figures of the whole matrix are called."""

OF_RESPONSES = ("response_language", "language_confusion")
"""Kinds that draw what models said and not what a judge said of it."""


@dataclass(frozen=True)
class Figure:
    """One figure."""

    kind: str
    base: str = ""
    judge: str = ""
    comparison: Comparison | None = None
    """The design that it is of; of the whole matrix where there is none."""
    value: str = ""
    """Of a heatmap: the column that it draws."""


class Figures:
    """The figures and answers of an experiment. Raises PinchError where a file that one needs does not serve."""

    def __init__(self, experiment: Experiment) -> None:
        self.experiment = experiment
        self.config = experiment.config
        self.results = experiment.results
        self._shares = {
            comparison.name: self._read_shares(comparison, comparison.design.pretraining_shares)
            for comparison in experiment.designs.comparisons
            if isinstance(comparison.design, Monolingual) and comparison.design.pretraining_shares
        }
        for comparison in experiment.designs.comparisons:
            if comparison.name in RESERVED:
                raise PinchError(
                    f"{comparison.key}.name: {comparison.name!r} is what another figure is called; take another name"
                )

    @cached_property
    def all(self) -> dict[str, Figure]:
        """Every figure by the stem of its files."""
        found = {"languages": Figure("languages")}
        if self.experiment.translations.report():
            found["translations"] = Figure("translations")
        judges = self.experiment.judge_names()
        found |= {f"audit-{judge}": Figure("audit", judge=judge) for judge in judges}
        for base in self.experiment.base_names():
            found[f"response-language-{base}"] = Figure("response_language", base, judges[0])
            found[f"language-confusion-{base}"] = Figure("language_confusion", base, judges[0])
            for judge in judges:
                found |= {
                    f"{name}-{base}-{judge}": Figure("heatmap", base, judge, value=value)
                    for name, value in VALUES.items()
                }
                for comparison in self.experiment.designs.comparisons:
                    for kind, words in self._kinds(comparison):
                        found[f"{comparison.name}{words}-{base}-{judge}"] = Figure(kind, base, judge, comparison)
        return found

    def _kinds(self, comparison: Comparison) -> list[tuple[str, str]]:
        design = comparison.design
        monolingual = self.config.judge.baseline == "monolingual"
        kind = KINDS.get(type(design))
        if kind is None or (kind == "untuned" and not monolingual):
            return []
        kinds = [(kind, "")]
        if isinstance(design, Monolingual) and design.similarity:
            kinds.append(("similarity", "-similarity"))
        if isinstance(design, Monolingual) and design.pretraining_shares:
            kinds.append(("pretraining_share", "-pretraining-share"))
        return kinds

    def targets(self) -> list[str]:
        """The files of all figures, and the answers."""
        files = [f"{self.results}/figures/{name}.{kind}" for name in self.all for kind in ("png", "pdf", "csv")]
        return files + [f"{self.results}/answers/{name}.{kind}" for name in self.answers for kind in ("txt", "json")]

    @property
    def answers(self) -> list[str]:
        """The figures of pinches that have an answer too: those evaluated in the pivot and in another language."""
        found = []
        for name, figure in self.all.items():
            if figure.kind == "pinch" and figure.comparison and len(figure.comparison.facts["points"]) > 1:
                columns = {lang for langs in figure.comparison.asked.values() for lang in langs}
                if self.config.pivot in columns and len(columns) > 1:
                    found.append(name)
        return found

    def inputs(self, name: str) -> dict[str, list[str]]:
        """What a figure is drawn from: scores, audits of its judge, and the answer that a pinch's figure tells."""
        figure = self.all[name]
        if figure.kind == "audit":
            return {"audits": self.experiment.judging.audits(figure.judge)}
        if figure.kind == "languages":
            return {}
        if figure.kind == "translations":
            return {"translations": [file for file in self.experiment.translations.report() if file.endswith(".csv")]}
        answer = {"answer": [f"{self.results}/answers/{name}.json"]} if name in self.answers else {}
        audits = (
            [] if figure.kind in OF_RESPONSES else self.experiment.judging.audits(figure.judge, self._columns(figure))
        )
        return {"scores": self.scores(name), **({"audits": audits} if audits else {}), **answer}

    def arguments(self, name: str) -> list[str]:
        """The same as arguments of `python -m pinch plot`, but for the scores, which may be thousands of files."""
        there = {option: files for option, files in self.inputs(name).items() if option != "scores"}
        return [word for option, files in there.items() for word in (f"--{option}", *files)]

    def scores_from(self, name: str) -> list[str]:
        """Where `python -m pinch plot` finds the scores of a figure that has some: a file that names them."""
        return ["--scores-from", f"{self.results}/arguments/plot/{name}.txt"] if "scores" in self.inputs(name) else []

    def scores(self, name: str) -> list[str]:
        """The rows of scores that a figure or an answer is made from, or the table, for what is fitted over it."""
        figure = self.all[name]
        if figure.value == "length_controlled":
            return [f"{self.results}/scores/scores.parquet"]
        mixtures = figure.comparison.labels if figure.comparison else self.experiment.rows
        return [
            self.experiment.score_row(figure.judge, figure.base, mixture, seed)
            for mixture in mixtures
            for seed in self.experiment.seeds()
        ]

    def setting(self, name: str) -> str:
        """Which numbers a figure draws, in which order, under which labels, and how it looks; canonical JSON."""
        figure = self.all[name]
        plot = self.config.plot.model_dump()
        if figure.kind == "languages":
            return canonical({"kind": "languages", "languages": self.config.languages, **plot})
        if figure.kind == "translations":
            return canonical({"kind": "translations", **plot})
        if figure.kind == "audit":
            settings = {"kind": "audit", "judge": figure.judge, "confidence": self.config.aggregate.confidence}
            return canonical({**settings, **plot})
        aggregate = self.config.aggregate
        return canonical(
            {
                "kind": figure.kind,
                "base": figure.base,
                "judge": figure.judge,
                "baseline": self.config.judge.baseline,
                "pivot": self.config.pivot,
                "confidence": aggregate.confidence,
                "resamples": aggregate.resamples,
                "seed": aggregate.seed,
                "correction": aggregate.correction,
                "alpha": aggregate.alpha,
                **({"value": figure.value} if figure.value else {}),
                **plot,
                **self._what(figure),
            }
        )

    def answer_setting(self, name: str) -> str:
        """What an answer is made from: all that its figure is told but how to look; canonical JSON."""
        looks = {*type(self.config.plot).model_fields, "rows", "correction", "alpha"}
        return canonical({key: value for key, value in json.loads(self.setting(name)).items() if key not in looks})

    def _columns(self, figure: Figure) -> list[str]:
        """Its evaluation languages, as its design has them, so that a diagonal is one."""
        if figure.comparison is None:
            return self.experiment.columns
        asked = {lang for langs in figure.comparison.asked.values() for lang in langs}
        design = figure.comparison.design
        order = design.evaluate if isinstance(design.evaluate, list) else getattr(design, "languages", None) or []
        return list(dict.fromkeys(lang for lang in [*order, *self.config.languages] if lang in asked))

    def _what(self, figure: Figure) -> dict[str, Any]:
        comparison, columns = figure.comparison, self._columns(figure)
        if comparison is None:
            rows = self.experiment.rows
            return {
                "rows": [[item.name, item.label] for item in rows.values()],
                "columns": columns,
                "asked": {name: self.experiment.asked_languages(name) for name in rows},
            }
        design = comparison.design
        told = {
            "rows": [list(item) for item in comparison.labels.items()],
            "columns": columns,
            "asked": comparison.asked,
            **comparison.facts,
        }
        if design.title:
            told["title"] = design.title
        if figure.kind == "pinch":
            told["answer"] = self.config.answer.model_dump()
        if figure.kind == "pretraining_share":
            told |= self._shares[comparison.name]
        if figure.kind == "untuned":
            told["models"] = [[lang, self.experiment.baseline(lang)] for lang in columns]
        return told

    def _read_shares(self, comparison: Comparison, path: str) -> dict[str, Any]:
        wanted = [lang for lang, _ in comparison.facts["models"] if lang != self.config.pivot]
        try:
            return {"shares": read_shares(path, wanted), "source": path}
        except PinchError as error:
            raise PinchError(f"{comparison.key}.pretraining_shares: {error}") from None
