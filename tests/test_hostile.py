"""Names and texts that would be commands, and keys that nobody may find: none reaches a shell, a file or a log."""

import csv
import io
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from pinch.__main__ import main
from pinch.printable import one_line, printable
from pinch.spreadsheet import table

from tests.chat_endpoint import Said, body, error, serving
from tests.harness import REPO, Run
from tests.links import one_error

HOSTILE = 'it\'s $(touch pwned); `touch pwned` & "x" [12] *? % ü'
"""A folder that somebody may have; a shell that reads it unquoted makes a file."""

KEY = "sk-test-5f0c9a7b3d2e1f4a6b8c"


def canaries(folder: Path) -> list[Path]:
    return [*folder.rglob("pwned*"), *Path.cwd().glob("pwned*")]


def test_a_folder_whose_name_is_a_command_is_a_name(finished: Run, tmp_path: Path) -> None:
    run = finished.copy(tmp_path / HOSTILE)
    cell = run.results / "judgments/rubric/monolingual/tiny/untuned/d0t0/es.jsonl"
    before = cell.read_bytes()
    cell.unlink()
    figure = "its results/figures/heatmap-tiny-rubric.csv"
    run.make(cell.relative_to(run.folder).as_posix(), figure)
    assert cell.read_bytes() == before
    assert not canaries(tmp_path)


def test_results_and_titles_that_are_commands_are_names(finished: Run, tmp_path: Path) -> None:
    run = finished.copy(tmp_path / "an experiment")
    results = HOSTILE.replace('"', "'")
    run.results.rename(run.folder / results)
    (run.folder / results / "experiment.json").unlink()

    def change(config: dict) -> None:
        config["results"] = results
        config["designs"][1]["title"] = f"{HOSTILE} {{x}} \n<script>"

    run.edit(change)
    # All that tables are made of and read for, by polars too, to which a path may be a pattern.
    table, figures = (run.folder / results / name for name in ("scores/scores.csv", "figures"))
    before, drawn = table.read_bytes(), sorted(path.name for path in figures.glob("*.png"))
    assert len(drawn) > 5
    shutil.rmtree(table.parent)
    shutil.rmtree(figures)
    made = ["scores/comparisons.csv", "mixtures/en12/d0.jsonl", *(f"figures/{name}" for name in drawn)]
    run.make(*(f"{results}/{name}" for name in made))
    assert table.read_bytes() == before
    assert (run.folder / results / "figures/pinch-tiny-rubric.png").read_bytes().startswith(b"\x89PNG")
    assert not canaries(tmp_path)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("results", "{base}"),
        ("results", "-rf"),
        ("results", "a\nb"),
        ("cache", "-c"),
        ("data.train", "{lang}.jsonl"),
        ("audit.labelled", "{judge}.jsonl"),
        ("translate.memory", "{lang}/{judge}.jsonl"),
        ("translate.memory", "{lang}/}.jsonl"),
        ("judges.0.name", "../../rubric"),
        ("judges.0.name", "a/b"),
        ("judges.0.name", "$(touch pwned)"),
        ("base_models.0.name", "../tiny"),
        ("designs.1.name", "../pinch"),
        ("designs.1.variant", "../x"),
        ("pivot", "../en"),
    ],
)
def test_a_name_that_leads_out_is_refused_by_its_key(
    finished: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str], key: str, value: str
) -> None:
    run = Run(tmp_path)
    config = finished.config
    place = config
    *path, last = [int(part) if part.isdecimal() else part for part in key.split(".")]
    for part in path:
        place = place.setdefault(part, {}) if isinstance(place, dict) else place[part]
    place[last] = value
    run.write(config)
    assert main(["validate", str(tmp_path / "tiny.yaml")]) == 1
    said = one_error(capsys.readouterr().err)
    assert re.sub(r"\.(\d+)", r"[\1]", key) in said, said
    assert not canaries(tmp_path)


def test_every_field_of_every_command_is_quoted() -> None:
    """But for what cannot be text: languages, numbers, and words that are quoted where they are made."""
    plain = r"wildcards\.(lang|split|draw|seed|training)|threads|resources\.row"
    plain += r"|params\.(pivot|held_out|pairs|repeats|train|eval|model|judge)"
    for file in (REPO / "workflow" / "rules").glob("*.smk"):
        commands = re.findall(r"    shell:\n((?:        .*\n)+)", file.read_text(encoding="utf-8"))
        fields = [field for command in commands for field in re.findall(r"\{([^{}]+)\}", command)]
        bare = [field for field in fields if not field.endswith(":q")]
        assert not [field for field in bare if not re.fullmatch(plain, field)], file.name
        assert not commands or fields


# --- keys ---


def test_the_key_is_in_no_file_and_no_log(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUDGE_API_KEY", KEY)

    def answer(number: int, asked: dict) -> Said:
        # An endpoint that repeats what it was sent, as some do.
        return error(401, f"Authorization: Bearer {KEY} is not known") if number == 3 else body('{"verdict": "A"}')

    with serving(answer) as endpoint:
        judge = {"engine": "openai", "name": "keyed", "base_url": endpoint.url, "model": "m"}
        judge |= {"api_key_env": "JUDGE_API_KEY", "concurrency": 1, "retries": 0}
        run.edit(lambda config: config["judges"].append(judge))
        cell = f"{run.config['results']}/judgments/keyed/monolingual/tiny/untuned/d0t0/es.jsonl"
        failed = run.snakemake(cell)
        assert failed.returncode != 0
        assert "refuses the key (401)" in failed.stdout
        done = run.make(cell)
        assert set(endpoint.keys) == {f"Bearer {KEY}"}
        told = run.snakemake(cell, "--report", "report.html").stdout
    assert KEY not in failed.stdout + done + told
    assert (run.folder / "report.html").is_file(), told
    files = [path for path in run.folder.rglob("*") if path.is_file()]
    assert any(".snakemake" in path.parts for path in files) and any(path.suffix == ".sqlite" for path in files)
    assert not [path for path in files if KEY.encode() in path.read_bytes()]


@pytest.mark.parametrize(
    "change",
    [
        {"api_key": KEY},
        {"api_key_env": KEY},
        {"base_url": f"https://user:{KEY}@localhost/v1"},
        {"base_url": f"https://localhost/v1?key={KEY}"},
    ],
)
def test_a_key_in_a_config_is_refused_and_not_repeated(
    finished: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str], change: dict
) -> None:
    run, config = Run(tmp_path), finished.config
    config["judges"].append(
        {"engine": "openai", "name": "keyed", "base_url": "http://localhost/v1", "model": "m"} | change
    )
    run.write(config)
    assert main(["validate", str(tmp_path / "tiny.yaml")]) == 1
    said = capsys.readouterr()
    assert one_error(said.err)
    assert KEY not in said.err + said.out
    told = run.snakemake("--dry-run").stdout
    assert KEY not in told


# --- terminals and tables ---


def test_what_a_terminal_would_obey_is_shown_as_what_it_is() -> None:
    said = printable("\x1b[2J\x1b]0;owned\x07 a\u202eb \x9b31m\r")
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", said)
    assert one_line("a\nb\x1b[0m").count("\n") == 0


def test_an_error_that_quotes_a_file_quotes_it_harmlessly(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = tmp_path / "strange.yaml"
    config.write_text('pivot: "\\e[2J\\e]0;owned\\a\u202ees"\n', encoding="utf-8")
    assert main(["validate", str(config)]) == 1
    said = one_error(capsys.readouterr().err)
    assert "\x1b" not in said and "\u202e" not in said and "\x07" not in said


@pytest.mark.parametrize("text", ["=1+1", "+1+1", "-1+2", "@SUM(A1)", "\t=1", "\r=1", " =cmd|'/c calc'!A0"])
def test_no_cell_of_a_table_is_a_formula(text: str) -> None:
    _, (cell,) = csv.reader(io.StringIO(table([["a"], [text]]), newline=""))
    assert cell == f"'{text}"


def test_a_shell_makes_the_file_where_it_reads_the_name_unquoted(tmp_path: Path) -> None:
    """The canary sings."""
    subprocess.run(["bash", "-c", "echo $(touch pwned)"], cwd=tmp_path, check=True)
    assert canaries(tmp_path)
