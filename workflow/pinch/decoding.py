"""What a model says to instructions: shared by generate, and by finetune where it compares checkpoints."""

from collections.abc import Sequence
from hashlib import sha256
from typing import Any

from pinch import modelling
from pinch.config import Generate
from pinch.errors import PinchError
from pinch.rows import ExampleRow, GenerationRow, TranslatedRow, canonical


def _batch_seed(seed: str, lang: str, number: int) -> int:
    return int.from_bytes(sha256(canonical([seed, lang, number]).encode()).digest()[:4], "big")


def decode(
    model: Any,
    tokenizer: Any,
    prompts: Sequence[TranslatedRow | ExampleRow],
    settings: Generate,
    seed: str,
    chat: bool,
    limit: str = "generate.max_new_tokens",
) -> list[GenerationRow]:
    """Responses in the order of the prompts, decoded in left-padded batches of similar length.

    Every batch is seeded by (seed, language, number of the batch). Raises PinchError naming the id of a prompt that
    leaves the model's context no room for a response, and `limit`, the config's key for its length.
    """
    import torch

    encoded = [
        modelling.prompt_ids(tokenizer, row.instruction) if chat else modelling.text_ids(tokenizer, row.instruction)
        for row in prompts
    ]
    context = getattr(model.config.get_text_config(), "max_position_embeddings", None)
    for row, ids in zip(prompts, encoded, strict=True):
        if context and len(ids) + settings.max_new_tokens > context:
            raise PinchError(
                f"prompt {row.id!r} ({row.lang}) has {len(ids)} tokens: with {limit} "
                f"{settings.max_new_tokens} it does not fit the model's context of {context}"
            )
    stops = {tokenizer.eos_token_id}
    configured = model.generation_config.eos_token_id
    stops |= set(configured if isinstance(configured, list) else [configured]) - {None}
    sampling = (
        {"do_sample": True, "temperature": settings.temperature, "top_p": settings.top_p, "top_k": 0}
        if settings.temperature
        else {"do_sample": False, "temperature": None, "top_p": None, "top_k": None}
    )
    responses: dict[int, GenerationRow] = {}
    order = sorted(range(len(prompts)), key=lambda index: (len(encoded[index]), index))
    for number, start in enumerate(range(0, len(order), settings.batch_size)):
        batch = order[start : start + settings.batch_size]
        padded = tokenizer.pad({"input_ids": [encoded[index] for index in batch]}, return_tensors="pt").to(model.device)
        torch.manual_seed(_batch_seed(seed, prompts[0].lang, number))
        with torch.no_grad():  # not inference_mode: in finetune the same model goes on to learn
            output = model.generate(
                **padded,
                max_new_tokens=settings.max_new_tokens,
                eos_token_id=sorted(stops),
                pad_token_id=tokenizer.pad_token_id,
                **sampling,
            )
        for index, ids in zip(batch, output[:, padded["input_ids"].shape[1] :].tolist(), strict=True):
            stop = next((place for place, token in enumerate(ids) if token in stops), None)
            row = prompts[index]
            responses[index] = GenerationRow(
                id=row.id,
                lang=row.lang,
                instruction=row.instruction,
                response=tokenizer.decode(ids if stop is None else ids[:stop], skip_special_tokens=True).strip(),
                finish_reason="length" if stop is None else "stop",
                n_tokens=len(ids) if stop is None else stop + 1,
            )
    return [responses[index] for index in range(len(prompts))]
