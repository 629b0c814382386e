"""translate: the pivot's data in another language, each row under its id."""

import argparse
from collections.abc import Callable

from pinch.cache import cache_folder
from pinch.rows import TranslatedRow, source_rows, write_rows
from pinch.translate.engines import Engine, Memory
from pinch.translate.google import Google

ENGINES: dict[str, Callable[[argparse.Namespace], Engine]] = {"google": Google, "memory": Memory}

COPIED_LETTERS = 40
"""A text of so many letters that comes back unchanged was not translated; shorter ones are often names."""


def flags_of(pairs: list[tuple[str, str | None]]) -> list[str]:
    """What is suspicious in a row, given its texts beside their translations; a flag drops nothing."""
    copied = any(
        text == translation and sum(character.isalpha() for character in text) >= COPIED_LETTERS
        for text, translation in pairs
    )
    return ["copied"] if copied else []


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `python -m pinch translate`."""
    parser.add_argument("--split", choices=["train", "eval"], required=True)
    parser.add_argument("--lang", required=True, help="language to translate into")
    parser.add_argument("--pivot", required=True, help="language of the source")
    parser.add_argument("--source", required=True, help="JSONL with id, instruction, response")
    parser.add_argument("--engine", choices=sorted(ENGINES), default="memory")
    parser.add_argument("--memory", help="translation memory, JSONL or TMX; for the engine memory")
    parser.add_argument(
        "--cache", default=cache_folder(), help="folder of the translations kept; default: $PINCH_CACHE"
    )
    parser.add_argument("--output", required=True)


def run(arguments: argparse.Namespace) -> str:
    """Translate one split into one language; rows in = rows out, or an error that lists the ids."""
    source = source_rows(arguments.source, arguments.split, arguments.pivot)
    if arguments.lang == arguments.pivot:
        engine_name = "none"
        flags: list[list[str]] = [[] for _ in source]
        pairs = [(row.instruction, row.response) for row in source]
    else:
        engine_name = arguments.engine
        engine = ENGINES[engine_name](arguments)
        pairs = engine.translate(source, arguments.pivot, arguments.lang)
        flags = [
            flags_of([(row.instruction, instruction), (row.response or "", response)])
            for row, (instruction, response) in zip(source, pairs, strict=True)
        ]
    translated = [
        TranslatedRow(
            id=row.id,
            lang=arguments.lang,
            instruction=instruction,
            response=response,
            source=row.instruction,
            engine=engine_name,
            flags=flagged,
        )
        for row, (instruction, response), flagged in zip(source, pairs, flags, strict=True)
    ]
    write_rows(arguments.output, translated)
    copied = [row.id for row in translated if "copied" in row.flags]
    more = f"; {len(copied)} came back untranslated, flagged: {', '.join(copied[:20])}" if copied else ""
    return (
        f"{arguments.split} {arguments.lang}: {len(source)} rows in, {len(translated)} out, engine {engine_name}{more}"
    )
