"""Both sides of judging through an endpoint: our command, and AlpacaEval in an environment of its own."""

import json
import os
import signal
import subprocess
import sys
import time
import venv
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from harness import ROOT
from loopback import Loopback

ALPACA_EVAL = "0.6.6"

ANNOTATOR = "weighted_alpaca_eval_gpt4_turbo"
"""AlpacaEval's default: one token with log probabilities a pair."""

ENVIRONMENTS = ROOT / ".cache" / "benchmarks"

IDENTICAL = 50
"""Of so many pairs one is of identical responses: the 2 % that a run of the quickstart has (10 of 640)."""

Pair = dict[str, str]
"""instruction, output_1 (the candidate's) and output_2 (the baseline's)."""


def pairs(count: int) -> list[Pair]:
    """Instructions and responses of the seed data in all its languages, each against another instruction's response."""
    seed = ROOT / "resources" / "seed"
    files = sorted([*seed.glob("*.jsonl"), *seed.glob("memory/*.jsonl")])
    rows = [json.loads(line) for file in files for line in file.read_text(encoding="utf-8").split("\n") if line]
    found = []
    for number in range(count):
        turn, place = divmod(number, len(rows))
        other = rows[place if number % IDENTICAL == 0 else (place + 1 + turn) % len(rows)]
        # More pairs than there are instructions are of the same ones, numbered.
        instruction = rows[place]["instruction"] + (f" ({turn})" if turn else "")
        found.append({"instruction": instruction, "output_1": rows[place]["response"], "output_2": other["response"]})
    return found


def asked(some: Sequence[Pair]) -> int:
    """Pairs of different responses."""
    return sum(pair["output_1"] != pair["output_2"] for pair in some)


@dataclass(frozen=True)
class Judged:
    """What one side did."""

    calls: int
    """That came to the endpoint."""
    decided: int
    """Pairs with a verdict in every order asked for."""
    seconds: float
    """From the first call to the last answer, as the endpoint saw them."""
    whole: float
    """Of the process, from its start to its end."""
    most_in_flight: int


class Ours:
    """`python -m pinch judge` on pairs, in both orders."""

    def __init__(self, folder: Path, some: Sequence[Pair], **settings: Any) -> None:
        """`folder` is made, with the cell and a cache of its own."""
        self.folder = folder
        self.settings = {"engine": "openai", "model": "gpt-4-1106-preview"} | settings
        self.pairs = len(some)
        folder.mkdir(parents=True)
        for name in ("candidate", "baseline", "prompts"):
            (folder / f"{name}.jsonl").write_text(
                "".join(json.dumps(_row(name, number, pair)) + "\n" for number, pair in enumerate(some)),
                encoding="utf-8",
            )

    def start(self, endpoint: Loopback) -> subprocess.Popen[str]:
        """The command."""
        files = [f"--{name}={self.folder / name}.jsonl" for name in ("candidate", "baseline", "prompts")]
        settings = json.dumps(self.settings | {"base_url": endpoint.url})
        where = [f"--cache={self.folder / 'cache'}", f"--output={self.folder / 'verdicts.jsonl'}"]
        return _start(
            self.folder,
            [sys.executable, "-m", "pinch", "judge", *files, "--lang=en", f"--settings={settings}", *where],
            PYTHONPATH=str(ROOT / "workflow"),
        )

    def decided(self, _: str) -> int:
        """Of what was written, the pairs with two valid verdicts."""
        lines = (self.folder / "verdicts.jsonl").read_text(encoding="utf-8").splitlines()
        invalid = {row["id"] for row in map(json.loads, lines) if row["winner"] == "invalid"}
        return self.pairs - len(invalid)


class AlpacaEval:
    """The package, by its Python API, in one order as it does by default or in both."""

    def __init__(self, folder: Path, some: Sequence[Pair], concurrency: int | None = None, both: bool = True) -> None:
        """`concurrency`: its own default unless given."""
        self.folder = folder
        self.concurrency = concurrency
        self.both = both
        folder.mkdir(parents=True)
        (folder / "pairs.jsonl").write_text("".join(json.dumps(pair) + "\n" for pair in some), encoding="utf-8")

    def start(self, endpoint: Loopback) -> subprocess.Popen[str]:
        """The command."""
        client = self.folder / "client.yaml"
        client.write_text(json.dumps({"default": [{"api_key": "none", "base_url": endpoint.url}]}), encoding="utf-8")
        files = [str(self.folder / "pairs.jsonl"), ANNOTATOR, str(self.folder / "annotations.json")]
        script = str(ROOT / "benchmarks" / "alpaca_eval_judge.py")
        limit = {"OPENAI_MAX_CONCURRENCY": str(self.concurrency)} if self.concurrency else {}
        return _start(
            self.folder,
            [str(environment()), script, *files, *(["--swapped"] if self.both else [])],
            OPENAI_CLIENT_CONFIG_PATH=str(client),
            **limit,
        )

    def decided(self, said: str) -> int:
        """As it says."""
        return int(json.loads(said.splitlines()[-1])["decided"])


Side = Ours | AlpacaEval


def judged(side: Side, endpoint: Loopback) -> Judged:
    """Run one side to its end. Raises RuntimeError with what it said where it fails."""
    endpoint.seen()
    started = time.perf_counter()
    said = _ended(side, side.start(endpoint))
    whole, seen = time.perf_counter() - started, endpoint.seen()
    return Judged(seen["calls"], side.decided(said), seen["seconds"], whole, seen["most_in_flight"])


def judged_in_spite_of_a_kill(side: Side, endpoint: Loopback, at: int) -> Judged:
    """The same, killed when the endpoint has had so many calls, and run again."""
    endpoint.seen()
    started = time.perf_counter()
    process = side.start(endpoint)
    while endpoint.calls() < at and process.poll() is None:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    said = _ended(side, side.start(endpoint))
    whole, seen = time.perf_counter() - started, endpoint.seen()
    return Judged(seen["calls"], side.decided(said), seen["seconds"], whole, seen["most_in_flight"])


def _row(name: str, number: int, pair: Pair) -> dict[str, Any]:
    row = {"id": f"p{number}", "lang": "en", "instruction": pair["instruction"]}
    if name == "prompts":
        return row | {"response": None, "source": pair["instruction"], "engine": "memory"}
    response = pair["output_1" if name == "candidate" else "output_2"]
    return row | {"response": response, "finish_reason": "stop", "n_tokens": 1}


def _start(folder: Path, command: list[str], **environment: str) -> "subprocess.Popen[str]":
    # To files: a pipe that nobody reads would stop a process that says much.
    with (folder / "said").open("w") as said, (folder / "log").open("a") as log:
        return subprocess.Popen(command, stdout=said, stderr=log, text=True, env=os.environ | environment)


def _ended(side: Side, process: "subprocess.Popen[str]") -> str:
    process.wait()
    said, log = ((side.folder / name).read_text(encoding="utf-8") for name in ("said", "log"))
    if process.returncode:
        raise RuntimeError(f"{process.args!r}\n{said[-2000:]}\n{log[-2000:]}")
    return said


def environment() -> Path:
    """An interpreter that has AlpacaEval, with our version of the client; made when it is first needed."""
    folder = ENVIRONMENTS / f"alpaca-eval-{ALPACA_EVAL}"
    python = folder / "bin" / "python"
    done = folder / "installed"
    if not done.is_file():
        venv.create(folder, with_pip=True, clear=True)
        wanted = [f"alpaca-eval=={ALPACA_EVAL}", f"openai=={version('openai')}"]
        made = subprocess.run(
            [python, "-m", "pip", "install", "--quiet", *wanted], capture_output=True, text=True, check=False
        )
        if made.returncode:
            raise RuntimeError(f"AlpacaEval {ALPACA_EVAL} cannot be installed: {made.stderr[-1000:]}")
        done.touch()
    return python
