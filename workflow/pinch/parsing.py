"""JSON and YAML as strangers write them: what the parsers would let pass or fall over becomes a ValueError.

Doubled keys, of which a parser keeps the last one and says nothing; nesting that is meant to break a reader; halves of
surrogate pairs, which could be read and never be written down; aliases of YAML that stand for themselves, or for
millions.
"""

import json
import re
from collections.abc import Hashable, Mapping
from typing import Any

import yaml

MOST_VALUES = 100_000
"""Of a config, each alias counted as what it stands for; the whole paper's has a few hundred."""

DEEPEST = 50
"""Levels of lists and sections in a config; ours have six."""

_HALF = re.compile(r"\\u[dD][89a-fA-F]")


def parse_json(text: str) -> Any:
    """The value of a JSON text. Raises ValueError (json.JSONDecodeError where it knows the place) saying what is wrong.

    NaN and Infinity are let pass, since other programs write them into columns that nobody reads here: a field that is
    read has a type that refuses them.
    """
    try:
        value = json.loads(text, object_pairs_hook=_distinct)
    except RecursionError:
        raise ValueError("it is nested too deep to be read") from None
    if _HALF.search(text) and not _writable(value):
        raise ValueError("it holds half of a surrogate pair, which is no character")
    return value


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"the key {twice[:100]!r} is there twice")
    return found


def _writable(value: Any) -> bool:
    try:
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


class _Loader(yaml.SafeLoader):
    """Plain data only, as SafeLoader; a doubled key is an error."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        """A merge (<<) may be overridden; what stands beside it may not stand twice."""
        if isinstance(node, yaml.MappingNode):
            seen = set()
            for key, _ in node.value:
                if isinstance(key, yaml.ScalarNode) and key.tag != "tag:yaml.org,2002:merge":
                    if key.value in seen:
                        raise yaml.constructor.ConstructorError(
                            None, None, f"the key {key.value[:100]!r} is there twice", key.start_mark
                        )
                    seen.add(key.value)
        return super().construct_mapping(node, deep)


def parse_yaml(text: str) -> Any:
    """The value of a YAML text. Raises ValueError saying what is wrong and where, without the text itself.

    What a parser quotes of a file could be a key that its author meant to keep for himself.
    """
    try:
        return yaml.load(text, _Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f" (line {mark.line + 1}, column {mark.column + 1})" if mark else ""
        said = ", ".join(filter(None, [error.context, error.problem]))
        raise ValueError(f"{said}{place}") from None
    except yaml.YAMLError as error:
        raise ValueError(" ".join(str(error).split())) from None
    except RecursionError:
        raise ValueError("it is nested too deep to be read") from None
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
        # What constructors let through: a date with a month 13, a !!bool that is none, a number of 5,000 digits.
        raise ValueError(f"a value is not of the type that it looks like: {error}") from None


def check_plain(data: Any) -> None:
    """Raise ValueError naming the key where a config is endless, or a text in it has a character that no text has."""
    left = MOST_VALUES
    waiting: list[tuple[str, int, Any]] = [("", 0, data)]
    while waiting:
        key, depth, value = waiting.pop()
        left -= 1
        if left < 0 or depth > DEEPEST:
            raise ValueError(f"{key[:100]}: is nested too deep, or grows without end by its aliases; write it out")
        if isinstance(value, Mapping):
            for name, below in value.items():
                if not isinstance(name, str):
                    word = f"{key}: " if key else ""
                    raise ValueError(f"{word}YAML makes {name!r} of a key, which is no text; write it in quotes")
                _check_text(key, name)
                waiting.append((f"{key}.{name}" if key else str(name), depth + 1, below))
        elif isinstance(value, list | tuple):
            waiting += [(f"{key}[{place}]", depth + 1, below) for place, below in enumerate(value)]
        elif isinstance(value, str):
            _check_text(key, value)
        elif value is not None and not isinstance(value, bool | int | float):
            raise ValueError(f"{key}: YAML makes a {type(value).__name__} of it; write text in quotes")


def _check_text(key: str, value: Any) -> None:
    if isinstance(value, str) and (found := re.search("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]", value)):
        raise ValueError(f"{key}: holds the character U+{ord(found[0]):04X}, which no name, path or text has")
