"""With what files were made: versions, hardware, the state of the repository. Never an input of anything, as it must
not rerun anything."""

import platform
import subprocess
from collections.abc import Iterable
from functools import cache
from importlib.metadata import PackageNotFoundError, distributions, version
from pathlib import Path
from typing import Any

from pinch import LINK_VERSIONS, __version__

REPOSITORY = Path(__file__).parents[2]


def versions(names: Iterable[str]) -> dict[str, str]:
    """Versions of Python and of libraries; those that are not installed are left out."""
    found = {"python": platform.python_version()}
    for name in names:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def environment() -> dict[str, Any]:
    """All that a run works with: software to the last package, hardware, and the commit of the workflow."""
    packages = {item.name.lower().replace("_", "-"): item.version for item in distributions() if item.name}
    return {
        "pinch": __version__,
        "links": dict(LINK_VERSIONS),
        "repository": repository(),
        "python": platform.python_version(),
        "packages": dict(sorted(packages.items())),
        "hardware": hardware(),
    }


def hardware() -> dict[str, Any]:
    """Of this machine; GPUs by name, as the driver tells them."""
    import psutil

    return {
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "cpu": cpu(),
        "cores": psutil.cpu_count(),
        "memory_bytes": psutil.virtual_memory().total,
        "gpus": _lines("nvidia-smi", "--query-gpu=name", "--format=csv,noheader"),
    }


@cache
def cpu() -> str:
    """The model of the processor."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    found = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(found, platform.processor() or platform.machine())


def repository() -> dict[str, Any] | None:
    """The commit of the workflow, and whether files differ from it; None outside of git."""
    commit = _lines("git", "-C", str(REPOSITORY), "rev-parse", "HEAD")
    if not commit:
        return None
    return {"commit": commit[0], "dirty": bool(_lines("git", "-C", str(REPOSITORY), "status", "--porcelain"))}


def _lines(*command: str) -> list[str]:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return []
    return done.stdout.splitlines() if done.returncode == 0 else []
