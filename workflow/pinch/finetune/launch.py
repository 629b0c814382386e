"""One training over several processes: started as `accelerate launch` would, and watched.

accelerate prepares the environment of the processes from its file. They are started here and not by its launcher,
because that one kills them 30 seconds after a signal, however long a checkpoint takes, and does not pass a scheduler's
warning on.
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pinch import gpus, modelling, stopping
from pinch.accelerated import KEY, Processes
from pinch.errors import PinchError

PARENT = "PINCH_LAUNCHED_BY"
"""Set for the processes of a training: the id of the one that has started them."""
MACHINE = "PINCH_MACHINE"
"""Set where srun has started this command on every machine."""
PATIENCE = 20.0
"""Seconds in which the other processes end by themselves, once one has failed."""


def launched() -> bool:
    """Whether this is one of the processes of a training, and not the one that starts them."""
    return PARENT in os.environ


def launch(command: Sequence[str], processes: Processes, threads: int) -> None:
    """Run `python -m pinch COMMAND` in every process, to its end; `threads`: cores for each.

    Raises PinchError with the last words of the first process that fails.
    """
    if processes.machines > 1 and MACHINE not in os.environ and _nodes() > 1:
        _on_every_machine(command, processes)
        return
    gpus.take(processes.per_machine)
    if processes.kind == "fsdp" and modelling.device() == "cpu":
        raise PinchError(
            f"{KEY}: {processes.file} asks for FSDP, which accelerate has on GPUs alone; there is none here"
        )
    environment = _environment(processes)
    environment["OMP_NUM_THREADS"] = str(threads)
    with tempfile.TemporaryDirectory(prefix="pinch-finetune-") as folder, stopping.deferred():
        said = [Path(folder, f"{place}.txt") for place in range(processes.per_machine)]
        started: list[subprocess.Popen[bytes]] = []
        try:
            for place, words in enumerate(said):
                own = _own(environment, processes, place)
                with words.open("wb") as file:
                    started.append(subprocess.Popen([sys.executable, "-m", "pinch", *command], env=own, stderr=file))
            failed = _watch(started)
        finally:
            for process in started:
                process.kill()
                process.wait()
            last = [_words(words) for words in said]
    if failed is None:
        return
    code = started[failed].returncode
    lines = last[failed] + ([f"was killed by signal {-code}"] if code < 0 or not last[failed] else [])
    for line in lines[:-1]:
        print(line, file=sys.stderr, flush=True)
    message = lines[-1].removeprefix(f"{command[0]}: error: ")
    together = all(words[-1:] == lines[-1:] for words in last)
    raise PinchError(message if together or failed == 0 else f"process {failed} of {len(started)}: {message}")


def _watch(started: Sequence["subprocess.Popen[bytes]"]) -> int | None:
    """Wait for all; the place of the first that failed, if any did. Passes signals on."""
    passed: str | None = None
    failed: int | None = None
    until = float("inf")
    running = True
    while running and time.monotonic() < until:
        if stopping.asked() != passed and (name := stopping.asked()):
            passed = name
            for process in started:
                if process.poll() is None:
                    process.send_signal(signal.Signals[name])
        running = None in [process.poll() for process in started]
        if failed is None and (failed := _first_to_fail(started)) is not None:
            until = time.monotonic() + PATIENCE
        time.sleep(0.1 * running)
    return failed


def _first_to_fail(started: Sequence["subprocess.Popen[bytes]"]) -> int | None:
    """One that was killed, before those that miss it: they fail at the same moment, and complain of its silence."""
    failed = [place for place, process in enumerate(started) if process.returncode]
    return min(failed, key=lambda place: (started[place].returncode > 0, place), default=None)


def _words(file: Path) -> list[str]:
    if not file.is_file():
        return []
    return [line for line in file.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]


def _environment(processes: Processes) -> dict[str, str]:
    """What accelerate tells all processes of this machine. Raises PinchError where its file does not serve."""
    # Its own steps from a file to an environment; no public function takes them without starting anything.
    from accelerate.commands.launch import _validate_launch_command, launch_command_parser
    from accelerate.utils.launch import prepare_multi_gpu_env

    arguments = ["--config_file", processes.file, "--main_process_port", "0", "--module", "pinch"]
    if processes.machines > 1:
        arguments = ["--config_file", processes.file, *_this_machine(processes), "--module", "pinch"]
    try:
        asked: Any = launch_command_parser().parse_args(arguments)
        # Errors of a file in accelerate are of many kinds.
        asked, *_ = _validate_launch_command(asked)
        environment: dict[str, str] = prepare_multi_gpu_env(asked)
    except Exception as error:
        raise PinchError(f"{KEY}: {processes.file}: {' '.join(str(error).split())}") from None
    environment |= {
        "ACCELERATE_MIXED_PRECISION": "no",  # finetune.dtype is in force
        "MASTER_ADDR": asked.main_process_ip if processes.machines > 1 else "127.0.0.1",
        "MASTER_PORT": str(asked.main_process_port),
        "WORLD_SIZE": str(processes.number),
        "LOCAL_WORLD_SIZE": str(processes.per_machine),
        PARENT: str(os.getpid()),
        "PINCH_FIRST_RANK": str(int(asked.machine_rank or 0) * processes.per_machine),
    }
    return environment


def _own(environment: Mapping[str, str], processes: Processes, place: int) -> dict[str, str]:
    rank = int(environment["PINCH_FIRST_RANK"]) + place
    return {**environment, "RANK": str(rank), "LOCAL_RANK": str(place)}


# --- several machines, by SLURM ---


def _nodes() -> int:
    return int(os.environ.get("SLURM_JOB_NUM_NODES") or 1)


def _on_every_machine(command: Sequence[str], processes: Processes) -> None:
    """The same command once on each machine of this job's allocation, which then starts the machine's processes."""
    if shutil.which("srun") is None:
        raise PinchError(f"{KEY}: {processes.file}: num_machines: {processes.machines} need srun, which is not here")
    if _nodes() < processes.machines:
        raise PinchError(
            f"{KEY}: {processes.file}: num_machines: {processes.machines} are more than the {_nodes()} of this job"
        )
    each = [f"--nodes={processes.machines}", f"--ntasks={processes.machines}", "--ntasks-per-node=1"]
    with stopping.deferred():
        srun = subprocess.Popen(
            # --overlap: this command is a step itself, which holds what it has been given.
            ["srun", "--overlap", "--kill-on-bad-exit=0", *each, sys.executable, "-m", "pinch", *command],
            env={**os.environ, MACHINE: "yes"},
        )
        failed = _watch([srun])
    if failed is not None:
        raise PinchError(f"srun ended with {srun.returncode}; what it ran has said why above")


def _this_machine(processes: Processes) -> list[str]:
    """Which of the machines this is, and where the first one is, as SLURM tells it; else as the file does."""
    if MACHINE not in os.environ:
        return []
    done = subprocess.run(
        ["scontrol", "show", "hostnames", os.environ["SLURM_JOB_NODELIST"]],
        capture_output=True,
        text=True,
        check=False,
    )
    names = done.stdout.split()
    if done.returncode or not names:
        raise PinchError(f"scontrol does not tell the machines of this job: {done.stderr.strip()}")
    return ["--machine_rank", os.environ["SLURM_NODEID"], "--main_process_ip", names[0]]
