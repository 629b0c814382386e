"""What sections of the config are made of: numbers, language codes, and the refusal of keys that nobody knows."""

import difflib
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from pinch import languages

NAME = r"[A-Za-z0-9][A-Za-z0-9._-]*"

ADDRESS = r"^(https?://|file:)"
"""Of a server, or of the file in which it writes where it is."""


def _no_bool(value: Any) -> Any:
    if isinstance(value, bool):
        raise PydanticCustomError("not_a_number", "{value} is not a number", {"value": str(value).lower()})
    return value


def _code(value: Any) -> Any:
    if isinstance(value, bool):
        word = "no" if value is False else "on or yes"
        message = 'YAML reads an unquoted {word} as {value}; write the language code in quotes, like "no"'
        raise PydanticCustomError("yaml_bool", message, {"word": word, "value": str(value).lower()})
    if not isinstance(value, str) or not languages.is_code(value):
        near = languages.suggestions(str(value))
        hint = f"; did you mean {' or '.join(near)}?" if near else "; use an ISO 639 code such as es"
        raise PydanticCustomError(
            "language", "{value} is not a language code{hint}", {"value": repr(value), "hint": hint}
        )
    return value


def distinct(values: list[Any]) -> list[Any]:
    """The same list, if nothing stands in it twice."""
    repeated = sorted({str(value) for value in values if values.count(value) > 1})
    if repeated:
        raise PydanticCustomError("repeated", "names {what} more than once", {"what": ", ".join(repeated)})
    return values


# YAML reads 5e-5 as a string; pydantic makes a number of it, as it should.
Int = Annotated[int, BeforeValidator(_no_bool)]
Float = Annotated[float, BeforeValidator(_no_bool), Field(allow_inf_nan=False)]
Lang = Annotated[str, BeforeValidator(_code)]


class Strict(BaseModel):
    """A section of the config: a key that it does not have is an error that names the nearest one it has."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _known_keys(cls, data: Any) -> Any:
        if isinstance(data, Mapping):
            for key in data:
                if key not in cls.model_fields:
                    near = difflib.get_close_matches(str(key), list(cls.model_fields), n=1, cutoff=0.5)
                    hint = f"did you mean {near[0]!r}?" if near else f"known keys: {', '.join(cls.model_fields)}"
                    raise PydanticCustomError(
                        "unknown_key", "unknown key {key}; {hint}", {"key": repr(key), "hint": hint}
                    )
        return data
