"""Where each second of a finished run went: a table by rule, and inside the jobs that load a model.

    python benchmarks/where_time_goes.py                                  # the last run in this folder
    python benchmarks/where_time_goes.py --run FOLDER --log FILE --output table.md

Which jobs ran says Snakemake's log, and when, in whole seconds; to the millisecond it says its records of the output
files (.snakemake/metadata), where they are there. While several jobs run a second is divided among them, so that all
shares add up to the run; while none runs it is Snakemake's own: planning, choosing jobs, its records.
"""

import argparse
import base64
import json
import re
import statistics
import sys
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

TIME = re.compile(r"^\[(\w{3} \w{3} [ \d]\d \d\d:\d\d:\d\d \d{4})\]$")
STARTED = re.compile(r"^(?:local)?(?:rule|checkpoint) (\w+):$")
JOB = re.compile(r"^    jobid: (\d+)$")
ENDED = re.compile(r"^(?:Finished jobid: |Error in rule .*jobid: )(\d+)")
LOG = re.compile(r"^    log: (.+?)(?: \(check .*)?$")
OUTPUT = re.compile(r"^    output: ([^,]+)")
ELAPSED = re.compile(r"^Elapsed time: (?:(\d+) days?, )?(\d+):(\d\d):([\d.]+)$")
BETWEEN = "no job runs"

WORK = (
    # The rule, what it did meanwhile, and how its log says so; seconds are the last group.
    ("finetune", "training", re.compile(r"^finetune: .*: \d+ steps in ([\d.]+) s")),
    ("generate", "decoding", re.compile(r"^generate: .* responses, .* in ([\d.]+) s")),
    ("generate", "loading the model", re.compile(r"^generate: .*model loaded in ([\d.]+) s")),
)
REST = "starting Python, imports, the rest"


@dataclass
class Job:
    """One job of a run; times in seconds since its first line."""

    rule: str
    started: float
    ended: float | None = None
    log: str | None = None
    output: str | None = None

    @property
    def seconds(self) -> float:
        """Wall-clock seconds; 0 for a job that never ended."""
        return 0.0 if self.ended is None else self.ended - self.started


def read_log(lines: Iterable[str]) -> tuple[list[Job], datetime, float]:
    """The jobs of a log of Snakemake, its first time, and the seconds from that to its end.

    Raises ValueError where no job is in it.
    """
    jobs: dict[str, Job] = {}
    first: datetime | None = None
    now = 0.0
    begun: Job | None = None
    for line in lines:
        if said := TIME.match(line) or re.match(r"^  Date: (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)$", line):
            form = "%Y-%m-%d %H:%M:%S" if line.startswith(" ") else "%a %b %d %H:%M:%S %Y"
            moment = datetime.strptime(said[1], form)
            first = first or moment
            now = (moment - first).total_seconds()
        elif said := STARTED.match(line):
            begun = Job(said[1], now)
        elif begun and (said := LOG.match(line)):
            begun.log = said[1].split(", ")[0]
        elif begun and (said := OUTPUT.match(line)):
            begun.output = said[1]
        elif begun and (said := JOB.match(line)):
            jobs[said[1]] = begun
        elif (said := ENDED.match(line)) and said[1] in jobs:
            jobs[said[1]].ended = now
        elif said := ELAPSED.match(line):
            days, hours, minutes, seconds = (float(part or 0) for part in said.groups())
            now = ((days * 24 + hours) * 60 + minutes) * 60 + seconds
    # The target rule has neither shell nor time of its own.
    found = [job for job in jobs.values() if job.rule != "all"]
    if not found or first is None:
        raise ValueError("no job in this log")
    return found, first, now


def refine(jobs: Sequence[Job], began: datetime, records: Path) -> None:
    """Put the times of Snakemake's records in the place of the log's.

    A record of another run than the log's, which is seconds away from what that says, is left alone.
    """
    for job in jobs:
        name = base64.b64encode((job.output or "").encode()).decode()
        record = records / name
        # Snakemake breaks names that are too long for a file into folders; those jobs keep whole seconds.
        if job.ended is None or not 0 < len(name) < 255 or not record.is_file():
            continue
        times = json.loads(record.read_text(encoding="utf-8"))
        started, ended = (times[key] - began.timestamp() for key in ("starttime", "endtime"))
        if abs(started - job.started) < 2 and abs(ended - job.ended) < 2:
            job.started, job.ended = started, ended


def shares(jobs: Sequence[Job], total: float) -> dict[str, float]:
    """Seconds of the run by rule, and of those in which none ran under BETWEEN; they add up to `total`."""
    events = sorted(  # at the same second beginnings come first: many a job ends in the second in which it began
        [(job.started, 0, number) for number, job in enumerate(jobs)]
        + [(job.ended, 1, number) for number, job in enumerate(jobs) if job.ended is not None]
    )
    running: set[int] = set()
    spent: dict[str, float] = defaultdict(float)
    before = 0.0
    for moment, ends, number in [*events, (total, 1, -1)]:
        for runner in running:
            spent[jobs[runner].rule] += (moment - before) / len(running)
        if not running:
            spent[BETWEEN] += moment - before
        before = moment
        if ends:
            running.discard(number)
        else:
            running.add(number)
    return dict(spent)


def inside(jobs: Sequence[Job], run: Path) -> dict[str, dict[str, float]]:
    """Seconds by rule and part, for rules whose logs tell; a rule's parts add up to the seconds of its jobs."""
    found: dict[str, dict[str, float]] = {}
    for job in jobs:
        parts = [(part, pattern) for rule, part, pattern in WORK if rule == job.rule]
        file = run / job.log if job.log else None
        if not parts or file is None or not file.is_file() or job.ended is None:
            continue
        known = found.setdefault(job.rule, defaultdict(float))
        left = job.seconds
        for line in file.read_text(encoding="utf-8").split("\n"):
            for part, pattern in parts:
                if said := pattern.match(line):
                    known[part] += float(said[1])
                    left -= float(said[1])
        known[REST] += left
    return found


def table(jobs: Sequence[Job], total: float, run: Path) -> str:
    """The Markdown."""
    unfinished = sum(job.ended is None for job in jobs)
    lines = [
        f"{len(jobs)} jobs in {total:.0f} s" + (f", {unfinished} of them not finished" if unfinished else "") + "."
    ]
    lines += ["", "| rule | jobs | median job, s | seconds of the run | share |", "| --- | --- | --- | --- | --- |"]
    by_rule = shares(jobs, total)
    for rule, seconds in sorted(by_rule.items(), key=lambda item: -item[1]):
        own = [job.seconds for job in jobs if job.rule == rule and job.ended is not None]
        middle = f"{statistics.median(own):.1f}" if own else ""
        number = sum(job.rule == rule for job in jobs) or ""
        lines.append(f"| {rule} | {number} | {middle} | {seconds:.1f} | {seconds / total:.1%} |")
    if parts := inside(jobs, run):
        lines += ["", "Inside of the jobs that load a model, as their logs tell:", ""]
        lines += ["| rule | part | seconds | share of the run |", "| --- | --- | --- | --- |"]
        for rule, spent in parts.items():
            for part, seconds in sorted(spent.items(), key=lambda item: -item[1]):
                lines.append(f"| {rule} | {part} | {seconds:.1f} | {seconds / total:.1%} |")
    return "\n".join(lines) + "\n"


def newest_log(run: Path) -> Path:
    """Snakemake's log of the last run in a folder. Raises FileNotFoundError where there is none."""
    logs = sorted((run / ".snakemake" / "log").glob("*.snakemake.log"))
    if not logs:
        raise FileNotFoundError(f"{run}: nothing was run here (no .snakemake/log)")
    return logs[-1]


def main() -> int:
    """Print the table of a run, or write it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path, default=Path(), help="folder in which snakemake was called (default: here)")
    parser.add_argument("--log", type=Path, help="a log of Snakemake; the newest in RUN/.snakemake/log unless given")
    parser.add_argument("--title", default="Where each second goes", help="of the table (default: %(default)s)")
    parser.add_argument("--output", type=Path, help="file to write; printed unless given")
    arguments = parser.parse_args()
    try:
        log = arguments.log or newest_log(arguments.run)
        jobs, began, total = read_log(log.read_text(encoding="utf-8").split("\n"))
    except (OSError, ValueError) as error:
        print(f"where_time_goes: {error}", file=sys.stderr)
        return 1
    refine(jobs, began, arguments.run / ".snakemake" / "metadata")
    text = f"# {arguments.title}\n\n{table(jobs, total, arguments.run)}"
    if arguments.output:
        arguments.output.write_text(text, encoding="utf-8")
    else:
        print(text, end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
