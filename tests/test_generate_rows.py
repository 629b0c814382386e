"""One load of a base responds as many models, each as if it were alone."""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock
from pinch import modelling
from pinch.__main__ import main
from pinch.config import Generate
from pinch.decoding import linear
from pinch.errors import PinchError
from pinch.generate.adapter import CONFIG, Adapter
from pinch.generate.cells import cell_key
from pinch.rows import GenerationRow, folder_digest, read_json, read_rows, write_json

from tests.harness import Run
from tests.links import generate_command, one_error, tune

NAMES = ("en8", "es8", "lora")


@pytest.fixture(scope="module")
def three(place: Path, adapter: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with three tuned models of one base, and the untuned one."""
    for seed, name in enumerate(NAMES[:2], start=1):
        assert tune(place, name, seed=seed) == 0
    folder = tmp_path_factory.mktemp("three") / "place"
    shutil.copytree(place, folder, ignore=shutil.ignore_patterns("generations"))
    listed = {"models": str(folder / "results/models"), "rows": dict.fromkeys((*NAMES, "untuned"), "en,es")}
    write_json(folder / "rows.json", {**listed, "seeds": ["d0t0"], "untuned_prompt": "chat"})
    return folder


def command(place: Path, cache: Path, name: str, lang: str = "en", rows: bool = True, **options: Any) -> list[str]:
    found = generate_command(place, cache, cache / f"{name}-{lang}.jsonl", lang=lang)
    if name != "untuned":
        found += ["--weights", str(place / f"results/models/tiny/{name}/d0t0/weights")]
    if rows:
        found += ["--row", "en,es", "--rows", str(place / "rows.json")]
    return [*found, "--transport", json.dumps(options)]


def cells(cache: Path) -> list[Path]:
    return sorted((cache / "generations").glob("*.jsonl"))


def said(cache: Path, name: str, lang: str) -> list[str]:
    return [row.response for row in read_rows(cache / f"{name}-{lang}.jsonl", GenerationRow)]


def loads(text: str) -> tuple[int, int]:
    """How often a model was loaded, and an adapter put in the place of another."""
    return text.count("model loaded in"), text.count("adapter changed in")


def test_one_load_serves_all_rows_that_are_there(
    three: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(linear, "SMALLEST", 0)
    assert main(command(three, tmp_path, "es8")) == 0
    assert loads(capsys.readouterr().out) == (1, 3)
    assert len(cells(tmp_path)) == 8
    for name in (*NAMES, "untuned"):
        for lang in ("en", "es"):
            assert main(command(three, tmp_path, name, lang)) == 0
            assert loads(capsys.readouterr().out) == (0, 0)
            alone = tmp_path / "alone" / name
            assert main(command(three, alone, name, lang, rows=False)) == 0
            capsys.readouterr()
            assert said(tmp_path, name, lang) == said(alone, name, lang)
    assert len({tuple(said(tmp_path, name, "en")) for name in (*NAMES, "untuned")}) == 4


@pytest.mark.parametrize(("models", "made"), [(1, 2), (2, 4), (3, 6)])
def test_a_job_serves_so_many_models_and_no_more(three: Path, tmp_path: Path, models: int, made: int) -> None:
    assert main(command(three, tmp_path, "es8", models_per_load=models)) == 0
    assert len(cells(tmp_path)) == made


def test_while_another_job_holds_its_model_it_works_on_others(
    three: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    digest = read_json(three / "results/models/tiny/es8/d0t0/manifest.json")["model_digest"]
    held = FileLock(tmp_path / "generations" / f".{digest[:16]}.lock")
    (tmp_path / "generations").mkdir()
    held.acquire()
    acquire = FileLock.acquire

    def released(self: Any, *arguments: Any, **options: Any) -> Any:
        if options.get("timeout") is None:  # nothing else is left to do: it waits
            assert len(cells(tmp_path)) == 6
            held.release()
        return acquire(self, *arguments, **options)

    monkeypatch.setattr(FileLock, "acquire", released)
    assert main(command(three, tmp_path, "es8")) == 0
    assert len(cells(tmp_path)) == 8
    assert "6 responses generated" in capsys.readouterr().out


def test_weights_that_are_being_made_anew_are_left_alone(
    three: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = tmp_path / "place"
    shutil.copytree(three, place)
    listed = read_json(place / "rows.json") | {"models": str(place / "results/models")}
    write_json(place / "rows.json", listed)
    models = place / "results/models/tiny"
    (models / "lora/d0t0/weights/adapter_model.safetensors").write_bytes(b"half")
    shutil.rmtree(models / "en8/d0t0/weights")
    assert main(command(place, tmp_path / "cache", "es8")) == 0
    assert len(cells(tmp_path / "cache")) == 4
    assert "lora" not in capsys.readouterr().out


def test_another_row_that_cannot_be_made_does_not_fail_the_job(
    three: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = tmp_path / "place"
    shutil.copytree(three, place)
    write_json(place / "rows.json", read_json(place / "rows.json") | {"models": str(place / "results/models")})
    folder = place / "results/models/tiny/lora/d0t0"
    odd = folder / "weights" / CONFIG
    write_json(odd, read_json(odd) | {"use_dora": True})
    write_json(
        folder / "manifest.json", read_json(folder / "manifest.json") | {"weights_digest": folder_digest(odd.parent)}
    )
    assert main(command(place, tmp_path / "cache", "es8")) == 0
    assert "lora/d0t0 is left to its own job" in capsys.readouterr().out
    assert len(cells(tmp_path / "cache")) == 6
    assert main(command(place, tmp_path / "cache", "lora")) == 1
    assert "is no adapter of finetune (use_dora)" in one_error(capsys.readouterr().err)


def test_refreshing_makes_the_one_cell_anew(three: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert main(command(three, tmp_path, "es8")) == 0
    times = {path: path.stat().st_mtime_ns for path in cells(tmp_path)}
    monkeypatch.setenv("PINCH_REFRESH", "1")
    assert main(command(three, tmp_path, "es8")) == 0
    assert sum(path.stat().st_mtime_ns != times[path] for path in cells(tmp_path)) == 1


def test_a_merged_adapter_is_what_peft_makes_of_it(tiny_model: Path, adapter: Path) -> None:
    import torch

    merged = dict(modelling.load_model(tiny_model, adapter / "weights").named_parameters())
    base = modelling.load_model(tiny_model)
    ours = Adapter(adapter / "weights", base)
    changed = 0
    for name, layer in base.named_modules():
        if (weight := ours(name, layer)) is not None:
            changed += 1
            assert torch.equal(weight, merged[f"{name}.weight"])
            assert not torch.equal(weight, layer.weight)
    assert changed == len(ours.factors) == 14


def test_in_bfloat16_an_adapter_is_added_in_float32_and_rounded_once(tiny_model: Path, adapter: Path) -> None:
    import torch

    whole = modelling.load_model(tiny_model, weights_dtype=torch.float32)
    half = modelling.load_model(tiny_model, weights_dtype=torch.bfloat16)
    ours = Adapter(adapter / "weights", half)
    name, layer = next((name, layer) for name, layer in half.named_modules() if name in ours.factors)
    factors = ours.factors[name]
    exact = layer.weight.float() + factors["lora_B"] @ factors["lora_A"] * ours.scale
    found = ours(name, layer)
    assert found is not None and found.dtype == torch.bfloat16
    assert torch.equal(found, exact.to(torch.bfloat16))
    assert whole.dtype == torch.float32


def test_an_adapter_of_another_model_is_refused(loaded: tuple[Any, Any], adapter: Path, tmp_path: Path) -> None:
    import torch
    from safetensors.torch import load_file, save_file

    shutil.copytree(adapter / "weights", tmp_path / "weights")
    file = tmp_path / "weights/adapter_model.safetensors"
    tensors = load_file(file)
    first = next(name for name in tensors if "lora_A" in name)
    save_file(tensors | {first: torch.zeros(4, 7)}, file)
    with pytest.raises(PinchError, match="does not fit the base model"):
        Adapter(tmp_path / "weights", loaded[0])


def keys(settings: Sequence[dict[str, Any]]) -> set[str]:
    return {cell_key("model", "prompts", Generate.model_validate(item), "d0t0", True) for item in settings}


SERVER = {"engine": "endpoint", "endpoint": {"base_url": "http://a", "model": "m"}}


def test_a_cell_is_known_by_all_that_its_text_depends_on() -> None:
    different: list[dict[str, Any]] = [
        {},
        {"max_new_tokens": 7},
        {"batch_size": 4},
        {"temperature": 1},
        {"engine": "vllm"},
        {"engine": "vllm", "vllm": {"dtype": "float16"}},
        SERVER,
        SERVER | {"endpoint": {"base_url": "http://a", "model": "other"}},
        SERVER | {"endpoint": {"base_url": "http://a", "model": "m", "adapter": "{mixture}"}},
    ]
    assert len(keys(different)) == len(different)
    same: list[dict[str, Any]] = [
        SERVER,
        SERVER | {"batch_size": 4, "models_per_load": 3},
        SERVER | {"endpoint": {"base_url": "http://b", "model": "m", "concurrency": 2, "retries": 1}},
    ]
    assert len(keys(same)) == 1
    assert len(keys([{"engine": "vllm", "vllm": {"gpus": 2}}, {"engine": "vllm", "batch_size": 8}])) == 1


def test_all_trainings_come_before_the_one_load(first_output: str) -> None:
    generated = first_output.index("generate: model loaded in")
    assert first_output.count("finetune: en12: ", 0, generated) == 1
    assert not any(f"finetune: {name}: " in first_output[generated:] for name in ("en12", "es12", "en9+es3"))


def test_how_many_models_a_load_serves_is_no_reason_to_generate_again(run: Run) -> None:
    run.edit(lambda config: config["generate"].update(models_per_load=1))
    assert run.jobs() == {}
    run.edit(lambda config: config["generate"].update(batch_size=3))
    assert run.jobs()["generate"] == 7


def test_an_endpoint_takes_a_core_and_no_gpu(run: Run) -> None:
    server = {"base_url": "http://127.0.0.1:9/v1", "model": "m"}
    run.edit(lambda config: config.update(generate={"engine": "endpoint", "endpoint": server}))
    told = run.make("--dry-run", "--forcerun", "generate")
    block = told[told.index("rule generate:") :].split("\n\n")[0]
    assert "gpu=0" in block and "threads:" not in block
