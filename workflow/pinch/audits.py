"""audits: which judges of an experiment can be believed in which languages, as a table for people.

python -m pinch audits results
python -m pinch audits config.yaml --strict
"""

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pinch import check, languages
from pinch.errors import PinchError
from pinch.printable import one_line
from pinch.rows import read_json

MEASURES = {
    "first named": "named_first",
    "orders disagree": "orders_disagree",
    "consistent": "consistency",
    "longer named": "named_longer",
    "invalid": "invalid",
}
"""Columns of the table that are shares, with their names in an audit."""

RED, PLAIN = "\x1b[31m", "\x1b[0m"


def find_audits(places: Sequence[str]) -> list[dict[str, Any]]:
    """Audits by their files, all of a results folder, or those of the experiment of a config file.

    Raises PinchError where there are none.
    """
    found: list[Path] = []
    for place in map(Path, places):
        if place.suffix == ".json":
            found.append(place)
        elif place.is_dir():
            found += sorted(place.glob("audits/*/*/*.json"))
        else:
            experiment, _ = check.open_experiment(place)
            found += [path for path in map(Path, experiment.audits()) if path.is_file()]
    if not found:
        raise PinchError(f"{', '.join(places)}: no judge is audited yet; run the workflow first")
    return [read_json(path) for path in found]


def line(audit: Mapping[str, Any]) -> list[str]:
    """The cells of an audit's line, numbers in percent; an en dash where there is none."""
    labels = audit["labels"]
    return [
        audit["judge"],
        languages.name(audit["lang"]),
        ": ".join([audit["status"], *([", ".join(audit["flags"]).replace("_", " ")] if audit["flags"] else [])]),
        *(percent(audit[name]["share"]) for name in MEASURES.values()),
        percent(labels["accuracy"]["share"]),
        interval(labels["agreement"]),
        f"{labels['pairs']} {labels['part']}" if labels["pairs"] else "none",
    ]


def percent(value: float | None) -> str:
    """A share for people."""
    return "–" if value is None else f"{value:.0f}"


def interval(agreement: Mapping[str, Any]) -> str:
    """An agreement with its interval."""
    if agreement["score"] is None:
        return "–"
    return f"{agreement['score']:.0f} ({agreement['low']:.0f} to {agreement['high']:.0f})"


def render(audits: Sequence[Mapping[str, Any]], colour: bool) -> str:
    """The table as text, a red judge's line red where `colour` is wanted; the status says it in words too."""
    header = ["judge", "language", "status", *MEASURES, "accuracy", "agreement", "labels"]
    lines = [header, *([one_line(cell) for cell in line(audit)] for audit in audits)]
    widths = [max(len(cells[column]) for cells in lines) for column in range(len(header))]
    # Words to the left, numbers to the right.
    sides = "<<<" + ">" * (len(header) - 4) + "<"
    texts = [
        "  ".join(f"{cell:{side}{width}}" for cell, side, width in zip(cells, sides, widths, strict=True)).rstrip()
        for cells in lines
    ]
    for place, audit in enumerate(audits, start=1):
        if colour and audit["status"] == "red":
            texts[place] = f"{RED}{texts[place]}{PLAIN}"
    return "\n".join(texts)


def told(red: Sequence[Mapping[str, Any]]) -> str:
    """Each flagged judge with its languages, those with the same flags together."""
    groups: dict[tuple[str, str], list[str]] = {}
    for audit in red:
        groups.setdefault((audit["judge"], ", ".join(audit["flags"])), []).append(audit["lang"])
    return "; ".join(f"{judge} in {', '.join(langs)} ({flags})" for (judge, flags), langs in groups.items())


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `python -m pinch audits`."""
    parser.add_argument(
        "places", metavar="CONFIG", nargs="*", default=["config.yaml"], help="or a results folder, or audits (.json)"
    )
    parser.add_argument("--strict", action="store_true", help="fail where a judge is flagged in a language")


def run(arguments: argparse.Namespace) -> str:
    """Print the table. Raises PinchError naming each flagged judge and language where that is wanted."""
    audits = find_audits(arguments.places)
    # https://no-color.org
    print(render(audits, sys.stdout.isatty() and not os.environ.get("NO_COLOR")), flush=True)
    red = [audit for audit in audits if audit["status"] == "red"]
    if red and arguments.strict:
        raise PinchError(f"{len(red)} of {len(audits)} audits are red: {told(red)}; take other judges there")
    missing = sum(audit["status"] == "not audited" for audit in audits)
    return f"{len(audits)} judges by languages, {len(red)} red, {missing} not audited"
