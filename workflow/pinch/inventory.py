"""R/manifest.json: every file of a finished run by its digest, and with what the runs that made them worked.

Weights are left to the manifest.json beside them, which has their digest since they were trained.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pinch import made
from pinch.rows import digest, file_digest, read_json, write_json

NAME = "manifest.json"

NOT_KEPT = {
    "logs": "what was said, with times",
    "benchmarks": "measurements of time",
    "spending.sqlite": "the ledger, to which later runs add",
    "partial": "figures of an unfinished experiment, drawn by hand",
    NAME: "this record itself",
}
"""Names at the top of a results folder that are in no record, and why."""

OF_THE_JOB = {
    "seconds": "time",
    "device": "its number of threads",
    "tokens_per_second": "time",
    "cached": "how much the last job found in the cache",
    "calls_now": "how much it had to ask for",
    "peak_memory_bytes": "depends on what else the machine does",
    "memory_plan": "the same, in words",
}
"""Keys of records in models/, generations/ and translations/ that tell of the job, not of what it made."""


def files(results: Path) -> Iterator[tuple[str, Path]]:
    """What a record holds, by its name below results. Folders of other experiments may lie in it, and are theirs."""
    for folder, below, names in os.walk(results):
        parts = Path(folder).relative_to(results).parts
        below[:] = sorted(
            name
            for name in below
            if not name.startswith(".")
            and not (not parts and name in NOT_KEPT)
            and not (parts[:1] == ("models",) and name == "weights")
            and not (not parts and Path(folder, name, "experiment.json").is_file())
        )
        for name in sorted(names):
            if not name.startswith(".") and (parts or name not in NOT_KEPT):
                yield "/".join((*parts, name)), Path(folder, name)


def record(results: Path, settings: Any) -> dict[str, Any]:
    """Write R/manifest.json, and return it. What has neither changed in size nor in time is not read again."""
    path = results / NAME
    old = read_json(path) if path.is_file() else {"runs": [], "files": {}}
    run = {"config_digest": digest(settings), **made.environment()}
    runs = [*old["runs"], run] if run not in old["runs"][-1:] else old["runs"]
    found: dict[str, Any] = {}
    for name, file in files(results):
        about = file.stat()
        stamp = {"bytes": about.st_size, "changed_ns": about.st_mtime_ns}
        known = old["files"].get(name)
        if known and {key: known[key] for key in stamp} == stamp:
            found[name] = known
            continue
        sum_ = file_digest(file)
        by = known["run"] if known and known["sha256"] == sum_ else len(runs) - 1
        found[name] = {"sha256": sum_, **stamp, "run": by}
    written = {"runs": runs, "files": found}
    write_json(path, written)
    return written
