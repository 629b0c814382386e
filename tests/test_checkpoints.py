"""A training that is stopped and goes on: the same curve, weights and selection as one that nobody disturbed."""

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pinch import check
from pinch.__main__ import main
from pinch.errors import PinchError
from pinch.experiment import Experiment
from pinch.rows import read_json, write_rows

from tests.harness import REPO, Run
from tests.links import TINY, link, manifest, one_error
from tests.test_selection import dev_rows

SETTINGS = {"dtype": "float32", "lora_dropout": 0.1, "epochs": 3, "micro_batch_size": 2}
"""12 rows in steps of 4, of two micro-batches each: three epochs are nine steps."""
BYTHEWAY = ("seconds", "tokens_per_second", "memory_plan", "peak_memory_bytes", "resumed_at")
"""What differs between two runs of one training."""


@pytest.fixture
def train(place: Path) -> Iterator[Callable[..., int]]:
    """Tunes with development rows where they are needed, and a cache of its own for checkpoints."""

    def tune(name: str, transport: dict[str, Any] | None = None, **settings: Any) -> int:
        folder = place / "results/models/tiny" / name / "d0t0"
        options = {}
        if settings.get("select", "last") != "last":
            write_rows(place / "dev.jsonl", dev_rows())
            options["dev"] = place / "dev.jsonl"
        command = link(
            "finetune",
            base=place / "results/base_models/tiny.json",
            mixture=place / "results/mixtures/en8+es4/d0.jsonl",
            settings=json.dumps(TINY | SETTINGS | settings),
            transport=json.dumps(transport or {}),
            cache=place / "cache",
            weights=folder / "weights",
            manifest=folder / "manifest.json",
            **options,
        )
        return main(command)

    yield tune
    assert not kept(place), "a finished training leaves no checkpoint"


def kept(place: Path) -> list[Path]:
    """The checkpoints that there are."""
    return sorted((place / "cache/checkpoints").glob("*/*"))


@pytest.mark.parametrize(
    "settings",
    [
        {"select": "loss", "checkpoints": 5},
        pytest.param({"method": "full", "select": "loss", "schedule": "linear"}, marks=pytest.mark.long),
        pytest.param({"lora_rank": 2}, marks=pytest.mark.long),
    ],
    ids=["lora", "full", "the last is kept"],
)
def test_stopped_again_and_again_it_ends_as_if_nobody_had(
    place: Path,
    train: Callable[..., int],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    request: pytest.FixtureRequest,
    settings: dict[str, Any],
) -> None:
    """Between two micro-batches of step 2, of step 3, which is the last of an epoch, and of step 8."""
    from pinch.finetune.trainer import PackedTrainer

    assert train("undisturbed", **settings) == 0
    name = f"stopped, {request.node.callspec.id}"
    step = PackedTrainer.training_step
    stops = {2: signal.SIGTERM, 3: signal.SIGINT, 8: signal.SIGUSR1}

    def stopped(self: Any, model: Any, inputs: Any, *rest: Any) -> Any:
        number = stops.get(self.state.global_step + 1)
        loss = self.forward.loss
        passes = iter(range(100))

        def signalled(rows: Any, count: Any) -> Any:
            if next(passes) == 1 and number:
                os.kill(os.getpid(), number)
            return loss(rows, count)

        with monkeypatch.context() as patch:
            patch.setattr(self.forward, "loss", signalled)
            return step(self, model, inputs, *rest)

    monkeypatch.setattr(PackedTrainer, "training_step", stopped)
    for at, number in stops.items():
        assert train(name, **settings) == 1
        said = one_error(capsys.readouterr().err)
        assert f"stopped by {number.name} at step {at} of 9; the next run goes on from there (checkpoint of " in said
        assert [path.name for path in kept(place)] == [f"step-{at}"]
        assert list((place / "results/models/tiny" / name / "d0t0").iterdir()) == []
    assert train(name, **settings) == 0
    undisturbed, resumed = manifest(place, "undisturbed"), manifest(place, name)
    assert (undisturbed.pop("resumed_at"), resumed.pop("resumed_at")) == ([], [2, 3, 8])
    for one in (undisturbed, resumed):
        one["selection"].pop("seconds", None)
    assert {key: value for key, value in resumed.items() if key not in BYTHEWAY} == {
        key: value for key, value in undisturbed.items() if key not in BYTHEWAY
    }
    assert "goes on from step 8" in capsys.readouterr().out


def killed(action: Callable[[], None], monkeypatch: pytest.MonkeyPatch, at: int = 2) -> None:
    """Have something happen in a step of a training."""
    from pinch.finetune.trainer import PackedTrainer

    step = PackedTrainer.training_step

    def stopped(self: Any, *arguments: Any) -> Any:
        if self.state.global_step + 1 == at:
            action()
        return step(self, *arguments)

    monkeypatch.setattr(PackedTrainer, "training_step", stopped)


def test_a_damaged_checkpoint_is_named_and_not_used(
    place: Path, train: Callable[..., int], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with monkeypatch.context() as patch:
        killed(lambda: os.kill(os.getpid(), signal.SIGTERM), patch)
        assert train("damaged", epochs=1) == 1
    (folder,) = kept(place)
    with (folder / "training" / "optimizer.pt").open("r+b") as file:
        file.seek(2000)
        byte = file.read(1)
        file.seek(2000)
        file.write(bytes([byte[0] ^ 1]))
    capsys.readouterr()
    assert train("damaged", epochs=1) == 0
    assert "optimizer.pt is not as it was written; this checkpoint is not used" in capsys.readouterr().out
    assert manifest(place, "damaged")["resumed_at"] == []


def test_now_and_then_a_checkpoint_is_kept_for_who_is_killed(
    place: Path, train: Callable[..., int], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing can be done at a kill -9, nor at a fault: what goes on is the last one that there was time for."""

    def fault() -> None:
        raise MemoryError("no room")

    with monkeypatch.context() as patch:
        killed(fault, patch, at=3)
        assert train("now and then", {"checkpoint_minutes": 1e-6}, epochs=1) == 1
    assert re.findall(r"step (\d)/3: checkpoint of [\d.]+ MB in", capsys.readouterr().out) == ["1", "2"]
    assert [path.name for path in kept(place)] == ["step-2"]
    # How often they are kept is not what weights depend on.
    assert train("now and then", epochs=1) == 0
    assert manifest(place, "now and then")["resumed_at"] == [2]


@pytest.mark.long
def test_other_settings_do_not_go_on_from_there(
    place: Path, train: Callable[..., int], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        killed(lambda: os.kill(os.getpid(), signal.SIGTERM), patch)
        assert train("as it was", epochs=1) == 1
    assert train("otherwise", epochs=1, lr=1e-3) == 0
    assert manifest(place, "otherwise")["resumed_at"] == []
    assert train("as it was", epochs=1) == 0


def test_a_second_signal_stops_at_once_and_keeps_nothing(
    place: Path, train: Callable[..., int], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from pinch import stopping

    monkeypatch.setattr(stopping, "ECHO", 0.0)

    def twice() -> None:
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)

    killed(twice, monkeypatch)
    assert train("twice", epochs=1) == 1
    assert "stopped by SIGINT; what was finished is kept" in one_error(capsys.readouterr().err)
    assert not kept(place)


def test_a_full_disk_stops_no_training(
    place: Path, train: Callable[..., int], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import transformers

    def full(*arguments: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(transformers.Trainer, "_save_checkpoint", full)
    assert train("full disk", {"checkpoint_minutes": 1e-6}, epochs=1) == 0
    assert "step 1/3: its state could not be written ([Errno 28] No space left on device)" in capsys.readouterr().out


SIGNALLED = """
import os, signal, sys
from pinch import check
from pinch.__main__ import main
from pinch.errors import PinchError
from pinch.experiment import Experiment
from pinch.finetune.trainer import PackedTrainer
step = PackedTrainer.training_step
def signalled(self, *arguments):
    if self.state.global_step == 1:
        os.killpg(0, signal.SIGTERM)
    return step(self, *arguments)
PackedTrainer.training_step = signalled
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.long
def test_the_whole_job_is_signalled_and_its_log_dies_first(place: Path, tmp_path: Path) -> None:
    """As a scheduler does it: shell, `tee` and training at once. The training outlives them by its checkpoint."""
    command = link(
        "finetune",
        base=place / "results/base_models/tiny.json",
        mixture=place / "results/mixtures/en8+es4/d0.jsonl",
        settings=json.dumps(TINY | {"dtype": "float32"}),
        cache=tmp_path / "cache",
        weights=tmp_path / "weights",
        manifest=tmp_path / "manifest.json",
    )
    line = shlex.join([sys.executable, "-c", SIGNALLED, *command]) + f" 2>&1 | tee {shlex.quote(str(tmp_path / 'log'))}"
    done = subprocess.run(["bash", "-c", line], start_new_session=True, check=False, stdout=subprocess.DEVNULL)
    assert done.returncode == -signal.SIGTERM, "bash dies of it, and so does tee"
    end = time.monotonic() + 60
    while not (found := list(tmp_path.glob("cache/checkpoints/*/step-2/checkpoint.json"))) and time.monotonic() < end:
        time.sleep(0.1)
    assert found
    assert main(command) == 0
    assert read_json(tmp_path / "manifest.json")["resumed_at"] == [2]


def test_how_a_training_is_kept_and_where_it_runs_is_no_reason_to_train_again(run: Run) -> None:
    file = str(REPO / "workflow/accelerate/ddp.yaml")
    run.edit(lambda config: config["finetune"].update(checkpoint_minutes=5, accelerate=file))
    assert run.jobs() == {}
    told = run.make("--dry-run", "--forcerun", "finetune")
    block = told[told.index("rule finetune:") :].split("\n\n")[0]
    assert "gpu=2" in block
    run.edit(lambda config: config["designs"][1].update(finetune={"checkpoint_minutes": 1}))
    with pytest.raises(PinchError, match=r"finetune.checkpoint_minutes: holds for all training sets; move it to the s"):
        Experiment(check.parse(run.config))


@pytest.mark.long
def test_a_run_that_is_signalled_goes_on_with_its_training(run: Run) -> None:
    """All of its processes at once, as at the end of a job's time: Snakemake, the shell, `tee` and the training."""
    run.edit(lambda config: config["finetune"].update(steps=600))
    weights = "its results/models/tiny/en12/d0t0/weights"
    log = run.folder / "its results/logs/finetune/tiny/en12/d0t0.log"
    log.unlink()
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(REPO / "Snakefile"), "--configfile", "tiny.yaml"]
    process = subprocess.Popen(
        [*command, "--cores=2", weights],
        cwd=run.folder,
        start_new_session=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    try:
        end = time.monotonic() + 120
        while not (log.is_file() and "finetune: step " in log.read_text()) and time.monotonic() < end:
            time.sleep(0.1)
        os.killpg(process.pid, signal.SIGTERM)
        process.communicate(timeout=120)
    finally:
        process.kill()
    assert process.returncode != 0
    assert re.search(r"finetune: error: stopped by SIGTERM at step \d+ of 600; the next run goes on", log.read_text())
    assert not (run.folder / weights).exists()
    run.make(weights)
    assert "finetune: goes on from step " in log.read_text()
    assert len(read_json((run.folder / weights).with_name("manifest.json"))["resumed_at"]) == 1
