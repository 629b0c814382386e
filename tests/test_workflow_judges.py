"""Judges in the whole workflow: one that always names the first answer is found out, and a jury sits beside others."""

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pinch.judge.spending import spent

from tests import planned
from tests.chat_endpoint import Endpoint, body, serving
from tests.harness import Run


@pytest.fixture
def always_first() -> Iterator[Endpoint]:
    with serving(lambda number, asked: body('{"verdict": "A"}')) as endpoint:
        yield endpoint


def strict_about(endpoint: Endpoint) -> dict[str, Any]:
    judge = {"engine": "openai", "name": "first", "base_url": endpoint.url, "model": "m", "max_usd": 1.0}
    return {
        "judges": [judge | {"usd_per_million_tokens": [1.0, 2.0]}],
        "audit": {"strict": True, "repeats": 2},
    }


def one_line(path: Path, **wanted: str) -> dict[str, str]:
    with path.open(encoding="utf-8", newline="") as file:
        found = [row for row in csv.DictReader(file) if all(row[key] == value for key, value in wanted.items())]
    assert len(found) == 1
    return found[0]


def test_a_judge_that_always_names_the_first_is_flagged_everywhere(
    run: Run, always_first: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    run.edit(lambda config: config.update(strict_about(always_first)))
    with monkeypatch.context() as there:
        there.chdir(run.folder)
        left = [
            planned.both(planned.plan_of(Path("tiny.yaml")), f"{kind}:first")[1] for kind in ("calls", "audit_calls")
        ]
    # One job at a time: of two that ask the same at the same moment each would pay.
    done = run.snakemake(cores="--cores=1")
    # All is made, and the run fails all the same.
    assert done.returncode != 0
    assert "2 of 2 audits are red: first in en, es (no_better_than_chance, one_position)" in done.stdout
    cell = one_line(run.results / "scores/scores.csv", mixture="untuned", lang="es")
    assert cell["audit"] == "no_better_than_chance+one_position"
    # The clean 50 that any other tool would have reported.
    assert (cell["score"], cell["ties"], cell["named_second"]) == ("50.000", "4", "0")
    assert cell["named_first"] == cell["verdicts"] != "0"
    drawn = one_line(run.results / "figures/heatmap-tiny-first.csv", mixture="untuned", lang="es")
    assert drawn["audit"] == "no_better_than_chance+one_position"
    audit = json.loads((run.results / "audits/first/monolingual/es.json").read_text())
    assert audit["labels"]["agreement"]["score"] == 50.0
    assert audit["named_first"]["share"] == 100.0
    calls = len(always_first.asked)
    # What was planned before the run is what the run asked.
    assert calls == sum(left)
    assert spent(run.results / "spending.sqlite") == {"first": pytest.approx(calls * (100 * 1.0 + 2 * 2.0) / 1e6)}

    # Nothing is asked twice.
    cell = run.results / "judgments/first/monolingual/tiny/untuned/d0t0/es.jsonl"
    cell.unlink()
    run.make(cell.relative_to(run.folder).as_posix())
    assert len(always_first.asked) == calls


def test_a_jury_judges_what_its_members_judged(run: Run) -> None:
    judges = [{"engine": "rubric"}, {"engine": "rubric", "name": "strict", "margin": 0}]
    run.edit(lambda config: config.update(judges=[*judges, {"engine": "jury", "members": ["rubric", "strict"]}]))
    cell = "monolingual/tiny/untuned/d0t0/es.jsonl"
    folder = run.config["results"]
    run.make(f"{folder}/judgments/jury/{cell}", f"{folder}/audits/jury/monolingual/es.jsonl")
    rubric, strict, jury = (
        [json.loads(line) for line in (run.results / "judgments" / judge / cell).read_text().splitlines()]
        for judge in ("rubric", "strict", "jury")
    )
    for one, other, both in zip(rubric, strict, jury, strict=True):
        assert (one["id"], one["order"]) == (both["id"], both["order"])
        # Two members that differ have no majority.
        assert both["winner"] == (one["winner"] if one["winner"] == other["winner"] else "tie")
    audited = (run.results / "audits/jury/monolingual/es.jsonl").read_text().splitlines()
    assert {json.loads(line)["part"] for line in audited} == {"labelled", "repeat"}
