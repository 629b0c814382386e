"""The batch that stays full: what a response depends on, and what it does not."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from pinch import modelling
from pinch.config import Generate
from pinch.decoding import batch, columns, decode, linear, sampling

from tests.links import eval_prompts, prompt


def mixed_prompts(count: int = 14) -> list[Any]:
    """Prompts of very different lengths, the longest far beyond the model's window of 32 tokens."""
    rows = eval_prompts("en", count)
    return [prompt(" ".join([row.instruction] * (1 + place % 3 * 2)), id=row.id) for place, row in enumerate(rows)]


@pytest.fixture
def early(loaded: tuple[Any, Any], monkeypatch: pytest.MonkeyPatch) -> tuple[Any, Any]:
    """The tiny model, whose responses stop at different lengths: some of its vocabulary are stop tokens."""
    model, tokenizer = loaded
    monkeypatch.setattr(model.generation_config, "eos_token_id", [1, *range(8, len(tokenizer), 24)])
    return loaded


def texts(loaded: tuple[Any, Any], prompts: Sequence[Any], size: int, **settings: Any) -> list[tuple[str, str, int]]:
    asked = Generate(max_new_tokens=20, batch_size=size, **settings)
    return [(row.response, row.finish_reason, row.n_tokens) for row in decode(*loaded, prompts, asked, "d0t0", True)]


def test_a_response_owes_nothing_to_who_was_beside_it(early: tuple[Any, Any]) -> None:
    prompts = mixed_prompts()
    alone = [texts(early, [row], 1)[0] for row in prompts]
    assert len({tokens for _, _, tokens in alone}) > 4  # so rows leave and join all the time
    for size in (2, 3, 5, 14):
        assert texts(early, prompts, size) == alone


def test_columns_are_moved_where_they_end(early: tuple[Any, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    rows = mixed_prompts(3)
    prompts = [row.model_copy(update={"id": str(place)}) for place, row in enumerate(rows * 16)]
    alone = texts(early, prompts, 48, temperature=1.0)
    moved: list[int] = []
    advance = columns.Columns.advance

    def watched(self: columns.Columns) -> None:
        before = self.end
        advance(self)
        moved.extend([before] if self.end <= before else [])

    monkeypatch.setattr(columns.Columns, "advance", watched)
    assert texts(early, prompts, 3, temperature=1.0) == alone
    assert moved


def test_a_draw_depends_on_seed_language_and_id_alone(early: tuple[Any, Any]) -> None:
    prompts = mixed_prompts(9)
    for settings in ({"temperature": 1.0}, {"temperature": 0.8, "top_p": 0.7}):
        whole = texts(early, prompts, 4, **settings)
        assert texts(early, prompts[::-1], 3, **settings)[::-1] == whole
        assert texts(early, prompts[4:5], 1, **settings) == whole[4:5]
        renamed = [row.model_copy(update={"id": f"x{row.id}"}) for row in prompts]
        assert texts(early, renamed, 4, **settings) != whole


def test_draws_follow_their_distribution() -> None:
    import torch

    logits = torch.log(torch.tensor([0.1, 0.5, 0.15, 0.25]))
    numbers = [place / 4000 for place in range(4000)]
    for top_p, shares in ((1.0, [0.1, 0.5, 0.15, 0.25]), (0.7, [0.0, 2 / 3, 0.0, 1 / 3]), (0.4, [0, 1, 0, 0])):
        drawn = sampling.drawn(logits.expand(4000, 4), numbers, 1.0, top_p)
        assert [drawn.count(token) / 4000 for token in range(4)] == pytest.approx(shares, abs=0.002)
    warm = torch.softmax(logits / 2, dim=-1).tolist()
    drawn = sampling.drawn(logits.expand(4000, 4), numbers, 2.0, 1.0)
    assert [drawn.count(token) / 4000 for token in range(4)] == pytest.approx(warm, abs=0.002)


def test_a_nucleus_wider_than_the_likeliest_is_found_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    logits = torch.randn((5, 300), generator=torch.Generator().manual_seed(0))
    numbers = [sampling.uniform("d0t0", "en", "e1", place) for place in range(5)]
    whole = sampling.drawn(logits, numbers, 1.0, 0.9)
    monkeypatch.setattr(sampling, "LIKELIEST", 3)
    assert sampling.drawn(logits, numbers, 1.0, 0.9) == whole
    assert max(numbers) < 1 and len(set(numbers)) == 5


def test_laid_out_weights_compute_the_same_and_are_gone_afterwards(
    early: tuple[Any, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    model, _ = early
    prompts = mixed_prompts(6)
    before = {name: weight.clone() for name, weight in model.state_dict().items()}
    plain = texts(early, prompts, 4)
    monkeypatch.setattr(linear, "SMALLEST", 0)
    with linear.replaced(model, linear.keep):
        laid_out = [name for name, layer in model.named_modules() if "forward" in layer.__dict__]
        assert ("lm_head" in laid_out) == torch.backends.mkldnn.is_available()
        assert texts(early, prompts, 4) == plain
    assert not any("forward" in layer.__dict__ for layer in model.modules())
    assert all(torch.equal(weight, before[name]) for name, weight in model.state_dict().items())


def test_replaced_weights_are_back_to_the_bit_even_after_a_failure(loaded: tuple[Any, Any]) -> None:
    import torch

    model, _ = loaded
    before = {name: weight.clone() for name, weight in model.state_dict().items()}
    with pytest.raises(ZeroDivisionError), linear.replaced(model, lambda name, layer: layer.weight.detach() * 3):
        assert torch.equal(model.lm_head.weight, before["lm_head.weight"] * 3)
        raise ZeroDivisionError
    assert all(torch.equal(weight, before[name]) for name, weight in model.state_dict().items())


def tiny(kind: str, tokenizer: Any) -> Any:
    """Another architecture with random weights."""
    import torch
    import transformers

    torch.manual_seed(0)
    sizes = {
        "vocab_size": len(tokenizer),
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "num_key_value_heads": 1,
        "initializer_range": 0.5,
        "bos_token_id": 2,
        "eos_token_id": [1, *range(8, len(tokenizer), 32)],
        "pad_token_id": 0,
    }
    configs: dict[str, Any] = {
        "llama": lambda: transformers.LlamaConfig(**sizes),
        "mistral": lambda: transformers.MistralConfig(**sizes, sliding_window=16),
        "lfm2": lambda: transformers.Lfm2Config(**sizes, layer_types=["conv", "full_attention"]),
    }
    model: Any = transformers.AutoModelForCausalLM.from_config(configs[kind]()).eval()
    return model


@pytest.mark.parametrize("kind", ["llama", "mistral", "lfm2"])
def test_other_architectures(kind: str, loaded: tuple[Any, Any]) -> None:
    """LFM2 has convolutions, whose states are no keys and values: it takes the other way."""
    _, tokenizer = loaded
    model = tiny(kind, tokenizer)
    assert (columns.layers_of(model.config) is None) == (kind == "lfm2")
    prompts = mixed_prompts(10)
    for settings in ({}, {"temperature": 1.0, "top_p": 0.9}):
        together = texts((model, tokenizer), prompts, 3, **settings)
        assert together == [texts((model, tokenizer), [row], 1, **settings)[0] for row in prompts]
        assert len({tokens for _, _, tokens in together}) > 2


def test_a_gpu_takes_as_many_rows_as_its_memory_has_room_for(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    class Device:
        type = "cuda"

    class Model:
        device = Device()
        dtype = torch.bfloat16
        config = __import__("transformers").LlamaConfig(
            hidden_size=64, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2
        )

    row = 2 * 2 * 2 * 16 * 100 * 2  # keys and values, layers, heads, head size, columns, bytes
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (row * 10, row * 20))
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda device: row * 5)
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda device: 0)
    assert batch.most_rows(Model(), 256, 100) == 12
    assert batch.most_rows(Model(), 4, 100) == 4
    assert batch.most_rows(Model(), 256, 100_000) == 1


def test_auto_is_a_batch_size(loaded: tuple[Any, Any], tiny_model: Path) -> None:
    prompts = eval_prompts("en")
    found = [
        decode(*loaded, prompts, Generate(max_new_tokens=6, batch_size=size), "d0t0", True) for size in ("auto", 2)
    ]
    assert found[0] == found[1]
    assert modelling.load_model(tiny_model).device.type in ("cpu", "cuda")
