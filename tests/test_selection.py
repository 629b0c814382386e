"""Which checkpoint is kept: by development loss, by ROUGE-L, or the last; and what a training notices of it."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from pinch import modelling
from pinch.__main__ import main
from pinch.config import Generate
from pinch.decoding import decode
from pinch.finetune.rouge import Words, mean_rouge_l
from pinch.rows import ExampleRow, file_digest, write_rows

from tests.harness import SEED
from tests.links import TINY, lines, link, manifest, one_error, training_rows

OVERFITTING = {"method": "full", "dtype": "float32", "lr": 0.03, "schedule": "constant", "epochs": 12, "checkpoints": 6}


def dev_rows() -> list[ExampleRow]:
    """Four rows in English and two in Spanish, with ids that are not trained on."""
    english = lines(SEED / "train.en.jsonl")[12:16]
    return [ExampleRow(**row) for row in [*english, *lines(SEED / "memory/train.es.jsonl")[16:18]]]


@pytest.fixture(scope="module")
def tune_with(place: Path) -> Callable[..., Path]:
    """Tunes with development rows (None: no file); gives the folder of weights and manifest, if there is any."""

    def tune(name: str, dev: Sequence[ExampleRow] | None, **settings: Any) -> Path:
        folder = place / "results/models/tiny" / name / "d0t0"
        options = {}
        if dev is not None:
            write_rows(place / f"dev of {name}.jsonl", dev)
            options["dev"] = place / f"dev of {name}.jsonl"
        command = link(
            "finetune",
            base=place / "results/base_models/tiny.json",
            mixture=place / "results/mixtures/en8+es4/d0.jsonl",
            settings=json.dumps(TINY | settings),
            cache=place / "cache",
            weights=folder / "weights",
            manifest=folder / "manifest.json",
            **options,
        )
        main(command)
        return folder

    return tune


@pytest.fixture(scope="module")
def by_loss(tune_with: Callable[..., Path]) -> Path:
    return tune_with("by loss", dev_rows(), select="loss", **OVERFITTING)


@pytest.fixture(scope="module")
def by_rouge_l(tune_with: Callable[..., Path]) -> Path:
    return tune_with("by ROUGE-L", dev_rows(), select="rouge_l", rouge_l_tokens=24, **OVERFITTING)


def test_by_loss_the_minimum_of_the_curve_is_kept(place: Path, by_loss: Path) -> None:
    found = manifest(place, "by loss")["selection"]
    steps, losses = zip(*found["checkpoints"], strict=True)
    assert steps == (6, 12, 18, 24, 30, 36)
    assert found["by"] == "loss"
    assert found["chosen"] == steps[losses.index(min(losses))] != steps[-1]


def test_development_loss_is_that_of_every_token_alone(place: Path, by_loss: Path, tiny_model: Path) -> None:
    """The weights on disk, against cross entropy computed row by row: neither padding nor batches weigh in."""
    import torch

    model, tokenizer = modelling.load_model(tiny_model, by_loss / "weights"), modelling.load_tokenizer(tiny_model)
    total, count = 0.0, 0
    for row in dev_rows():
        ids, prompt = modelling.example_ids(tokenizer, row.instruction, row.response)
        with torch.inference_mode():
            surprise = -model(torch.tensor([ids[: TINY["max_length"]]])).logits[0].log_softmax(-1)
        places = range(prompt, min(len(ids), int(TINY["max_length"])))
        total += sum(surprise[place - 1, ids[place]].item() for place in places)
        count += len(places)
    found = manifest(place, "by loss")["selection"]
    assert dict(found["checkpoints"])[found["chosen"]] == pytest.approx(total / count, abs=1e-4)


@pytest.mark.long
def test_by_rouge_l_the_best_responses_are_kept(place: Path, by_rouge_l: Path, tiny_model: Path) -> None:
    found = manifest(place, "by ROUGE-L")["selection"]
    steps, scores = zip(*found["checkpoints"], strict=True)
    assert found["by"] == "rouge_l"
    assert found["chosen"] == steps[scores.index(max(scores))]
    assert 0 < max(scores) < 1
    loaded = modelling.load_model(tiny_model, by_rouge_l / "weights"), modelling.load_tokenizer(tiny_model)
    said = decode(*loaded, dev_rows(), Generate(max_new_tokens=24), "d0t0", True)
    score = mean_rouge_l([row.response for row in dev_rows()], [row.response for row in said])
    assert score == pytest.approx(max(scores), abs=1e-6)


def test_the_languages_of_the_development_rows_are_recorded(place: Path, by_loss: Path) -> None:
    found = manifest(place, "by loss")
    assert (found["selection"]["dev_rows"], found["selection"]["dev_languages"]) == (6, {"en": 4, "es": 2})
    assert found["dev_digest"] == file_digest(place / "dev of by loss.jsonl")


@pytest.mark.long
def test_a_training_takes_no_notice_of_selection(
    place: Path, by_loss: Path, by_rouge_l: Path, tune_with: Callable[..., Path]
) -> None:
    tune_with("the last", None, **OVERFITTING)
    last = manifest(place, "the last")
    assert last["selection"] == {"by": "last", "chosen": 36}
    for name in ("by loss", "by ROUGE-L"):
        assert manifest(place, name)["loss_curve"] == last["loss_curve"]
    assert manifest(place, "by loss")["weights_digest"] != last["weights_digest"]


@pytest.mark.parametrize("method", ["lora", "full"])
def test_the_last_checkpoint_is_the_same_bit_for_bit(
    place: Path, tune_with: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    """With dropout, so that a draw of chance too many would show; decoding seeds its batches itself."""
    from pinch.finetune.selection import Selection

    looked = Selection.score
    scores = iter([0.1, 0.2, 0.3, 0.4])

    def rising(self: Any, model: Any) -> float:
        looked(self, model)
        return next(scores)

    monkeypatch.setattr(Selection, "score", rising)
    settings = {"method": method, "epochs": 2, "lora_dropout": 0.1}
    tune_with(f"{method}, selected", dev_rows(), select="rouge_l", rouge_l_tokens=4, **settings)
    tune_with(f"{method}, last", None, **settings)
    selected, last = manifest(place, f"{method}, selected"), manifest(place, f"{method}, last")
    assert selected["selection"]["chosen"] == last["optimizer_steps"] == 6
    assert selected["weights_digest"] == last["weights_digest"]


def test_of_equals_the_earlier_is_kept(
    place: Path, tune_with: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """And where there are fewer steps than checkpoints, all of them are compared."""
    from pinch.finetune.selection import Selection

    scores = iter([0.1, 0.3, 0.3])
    monkeypatch.setattr(Selection, "score", lambda self, model: next(scores))
    tune_with("equals", dev_rows(), select="rouge_l", steps=3)
    found = manifest(place, "equals")["selection"]
    assert (found["checkpoints"], found["chosen"]) == ([[1, 0.1], [2, 0.3], [3, 0.3]], 2)


def outside() -> list[ExampleRow]:
    return [row.model_copy(update={"lang": "fi"}) if row.lang == "es" else row for row in dev_rows()]


@pytest.mark.parametrize(
    ("dev", "message"),
    [
        (None, "finetune.select: loss needs development rows, and none are given (--dev); hold some out by data.held_"),
        ([], "finetune.select: loss needs development rows, and "),
        (training_rows()[:1], "id 't001' is in the training set too; development rows must be held out"),
        (outside(), "in 'fi', in which nothing is trained; a checkpoint is selected in the languages of its training"),
    ],
    ids=["none", "empty", "trained on", "an unseen language"],
)
def test_development_rows_that_cannot_serve_are_named(
    tune_with: Callable[..., Path],
    capsys: pytest.CaptureFixture[str],
    dev: Sequence[ExampleRow] | None,
    message: str,
) -> None:
    folder = tune_with("bad development rows", dev, select="loss")
    assert message in one_error(capsys.readouterr().err)
    assert not folder.exists()


def test_diverged_training_is_not_selected(tune_with: Callable[..., Path], capsys: pytest.CaptureFixture[str]) -> None:
    folder = tune_with("diverged", dev_rows(), select="loss", lr=1e30)
    assert "training diverged; lower finetune.lr" in one_error(capsys.readouterr().err)
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("The cat's 2 mats.", ["the", "cat", "s", "2", "mats"]),
        ("Straße, Déjà vu", ["strasse", "déjà", "vu"]),
        ("हिन्दी में", ["हिन्दी", "में"]),
        ("שָׁלוֹם עולם", ["שָׁלוֹם", "עולם"]),
        ("我用Python 3。", ["我", "用", "python", "3"]),
        ("สวัสดี", ["ส", "วั", "ส", "ดี"]),
    ],
)
def test_words_of_all_scripts(text: str, words: list[str]) -> None:
    import unicodedata

    assert Words().tokenize(text) == [unicodedata.normalize("NFKC", word) for word in words]


def test_rouge_l_is_the_mean_f1_of_longest_common_subsequences() -> None:
    references = ["The cat sat on the mat.", "天气很好"]
    assert mean_rouge_l(references, references) == 1
    # the, cat, on, mat of 6 and 5 words: F1 8/11; two characters of four and of two: F1 2/3
    assert mean_rouge_l(references, ["The cat on a mat", "天好"]) == pytest.approx((8 / 11 + 2 / 3) / 2)
    assert mean_rouge_l(references, ["", "!"]) == 0
