"""Experiments to measure whole runs on, and the commands that their jobs consist of."""

import json
import os
import re
import shlex
import sys
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import where_time_goes
import yaml
from harness import ROOT, Process, run

sys.path.insert(0, str(ROOT))  # its tests have an endpoint that answers as it is told
from tests.chat_endpoint import Said, body, serving

SEED = ROOT / "resources" / "seed"
LATENCY = 0.2
"""Of the endpoint of the tiny experiment, in seconds."""
LEAVING = ExitStack()
"""What is closed at the end; by who has started it, as no interpreter ends while a server's thread runs."""
RULE = re.compile(r"^(?:local)?rule (\w+):$")


@dataclass(frozen=True)
class Command:
    """What a job runs."""

    rule: str
    arguments: list[str]
    """After `python -m pinch`."""
    outputs: list[Path]
    """As the rule names them, from the folder of the run."""


def commands(listing: str) -> list[Command]:
    """The commands that `snakemake --dry-run --printshellcmds` lists, in an order in which they can run."""
    found = []
    rule, outputs = "", ""
    for line in listing.split("\n"):
        if said := RULE.match(line):
            rule = said[1]
        elif line.startswith("    output: "):
            outputs = line.removeprefix("    output: ")
        elif line.startswith("Shell command: "):
            # What the shell does besides, a copy of the output to a log, is left out.
            plain = line.removeprefix("Shell command: ").rsplit(" 2>&1 | tee ", 1)[0]
            words = shlex.split(plain)
            if words[:3] == ["python", "-m", "pinch"]:
                found.append(Command(rule, words[3:], [Path(path) for path in outputs.split(", ")]))
    return found


@dataclass(frozen=True)
class Experiment:
    """A folder with a config in it, run with the cache and results that the config names."""

    folder: Path
    config: str = "config.yaml"

    def read(self) -> dict[str, Any]:
        """The config."""
        found: dict[str, Any] = yaml.safe_load((self.folder / self.config).read_text(encoding="utf-8"))
        return found

    def write(self, config: dict[str, Any]) -> None:
        """The config."""
        text = yaml.safe_dump(config, sort_keys=False, allow_unicode=True)
        (self.folder / self.config).write_text(text, encoding="utf-8")

    def snakemake(self, *arguments: str, environment: Mapping[str, str] | None = None) -> Process:
        """Run, with all cores. Raises RuntimeError with what it said where it fails."""
        command: list[str | Path] = [
            sys.executable,
            "-m",
            "snakemake",
            "--snakefile",
            ROOT / "Snakefile",
            "--configfile",
            self.config,
        ]
        offline = {"HF_HUB_OFFLINE": "1"} | dict(environment or {})
        return run([*command, "--cores", "all", *arguments], self.folder, offline)

    def jobs(self) -> tuple[list[where_time_goes.Job], float]:
        """Those of the last run, and its seconds."""
        log = where_time_goes.newest_log(self.folder)
        jobs, began, total = where_time_goes.read_log(log.read_text(encoding="utf-8").split("\n"))
        where_time_goes.refine(jobs, began, self.folder / ".snakemake" / "metadata")
        return jobs, total

    def seconds_by_rule(self) -> dict[str, float]:
        """Of the last run, by rule, as where_time_goes divides them."""
        jobs, total = self.jobs()
        return {rule: round(seconds, 2) for rule, seconds in where_time_goes.shares(jobs, total).items()}

    def commands(self, *arguments: str) -> list[Command]:
        """Those of all jobs, or of the targets in `arguments`."""
        return commands(self.snakemake("--dry-run", "--forceall", "--printshellcmds", *arguments).output)

    def environment(self) -> dict[str, str]:
        """What the workflow sets for its jobs."""
        path = os.pathsep.join([str(ROOT / "workflow"), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep)
        return {"PYTHONPATH": path, "PINCH_CACHE": str(self.folder / self.read()["cache"]), "HF_HUB_OFFLINE": "1"}


def seed_texts() -> list[str]:
    """Instructions and responses of the seed data, in all languages."""
    files = sorted([*SEED.glob("*.jsonl"), *SEED.glob("memory/*.jsonl")])
    rows = [json.loads(line) for file in files for line in file.read_text(encoding="utf-8").split("\n") if line]
    return [row[field] for row in rows for field in ("instruction", "response")]


class Endpoint:
    """Translates into Spanish what it knows, and prefers the first of any two responses, always after LATENCY."""

    def __init__(self) -> None:
        self.translations = self.verdicts = 0
        self.known = known_translations("es")

    def answer(self, number: int, asked: dict[str, Any]) -> Said:
        """What chat_endpoint says to a call."""
        time.sleep(LATENCY)
        keys = asked["response_format"]["json_schema"]["schema"]["required"]
        if keys[0] not in ("instruction", "text"):
            self.verdicts += 1
            return body(json.dumps(dict.fromkeys(keys, "A")))
        self.translations += 1
        prompt = asked["messages"][0]["content"]
        texts = json.JSONDecoder().raw_decode(prompt[prompt.rindex("{\n") :])[0]
        said = {key: self.known.get(text, text) for key, text in texts.items()}
        return body(json.dumps(said, ensure_ascii=False))


def known_translations(lang: str) -> dict[str, str]:
    """The seed data's own, of whole texts."""
    rows = [json.loads(line) for file in SEED.glob(f"memory/*.{lang}.jsonl") for line in file.open(encoding="utf-8")]
    return {row[f"source_{key}"]: row[key] for row in rows for key in ("instruction", "response") if row.get(key)}


def tiny_config(model: Path, url: str) -> dict[str, Any]:
    """Three training sets in two columns, with a random model, 4 prompts a cell, and every kind of light job.

    `url`: of the endpoint that translates and is a judge; another is the rubric, and the third the jury of both.
    """
    return {
        "results": "results",
        "cache": "cache",
        "base_models": [{"path": str(model), "name": "tiny"}],
        "pivot": "en",
        "languages": ["en", "es"],
        "data": {"train": str(SEED / "train.en.jsonl"), "eval": str(SEED / "eval.en.jsonl")},
        "translate": {
            "engines": [{"engine": "llm", "base_url": url, "model": "any", "concurrency": 8}],
            "gate": {"limit": 100},
        },
        "mixture": {"rows": 12},
        "designs": [
            {"design": "monolingual", "languages": ["en", "es"]},
            {"design": "pinch", "languages": ["en", "es"], "percent": [50]},
        ],
        "evaluation": {"languages": ["en", "es"], "prompts": 4},
        "finetune": {"lr": 5e-3, "lora_rank": 4, "max_length": 192},
        "generate": {"max_new_tokens": 8},
        "judges": [
            {"engine": "rubric", "name": "rubric"},
            {"engine": "openai", "name": "endpoint", "base_url": url, "model": "any"},
            {"engine": "jury", "name": "jury", "members": ["rubric", "endpoint"]},
        ],
    }


@lru_cache(maxsize=1)
def scratch() -> Path:
    """A folder for this process, which leaves with it."""
    return Path(LEAVING.enter_context(TemporaryDirectory(prefix="pinch-benchmark-")))


@lru_cache(maxsize=1)
def tiny_model() -> Path:
    """A language model of 40,000 parameters, written by another process: this one needs no torch."""
    folder = scratch() / "model"
    code = (
        "import sys; sys.path[:0] = sys.argv[1:3]\n"
        "from pathlib import Path; from whole_runs import seed_texts; from pinch.rehearse import tiny_model\n"
        "tiny_model.write(Path(sys.argv[3]), seed_texts())"
    )
    run([sys.executable, "-c", code, ROOT / "benchmarks", ROOT / "workflow", folder])
    return folder


@dataclass(frozen=True)
class Tiny:
    """The tiny experiment, finished; comparisons share it, and leave it finished."""

    experiment: Experiment
    endpoint: Endpoint
    first: Process
    """Its first run."""
    by_rule: dict[str, float]
    """Its seconds."""
    asked: tuple[int, int]
    """Translations and verdicts that the endpoint was asked for in it."""


@lru_cache(maxsize=1)
def tiny() -> Tiny:
    """Run it, once a process."""
    endpoint = Endpoint()
    url = LEAVING.enter_context(serving(endpoint.answer)).url
    made = Experiment(scratch() / "tiny")
    made.folder.mkdir()
    made.write(tiny_config(tiny_model(), url))
    first = made.snakemake()
    return Tiny(made, endpoint, first, made.seconds_by_rule(), (endpoint.translations, endpoint.verdicts))
