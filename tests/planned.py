"""An experiment that looks finished in part: its files written by hand, without a model."""

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pinch import check
from pinch.config import OpenAIJudge
from pinch.config.plan import Plan as Settings
from pinch.experiment import Experiment
from pinch.judge.calls import Call, Completion, Keep
from pinch.judge.openai import OpenAIEngine
from pinch.judge.protocol import Pair, judge_pairs
from pinch.plan import Plan, make_plan
from pinch.rows import AuditRow, GenerationRow, VerdictRow, write_json, write_rows

from tests.harness import SEED

JUDGE = {
    "engine": "openai",
    "name": "asked",
    "base_url": "http://localhost:1/v1",
    "model": "judge",
    "api_key_env": "PINCH_TEST_KEY_THAT_IS_NOT_SET",
    "usd_per_million_tokens": [1.0, 2.0],
}
MIXTURES = {"en12": ["en", "es"], "en9+es3": ["en", "es"], "es12": ["es"], "untuned": ["en", "es"]}
"""The rows of the tiny experiment, and the languages in which each responds."""


def base_model(folder: Path) -> Path:
    """A base model of two layers' worth of shapes, all zero, with a tokenizer of bytes."""
    from tokenizers import Tokenizer, models, pre_tokenizers

    folder.mkdir()
    (folder / "config.json").write_text("{}", encoding="utf-8")
    shapes = {
        "model.embed_tokens.weight": [300, 8],
        "model.layers.0.self_attn.q_proj.weight": [8, 8],
        "model.layers.0.mlp.down_proj.weight": [8, 32],
        "model.norm.weight": [8],
    }
    header, start = {}, 0
    for name, lengths in shapes.items():
        size = 4 * math.prod(lengths)
        header[name] = {"dtype": "F32", "shape": lengths, "data_offsets": [start, start + size]}
        start += size
    text = json.dumps(header).encode()
    (folder / "model.safetensors").write_bytes(len(text).to_bytes(8, "little") + text + bytes(start))
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    bytewise = Tokenizer(models.BPE({letter: number for number, letter in enumerate(alphabet)}, []))
    bytewise.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    bytewise.save(str(folder / "tokenizer.json"))
    return folder


def tiny_experiment(folder: Path) -> dict[str, Any]:
    """The config of three trainings and seven cells, of which five are judged; base model in `folder`."""
    return {
        "base_models": [{"path": str(base_model(folder / "base")), "name": "tiny"}],
        "languages": ["en", "es"],
        "data": {"train": str(SEED / "train.en.jsonl"), "eval": str(SEED / "eval.en.jsonl")},
        "translate": {"memory": str(SEED / "memory" / "{split}.{lang}.jsonl")},
        "mixture": {"rows": 12},
        "designs": [
            {"design": "monolingual", "languages": ["en"]},
            {"design": "pinch", "languages": ["en", "es"], "percent": [50]},
            {"design": "untuned"},
        ],
        "evaluation": {"prompts": 4},
        "finetune": {"max_length": 1024, "lora_rank": 4},
        "generate": {"max_new_tokens": 20},
        "judges": [JUDGE],
    }


def plan_of(config: dict[str, Any] | Path, **assumed: Any) -> Plan:
    parsed = check.read(config) if isinstance(config, Path) else check.parse(config)
    return make_plan(Experiment(parsed), Settings(**assumed))


def both(plan: Plan, key: str) -> tuple[float | None, float | None]:
    return plan.amounts[key].whole, plan.amounts[key].left


def respond(mixture: str, lang: str, **said: str) -> list[GenerationRow]:
    """A finished cell of the tiny experiment; a keyword changes the response to that prompt."""
    rows = [
        GenerationRow(
            id=f"e{number:03}",
            lang=lang,
            instruction=f"Say {number}!",
            response=said.get(f"e{number:03}", f"{mixture} says {number}"),
            finish_reason="stop",
            n_tokens=10,
        )
        for number in range(4)
    ]
    write_rows(f"results/generations/tiny/{mixture}/d0t0/{lang}.jsonl", rows)
    return rows


def train(mixture: str, device: str = "an H100", weights: bool = True, **facts: Any) -> None:
    folder = Path("results/models/tiny", mixture, "d0t0")
    write_json(folder / "manifest.json", {"tokens_seen": 1000, "tokens_per_second": 50.0, "device": device, **facts})
    if weights:
        (folder / "weights").mkdir()
        (folder / "weights" / "adapter_model.safetensors").write_bytes(bytes(5000))


def judge(mixture: str, lang: str, tokens_in: int = 100) -> None:
    rows = [
        VerdictRow(id=f"e{number:03}", order=order, winner="tie", tokens_in=tokens_in, tokens_out=1)
        for number in range(4)
        for order in ("baseline_first", "candidate_first")
    ]
    write_rows(f"results/judgments/asked/monolingual/tiny/{mixture}/d0t0/{lang}.jsonl", rows)


def audit(lang: str, tokens_in: int = 100) -> None:
    """A finished audit of two labelled pairs and two repeats, of identical responses one of each."""
    rows = [
        AuditRow(
            id=id,
            order=order,
            winner="tie",
            part=part,
            **({"reason": "identical"} if id == "same" else {"tokens_in": tokens_in, "tokens_out": 1}),
        )
        for part in ("labelled", "repeat")
        for id in ("other", "same")
        for order in ("baseline_first", "candidate_first")
    ]
    write_rows(f"results/audits/asked/monolingual/{lang}.jsonl", rows)


def replied(pairs: Sequence[Pair], **settings: Any) -> None:
    """Replies to both orders of pairs, in the cache of the experiment, as the judge keeps them."""

    class Scripted:
        def send(self, calls: Sequence[Call], keep: Keep) -> None:
            keep({place: Completion("A", 100, 1) for place in range(len(calls))})

    engine = OpenAIEngine(OpenAIJudge.model_validate(JUDGE | settings), "asked", ".cache/pinch")
    engine.transport = Scripted()
    judge_pairs(pairs, engine)


def seed_rows(file: str) -> list[dict[str, str]]:
    return [json.loads(line) for line in (SEED / file).read_text(encoding="utf-8").split("\n") if line]
