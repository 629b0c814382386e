"""What a translation engine is, and the one that needs nobody: a translation memory."""

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from pinch.errors import PinchError
from pinch.rows import MemoryRow, SourceRow, read_rows

Translation = tuple[str, str | None]
"""Instruction and response; the response is None where the source has none."""


class Engine(Protocol):
    """What translates rows."""

    def translate(self, rows: Sequence[SourceRow], source: str, target: str) -> list[Translation]:
        """One translation a row, in the order of the rows. Raises PinchError naming the ids that it cannot do."""
        ...


class Memory:
    """What a team had translated before: exact match by id and text."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        if not arguments.memory:
            raise PinchError("translate.memory: the engine memory needs a file; give --memory")
        self.path = Path(arguments.memory)

    def translate(self, rows: Sequence[SourceRow], source: str, target: str) -> list[Translation]:
        """Raises PinchError listing the ids without a translation, and those whose source text has changed."""
        find = _from_tmx(self.path, source, target) if self.path.suffix == ".tmx" else _from_jsonl(self.path, target)
        found = [find(row) for row in rows]
        missing = [row.id for row, translation in zip(rows, found, strict=True) if translation is None]
        if missing:
            shown = ", ".join(missing[:50]) + (f" and {len(missing) - 50} more" if len(missing) > 50 else "")
            raise PinchError(
                f"{self.path}: no {target} translation of {len(missing)} of {len(rows)} rows "
                f"(same id and same {source} text): {shown}"
            )
        return [translation for translation in found if translation is not None]


def _from_jsonl(path: Path, target: str) -> Callable[[SourceRow], Translation | None]:
    units = {unit.id: unit for unit in read_rows(path, MemoryRow)}
    for unit in units.values():
        if unit.lang not in (None, target):
            raise PinchError(f"{path}: id {unit.id!r}: lang is {unit.lang!r}, wanted is {target!r}")

    def find(row: SourceRow) -> Translation | None:
        unit = units.get(row.id)
        if unit is None or unit.source_instruction != row.instruction:
            return None
        if not row.response:
            return unit.instruction, None
        if unit.source_response != row.response or not (unit.response or "").strip():
            return None
        return unit.instruction, unit.response

    return find


def _from_tmx(path: Path, source: str, target: str) -> Callable[[SourceRow], Translation | None]:
    """A unit may say whose it is (tuid="t001.instruction"), and then serves that row alone; else its text counts."""
    from defusedxml import DefusedXmlException
    from defusedxml.ElementTree import ParseError, parse

    try:
        root = parse(path).getroot()
    except (ParseError, DefusedXmlException) as error:
        raise PinchError(f"{path}: is not TMX: {error}") from None
    if root is None or root.tag != "tmx":
        raise PinchError(f"{path}: is not TMX: its root element is not <tmx>")
    units: dict[tuple[str | None, str], str] = {}
    for unit in root.iter("tu"):
        texts: dict[str, str] = {}
        for variant in unit.iter("tuv"):
            code = variant.get("{http://www.w3.org/XML/1998/namespace}lang") or variant.get("lang") or ""
            segment = variant.find("seg")
            texts[code.split("-")[0].lower()] = "".join(segment.itertext()) if segment is not None else ""
        if texts.get(source, "").strip() and texts.get(target, "").strip():
            units.setdefault((unit.get("tuid"), texts[source]), texts[target])

    def text(row: SourceRow, field: str, value: str) -> str | None:
        return units.get((f"{row.id}.{field}", value)) or units.get((None, value))

    def find(row: SourceRow) -> Translation | None:
        instruction = text(row, "instruction", row.instruction)
        response = text(row, "response", row.response) if row.response else None
        return None if instruction is None or (row.response and response is None) else (instruction, response)

    return find
