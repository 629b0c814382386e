"""Where the state of an unfinished training is kept: outside of all that Snakemake deletes, whole or not at all."""

import os
import shutil
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from pinch.rows import digest, file_digest, read_json, write_json

RECORD = "checkpoint.json"
"""Lists the files of a checkpoint with their digests, and its own. Nothing is read before they are right."""
PATIENCE = 60.0
"""Seconds for a process that is about to die to finish its own last checkpoint."""


class Store:
    """The checkpoints of one training: a folder of the cache by the digest of all that its weights depend on."""

    def __init__(self, cache: Path, key: str) -> None:
        self.folder = cache / "checkpoints" / key
        self.scratch = self.folder / "unfinished"
        self._lock = ExitStack()

    def open(self) -> bool:
        """Take the folder for this process; False where another one trains the same and has it."""
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(self.folder.with_suffix(".lock"))
        try:
            self._lock.enter_context(lock.acquire(timeout=0))
        except Timeout:
            print("finetune: another process trains the same; waiting for its last checkpoint", flush=True)
            try:
                self._lock.enter_context(lock.acquire(timeout=PATIENCE))
            except Timeout:
                return False
        shutil.rmtree(self.scratch, ignore_errors=True)
        return True

    def newest(self) -> Path | None:
        """The newest checkpoint, its digests compared; one that is not whole is named, deleted and not used."""
        for step in sorted(self._steps(), reverse=True):
            folder = self.folder / f"step-{step}"
            fault = _fault(folder)
            if fault is None:
                return folder
            print(f"finetune: {folder}: {fault}; this checkpoint is not used", flush=True)
            shutil.rmtree(folder)
        return None

    def keep(self, made: Path, step: int, facts: Mapping[str, Any]) -> int:
        """Take what is in the folder `made` as the checkpoint of a step, in the place of older ones; its bytes."""
        files = sorted(path for path in made.rglob("*") if path.is_file())
        digests = {path.relative_to(made).as_posix(): file_digest(path) for path in files}
        size = sum(path.stat().st_size for path in files)
        said = {"step": step, **facts, "files": digests}
        write_json(made / RECORD, {**said, "digest": digest(said)})
        for path in (*files, made, *(path for path in made.rglob("*") if path.is_dir())):
            _to_disk(path)
        target = self.folder / f"step-{step}"
        shutil.rmtree(target, ignore_errors=True)
        made.rename(target)
        _to_disk(self.folder)
        for older in self._steps():
            if older != step:
                shutil.rmtree(self.folder / f"step-{older}", ignore_errors=True)
        return size

    def close(self, finished: bool = False) -> None:
        """Let go of the folder; delete it where the training is finished."""
        if finished:
            shutil.rmtree(self.folder, ignore_errors=True)
        else:
            shutil.rmtree(self.scratch, ignore_errors=True)
        self._lock.close()  # its file stays: who waits for it has it open

    def _steps(self) -> list[int]:
        names = [path.name.removeprefix("step-") for path in self.folder.glob("step-*")]
        return [int(name) for name in names if name.isdecimal()]


def _fault(folder: Path) -> str | None:
    """What is wrong with a checkpoint, in words; None where it is as it was written."""
    try:
        said = read_json(folder / RECORD)
        if said.pop("digest") != digest(said):
            return f"{RECORD} is not as it was written"
        there = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()} - {RECORD}
        for name in sorted(there ^ set(said["files"])):
            return f"{name} is {'too many' if name in there else 'missing'}"
        for name, expected in said["files"].items():
            if file_digest(folder / name) != expected:
                return f"{name} is not as it was written"
    except Exception as error:  # whatever a damaged record holds
        return f"{RECORD} cannot be read ({type(error).__name__})"
    return None


def _to_disk(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
