"""A real run of the workflow in a folder of its own, and what a next run would do."""

import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

REPO = Path(__file__).parents[1]
SEED = REPO / "resources" / "seed"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")


def tiny_config(model: Path) -> dict[str, Any]:
    """Three rows and two columns; the Spanish baseline is trained although it is no row, Russian is not needed."""
    return {
        "results": "its results",
        "cache": "its cache",
        "base_models": [{"path": str(model), "name": "tiny"}],
        "pivot": "en",
        "languages": ["en", "es", "ru"],
        "data": {"train": str(SEED / "train.en.jsonl"), "eval": str(SEED / "eval.en.jsonl")},
        "translate": {"memory": str(SEED / "memory" / "{split}.{lang}.jsonl")},
        "mixture": {"rows": 12},
        "designs": [
            {"design": "monolingual", "languages": ["en"]},
            {"design": "pinch", "languages": ["en", "es"], "percent": [50]},
            {"design": "untuned"},
        ],
        "evaluation": {"languages": ["en", "es"], "prompts": 4},
        "finetune": {"lr": 5e-3, "lora_rank": 4, "max_length": 192},
        "generate": {"max_new_tokens": 8},
        "judges": [{"engine": "rubric", "name": "rubric"}],
        "aggregate": {"resamples": 200},
        "plot": {"dpi": 50},
    }


@dataclass
class Run:
    """A folder with a config and what was made of it."""

    folder: Path

    @property
    def results(self) -> Path:
        return self.folder / self.config["results"]

    @property
    def config(self) -> dict[str, Any]:
        return yaml.safe_load((self.folder / "tiny.yaml").read_text(encoding="utf-8"))

    def write(self, config: dict[str, Any]) -> None:
        text = yaml.safe_dump(config, sort_keys=False, allow_unicode=True)
        (self.folder / "tiny.yaml").write_text(text, encoding="utf-8")

    def edit(self, change: Callable[[dict[str, Any]], None]) -> None:
        """Change the config, as a user would in an editor."""
        config = self.config
        change(config)
        self.write(config)

    def copy(self, folder: Path) -> "Run":
        """The same folder elsewhere, times and Snakemake's own records included."""
        shutil.copytree(self.folder, folder)
        return Run(folder)

    def snakemake(
        self, *arguments: str, config: str = "tiny.yaml", cores: str = "--cores=2", **environment: str
    ) -> subprocess.CompletedProcess[str]:
        # --configfile takes all that follows it up to the next option, so it does not stand last.
        command = [sys.executable, "-m", "snakemake", "--snakefile", str(REPO / "Snakefile")]
        command += ["--configfile", config, *filter(None, [cores])]
        return subprocess.run(
            [*command, *arguments],
            cwd=self.folder,
            env=os.environ | {"HF_HUB_OFFLINE": "1"} | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )

    def make(self, *arguments: str, **environment: str) -> str:
        """Really run; the output."""
        done = self.snakemake(*arguments, **environment)
        assert done.returncode == 0, done.stdout
        return done.stdout

    def jobs(self, *arguments: str) -> Counter[str]:
        """What a run would do: jobs by rule, the target rule left out."""
        return job_counts(self.make("--dry-run", *arguments))

    def planned(self, *arguments: str) -> set[str]:
        """The files that a run would make, below results, without those of the fan-in."""
        lines = re.findall(r"^    output: (.*)$", self.make("--dry-run", *arguments), re.MULTILINE)
        files = {file.removeprefix(f"{self.config['results']}/") for line in lines for file in line.split(", ")}
        fan_in = ("scores/", "figures/", "explorer/", "answers/", "audits/", "translations/report.")
        return {file for file in files if not file.startswith(fan_in)}


def job_counts(output: str) -> Counter[str]:
    """Jobs by rule, from the table that Snakemake prints; none where it has nothing to do."""
    table = re.search(r"^job +count\n-[- ]*\n(.*?)^total ", output, re.MULTILINE | re.DOTALL)
    if table is None:
        assert "Nothing to be done" in output, output
        return Counter()
    counts = Counter({name: int(count) for name, count in (line.split() for line in table[1].splitlines())})
    del counts["all"]
    return counts


def snapshot(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Time and content of every file below a folder."""
    return {
        path.relative_to(folder).as_posix(): (path.stat().st_mtime_ns, path.read_bytes())
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
