"""A local model as a judge."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.harness import REPO
from tests.links import (
    eval_prompts,
    verdicts_of,
)


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
