"""Links run by hand on the tiny model, and the rows that they are given."""

import json
from pathlib import Path
from typing import Any

from pinch.__main__ import main
from pinch.rows import ExampleRow, TranslatedRow, VerdictRow, read_json, read_rows

from tests.harness import SEED

BOS, EOS = 2, 1
TINY = {"lr": 5e-3, "lora_rank": 4, "max_length": 192}


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]


def training_rows() -> list[ExampleRow]:
    english = [ExampleRow(**row) for row in lines(SEED / "train.en.jsonl")[:8]]
    return english + [ExampleRow(**row) for row in lines(SEED / "memory/train.es.jsonl")[8:12]]


def eval_prompts(lang: str, count: int = 6) -> list[TranslatedRow]:
    found = lines(SEED / ("eval.en.jsonl" if lang == "en" else f"memory/eval.{lang}.jsonl"))[:count]
    return [TranslatedRow(**row, source="", engine="none") for row in found]


def prompt(instruction: str, id: str = "p1") -> TranslatedRow:
    return TranslatedRow(id=id, lang="en", instruction=instruction, response=None, source="", engine="none")


def link(name: str, *arguments: Any, **options: Any) -> list[str]:
    """A command of `python -m pinch`: link("mixture", draw="d0") is mixture --draw d0."""
    return [name, *map(str, arguments), *(str(part) for key in options for part in (f"--{key}", options[key]))]


def tune(place: Path, name: str, seed: int = 0, base: Path | None = None, **settings: Any) -> int:
    folder = place / "results/models/tiny" / name / "d0t0"
    command = link(
        "finetune",
        base=base or place / "results/base_models/tiny.json",
        mixture=place / "results/mixtures/en8+es4/d0.jsonl",
        settings=json.dumps(TINY | settings),
        seed=seed,
        cache=place / "cache",
        weights=folder / "weights",
        manifest=folder / "manifest.json",
    )
    return main(command)


def generate_command(place: Path, cache: Path, output: Path, lang: str = "en", **settings: Any) -> list[str]:
    return link(
        "generate",
        base=place / "results/base_models/tiny.json",
        prompts=place / "prompts",
        lang=lang,
        settings=json.dumps({"max_new_tokens": 6} | settings),
        cache=cache,
        output=output,
    )


def manifest(place: Path, name: str) -> dict[str, Any]:
    return read_json(place / "results/models/tiny" / name / "d0t0/manifest.json")


def one_error(text: str) -> str:
    """The single line of an error. What else libraries have to say is a warning, and no traceback."""
    assert "Traceback" not in text
    found = [line for line in text.splitlines() if ": error: " in line]
    assert len(found) == 1, text
    return found[0]


def verdicts_of(path: Path) -> list[VerdictRow]:
    return read_rows(path, VerdictRow, unique=("id", "order"))
