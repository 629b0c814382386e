"""What is wrong with a user's settings, told in one line: the key, the fault, the remedy."""

import re
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

LONGEST = 200
"""Characters of a value that are shown."""

_SECRET = re.compile("key|token|secret|password", re.IGNORECASE)

_EXPLAINED = {
    "missing": "required key is missing",
    "float_parsing": "{input} is not a number; write for example 0.0002",
    "float_type": "{input} is not a number; write for example 0.0002",
    "finite_number": "{input} is not a finite number",
    "int_parsing": "{input} is not a whole number",
    "int_type": "{input} is not a whole number",
    "int_from_float": "{input} is not a whole number",
    "string_type": "{input} is not a text; put it in quotes",
    "list_type": "{input} is not a list; write [ ] around it",
    "tuple_type": "{input} is not a list; write [ ] around it",
    "dict_type": "{input} is not a section of keys and values",
    "model_type": "{input} is not a section of keys and values",
    "model_attributes_type": "{input} is not a section of keys and values",
    "bool_parsing": "{input} is neither true nor false",
    "bool_type": "{input} is neither true nor false",
    "union_tag_not_found": "needs the key {discriminator}",
    "too_short": "has {actual_length} entries; it needs {min_length} or more",
    "too_long": "has {actual_length} entries; it needs {max_length}",
    "greater_than": "{input} must be more than {gt}",
    "greater_than_equal": "{input} must be {ge} or more",
    "less_than": "{input} must be less than {lt}",
    "less_than_equal": "{input} must be {le} or less",
    "literal_error": "{input} is not one of {expected}",
    "union_tag_invalid": "{tag!r} is not one of {expected_tags}",
    "string_pattern_mismatch": "{input} does not have the form {pattern}",
}


def _tags(data: Mapping[str, Any]) -> set[Any]:
    return {data[key] for key in ("design", "engine") if isinstance(data.get(key), str)}


def _key(location: tuple[Any, ...], data: Any) -> str:
    """A place in the user's file: pydantic puts the tag of a union into it, which is no key of the file, and the
    number of an entry even where one entry stands without a list."""
    key = ""
    for place, part in enumerate(location):
        if isinstance(part, int):
            if data is not None and not isinstance(data, list):
                continue  # one entry, written without a list
            key += f"[{part}]"
            data = data[part] if isinstance(data, list) and part < len(data) else None
        elif isinstance(data, Mapping) and part in _tags(data) and isinstance(location[place - 1], int):
            continue
        else:
            if part == "[key]":
                continue
            key += f".{part}" if key else str(part)
            data = data.get(part) if isinstance(data, Mapping) else None
    return key


def _shown(fault: Any) -> str:
    """The value that was found, shortened; not where it may be a key that was pasted in the place of its variable."""
    of = str(fault["loc"][-1]) if fault["loc"] else ""
    if _SECRET.search(of) or (of == "base_url" and "@" in str(fault.get("input"))):
        return "what stands there (not shown)"
    said = repr(fault.get("input"))
    return said if len(said) <= LONGEST else f"{said[:LONGEST]}..."


def explain(error: ValidationError, data: Any) -> str:
    """The first fault of a config in one line: key, what is wrong, what to do; and how many more there are."""
    faults = error.errors()
    first = faults[0]
    context = {**first.get("ctx", {}), "input": _shown(first)}
    template = _EXPLAINED.get(first["type"])
    if template and first["type"] != "missing" and first.get("input") is None:
        template = "has no value; give it one or leave the key out"
    message = template.format(**context) if template else first["msg"].removeprefix("Value error, ")
    more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
    key = _key(first["loc"], data)
    return f"{key}: {message}{more}" if key else f"{message}{more}"
