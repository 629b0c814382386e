"""What grows with the number of rows reaches a command by a file, so that no command line is too long."""

import os
import shlex
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest
from pinch import check, record
from pinch.__main__ import main
from pinch.arguments import paths_of, settings_of
from pinch.errors import PinchError
from pinch.experiment import Experiment
from pinch.figures import Figures
from pinch.lost import lost_files
from pinch.rows import canonical, read_json

from tests import scores_factory
from tests.harness import REPO
from tests.planned import tiny_experiment
from tests.test_aggregate_table import cell, write

ROWS = 2_100
LONGEST = 128 * 1024
"""Bytes that Linux takes as one argument; a shell's command is one."""


@pytest.fixture
def experiment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Experiment:
    monkeypatch.chdir(tmp_path)
    return Experiment(check.parse(tiny_experiment(tmp_path)))


# --- files of arguments ---


def test_settings_are_given_in_words_or_by_a_file(tmp_path: Path) -> None:
    file = tmp_path / "settings.json"
    file.write_text('{"kind": "heatmap"}')
    assert settings_of('{"kind": "heatmap"}') == settings_of(str(file)) == {"kind": "heatmap"}
    assert settings_of('[["en", "es"]]') == [["en", "es"]]
    with pytest.raises(PinchError, match=r"none\.json: no such file"):
        settings_of("none.json")


def test_paths_are_given_in_words_and_by_a_file(tmp_path: Path) -> None:
    file = tmp_path / "rows.txt"
    file.write_text("b c.parquet\nd.parquet\n")
    assert paths_of(["a.parquet"], str(file)) == ["a.parquet", "b c.parquet", "d.parquet"]
    assert paths_of(["a.parquet"], None) == ["a.parquet"]
    with pytest.raises(PinchError, match=r"none\.txt: cannot be read .* a run writes it when it begins"):
        paths_of([], "none.txt")


def test_a_run_writes_what_its_commands_read(experiment: Experiment) -> None:
    figures = Figures(experiment)
    record.write_arguments(figures)
    folder = Path(experiment.results, "arguments")
    assert paths_of([], str(folder / "aggregate.txt")) == experiment.score_rows()
    assert paths_of([], str(folder / "audit/asked/es.txt")) == experiment.audited_rows("asked", "es")
    for name in figures.all:
        assert settings_of(str(folder / f"plot/{name}.json"))["kind"] == figures.all[name].kind
        words = figures.scores_from(name)
        assert (paths_of([], words[1]) if words else []) == figures.inputs(name).get("scores", [])
    for name in figures.answers:
        assert "points" in settings_of(str(folder / f"answer/{name}.json"))
    assert list(settings_of(str(folder / "compare.json"))) == ["pinch"]


def test_what_is_written_already_is_left_alone(experiment: Experiment) -> None:
    figures = Figures(experiment)
    record.write_arguments(figures)
    files = [path for path in Path(experiment.results, "arguments").rglob("*") if path.is_file()]
    times = {path: path.stat().st_mtime_ns for path in files}
    files[0].write_text("something else")
    record.write_arguments(figures)
    assert files[0].read_text() != "something else"
    assert {path: path.stat().st_mtime_ns for path in files[1:]} == {path: times[path] for path in files[1:]}


# --- thousands of rows ---


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with so many rows of scores, and a file that names them."""
    folder = tmp_path_factory.mktemp("rows")
    places = [folder / f"rows/rubric/monolingual/gemma3-270m/en{number}+es1/d0t0.parquet" for number in range(ROWS)]
    one = pl.read_parquet(write(folder / "one.parquet", cell("?", "es", values=[1.0, 0.5, 0.0] * 6 + [1.0, 1.0])))
    for place in places:
        place.parent.mkdir(parents=True)
        one.with_columns(mixture=pl.lit(place.parent.name)).write_parquet(place)
    (folder / "rows.txt").write_text("".join(f"{place}\n" for place in places))
    return folder


def test_so_many_rows_are_too_many_for_a_command(rows: Path) -> None:
    command = f"true {' '.join((rows / 'rows.txt').read_text().split())}"
    assert len(command) > LONGEST
    with pytest.raises(OSError, match="Argument list too long"):
        subprocess.run(["bash", "-c", command], check=False)


def shell(command: str) -> str:
    """Run a command as Snakemake does."""
    environment = os.environ | {"PYTHONPATH": str(REPO / "workflow")}
    done = subprocess.run(
        ["bash", "-c", f"{shlex.quote(sys.executable)} -m pinch {command}"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_table_of_thousands_of_rows(rows: Path) -> None:
    files = f"--rows-from {rows}/rows.txt --parquet {rows}/scores.parquet --csv {rows}/scores.csv"
    assert shell(f"aggregate table {files}").startswith(f"aggregate: {ROWS} cells of {ROWS} rows")
    assert pl.read_parquet(rows / "scores.parquet")["mixture"].n_unique() == ROWS


def test_an_audit_of_thousands_of_rows(rows: Path, tmp_path: Path) -> None:
    (tmp_path / "calls.jsonl").write_text("")
    who = f"--judge rubric --baseline monolingual --lang es --calls {tmp_path}/calls.jsonl"
    shell(f"aggregate audit {who} --rows-from {rows}/rows.txt --output {tmp_path}/es.json")
    assert read_json(tmp_path / "es.json")["cells"] == ROWS


def test_a_figure_and_an_answer_find_their_rows_by_a_file(tmp_path: Path) -> None:
    points = [[0.0, "en16", 0], [10.0, "en14+es2", 2]]
    for number, (_, mixture, _) in enumerate(points):
        scores_factory.write(
            tmp_path / f"{number}.parquet",
            [scores_factory.cell(mixture, lang, None if mixture == f"{lang}16" else 50) for lang in ("en", "es")],
        )
    (tmp_path / "scores.txt").write_text(f"{tmp_path}/0.parquet\n{tmp_path}/1.parquet\n")
    settings = {
        **{"base": "tiny", "judge": "rubric", "baseline": "monolingual", "pivot": "en", "points": points},
        **{"seen": ["en", "es"], "columns": ["en", "es"], "answer": {"margin": 2.0, "pivot_margin": 2.0}},
        **{"confidence": 0.95, "resamples": 200, "seed": 0},
    }
    (tmp_path / "settings.json").write_text(canonical(settings))
    told = ["--scores-from", f"{tmp_path}/scores.txt", "--settings", f"{tmp_path}/settings.json"]
    assert main(["answer", *told, "--text", f"{tmp_path}/a.txt", "--json", f"{tmp_path}/a.json"]) == 0
    drawn = [word for kind in ("png", "pdf", "csv") for word in (f"--{kind}", f"{tmp_path}/figure.{kind}")]
    heatmap = {**settings, "kind": "heatmap", "rows": [[mixture, mixture] for _, mixture, _ in points], "dpi": 50}
    heatmap["asked"] = {mixture: ["en", "es"] for _, mixture, _ in points}
    (tmp_path / "settings.json").write_text(canonical(heatmap))
    assert main(["plot", *told, *drawn]) == 0
    assert len(pl.read_csv(tmp_path / "figure.csv")) >= 4


def test_without_scores_there_is_no_answer(capsys: pytest.CaptureFixture[str]) -> None:
    settings = canonical(dict.fromkeys(("base", "judge", "pivot", "seen", "columns", "answer"), "en"))
    settings = settings[:-1] + ',"points":[],"confidence":0.9,"resamples":100,"seed":0}'
    assert main(["answer", "--settings", settings, "--text", "a.txt", "--json", "a.json"]) == 1
    assert "answer: error: --scores, --scores-from: no table is given" in capsys.readouterr().err


# --- what the target rule names ---


def whole(experiment: Experiment) -> list[str]:
    """All files that an experiment makes of its cells, made up."""
    files = [f"{experiment.results}/base_models/{base}.json" for base in experiment.base_names()]
    files += [experiment.translations.file("eval", lang) for lang in experiment.columns]
    for folder, langs, verdicts in experiment.cell_files():
        files += [*(f"{folder}/{lang}.jsonl" for lang in langs), *verdicts]
    files += [*experiment.score_rows(), f"{experiment.results}/scores/scores.parquet"]
    for file in files:
        Path(file).parent.mkdir(parents=True, exist_ok=True)
        Path(file).touch()
    return files


def lose(file: str) -> str:
    Path(file).unlink()
    return file


def test_what_is_there_is_not_lost(experiment: Experiment) -> None:
    assert len(whole(experiment)) == 1 + 2 + 7 + 5 + 3 + 1
    assert lost_files(experiment) == []


@pytest.mark.parametrize(
    "file",
    [
        "judgments/asked/monolingual/tiny/untuned/d0t0/es.jsonl",
        "generations/tiny/untuned/d0t0/es.jsonl",  # that of a verdict
        "generations/tiny/es12/d0t0/es.jsonl",  # of a baseline that is no row
        "generations/tiny/en12/d0t0/en.jsonl",  # of the diagonal
        "scores/rows/asked/monolingual/tiny/untuned/d0t0.parquet",
        "translations/eval/es.jsonl",
        "base_models/tiny.json",
    ],
)
def test_whatever_is_lost_alone_is_named(experiment: Experiment, file: str) -> None:
    whole(experiment)
    lost = lose(f"{experiment.results}/{file}")
    assert lost_files(experiment) == [lost]


def test_what_a_job_asks_for_itself_is_not_named(experiment: Experiment) -> None:
    """A row that is made anew finds its verdicts missing, and those their responses: one file leads to all."""
    whole(experiment)
    row = lose(f"{experiment.results}/scores/rows/asked/monolingual/tiny/untuned/d0t0.parquet")
    lose(f"{experiment.results}/judgments/asked/monolingual/tiny/untuned/d0t0/es.jsonl")
    lose(f"{experiment.results}/generations/tiny/untuned/d0t0/es.jsonl")
    assert lost_files(experiment) == [row]


def test_where_nothing_is_there_the_responses_of_baselines_are_named_and_no_cell(experiment: Experiment) -> None:
    found = [file.removeprefix(f"{experiment.results}/generations/") for file in lost_files(experiment)]
    assert found == ["tiny/en12/d0t0/en.jsonl", "tiny/es12/d0t0/es.jsonl"]
