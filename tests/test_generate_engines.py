"""Engines that hold the models themselves: a server, and vLLM, of which the border is tested."""

import json
import sys
import types
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from pinch import base_model, modelling
from pinch.__main__ import main
from pinch.config import Generate
from pinch.decoding import decode
from pinch.decoding.sampling import integer
from pinch.rows import GenerationRow, read_json, read_rows, write_rows

from tests import chat_endpoint
from tests.chat_endpoint import JSON, Endpoint, Said, serving
from tests.links import EOS, eval_prompts, generate_command, link, one_error, prompt
from tests.llama_server import SHARED, endpoint, record, smollm2

__all__ = ["endpoint", "record", "smollm2"]


def completion(text: str = " It is so. ", reason: str = "stop", tokens: int = 5, **changes: Any) -> Said:
    choice = {"index": 0, "text": text, "finish_reason": reason, "logprobs": None}
    usage = {"prompt_tokens": 9, "completion_tokens": tokens, "total_tokens": 9 + tokens}
    whole = {"id": "c1", "object": "text_completion", "created": 1, "model": "m", "choices": [choice], "usage": usage}
    return 200, JSON, json.dumps(whole | changes).encode()


def asked_of(endpoint: Endpoint, path: str) -> list[dict[str, Any]]:
    return [asked for asked, where in zip(endpoint.asked, endpoint.paths, strict=True) if where == f"/v1/{path}"]


def run(place: Path, cache: Path, url: str, *more: str, server: dict[str, Any] | None = None, **settings: Any) -> int:
    """Generate by a server; `server` are more of its settings."""
    section = {"base_url": url, "model": "base"} | (server or {})
    arguments = generate_command(place, cache, cache / "en.jsonl", engine="endpoint", endpoint=section, **settings)
    return main([*arguments, *more])


def test_a_server_is_asked_with_the_token_ids_of_training(place: Path, tmp_path: Path) -> None:
    tokenizer = modelling.load_tokenizer(Path(read_json(place / "results/base_models/tiny.json")["spec"]["path"]))
    with serving(lambda number, asked: completion(tokens=number)) as server:
        assert run(place, tmp_path, server.url) == 0
        ids = {tuple(asked["prompt"]) for asked in asked_of(server, "completions")}
        assert ids == {tuple(modelling.prompt_ids(tokenizer, row.instruction)) for row in eval_prompts("en")}
        for asked in server.asked:
            assert {key: value for key, value in asked.items() if key != "prompt"} == {
                "model": "base",
                "max_tokens": 6,
                "temperature": 0.0,
            }
        rows = read_rows(tmp_path / "en.jsonl", GenerationRow)
        assert [row.id for row in rows] == [row.id for row in eval_prompts("en")]
        assert {(row.response, row.finish_reason) for row in rows} == {("It is so.", "stop")}
        assert sorted(row.n_tokens for row in rows) == [1, 2, 3, 4, 5, 6]
        assert run(place, tmp_path, "http://127.0.0.1:9/v1") == 0  # all is in the cache, wherever the server is
        assert len(server.asked) == 6


def test_a_server_samples_by_seed_language_and_id(place: Path, tmp_path: Path) -> None:
    with serving(lambda number, asked: completion()) as server:
        assert run(place, tmp_path, server.url, "--seed", "d1t2", temperature=0.7, top_p=0.9) == 0
    seeds = [integer("d1t2", "en", row.id) for row in eval_prompts("en")]
    assert sorted(asked["seed"] for asked in server.asked) == sorted(seeds)
    wanted = {"temperature": 0.7, "top_p": 0.9, "top_k": 0, "min_p": 0.0}
    assert all({key: asked[key] for key in wanted} == wanted for asked in server.asked)


def test_a_tuned_model_is_asked_for_by_its_name(place: Path, adapter: Path, tmp_path: Path) -> None:
    weights = ["--weights", str(adapter / "weights"), "--seed", "d0t0"]
    with serving(lambda number, asked: completion()) as server:
        assert run(place, tmp_path, server.url, *weights, server={"adapter": "{base}:{mixture}/{seed}"}) == 0
    assert {asked["model"] for asked in server.asked} == {"tiny:lora/d0t0"}


def test_a_server_loads_and_unloads_an_adapter(place: Path, adapter: Path, tmp_path: Path) -> None:
    digest = read_json(adapter / "manifest.json")["model_digest"]
    name = f"lora-d0t0-{digest[:12]}"

    def answer(number: int, asked: dict[str, Any]) -> Said:
        return completion() if "prompt" in asked else (200, {"Content-Type": "text/plain"}, b"Success")

    weights = ["--weights", str(adapter / "weights")]
    with serving(answer) as server:
        assert run(place, tmp_path, server.url, *weights, server={"load_adapters": True}) == 0
    assert server.paths[0] == "/v1/load_lora_adapter" and server.paths[-1] == "/v1/unload_lora_adapter"
    assert asked_of(server, "load_lora_adapter") == [{"lora_name": name, "lora_path": str(adapter / "weights")}]
    assert {asked["model"] for asked in asked_of(server, "completions")} == {name}
    assert asked_of(server, "unload_lora_adapter") == [{"lora_name": name}]


LoRA = "The lora adapter 'x' has already been loaded."


@pytest.mark.parametrize(
    ("status", "words", "code"),
    [(400, LoRA, 0), (400, "No adapter found", 1), (404, "Not Found", 1)],
)
def test_a_server_that_does_not_load(
    status: int, words: str, code: int, place: Path, adapter: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def answer(number: int, asked: dict[str, Any]) -> Said:
        return completion() if "prompt" in asked else chat_endpoint.error(status, words)

    weights = ["--weights", str(adapter / "weights")]
    with serving(answer) as server:
        assert run(place, tmp_path, server.url, *weights, server={"load_adapters": True, "retries": 0}) == code
    if code:
        said = one_error(capsys.readouterr().err)
        assert words in said and ("VLLM_ALLOW_RUNTIME_LORA_UPDATING" in said) == (status == 404)


FAULTS: dict[str, tuple[Callable[[], Said | None], str]] = {
    "a page": (lambda: (200, {"Content-Type": "text/html"}, b"<html>"), "no completion"),
    "no count": (lambda: completion(usage=None), "no completion"),
    "a filter": (lambda: completion(reason="content_filter"), "finish_reason 'content_filter'"),
    "too long": (lambda: chat_endpoint.error(400, "maximum context length is 8"), "maximum context length is 8"),
    "no model": (lambda: chat_endpoint.error(404, "The model `base` does not exist."), "does not exist"),
    "hung up": (lambda: None, "cannot be reached"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_server_with_a_fault(name: str, place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    answer, words = FAULTS[name]
    with serving(lambda number, asked: answer()) as server:
        assert run(place, tmp_path, server.url, server={"retries": 0, "timeout": 5}) == 1
    assert words in one_error(capsys.readouterr().err)
    assert not list(tmp_path.glob("generations/*.jsonl"))


def test_a_server_that_recovers(place: Path, tmp_path: Path) -> None:
    def answer(number: int, asked: dict[str, Any]) -> Said:
        faults = {1: chat_endpoint.error(503), 2: (200, {"Content-Type": "text/html"}, b"<html>")}
        return faults.get(number, completion())

    with serving(answer) as server:
        assert run(place, tmp_path, server.url, server={"concurrency": 2, "retries": 2}) == 0
    assert len(server.asked) == 8 and server.most_in_flight <= 2


def test_a_key_is_sent_and_not_written(place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SERVER_KEY", "s3cret")
    with serving(lambda number, asked: completion(text="My key is s3cret.")) as server:
        assert run(place, tmp_path, server.url, server={"api_key_env": "SERVER_KEY"}) == 0
    assert set(server.keys) == {"Bearer s3cret"}
    assert "s3cret" not in (tmp_path / "en.jsonl").read_text(encoding="utf-8")


def test_llama_cpp_takes_token_ids_and_counts_the_stop_token(endpoint: str, record: Path, tmp_path: Path) -> None:
    """A real server: no second BOS, the prompt as we show it, and lengths counted as ours are."""
    write_rows(tmp_path / "prompts/en.jsonl", [prompt("Write the word yes."), prompt("Hi", id="p2")])
    settings = {"engine": "endpoint", "max_new_tokens": 30, "endpoint": {"base_url": endpoint, "model": "smollm2"}}
    folder, _ = base_model.open_record(record, SHARED)
    tokenizer = modelling.load_tokenizer(folder)
    for sampled in ({}, {"temperature": 0.9, "top_p": 0.9}):
        found = []
        for turn in ("first", "second"):
            cache = tmp_path / f"{turn}{len(sampled)}"
            cache.mkdir()
            (cache / "base_models").symlink_to(SHARED / "base_models")
            command = link("generate", base=record, prompts=tmp_path / "prompts", lang="en", cache=cache)
            command += ["--output", str(cache / "en.jsonl"), "--settings", json.dumps(settings | sampled)]
            assert main(command) == 0
            found.append(read_rows(cache / "en.jsonl", GenerationRow))
        assert found[0] == found[1]
        if not sampled:
            yes, hi = found[0]
            assert "word yes" in yes.response and yes.finish_reason == "stop"
            assert yes.n_tokens == len(modelling.text_ids(tokenizer, yes.response)) + 1
            assert (hi.finish_reason, hi.n_tokens) == ("length", 30)


# --- vLLM: what is handed over ---


@dataclass
class Calls:
    """What the stand-in was given."""

    engines: list[dict[str, Any]]
    asked: list[tuple[list[Any], list[dict[str, Any]], Any]]


@pytest.fixture
def vllm(monkeypatch: pytest.MonkeyPatch) -> Calls:
    """A module that takes what vLLM 0.33 takes, and no other names, and says three tokens and the stop token."""
    calls = Calls([], [])
    known = {
        "model", "tokenizer", "dtype", "seed", "generation_config", "gpu_memory_utilization", "tensor_parallel_size",
        "max_model_len", "max_num_seqs", "enable_lora", "max_lora_rank", "max_loras",
        "load_format", "trust_remote_code",
    }  # fmt: skip

    class LLM:
        def __init__(self, **options: Any) -> None:
            assert set(options) <= known
            calls.engines.append(options)

        def generate(
            self, prompts: Any, sampling_params: Any, *, lora_request: Any = None, use_tqdm: Any = True
        ) -> Any:
            calls.asked.append((prompts, sampling_params, lora_request))
            output = types.SimpleNamespace(token_ids=(300, 301, 302, EOS))
            return [types.SimpleNamespace(outputs=[output]) for _ in prompts]

    def sampling(
        *, temperature: float, top_p: float, max_tokens: int, seed: int | None, stop_token_ids: Any, detokenize: bool
    ) -> dict[str, Any]:
        return dict(locals())

    def request(lora_name: str, lora_int_id: int, lora_path: str) -> tuple[str, int, str]:
        assert lora_int_id > 0
        return lora_name, lora_int_id, lora_path

    module, lora, requests = (types.ModuleType(name) for name in ("vllm", "vllm.lora", "vllm.lora.request"))
    module.__dict__.update(LLM=LLM, SamplingParams=sampling)
    requests.__dict__.update(LoRARequest=request)
    for part in (module, lora, requests):
        monkeypatch.setitem(sys.modules, part.__name__, part)
    return calls


def test_vllm_is_loaded_once_for_a_base_and_its_adapters(
    vllm: Calls, place: Path, adapter: Path, tmp_path: Path
) -> None:
    base = Path(read_json(place / "results/base_models/tiny.json")["spec"]["path"])
    listed = {"models": str(place / "results/models"), "rows": {"lora": "en", "untuned": "en"}, "seeds": ["d0t0"]}
    (tmp_path / "rows.json").write_text(json.dumps(listed | {"untuned_prompt": "chat"}))
    arguments = generate_command(place, tmp_path, tmp_path / "en.jsonl", engine="vllm", temperature=0.5, top_p=0.9)
    arguments += ["--weights", str(adapter / "weights"), "--rows", str(tmp_path / "rows.json"), "--transport"]
    assert main([*arguments, '{"batch_size": 7, "vllm": {"gpu_memory": 0.5, "gpus": 2, "context": 512}}']) == 0
    assert vllm.engines == [
        {
            "model": str(base),
            "tokenizer": str(base),
            "dtype": "auto",
            "seed": 0,
            "load_format": "safetensors",
            "trust_remote_code": False,
            "generation_config": "vllm",
            "gpu_memory_utilization": 0.5,
            "tensor_parallel_size": 2,
            "max_model_len": 512,
            "max_num_seqs": 7,
            "enable_lora": True,
            "max_lora_rank": 8,
            "max_loras": 1,
        }
    ]
    tokenizer = modelling.load_tokenizer(base)
    (prompts, parameters, tuned), (_, _, untuned) = vllm.asked
    rows = eval_prompts("en")
    assert prompts == [{"prompt_token_ids": modelling.prompt_ids(tokenizer, row.instruction)} for row in rows]
    assert parameters == [
        {
            "temperature": 0.5,
            "top_p": 0.9,
            "max_tokens": 6,
            "seed": integer("d0t0", "en", row.id),
            "stop_token_ids": [EOS],
            "detokenize": False,
        }
        for row in rows
    ]
    digest = read_json(adapter / "manifest.json")["model_digest"]
    assert tuned == (f"lora/d0t0-{digest[:8]}", 1, str(adapter / "weights"))
    assert untuned is None
    found = read_rows(tmp_path / "en.jsonl", GenerationRow)
    assert {(row.response, row.finish_reason, row.n_tokens) for row in found} == {
        (tokenizer.decode([300, 301, 302]).strip(), "stop", 4)
    }


def test_vllm_greedy_has_no_seed(vllm: Calls, place: Path, tmp_path: Path) -> None:
    assert main(generate_command(place, tmp_path, tmp_path / "en.jsonl", engine="vllm")) == 0
    assert {(item["temperature"], item["seed"], item["top_p"]) for item in vllm.asked[0][1]} == {(0.0, None, 1.0)}
    assert "enable_lora" not in vllm.engines[0] and "max_num_seqs" not in vllm.engines[0]


def test_without_vllm_there_is_a_remedy(place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    if "vllm" in sys.modules:
        pytest.skip("vLLM is installed")
    assert main(generate_command(place, tmp_path, tmp_path / "en.jsonl", engine="vllm")) == 1
    assert "pip install vllm" in one_error(capsys.readouterr().err)


def test_an_engine_and_its_section_go_together(place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(generate_command(place, tmp_path, tmp_path / "en.jsonl", engine="endpoint")) == 1
    assert "`engine: endpoint` and the section `endpoint`" in one_error(capsys.readouterr().err)


def test_the_engines_of_this_process_are_the_same_function(
    loaded: tuple[Any, Any], place: Path, tmp_path: Path
) -> None:
    assert main(generate_command(place, tmp_path, tmp_path / "en.jsonl")) == 0
    found = read_rows(tmp_path / "en.jsonl", GenerationRow)
    assert found == decode(*loaded, eval_prompts("en"), Generate(max_new_tokens=6), "d0t0", True)
