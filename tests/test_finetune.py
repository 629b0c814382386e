"""Training: what is learned, what is written, and what becomes of faults."""

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pinch import modelling
from pinch.__main__ import main
from pinch.config import Finetune
from pinch.errors import PinchError
from pinch.finetune.examples import tokenize
from pinch.rows import GenerationRow, read_json, read_rows
from pydantic import ValidationError

from tests.links import (
    BOS,
    EOS,
    TINY,
    generate_command,
    link,
    manifest,
    one_error,
    training_rows,
    tune,
)


@pytest.fixture
def trainer(place: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """The trainer that `finetune` makes, taken away from it just before it trains; in float32 unless said."""
    from pinch.finetune.trainer import PackedTrainer

    def take(**settings: Any) -> PackedTrainer:
        taken: list[PackedTrainer] = []

        def stop(self: PackedTrainer, **_: Any) -> None:
            taken.append(self)
            raise PinchError("taken")

        with monkeypatch.context() as patch:
            patch.setattr(PackedTrainer, "train", stop)
            assert tune(place, "taken", **{"method": "full", "dtype": "float32"} | settings) == 1
        return taken[0]

    return take


def like(ours: Any, tiny_model: Path) -> Any:
    """TRL's own trainer, with the settings and the data of ours, and without gradient checkpointing."""
    import transformers
    from datasets import Dataset
    from trl import SFTTrainer

    transformers.set_seed(0)
    examples, _ = tokenize(training_rows(), ours.processing_class, TINY["max_length"])
    return SFTTrainer(
        model=modelling.load_model(tiny_model),
        args=dataclasses.replace(ours.args, gradient_checkpointing=False),
        train_dataset=Dataset.from_list(examples),
        processing_class=ours.processing_class,
    )


def test_the_loss_is_of_the_responses_alone(place: Path, tiny_model: Path) -> None:
    """The first loss of one batch of all rows, against cross entropy computed row by row."""
    import torch

    assert tune(place, "one step", batch_size=12, dtype="float32") == 0
    model, tokenizer = modelling.load_model(tiny_model), modelling.load_tokenizer(tiny_model)
    total, count = 0.0, 0
    for row in training_rows():
        ids, prompt = modelling.example_ids(tokenizer, row.instruction, row.response)
        with torch.inference_mode():
            surprise = -model(torch.tensor([ids])).logits[0].log_softmax(-1)
        total += sum(surprise[place - 1, ids[place]].item() for place in range(prompt, len(ids)))
        count += len(ids) - prompt
    assert manifest(place, "one step")["loss_curve"] == [[1, pytest.approx(total / count, abs=1e-3)]]


def trained(one: Any) -> tuple[list[float], Any]:
    """The losses of a training, and the head at its end."""
    if hasattr(one, "forward"):
        with one.forward.training():
            one.train()
    else:
        one.train()
    return [entry["loss"] for entry in one.state.log_history if "loss" in entry], one.model.lm_head.weight.detach()


def test_training_is_that_of_trl(trainer: Callable[..., Any], tiny_model: Path) -> None:
    """Three optimizer steps with either trainer, however they are cut, end alike; twelve rows in steps of five."""
    import torch

    ours = {
        "whole": trainer(batch_size=5),
        "of two rows": trainer(batch_size=5, micro_batch_size=2),
        "of 100 tokens": trainer(batch_size=5, micro_batch_tokens=100),
        "checkpointed": trainer(batch_size=5, gradient_checkpointing=True),
    }
    losses, weights = trained(like(ours["whole"], tiny_model))
    assert len(losses) == 3
    for name, one in ours.items():
        ended = trained(one)
        assert ended[0] == pytest.approx(losses, rel=1e-4), name
        assert torch.allclose(ended[1], weights, atol=1e-4), name
    assert ours["of two rows"].micro_batches == 3 + 3 + 1
    assert ours["of 100 tokens"].micro_batches > ours["of two rows"].micro_batches
    assert ours["checkpointed"].args.gradient_checkpointing


def test_labels_are_the_response_and_its_stop_token(trainer: Callable[..., Any]) -> None:
    from pinch.finetune import packing

    ours = trainer()
    tokenizer = ours.processing_class
    responses = []
    for step in ours.get_train_dataloader():
        assert len(step["lengths"]) == TINY.get("batch_size", 4)
        for ids, labels in packing.take(step, range(len(step["lengths"]))):
            seen, target = ids.tolist(), labels[labels != -100].tolist()
            assert (seen[0], seen.count(BOS), seen.count(EOS)) == (BOS, 1, 1)
            assert target == seen[-len(target) :]
            assert target[-1] == EOS
            assert tokenizer.decode(seen[: -len(target)]).endswith("<end_of_turn>\n<start_of_turn>model\n")
            responses.append(tokenizer.decode(target[:-1]))
    assert sorted(responses) == sorted(row.response for row in training_rows())


def test_text_that_looks_like_a_turn_is_text_whichever_way_it_is_found(tiny_model: Path) -> None:
    """What has no such text is not sent through transformers' own search for it, and must come out the same."""
    tokenizer = modelling.load_tokenizer(tiny_model)
    texts = [row.instruction for row in training_rows()]
    for text in [*texts, "a <end_of_turn>\n<start_of_turn>model\nb", "<eos>", " a\n\n b ", "\U000f0000<bos>\U000f0001"]:
        expected = tokenizer.apply_chat_template(
            [{"role": "user", "content": text}],
            add_generation_prompt=True,
            tokenize=True,
            return_dict=False,
            sanitize_control_tokens=True,
        )
        assert modelling.prompt_ids(tokenizer, text) == expected
        assert expected.count(tokenizer.convert_tokens_to_ids("<end_of_turn>")) == 1


def labels_of(example: dict[str, Any]) -> int:
    return sum(label != -100 for label in example["labels"])


def test_what_is_cut_is_counted_and_has_no_stop_token(tiny_model: Path) -> None:
    tokenizer = modelling.load_tokenizer(tiny_model)
    rows = training_rows()
    whole, _ = tokenize(rows, tokenizer, 10_000)
    longest = max(range(len(rows)), key=lambda index: len(whole[index]["input_ids"]))
    limit = len(whole[longest]["input_ids"]) - 1
    cut, counts = tokenize(rows, tokenizer, limit)
    assert sum(counts["truncated"].values()) == counts["truncated"][rows[longest].lang] == 1
    assert len(cut[longest]["input_ids"]) == len(cut[longest]["labels"]) == limit
    assert EOS not in cut[longest]["input_ids"]
    assert all(example["input_ids"][-1] == EOS for index, example in enumerate(cut) if index != longest)


def test_a_response_has_a_limit_of_its_own(tiny_model: Path) -> None:
    tokenizer = modelling.load_tokenizer(tiny_model)
    rows = training_rows()
    whole, _ = tokenize(rows, tokenizer, 10_000)
    lengths = [labels_of(example) for example in whole]
    limit = sorted(lengths)[len(rows) // 2]
    cut, counts = tokenize(rows, tokenizer, 10_000, limit)
    assert [labels_of(example) for example in cut] == [min(length, limit) for length in lengths]
    assert sum(counts["response_tokens"].values()) == sum(min(length, limit) for length in lengths)
    assert sum(counts["truncated"].values()) == sum(length > limit for length in lengths) > 0
    for example, length in zip(cut, lengths, strict=True):
        # A response of exactly so many tokens keeps its stop token: it is counted among them.
        assert (example["input_ids"][-1] == EOS) == (length <= limit)


def test_the_limit_of_a_response_reaches_training(place: Path) -> None:
    assert tune(place, "short responses", max_response_length=5) == 0
    assert manifest(place, "short responses")["tokens_per_epoch"]["response_tokens"] == {"en": 40, "es": 20}
    assert manifest(place, "short responses")["tokens_per_epoch"]["truncated"] == {"en": 8, "es": 4}


def test_an_instruction_that_leaves_nothing_to_learn_is_named(tiny_model: Path) -> None:
    with pytest.raises(PinchError, match=r"id 't001' \(en\).*raise finetune.max_length \(now 16\)"):
        tokenize(training_rows(), modelling.load_tokenizer(tiny_model), 16)


def test_training_is_deterministic_given_its_seed(place: Path, adapter: Path) -> None:
    first = read_json(adapter / "manifest.json")
    assert tune(place, "again") == tune(place, "otherwise", seed=1) == 0
    assert manifest(place, "again")["weights_digest"] == first["weights_digest"]
    assert manifest(place, "again")["loss_curve"] == first["loss_curve"]
    assert manifest(place, "otherwise")["weights_digest"] != first["weights_digest"]


def test_steps_are_counted_instead_of_epochs(place: Path, adapter: Path) -> None:
    """12 rows in batches of 4: 3 steps are an epoch."""
    epoch = read_json(adapter / "manifest.json")
    assert tune(place, "three steps", steps=3) == tune(place, "five steps", steps=5) == 0
    three, five = manifest(place, "three steps"), manifest(place, "five steps")
    assert three["weights_digest"] == epoch["weights_digest"]
    total = sum(epoch["tokens_per_epoch"]["tokens"].values())
    assert (three["epochs"], three["tokens_seen"]) == (epoch["epochs"], epoch["tokens_seen"]) == (1, total)
    assert (five["optimizer_steps"], len(five["loss_curve"])) == (5, 5)
    assert five["epochs"] == pytest.approx(5 / 3, abs=1e-4)
    assert total < five["tokens_seen"] < 2 * total
    # Seconds are written to the hundredth, and a fast machine takes less than half of one.
    assert five["tokens_seen"] / five["tokens_per_second"] == pytest.approx(five["seconds"], abs=0.0051)


def test_steps_and_epochs_are_one_or_the_other() -> None:
    with pytest.raises(ValidationError, match=r"epochs \(3\) and steps \(2000\) are both given"):
        Finetune(epochs=3, steps=2000)
    for settings in (Finetune(), Finetune(steps=2000), Finetune(epochs=3)):
        assert Finetune.model_validate_json(settings.model_dump_json()) == settings


def test_the_loss_falls(place: Path) -> None:
    assert tune(place, "longer", epochs=6, lr=2e-2) == 0
    curve = [loss for _, loss in manifest(place, "longer")["loss_curve"]]
    assert len(curve) == 18
    assert sum(curve[-3:]) < 0.8 * sum(curve[:3])


def test_an_adapter_is_stored_alone_and_names_its_base_by_digest(place: Path, adapter: Path) -> None:
    assert (adapter / "weights/adapter_model.safetensors").is_file()
    assert not (adapter / "weights/model.safetensors").exists()
    config = read_json(adapter / "weights/adapter_config.json")
    assert config["base_model_name_or_path"] == read_json(place / "results/base_models/tiny.json")["digest"]
    # As PEFT writes it, the order is another one in each process, and with it the digest.
    assert config["target_modules"] == sorted(config["target_modules"])
    for path in (adapter / "weights").rglob("*"):
        assert str(place).encode() not in path.read_bytes(), f"{path} holds a path of this machine"


def test_full_training_stores_the_whole_model(place: Path, adapter: Path, tmp_path: Path) -> None:
    assert tune(place, "full", method="full") == 0
    weights = place / "results/models/tiny/full/d0t0/weights"
    assert (weights / "model.safetensors").is_file()
    assert (
        manifest(place, "full")["trainable_parameters"] > read_json(adapter / "manifest.json")["trainable_parameters"]
    )
    output = tmp_path / "en.jsonl"
    arguments = generate_command(place, place / "cache", output)
    assert main([*arguments, "--weights", str(weights)]) == 0
    assert len(read_rows(output, GenerationRow)) == 6


@pytest.mark.parametrize("fault", ["a learning rate", "a base model with inf"])
def test_diverged_training_says_so_in_a_line_and_leaves_nothing(
    place: Path, tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], fault: str
) -> None:
    base = None
    if fault == "a base model with inf":
        import torch

        broken = modelling.load_model(tiny_model)
        with torch.no_grad():
            broken.model.layers[0].mlp.up_proj.weight[0, 0] = float("inf")
        broken.save_pretrained(tmp_path / "broken")
        modelling.load_tokenizer(tiny_model).save_pretrained(tmp_path / "broken")
        base = tmp_path / "broken.json"
        spec = json.dumps({"path": str(tmp_path / "broken")})
        assert main(link("base_model", spec=spec, cache=place / "cache", output=base)) == 0
        assert tune(place, fault, base=base) == 1
    else:
        assert tune(place, fault, lr=1e30) == 1
    assert "training diverged; lower finetune.lr" in one_error(capsys.readouterr().err)
    folder = place / "results/models/tiny" / fault / "d0t0"
    assert list(folder.iterdir()) == []


@pytest.mark.long
@pytest.mark.parametrize("schedule", ["constant", "linear", "cosine"])
def test_warm_up_goes_before_every_schedule(place: Path, schedule: str) -> None:
    digests = set()
    for warmup in (0, 0.6):
        name = f"{schedule} after {warmup}"
        assert tune(place, name, schedule=schedule, warmup=warmup) == 0
        digests.add(manifest(place, name)["weights_digest"])
    assert len(digests) == 2
