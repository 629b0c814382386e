"""What people said and how far they agree, in Markdown."""

import re
from collections.abc import Sequence
from typing import Any

from pinch import languages
from pinch.annotate.agreement import ALL, Line
from pinch.annotate.key import Key
from pinch.printable import one_line

OF = {
    "ratings": "the same rating",
    "preferences": "preference of candidate or baseline, discounted tie",
}


def summary(key: Key, numbers: dict[str, Any]) -> str:
    """The numbers of agreement.json as tables for people."""
    confidence = 100 * numbers["bootstrap"]["confidence"]
    what = "ratings" if key.task == "ratings" else f"choices between candidate and baseline ({key.baseline})"
    parts = [
        f"# What people said: {what}",
        f"Base model {key.base}, repetition {key.seed}, export {key.export}. "
        f"In brackets: intervals of {confidence:g} % by bootstrap over prompts.",
        *_counts(key, numbers),
        *_distribution(key, numbers),
        *_people(key, numbers),
        *_judges(key, numbers),
    ]
    return "\n\n".join(parts) + "\n"


def _counts(key: Key, numbers: dict[str, Any]) -> list[str]:
    names = ("asked", "answered", "unanswered", "not_returned")
    rows = [
        [_language(line["lang"]), str(line["annotator"]), *(str(line[name]) for name in names)]
        for line in numbers["counts"]
    ]
    rows.append(["total", "", *(str(sum(line[name] for line in numbers["counts"])) for name in names)])
    parts = ["## Items", _table(["language", "annotator", "asked", "answered", "unanswered", "not returned"], rows)]
    if numbers["identical"]:
        said = ", ".join(f"{line['lang']} {line['mixture']}: {line['pairs']}" for line in numbers["identical"])
        parts.append(f"Pairs of identical responses, about which nobody was asked: {said}.")
    return parts


def _distribution(key: Key, numbers: dict[str, Any]) -> list[str]:
    choices = [name for name in numbers["distribution"][0] if name not in ("lang", "mixture", "n", "prompts")]
    rows = [
        [
            *(_language(line["lang"]), key.labels[line["mixture"]], line["mixture"]),
            *(str(line["n"]), *(_share(line[choice]) for choice in choices)),
        ]
        for line in numbers["distribution"]
    ]
    heads = [choice if key.task == "ratings" or choice == "tie" else f"{choice} better" for choice in choices]
    return ["## Answers", _table(["language", "model", "training set", "n", *heads], rows)]


def _people(key: Key, numbers: dict[str, Any]) -> list[str]:
    rows = [
        [OF[line["of"]], _language(line["lang"]), _share(line), str(line["n"]), str(line["prompts"])]
        for line in numbers["people"]
    ]
    parts = [
        "## People and people",
        _table(["agreement, %", "language", "", "pairs of answers", "prompts"], rows),
    ]
    rows = [
        [
            f"{line['level']}",
            *(_language(line["lang"]), _value(line["alpha"], line["low"], line["high"], 3)),
            *(str(line["items"]), str(line["prompts"])),
        ]
        for line in numbers["alpha"]
    ]
    parts.append(_table(["Krippendorff's alpha", "language", "", "items", "prompts"], rows))
    if undefined := max(line["undefined"] for line in numbers["alpha"]):
        parts.append(f"Up to {undefined} resamples had one value alone, where alpha is not defined; they are left out.")
    return parts


def _judges(key: Key, numbers: dict[str, Any]) -> list[str]:
    if numbers["people"][-1]["of"] != "preferences":
        return [
            "## Judges and people",
            "Nobody rated a candidate and its baseline on the same prompt, so that these ratings imply no preference "
            "that a judge could share.",
        ]
    if not numbers["judges"]:
        return []
    rows = [
        [
            *(line["judge"], _language(line["lang"]), _share(line)),
            *(str(line[name]) for name in ("n", "prompts", "invalid", "without_verdict")),
        ]
        for line in numbers["judges"]
    ]
    heads = ["judge", "language", "agreement, %", "answers", "prompts", "invalid verdicts", "without verdict"]
    parts = ["## Judges and people", _table(heads, rows)]
    if missing := numbers["missing_verdicts"]:
        parts.append(f"{len(missing)} files of verdicts are not there, such as {missing[0]}.")
    return parts


def _language(lang: str) -> str:
    return "all" if lang == ALL else languages.name(lang)


def _share(line: Line) -> str:
    return _value(line["percent"], line["low"], line["high"], 1)


def _value(value: float | None, low: float | None, high: float | None, digits: int) -> str:
    if value is None:
        return "–"
    said = f"{value:.{digits}f}"
    return said if low is None or high is None else f"{said} [{low:.{digits}f}, {high:.{digits}f}]"


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *([_cell(text) for text in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(text: str) -> str:
    """A label as text: no markup, and no cell of its own."""
    return re.sub(r"([\\`*_\[\]<>|])", r"\\\1", one_line(text))
