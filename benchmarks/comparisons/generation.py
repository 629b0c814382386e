"""Generation: a tuned model's greedy responses, against transformers' generate, one prompt at a time and in batches.

Real prompts of mixed length: the evaluation instructions of the seed data in four languages, every fourth of them made
long by training responses that it is asked about. The model is Gemma 3 270M, tuned here for some steps: its responses
stop by themselves, at lengths of their own. Where a response is not that of the other side, both are scored by the
plain model at the first token in which they differ: a near-tie has its logits there as close as rounding goes.
"""

import json
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import random_model
import yaml
from harness import ROOT, Measured, in_turn

from comparisons.quickstart import converted

ROUNDS = 2

SEED = ROOT / "resources" / "seed"
LANGS = ("en", "es", "it", "ru")
NEAR = {"float32": 1e-3, "bfloat16": 0.25}
"""Difference of two logits that is a tie but for rounding: of float32 after 18 layers, and of bfloat16 at values of
some 30, which are an eighth apart."""

ALONE = {"cpu": 60, "gpu": 24}
"""Prompts that are asked one at a time: those of a GPU's random model say more than six times as much."""

BATCHED = {"cpu": 40, "gpu": 144}
SIZE = {"cpu": 16, "gpu": 64}
"""Prompts in batches, and rows of a batch on both sides."""

TOKENS = {"cpu": 40, "gpu": 256}
"""Of a response at most."""

STEPS = 14
"""Of training, so that responses end by themselves."""


def rows(path: Path) -> list[dict[str, Any]]:
    """Of a JSONL file."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]


def mixed_prompts(count: int) -> list[Any]:
    """Instructions of four languages in turn; every fourth after three training responses that it is about."""
    from pinch.rows import TranslatedRow

    found = []
    for lang in LANGS:
        name = f"{lang}.jsonl"
        evaluated = rows(SEED / "eval.en.jsonl" if lang == "en" else SEED / "memory" / f"eval.{name}")
        trained = rows(SEED / "train.en.jsonl" if lang == "en" else SEED / "memory" / f"train.{name}")
        for place, row in enumerate(evaluated):
            text = row["instruction"]
            if place % 4 == 0:
                context = [trained[(3 * place + more) % len(trained)]["response"] for more in range(3)]
                text = "\n\n".join([*context, text])
            found.append((place, lang, row["id"], text))
    found.sort(key=lambda item: item[0])
    return [
        TranslatedRow(id=f"{id}-{lang}", lang="en", instruction=text, response=None, source="", engine="none")
        for _, lang, id, text in found[:count]
    ]


def tuned(scratch: Path) -> tuple[Any, Any]:
    """Gemma 3 270M after some steps of LoRA on rows in four languages, as a plain model with merged weights."""
    from pinch import modelling
    from pinch.config import Finetune
    from pinch.finetune.training import train
    from pinch.rows import ExampleRow

    spec = yaml.safe_load((ROOT / "config.yaml").read_text(encoding="utf-8"))["base_models"][0]
    base = converted(spec) / str(spec["pypi"])
    files = [SEED / "train.en.jsonl", *(SEED / f"memory/train.{lang}.jsonl" for lang in LANGS[1:])]
    sets = [rows(file)[place::4][:12] for place, file in enumerate(files)]
    examples = [ExampleRow(**{"lang": lang, **row}) for lang, found in zip(LANGS, sets, strict=True) for row in found]
    modelling.quiet()
    settings = Finetune(lr=5e-4, steps=STEPS, max_length=128)
    train(base, "", examples, [], settings, 0, scratch / "weights", scratch / "trainer")
    return modelling.load_model(base, scratch / "weights"), modelling.load_tokenizer(base)


def random_weights(scratch: Path) -> tuple[Any, Any]:
    """A model of 1 B random weights; one token in 128 ends a response, so that lengths differ."""
    from pinch import modelling

    modelling.quiet()
    random_model.write(scratch / "model", "1b")
    model, tokenizer = modelling.load_model(scratch / "model"), modelling.load_tokenizer(scratch / "model")
    model.generation_config.eos_token_id = [1, *range(8, model.config.vocab_size, 128)]
    return model, tokenizer


def generate(model: Any, tokenizer: Any, prompts: Sequence[list[int]], tokens: int, stops: set[int]) -> list[list[int]]:
    """transformers' generate as its documentation calls it, on one batch padded on the left.

    What follows a stop token is padding, and cut off.
    """
    import torch

    padded = tokenizer.pad({"input_ids": list(prompts)}, return_tensors="pt").to(model.device)
    with torch.inference_mode():
        output = model.generate(
            **padded,
            max_new_tokens=tokens,
            do_sample=False,
            eos_token_id=sorted(stops),
            pad_token_id=tokenizer.pad_token_id,
        )
    found = []
    for ids in output[:, padded["input_ids"].shape[1] :].tolist():
        stop = next((place for place, token in enumerate(ids) if token in stops), None)
        found.append(ids if stop is None else ids[: stop + 1])
    return found


def gap(model: Any, prompt: Sequence[int], ours: Sequence[int], theirs: Sequence[int]) -> float:
    """How far below the highest logit the lower of two tokens is, where two responses first differ.

    Scored by the plain model on the prompt and what both have said so far: no batch, no padding, no cache.
    """
    import torch

    place = next(place for place, (one, other) in enumerate(zip(ours, theirs, strict=False)) if one != other)
    ids = torch.tensor([[*prompt, *ours[:place]]], device=model.device)
    with torch.inference_mode():
        logits = model(ids, use_cache=False).logits[0, -1].float()
    return float(logits.max() - min(logits[ours[place]], logits[theirs[place]]))


class Side:
    """Tokens a second of a way to respond, and what it said last."""

    def __init__(self, respond: Callable[[], list[list[int]]], cuda: bool) -> None:
        self.respond, self.cuda = respond, cuda
        self.said: list[list[int]] = []

    def rate(self) -> float:
        """Of one round."""
        import torch

        started = time.perf_counter()
        self.said = self.respond()
        if self.cuda:
            torch.cuda.synchronize()
        return sum(map(len, self.said)) / (time.perf_counter() - started)


def compare(gpu: bool, rounds: int) -> list[Measured]:
    """A row against one prompt at a time, and one against batches in input order."""
    from pinch import modelling
    from pinch.config import Generate
    from pinch.decoding import decode_ids, stop_tokens

    kind = "gpu" if gpu else "cpu"
    tokens, measured = TOKENS[kind], []
    with TemporaryDirectory() as scratch:
        model, tokenizer = random_weights(Path(scratch)) if gpu else tuned(Path(scratch))
        stops = stop_tokens(tokenizer, model.generation_config.eos_token_id)
        near = NEAR[str(model.dtype).removeprefix("torch.")]
        for against, count, size, at_least in (
            ("transformers' generate, one prompt at a time", ALONE[kind], 1, 7.0),
            (f"transformers' generate, batches of {SIZE[kind]} in input order", BATCHED[kind], SIZE[kind], 1.5),
        ):
            asked = mixed_prompts(count)
            prompts = [modelling.prompt_ids(tokenizer, row.instruction) for row in asked]
            batches = [prompts[start : start + size] for start in range(0, count, size)]
            settings = Generate(max_new_tokens=tokens, batch_size="auto" if size == 1 else size)

            def ours(prompts: Any = prompts, settings: Any = settings) -> list[list[int]]:
                return decode_ids(model, prompts, stops, tokenizer.pad_token_id, settings, lambda *place: 0.0)

            def theirs(batches: Any = batches) -> list[list[int]]:
                return [ids for batch in batches for ids in generate(model, tokenizer, batch, tokens, stops)]

            sides = Side(ours, gpu), Side(theirs, gpu)
            generate(model, tokenizer, prompts[:1], 2, stops)  # what is compiled at a first call
            rates = in_turn(sides[0].rate, sides[1].rate, rounds)
            gaps = [
                gap(model, prompt, mine, other)
                for prompt, mine, other in zip(prompts, sides[0].said, sides[1].said, strict=True)
                if mine != other
            ]
            lengths = [len(ids) for ids in sides[1].said]
            far = [found for found in gaps if found > near]
            note = f"{count - len(gaps)} of {count} responses are the same, token by token"
            if gaps:
                note += f"; where the others part, the two tokens' logits are at most {max(gaps):.1e} apart"
            if far:
                note += f", which in {len(far)} is more than rounding ({near:g})"
            measured.append(
                Measured(
                    f"generation, {'1 B random weights' if gpu else 'Gemma 3 270M'}, greedy, {count} prompts",
                    against,
                    "tokens/s",
                    *rates,
                    at_least=at_least,
                    note=f"{note}. Laying out the weights is paid in every round." if not gpu else f"{note}.",
                    facts={
                        "identical": count - len(gaps),
                        "gaps": gaps,
                        "prompt_tokens": [
                            min(map(len, prompts)),
                            statistics.median(map(len, prompts)),
                            max(map(len, prompts)),
                        ],
                        "response_tokens": [min(lengths), statistics.median(lengths), max(lengths)],
                        "stopped": sum(ids[-1] in stops for ids in sides[1].said),
                    },
                )
            )
    return measured
