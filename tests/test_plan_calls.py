"""The bill of a judge's calls: what is taken off the naive number adds up, and what is left is what a run asks."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from pinch import check
from pinch.__main__ import main
from pinch.experiment import Experiment
from pinch.plan import Plan, render, render_markdown
from pinch.plan.work import Work
from pinch.rows import TranslatedRow, write_rows

from tests.chat_endpoint import body, serving
from tests.harness import REPO
from tests.links import link
from tests.planned import JUDGE, MIXTURES, judge, plan_of, respond, tiny_experiment

NO_AUDIT = {"labelled": "no-pairs.jsonl", "contrast": 0, "repeats": 0}


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PINCH_REFRESH", raising=False)
    Path("no-pairs.jsonl").write_text("", encoding="utf-8")
    return tiny_experiment(tmp_path) | {"audit": NO_AUDIT}


def bill(plan: Plan, name: str = "asked") -> dict[str, int]:
    """The lines, which must add up to the last one, which must be what the plan counts and pays for."""
    lines = plan.savings[name]
    assert sum(line.calls for line in lines[:-1]) == lines[-1].calls
    assert lines[-1].calls == plan.amounts[f"calls:{name}"].left
    return {line.label: line.calls for line in lines if line.calls}


def test_the_papers_figures_one_by_one_would_take_948946_calls() -> None:
    config = yaml.safe_load((REPO / "experiments" / "paper.yaml").read_text(encoding="utf-8"))
    config |= {"results": "no such results", "cache": "no such cache"}
    config["designs"][0].pop("pretraining_shares", None)
    # 12 x 12 cells of Figure 1, 11 x 12 of each of 3 and 4 and so on; 617 prompts in two orders of each.
    assert bill(plan_of(config), "gemma-3-27b") == {
        "naively": 769 * 1234,
        "the diagonal": -21 * 1234,
        "shared by designs": -168 * 1234,
        "left to ask": 580 * 1234,
    }


def test_what_is_there_is_taken_off(tiny: dict[str, Any]) -> None:
    # Two judged cells, of which one is done and one has an identical pair; nothing is known of the others.
    judge("en12", "es")
    respond("en12", "en", e001="The same.")
    respond("en9+es3", "en", e001="The same.")
    plan = plan_of(tiny)
    cells = 2 + 4 + 2  # of monolingual, pinch and untuned
    assert bill(plan) == {
        "naively": 8 * cells,
        "the diagonal": -8 * 2,
        "shared by designs": -8 * (cells - 2 - 5),
        "identical responses": -2,
        "judged": -8,
        "left to ask": 40 - 2 - 8,
    }
    (identical,) = (line for line in plan.savings["asked"] if line.label == "identical responses")
    assert identical.basis == "tie without a call; known of 2 cells, unknown of 3"
    for page in (render(plan), render_markdown(plan, "tiny")):
        assert "Calls of asked" in page


def test_a_finished_cell_with_another_number_of_prompts_is_a_line_of_its_own(tiny: dict[str, Any]) -> None:
    judge("en12", "es")
    tiny["evaluation"] = {"prompts": 3}
    assert bill(plan_of(tiny))["finished cells"] == 2


def ask_all(config: dict[str, Any]) -> None:
    """Make what the plan calls left, by the commands that a run gives, one after the other."""
    experiment = Experiment(check.parse(config))
    for piece in Work(experiment).verdicts:
        inputs = {name: piece.inputs[name] for name in ("candidate", "baseline")}
        command = link(
            "judge",
            **inputs,
            prompts=f"results/translations/eval/{piece.lang}.jsonl",
            lang=piece.lang,
            settings=experiment.judging.setting(piece.judge),
            transport=experiment.judging.transport(piece.judge),
            cache=experiment.cache,
            output=piece.path,
        )
        assert main([*command, f"--name={piece.judge}"]) == 0


@pytest.mark.parametrize("prompt", ["two-labels.txt", "named-language.txt"])
def test_a_run_makes_as_many_calls_as_the_plan_said(tiny: dict[str, Any], prompt: str) -> None:
    for mixture, langs in MIXTURES.items():
        for lang in langs:
            # Of two candidates that say the same the second is free, also where they have changed places, and in
            # another language unless the prompt names it; and what is identical to the baseline's is free.
            said = {"e001": "The same.", "e002": "Once more.", "e003": "Yes." if mixture == "untuned" else "No."}
            respond(mixture, lang, **(said if mixture in ("untuned", "en9+es3") else {"e001": "The same."}))
    for lang in ("en", "es"):
        rows = [
            TranslatedRow(id=f"e{n:03}", lang=lang, instruction=f"Say {n}!", response=None, source="", engine="none")
            for n in range(4)
        ]
        write_rows(f"results/translations/eval/{lang}.jsonl", rows)
    with serving(lambda *_: body('{"verdict": "A"}')) as stub:
        tiny["judges"] = [JUDGE | {"base_url": stub.url, "prompt": prompt, "api_key_env": None}]
        said_before = bill(plan_of(tiny))
        assert said_before["identical responses"] and said_before["the same pair elsewhere"]
        ask_all(tiny)
        assert len(stub.asked) == said_before["left to ask"]
        assert len(set(stub.prompts)) == len(stub.asked)
        # Verdicts that are lost are not paid for again.
        Path("results/judgments/asked/monolingual/tiny/untuned/d0t0/es.jsonl").unlink()
        again = bill(plan_of(tiny))
        assert again["in the cache"] and "left to ask" not in again
        ask_all(tiny)
        assert len(stub.asked) == said_before["left to ask"]
