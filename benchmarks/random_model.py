"""A language model of random weights with a tokenizer made on the spot: any size, no network.

    PYTHONPATH=workflow python benchmarks/random_model.py FOLDER --size 1b

It knows nothing, but trains, decodes and judges at the speed of a model that does.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

SIZES: dict[str, dict[str, Any]] = {
    # Gemma 3 1B's shape: 1.0 billion parameters, of which 302 million are embeddings.
    "1b": {
        "vocab_size": 262_144,
        "hidden_size": 1152,
        "intermediate_size": 6912,
        "num_hidden_layers": 26,
        "num_attention_heads": 4,
        "num_key_value_heads": 1,
        "head_dim": 256,
        "query_pre_attn_scalar": 256,
        "sliding_window": 512,
        "max_position_embeddings": 32_768,
    },
    "tiny": {
        "vocab_size": 2048,
        "hidden_size": 64,
        "intermediate_size": 128,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "num_key_value_heads": 1,
        "head_dim": 32,
        "query_pre_attn_scalar": 32,
        "sliding_window": 64,
        "max_position_embeddings": 2048,
    },
}


def write(folder: Path, size: str) -> int:
    """Write it; the number of its parameters."""
    import torch
    import transformers
    from pinch.rehearse import tiny_model
    from whole_runs import seed_texts

    # The tokenizer of the tiny model, trained on the seed data; its own weights are replaced.
    tiny_model.write(folder, seed_texts(), vocabulary=min(8192, SIZES[size]["vocab_size"]))
    fill_vocabulary(folder / "tokenizer.json", SIZES[size]["vocab_size"])
    torch.manual_seed(0)
    config = transformers.Gemma3TextConfig(**SIZES[size], pad_token_id=0, eos_token_id=1, bos_token_id=2)
    with torch.device("cuda" if torch.cuda.is_available() else "cpu"):
        model = transformers.Gemma3ForCausalLM(config).to(torch.bfloat16 if size != "tiny" else torch.float32)
    model.save_pretrained(folder)
    return int(model.num_parameters())


def fill_vocabulary(tokenizer: Path, size: int) -> None:
    """Name the ids that no text needs, so that whatever a model says can be decoded."""
    read = json.loads(tokenizer.read_text(encoding="utf-8"))
    vocabulary: dict[str, int] = read["model"]["vocab"]
    for number in range(max(vocabulary.values()) + 1, size):
        vocabulary[f"<unused{number}>"] = number
    tokenizer.write_text(json.dumps(read, ensure_ascii=False), encoding="utf-8")


def main() -> int:
    """Write one."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--size", choices=sorted(SIZES), default="1b")
    arguments = parser.parse_args()
    print(f"random_model: {write(arguments.folder, arguments.size):,} parameters in {arguments.folder}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
