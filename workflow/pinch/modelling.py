"""Language models as finetune, generate, the local judge and export load them."""

import gc
import os
import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

from pinch.errors import PinchError
from pinch.rows import sync_folder

TEMPLATE = Path(__file__).parent.parent / "templates" / "turns.jinja"
"""The chat template of every model that is tuned here, and of the untuned one shown the same."""


@contextmanager
def no_collection() -> Iterator[None]:
    """For imports and loads that make a million objects: collecting garbage amid them takes a fifth of the time."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()  # what was made stays, and need not be looked at again
        gc.enable()


def quiet(threads: int = 0) -> None:
    """One line a step is enough: silence the libraries' own bars; use `threads` cores if more than 0."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    os.environ.setdefault("TQDM_DISABLE", "1")
    os.environ.setdefault("HF_DATASETS_DISABLE_PROGRESS_BARS", "1")
    # TRL has to set the option by the name that transformers is about to retire.
    warnings.filterwarnings("ignore", message=".*gradient_checkpointing.*", category=FutureWarning)
    with no_collection():
        import torch
        import transformers

    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    if threads:
        torch.set_num_threads(threads)


def device() -> str:
    """cuda where there is a GPU, else cpu."""
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def dtype() -> Any:
    """bfloat16 on a GPU that computes in it, else float32."""
    import torch

    return torch.bfloat16 if device() == "cuda" and torch.cuda.is_bf16_supported() else torch.float32


def device_name() -> str:
    """For people: the GPU's name, or cpu with its threads."""
    import torch

    return torch.cuda.get_device_name() if torch.cuda.is_available() else f"cpu, {torch.get_num_threads()} threads"


@contextmanager
def reading(folder: Path, what: str) -> Iterator[None]:
    """Raise PinchError, naming folder and part, for whatever libraries raise over the files of a model.

    These errors share no class: those of JSON, of safetensors, of the classes of tokenizers and configs, and panics.
    """

    def told(error: BaseException) -> PinchError:
        if "trust_remote_code" in str(error):
            return PinchError(f"{folder}: its {what} is code of its own (auto_map), which is not run; take another")
        said = (str(error).strip() or type(error).__name__).splitlines()[0]
        return PinchError(f"{folder}: the {what} cannot be loaded: {said}")

    try:
        yield
    except (PinchError, MemoryError):
        raise
    except Exception as error:
        if type(error).__name__ == "OutOfMemoryError":  # of a GPU
            raise
        raise told(error) from None
    except BaseException as error:
        if type(error).__name__ != "PanicException":  # of libraries in Rust
            raise
        raise told(error) from None


def load_tokenizer(folder: Path, template: bool = True) -> Any:
    """The tokenizer in `folder`, with our chat template unless `template` is False; padding on the left."""
    import transformers

    with reading(folder, "tokenizer"), no_collection():
        tokenizer: Any = transformers.AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
    if tokenizer.eos_token_id is None:
        raise PinchError(f"{folder}: the tokenizer has no end-of-sequence token, so a response could never stop")
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    tokenizer.padding_side = "left"
    if template:
        tokenizer.chat_template = TEMPLATE.read_text(encoding="utf-8")
    return tokenizer


def load_model(base: Path, weights: Path | None = None, weights_dtype: Any = None) -> Any:
    """A causal language model, on the GPU where there is one, its weights in `weights_dtype`, or what `dtype` tells.

    `weights`: a folder made by finetune, an adapter on `base` or a whole model; None is the base itself.
    """
    import transformers

    adapter = weights is not None and (weights / "adapter_config.json").is_file()
    folder = base if weights is None or adapter else weights
    with reading(folder, "model"):
        model: Any = transformers.AutoModelForCausalLM.from_pretrained(
            folder,
            dtype=dtype() if weights_dtype is None else weights_dtype,
            use_safetensors=True,
            trust_remote_code=False,
        )
        if adapter:
            from peft import PeftModel

            if not (Path(str(weights)) / "adapter_model.safetensors").is_file():  # PEFT would look for a pickled one
                raise PinchError(f"{weights}: has no adapter_model.safetensors; pickled weights are not loaded")
            # In memory the adapter is merged, which makes decoding nearly twice as fast; on disk it stays alone.
            model = PeftModel.from_pretrained(model, str(weights), is_trainable=False).merge_and_unload()
    return model.to(device()).eval()


def save(model: Any, tokenizer: Any, folder: Path, state: Any = None) -> None:
    """Write a model as safetensors, and its tokenizer. Raises PinchError or OSError where the disk is full.

    `state`: its weights by name, where the model itself has but a part of them.
    """
    from safetensors import SafetensorError

    try:
        model.save_pretrained(folder, **({} if state is None else {"state_dict": state}))
        tokenizer.save_pretrained(folder)
    except SafetensorError as error:
        raise PinchError(f"{folder}: the model cannot be written: {error}") from None
    sync_folder(folder)


def text_ids(tokenizer: Any, text: str) -> list[int]:
    """Token ids of a bare text, after what the tokenizer puts first; what looks like a special token stays text."""
    ids: list[int] = tokenizer(text, split_special_tokens=True)["input_ids"]
    return ids


@lru_cache(maxsize=8)
def _control_tokens(tokenizer: Any) -> re.Pattern[str]:
    """Matches texts that must not become tokens of the chat template's own: those that it writes, and special ones."""
    tokens = [
        token.content
        for token in tokenizer.added_tokens_decoder.values()
        if token.special or (token.content in tokenizer.chat_template and not token.content.isspace())
    ]
    # The last two are what transformers marks such tokens with.
    return re.compile("|".join(map(re.escape, [*tokens, "\U000f0000", "\U000f0001"])))


def _turn_ids(tokenizer: Any, turns: Sequence[dict[str, str]], reply: bool) -> list[int]:
    """Token ids of turns as the chat template shows them; text that looks like a turn marker stays text.

    Making sure of that takes transformers 15 ms a call, for it goes through all added tokens, so that it is asked only
    where there is such a text.
    """
    clean = isinstance(tokenizer.chat_template, str) and not any(
        _control_tokens(tokenizer).search(turn["content"]) for turn in turns
    )
    if clean:
        text = tokenizer.apply_chat_template(list(turns), add_generation_prompt=reply, tokenize=False)
        found = tokenizer(text, add_special_tokens=False)["input_ids"]
    else:
        found = tokenizer.apply_chat_template(
            list(turns), add_generation_prompt=reply, tokenize=True, return_dict=False, sanitize_control_tokens=True
        )
    ids: list[int] = found
    return ids


def prompt_ids(tokenizer: Any, instruction: str) -> list[int]:
    """Token ids of an instruction as the chat template shows it; text that looks like a turn marker stays text."""
    return _turn_ids(tokenizer, [{"role": "user", "content": instruction}], reply=True)


def example_ids(tokenizer: Any, instruction: str, response: str) -> tuple[list[int], int]:
    """Token ids of an instruction with its response and the stop token, and how many of them are the prompt.

    Raises PinchError where the tokenizer merges prompt and response, so that training and generation would differ.
    """
    prompt = prompt_ids(tokenizer, instruction)
    turns = [{"role": "user", "content": instruction}, {"role": "assistant", "content": response}]
    ids = _turn_ids(tokenizer, turns, reply=False)
    if ids[: len(prompt)] != prompt:
        raise PinchError("the tokenizer merges the end of the prompt with the response; change the chat template")
    return ids, len(prompt)
