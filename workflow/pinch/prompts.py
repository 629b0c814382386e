"""Judge prompts: text files with fields, ours in workflow/prompts/ or the user's anywhere."""

from pathlib import Path

from pinch.errors import PinchError

PROMPTS = Path(__file__).parents[1] / "prompts"


def read_prompt(name: str) -> str:
    """A prompt file, ours by its name or the user's by its path. Raises PinchError if it lacks a field."""
    path = PROMPTS / name if (PROMPTS / name).is_file() else Path(name)
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        ours = ", ".join(sorted(file.name for file in PROMPTS.glob("*.txt")))
        raise PinchError(f"judges: prompt {name}: {error.strerror}; ours are {ours}") from None
    for field in ("{instruction}", "{response_1}", "{response_2}"):
        if field not in text:
            raise PinchError(f"judges: prompt {path} lacks the field {field}")
    return text.strip()
