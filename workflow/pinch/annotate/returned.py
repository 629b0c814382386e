"""annotate import: filled sheets as tables, the figure of the answers, and agreement."""

import argparse
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pinch.annotate.agreement import (
    Bootstrap,
    Line,
    Preference,
    alpha,
    between_people,
    by_language,
    discounted,
    distribution,
    mean,
    preferences,
    with_judge,
)
from pinch.annotate.answers import Answer, Returned, read_sheets
from pinch.annotate.key import GRADES, OUTCOMES, Key, read_key
from pinch.annotate.summary import summary
from pinch.annotate.verdicts import Outcomes, check_responses, read_verdicts, results_of
from pinch.arguments import check_output
from pinch.errors import PinchError
from pinch.rows import replacing, write_json, write_text
from pinch.spreadsheet import write_frame

CHOICES = {"ratings": ("excellent", "pass", "fail"), "pairs": ("candidate", "tie", "baseline")}
"""As tables and figure have them, the best for the model first."""


WRITTEN = ("ratings.csv", "choices.csv", "distribution.csv", "agreement.json", "summary.md")


def run(arguments: argparse.Namespace) -> str:
    """Read the sheets, write tables, figure and agreement; says what the summary says."""
    if not 0 < arguments.confidence < 1 or arguments.resamples < 1:
        raise PinchError("--confidence must be between 0 and 1, --resamples 1 or more")
    for name in WRITTEN:
        check_output("--output", Path(arguments.output, name), arguments.sheets)
    key = read_key(arguments.folder)
    returned = read_sheets(key, arguments.sheets)
    if not returned.answers:
        raise PinchError(f"{', '.join(arguments.sheets[:3])}: no item is answered")
    how = Bootstrap(arguments.confidence, arguments.resamples, arguments.seed)
    chosen = preferences(key.task, returned.answers, key.baselines)
    judges: dict[str, Outcomes] = {}
    missing: list[str] = []
    if arguments.judgments and chosen:
        results = results_of(arguments.judgments)
        check_responses(key, results)
        judges, missing = read_verdicts(key, results, {(one.mixture, one.lang) for one in chosen})
    numbers = _numbers(key, returned, chosen, judges, how) | {"missing_verdicts": missing}
    output = Path(arguments.output)
    _write_answers(output / ("ratings.csv" if key.task == "ratings" else "choices.csv"), key, returned.answers)
    _draw(output, key, numbers["distribution"])
    write_json(output / "agreement.json", numbers)
    text = summary(key, numbers)
    write_text(output / "summary.md", text)
    counts = {name: sum(line[name] for line in numbers["counts"]) for name in ("asked", "answered")}
    return f"{counts['answered']} of {counts['asked']} items answered; tables and figure in {output}\n\n{text}"


def _numbers(
    key: Key, returned: Returned, chosen: list[Preference], judges: dict[str, Outcomes], how: Bootstrap
) -> dict[str, Any]:
    """What agreement.json holds; docs/annotation.md says what each number is."""
    langs = [lang for lang in key.baselines if any(answer.lang == lang for answer in returned.answers)]
    models = list(key.labels)
    ordered = sorted(returned.answers, key=lambda one: (langs.index(one.lang), models.index(one.mixture)))
    return {
        **{"export": key.export, "task": key.task, "base": key.base, "seed": key.seed, "baseline": key.baseline},
        "bootstrap": asdict(how),
        "counts": [asdict(counts) for counts in returned.counts],
        "identical": _identical(key),
        "distribution": distribution(ordered, CHOICES[key.task], how),
        "people": _people(key, returned.answers, chosen, langs, how),
        "alpha": [_alpha_of(key, returned.answers, name, wanted, how) for name, wanted in by_language(langs)],
        "judges": [
            _judge_of(judge, outcomes, chosen, name, wanted, how)
            for judge, outcomes in judges.items()
            for name, wanted in by_language(langs)
        ],
    }


def _identical(key: Key) -> list[Line]:
    """How many pairs of identical responses nobody was asked about, by language and model."""
    cells = [(pair.lang, pair.mixture) for pair in key.identical]
    return [{"lang": lang, "mixture": name, "pairs": cells.count((lang, name))} for lang, name in dict.fromkeys(cells)]


def _people(key: Key, answers: list[Answer], chosen: list[Preference], langs: list[str], how: Bootstrap) -> list[Line]:
    """Agreement of annotators with each other: on ratings as such, and on preferences."""
    found = {
        "preferences": between_people(
            ((one.lang, one.id, one.mixture, one.annotator, one.value) for one in chosen), discounted
        )
    }
    if key.task == "ratings":
        same = between_people(
            ((one.lang, one.id, one.mixture, one.annotator, one.choice) for one in answers),
            lambda one, other: float(one == other),
        )
        found = {"ratings": same} | (found if chosen else {})
    return [
        {"of": of, "lang": name, **mean([value for value in values if value.lang in wanted], how)}
        for of, values in found.items()
        for name, wanted in by_language(langs)
    ]


def _alpha_of(key: Key, answers: list[Answer], name: str, wanted: list[str], how: Bootstrap) -> Line:
    ordinal = key.task == "ratings"
    values = {choice: GRADES[choice] if ordinal else int(2 * OUTCOMES[choice]) for choice in CHOICES[key.task]}
    items: dict[tuple[str, str, str], dict[int, int]] = {}
    for one in answers:
        if one.lang in wanted:
            items.setdefault((one.id, one.lang, one.mixture), {})[one.annotator] = values[one.choice]
    units: dict[str, list[dict[int, int]]] = {}
    for (id, _, _), item in items.items():
        units.setdefault(id, []).append(item)
    return {"lang": name, "level": "ordinal" if ordinal else "nominal", **alpha(units, ordinal, how)}


def _judge_of(
    judge: str, outcomes: Outcomes, chosen: list[Preference], name: str, wanted: list[str], how: Bootstrap
) -> Line:
    ours = [one for one in chosen if one.lang in wanted]
    values, invalid, without = with_judge(ours, outcomes)
    assert len(values) + invalid + without == len(ours)
    return {"judge": judge, "lang": name, **mean(values, how), "invalid": invalid, "without_verdict": without}


def _write_answers(path: Path, key: Key, answers: list[Answer]) -> None:
    import polars as pl

    column = "rating" if key.task == "ratings" else "choice"
    lines = [
        {
            **{"base": key.base, "mixture": one.mixture, "seed": key.seed, "lang": one.lang, "id": one.id},
            **{"annotator": one.annotator, column: one.choice, "comment": one.comment, "item": one.item},
            **({} if key.task == "ratings" else {"first": key.items[one.item].first}),
        }
        for one in sorted(answers, key=lambda one: (one.lang, one.mixture, one.id, one.annotator))
    ]
    write_frame(path, pl.DataFrame(lines, infer_schema_length=None))


def _draw(output: Path, key: Key, lines: Iterable[Line]) -> None:
    """The figure, as PNG and PDF, with a CSV of the numbers that it draws."""
    import polars as pl

    from pinch.plot.ratings import ratings
    from pinch.plot.style import start_style

    settings = {
        **{"task": key.task, "choices": CHOICES[key.task], "base": key.base, "labels": key.labels, "title": ""},
        "baselines": key.baselines,
    }
    plt = start_style()
    figure, drawn = ratings(list(lines), settings, plt)
    for suffix in ("png", "pdf"):
        with replacing(output / f"distribution.{suffix}") as temporary:
            figure.savefig(temporary, dpi=200, metadata={"CreationDate": None} if suffix == "pdf" else None)
    plt.close(figure)
    write_frame(output / "distribution.csv", pl.DataFrame(drawn, infer_schema_length=None), digits=3)
