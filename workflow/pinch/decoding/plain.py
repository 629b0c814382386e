"""Decoding for models that keep something else than keys and values (Mamba's states and the like): transformers' own,
in batches of similar length, each until its last row has ended."""

from collections.abc import Iterator, Sequence
from typing import Any

from pinch.decoding.batch import Choose


def decoded(
    model: Any,
    prompts: Sequence[Sequence[int]],
    stops: set[int],
    most_tokens: int,
    batch_size: int,
    pad: int,
    choose: Choose,
) -> Iterator[tuple[int, list[int]]]:
    """The place of each prompt (token ids) with its response's tokens."""
    import torch
    import transformers

    class Chosen(transformers.LogitsProcessor):  # type: ignore[misc]
        """The chosen tokens are all that greedy decoding is shown."""

        def __init__(self, batch: Sequence[int], longest: int) -> None:
            self.batch, self.longest = batch, longest

        def __call__(self, input_ids: Any, scores: Any) -> Any:
            tokens = choose(scores, [(place, input_ids.shape[1] - self.longest) for place in self.batch])
            chosen = torch.tensor(tokens, device=scores.device)[:, None]
            return torch.full_like(scores, -torch.inf).scatter_(1, chosen, 0.0)

    settings = transformers.GenerationConfig(
        do_sample=False, max_new_tokens=most_tokens, eos_token_id=sorted(stops), pad_token_id=pad
    )
    order = sorted(range(len(prompts)), key=lambda place: (len(prompts[place]), place))
    for start in range(0, len(order), batch_size):
        batch = order[start : start + batch_size]
        longest = max(len(prompts[place]) for place in batch)

        padded = [[pad] * (longest - len(prompts[place])) + list(prompts[place]) for place in batch]
        mask = [[0] * (longest - len(prompts[place])) + [1] * len(prompts[place]) for place in batch]
        output = model.generate(
            input_ids=torch.tensor(padded, device=model.device),
            attention_mask=torch.tensor(mask, device=model.device),
            generation_config=settings,
            logits_processor=transformers.LogitsProcessorList([Chosen(batch, longest)]),
        )
        yield from zip(batch, output[:, longest:].tolist(), strict=True)
