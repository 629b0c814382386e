"""schema: the config as JSON Schema, which editors use to complete keys and to mark faults."""

import argparse
import ast
import inspect
import json
from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel

from pinch.config import Config
from pinch.config.fields import Strict
from pinch.rows import write_text


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `python -m pinch schema`."""
    parser.add_argument("output", help="file to write, .json")


def run(arguments: argparse.Namespace) -> str:
    """Write the schema."""

    write_text(arguments.output, text())
    return str(arguments.output)


def text() -> str:
    """The schema as it is committed, every key described by the docstring below it in the code."""
    schema = Config.model_json_schema()
    sections = {section.__name__: section for section in _sections(Strict)}
    for name, definition in [("Config", schema), *schema["$defs"].items()]:
        described = _docstrings(sections[name]) if name in sections else {}
        for key, found in definition.get("properties", {}).items():
            if key in described:
                definition["properties"][key] = dict(sorted({**found, "description": described[key]}.items()))
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def _sections(section: type[BaseModel]) -> Iterator[type[BaseModel]]:
    for below in section.__subclasses__():
        yield below
        yield from _sections(below)


def _docstrings(section: type[BaseModel]) -> dict[str, str]:
    """The docstrings of its attributes, by name, and of those that it inherits.

    Not by pydantic's own option, which reads the source of all sections at every start of every job.
    """
    found: dict[str, str] = {}
    for level in reversed(section.__mro__):
        if not issubclass(level, Strict):
            continue
        (parsed,) = ast.parse(inspect.getsource(level)).body
        assert isinstance(parsed, ast.ClassDef)
        for attribute, below in zip(parsed.body, parsed.body[1:], strict=False):
            documented = isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant)
            if isinstance(attribute, ast.AnnAssign) and isinstance(attribute.target, ast.Name) and documented:
                said: Any = below.value.value  # type: ignore[attr-defined]
                found[attribute.target.id] = inspect.cleandoc(said)
    return found
