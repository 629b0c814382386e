"""A finished run is checked against its manifests; the same config, seed and device give the same files."""

import json
import shutil
from pathlib import Path

import pytest
from pinch import inventory, made
from pinch.__main__ import main
from pinch.rows import digest, folder_digest, read_json, write_json

from tests.faults.comparing import differences
from tests.harness import Run, tiny_config
from tests.links import one_error


@pytest.fixture
def there(run: Run, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.chdir(run.folder)
    return run


def checked(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str]:
    code = main(["reproduce", "tiny.yaml", *words])
    output = capsys.readouterr()
    if code:
        one_error(output.err)
    return code, output.out + output.err


def test_a_finished_run_is_as_recorded(there: Run, capsys: pytest.CaptureFixture[str]) -> None:
    code, said = checked(capsys)
    assert code == 0, said
    assert said.count("as recorded") == 3
    assert "the same versions and hardware" in said
    held = read_json(there.results / "manifest.json")
    recorded = {name for name in held["files"] if not name.startswith(("plan.", "arguments/"))}
    assert {"scores/scores.csv", "figures/heatmap-tiny-rubric.pdf", "generations/tiny/en12/d0t0/es.json"} <= recorded
    (run,) = held["runs"]
    assert run["packages"]["torch"] and run["hardware"]["cores"] and run["python"]
    assert len(run["config_digest"]) == 64


def test_what_was_changed_is_named(there: Run, capsys: pytest.CaptureFixture[str]) -> None:
    cell = there.results / "generations/tiny/en12/d0t0/es.jsonl"
    cell.write_bytes(cell.read_bytes().replace(b'"response":"', b'"response":"X', 1))
    (there.results / "figures/languages.png").unlink()
    (there.results / "scores/mine.csv").write_text("a\n")
    weights = there.results / "models/tiny/en9+es3/d0t0/weights"
    adapter = weights / "adapter_model.safetensors"
    data = bytearray(adapter.read_bytes())
    data[-1] ^= 1
    adapter.write_bytes(data)
    code, said = checked(capsys)
    assert code == 1
    results = there.config["results"]
    for line in (
        f"{results}/generations/tiny/en12/d0t0/es.jsonl: digest ",
        f"{results}/figures/languages.png: is not there",
        f"{results}/scores/mine.csv: is new since the record",
        f"{results}/models/tiny/en9+es3/d0t0/weights: digest ",
        f"{results}/generations/tiny/en12/d0t0/es.json: responses_digest ",
    ):
        assert f"  {line}" in said, said
    # The verdicts on that cell were given on other responses.
    assert "candidate_digest" in said
    assert main(["reproduce", "tiny.yaml", "--record"]) == 0


def test_a_model_that_is_another_is_named_by_what_was_made_from_it(
    there: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = there.results / "models/tiny/en12/d0t0"
    said = read_json(folder / "manifest.json")
    shutil.copytree(there.results / "models/tiny/es12/d0t0/weights", folder / "weights", dirs_exist_ok=True)
    found = folder_digest(folder / "weights")
    write_json(
        folder / "manifest.json",
        said | {"weights_digest": found, "model_digest": digest(said["base_digest"], found)},
    )
    assert main(["reproduce", "tiny.yaml", "--record"]) == 0
    code, told = checked(capsys)
    assert code == 1
    assert "generations/tiny/en12/d0t0/en.json: made by the model" in told


@pytest.mark.long
def test_a_cell_generated_anew_is_the_same(there: Run, capsys: pytest.CaptureFixture[str]) -> None:
    code, said = checked(capsys, "--rerun", "1")
    assert code == 0, said
    assert "1 cells generated anew: as recorded" in said
    assert "responses generated" in said


def test_other_versions_are_told_and_fail_nothing(there: Run, capsys: pytest.CaptureFixture[str]) -> None:
    held = read_json(there.results / "manifest.json")
    held["runs"][-1]["packages"]["torch"] = "1.0"
    held["runs"][-1]["python"] = "2.7"
    write_json(there.results / "manifest.json", held)
    code, said = checked(capsys)
    assert code == 0
    assert "2 differences" in said
    assert "  torch 1.0 then, " in said


def test_without_a_record_it_says_how_to_make_one(there: Run, capsys: pytest.CaptureFixture[str]) -> None:
    (there.results / "manifest.json").unlink()
    code, said = checked(capsys)
    assert code == 1
    assert "--record" in said


def test_a_record_remembers_which_run_made_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "old.txt").write_text("old")
    write_json(tmp_path / "another experiment" / "experiment.json", {})  # which lies there, and is not ours
    write_json(tmp_path / "models/tiny/en12/d0t0/weights/config.json", {})  # which its manifest has
    inventory.record(tmp_path, {"a": 1})
    (tmp_path / "new.txt").write_text("new")
    monkeypatch.setattr(made, "environment", lambda: {"python": "4"})
    held = inventory.record(tmp_path, {"a": 1})
    assert {name: known["run"] for name, known in held["files"].items()} == {"old.txt": 0, "new.txt": 1}
    assert json.loads((tmp_path / "manifest.json").read_text()) == held


@pytest.mark.long
def test_two_runs_in_different_places_give_the_same_files(tiny_model: Path, tmp_path: Path) -> None:
    """Other paths, another order of Python's sets, one job or two at a time; torch on one core in both."""
    runs = [Run(tmp_path / "one"), Run(tmp_path / "quite another" / "place")]
    threads = ("--set-threads", "base_model=1", "finetune=1", "generate=1")
    for run, cores, hashes in zip(runs, ("--cores=1", "--cores=2"), ("1", "2"), strict=True):
        run.folder.mkdir(parents=True)
        config = tiny_config(tiny_model)
        config["judges"].append({"engine": "rubric", "name": "strict", "margin": 0})
        run.write(config)
        done = run.snakemake(*threads, cores=cores, PYTHONHASHSEED=hashes)
        assert done.returncode == 0, done.stdout
    assert differences(runs[0].results, runs[1].results) == []
