"""One run at a time in a results folder; what a dead one locked is free."""

import fcntl
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from pinch import alone
from pinch.errors import PinchError

HOLD = (
    "import sys, time; from pathlib import Path; from pinch import alone;"
    "alone.hold('results', Path('.snakemake')); print('held', flush=True); time.sleep(60)"
)
JOB = "import time; from pinch import alone; alone.join(); print('joined', flush=True); time.sleep(60)"


def started(code: str, folder: Path) -> "subprocess.Popen[str]":
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=folder,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {alone.RUN: str(folder / "results/.run.lock")},
    )
    assert process.stdout is not None
    assert process.stdout.readline() in ("held\n", "joined\n")
    return process


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(alone, "_held", [])
    (tmp_path / "results").mkdir()
    locks = tmp_path / ".snakemake" / "locks"
    locks.mkdir(parents=True)
    (locks / "0.output.lock").write_text("results/a\n")
    yield tmp_path
    for file in alone._held:
        file.close()


def test_a_second_run_is_refused_and_the_first_one_named(folder: Path) -> None:
    first = started(HOLD, folder)
    try:
        assert alone.unlock_dead(Path(".snakemake")) is None
        with pytest.raises(PinchError, match=rf"results is being written by another run \(process {first.pid} on "):
            alone.hold("results", Path(".snakemake"))
        alone.hold("results/other", Path(".snakemake"))  # another experiment of the same folder
    finally:
        first.kill()
        first.wait()


def test_what_a_killed_run_locked_is_unlocked(folder: Path) -> None:
    first = started(HOLD, folder)
    first.send_signal(signal.SIGKILL)
    first.wait()
    said = alone.unlock_dead(Path(".snakemake"))
    assert said is not None
    assert f"process {first.pid}) was killed: its lock is removed" in said
    assert not Path(".snakemake/locks").exists()
    assert alone.unlock_dead(Path(".snakemake")) is None
    alone.hold("results", Path(".snakemake"))


def test_a_job_that_outlives_its_run_is_waited_for(folder: Path) -> None:
    first = started(HOLD, folder)
    job = started(JOB, folder)
    first.kill()
    first.wait()
    try:
        with pytest.raises(PinchError, match=rf"at work: {job.pid} "):
            alone.hold("results", Path(".snakemake"))
    finally:
        job.kill()
        job.wait()
    alone.hold("results", Path(".snakemake"))


@pytest.mark.parametrize("holder", ["another-machine 1", ""])
def test_locks_of_another_machine_are_left_alone(folder: Path, holder: str) -> None:
    Path(".snakemake/pinch.lock").write_text(f"{holder}\n")
    assert alone.unlock_dead(Path(".snakemake")) is None
    assert Path(".snakemake/locks/0.output.lock").exists()


def test_a_file_system_without_locks_refuses_nobody(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def none(*_: object) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(fcntl, "flock", none)
    alone.hold("results", Path(".snakemake"))
    alone.join()
    assert alone.unlock_dead(Path(".snakemake")) is None
