"""Every comparison with what a user would take instead: `make bench`.

    python benchmarks/bench.py                  # all of them, some 30 minutes on 2 cores
    python benchmarks/bench.py training judging # some of them; the others keep their place in the table

On a machine with a GPU the sizes are larger, without another flag. The numbers go to benchmarks/results/cpu.json (or
gpu.json), the table that they make to the .md beside it.
"""

import argparse
import datetime
import importlib
import json
import os
import platform
import statistics
import sys
import time
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import whole_runs
from harness import ROOT, Measured

COMPARISONS = (
    "start",
    "planning",
    "training",
    "memory",
    "generation",
    "judging",
    "local_judge",
    "judge_calls",
    "again",
    "quickstart",
)
ON_REQUEST = ("chain", "quickstart_full")
"""What runs only where it is named: made for GPUs, or too long."""
LIBRARIES = ("torch", "transformers", "trl", "peft", "snakemake", "openai")
RESULTS = ROOT / "benchmarks" / "results"


def machine(gpu: bool) -> str:
    """What the numbers depend on, in a line."""
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        models = [line.split(":", 1)[1].strip() for line in cpuinfo.read_text().splitlines() if "model name" in line]
        model = models[0] if models else model
    said = f"{len(os.sched_getaffinity(0))} cores of {model}"
    if gpu:
        import torch

        said += f", {torch.cuda.get_device_name()}"
    return said


def versions() -> str:
    """Of Python and of the libraries that do the work."""
    return ", ".join([f"Python {platform.python_version()}", *(f"{name} {version(name)}" for name in LIBRARIES)])


def spread(numbers: list[float]) -> str:
    """The median, and the range where there is more than one number; nothing where there is none."""
    if not numbers:
        return ""
    middle = f"{statistics.median(numbers):.3g}"
    return middle if len(numbers) == 1 else f"{middle} ({min(numbers):.3g} to {max(numbers):.3g})"


def said(row: Measured) -> str:
    """One row, in a line."""
    if not row.theirs:
        return f"{row.what}: {spread(list(row.ours))} {row.unit}"
    if row.more_at_most is None:
        return f"{row.what}: {spread(row.ratios)} times {row.against}, target {row.target or 'none'}"
    return f"{row.what}: {spread(row.differences)} {row.unit} more than {row.against}, target {row.target}"


def render(found: dict[str, dict[str, Any]], kind: str) -> str:
    """The table of everything measured so far."""
    lines = [
        f"# Benchmarks, {kind.upper()}",
        "",
        "Made by `python benchmarks/bench.py` (`make bench`). Both sides run in turn on the same input; a number is "
        "the median of the rounds with its range. The ratio is ours over the baseline's, round by round; `+` marks a "
        "difference in its place.",
        "",
        "| what | baseline | unit | ours | baseline's | ratio | target | met |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    notes = []
    for name in (*COMPARISONS, *ON_REQUEST):
        for row in found.get(name, {}).get("rows", []):
            measured = Measured(**row)
            mark = ""
            if measured.note:
                notes.append(measured.note)
                mark = f" [{len(notes)}]"
            # Where a difference is what counts, a ratio would only confuse.
            compared = measured.ratios if measured.more_at_most is None else measured.differences
            sign = "" if measured.more_at_most is None else "+ "
            met = {True: "yes", False: "**no**", None: ""}[measured.met]
            lines.append(
                f"| {measured.what}{mark} | {measured.against} | {measured.unit} | {spread(list(measured.ours))} | "
                f"{spread(list(measured.theirs))} | {sign}{spread(compared)} | {measured.target} | {met} |"
            )
    lines += ["", *(f"{number}. {note}" for number, note in enumerate(notes, start=1)), "", "| comparison | measured |"]
    lines += ["| --- | --- |"]
    for name in (*COMPARISONS, *ON_REQUEST):
        if name in found:
            one = found[name]
            lines.append(
                f"| {name} | {one['date']}, {one['rounds']} rounds in {one['seconds']} s, {one['machine']}; "
                f"{one['versions']} |"
            )
    return "\n".join(lines) + "\n"


def measured(name: str, gpu: bool, rounds: int | None) -> dict[str, Any]:
    """What is kept of a comparison that is run now, in `rounds` rounds or its own number of them."""
    module = importlib.import_module(f"comparisons.{name}")
    rounds = rounds or int(module.ROUNDS)
    print(f"bench: {name}: {(module.__doc__ or '').splitlines()[0]}", flush=True)
    started = time.monotonic()
    rows: list[Measured] = module.compare(gpu, rounds)
    for row in rows:
        print(f"bench: {said(row)}", flush=True)
    return {
        "date": datetime.date.today().isoformat(),
        "machine": machine(gpu),
        "versions": versions(),
        "rounds": rounds,
        "seconds": round(time.monotonic() - started),
        "rows": [asdict(row) for row in rows],
    }


def main() -> int:
    """Run the comparisons asked for, and write the table anew after each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "names",
        nargs="*",
        metavar="NAME",
        help=f"of {', '.join(COMPARISONS)}, which are all unless given; or {', '.join(ON_REQUEST)}",
    )
    parser.add_argument("--rounds", type=int, help="of every comparison; each has its own number unless given")
    parser.add_argument("--output", type=Path, default=RESULTS, help="folder of the results (default: %(default)s)")
    arguments = parser.parse_args()
    if unknown := set(arguments.names) - {*COMPARISONS, *ON_REQUEST}:
        parser.error(f"no comparison called {', '.join(sorted(unknown))}")
    import torch

    gpu = torch.cuda.is_available()
    kind = "gpu" if gpu else "cpu"
    arguments.output.mkdir(parents=True, exist_ok=True)
    record = arguments.output / f"{kind}.json"
    found: dict[str, dict[str, Any]] = json.loads(record.read_text(encoding="utf-8")) if record.is_file() else {}
    failed = []
    try:
        for name in arguments.names or COMPARISONS:
            try:
                found[name] = measured(name, gpu, arguments.rounds)
            except Exception as error:
                # One comparison that cannot run here must not cost the others; it is named at the end.
                print(f"bench: {name}: failed: {type(error).__name__}: {error}", file=sys.stderr, flush=True)
                failed.append(name)
                continue
            record.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
            record.with_suffix(".md").write_text(render(found, kind), encoding="utf-8")
    finally:
        whole_runs.LEAVING.close()
    if failed:
        print(f"bench: failed: {', '.join(failed)}", file=sys.stderr)
    return len(failed)


if __name__ == "__main__":
    sys.exit(main())
