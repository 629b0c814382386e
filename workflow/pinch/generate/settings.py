"""The section `generate` of a config, as the rule hands it over: what responses depend on, and the rest."""

import json

from pydantic import ValidationError

from pinch.arguments import text_of
from pinch.config import Generate
from pinch.errors import PinchError
from pinch.faults import explain


def read_settings(settings: str, transport: str) -> Generate:
    """Both JSON objects together. Raises PinchError naming the option or the key at fault."""
    found = []
    for option, text in (("--settings", settings), ("--transport", text_of(transport))):
        try:
            data = json.loads(text)
        except json.JSONDecodeError:
            data = None
        if not isinstance(data, dict):
            raise PinchError(f"{option}: {text!r} is not a JSON object")
        found.append(data)
    whole = {**found[0], **found[1]}
    for section in ("endpoint", "vllm"):  # of which one half decides, the other travels
        if all(section in half for half in found):
            whole[section] = {**found[0][section], **found[1][section]}
    try:
        return Generate.model_validate(whole)
    except ValidationError as error:
        raise PinchError(f"--settings: {explain(error, whole)}") from None
