"""One training in a process of its own, by TRL's SFTTrainer with its defaults or by finetune; prints a line of JSON.

    PYTHONPATH=workflow python benchmarks/training_sides.py ours --model FOLDER --steps 4
    PYTHONPATH=workflow python benchmarks/training_sides.py theirs --model FOLDER --steps 4

Both train LoRA of the same rank on all linear layers but the head, with the same token ids in the same steps: a batch
of 8 rows, which is SFTTrainer's own. What is SFTTrainer's default stays: gradient checkpointing on, bfloat16 autocast
over float32 weights, rows padded in the order in which they come, the fused head (`loss_type` nll, of which chunked_nll
is another name) with entropy and accuracy at every step, learning rate 2e-5. On a CPU it must be told `use_cpu`.
"""

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
BATCH = 8
RANK = 16
SEED = 42
"""SFTTrainer's own: the same rows are in the same steps."""


def real_rows(number: int, joined: int) -> list[Any]:
    """So many rows of the seed data in five languages in turn; `joined`: of how many the longest are put together.

    Rows of 1, 2, ... `joined` responses follow each other, for sizes at which a GPU is busy.
    """
    from pinch.rows import ExampleRow

    folder = ROOT / "resources" / "seed"
    files = [folder / "train.en.jsonl", *(folder / f"memory/train.{lang}.jsonl" for lang in ("es", "it", "ru", "fi"))]
    texts = [[json.loads(line) for line in file.read_text(encoding="utf-8").split("\n") if line] for file in files]
    rows = []
    for place in range(number):
        mine = texts[place % len(texts)]
        taken = [mine[(place // len(texts) + step) % len(mine)] for step in range(1 + place % joined)]
        rows.append(
            ExampleRow(
                id=f"r{place}",
                lang=taken[0]["lang"],
                instruction="\n".join(row["instruction"] for row in taken),
                response="\n".join(row["response"] for row in taken),
            )
        )
    return rows


def ours(model: Path, rows: list[Any], steps: int, method: str, scratch: Path) -> dict[str, Any]:
    """By finetune's own function."""
    from pinch.config import Finetune
    from pinch.finetune.training import train

    settings = Finetune(method=method, steps=steps, batch_size=BATCH, lr=2e-5, lora_rank=RANK)  # type: ignore[arg-type]
    facts = train(model, "0" * 64, rows, [], settings, SEED, scratch / "weights", scratch / "trainer")
    kept = ("dtype", "attention", "padding_share", "micro_batches", "gradient_checkpointing")
    return {
        "tokens_per_second": facts["tokens_per_second"],
        "seconds": facts["seconds"],
        "tokens": facts["tokens_seen"],
        "first_loss": facts["loss_curve"][0][1],
        **{key: facts[key] for key in kept},
    }


def theirs(model: Path, rows: list[Any], steps: int, method: str, scratch: Path) -> dict[str, Any]:
    """By SFTTrainer, which is given the folder of the model and rows of token ids with the mask of the completion."""
    import torch
    from datasets import Dataset
    from peft import LoraConfig
    from pinch import modelling
    from pinch.finetune.examples import tokenize
    from trl import SFTConfig, SFTTrainer

    tokenizer = modelling.load_tokenizer(model)
    examples, _ = tokenize(rows, tokenizer, 1024)
    data = [
        {"input_ids": row["input_ids"], "completion_mask": [int(label != -100) for label in row["labels"]]}
        for row in examples
    ]
    trainer = SFTTrainer(
        model=str(model),
        args=SFTConfig(
            output_dir=str(scratch),
            max_steps=steps,
            completion_only_loss=True,
            include_num_input_tokens_seen="non_padding",
            logging_steps=1,
            report_to="none",
            disable_tqdm=True,
            save_strategy="no",
            use_cpu=not torch.cuda.is_available(),
        ),
        train_dataset=Dataset.from_list(data),
        processing_class=tokenizer,
        peft_config=LoraConfig(r=RANK, lora_alpha=2 * RANK, target_modules="all-linear", task_type="CAUSAL_LM")
        if method == "lora"
        else None,
    )
    started = time.monotonic()
    trainer.train()
    seconds = time.monotonic() - started
    seen = trainer.state.num_input_tokens_seen
    losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
    return {
        "tokens_per_second": round(seen / seconds, 1),
        "seconds": round(seconds, 2),
        "tokens": seen,
        "first_loss": losses[0],
        "dtype": "bfloat16 autocast" if trainer.args.bf16 else "float32",
        "gradient_checkpointing": trainer.args.gradient_checkpointing,
    }


def peak_share(model: Path, rows: list[Any], tokens_per_second: float, method: str) -> float:
    """Operations a second of a training, as a share of what a large bfloat16 product reaches on this GPU.

    Counted are products with weights only: 2 operations a weight and token forward, 2 backward through activations, 2
    more where the weight is trained, and the head at labels alone. Attention and adapters are left out.
    """
    import torch
    import transformers
    from pinch import modelling
    from pinch.finetune.examples import tokenize

    _, counts = tokenize(rows, modelling.load_tokenizer(model), 1024)
    labels = sum(counts["response_tokens"].values()) / sum(counts["tokens"].values())
    with torch.device("meta"):
        empty = transformers.AutoModelForCausalLM.from_config(transformers.AutoConfig.from_pretrained(model))
    head = empty.get_output_embeddings()
    linear = sum(
        part.weight.numel() for part in empty.modules() if isinstance(part, torch.nn.Linear) and part is not head
    )
    each = 6 if method == "full" else 4
    per_token = each * (linear + head.weight.numel() * labels)
    square = torch.randn(8192, 8192, device="cuda", dtype=torch.bfloat16)
    square @ square
    torch.cuda.synchronize()
    started = time.perf_counter()
    for _ in range(50):
        square @ square
    torch.cuda.synchronize()
    peak = 50 * 2 * 8192**3 / (time.perf_counter() - started)
    return round(tokens_per_second * per_token / peak, 4)


def main() -> int:
    """Train once."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("side", choices=["ours", "theirs"])
    parser.add_argument("--model", type=Path, required=True, help="folder of the base model")
    parser.add_argument("--steps", type=int, required=True)
    parser.add_argument("--method", choices=["lora", "full"], default="lora")
    parser.add_argument("--joined", type=int, default=1, help="rows of up to so many responses")
    arguments = parser.parse_args()
    from pinch import modelling

    modelling.quiet()
    rows = real_rows(arguments.steps * BATCH, arguments.joined)
    side = {"ours": ours, "theirs": theirs}[arguments.side]
    with tempfile.TemporaryDirectory() as scratch:
        found = side(arguments.model, rows, arguments.steps, arguments.method, Path(scratch))
    import torch

    if torch.cuda.is_available():
        found["cuda_mb"] = round(torch.cuda.max_memory_allocated() / 2**20)
        found["peak_share"] = peak_share(arguments.model, rows, found["tokens_per_second"], arguments.method)
    print(json.dumps(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
