"""The benchmarks' own arithmetic and commands; what they measure is run by `make bench`."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.harness import REPO

BENCHMARKS = REPO / "benchmarks"
sys.path.insert(0, str(BENCHMARKS))

import bench  # noqa: E402
import by_hand  # noqa: E402
import where_time_goes  # noqa: E402
import whole_runs  # noqa: E402
from comparisons import again, quickstart, start  # noqa: E402
from harness import Measured, in_turn, run  # noqa: E402


def measured(**changes: object) -> Measured:
    values = {"what": "work", "against": "others", "unit": "s", "ours": [2.0, 6.0, 3.0], "theirs": [4.0, 6.0, 4.0]}
    return Measured(**(values | changes))  # type: ignore[arg-type]


def command(*words: str, cwd: Path = REPO) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": str(REPO / "workflow")}
    return subprocess.run(words, cwd=cwd, env=environment, capture_output=True, text=True, check=False)


# --- what is measured ---


def test_a_ratio_is_taken_round_by_round():
    assert measured().ratios == [0.5, 1.0, 0.75]
    assert measured().ratio == 0.75  # the medians' ratio would be 0.75 too only by chance
    assert measured(ours=[1.0, 9.0, 5.0], theirs=[1.0, 3.0, 10.0]).ratio == 1.0


@pytest.mark.parametrize(
    ("target", "said", "met"),
    [
        ({"at_most": 0.75}, "≤ 0.75", True),
        ({"at_most": 0.7}, "≤ 0.7", False),
        ({"at_least": 0.8}, "≥ 0.8", False),
        ({"more_at_most": 0}, "≤ 0 s more", True),
        ({"more_at_most": -1.5}, "≤ -1.5 s more", False),
        ({}, "", None),
    ],
)
def test_a_target_is_said_and_held_against_the_median(target: dict[str, float], said: str, met: bool | None):
    assert (measured(**target).target, measured(**target).met) == (said, met)


def test_a_number_alone_has_no_ratio():
    alone = measured(theirs=[])
    assert alone.ratios == alone.differences == []
    assert alone.met is None
    assert bench.said(alone) == "work: 3 (2 to 6) s"


def test_both_sides_take_turns_at_being_first():
    order: list[str] = []

    def side(name: str) -> float:
        order.append(name)
        return len(order)

    ours, theirs = in_turn(lambda: side("ours"), lambda: side("theirs"), rounds=2, warm_up=True)
    assert order == ["ours", "theirs", "ours", "theirs", "theirs", "ours"]
    assert (ours, theirs) == ([3, 6], [4, 5])


def test_a_command_that_fails_says_why():
    with pytest.raises(RuntimeError, match="so it is"):
        run([sys.executable, "-c", "import sys; sys.exit('so it is')"])


def test_a_command_has_its_peak_and_what_it_said():
    done = run([sys.executable, "-c", "held = bytearray(90_000_000); print('out')"])
    assert 90 < done.peak_mb < 200
    assert done.output.strip() == "out"


# --- the table ---


def test_the_table_has_spread_target_and_notes():
    kept = {
        "rows": [
            vars(measured(at_most=0.5, note="the cause")),
            vars(measured(what="start", more_at_most=0.5)),
            vars(measured(what="alone", theirs=[])),
        ],
        "date": "2026-01-02",
        "rounds": 3,
        "seconds": 9,
        "machine": "2 cores",
        "versions": "Python 3",
    }
    table = bench.render({"training": kept}, "cpu")
    assert "| work [1] | others | s | 3 (2 to 6) | 4 (4 to 6) | 0.75 (0.5 to 1) | ≤ 0.5 | **no** |" in table
    assert "| start | others | s | 3 (2 to 6) | 4 (4 to 6) | + -1 (-2 to 0) | ≤ 0.5 s more | yes |" in table
    assert "| alone | others | s | 3 (2 to 6) |  |  |  |  |" in table
    assert "1. the cause" in table
    assert "| training | 2026-01-02, 3 rounds in 9 s, 2 cores; Python 3 |" in table


def test_bench_tells_its_comparisons_and_refuses_others():
    told = command(sys.executable, str(BENCHMARKS / "bench.py"), "--help")
    assert told.returncode == 0
    assert all(name in told.stdout for name in (*bench.COMPARISONS, *bench.ON_REQUEST))
    refused = command(sys.executable, str(BENCHMARKS / "bench.py"), "trainig")
    assert refused.returncode == 2
    assert "no comparison called trainig" in refused.stderr


def test_every_comparison_is_there():
    there = {path.stem for path in (BENCHMARKS / "comparisons").glob("*.py")} - {"__init__"}
    assert there == {*bench.COMPARISONS, *bench.ON_REQUEST}


# --- where the time goes ---

LOG = """Assuming unrestricted shared filesystem usage.

  Date: 2026-11-23 10:00:00
[Mon Nov 23 10:00:02 2026]
localrule finetune:
    input: a.jsonl
    output: results/weights, results/manifest.json
    log: results/logs/finetune.log
    jobid: 3
[Mon Nov 23 10:00:06 2026]
rule judge:
    output: results/verdicts.jsonl
    jobid: 4
[Mon Nov 23 10:00:10 2026]
Finished jobid: 3 (Rule: finetune)
[Mon Nov 23 10:00:11 2026]
Finished jobid: 4 (Rule: judge)
[Mon Nov 23 10:00:11 2026]
localrule mixture:
    output: results/mixture.jsonl
    jobid: 5
[Mon Nov 23 10:00:11 2026]
Finished jobid: 5 (Rule: mixture)
[Mon Nov 23 10:00:12 2026]
localrule all:
    input: results/verdicts.jsonl
    jobid: 0
Finished jobid: 0 (Rule: all)
Elapsed time: 0:00:12.500000
"""


def test_seconds_are_shared_among_jobs_that_run_together():
    jobs, _, total = where_time_goes.read_log(LOG.split("\n"))
    assert [(job.rule, job.seconds) for job in jobs] == [("finetune", 8), ("judge", 5), ("mixture", 0)]
    spent = where_time_goes.shares(jobs, total)
    assert spent == {"finetune": 6, "judge": 3, "mixture": 0, where_time_goes.BETWEEN: 3.5}
    assert sum(spent.values()) == total == 12.5


def test_a_job_is_taken_apart_by_its_log(tmp_path: Path):
    log = tmp_path / "results/logs/finetune.log"
    log.parent.mkdir(parents=True)
    log.write_text("finetune: en48: 24 steps in 5 s, loss 2 -> 1, 87 tokens/s on cpu\n")
    jobs, _, _ = where_time_goes.read_log(LOG.split("\n"))
    assert where_time_goes.inside(jobs, tmp_path) == {"finetune": {"training": 5, where_time_goes.REST: 3}}


def test_snakemakes_records_are_finer_than_its_log(tmp_path: Path):
    jobs, began, _ = where_time_goes.read_log(LOG.split("\n"))
    at = began.timestamp()
    records = {
        "cmVzdWx0cy93ZWlnaHRz": (at + 2.25, at + 10.5),  # results/weights
        "cmVzdWx0cy92ZXJkaWN0cy5qc29ubA==": (at + 100, at + 105),  # results/verdicts.jsonl, of another run
    }
    for name, (started, ended) in records.items():
        (tmp_path / name).write_text(json.dumps({"starttime": started, "endtime": ended}))
    where_time_goes.refine(jobs, began, tmp_path)
    assert [(job.started, job.ended) for job in jobs[:2]] == [(2.25, 10.5), (6, 11)]


def test_a_folder_where_nothing_ran_is_named(tmp_path: Path):
    done = command(sys.executable, str(BENCHMARKS / "where_time_goes.py"), "--run", str(tmp_path))
    assert done.returncode == 1
    assert done.stderr == f"where_time_goes: {tmp_path}: nothing was run here (no .snakemake/log)\n"


def test_the_table_is_written(tmp_path: Path):
    (tmp_path / "run.log").write_text(LOG)
    options = ["--run", str(tmp_path), "--log", str(tmp_path / "run.log"), "--output", str(tmp_path / "table.md")]
    done = command(sys.executable, str(BENCHMARKS / "where_time_goes.py"), *options, "--title", "Before")
    assert done.returncode == 0, done.stderr
    table = (tmp_path / "table.md").read_text()
    assert table.startswith("# Before\n\n3 jobs in 12 s.\n")
    assert "| finetune | 1 | 8.0 | 6.0 | 48.0% |" in table


# --- whole runs ---


def test_commands_are_those_that_snakemake_lists():
    listing = (
        "rule judge:\n    output: results/a b/en.jsonl, results/c.json\n    jobid: 1\n"
        "Shell command: python -m pinch judge --settings '{\"engine\": \"rubric\"}' --output 'results/a b/en.jsonl'"
        " 2>&1 | tee results/logs/en.log\n"
        "\nrule all:\n    input: results/c.json\n"
    )
    assert whole_runs.commands(listing) == [
        whole_runs.Command(
            "judge",
            ["judge", "--settings", '{"engine": "rubric"}', "--output", "results/a b/en.jsonl"],
            [Path("results/a b/en.jsonl"), Path("results/c.json")],
        )
    ]


def test_one_light_job_of_a_kind_is_started():
    made = [
        whole_runs.Command("judge", ["judge"], [Path("results/judgments/rubric/en.jsonl")]),
        whole_runs.Command("judge", ["judge"], [Path("results/judgments/endpoint/en.jsonl")]),
        whole_runs.Command("finetune", ["finetune"], [Path("results/weights")]),
    ]
    assert sorted(start.chosen(made)) == ["judge by endpoint", "judge by rubric"]


def test_jobs_of_a_run_are_counted_from_its_output():
    assert again.jobs(LOG) == ["finetune", "judge", "mixture"]


def test_the_smaller_quickstart_is_a_smaller_one_of_the_same_experiment():
    whole, smaller = quickstart.config(full=True), quickstart.config(full=False)
    assert smaller["languages"] == ["en", "es"] and len(whole["languages"]) == 4
    assert {key for key in whole if whole[key] != smaller[key]} == {"languages", "designs", "evaluation", "finetune"}
    assert Path(smaller["data"]["train"]).is_file()
    # What the script by hand reads of it.
    by_hand_reads = {"epochs", "batch_size", "lr", "schedule", "max_length", "lora_rank", "lora_alpha"}
    assert by_hand_reads <= set(smaller["finetune"]) and isinstance(smaller["finetune"]["batch_size"], int)


def test_by_hand_says_what_it_needs():
    done = command(sys.executable, str(BENCHMARKS / "by_hand.py"), "--with", "trl", "--base", "here")
    assert done.returncode == 2
    assert "--with trl needs --config, --output" in done.stderr


def test_by_hand_counts_ties_wins_and_losses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    said = [("1", "candidate", "candidate"), ("2", "baseline", "baseline"), ("3", "candidate", "baseline")]

    def judged(arguments: list[str]) -> int:
        rows = [{"id": id, "winner": winner} for id, *both in said for winner in both]
        by_hand.write_rows(Path(arguments[arguments.index("--output") + 1]), rows)
        return 0

    monkeypatch.setattr("pinch.__main__.main", judged)
    middle, low, high = by_hand.score(tmp_path, tmp_path, tmp_path, "en", tmp_path / "verdicts.jsonl")
    assert (middle, low, high) == (50, 0, 100)


def test_the_gpu_script_is_a_shell_script_that_refuses_a_machine_without_one():
    script = str(BENCHMARKS / "gpu.sh")
    assert command("bash", "-n", script).returncode == 0
    refused = command("bash", script, "prepare")
    assert refused.returncode != 0
    assert "which folder?" in refused.stderr
