"""A small experiment in a folder of its own, with a judge and a translator of this machine that count what they answer.

Two training sets or one in two languages: real jobs, real trainings, of a model of 40,000 parameters.
"""

import hashlib
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.chat_endpoint import Endpoint, Said, body, serving
from tests.harness import REPO, SEED, Run
from tests.libre_server import LibreServer

JUDGE_CONCURRENCY, TRANSLATOR_CONCURRENCY = 4, 2

ROOM = 2 * JUDGE_CONCURRENCY + TRANSLATOR_CONCURRENCY
"""Calls that may be under way at any time: in flight, or come and not yet on the disk."""

SCORES = ("scores/scores.csv", "scores/scores.parquet")
FIGURE = ("figures/heatmap-tiny-ours.png",)
"""What is asked for: the scores with all that they are made of and, of the larger experiment, a figure."""

SITE = {"PYTHONPATH": f"{Path(__file__).parent / 'durable'}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"}
"""Has tests/faults/durable/sitecustomize.py imported by the processes of a run."""

LATENCY = 0.05
"""Seconds for one call, so that a kill can meet some."""


def config(folder: Path, model: Path, judge_url: str, libre_url: str, sets: int) -> dict[str, Any]:
    """With two sets, their models are the baselines in two languages.

    With one, which is less work, the untuned model is the baseline, in one language.
    """
    (folder / "no-labels.jsonl").write_text("", encoding="utf-8")
    for split, rows in (("train", 8), ("eval", 4)):
        lines = (SEED / f"{split}.en.jsonl").read_text(encoding="utf-8").split("\n")[:rows]
        (folder / f"{split}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    judge = {"engine": "openai", "name": "ours", "base_url": judge_url, "model": "m", "usd_per_million_tokens": [1, 2]}
    return {
        "results": "its results",
        "cache": "its cache",
        "base_models": [{"path": str(model), "name": "tiny"}],
        "languages": ["en", "es"],
        "data": {"train": "train.jsonl", "eval": "eval.jsonl"},
        "translate": {
            "engines": [
                {
                    "engine": "libre",
                    "base_url": libre_url,
                    "requests_per_second": 100,
                    "concurrency": TRANSLATOR_CONCURRENCY,
                    "retries": 1,
                }
            ],
            "gate": {"limit": 100},
        },
        "designs": [
            {"design": "monolingual", "languages": ["en", "es"][:sets]},
            *([{"design": "untuned"}] if sets == 1 else []),
        ],
        "judge": {"baseline": "untuned" if sets == 1 else "monolingual"},
        "finetune": {"lr": 5e-3, "lora_rank": 4, "max_length": 192},
        "generate": {"max_new_tokens": 8},
        "judges": [judge | {"max_usd": 1, "concurrency": JUDGE_CONCURRENCY, "retries": 2, "timeout": 20}],
        "evaluation": {"languages": ["en", "es"] if sets == 2 else ["es"]},
        "audit": {"repeats": 2} if sets == 2 else {"labelled": "no-labels.jsonl", "contrast": 6, "repeats": 2},
        "aggregate": {"resamples": 200},
        "plot": {"dpi": 50},
    }


@dataclass
class Asked:
    """What endpoints have been asked, in all runs of a place."""

    judge: Endpoint
    libre: LibreServer

    def __len__(self) -> int:
        return len(self.judge.asked) + len(self.libre.asked)


@dataclass
class Place(Run):
    """A folder, its endpoints, and the runs that were started in it."""

    asked: Asked
    sets: int = 2
    targets: Sequence[str] = SCORES
    environment: dict[str, str] = field(default_factory=dict)
    lost_calls: int = 0
    """Answered, and not on the disk when the run died: those of all kills so far."""
    beyond: int = 0
    """Of them, those that no kill explains: more than may be under way at a time."""

    def start(self, *arguments: str, log: str = "output.txt") -> "subprocess.Popen[bytes]":
        """A run, in a process group of its own, its output in `log`."""
        command = [sys.executable, "-m", "snakemake", "--snakefile", str(REPO / "Snakefile")]
        command += ["--cores=2", "--configfile", "tiny.yaml", *arguments]
        # One core is enough for a tiny model, and two of them then run side by side.
        command += ["--set-threads", "base_model=1", "finetune=1", "generate=1"]
        command += ["--", *(f"{self.config['results']}/{target}" for target in self.targets)]
        with (self.folder / log).open("ab") as output:
            return subprocess.Popen(
                command,
                cwd=self.folder,
                env=os.environ | {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"} | self.environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def finish(self, *arguments: str, limit: float = 1200) -> str:
        """Run until it ends by itself; what it said. Raises Failed where it did not end well."""
        said_before = self.said()
        process = self.start(*arguments)
        try:
            code = process.wait(limit)
        except subprocess.TimeoutExpired:
            kill(process)
            raise Failed(f"no end within {limit:g} s") from None
        said = self.said()[len(said_before) :]
        if code:
            raise Failed(said)
        return said

    def said(self) -> str:
        path = self.folder / "output.txt"
        return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""

    def kept(self) -> int:
        """Replies on the disk, of both endpoints."""
        cache = self.folder / self.config["cache"]
        return sum(_count(cache / name) for name in ("judge_replies.sqlite", "translations.sqlite"))

    def count_lost(self) -> None:
        """After a kill: what was asked and is not kept."""
        # What is still on the way to a dead client is counted when it is asked for; the servers have it by then.
        lost = len(self.asked) - self.kept() - self.lost_calls
        self.lost_calls += lost
        self.beyond += max(0, lost - ROOM)


class Failed(Exception):
    """A run that did not end well; what it said."""


def kill(process: "subprocess.Popen[bytes]", how: signal.Signals = signal.SIGKILL) -> None:
    """The whole process group at once, and wait for its end."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, how)
    process.wait()


def killed_after(place: Place, seconds: float | None, calls: int | None) -> bool:
    """Start a run and kill it after so many seconds, or at its so-manieth call; whether it was still at work."""
    process = place.start()
    started, asked = time.monotonic(), len(place.asked)
    while process.poll() is None:
        over = seconds is not None and time.monotonic() - started >= seconds
        if over or (calls is not None and len(place.asked) - asked >= calls):
            kill(process)
            place.count_lost()
            return True
        time.sleep(0.003)
    if process.returncode:
        raise Failed(place.said())
    return False


def _count(path: Path) -> int:
    if not path.is_file():
        return 0
    with closing(sqlite3.connect(path, timeout=60)) as database:
        try:
            return int(database.execute("SELECT count(*) FROM replies").fetchone()[0])
        except sqlite3.OperationalError:  # killed before there was a table
            return 0


def verdict(_: int, asked: dict[str, Any]) -> Said:
    """By the prompt alone, so that every run hears the same, whichever it asks first."""
    time.sleep(LATENCY)
    text = asked["messages"][0]["content"]
    return body("AB"[int(hashlib.sha256(text.encode()).hexdigest(), 16) % 2])


@contextmanager
def place(
    folder: Path, model: Path, sets: int = 2, answer: Callable[[int, dict[str, Any]], Said | None] = verdict
) -> Iterator[Place]:
    """A new experiment, its endpoints up."""
    folder.mkdir(parents=True)
    with serving(answer) as judge, LibreServer(latency=LATENCY) as libre:
        made = Place(folder, Asked(judge, libre), sets, SCORES + FIGURE if sets == 2 else SCORES)
        made.write(config(folder, model, judge.url, libre.url, sets))
        yield made
