"""One job, one GPU: slots of made-up ids, taken by processes that race for them and by processes that die."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from pinch import gpus
from pinch.errors import PinchError

JOB = """
import sys, time
from pinch import gpus
began = time.monotonic()
taken = gpus.take(int(sys.argv[1]))
began = time.monotonic()
time.sleep(float(sys.argv[2]))
print("held", *taken, began, time.monotonic(), flush=True)
"""
HOLDER = "import time; from pinch import gpus; print('has', *gpus.take(), flush=True); time.sleep(60)"


def start(place: Path, code: str, *arguments: str, ids: str = "0,1,GPU-c") -> "subprocess.Popen[str]":
    """A process with GPUs of these ids, whose locks are in `place`."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PINCH_GPUS", "SLURM"))}
    return subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        env=environment | {"TMPDIR": str(place), "CUDA_VISIBLE_DEVICES": ids},
        stdout=subprocess.PIPE,
        text=True,
    )


def line(process: "subprocess.Popen[str]", word: str) -> list[str]:
    """What follows a word at the beginning of a line of its output."""
    assert process.stdout is not None
    for said in process.stdout:
        if said.startswith(word + " "):
            return said.split()[1:]
    raise AssertionError(f"no line begins with {word}")


@pytest.mark.parametrize(("count", "jobs"), [(1, 8), (2, 5)])
def test_no_two_jobs_at_a_time_hold_the_same(tmp_path: Path, count: int, jobs: int) -> None:
    found = [line(job, "held") for job in [start(tmp_path, JOB, str(count), "0.3") for _ in range(jobs)]]
    held = [(id, float(began), float(ended)) for *ids, began, ended in found for id in ids]
    assert len(held) == jobs * count
    assert {id for id, _, _ in held} <= {"0", "1", "GPU-c"}
    for place, (id, began, ended) in enumerate(held):
        for other, other_began, other_ended in held[place + 1 :]:
            assert id != other or ended <= other_began or other_ended <= began, f"{id} was held twice"


def test_jobs_run_side_by_side(tmp_path: Path) -> None:
    holders = [start(tmp_path, HOLDER) for _ in range(3)]
    try:
        assert sorted(id for holder in holders for id in line(holder, "has")) == ["0", "1", "GPU-c"]
    finally:
        for holder in holders:
            holder.kill()
            holder.wait()


def test_who_is_killed_lets_go(tmp_path: Path) -> None:
    holder = start(tmp_path, HOLDER, ids="7")
    assert line(holder, "has") == ["7"]
    waiting = start(tmp_path, HOLDER, ids="7")
    try:
        assert line(waiting, "gpus:") == ["waiting", "for", "1", "of", "1", "that", "other", "jobs", "hold"]
        time.sleep(0.5)
        assert waiting.poll() is None
        holder.send_signal(signal.SIGKILL)
        assert line(waiting, "has") == ["7"]
    finally:
        for process in (holder, waiting):
            process.kill()
            process.wait()


@pytest.fixture
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """This process, with no GPU so far and locks of its own, which end with the test."""
    for name in (gpus.VISIBLE, gpus.TAKEN, "SLURM_JOB_ID"):
        monkeypatch.setenv(name, "")  # so that what is set by the code under test is undone
        monkeypatch.delenv(name)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(gpus, "_held", gpus.ExitStack())
    return monkeypatch


def test_what_is_taken_is_all_that_is_seen(alone: pytest.MonkeyPatch) -> None:
    alone.setenv(gpus.VISIBLE, "3,5")
    assert gpus.take() == ["3"]
    assert os.environ[gpus.VISIBLE] == "3"
    # A job takes once, whatever it loads; and what it starts works on the same.
    assert gpus.take() == []
    assert os.environ[gpus.VISIBLE] == "3"


@pytest.mark.parametrize("visible", ["", "-1", "-1,0"])
def test_none_where_all_are_hidden(alone: pytest.MonkeyPatch, visible: str) -> None:
    alone.setenv(gpus.VISIBLE, visible)
    assert gpus.take() == []
    assert os.environ[gpus.VISIBLE] == visible


def test_slurm_has_given_a_job_its_own(alone: pytest.MonkeyPatch) -> None:
    alone.setenv(gpus.VISIBLE, "0")
    alone.setenv("SLURM_JOB_ID", "17")
    assert gpus.take() == []


def test_more_than_there_are(alone: pytest.MonkeyPatch) -> None:
    alone.setenv(gpus.VISIBLE, "0,1")
    with pytest.raises(PinchError, match=r"4 GPUs are asked for, and there are 2 \(0, 1\)"):
        gpus.take(4)


def driver(place: Path, body: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """An nvidia-smi that does so, and nothing else on the path."""
    program = place / "bin" / "nvidia-smi"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\n{body}\n", encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent))


def test_the_driver_tells_what_there_is(alone: pytest.MonkeyPatch, tmp_path: Path) -> None:
    driver(tmp_path, 'test "$1" = --query-gpu=uuid && echo GPU-a && echo GPU-b', alone)
    assert gpus.take(2) == ["GPU-a", "GPU-b"]
    assert os.environ[gpus.VISIBLE] == "GPU-a,GPU-b"


def test_a_driver_that_does_not_answer(alone: pytest.MonkeyPatch, tmp_path: Path) -> None:
    driver(tmp_path, "echo no devices were found; exit 6", alone)
    assert gpus.take() == []
    assert gpus.VISIBLE not in os.environ


def test_a_machine_without(alone: pytest.MonkeyPatch, tmp_path: Path) -> None:
    alone.setenv("PATH", str(tmp_path))
    assert gpus.take() == []


def test_a_server_needs_none(alone: pytest.MonkeyPatch) -> None:
    alone.setenv(gpus.VISIBLE, "0")
    assert gpus.take(0) == []
    assert os.environ[gpus.VISIBLE] == "0"


def test_locks_in_a_link_are_refused(alone: pytest.MonkeyPatch, tmp_path: Path) -> None:
    alone.setenv(gpus.VISIBLE, "0")
    (tmp_path / f"pinch-gpus-{os.getuid()}").symlink_to(tmp_path)
    with pytest.raises(PinchError, match="belongs to another user; set TMPDIR"):
        gpus.take()
