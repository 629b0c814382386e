"""What every job of the workflow finds in its environment."""

import os
import sys
from pathlib import Path


def prepare(library: Path, cache: str, finetune: str) -> None:
    """Set PATH, PYTHONPATH, PINCH_CACHE and PINCH_FINETUNE for the jobs that this process starts.

    The Python that runs Snakemake runs the jobs, whether or not its environment is activated, and
    `python -m pinch` works in each of them, from any directory, under conda and as a module of another workflow.
    The cache is told by the environment because a parameter would be a rerun trigger: moving it must rerun nothing.
    So is `finetune`, JSON that says where trainings run: the text of their command is a trigger too.
    """
    _prepend("PATH", Path(sys.executable).parent)
    _prepend("PYTHONPATH", library)
    os.environ["PINCH_CACHE"] = str(Path(cache).absolute())
    os.environ["PINCH_FINETUNE"] = finetune


def _prepend(name: str, folder: Path) -> None:
    others = [part for part in os.environ.get(name, "").split(os.pathsep) if part and part != str(folder)]
    os.environ[name] = os.pathsep.join([str(folder), *others])
