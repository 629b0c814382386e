"""What sections of the config are made of: numbers, language codes, and the refusal of keys that nobody knows."""

import difflib
import re
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from pinch import languages

SECRET = re.compile("api_?key|token$|secret|passw|authorization", re.IGNORECASE)

KEY_ITSELF = "unknown key {key}; keys and passwords are not written into a config: name a variable by api_key_env"

LONGEST_NAME = 60
"""Of the three in the name of a figure; file systems take 255 bytes."""

NAME = r"[A-Za-z0-9][A-Za-z0-9._-]{0,59}"
"""Of what becomes part of a path: no separator, nothing hidden, no option, no way up."""

FIGURE = r"[A-Za-z0-9][A-Za-z0-9._-]*"
"""Names joined."""


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


def _path(value: str) -> str:
    if len(value.splitlines()) > 1:
        message = "{value} has a line break in it, which lists of files cannot hold; rename it"
        raise PydanticCustomError("path", message, {"value": repr(value)})
    if value.startswith("-"):
        message = "{value} begins with -, which programs take for an option; write ./{path} or rename it"
        raise PydanticCustomError("path", message, {"value": repr(value), "path": value})
    return value


def _file_path(value: str) -> str:
    if set("{}") & set(_path(value)):
        message = "{value} has braces in it, which are wildcards to Snakemake; rename it"
        raise PydanticCustomError("path", message, {"value": repr(value)})
    return value


def _address(value: str) -> str:
    # The value is not shown: it may hold what must not be in a config.
    if "@" in value:
        message = "must not hold a user, a password or any @; name the variable that holds a key by api_key_env"
        raise PydanticCustomError("address", message)
    if set("?#") & set(value) or re.search(r"\s", value):
        raise PydanticCustomError("address", "must be an address with no ?, # or space in it")
    return value


def _server(value: str) -> str:
    return _path(value) if value.startswith("file:") else _address(value)


def _variable(value: str) -> str:
    if re.match(r"(sk|pk|rk|hf|gsk|ghp|xai|key)[-_]", value) or (
        len(value) >= 20 and "_" not in value and re.search(r"\d", value) and re.search(r"[A-Za-z]", value)
    ):
        message = "must be the name of an environment variable, such as JUDGE_API_KEY; it looks like a key itself"
        raise PydanticCustomError("variable", message)
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
FilePath = Annotated[str, AfterValidator(_file_path)]
PathTemplate = Annotated[str, AfterValidator(_path)]
"""The same, with fields in braces that are filled in here."""
BaseUrl = Annotated[str, Field(pattern=r"^https?://"), AfterValidator(_address)]
"""Of an endpoint; never with a key in it, since it is written into results and logs."""
ServerUrl = Annotated[str, Field(pattern=r"^(https?://|file:.)"), AfterValidator(_server)]
"""The same, or the file in which a server writes where it is."""
KeyVariable = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$"), AfterValidator(_variable)]
"""The environment variable that holds a key."""
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
                    if SECRET.search(str(key)) and not str(key).endswith("_env"):
                        raise PydanticCustomError("key_itself", KEY_ITSELF, {"key": repr(key)})
                    near = difflib.get_close_matches(str(key), list(cls.model_fields), n=1, cutoff=0.5)
                    hint = f"did you mean {near[0]!r}?" if near else f"known keys: {', '.join(cls.model_fields)}"
                    raise PydanticCustomError(
                        "unknown_key", "unknown key {key}; {hint}", {"key": repr(key), "hint": hint}
                    )
        return data
