"""What the explorer is told of an experiment: its training sets, languages, judges and where their files are."""

from typing import Any

from pinch import languages
from pinch.figures import VALUES, Figures
from pinch.rows import canonical

RIGHT_TO_LEFT = "rtl"


def setting(figures: Figures) -> str:
    """Canonical JSON: all that follows from the config."""
    experiment = figures.experiment
    config = experiment.config
    named = dict.fromkeys([*config.languages, *experiment.columns])
    return canonical(
        {
            "results": experiment.results,
            "title": config.plot.title,
            "pivot": config.pivot,
            "languages": {lang: languages.name(lang) for lang in named},
            "right_to_left": [lang for lang in named if languages.direction(lang) == RIGHT_TO_LEFT],
            "bases": experiment.base_names(),
            "judges": [{"name": judge.name, "engine": judge.engine} for judge in config.judges],
            "seeds": experiment.seeds(),
            "baseline": config.judge.baseline,
            "baselines": {lang: experiment.baseline(lang) for lang in experiment.columns},
            "columns": experiment.columns,
            "sets": [
                {
                    "name": name,
                    "label": item.label,
                    "rows": [list(pair) for pair in item.counts],
                    "natural": [list(pair) for pair in item.natural],
                    "columns": experiment.asked_languages(name),
                    "responds": experiment.row_languages(name),
                }
                for name, item in experiment.training_sets.items()
            ],
            "heatmaps": list(VALUES),
            "confidence": config.aggregate.confidence,
            "alpha": config.aggregate.alpha,
            "correction": config.aggregate.correction,
            "colormap": config.plot.colormap,
        }
    )


def heatmaps(figures: Figures) -> list[str]:
    """The numbers of the figures that the explorer's heatmap shows: averages with intervals, corrected p."""
    return [
        f"{figures.results}/figures/{name}-{base}-{judge}.csv"
        for name in VALUES
        for base in figures.experiment.base_names()
        for judge in figures.experiment.judge_names()
    ]


def inputs(figures: Figures) -> dict[str, Any]:
    """What the explorer waits for; responses and verdicts are there when the scores are."""
    results = figures.results
    return {
        "scores": f"{results}/scores/scores.parquet",
        "comparisons": f"{results}/scores/comparisons.csv",
        "audits": figures.experiment.audits(),
        "heatmaps": heatmaps(figures),
    }
