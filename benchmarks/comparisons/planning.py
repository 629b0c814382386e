"""Planning (`snakemake -n`) against a bare DAG of as many cells: the same chain without params, logs and checks.

Nothing has run in either: every job is planned, its inputs found, its command put together.
"""

import sys
import tempfile
from pathlib import Path
from typing import Any

from harness import ROOT, Measured, Process, in_turn, run
from sizes import LANGUAGES, write

ROUNDS = 3
SIZES = {1_080: None, 18_000: 1}
"""Cells, and how many rounds at most: 18,000 take a minute a side."""

NOTE = "docs/scale.md has the cause, feature by feature."
QUIET = ("-n", "--quiet", "all", "--cores", "2")


def ours(folder: Path, cells: int) -> Process:
    """Plan the workflow."""
    config = write(folder, cells)
    snakemake = [sys.executable, "-m", "snakemake", "--snakefile", ROOT / "Snakefile"]
    return run([*snakemake, "--configfile", config.name, *QUIET], cwd=folder)


def bare(folder: Path, cells: int) -> Process:
    """Plan the bare DAG."""
    size = [f"models={cells // len(LANGUAGES)}", f"languages={len(LANGUAGES)}"]
    snakemake = [sys.executable, "-m", "snakemake", "--snakefile", ROOT / "benchmarks" / "bare_dag.smk"]
    return run([*snakemake, "--config", *size, *QUIET], cwd=folder)


def compare(gpu: bool, rounds: int) -> list[Measured]:
    """Seconds and peak memory of both, at both sizes; a GPU changes nothing."""
    found = []
    for cells, most in SIZES.items():
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            (folder / "bare").mkdir()
            done: tuple[list[Process], list[Process]] = ([], [])

            def planned(side: int, cells: int = cells, folder: Path = folder, done: Any = done) -> float:
                process = ours(folder / "ours", cells) if side == 0 else bare(folder / "bare", cells)
                done[side].append(process)
                return process.seconds

            seconds = in_turn(lambda: planned(0), lambda: planned(1), min(rounds, most or rounds))
        peaks = ([process.peak_mb for process in side] for side in done)
        found.append(Measured(f"planning, {cells:,} cells", "bare DAG", "s", *seconds, at_most=1.3, note=NOTE))
        found.append(Measured(f"memory of planning, {cells:,} cells", "bare DAG", "MB", *peaks, at_most=1.5))
    return found
