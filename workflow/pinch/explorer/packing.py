"""Data files of the explorer: scripts that a page can load from a file, each with compressed JSON in it.

    // pinch 1 4c0f…                                        the format, and the digest of what the file was made from
    pinch.give("responses/gemma/en48/d0t0/es", "H4sI…");    its name, and base64 of gzip of JSON

A page opened from a file may fetch nothing, but it may load scripts. What is made from the same inputs is not made
again.
"""

import gzip
import json
from base64 import b64encode
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from pinch.rows import digest, file_digest, write_text

FORMAT = 1
"""Raised where the pages could not read older files."""


class Data:
    """The folder data/ of an explorer: what was written, left as it was, or deleted since it is of no use any more."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.kept: set[Path] = set()
        self.written = 0
        self.bytes = 0
        self._digests: dict[str, str] = {}

    def put(self, name: str, inputs: Iterable[str], told: Any, make: Callable[[], Any]) -> None:
        """Have data/{name}.js, from files `inputs` and from what else is `told`; `make` is called where it is not."""
        path = self.folder / f"{name}.js"
        head = f"// pinch {FORMAT} {digest([self._digest(file) for file in inputs], told)}\n"
        if not _begins(path, head):
            packed = b64encode(gzip.compress(_json(make()), compresslevel=6, mtime=0)).decode("ascii")
            write_text(path, f"{head}pinch.give({json.dumps(name)}, {json.dumps(packed)});\n")
            self.written += 1
        self.kept.add(path)
        self.bytes += path.stat().st_size

    def _digest(self, file: str) -> str:
        # A baseline's responses are of many cells.
        if file not in self._digests:
            self._digests[file] = file_digest(file)
        return self._digests[file]

    def clear(self) -> int:
        """Delete what no cell of the experiment uses any more; how many files that were."""
        old = [path for path in self.folder.rglob("*.js") if path not in self.kept]
        for path in old:
            path.unlink()
        for folder in sorted((path for path in self.folder.rglob("*") if path.is_dir()), reverse=True):
            if not any(folder.iterdir()):
                folder.rmdir()
        return len(old)


def _begins(path: Path, head: str) -> bool:
    try:
        with path.open(encoding="utf-8") as file:
            return file.readline() == head
    except FileNotFoundError:
        return False


def _json(data: Any) -> bytes:
    # Halves of surrogate pairs have no UTF-8; a page shows the mark of what cannot be shown.
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.encode("utf-8", errors="replace")
