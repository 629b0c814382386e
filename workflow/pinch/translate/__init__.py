"""translate: the pivot's data in another language, each row under its id."""

import argparse

from pinch.rows import TranslatedRow, source_rows, write_rows
from pinch.translate.engines import ENGINES


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `python -m pinch translate`."""
    parser.add_argument("--split", choices=["train", "eval"], required=True)
    parser.add_argument("--lang", required=True, help="language to translate into")
    parser.add_argument("--pivot", required=True, help="language of the source")
    parser.add_argument("--source", required=True, help="JSONL with id, instruction, response")
    parser.add_argument("--engine", choices=sorted(ENGINES), default="memory")
    parser.add_argument("--memory", help="translation memory, JSONL or TMX")
    parser.add_argument("--output", required=True)


def run(arguments: argparse.Namespace) -> str:
    """Translate one split into one language; rows in = rows out, or an error that lists the ids."""
    source = source_rows(arguments.source, arguments.split, arguments.pivot)
    if arguments.lang == arguments.pivot:
        engine_name = "none"
        pairs = [(row.instruction, row.response) for row in source]
    else:
        engine_name = arguments.engine
        engine = ENGINES[engine_name](arguments)
        pairs = engine.translate(source, arguments.pivot, arguments.lang)
    translated = [
        TranslatedRow(
            id=row.id,
            lang=arguments.lang,
            instruction=instruction,
            response=response,
            source=row.instruction,
            engine=engine_name,
        )
        for row, (instruction, response) in zip(source, pairs, strict=True)
    ]
    write_rows(arguments.output, translated)
    return f"{arguments.split} {arguments.lang}: {len(source)} rows in, {len(translated)} out, engine {engine_name}"
