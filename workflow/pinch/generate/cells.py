"""Cells in the cache: the responses of one model in one language, under a name made of all that they depend on."""

import json
from collections.abc import Sequence
from functools import cache
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from pinch import LINK_VERSIONS, made, modelling
from pinch.config import Generate
from pinch.errors import PinchError
from pinch.generate.rows_of_base import Model
from pinch.rows import GenerationRow, TranslatedRow, canonical, digest, file_digest, read_rows, write_text

LIBRARIES: dict[str, tuple[str, ...]] = {"transformers": ("transformers", "torch"), "vllm": ("vllm",), "endpoint": ()}
"""On which responses depend, by engine."""

SUM = "sha256"
"""Key of the last line of a cell in the cache: of the lines before it."""


def read_prompts(path: Path, lang: str, limit: int) -> list[TranslatedRow]:
    """The first `limit` prompts of a language (0: all), less those dropped by the gate after translation.

    Raises PinchError where they are in another language, or none is left.
    """
    rows = read_rows(path, TranslatedRow)
    wrong = next((row for row in rows if row.lang != lang), None)
    if wrong:
        raise PinchError(f"{path}: id {wrong.id!r}: lang is {wrong.lang!r}, expected {lang!r}")
    passed = [row for row in rows[: limit or None] if not row.dropped]
    if not passed:
        raise PinchError(f"{path}: none of {len(rows[: limit or None])} prompts passed the gate (translate.gate.eval)")
    return passed


class Prompts:
    """The evaluation prompts by language, each read once."""

    def __init__(self, folder: str | Path, limit: int) -> None:
        self.folder, self.limit = Path(folder), limit
        self._read: dict[str, list[TranslatedRow]] = {}
        self._digests: dict[str, str] = {}

    def there(self, lang: str) -> bool:
        """Whether they are translated yet."""
        return (self.folder / f"{lang}.jsonl").is_file()

    def of(self, lang: str) -> list[TranslatedRow]:
        """Raises PinchError as `read_prompts` does."""
        if lang not in self._read:
            self._read[lang] = read_prompts(self.folder / f"{lang}.jsonl", lang, self.limit)
        return self._read[lang]

    def digest(self, lang: str) -> str:
        """Of what a model is shown of them."""
        if lang not in self._digests:
            self._digests[lang] = prompts_digest(self.of(lang))
        return self._digests[lang]


def prompts_digest(prompts: Sequence[TranslatedRow]) -> str:
    """Of what a model is shown of prompts."""
    return digest([[row.id, row.lang, row.instruction] for row in prompts])


@cache
def _template() -> str:
    return file_digest(modelling.TEMPLATE)


def engine_versions(settings: Generate) -> list[str]:
    """What decodes. An endpoint does not say its version: what its models are called must tell them apart."""
    found: list[str] = [settings.engine]
    for name in LIBRARIES[settings.engine]:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:  # who has to decode says so
            found.append(f"no {name}")
    return found


def cell_key(model: str, prompts: str, settings: Generate, seed: str, chat: bool) -> str:
    """The name of a cell in the cache: equal where nothing that its content depends on differs.

    `model` and `prompts` are digests.
    """
    decoding = {name: value for name, value in settings.deciding().items() if name != "untuned_prompt"}
    template = _template() if chat else "raw"
    engine = [LINK_VERSIONS["generate"], *engine_versions(settings)]
    # Greedy decoding has no chance in it: the seeds share a cell of the untuned model.
    return digest(model, prompts, decoding, template, engine, seed if settings.temperature else "greedy")


def read_cell(path: Path) -> list[GenerationRow] | None:
    """The responses of a cell of the cache; None where it is not there, or is not as it was written.

    What is damaged is deleted, so that it is generated again, and that is said.
    """
    try:
        text = path.read_bytes()
    except FileNotFoundError:
        return None
    rows, _, last = text.removesuffix(b"\n").rpartition(b"\n")
    rows += b"\n" if rows else b""
    try:
        said = json.loads(last)
        whole = SUM not in said or said[SUM] == _sum(rows.decode("utf-8"))  # older versions wrote no such line
        if whole:
            data = [json.loads(line) for line in text.decode("utf-8").split("\n") if line]
            return [GenerationRow.model_validate(row) for row in data if SUM not in row]
    except (ValueError, TypeError):
        pass
    print(f"generate: {path}: the cell in the cache is damaged, and is made again", flush=True)
    path.unlink(missing_ok=True)
    return None


def made_with(path: Path) -> dict[str, Any]:
    """Of a cell in the cache: versions and device; nothing of cells that older versions wrote."""
    last = json.loads(path.read_bytes().removesuffix(b"\n").rpartition(b"\n")[2])
    return {key: last[key] for key in ("made_with", "device", "cpu") if key in last} if SUM in last else {}


def _sum(text: str) -> str:
    return sha256(text.encode("utf-8")).hexdigest()


class Cells:
    """The folder of cells, and the locks of the models that they are of."""

    def __init__(self, folder: Path, prompts: Prompts, settings: Generate) -> None:
        self.folder, self.prompts, self.settings = folder, prompts, settings
        folder.mkdir(parents=True, exist_ok=True)

    def path(self, model: Model, lang: str) -> Path:
        """Where a cell is, or will be. Raises PinchError where its prompts cannot be read."""
        prompts = self.prompts.digest(lang)
        return self.folder / f"{cell_key(model.digest, prompts, self.settings, model.seed, model.chat)}.jsonl"

    def missing(self, model: Model, langs: Sequence[str]) -> list[str]:
        """The languages whose cells are not there; those that are not translated yet are left to themselves."""
        return [lang for lang in langs if self.prompts.there(lang) and not self.path(model, lang).is_file()]

    def keep(self, model: Model, lang: str, responses: Sequence[GenerationRow]) -> None:
        """Put a cell into the cache, with a last line by which it is known whole, and with what it was made."""
        text = "".join(response.model_dump_json() + "\n" for response in responses)
        last = {SUM: _sum(text), "made_with": self._made_with(), "device": self._device(), "cpu": made.cpu()}
        write_text(self.path(model, lang), f"{text}{canonical(last)}\n")

    def _made_with(self) -> dict[str, str]:
        return made.versions(LIBRARIES[self.settings.engine])

    def _device(self) -> str:
        return modelling.device_name() if LIBRARIES[self.settings.engine] else "a server"

    def lock(self, model: Model) -> Path:
        """The file that who fills cells of a model holds."""
        return self.folder / f".{model.digest[:16]}.lock"
