"""What a model says to instructions: shared by generate, and by finetune where it compares checkpoints."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from pinch import modelling
from pinch.config import Generate
from pinch.decoding import sampling
from pinch.decoding.linear import keep, replaced
from pinch.errors import PinchError
from pinch.rows import ExampleRow, GenerationRow, TranslatedRow

Prompt = TranslatedRow | ExampleRow

ROWS = {"cpu": 32, "cuda": 256}
"""At a time, where batch_size is auto: more make a CPU no faster; on a GPU it is what memory has room for."""


def encode(
    tokenizer: Any,
    prompts: Sequence[Prompt],
    chat: bool,
    most_tokens: int,
    context: int | None,
    limit: str = "generate.max_new_tokens",
) -> list[list[int]]:
    """Token ids of prompts, as the chat template shows them or bare.

    Raises PinchError naming the id of a prompt that leaves a context of so many tokens no room for a response of
    `most_tokens`, and `limit`, the config's key for that.
    """
    show = modelling.prompt_ids if chat else modelling.text_ids
    encoded = [show(tokenizer, row.instruction) for row in prompts]
    for row, ids in zip(prompts, encoded, strict=True):
        if context and len(ids) + most_tokens > context:
            raise PinchError(
                f"prompt {row.id!r} ({row.lang}) has {len(ids)} tokens: with {limit} "
                f"{most_tokens} it does not fit the model's context of {context}"
            )
    return encoded


def stop_tokens(tokenizer: Any, configured: int | list[int] | None) -> set[int]:
    """The tokenizer's end of sequence, and what the model's generation_config names besides."""
    more = configured if isinstance(configured, list) else [configured]
    return {tokenizer.eos_token_id, *(token for token in more if token is not None)}


def response(tokenizer: Any, prompt: Prompt, tokens: Sequence[int], stops: set[int]) -> GenerationRow:
    """A response of these tokens, of which the first stop token ends it and counts, but is not in the text."""
    stop = next((place for place, token in enumerate(tokens) if token in stops), None)
    return GenerationRow(
        id=prompt.id,
        lang=prompt.lang,
        instruction=prompt.instruction,
        response=tokenizer.decode(tokens[:stop], skip_special_tokens=True).strip(),
        finish_reason="length" if stop is None else "stop",
        n_tokens=len(tokens) if stop is None else stop + 1,
    )


def decode(
    model: Any,
    tokenizer: Any,
    prompts: Sequence[Prompt],
    settings: Generate,
    seed: str,
    chat: bool,
    limit: str = "generate.max_new_tokens",
) -> list[GenerationRow]:
    """Responses in the order of the prompts.

    Greedy, or drawn by numbers that depend on (seed, language, id) alone: a response owes nothing to the prompts beside
    it but rounding. Of the model's generation_config only the stop tokens are used. Raises PinchError as `encode` does.
    """
    context = getattr(model.config.get_text_config(), "max_position_embeddings", None)
    encoded = encode(tokenizer, prompts, chat, settings.max_new_tokens, context, limit)
    stops = stop_tokens(tokenizer, model.generation_config.eos_token_id)

    def number(place: int, token: int) -> float:
        return sampling.uniform(seed, prompts[place].lang, prompts[place].id, token)

    said = decode_ids(model, encoded, stops, tokenizer.pad_token_id, settings, number)
    return [response(tokenizer, prompt, tokens, stops) for prompt, tokens in zip(prompts, said, strict=True)]


def decode_ids(
    model: Any,
    prompts: Sequence[Sequence[int]],
    stops: set[int],
    pad: int,
    settings: Generate,
    number: Callable[[int, int], float],
) -> list[list[int]]:
    """The tokens of responses to prompts given as token ids, a stop token among them where one was said.

    `number` draws the token at a place of a prompt's response, given the prompt's place and that of the token.
    """
    import torch

    from pinch.decoding import columns, plain
    from pinch.decoding.batch import decoded

    def choose(logits: Any, places: Sequence[tuple[int, int]]) -> list[int]:
        if not settings.temperature:
            return sampling.greedy(logits)
        return sampling.drawn(logits, [number(*place) for place in places], settings.temperature, settings.top_p)

    rows = settings.batch_size if settings.batch_size != "auto" else ROWS[model.device.type]
    layers = columns.layers_of(model.config)
    run = partial(decoded, model, layers) if layers is not None else partial(plain.decoded, model)
    with torch.no_grad(), replaced(model, keep):  # no_grad: in finetune the model goes on to learn
        found = dict(run(prompts, stops, settings.max_new_tokens, rows, pad, choose))
    return [found[place] for place in range(len(prompts))]
