"""A training that is stopped and goes on: the same curve, weights and selection as one that nobody disturbed."""

import json
import os
import re
import signal
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from pinch.__main__ import main
from pinch.rows import read_json, write_rows

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


@pytest.fixture
def signals(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Have this process signalled in its forward passes of these numbers, counted from here on."""
    from pinch.finetune.forward import Forward

    loss = Forward.loss

    def at(passes: Sequence[int], number: signal.Signals = signal.SIGTERM) -> None:
        left = iter(range(10_000))

        def signalled(self: Any, rows: Any, count: Any) -> Any:
            if self.training_passes and next(left) in passes:
                os.kill(os.getpid(), number)
            return loss(self, rows, count)

        monkeypatch.setattr(Forward, "loss", signalled)

    return at


@pytest.mark.parametrize(
    "settings",
    [{}, {"method": "full", "select": "loss", "checkpoints": 5, "schedule": "linear"}],
    ids=["lora", "full, selected"],
)
def test_stopped_again_and_again_it_ends_as_if_nobody_had(
    place: Path,
    train: Callable[..., int],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    request: pytest.FixtureRequest,
    settings: dict[str, Any],
) -> None:
    """By SIGTERM amid step 2, by Ctrl-C between two micro-batches of step 3, the last of an epoch, and by the scheduler in step 8."""
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
        assert re.search(
            rf"stopped by {number.name} at step {at} of 9; the next run goes on from there \(checkpoint of [\d.]+ MB in",
            said,
        )
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
