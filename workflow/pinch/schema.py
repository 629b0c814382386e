"""schema: the config as JSON Schema, which editors use to complete keys and to mark faults."""

import argparse
import json

from pinch.config import Config
from pinch.rows import write_text


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `python -m pinch schema`."""
    parser.add_argument("output", help="file to write, .json")


def run(arguments: argparse.Namespace) -> str:
    """Write the schema."""

    write_text(arguments.output, text())
    return str(arguments.output)


def text() -> str:
    """The schema as it is committed."""
    return json.dumps(Config.model_json_schema(), indent=2, ensure_ascii=False) + "\n"
