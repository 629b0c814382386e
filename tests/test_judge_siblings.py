"""One load of a local judge for a whole column, and one for the audits of all languages."""

import json
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from pinch import modelling
from pinch.__main__ import main
from pinch.judge import logits
from pinch.rows import GenerationRow, LabelledRow, write_json, write_rows

from tests.links import eval_prompts, link, verdicts_of

LOCAL = json.dumps({"engine": "transformers", "model": {"path": "not looked at"}, "batch_size": 2})
CELLS = ("en12", "es12", "untuned")
CALLS = 12
"""Of a cell: six prompts in both orders."""


@pytest.fixture(autouse=True)
def _no_refresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PINCH_REFRESH", raising=False)


@dataclass
class Column:
    """A folder with the responses of three models and a baseline to the same prompts."""

    folder: Path
    place: Path
    loads: list[str]
    cache: str = "cache"

    def command(self, cell: str, column: bool = True) -> list[str]:
        command = link(
            "judge",
            candidate=self.folder / f"{cell}.jsonl",
            baseline=self.folder / "baseline.jsonl",
            prompts=self.place / "prompts/en.jsonl",
            lang="en",
            settings=LOCAL,
            model=self.place / "results/base_models/tiny.json",
            cache=self.folder / self.cache,
            output=self.folder / f"{cell}.verdicts.jsonl",
        )
        return [*command, *(["--column", str(self.folder / "column.json")] if column else [])]

    def judge(self, cell: str, column: bool = True) -> int:
        return main(self.command(cell, column))

    def raw(self, cell: str) -> list[dict[str, float]]:
        return [json.loads(str(row.raw)) for row in verdicts_of(self.folder / f"{cell}.verdicts.jsonl")]


def response(id: str, instruction: str, text: str, lang: str = "en") -> GenerationRow:
    return GenerationRow(id=id, lang=lang, instruction=instruction, response=text, finish_reason="stop", n_tokens=9)


@pytest.fixture
def column(place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Column]:
    for name in (*CELLS, "baseline"):
        rows = [response(row.id, row.instruction, f"{name} says {row.id} {name}") for row in eval_prompts("en")]
        write_rows(tmp_path / f"{name}.jsonl", rows)
    cells = [[str(tmp_path / f"{name}.jsonl"), str(tmp_path / "baseline.jsonl")] for name in CELLS]
    write_json(tmp_path / "column.json", cells)
    loads: list[str] = []
    load = modelling.load_model

    def counted(*arguments: Any) -> Any:
        loads.append(str(arguments[0]))
        return load(*arguments)

    monkeypatch.setattr(modelling, "load_model", counted)
    yield Column(tmp_path, place, loads)


def test_the_first_job_of_a_column_asks_for_all_and_the_others_load_nothing(
    column: Column, capsys: pytest.CaptureFixture[str]
) -> None:
    assert column.judge(CELLS[0]) == 0
    output = capsys.readouterr().out
    assert f"{len(CELLS) * CALLS} questions asked of" in output
    assert f"calls {CALLS}, from the cache 0" in output
    assert len(column.loads) == 1
    # In a process of its own, which says what it has imported.
    code = (
        "import sys; from pinch.__main__ import main; code = main(sys.argv[1:]); "
        "print('torch' if 'torch' in sys.modules else 'no torch'); sys.exit(code)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *column.command(CELLS[1])], capture_output=True, text=True, check=True
    )
    assert f"calls 0, from the cache {CALLS}" in done.stdout
    assert done.stdout.endswith("\nno torch\n")
    assert column.judge(CELLS[2]) == 0
    assert len(column.loads) == 1

    # The same as one cell at a time says.
    siblings = [column.raw(cell) for cell in CELLS]
    column.cache = "another cache"
    for cell, before in zip(CELLS, siblings, strict=True):
        assert column.judge(cell, column=False) == 0
        for one, other in zip(column.raw(cell), before, strict=True):
            assert one == pytest.approx(other, abs=1e-4)
    assert len(column.loads) == 1 + len(CELLS)


def test_siblings_that_are_not_there_or_do_not_fit_are_left_to_themselves(
    column: Column, capsys: pytest.CaptureFixture[str]
) -> None:
    (column.folder / f"{CELLS[1]}.jsonl").unlink()
    write_rows(column.folder / f"{CELLS[2]}.jsonl", [response("another", "Who?", "I.")])
    assert column.judge(CELLS[0]) == 0
    assert f"{CALLS} questions asked of" in capsys.readouterr().out
    assert column.judge(CELLS[2]) == 1
    assert "do not answer the same prompts" in capsys.readouterr().err
    # Without the list, as by hand on a folder that no run has begun.
    (column.folder / "column.json").unlink()
    assert column.judge(CELLS[0]) == 0


def test_what_came_before_an_interruption_is_kept(
    column: Column, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = logits.next_logprobs

    def interrupted(*arguments: Any) -> Iterator[Any]:
        for number, batch in enumerate(whole(*arguments)):
            if number == 2:
                raise KeyboardInterrupt
            yield batch

    with monkeypatch.context() as patch:
        patch.setattr(logits, "next_logprobs", interrupted)
        assert column.judge(CELLS[0]) == 1
    assert "judge: error: stopped by SIGINT; what was finished is kept" in capsys.readouterr().err
    assert column.judge(CELLS[0]) == 0
    output = capsys.readouterr().out
    asked = int(output[: output.index(" questions asked of")].rsplit(" ", 1)[1])
    assert 0 < asked < len(CELLS) * CALLS


def test_going_past_the_caches_asks_for_the_own_cell_alone(
    column: Column, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PINCH_REFRESH", "1")
    assert column.judge(CELLS[0]) == 0
    assert f"{CALLS} questions asked of" in capsys.readouterr().out


def test_two_jobs_of_a_column_at_a_time_load_the_model_once(column: Column) -> None:
    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(column.judge, CELLS[:2])) == [0, 0]
    assert len(column.loads) == 1


def test_audits_of_all_languages_take_one_load(column: Column, capsys: pytest.CaptureFixture[str]) -> None:
    folder, prompts = column.folder, column.place / "prompts"
    labelled = [
        LabelledRow(
            id=f"{lang}{n}", lang=lang, instruction="Say it.", response_1="It.", response_2=f"No, {lang} {n}.", better=1
        )
        for lang in ("en", "es")
        for n in range(3)
    ]
    write_rows(folder / "labelled.jsonl", labelled)
    assert column.judge(CELLS[0]) == 0
    rows = {name: folder / f"{name}.jsonl" for name in ("labelled", f"{CELLS[0]}.verdicts", CELLS[0], "baseline")}
    english = ["--labelled", rows["labelled"], "--prompts", prompts / "en.jsonl", "--repeat", *list(rows.values())[1:]]
    about = {"en": english, "es": ["--labelled", rows["labelled"]], "ru": ["--labelled", folder / "not there yet"]}
    write_json(folder / "audits.json", {lang: [str(word) for word in words] for lang, words in about.items()})

    def audit(lang: str) -> str:
        capsys.readouterr()
        base = column.command(CELLS[0], column=False)
        shared = base[base.index("--settings") : base.index("--output")]
        options = ["--repeats", 4, "--audits", folder / "audits.json", "--output", folder / f"audit.{lang}.jsonl"]
        assert main(["audit", "--lang", lang, *shared, *map(str, [*about[lang], *options])]) == 0
        return capsys.readouterr().out

    column.loads.clear()
    output = audit("es")
    assert f"{2 * (3 + 3) + 2 * 4} questions asked of" in output
    assert "3 labelled pairs (calls 6, from the cache 0" in output
    output = audit("en")
    assert "3 labelled pairs (calls 0, from the cache 6" in output
    assert "4 pairs asked about again (calls 0, from the cache 8" in output
    assert len(column.loads) == 1
