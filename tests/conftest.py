"""What the tests of models and of the workflow share: a language model of 40,000 parameters, and a finished run."""

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pinch import modelling
from pinch.__main__ import main
from pinch.rehearse import tiny_model as tiny_model_files
from pinch.rows import GenerationRow, write_rows

from tests.harness import CHROMIUM, SEED, Run, tiny_config
from tests.links import eval_prompts, link, training_rows, tune

# Before any test imports a library of Hugging Face: no test may depend on its hub.
os.environ["HF_HUB_OFFLINE"] = "1"


def seed_texts() -> list[str]:
    """All instructions and responses of the seed data, in all languages."""
    texts = []
    for file in sorted([*SEED.glob("*.jsonl"), *SEED.glob("memory/*.jsonl")]):
        rows = [json.loads(line) for line in file.read_text(encoding="utf-8").split("\n") if line]
        texts += [row[field] for row in rows for field in ("instruction", "response")]
    return texts


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Gemma 3 in miniature, with random weights: byte-level BPE that adds BOS by itself, local and global attention."""
    modelling.quiet()
    folder = tmp_path_factory.mktemp("models") / "a tiny model"
    tiny_model_files.write(folder, seed_texts())
    return folder


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """A real browser, for tests that look at pages; by module, since its event loop would be in the way of others'."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def finished(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The tiny experiment, run whole. Tests look at it; those that change something take `run`."""
    run = Run(tmp_path_factory.mktemp("finished") / "an experiment")
    run.folder.mkdir()
    run.write(tiny_config(tiny_model))
    (run.folder / "first_output.txt").write_text(run.make(), encoding="utf-8")
    return run


@pytest.fixture(scope="session")
def first_output(finished: Run) -> str:
    """What the run printed."""
    return (finished.folder / "first_output.txt").read_text(encoding="utf-8")


@pytest.fixture
def run(finished: Run, tmp_path: Path) -> Run:
    """A copy of the finished experiment, to be changed."""
    return finished.copy(tmp_path / "an experiment")


@pytest.fixture(scope="session")
def place(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as the workflow has it: the base model's record, a mixture, prompts."""
    folder = tmp_path_factory.mktemp("models here")
    spec = json.dumps({"path": str(tiny_model), "name": "tiny"})
    record = folder / "results/base_models/tiny.json"
    assert main(link("base_model", spec=spec, cache=folder / "cache", output=record)) == 0
    write_rows(folder / "results/mixtures/en8+es4/d0.jsonl", training_rows())
    for lang in ("en", "es"):
        write_rows(folder / f"prompts/{lang}.jsonl", eval_prompts(lang))
    return folder


@pytest.fixture(scope="session")
def adapter(place: Path) -> Path:
    """A model tuned with LoRA: the folder of weights and manifest."""
    assert tune(place, "lora") == 0
    return place / "results/models/tiny/lora/d0t0"


@pytest.fixture
def pair(place: Path, tmp_path: Path) -> Callable[..., int]:
    """Judges two files of responses with the tiny model; a keyword changes the candidate's response to that id."""

    def judge(name: str = "verdicts", **candidate: str) -> int:
        for side, said in (("baseline", {"e001": "It is so."}), ("candidate", candidate)):
            rows = [
                GenerationRow(
                    id=row.id,
                    lang="en",
                    instruction=row.instruction,
                    response=said.get(row.id, f"It is so, says the {side} ({row.id})."),
                    finish_reason="stop",
                    n_tokens=9,
                )
                for row in eval_prompts("en")
            ]
            write_rows(tmp_path / f"{side}.jsonl", rows)
        settings = {"engine": "transformers", "model": {"path": "not looked at"}, "batch_size": 4}
        command = link(
            "judge",
            candidate=tmp_path / "candidate.jsonl",
            baseline=tmp_path / "baseline.jsonl",
            prompts=place / "prompts/en.jsonl",
            lang="en",
            settings=json.dumps(settings),
            model=place / "results/base_models/tiny.json",
            cache=tmp_path / "cache",
            output=tmp_path / f"{name}.jsonl",
        )
        return main(command)

    return judge


@pytest.fixture(scope="session")
def loaded(tiny_model: Path) -> tuple[Any, Any]:
    modelling.quiet()
    return modelling.load_model(tiny_model), modelling.load_tokenizer(tiny_model)
