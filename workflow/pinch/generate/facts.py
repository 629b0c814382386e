"""What a model's folder says of it, without loading its weights."""

from pathlib import Path

from pinch import modelling
from pinch.rows import read_json


def context_length(folder: Path) -> int | None:
    """Tokens of prompt and response that the model takes; None where it has no limit."""
    import transformers

    with modelling.reading(folder, "config"):
        config = transformers.AutoConfig.from_pretrained(folder, trust_remote_code=False).get_text_config()
    found: int | None = getattr(config, "max_position_embeddings", None)
    return found


def configured_stops(folder: Path) -> int | list[int] | None:
    """The stop tokens that the model's generation_config names."""
    path = folder / "generation_config.json"
    found: int | list[int] | None = read_json(path).get("eos_token_id") if path.is_file() else None
    return found
