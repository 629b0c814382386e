"""Whether two runs made the same files: byte for byte, but for what is listed here with its reason."""

import json
import re
from pathlib import Path
from typing import Any

import polars as pl
from pinch import inventory

NOT_COMPARED = inventory.NOT_KEPT | {
    "plan.json": "estimates from the free memory and speed of the machine",
    "plan.md": "the same in words",
    "arguments": "holds addresses of servers and paths",
    "experiment.json": "holds addresses of servers and paths",
}
"""Files and folders at the top of results that are not compared, and why; nor are hidden files, which are locks."""

REPORT, PAGE = "translations/report.csv", "translations/report.html"
OF_THE_REPORT = ["seconds", "calls_now", "segments_cached"]
"""Columns of the report that tell of the jobs; the page shows the same numbers, and is not compared itself."""

RECORDS = ("models/", "translations/", "generations/")
"""Where records lie of which the keys inventory.OF_THE_JOB are not compared."""


def files(results: Path) -> dict[str, Path]:
    """By name below results: what is compared."""
    found = {}
    for path in sorted(results.rglob("*")):
        name = path.relative_to(results)
        hidden = any(part.startswith(".") for part in name.parts)
        if path.is_file() and not hidden and name.parts[0] not in NOT_COMPARED and name.as_posix() != PAGE:
            found[name.as_posix()] = path
    return found


def content(name: str, path: Path) -> bytes:
    """Of a file by its name below results; a record without what may differ."""
    if name == REPORT:
        return pl.read_csv(path, infer_schema_length=None).drop(OF_THE_REPORT).write_csv().encode()
    if not (name.startswith(RECORDS) and name.endswith(".json")):
        return path.read_bytes()
    return json.dumps(_without(json.loads(path.read_bytes())), sort_keys=True).encode()


def _without(data: Any) -> Any:
    if isinstance(data, dict):
        return {key: _without(value) for key, value in data.items() if key not in inventory.OF_THE_JOB}
    return [_without(value) for value in data] if isinstance(data, list) else data


def differences(one: Path, other: Path) -> list[str]:
    """Files of two results folders that differ or are in one alone, and those that cannot be read whole."""
    ours, theirs = files(one), files(other)
    found = [f"{name}: only in {one.parent.name}" for name in ours.keys() - theirs.keys()]
    found += [f"{name}: only in {other.parent.name}" for name in theirs.keys() - ours.keys()]
    both = sorted(ours.keys() & theirs.keys())
    found += [f"{name}: differs" for name in both if content(name, ours[name]) != content(name, theirs[name])]
    return found + [f"{name}: {why}" for name, path in ours.items() if (why := unreadable(path))]


def unreadable(path: Path) -> str | None:
    """Why a file is no whole one of its kind; None where it is, or is of none of these kinds."""
    try:
        if path.suffix == ".jsonl":
            text = path.read_text(encoding="utf-8")
            assert text == "" or text.endswith("\n"), "its last line is cut off"
            for line in text.split("\n")[:-1]:
                json.loads(line)
        elif path.suffix == ".json":
            json.loads(path.read_text(encoding="utf-8"))
        elif path.suffix == ".parquet":
            pl.read_parquet(path)
        elif path.suffix == ".png":
            data = path.read_bytes()
            assert data.startswith(b"\x89PNG") and data.endswith(b"IEND\xaeB`\x82"), "is no whole PNG"
        elif path.suffix == ".pdf":
            assert re.search(rb"%%EOF\s*$", path.read_bytes()), "is no whole PDF"
    except Exception as error:
        return f"cannot be read: {error}"
    return None
