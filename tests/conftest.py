"""What the tests of models and of the workflow share: a language model of 40,000 parameters, and a finished run."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pinch import modelling
from pinch.__main__ import main
from pinch.rows import GenerationRow, write_rows

from tests.harness import SEED, Run, tiny_config
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
    import torch
    import transformers
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers

    modelling.quiet()
    folder = tmp_path_factory.mktemp("models") / "a tiny model"
    special = ["<pad>", "<eos>", "<bos>", "<start_of_turn>", "<end_of_turn>"]
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    bpe.train_from_iterator(
        seed_texts(),
        trainers.BpeTrainer(vocab_size=800, special_tokens=special, initial_alphabet=alphabet, show_progress=False),
    )
    bpe.post_processor = processors.TemplateProcessing(single="<bos> $A", special_tokens=[("<bos>", 2)])
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=bpe, pad_token="<pad>", eos_token="<eos>", bos_token="<bos>", extra_special_tokens=special[3:]
    )
    tokenizer.save_pretrained(folder)
    torch.manual_seed(0)
    config = transformers.Gemma3TextConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        head_dim=16,
        query_pre_attn_scalar=16,
        layer_types=["sliding_attention", "full_attention"],
        sliding_window=32,
        max_position_embeddings=1024,
        initializer_range=0.5,
        tie_word_embeddings=False,  # tied, it would say the last token of the prompt again and again
        pad_token_id=0,
        eos_token_id=1,
        bos_token_id=2,
    )
    transformers.Gemma3ForCausalLM(config).save_pretrained(folder)
    return folder


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
