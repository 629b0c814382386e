"""profiles/slurm on a real SLURM of one machine, which tests/slurm/cluster.sh starts; `make test-slurm`."""

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.harness import REPO, Run, tiny_config
from tests.llama_server import smollm2

pytestmark = pytest.mark.slurm

__all__ = ["smollm2"]

CLUSTER = REPO / "tests" / "slurm" / "cluster.sh"
SUBMITTED = re.compile(r"submitted with SLURM jobid (\d+) \(log: .*/slurm_logs/([^/]+)/")


def sh(*words: str) -> str:
    done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    assert done.returncode == 0, f"{words}: {done.stdout}"
    return done.stdout


@pytest.fixture(scope="module")
def cluster() -> Iterator[None]:
    """Two partitions, two GPUs that are none. Stopped as it was started."""
    sh(str(CLUSTER), "start")
    try:
        yield
    finally:
        sh(str(CLUSTER), "stop")
        assert not Path("/etc/slurm/slurm.conf").exists()


def on_a_small_cluster(folder: Path) -> Path:
    """profiles/slurm as its user would edit it: for two cores, and without the accounting that most clusters have."""
    profile = yaml.safe_load((REPO / "profiles" / "slurm" / "config.yaml").read_text(encoding="utf-8"))
    profile |= {"slurm-status-command": "squeue", "slurm-init-seconds-before-status-checks": 2, "latency-wait": 10}
    profile["default-resources"] |= {"mem_mb": 1000, "runtime": 10}
    for asked in profile["set-resources"].values():
        small = {"mem_mb": "1500 * attempt", "runtime": 10}
        asked |= {name: value for name, value in small.items() if name in asked}
    profile["set-threads"] = dict.fromkeys(profile["set-threads"], 2)
    (folder / "profile").mkdir()
    (folder / "profile" / "config.yaml").write_text(yaml.safe_dump(profile), encoding="utf-8")
    return folder / "profile"


class Submitting:
    """Snakemake at work on the cluster, and what it has submitted."""

    def __init__(self, run: Run, *targets: str) -> None:
        self.log = run.folder / "snakemake.log"
        command = [sys.executable, "-m", "snakemake", "--snakefile", str(REPO / "Snakefile"), *targets]
        command += ["--profile", str(on_a_small_cluster(run.folder)), "--configfile", "tiny.yaml"]
        with self.log.open("w") as log:
            self.process = subprocess.Popen(command, cwd=run.folder, stdout=log, stderr=subprocess.STDOUT)

    def __enter__(self) -> "Submitting":
        return self

    def __exit__(self, *_: Any) -> None:
        """Whatever became of the test, nothing goes on submitting."""
        self.process.kill()
        self.process.wait()

    def output(self) -> str:
        return self.log.read_text(encoding="utf-8")

    def submitted(self) -> list[tuple[str, str]]:
        """What each job of SLURM is, in the order of submission: rule or group, and its number there."""
        return [(name, number) for number, name in SUBMITTED.findall(self.output())]

    def until(self, what: Callable[[], Any], seconds: float = 400) -> Any:
        deadline = time.monotonic() + seconds
        while not (found := what()):
            assert self.process.poll() is None and time.monotonic() < deadline, self.output()[-5000:]
            time.sleep(0.2)
        return found

    def running(self, begins: str) -> str:
        """The number of a running job of a rule or group; waits for one."""

        def find() -> str | None:
            there = sh("squeue", "--noheader", "--states=R", "--format=%i").split()
            return next(
                (number for name, number in self.submitted() if name.startswith(begins) and number in there), None
            )

        return str(self.until(find))

    def finish(self) -> str:
        assert self.process.wait(timeout=600) == 0, self.output()[-5000:]
        return self.output()


def asked_of_slurm(number: str) -> dict[str, str]:
    return dict(re.findall(r"(\S+?)=(\S*)", sh("scontrol", "show", "job", number)))


def test_a_run_whose_jobs_and_daemon_are_killed_ends_with_the_scores_of_one_machine(
    cluster: None, finished: Run, tiny_model: Path, tmp_path: Path
) -> None:
    run = Run(tmp_path / "on a cluster")
    run.folder.mkdir()
    run.write(tiny_config(tiny_model))
    with Submitting(run) as snakemake:
        killed = snakemake.running("rule_finetune")
        sh("scancel", killed)
        orphaned = snakemake.running("group_row")
        sh(str(CLUSTER), "restart-slurmd")
        output = snakemake.finish()

    assert asked_of_slurm(killed)["JobState"] == "CANCELLED"
    # Again, and with more memory.
    tuned = [number for name, number in snakemake.submitted() if name == "rule_finetune"]
    assert sorted(asked_of_slurm(number)["MinMemoryNode"] for number in tuned) == ["1500M"] * 3 + ["3000M"]
    assert asked_of_slurm(orphaned)["JobState"] == "COMPLETED"
    assert (run.results / "figures" / "heatmap-tiny-rubric.png").read_bytes().startswith(b"\x89PNG")
    for table in ("scores.csv", "comparisons.csv"):
        assert (run.results / "scores" / table).read_bytes() == (finished.results / "scores" / table).read_bytes()

    # A row of cells is one job and asks for one GPU; verdicts on a row are one job and ask for none.
    jobs = snakemake.submitted()
    rows = {mixture: f"group_row-tiny-{mixture}-d0t0_generate" for mixture in ("en12", "es12", "en9+es3", "untuned")}
    assert sorted(name for name, _ in jobs if name.startswith("group_row")) == sorted(rows.values())
    verdicts = {f"group_verdicts-rubric-tiny-{mixture}-d0t0_judge" for mixture in ("en12", "en9+es3", "untuned")}
    assert {name for name, _ in jobs if name.startswith("group_verdicts")} == verdicts
    for name, number in jobs:
        asked = asked_of_slurm(number)
        gpu = name.startswith(("group_row", "rule_finetune"))
        assert asked.get("TresPerJob") == ("gres:gpu:1" if gpu else None), name
        assert (asked["Partition"], asked["NumCPUs"]) == (("gpu", "2") if gpu else ("cpu", asked["NumCPUs"])), name
    # Two cells of ten minutes each, one after the other.
    assert asked_of_slurm(dict(jobs)[rows["untuned"]])["TimeLimit"] == "00:20:00"
    # A training was submitted twice; base model, trainings, rows, verdicts, audits, and nothing light.
    assert len(jobs) == 1 + (3 + 1) + 4 + 3 + 1
    assert output.count("localrule") >= 20


def test_a_training_that_slurm_cancels_goes_on_from_where_it_was(
    cluster: None, tiny_model: Path, tmp_path: Path
) -> None:
    def training(name: str) -> tuple[Run, Path]:
        run = Run(tmp_path / name)
        run.folder.mkdir()
        run.write(tiny_config(tiny_model))
        run.edit(lambda config: config["finetune"].update(steps=120))
        return run, run.results / "models" / "tiny" / "en12" / "d0t0" / "manifest.json"

    run, manifest = training("on a cluster")
    log = run.results / "logs" / "finetune" / "tiny" / "en12" / "d0t0.log"
    with Submitting(run, manifest.relative_to(run.folder).as_posix()) as snakemake:
        snakemake.until(lambda: log.is_file() and "finetune: step" in log.read_text(encoding="utf-8"))
        sh("scancel", snakemake.running("rule_finetune"))
        snakemake.finish()
    whole, uninterrupted = training("on one machine")
    whole.make(uninterrupted.relative_to(whole.folder).as_posix())

    said, wanted = (json.loads(file.read_text(encoding="utf-8")) for file in (manifest, uninterrupted))
    assert len(said["resumed_at"]) == 1
    assert 0 < said["resumed_at"][0] < 120
    assert said["loss_curve"] == wanted["loss_curve"]
    assert said["weights_digest"] == wanted["weights_digest"]


STAND_IN = f"""#!/bin/sh
# As vLLM is called; behind it is a real server of chat completions, of llama.cpp. Its model is given by path.
[ "$1" = serve ] || exit 2
shift
exec {sys.executable} - "$@" <<'PROGRAM'
import os, sys, xllamacpp
params = xllamacpp.CommonParams()
params.model.path = sys.argv[1]
asked = dict(zip(sys.argv[2::2], sys.argv[3::2]))
params.hostnames, params.port = [asked["--host"]], int(asked["--port"])
params.n_parallel, params.n_ctx = 2, 2 * 2048
params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 2
server = xllamacpp.Server(params)
import signal
signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
signal.pause()
PROGRAM
"""


def test_cells_find_a_judge_that_is_a_job(cluster: None, run: Run, smollm2: Path, tmp_path: Path) -> None:
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "vllm").write_text(STAND_IN)
    (programs / "vllm").chmod(0o755)
    judge = {
        "engine": "openai",
        "name": "served",
        "base_url": "file:judge server.url",
        "model": "SmolLM2",
        "max_tokens": 8,
    }
    run.edit(lambda config: config["judges"].append(judge))
    cell = "judgments/served/monolingual/tiny/untuned/d0t0/es.jsonl"
    # The cell is there before its judge is.
    with Submitting(run, f"{run.config['results']}/{cell}") as snakemake:
        snakemake.running("group_verdicts")
        script = str(REPO / "profiles" / "slurm" / "judge-server.sbatch")
        size = ["--cpus-per-task=1", "--mem=2G", "--time=10", f"--chdir={run.folder}"]
        environment = os.environ | {"PATH": f"{programs}:{os.environ['PATH']}"}
        command = ["sbatch", "--parsable", *size, script, str(smollm2), "judge server.url"]
        server = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout.strip()
        snakemake.finish()
    verdicts = [json.loads(line) for line in (run.results / cell).read_text(encoding="utf-8").splitlines()]
    assert len(verdicts) == 8
    assert all(row["tokens_in"] > 10 for row in verdicts if row["raw"])
    assert any(row["raw"] for row in verdicts)
    assert asked_of_slurm(server)["TresPerJob"] == "gres:gpu:1"
    sh("scancel", server)
    deadline = time.monotonic() + 30
    while (run.folder / "judge server.url").exists():
        assert time.monotonic() < deadline
        time.sleep(0.2)
