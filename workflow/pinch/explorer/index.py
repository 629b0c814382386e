"""What the explorer knows before anything is clicked: the matrix with all its numbers, audits, and colours."""

import csv
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pinch.errors import PinchError
from pinch.rows import read_json

LEFT_OUT = ("baseline", "seeds", "seeds_mean", "seeds_sd", "audit")
"""Columns of the table of scores that the pages do not take from there, besides its lists."""

SHADES = 64


def cells(table: Any) -> dict[str, Any]:
    """The table of scores without its lists, as names of columns and one list a cell."""
    wanted = [name for name, kind in table.schema.items() if name not in LEFT_OUT and not kind.is_nested()]
    rows = [[_short(value) for value in row] for row in table.select(wanted).iter_rows()]
    return {"columns": wanted, "rows": rows}


def found_languages(table: Any, results: str) -> dict[str, dict[str, str]]:
    """The languages of responses that the table has, by the file of the responses and id."""
    found = {}
    names = table.select("base", "mixture", "seed", "lang", "ids", "found_languages").unique(
        ["base", "mixture", "seed", "lang"], maintain_order=True
    )
    for base, mixture, seed, lang, ids, said in names.iter_rows():
        found[f"{results}/generations/{base}/{mixture}/{seed}/{lang}.jsonl"] = dict(zip(ids, said, strict=True))
    return found


def heatmaps(files: Sequence[str], settings: Mapping[str, Any]) -> dict[str, list[list[Any]]]:
    """The lines of the heatmaps' CSVs, by the name of the figure: over seeds, the averages of rows among them.

    A line: training set, language or "average", value, low, high, sd, seeds, p, p_corrected.
    """
    wanted = ("score", "low", "high", "sd", "seeds", "p", "p_corrected")
    known = {item["name"] for item in settings["sets"]}
    found: dict[str, list[list[Any]]] = {}
    for file in files:
        lines = [line for line in _csv(file) if line["mixture"] in known]
        numbers = [[_number(line[name]) for name in wanted] for line in lines]
        told = zip(lines, numbers, strict=True)
        found[Path(file).stem] = [[line["mixture"], line["lang"], *values] for line, values in told]
    return found


def comparisons(file: str) -> dict[str, list[list[Any]]]:
    """The lines of comparisons.csv by base model and judge; of designs that compare the same pair, the first's.

    A line: a, b, language or "average", difference, low, high, p, p_holm, prompts.
    """
    wanted = ("difference", "low", "high", "p", "p_holm", "prompts")
    found: dict[str, dict[tuple[str, ...], list[Any]]] = {}
    for line in _csv(file):
        pair = line["a"], line["b"], line["lang"]
        lines = found.setdefault(f"{line['base']}/{line['judge']}", {})
        lines.setdefault(pair, [*pair, *(_number(line[name]) for name in wanted)])
    return {place: list(lines.values()) for place, lines in found.items()}


def audits(files: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Status, flags and the shares that they rest on, by judge and language."""
    found = {}
    for file in files:
        audit = read_json(file)
        found[f"{audit['judge']}/{audit['lang']}"] = {
            "status": audit["status"],
            "flags": audit["flags"],
            "agreement": {name: _short(audit["labels"]["agreement"][name]) for name in ("score", "low", "high")},
        }
    return found


def shades(colormap: str) -> list[list[str]]:
    """Colours from the least to the greatest, as the figures have them, each with the ink that can be read on it."""
    from matplotlib import colormaps
    from matplotlib.colors import to_hex

    if colormap not in colormaps:
        raise PinchError(f"plot.colormap: {colormap!r} is not a colormap of matplotlib, such as YlGnBu")
    found = []
    for step in range(SHADES):
        colour = colormaps[colormap](0.08 + 0.8 * step / (SHADES - 1))
        found.append([to_hex(colour), _ink(colour)])
    return found


def _ink(colour: Sequence[float]) -> str:
    """Black or white, whichever has the greater contrast (WCAG 2.2, relative luminance)."""
    linear = [value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in colour[:3]]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    return "#000000" if (luminance + 0.05) / 0.05 >= 1.05 / (luminance + 0.05) else "#ffffff"


def _csv(file: str) -> list[dict[str, str]]:
    with Path(file).open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def _number(text: str) -> float | None:
    return _short(float(text)) if text else None


def _short(value: Any) -> Any:
    """Six significant digits are enough to be shown."""
    return float(f"{value:.6g}") if isinstance(value, float) else value
