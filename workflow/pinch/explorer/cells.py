"""What a click on a cell shows: prompts of a language, responses of a model, verdicts of a judge; a data file each.

All lists of a file have an entry a prompt, in the order of its `ids`.
"""

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from pinch import languages
from pinch.errors import PinchError
from pinch.explorer.packing import Data
from pinch.repetition import loops
from pinch.rows import GenerationRow, TranslatedRow, VerdictRow, read_rows

ORDERS = ("baseline_first", "candidate_first")

Settings = Mapping[str, Any]


def put_prompts(data: Data, settings: Settings) -> None:
    """Of each language: instructions, their sources, references, and what is known against the translation."""
    for lang in settings["columns"]:
        file = f"{settings['results']}/translations/eval/{lang}.jsonl"
        if Path(file).is_file():
            data.put(f"prompts/{lang}", [file], None, partial(_prompts, file))


def _prompts(file: str) -> dict[str, Any]:
    rows = read_rows(file, TranslatedRow)
    return {
        "ids": [row.id for row in rows],
        "instructions": [row.instruction for row in rows],
        "references": [row.response for row in rows],
        "sources": [row.source for row in rows],
        "engines": [row.engine for row in rows],
        "flags": [row.flags for row in rows],
    }


def put_responses(data: Data, settings: Settings, found: Mapping[str, Mapping[str, str]]) -> int:
    """Of each model and language; `found` are the languages of responses that are known, by file and id."""
    allowed = languages.candidates(list(settings["languages"]))
    count = 0
    for cell, _, lang in _cells(settings, "responds"):
        file = f"{settings['results']}/generations/{cell}.jsonl"
        if Path(file).is_file():
            make = partial(_said, file, lang, found.get(file, {}), allowed)
            data.put(f"responses/{cell}", [file], sorted(allowed), make)
            count += 1
    return count


def _cells(settings: Settings, langs: str) -> Iterator[tuple[str, str, str]]:
    """Each cell as a part of paths, with its training set and language; `langs`: responds or columns, of a set."""
    for base in settings["bases"]:
        for item in settings["sets"]:
            for seed in settings["seeds"]:
                for lang in item[langs]:
                    yield f"{base}/{item['name']}/{seed}/{lang}", item["name"], lang


def _said(file: str, lang: str, known: Mapping[str, str], allowed: frozenset[str]) -> dict[str, Any]:
    rows = read_rows(file, GenerationRow)
    return {
        "ids": [row.id for row in rows],
        "responses": [row.response for row in rows],
        "tokens": [row.n_tokens for row in rows],
        "cut": [int(row.finish_reason == "length") for row in rows],
        "languages": [known.get(row.id) or languages.found(row.response, lang, allowed) for row in rows],
        "loops": [int(loops(row.response)) for row in rows],
    }


def put_verdicts(data: Data, settings: Settings) -> int:
    """Of each judge on each judged cell: the winner in both orders, and what the judge said."""
    count = 0
    for judge in (judge["name"] for judge in settings["judges"]):
        for cell, mixture, lang in _cells(settings, "columns"):
            file = f"{settings['results']}/judgments/{judge}/{settings['baseline']}/{cell}.jsonl"
            if settings["baselines"][lang] != mixture and Path(file).is_file():
                data.put(f"verdicts/{judge}/{cell}", [file], None, partial(_verdicts, file))
                count += 1
    return count


def _verdicts(file: str) -> dict[str, Any]:
    rows: dict[tuple[str, str], VerdictRow] = {
        (row.id, row.order): row for row in read_rows(file, VerdictRow, unique=("id", "order"))
    }
    ids = list(dict.fromkeys(id for id, _ in rows))
    for id in ids:
        if missing := [order for order in ORDERS if (id, order) not in rows]:
            raise PinchError(f"{file}: id {id!r}: the order {missing[0]} is missing; judge this cell again")

    def each(what: str) -> list[list[Any]]:
        return [[getattr(rows[id, order], what) for id in ids] for order in ORDERS]

    return {"ids": ids, "winners": each("winner"), "reasons": each("reason"), "replies": each("raw")}
