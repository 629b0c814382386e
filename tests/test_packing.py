"""Micro-batches without padding: the same loss and gradients as row by row, in as little memory as there is."""

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
from pinch import modelling
from pinch.config import Finetune
from pinch.finetune.examples import tokenize
from pinch.finetune.training import with_adapters
from pinch.rows import read_json

from tests.links import TINY, manifest, one_error, training_rows, tune


@pytest.fixture(scope="module")
def rows(tiny_model: Path) -> list[tuple[Any, Any]]:
    """Pairs of token ids and labels; most are longer than the tiny model's sliding window of 32."""
    import torch

    examples, _ = tokenize(training_rows(), modelling.load_tokenizer(tiny_model), TINY["max_length"])
    assert sum(len(example["input_ids"]) > 40 for example in examples) > 6
    return [(torch.tensor(example["input_ids"]), torch.tensor(example["labels"])) for example in examples]


def forward_of(model: Any, rows: Sequence[tuple[Any, Any]]) -> Any:
    from pinch.finetune.forward import Forward

    return Forward(model, [rows[0][0], rows[1][0]], nullcontext, 0)


def alone(model: Any, rows: Sequence[tuple[Any, Any]]) -> Any:
    """Cross-entropy summed over all labels, each row through the model by itself with all of its logits."""
    import torch

    return sum(
        torch.nn.functional.cross_entropy(
            model(input_ids=ids[None]).logits[0, :-1].float(), labels[1:], ignore_index=-100, reduction="sum"
        )
        for ids, labels in rows
    )


def gradients(model: Any, loss: Any) -> dict[str, Any]:
    model.zero_grad()
    loss.backward()
    return {name: weight.grad for name, weight in model.named_parameters() if weight.grad is not None}


def tied(config: Any) -> None:
    config.tie_word_embeddings = True


def capped(config: Any) -> None:
    config.final_logit_softcapping = 5.0


@pytest.mark.parametrize("method", ["lora", "full"])
@pytest.mark.parametrize("change", [lambda config: None, tied, capped], ids=["as it is", "tied", "softcap"])
def test_packed_rows_are_each_alone(
    tiny_model: Path,
    rows: list[tuple[Any, Any]],
    monkeypatch: pytest.MonkeyPatch,
    method: str,
    change: Callable[[Any], None],
) -> None:
    """Loss and gradients, with tiles smaller than the batch; adapters do something, or they would have no gradient."""
    import torch
    import transformers
    from pinch.finetune import head

    monkeypatch.setattr(head, "TOKENS", {"cpu": 50})
    monkeypatch.setattr(head, "VOCABULARY", {"cpu": 300})
    config = transformers.AutoConfig.from_pretrained(tiny_model)
    change(config)
    torch.manual_seed(0)
    model: Any = transformers.AutoModelForCausalLM.from_config(config)
    if method == "lora":
        model = with_adapters(model, Finetune(), 0)
        for name, weight in model.named_parameters():
            if "lora_B" in name:
                torch.nn.init.normal_(weight, std=0.1)
    expected = alone(model, rows) / 7
    wanted = gradients(model, expected)
    forward = forward_of(model, rows)
    assert forward.packed
    with forward.training():
        loss = forward.loss(rows, 7)
        found = gradients(model, loss)
    assert loss.item() == pytest.approx(expected.item(), rel=1e-5)
    assert found.keys() == wanted.keys()
    for name in wanted:
        assert torch.allclose(found[name], wanted[name], rtol=1e-3, atol=2e-5 * wanted[name].abs().max().item()), name


def test_without_the_window_or_with_one_row_for_two_the_loss_is_another(
    tiny_model: Path, rows: list[tuple[Any, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the test above would see: attention across rows, and a sliding window that is not kept."""
    from pinch.finetune import packing

    model = modelling.load_model(tiny_model)
    expected = alone(model, rows).item()
    forward = forward_of(model, rows)
    real = packing.attention

    def blind(*arguments: Any, **options: Any) -> Any:
        return real(*arguments, **options | {"sliding_window": None})

    def leaking(*arguments: Any, **options: Any) -> Any:
        return real(*arguments, **options | {"row_lengths": [sum(options["row_lengths"])]})

    for wrong in (blind, leaking):
        monkeypatch.setattr(packing, "attention", wrong)
        packing.register()
        with forward.training():
            assert forward.loss(rows, 1).item() != pytest.approx(expected, rel=1e-4)
    # Packing is not used where it does not agree with the model: the two rows that it is tried on tell.
    assert not forward_of(model, rows).packed
    monkeypatch.undo()
    packing.register()
    assert forward_of(model, rows).packed


def test_a_model_that_does_not_bear_packing_gets_padded_rows(rows: list[tuple[Any, Any]]) -> None:
    """Granite divides its logits, which the head of tiles does not: found out, not looked up."""
    import torch
    import transformers

    torch.manual_seed(0)
    config = transformers.GraniteConfig(
        vocab_size=900,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=1,
        num_attention_heads=2,
        num_key_value_heads=1,
        logits_scaling=8.0,
        initializer_range=0.5,
    )
    model = transformers.AutoModelForCausalLM.from_config(config)
    forward = forward_of(model, rows)
    assert not forward.packed
    with forward.training():
        assert forward.loss(rows, 3).item() == pytest.approx(alone(model, rows).item() / 3, rel=1e-5)
    assert forward.places([len(ids) for ids, _ in rows[:2]]) == 2 * max(len(ids) for ids, _ in rows[:2])


def test_micro_batches_hold_every_row_once() -> None:
    from pinch.finetune.packing import micro_batches

    assert micro_batches([5, 9, 3, 7], 100) == [[1, 3, 0, 2]]
    assert micro_batches([5, 9, 3, 7], 12) == [[1], [3, 0], [2]]
    assert micro_batches([5, 9, 3, 7], 4) == [[1], [3], [0], [2]]
    assert micro_batches([5, 9, 3, 7], 100, rows=3) == [[1, 3, 0], [2]]
    assert micro_batches([4, 4, 4], 8) == [[0, 1], [2]]


@pytest.mark.parametrize(
    ("wanted", "checkpointing", "room", "tokens", "on", "said"),
    [
        (None, "auto", 9000, 2048, False, "is not needed: "),
        (None, "auto", 1440, 1440, False, "is not needed, but smaller micro-batches are: "),
        (None, "auto", 480, 1200, True, "is needed, and smaller micro-batches: "),
        (None, "auto", 80, 300, True, "is needed, and memory may still not do: "),
        (None, True, 9000, 2048, True, "is on: "),
        (None, False, 480, 480, False, "is off, but smaller micro-batches are: "),
        (512, "auto", 600, 512, False, "is not needed: "),
        (1000, "auto", 600, 1000, True, "is needed: "),
        (64, "auto", 600, 300, False, "is not needed: "),
    ],
)
def test_layers_are_computed_twice_only_where_memory_asks(
    wanted: int | None, checkpointing: Any, room: int, tokens: int, on: bool, said: str
) -> None:
    """Rows of at most 300 tokens in steps of 6,000; a token saves 100 bytes, or 40 with checkpointing.

    `room`: for so many tokens without, in the four fifths of the free memory that are planned with.
    """
    from pinch.finetune import memory

    found = memory.plan(wanted, checkpointing, 300, 6000, "cpu", 100, 40, 1000, (room * 100 + 1000) * 10 // 8)
    assert (found.tokens, found.checkpointing) == (tokens, on)
    assert found.why.startswith(f"gradient checkpointing {said}")


def test_what_a_forward_pass_saves_is_counted_without_weights() -> None:
    import torch
    from pinch.finetune.memory import saved_bytes

    layer = torch.nn.Linear(10, 20, bias=False)
    row = torch.ones(3, 10)
    assert saved_bytes(layer, lambda: layer(row).exp()) == 4 * (3 * 10 + 3 * 20)  # its input, and what exp put out


def test_little_memory_changes_no_weight(
    place: Path, adapter: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Checkpointing gives the same bytes; log and manifest say that it was needed."""
    from pinch.finetune import memory

    monkeypatch.setattr(memory, "TOKENS", {"cpu": 2048})
    monkeypatch.setattr(
        memory, "plan", lambda *arguments: memory.Plan(2048, True, "gradient checkpointing is needed: a test")
    )
    assert tune(place, "checkpointed") == 0
    assert "finetune: gradient checkpointing is needed: a test" in capsys.readouterr().out
    found, whole = manifest(place, "checkpointed"), read_json(adapter / "manifest.json")
    assert found["gradient_checkpointing"] and not whole["gradient_checkpointing"]
    assert found["loss_curve"] == whole["loss_curve"]
    assert found["weights_digest"] == whole["weights_digest"]


def test_the_manifest_tells_how_it_was_computed(adapter: Path) -> None:
    found = read_json(adapter / "manifest.json")
    assert found["attention"] == "packed rows"
    assert (found["padding_share"], found["micro_batches"]) == (0, 3)
    assert found["dtype"] in ("float32", "bfloat16")
    assert found["peak_memory_bytes"] > 1e8
    assert found["memory_plan"].startswith("gradient checkpointing is not needed: ")


def test_dtypes_end_near_each_other(place: Path) -> None:
    losses = {}
    for dtype in ("float32", "bfloat16"):
        assert tune(place, dtype, dtype=dtype) == 0
        found = manifest(place, dtype)
        assert found["dtype"] == dtype
        losses[dtype] = [loss for _, loss in found["loss_curve"]]
    assert losses["float32"] != losses["bfloat16"]
    assert losses["bfloat16"] == pytest.approx(losses["float32"], rel=2e-2)


def test_qlora_without_its_package_says_what_to_install(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from pinch.finetune import loading

    monkeypatch.setattr(loading, "find_spec", lambda name: None)
    assert tune(place, "four bits", method="qlora") == 1
    assert "qlora needs the package bitsandbytes: pip install bitsandbytes==" in one_error(capsys.readouterr().err)


def test_qlora_trains_beside_four_bits_and_is_applied_to_the_whole_base(
    place: Path, tiny_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("bitsandbytes")
    assert tune(place, "qlora", method="qlora") == 0
    found = manifest(place, "qlora")
    assert len(found["loss_curve"]) == 3
    assert "bitsandbytes" in found["libraries"]
    weights = place / "results/models/tiny/qlora/d0t0/weights"
    assert modelling.load_model(tiny_model, weights).dtype == modelling.load_model(tiny_model).dtype
    assert tune(place, "qlora, selected", method="qlora", select="loss") == 1
    assert "finetune.select: loss with method: qlora needs a GPU" in one_error(capsys.readouterr().err)


def test_weights_rounded_part_by_part_are_those_that_transformers_rounds(
    tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch
    from pinch.finetune import loading

    monkeypatch.setattr(loading, "PART", 100)
    found = loading.load(tiny_model, "lora", torch.bfloat16)
    wanted = modelling.load_model(tiny_model, weights_dtype=torch.bfloat16)
    assert found.state_dict().keys() == wanted.state_dict().keys()
    for name, weight in wanted.state_dict().items():
        assert torch.equal(found.state_dict()[name], weight), name
    assert found.generation_config.eos_token_id == wanted.generation_config.eos_token_id == 1
    assert not found.training
