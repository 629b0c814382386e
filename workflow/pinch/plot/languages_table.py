"""languages: the paper's Tables 1 and 2, what kind of languages an experiment is about.

Settings: languages [code, ...].
"""

from typing import Any

from pinch.language_facts import facts
from pinch.plot.style import names

ROW, LETTER, GAP = 0.26, 0.078, 0.3
"""Inches: the height of a row, the width of a letter on average, the gap between columns."""


def languages(scores: Any, settings: dict[str, Any], plt: Any) -> tuple[Any, list[dict[str, Any]]]:
    """A table a language a row; branch and mutual intelligibility only where they tell these languages apart.

    The branch does where all are of one family (Table 1: seven Slavic languages), else the family says enough
    (Table 2). `scores` is not used.
    """
    known = [facts(code) for code in settings["languages"]]
    among = {fact.code for fact in known}
    drawn: list[dict[str, Any]] = [
        {
            "language": fact.name,
            "code": fact.code,
            "family": fact.family,
            "branch": fact.branch,
            "script": fact.script,
            "mutually_intelligible_with": ", ".join(names(sorted(among.intersection(fact.intelligible_with)))),
        }
        for fact in known
    ]
    heads = {"language": "Language", "code": "Code", "family": "Family", "branch": "Branch", "script": "Script"}
    heads["mutually_intelligible_with"] = "Mutually intelligible with"
    if len({fact.family for fact in known}) > 1 or not any(fact.branch for fact in known):
        del heads["branch"]
        for line in drawn:
            del line["branch"]
    if not any(line["mutually_intelligible_with"] for line in drawn):
        del heads["mutually_intelligible_with"]
        for line in drawn:
            del line["mutually_intelligible_with"]
    return _table(plt, heads, drawn, settings["title"] or "Languages"), drawn


def _table(plt: Any, heads: dict[str, str], lines: list[dict[str, Any]], title: str) -> Any:
    """Rules above, under the heads and below, as tables are set in print."""
    widths = [max(len(text or "–") for text in [head, *(line[key] for line in lines)]) for key, head in heads.items()]
    width = sum(LETTER * letters + GAP for letters in widths)
    height = ROW * (len(lines) + 2.6)
    figure = plt.figure(figsize=(width + 0.4, height))
    axes = figure.add_axes((0.2 / (width + 0.4), 0, width / (width + 0.4), 1))
    axes.set_axis_off()
    axes.set_xlim(0, width)
    axes.set_ylim(height, 0)
    axes.text(0, 0.75 * ROW, title, va="center", fontsize=10)
    left = GAP / 2
    for (key, head), letters in zip(heads.items(), widths, strict=True):
        axes.text(left, 1.9 * ROW, head, va="center", fontweight="bold")
        for row, line in enumerate(lines):
            axes.text(left, (row + 2.9) * ROW, line[key] or "–", va="center")
        left += LETTER * letters + GAP
    for at, thick in ((1.4, 1.2), (2.4, 0.7), (len(lines) + 2.4, 1.2)):
        axes.plot([0, width], [at * ROW, at * ROW], color="black", linewidth=thick)
    return figure
