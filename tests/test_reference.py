"""docs/reference/: the pages are those of the code, and name every file and column that a run makes."""

import argparse
import csv
import importlib.util
import re
from pathlib import Path

import polars as pl
import pytest
from pinch import outputs
from pinch.__main__ import LINKS
from pinch.plot import FIGURES

from tests import test_plot_curves as curves
from tests.harness import REPO, Run
from tests.scores_factory import draw

spec = importlib.util.spec_from_file_location("reference", REPO / "docs" / "hooks" / "reference.py")
assert spec and spec.loader
reference = importlib.util.module_from_spec(spec)
spec.loader.exec_module(reference)

FILES = {name: said for part in outputs.FILES.values() for name, said in part.items()}

NOT_IN_EVERY_RUN = {
    "spending.sqlite",  # of a judge with a price
    "translations/{split}/{lang}.refused.jsonl",
    "audits/none-is-red",
    "translations/report.html",  # where something was translated
    "translations/report.csv",
}


def pattern(name: str) -> re.Pattern[str]:
    """What a name of the table stands for."""
    text = re.escape(name).replace(r"\*\*", ".+")
    return re.compile(re.sub(r"\\\{\w+\\\}", "[^/]+", text))


@pytest.mark.parametrize("page", ["config.md", "commands.md", "outputs.md"])
def test_a_committed_page_is_that_of_the_code(page: str) -> None:
    committed = (REPO / "docs" / "reference" / page).read_text(encoding="utf-8")
    assert committed == reference.pages()[page], "run `make docs` and commit docs/reference"


def test_the_pages_do_not_depend_on_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    before = reference.pages()
    monkeypatch.setenv("COLUMNS", "40")
    assert reference.pages() == before


def test_every_key_of_the_config_has_a_line_with_a_meaning() -> None:
    page = reference.pages()["config.md"]
    lines = [line.split(" | ") for line in page.splitlines() if line.startswith("| `")]
    assert len(lines) > 200
    unexplained = [
        line[0] for line in lines if line[-1].strip(" |") == "" and line[0] not in ("| `engine`", "| `design`")
    ]
    assert not unexplained


@pytest.mark.parametrize("link", LINKS)
def test_every_argument_of_a_command_is_on_its_page(link: str) -> None:
    page = reference.pages()["commands.md"]
    for name, _, parser in reference.parsers(link):
        assert re.search(rf"^##+ {name}$", page, re.MULTILINE)
        for action in parser._actions:
            if not isinstance(action, argparse._HelpAction):
                assert all(f"{option} " in page or f"{option}`" in page for option in action.option_strings)


# --- files ---


def test_every_file_of_a_run_is_named(finished: Run) -> None:
    files = [path.relative_to(finished.results).as_posix() for path in finished.results.rglob("*") if path.is_file()]
    unnamed = [file for file in files if not any(pattern(name).fullmatch(file) for name in FILES)]
    assert not unnamed


def test_every_file_that_is_named_is_made(finished: Run) -> None:
    files = [path.relative_to(finished.results).as_posix() for path in finished.results.rglob("*") if path.is_file()]
    gone = {name for name in FILES if not any(pattern(name).fullmatch(file) for file in files)}
    assert gone <= NOT_IN_EVERY_RUN


def test_every_output_of_a_rule_is_named() -> None:
    written = set()
    for file in (REPO / "workflow" / "rules").glob("*.smk"):
        for block in re.findall(r"^    output:\n((?:(?:        .*)?\n)+)", file.read_text(), re.MULTILINE):
            written |= set(re.findall(r'f"\{R\}/([^"]+)"', block.replace("{{", "{").replace("}}", "}")))
    assert len(written) > 20
    # A rule may call the two halves of a seed by their own names, and a folder has what is below it.
    named = {name.removesuffix("/**") for name in FILES}
    unnamed = [name for name in written if name.replace("{draw}t{training}", "{seed}") not in named]
    assert unnamed == []


# --- columns ---


def header(path: Path) -> list[str]:
    with path.open(encoding="utf-8", newline="") as file:
        return next(csv.reader(file))


@pytest.mark.parametrize("name", ["scores/scores.csv", "scores/comparisons.csv", "sources/overlap.csv"])
def test_a_table_has_the_columns_that_are_explained(finished: Run, name: str) -> None:
    assert header(finished.results / name) == list(outputs.TABLES[name][1])


def test_translations_are_reported_in_the_columns_that_are_explained(finished: Run) -> None:
    name = "translations/report.csv"
    assert header(finished.results / name) == list(outputs.TABLES[name][1])


def test_the_parquet_table_has_lists_besides(finished: Run) -> None:
    columns = pl.read_parquet(finished.results / "scores" / "scores.parquet").columns
    assert columns == [*outputs.SCORES, *outputs.LISTS]


OF_THE_RUN = {
    **dict.fromkeys(("heatmap-tiny-rubric", "language-gated-tiny-rubric", "monolingual-tiny-rubric"), "heatmap"),
    **{"length-controlled-tiny-rubric": "heatmap", "response-language-tiny": "response_language"},
    **{"language-confusion-tiny": "language_confusion", "pinch-tiny-rubric": "pinch", "untuned-tiny-rubric": "untuned"},
    **{"translations": "translations", "audit-rubric": "audit", "languages": "languages"},
}


def test_figures_of_a_run_have_the_columns_that_are_explained(finished: Run) -> None:
    files = {path.stem: header(path) for path in (finished.results / "figures").glob("*.csv")}
    assert files.keys() == OF_THE_RUN.keys()
    for name, kind in OF_THE_RUN.items():
        explained = outputs.FIGURES[kind]
        # A table of languages leaves out what it has nothing to say of.
        assert files[name] == [column for column in explained if kind != "languages" or column in files[name]], name


@pytest.mark.parametrize(
    ("kind", "cells", "settings"),
    [
        ("incremental", curves.GROWN, curves.INCREMENTAL),
        ("pairs", curves.PAIRED, curves.PAIRS),
        ("pretraining_share", curves.SHARED, curves.SHARE),
        ("similarity", curves.SHARED, {**curves.SHARE, "kind": "similarity"}),
    ],
)
def test_other_figures_have_the_columns_that_are_explained(tmp_path: Path, kind, cells, settings) -> None:
    status, _ = draw(tmp_path, cells, **settings)
    assert status == 0
    assert header(tmp_path / "figure.csv") == list(outputs.FIGURES[kind])


def test_every_kind_of_figure_is_explained() -> None:
    assert outputs.FIGURES.keys() == FIGURES.keys()


def test_every_column_has_a_meaning() -> None:
    bare = [
        (name, column)
        for name, (_, columns) in outputs.TABLES.items()
        for column, told in columns.items()
        if not told[1]
    ]
    assert not bare
