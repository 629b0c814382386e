"""The pages of docs/reference/, made from the code: python docs/hooks/reference.py (which `make docs` does).

config.md from the config's schema, commands.md from the parsers of `python -m pinch LINK --help`, outputs.md from
`pinch.outputs`.
"""

import argparse
import json
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from pinch import outputs
from pinch.__main__ import LINKS

FOLDER = Path(__file__).parents[1] / "reference"

SCHEMA = Path(__file__).parents[2] / "workflow" / "schemas" / "config.schema.json"

MADE = "<!-- Made by docs/hooks/reference.py; do not edit. -->\n"

BOUNDS = {"minimum": "≥", "ge": "≥", "exclusiveMinimum": ">", "gt": ">"} | {
    **{"maximum": "≤", "le": "≤", "exclusiveMaximum": "<", "lt": "<"},
}

WORDS = {"string": "text", "integer": "whole number", "number": "number", "boolean": "true or false"}

Schema = Mapping[str, Any]


def table(head: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """A table of Markdown; line breaks become spaces, and what would end a cell is escaped."""

    def row(cells: Sequence[str]) -> str:
        return "| " + " | ".join(" ".join(cell.split()).replace("|", "\\|") for cell in cells) + " |\n"

    return row(head) + row(["---"] * len(head)) + "".join(map(row, lines))


# --- the config ---


def in_words(choices: Sequence[str]) -> str:
    """One of several: a, b or c."""
    several = list(dict.fromkeys(choices))
    return " or ".join([", ".join(several[:-1]), several[-1]] if len(several) > 1 else several)


def anchor(heading: str) -> str:
    """What the heading is called in links, on the site and where the repository is browsed."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-")


class ConfigPage:
    """Sections of the config, each once: first those that are keys of their own, then what they are made of."""

    def __init__(self, schema: Schema) -> None:
        self.schema = schema
        self.definitions: Schema = schema["$defs"]
        self.headings: dict[str, str] = {}
        """By definition, in the order of the page."""
        self._name(schema, "")

    def _name(self, section: Schema, path: str) -> None:
        """Give a heading to each definition that a section leads to: that of the first key to do so."""
        for key, value in section.get("properties", {}).items():
            where = f"{path}.{key}" if path else key
            found = list(references(value))
            for name in found:
                if name not in self.headings:
                    self.headings[name] = where if len(found) == 1 else f"{where}: {self._kind(name)}"
                    self._name(self.definitions[name], where)

    def _kind(self, name: str) -> str:
        """By what one of several is told from the others: the design, the engine."""
        for key in ("design", "engine"):
            value = self.definitions[name]["properties"].get(key, {})
            if "const" in value:
                return str(value["const"])
            if "enum" in value:
                return "services of the web"
        return "a source"

    def type(self, value: Schema) -> str:
        """A type in words."""
        if "$ref" in value:
            heading = self.headings[value["$ref"].rpartition("/")[2]]
            said = f"[{heading.rpartition(': ')[2]}](#{anchor(heading)})"
        elif "const" in value:
            said = f"`{value['const']}`"
        elif "enum" in value:
            said = in_words([f"`{one}`" for one in value["enum"]])
        elif several := value.get("anyOf") or value.get("oneOf"):
            said = in_words([self.type(one) for one in several if one.get("type") != "null"])
        elif value.get("type") == "array" and "prefixItems" in value:
            said = f"list of {len(value['prefixItems'])}: {', '.join(map(self.type, value['prefixItems']))}"
        elif value.get("type") == "array":
            said = f"list of {self.type(value['items'])}"
        elif value.get("type") == "object":
            inner = value.get("additionalProperties")
            said = f"mapping to {self.type(inner)}" if isinstance(inner, dict) else "mapping"
        else:
            bounds = [f"{sign} {value[key]:g}" for key, sign in BOUNDS.items() if key in value]
            said = ", ".join([WORDS.get(value.get("type", ""), "anything"), *bounds])
        return said

    def section(self, section: Schema) -> str:
        """The keys of a section."""
        required = section.get("required", [])
        lines = []
        for key, value in section["properties"].items():
            refers = list(references(value))
            default = value.get("default")
            if key in required:
                told = "required"
            elif default is None:
                told = "none"
            elif refers and isinstance(default, dict):
                told = "its own defaults"
            else:
                told = f"`{json.dumps(default, ensure_ascii=False)}`"
            meaning = value.get("description") or (
                self.definitions[refers[0]].get("description", "") if len(refers) == 1 else ""
            )
            lines.append((f"`{key}`", self.type(value), told, meaning))
        return table(("key", "type", "default", "meaning"), lines)

    def text(self) -> str:
        """The page."""
        parts = [
            MADE,
            "# Config",
            "Every key of an experiment's config, made from its schema (`workflow/schemas/config.schema.json`), by "
            "which editors complete and check a config that names it in its first line. `config.yaml` explains the "
            "keys where they stand, with examples. A key that is not here is an error that names the nearest one.",
            "A default of *none* means that the key may be left out, and that nothing takes its place but what its "
            "meaning says.",
            "## The whole",
            self.section(self.schema),
        ]
        for name, heading in self.headings.items():
            parts += [
                f"## {heading}",
                self.definitions[name].get("description", ""),
                self.section(self.definitions[name]),
            ]
        return "\n\n".join(part.strip() for part in parts if part) + "\n"


def references(value: Any) -> Iterator[str]:
    """The definitions that a value of the schema names, in order."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            if key == "$ref":
                yield inner.rpartition("/")[2]
            elif key != "discriminator":
                yield from references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from references(inner)


# --- the commands ---


def parsers(name: str) -> Iterator[tuple[str, str, argparse.ArgumentParser]]:
    """A link's command and its sub-commands, with what each is for."""
    parser = argparse.ArgumentParser(prog=f"python -m pinch {name}")
    import_module(f"pinch.{name}").add_arguments(parser)
    yield name, LINKS[name], parser
    yield from below(name, parser)


def below(name: str, parser: argparse.ArgumentParser) -> Iterator[tuple[str, str, argparse.ArgumentParser]]:
    """Sub-commands, and theirs."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            said = {choice.dest: choice.help or "" for choice in action._choices_actions}
            for word, inner in action.choices.items():
                yield f"{name} {word}", said.get(word, ""), inner
                yield from below(f"{name} {word}", inner)


def argument(action: argparse.Action) -> tuple[str, str, str]:
    """An argument as a line of the table: how it is written, its default, what it is for."""
    values = action.metavar or (f"{{{','.join(map(str, action.choices))}}}" if action.choices else action.dest)
    word = " ".join(values) if isinstance(values, tuple) else str(values)
    # argparse shows an option's value by its name in capitals.
    word = word.upper() if action.option_strings and not action.metavar and not action.choices else word
    many = {"*": f"[{word} ...]", "+": f"{word} [{word} ...]", "?": f"[{word}]"}.get(str(action.nargs), word)
    if action.nargs == 0:
        many = ""
    elif isinstance(action.nargs, int):
        many = " ".join([word] * action.nargs)
    written = f"`{' '.join(filter(None, [', '.join(action.option_strings), many]))}`"
    if action.required and (action.option_strings or action.nargs not in ("*", "?")):
        default = "required"
    elif action.default in (None, argparse.SUPPRESS, False, []):
        default = ""
    else:
        default = f"`{action.default}`"
    said = (action.help or "").replace("%(default)s", str(action.default)).replace("%%", "%")
    return written, default, said


def docstring(name: str) -> str:
    """What the link's module says of itself; examples, which are indented, as blocks."""
    text = (import_module(f"pinch.{name}").__doc__ or "").strip()
    first, _, rest = text.partition("\n")
    first = first.partition(": ")[2] or first
    blocks = re.split(r"\n{2,}", (first[:1].upper() + first[1:] + "\n" + rest).strip())
    return "\n\n".join(
        "```text\n" + "\n".join(line.removeprefix("    ") for line in block.split("\n")) + "\n```"
        if block.startswith("    ")
        else block
        for block in blocks
    )


def commands_page() -> str:
    """Every link's command, with all of its arguments."""
    parts = [
        MADE,
        "# Commands",
        "Every link of the chain is a command, and so is what looks at a finished run. Rules call them; you can too. "
        "`python -m pinch LINK --help` says the same in a terminal. A command that did its work ends with 0 and one "
        "line on what it did, one that could not with 1 and one line on why.",
        table(("command", "what it does"), [(f"[`{name}`](#{name})", said) for name, said in LINKS.items()]),
    ]
    for link in LINKS:
        for name, said, parser in parsers(link):
            parts.append(f"{'##' if name == link else '###'} {name}")
            parts.append(docstring(link) if name == link else said and f"{said[0].upper()}{said[1:]}.")
            lines = [
                argument(action)
                for action in parser._actions
                if not isinstance(action, argparse._SubParsersAction | argparse._HelpAction)
            ]
            if lines:
                parts.append(table(("argument", "default", "what it is"), lines))
    return "\n\n".join(part.strip() for part in parts if part) + "\n"


# --- the files ---


def outputs_page() -> str:
    """Every file of a results folder, and every column of its tables."""
    parts = [
        MADE,
        "# Output files and columns",
        "All below the experiment's `results` folder. JSONL has one object a line; CSV files open in any spreadsheet, "
        "numbers with three decimals. What stands in braces is one file each: `{judge}`, `{base}` and `{mixture}` are "
        "names, `{lang}` a language code, `{draw}` the draw of rows (`d0`), `{seed}` draw and training (`d0t0`), "
        "`{baseline}` the config's `judge.baseline`.",
        "## Files",
    ]
    for title, files in outputs.FILES.items():
        parts += [f"### {title}", table(("file", "what it is"), [(f"`{name}`", said) for name, said in files.items()])]
    for title, (said, columns) in outputs.TABLES.items():
        parts += [f"## Columns of {title}", said]
        parts.append(table(("column", "unit", "meaning"), [(f"`{name}`", *told) for name, told in columns.items()]))
    return "\n\n".join(part.strip() for part in parts if part) + "\n"


def pages() -> dict[str, str]:
    """The pages by name."""
    return {
        "config.md": ConfigPage(json.loads(SCHEMA.read_text(encoding="utf-8"))).text(),
        "commands.md": commands_page(),
        "outputs.md": outputs_page(),
    }


def main() -> int:
    """Write them."""
    FOLDER.mkdir(exist_ok=True)
    for name, text in pages().items():
        (FOLDER / name).write_text(text, encoding="utf-8", newline="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
