"""How planning grows: time and memory of `snakemake -n` before anything has run, and of a run where nothing is left.

    python benchmarks/scale.py                      # 1,080, 5,400, 18,000 and 50,400 cells: half an hour on 2 cores
    python benchmarks/scale.py 1080 5400            # some of them; the others keep their place in the table
    python benchmarks/scale.py --switches 5400      # what each switch of Snakemake changes at that size
    python benchmarks/scale.py --directives 5400    # what each directive of the rules costs there

A finished experiment is made without its work: the files that a dry run names are created empty, then `snakemake
--touch` goes through every job and records its inputs, params and command as a real run does. So what a run finds there
(files, times, records of provenance) is what it would find after months of training. Results go to
benchmarks/results/scale.json and the table to scale.md beside it.
"""

import argparse
import json
import math
import re
import resource
import shutil
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import directives
from bench import RESULTS, machine, versions
from harness import ROOT, run
from sizes import LANGUAGES, write

SIZES = (1_080, 5_400, 18_000, 50_400)
RECORDED = 5_000
"""Cells that are recorded at a time."""
BARE = 18_000
"""Cells up to which the bare DAG is planned too."""
SWITCHES: dict[str, tuple[str, ...]] = {
    "as it is": (),
    "--scheduler greedy": ("--scheduler", "greedy"),
    "--rerun-triggers mtime": ("--rerun-triggers", "mtime"),
    "--max-inventory-time 0": ("--max-inventory-time", "0"),
    "--max-checksum-file-size 0": ("--max-checksum-file-size", "0"),
    "--nolock": ("--nolock",),
    "--batch aggregate=1/4": ("--batch", "aggregate=1/4"),
    "--batch all=1/4": ("--batch", "all=1/4"),
    "--until generate": ("--until", "generate"),
    "50 judge jobs as one": ("--groups", "judge=verdicts", "--group-components", "verdicts=50"),
    "a row of scores": ("{row}",),
    "a cell": ("{cell}",),
}
"""Of Snakemake, in words and as arguments."""


TOUCHING = """
from snakemake.cli import main
from snakemake.executors.touch import Executor

Executor.SLEEPING_TIME = 0
main()
"""
"""`snakemake` that does not wait 0.1 s for every file that it touches."""


@dataclass(frozen=True)
class Took:
    """What a command took."""

    s: float
    """Of a core: what other processes do on the machine changes it less than the time on the clock."""
    mb: float
    """Peak memory."""
    output: str


def timed(command: Sequence[str | Path], folder: Path) -> Took:
    """Run a command. Raises RuntimeError with what it said where it fails."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = run(command, cwd=folder)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    took = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Took(took, done.peak_mb, done.output)


def snakemake(
    folder: Path, *arguments: str, entry: Sequence[str] = ("-m", "snakemake"), snakefile: Path = ROOT / "Snakefile"
) -> Took:
    """The workflow on the experiment in a folder."""
    command = [sys.executable, *entry, "--snakefile", snakefile, "--configfile", "experiment.yaml"]
    return timed([*command, *([] if "--cores" in arguments else ["--cores", "2"]), *arguments], folder)


def bare(folder: Path, cells: int) -> Took:
    """The bare DAG of as many cells, planned."""
    size = [f"models={cells // len(LANGUAGES)}", f"languages={len(LANGUAGES)}"]
    command = [sys.executable, "-m", "snakemake", "--snakefile", ROOT / "benchmarks" / "bare_dag.smk"]
    return timed([*command, "--cores", "2", "--config", *size, "-n", "--quiet", "all"], folder)


def finish(folder: Path, cells: int, *arguments: str) -> Took:
    """Make what looks like a finished experiment of the one in a folder; what recording it took."""
    named = re.findall(r"^    output: (.*)$", snakemake(folder, "-n").output, re.MULTILINE)
    for name in (name for line in named for name in line.split(", ")):
        path = folder / name
        if path.name == "weights":
            path.mkdir(parents=True)
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("{}" if path.suffix == ".json" else "", encoding="utf-8")
    # As many at a time as there are; but for every job that it starts the scheduler looks at all that are ready, so
    # some rows after the others, and then what is made of all of them.
    rows = [name for line in named for name in line.split(", ") if "/scores/rows/" in name]
    parts = max(1, cells // RECORDED)
    targets = [rows[part::parts] for part in range(parts)] if parts > 1 else []
    many = ("--cores", "1000", "--set-threads", "finetune=1", "generate=1", "base_model=1", "--scheduler", "greedy")
    options = ("--touch", "--quiet", "all", *many, *arguments)
    done = [snakemake(folder, "--forceall", *options, "--", *some, entry=("-c", TOUCHING)) for some in targets]
    # With nothing recorded yet, all of it.
    done.append(snakemake(folder, *([] if done else ["--forceall"]), *options, entry=("-c", TOUCHING)))
    return Took(sum(took.s for took in done), max(took.mb for took in done), done[-1].output)


def size_of(folder: Path) -> tuple[int, float]:
    """Files below a folder, and their MB."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return len(files), sum(path.stat().st_size for path in files) / 1e6


def measure(cells: int) -> dict[str, Any]:
    """All that is measured at one size."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write(folder, cells)
        plan = snakemake(folder, "-n", "--quiet", "all")
        found: dict[str, Any] = {"cells": cells, "plan_s": plan.s, "plan_mb": plan.mb}
        if cells <= BARE:
            base = bare(folder, cells)
            found |= {"bare_s": base.s, "bare_mb": base.mb}
        touch = finish(folder, cells)
        again = snakemake(folder)
        if "Nothing to be done" not in again.output:
            raise RuntimeError(f"{cells} cells: something is left to do:\n{again.output[-3000:]}")
        files, mb = size_of(folder / ".snakemake")
        mtime = snakemake(folder, "--rerun-triggers", "mtime")
        return found | {
            "record_s": touch.s,
            "again_s": again.s,
            "again_mb": again.mb,
            "again_mtime_s": mtime.s,
            "records": files,
            "records_mb": mb,
        }


def switches(cells: int) -> list[dict[str, Any]]:
    """What each switch changes, of planning anew and of a run where nothing is left."""
    found = []
    with tempfile.TemporaryDirectory() as name:
        fresh, finished, database = (Path(name, part) for part in ("fresh", "finished", "database"))
        for folder in (fresh, finished, database):
            write(folder, cells)
        finish(finished, cells)
        backend = ("--persistence-backend", "db")
        finish(database, cells, *backend)
        first = next((finished / "results/scores/rows").rglob("*.parquet")).relative_to(finished)
        cell = next((finished / "results/judgments").rglob("es.jsonl")).relative_to(finished)
        places = {"row": str(first), "cell": str(cell)}
        for words, arguments in SWITCHES.items():
            given = [argument.format(**places) for argument in arguments]
            plan = attempt(fresh, "-n", *given, "--quiet", "all")  # what follows --quiet is taken for its own
            found.append({"switch": words, "plan": plan, "again": attempt(finished, *given)})
        found.append({"switch": "--persistence-backend db", "plan": None, "again": attempt(database, *backend)})
    return found


def by_directive(cells: int) -> list[dict[str, Any]]:
    """Planning by the workflow, by it without one kind of directive more at a time, and by the bare DAG."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name, "experiment")
        write(folder, cells)
        found = []
        for left_out in range(len(directives.ORDER) + 1):
            snakefile = directives.stripped(Path(name, str(left_out)), left_out)
            took = snakemake(folder, "-n", "--quiet", "all", snakefile=snakefile)
            words = (
                f"without {directives.ORDER[left_out - 1]} either" if left_out > 1 else f"without {directives.ORDER[0]}"
            )
            found.append({"rules": words if left_out else "as they are", "s": took.s, "mb": took.mb})
        base = bare(folder, cells)
        return [*found, {"rules": "the bare DAG", "s": base.s, "mb": base.mb}]


def attempt(folder: Path, *arguments: str) -> dict[str, Any]:
    """Seconds and memory, or the last line of an error."""
    try:
        done = snakemake(folder, *arguments)
    except RuntimeError as error:
        return {"error": str(error).strip().splitlines()[-1]}
    return {"s": done.s, "mb": done.mb}


def law(sizes: Sequence[float], values: Sequence[float]) -> tuple[float, float]:
    """Exponent and factor of `factor * cells ** exponent`, by least squares over logarithms."""
    x, y = [math.log(size) for size in sizes], [math.log(value) for value in values]
    mean_x, mean_y = sum(x) / len(x), sum(y) / len(y)
    slope = sum((a - mean_x) * (b - mean_y) for a, b in zip(x, y, strict=True)) / sum((a - mean_x) ** 2 for a in x)
    return slope, math.exp(mean_y - slope * mean_x)


def render(found: dict[str, Any]) -> str:
    """The tables."""
    rows = sorted(found["sizes"].values(), key=lambda row: row["cells"])
    lines = [
        "# How planning grows",
        "",
        f"Made by `python benchmarks/scale.py` on {found['machine']}; {found['versions']}. Seconds are those of "
        "a core, one run a number. A bare DAG (benchmarks/bare_dag.smk) has as many jobs without params, logs, checks.",
        "",
        "| cells | plan, s | MB | bare DAG, s | MB | ratio | nothing left, s | MB | by times alone, s | records | MB |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for row in rows:
        there = "bare_s" in row
        base = (
            f"{row['bare_s']:.1f} | {row['bare_mb']:.0f} | {row['plan_s'] / row['bare_s']:.2f}"
            if there
            else "– | – | –"
        )
        lines.append(
            f"| {row['cells']:,} | {row['plan_s']:.1f} | {row['plan_mb']:.0f} | {base} | {row['again_s']:.1f} | "
            f"{row['again_mb']:.0f} | {row['again_mtime_s']:.1f} | {row['records']:,} | {row['records_mb']:.0f} |"
        )
    if len(rows) > 1:
        cells = [row["cells"] for row in rows]
        lines += ["", "| of | law | a cell more, at the largest size |", "| --- | --- | --- |"]
        names = {"plan_s": "seconds to plan", "plan_mb": "MB to plan", "again_s": "seconds where nothing is left"}
        for key, name in names.items():
            exponent, factor = law(cells, [row[key] for row in rows])
            before, last = rows[-2], rows[-1]
            step = (last[key] - before[key]) / (last["cells"] - before["cells"])
            unit = f"{1000 * step:.2f} ms" if key.endswith("_s") else f"{1000 * step:.0f} kB"
            lines.append(f"| {name} | {factor:.2g} · cells^{exponent:.2f} | {unit} |")
    for cells, tried in sorted(found.get("switches", {}).items(), key=lambda item: int(item[0])):
        lines += ["", f"At {int(cells):,} cells:", "", "| switch | plan, s | MB | nothing left, s | MB |"]
        lines.append("| --- | --- | --- | --- | --- |")
        for row in tried:
            sides = [row["plan"], row["again"]]
            cell = [
                "– | –"
                if side is None
                else f"{side['s']:.1f} | {side['mb']:.0f}"
                if "s" in side
                else f"{side['error']} |"
                for side in sides
            ]
            lines.append(f"| {row['switch']} | {cell[0]} | {cell[1]} |")
    for cells, parts in sorted(found.get("directives", {}).items(), key=lambda item: int(item[0])):
        lines += ["", f"At {int(cells):,} cells, the rules:", "", "| rules | plan, s | MB |", "| --- | --- | --- |"]
        lines += [f"| {part['rules']} | {part['s']:.1f} | {part['mb']:.0f} |" for part in parts]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure, and write the tables anew after each size."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sizes", nargs="*", type=int, help=f"cells; {', '.join(map(str, SIZES))} unless given")
    parser.add_argument("--switches", type=int, metavar="CELLS", help="try the switches at this size instead")
    parser.add_argument("--directives", type=int, metavar="CELLS", help="leave out directives at this size instead")
    parser.add_argument("--output", type=Path, default=RESULTS, help="folder of the results (default: %(default)s)")
    arguments = parser.parse_args()
    record = arguments.output / "scale.json"
    found: dict[str, Any] = json.loads(record.read_text(encoding="utf-8")) if record.is_file() else {"sizes": {}}
    found |= {"machine": machine(gpu=False), "versions": versions()}

    def keep() -> None:
        arguments.output.mkdir(parents=True, exist_ok=True)
        record.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
        record.with_suffix(".md").write_text(render(found), encoding="utf-8")

    if arguments.switches:
        found.setdefault("switches", {})[str(arguments.switches)] = switches(arguments.switches)
        keep()
    if arguments.directives:
        found.setdefault("directives", {})[str(arguments.directives)] = by_directive(arguments.directives)
        keep()
    if arguments.switches or arguments.directives:
        return
    for cells in arguments.sizes or SIZES:
        if shutil.disk_usage(tempfile.gettempdir()).free < 20e3 * cells:
            raise SystemExit(f"scale: {cells} cells take some {20e3 * cells / 1e9:.1f} GB of {tempfile.gettempdir()}")
        found["sizes"][str(cells)] = measure(cells)
        print(f"scale: {found['sizes'][str(cells)]}", flush=True)
        keep()


if __name__ == "__main__":
    main()
