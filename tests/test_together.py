"""One training over two processes of this CPU: the loss and the weights of one, to the rounding of sums."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
from pinch import accelerated
from pinch.__main__ import main
from pinch.config import Finetune
from pinch.errors import PinchError
from pinch.finetune import launch
from pinch.finetune.packing import shares
from pinch.rows import read_json, write_rows

from tests.harness import REPO
from tests.links import TINY, link, one_error
from tests.test_selection import dev_rows

DDP = str(REPO / "workflow" / "accelerate" / "ddp.yaml")
EXACT = {"dtype": "float32", "batch_size": 11, "micro_batch_size": 3, "epochs": 2}
"""Steps of eleven rows and of one, in which the second process has none. No dropout: each process draws its own."""
ROUNDING = 2e-5
"""Of weights, which are up to 0.3: gradients are summed in another order, and AdamW divides by their size."""


@pytest.fixture
def command(place: Path, tmp_path: Path) -> Callable[..., list[str]]:
    """Tunes into a folder of this test, by a cache of its own."""

    def words(name: str, file: str | None = None, **settings: Any) -> list[str]:
        options = {}
        if settings.get("select", "last") != "last":
            write_rows(tmp_path / "dev.jsonl", dev_rows())
            options["dev"] = tmp_path / "dev.jsonl"
        return link(
            "finetune",
            base=place / "results/base_models/tiny.json",
            mixture=place / "results/mixtures/en8+es4/d0.jsonl",
            settings=json.dumps(TINY | EXACT | settings),
            transport=json.dumps({"accelerate": file}),
            cache=tmp_path / "cache",
            threads=2,
            weights=tmp_path / name / "weights",
            manifest=tmp_path / name / "manifest.json",
            **options,
        )

    return words


def manifest(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = read_json(folder / "manifest.json")
    return found


def assert_alike(one: Path, two: Path) -> None:
    """Two trainings, to rounding."""
    from safetensors.torch import load_file

    first, second = manifest(one), manifest(two)
    assert (first["processes"], second["processes"]) == (1, 2)
    assert [step for step, _ in first["loss_curve"]] == [step for step, _ in second["loss_curve"]]
    losses = [[loss for _, loss in said["loss_curve"]] for said in (first, second)]
    assert losses[1] == pytest.approx(losses[0], abs=1.01e-4)  # four digits are written
    for key in ("optimizer_steps", "epochs", "tokens_seen", "tokens_per_epoch", "trainable_parameters"):
        assert first[key] == second[key], key
    (name,) = [path.name for path in (one / "weights").glob("*.safetensors")]
    weights, others = load_file(one / "weights" / name), load_file(two / "weights" / name)
    assert weights.keys() == others.keys()
    assert max(float((weights[key] - others[key]).abs().max()) for key in weights) < ROUNDING


def test_two_processes_train_as_one(command: Callable[..., list[str]], tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pinch", *command("two", DDP)], capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("finetune: 12 rows, ") == 1, "one process speaks"
    assert main(command("one")) == 0
    assert_alike(tmp_path / "one", tmp_path / "two")
    two = manifest(tmp_path / "two")
    # Eleven rows in two shares of micro-batches of three, and one row; twice.
    assert two["micro_batches"] == 2 * (2 + 2 + 1)
    assert two["accelerate_digest"] == accelerated.read(DDP).digest
    assert not list((tmp_path / "cache/checkpoints").glob("*/*"))


def test_rows_are_shared_out_by_tokens() -> None:
    lengths = [5, 90, 20, 40, 35, 10]
    parts = shares(lengths, 2)
    assert sorted(place for part in parts for place in part) == list(range(6))
    assert [sum(lengths[place] for place in part) for part in parts] == [100, 100]
    assert shares([7], 3) == [[0], [], []]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "cannot be read: No such file or directory"),
        ("- 1", "holds no keys and values"),
        ("a: [", "is not YAML"),
        ("distributed_type: DEEPSPEED", "DEEPSPEED is not served"),
        ("distributed_type: MEGATRON_LM", "'MEGATRON_LM' is none of MULTI_GPU, MULTI_CPU, FSDP, NO"),
        ("distributed_type: FSDP", "fsdp_config.fsdp_version: must be 2"),
        ("distributed_type: MULTI_GPU\nnum_processes: many", "num_processes: 'many' is no number of 1 or more"),
        ("distributed_type: MULTI_GPU\nnum_processes: 3\nnum_machines: 2", "3 are not as many on each of 2 machines"),
    ],
)
def test_a_file_that_does_not_serve_is_named(tmp_path: Path, text: str | None, message: str) -> None:
    file = tmp_path / "accelerate.yaml"
    if text is not None:
        file.write_text(text, encoding="utf-8")
    with pytest.raises(PinchError) as error:
        accelerated.read(str(file))
    assert str(error.value).startswith(f"finetune.accelerate: {file}: ")
    assert message in str(error.value)


@pytest.mark.parametrize("settings", [{"method": "qlora"}, {"select": "rouge_l"}])
def test_what_fsdp_cannot_do_is_refused(settings: dict[str, Any]) -> None:
    fsdp = accelerated.read(str(REPO / "workflow/accelerate/fsdp.yaml"))
    accelerated.check(accelerated.read(DDP), Finetune(**settings))
    with pytest.raises(PinchError, match="asks for FSDP"):
        accelerated.check(fsdp, Finetune(**settings))


def test_fsdp_without_gpus_is_refused(
    command: Callable[..., list[str]], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert main(command("refused", str(REPO / "workflow/accelerate/fsdp.yaml"))) == 1
    assert "FSDP, which accelerate has on GPUs alone; there is none here" in one_error(capsys.readouterr().err)


# --- longer ones ---


def started(words: list[str]) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "pinch", *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def signalled(words: list[str], whom: Callable[["subprocess.Popen[str]"], int]) -> str:
    """The error of a training whose processes are signalled as soon as it has made some steps."""
    process = started(words)
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("finetune: step "):
            os.kill(whom(process), signal.SIGTERM)
            break
    _, said = process.communicate(timeout=120)
    assert process.returncode == 1
    return one_error(said)


def second_worker(process: "subprocess.Popen[str]") -> int:
    for child in psutil.Process(process.pid).children():
        if child.environ().get("RANK") == "1":
            return child.pid
    raise AssertionError("there is no second process")


@pytest.mark.long
@pytest.mark.parametrize("method", ["lora", "full"])
def test_two_processes_stop_together_and_go_on(command: Callable[..., list[str]], tmp_path: Path, method: str) -> None:
    """Whichever of them hears the signal; byte for byte what two undisturbed processes make, dropout included."""
    settings = {"method": method, "lora_dropout": 0.1, "epochs": 30, "select": "loss"}
    assert started(command("undisturbed", DDP, **settings)).communicate(timeout=300)[1].count("error") == 0
    words = command("stopped", DDP, **settings)
    assert "stopped by a signal to another process at step " in signalled(words, second_worker)
    assert "stopped by SIGTERM at step " in signalled(words, lambda process: process.pid)
    last = started(words)
    assert "goes on from step" in last.communicate(timeout=300)[0]
    undisturbed, stopped = manifest(tmp_path / "undisturbed"), manifest(tmp_path / "stopped")
    assert len(stopped["resumed_at"]) == 2
    for key in ("weights_digest", "loss_curve", "tokens_seen", "micro_batches"):
        assert undisturbed[key] == stopped[key], key
    assert undisturbed["selection"]["checkpoints"] == stopped["selection"]["checkpoints"]


@pytest.mark.long
def test_a_process_that_dies_takes_the_others_along(command: Callable[..., list[str]], tmp_path: Path) -> None:
    process = started(command("killed", DDP, epochs=500))
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("finetune: step "):
            os.kill(second_worker(process), signal.SIGKILL)
            break
    _, said = process.communicate(timeout=120)
    assert process.returncode == 1
    assert "process 1 of 2: was killed by signal 9" in one_error(said)


ON_CPU = """
import json, sys
from accelerate import state
from accelerate.utils import DistributedType
begin = state.PartialState.__init__
def with_sharding(self, cpu=False, **others):
    begin(self, cpu=cpu, **others)
    state.PartialState._shared_state["distributed_type"] = DistributedType.MULTI_GPU
state.PartialState.__init__ = with_sharding
from pinch.__main__ import main
sys.exit(main(json.loads(sys.argv[1])))
"""
"""accelerate shares a model out where it believes itself on GPUs; torch does so on CPUs as well."""


@pytest.mark.long
@pytest.mark.parametrize(("method", "select"), [("lora", "last"), ("full", "loss")])
def test_a_model_in_two_parts_trains_as_one(
    command: Callable[..., list[str]], tmp_path: Path, method: str, select: str
) -> None:
    file = tmp_path / "fsdp.yaml"
    text = (REPO / "workflow/accelerate/fsdp.yaml").read_text(encoding="utf-8")
    file.write_text(text.replace("num_processes: 4", "num_processes: 2"), encoding="utf-8")
    processes = accelerated.read(str(file))
    environment = launch._environment(processes) | {"OMP_NUM_THREADS": "1"}
    settings = {"method": method, "select": select, "checkpoints": 2}
    words = json.dumps(command("two", str(file), **settings))
    both = [
        subprocess.Popen([sys.executable, "-c", ON_CPU, words], env=launch._own(environment, processes, place))
        for place in range(2)
    ]
    assert [process.wait(timeout=300) for process in both] == [0, 0]
    assert main(command("one", **settings)) == 0
    assert_alike(tmp_path / "one", tmp_path / "two")
    scores = [manifest(tmp_path / name)["selection"].get("checkpoints", []) for name in ("one", "two")]
    assert [score for _, score in scores[1]] == pytest.approx([score for _, score in scores[0]], abs=1e-4)


SRUN = """#!/usr/bin/env bash
# Two nodes that are both this machine.
while [[ $1 == --* ]]; do shift; done
SLURM_NODEID=0 "$@" & first=$!
SLURM_NODEID=1 "$@" & second=$!
wait $first && wait $second
"""


@pytest.mark.long
def test_on_two_machines_the_command_starts_itself_on_each(command: Callable[..., list[str]], tmp_path: Path) -> None:
    """With stand-ins for SLURM's srun and scontrol: not SLURM, but all that is ours."""
    file = tmp_path / "machines.yaml"
    text = Path(DDP).read_text(encoding="utf-8").replace("num_machines: 1", "num_machines: 2")
    file.write_text(f"{text}main_process_port: 29611\n", encoding="utf-8")
    tools = tmp_path / "bin"
    tools.mkdir()
    for name, body in (("srun", SRUN), ("scontrol", "#!/bin/sh\necho 127.0.0.1\necho 127.0.0.1\n")):
        (tools / name).write_text(body, encoding="utf-8")
        (tools / name).chmod(0o755)
    slurm = {"SLURM_JOB_ID": "1", "SLURM_JOB_NUM_NODES": "2", "SLURM_JOB_NODELIST": "node[1-2]"}
    environment = os.environ | slurm | {"PATH": f"{tools}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(
        [sys.executable, "-m", "pinch", *command("two", str(file))],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert main(command("one")) == 0
    assert_alike(tmp_path / "one", tmp_path / "two")
