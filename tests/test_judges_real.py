"""Judges that are language models, against real parts: a llama.cpp server, and the same weights in transformers."""

import json
from pathlib import Path
from typing import Any

import pytest
from pinch.config import Aggregate
from pinch.score import outcomes_of_verdicts, summarize

from tests.judge_cell import NOWHERE, PAIRS, QUESTIONS, Cell, Done, assert_both_orders, at
from tests.llama_server import SHARED, SMOLLM2, endpoint, record, smollm2

__all__ = ["endpoint", "record", "smollm2"]  # fixtures

LOCAL = {"engine": "transformers", "model": {"pypi": SMOLLM2}}

PRICE = [0.5, 2.0]
"""US dollars for a million tokens, in and out."""


@pytest.fixture(autouse=True)
def _no_refresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PINCH_REFRESH", raising=False)


@pytest.fixture
def one_pair(tmp_path: Path) -> Cell:
    return Cell(tmp_path).write(PAIRS[:1])


def share_models(cell: Cell) -> Cell:
    """Give a cell's cache, whose replies are its own, the converted models of all tests."""
    (cell.folder / "cache").mkdir(exist_ok=True)
    (cell.folder / "cache" / "base_models").symlink_to(SHARED / "base_models")
    return cell


# The engine openai, against llama.cpp


@pytest.fixture(scope="module")
def judged(endpoint: str, tmp_path_factory: pytest.TempPathFactory) -> tuple[Cell, Done]:
    """PAIRS, judged by the text that SmolLM2 replies behind the endpoint."""
    cell = Cell(tmp_path_factory.mktemp("judged")).write(PAIRS)
    return cell, cell.judge(at(endpoint, usd_per_million_tokens=PRICE, ask_again=0))


def test_endpoint_judges_every_pair_in_both_orders(judged: tuple[Cell, Done]) -> None:
    cell, done = judged
    assert done.code == 0, done
    assert f"calls {QUESTIONS}, from the cache 0, identical 2" in done.out
    assert_both_orders(cell.rows)
    *asked, _, _ = cell.rows
    for row in asked:
        assert row.winner in ("candidate", "baseline", "invalid")
        assert row.raw and row.tokens_in > 60 and 0 < row.tokens_out <= 16
        assert row.cost == pytest.approx((row.tokens_in * PRICE[0] + row.tokens_out * PRICE[1]) / 1e6)


def test_second_run_makes_no_call(judged: tuple[Cell, Done]) -> None:
    cell, _ = judged
    before = cell.output.read_bytes()
    cell.output.unlink()
    again = cell.judge(at(NOWHERE, usd_per_million_tokens=PRICE, ask_again=0))
    assert f"calls 0, from the cache {QUESTIONS}" in again.out
    assert cell.output.read_bytes() == before


@pytest.mark.long
def test_structured_output_leaves_no_reply_without_a_label(tmp_path: Path, endpoint: str) -> None:
    """The same model in the same words, held to a schema."""
    cell = Cell(tmp_path).write(PAIRS[:2])
    done = cell.judge(at(endpoint, read="structured", max_tokens=32, prompt="three-labels.txt"))
    assert "calls 4, from the cache 0" in done.out, done
    for row in cell.rows:
        assert list(json.loads(str(row.raw))) == ["verdict"]
        assert json.loads(str(row.raw))["verdict"] in ("A", "B", "C")
        assert row.winner in ("candidate", "baseline", "tie")


def test_log_probabilities_cost_one_token_each(tmp_path: Path, endpoint: str) -> None:
    cell = Cell(tmp_path).write(PAIRS[:1])
    done = cell.judge(at(endpoint, read="logprobs"))
    assert "calls 2, from the cache 0" in done.out, done
    for row in cell.rows:
        shares = json.loads(str(row.raw))
        assert list(shares) == ["A", "B"] and 0 < sum(shares.values()) <= 1
        assert (row.reason, row.tokens_out) == ("log probabilities of the labels", 1)


def test_pair_too_long_for_the_endpoint_is_invalid_and_stops_no_other(tmp_path: Path, endpoint: str) -> None:
    cell = Cell(tmp_path).write([("Count.", "one two three " * 1500, "one"), PAIRS[0]])
    assert cell.judge(at(endpoint)).code == 0
    for row in cell.rows[:2]:
        assert row.winner == "invalid"
        assert row.reason.startswith("does not fit the judge's context: ") and "tokens" in row.reason
    assert all(row.raw and row.tokens_out for row in cell.rows[2:])


# The engine transformers; the normal suite has it in test_local_judge.py, with a tiny model


@pytest.fixture(scope="module")
def local(record: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Cell, Done]:
    """PAIRS, judged by the logits of the same SmolLM2 in transformers."""
    cell = share_models(Cell(tmp_path_factory.mktemp("local")).write(PAIRS))
    return cell, cell.judge(LOCAL, f"--model={record}")


@pytest.mark.long
def test_local_model_gives_only_valid_verdicts(local: tuple[Cell, Done]) -> None:
    cell, done = local
    assert done.code == 0, done
    assert f"calls {QUESTIONS}, from the cache 0, identical 2" in done.out
    assert_both_orders(cell.rows)
    for row in cell.rows[:QUESTIONS]:
        scores = json.loads(str(row.raw))
        assert list(scores) == ["A", "B"] and all(score < 0 for score in scores.values())
        assert row.reason == "logits of the labels"
        first, second = row.order.removesuffix("_first"), "candidate" if row.order == "baseline_first" else "baseline"
        assert row.winner == (first if scores["A"] > scores["B"] else second if scores["B"] > scores["A"] else "tie")
        assert (row.tokens_out, row.cost) == (0, None)


@pytest.mark.long
def test_a_third_label_is_a_tie(record: Path, tmp_path: Path) -> None:
    cell = share_models(Cell(tmp_path).write(PAIRS[:1]))
    assert cell.judge(LOCAL | {"prompt": "three-labels.txt"}, f"--model={record}").code == 0
    for row in cell.rows:
        scores = json.loads(str(row.raw))
        assert list(scores) == ["A", "B", "C"]
        assert (row.winner == "tie") == (scores["C"] == max(scores.values()))


@pytest.mark.long
def test_second_run_imports_no_torch(local: tuple[Cell, Done], record: Path) -> None:
    cell, _ = local
    before = cell.output.read_bytes()
    out, err = cell.start(LOCAL, f"--model={record}").communicate(timeout=60)
    assert f"calls 0, from the cache {QUESTIONS}" in out, err
    assert out.endswith("no torch\n")
    assert cell.output.read_bytes() == before


@pytest.mark.long
def test_batches_change_no_verdict(local: tuple[Cell, Done], record: Path, tmp_path: Path) -> None:
    """Padding is not seen by the model: the batch size, and who else is in a batch, is no part of the cache's key."""
    alone = share_models(Cell(tmp_path).write(PAIRS[:2]))
    assert "calls 4" in alone.judge(LOCAL | {"batch_size": 1}, f"--model={record}").out
    for one, eight in zip(alone.rows, local[0].rows[:4], strict=True):
        assert json.loads(str(one.raw)) == pytest.approx(json.loads(str(eight.raw)), abs=0.005)
        assert one.winner == eight.winner


@pytest.mark.long
def test_what_questions_share_is_computed_once_and_changes_nothing(record: Path) -> None:
    """Six candidates against one baseline in both orders, each question alone and all of them as a tree."""
    import torch
    from pinch import base_model, modelling
    from pinch.judge.logits import next_logprobs, shares
    from pinch.judge.prefixes import tree
    from pinch.judge.prompting import fill
    from pinch.judge.protocol import Pair, questions_of
    from pinch.prompts import read_prompt
    from pinch.rows import GenerationRow

    modelling.quiet()
    folder, _ = base_model.open_record(record, SHARED)
    model, tokenizer = modelling.load_model(folder), modelling.load_tokenizer(folder, template=False)
    said = ["The capital of France is Paris, on the Seine.", *(response for _, response, _ in PAIRS), "I do not know."]
    instruction = "Name the capital of France, and say in a sentence or two what a visitor should see there first."
    baseline, *others = (
        GenerationRow(id="p", lang="en", instruction=instruction, response=4 * text, finish_reason="stop", n_tokens=9)
        for text in said
    )
    prompt = read_prompt("two-labels.txt")
    questions = questions_of(Pair(other, baseline, None) for other in others)
    asked = [modelling.prompt_ids(tokenizer, fill(prompt, question)) for question in questions]
    assert shares(model) and len(asked) == 12
    (root,) = tree(asked)
    assert any(node.children for node in root.children), "the baseline that comes first is shared too"
    batches = next_logprobs(model, asked, 2048)
    found = {place: row for places, rows in batches for place, row in zip(places, rows, strict=True)}
    labels = [tokenizer(label, add_special_tokens=False)["input_ids"][0] for label in "AB"]
    for place, ids in enumerate(asked):
        with torch.inference_mode():
            alone = model(torch.tensor([ids])).logits[0, -1].log_softmax(-1)
        assert found[place][labels].tolist() == pytest.approx(alone[labels].tolist(), abs=1e-4)


@pytest.mark.long
def test_pair_too_long_for_the_local_model_is_invalid_and_stops_no_other(record: Path, tmp_path: Path) -> None:
    cell = share_models(Cell(tmp_path).write([("Count.", "one two three " * 4000, "one"), PAIRS[0]]))
    assert cell.judge(LOCAL, f"--model={record}").code == 0
    assert [row.winner for row in cell.rows[:2]] == ["invalid", "invalid"]
    assert "do not fit the judge's context" in cell.rows[0].reason
    assert "invalid" not in cell.winners[2:]


@pytest.mark.long
def test_labels_that_begin_alike_are_refused(record: Path, tmp_path: Path) -> None:
    cell = share_models(Cell(tmp_path).write(PAIRS[:1]))
    line = cell.judge(LOCAL | {"labels": ["A1", "A2"]}, f"--model={record}").error
    assert "begin with the same token; choose others" in line


def test_local_judge_without_a_record_is_one_clear_line(one_pair: Cell) -> None:
    assert "needs --model" in one_pair.judge(LOCAL).error
    assert "no such file" in one_pair.judge(LOCAL, "--model=nowhere.json").error


# Both


@pytest.mark.long
def test_both_engines_leave_rows_that_aggregate_takes(judged: tuple[Cell, Done], local: tuple[Cell, Done]) -> None:
    settings = Aggregate(resamples=200)
    shapes: list[Any] = []
    for cell, _ in (judged, local):
        lines = [json.loads(line) for line in cell.output.read_text(encoding="utf-8").splitlines()]
        shapes.append([(row["id"], row["order"], list(row)) for row in lines])
        scored = summarize(outcomes_of_verdicts(cell.rows).values(), settings)
        assert scored["wins"] + scored["ties"] + scored["losses"] + scored["invalid"] == len(PAIRS)
        assert scored["low"] <= scored["score"] <= scored["high"]
    assert shapes[0] == shapes[1]


@pytest.mark.long
def test_both_engines_show_the_model_the_same_text(judged: tuple[Cell, Done], local: tuple[Cell, Done]) -> None:
    """By the count of tokens, which the model's own chat template is part of."""
    assert [row.tokens_in for row in judged[0].rows] == [row.tokens_in for row in local[0].rows]
