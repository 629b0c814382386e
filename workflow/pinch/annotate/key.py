"""What an annotation asks, and the key that says which model each item of its sheets is of."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pinch.errors import PinchError
from pinch.rows import digest, read_json

SHEET_FORMAT = "pinch-annotation/1"
"""Of a filled sheet that the page saves; raised, as that of the key, where an older one could not be read any more."""

TaskName = Literal["ratings", "pairs"]
Side = Literal["candidate", "baseline"]


@dataclass(frozen=True)
class Task:
    """What annotators are asked."""

    title: str
    question: str
    choices: dict[str, tuple[str, str]]
    """What is written down, and what the page says of it: a word or two, and what it means."""
    fields: tuple[str, ...]
    """The texts of an item, as columns of the CSV sheet."""


TASKS: dict[TaskName, Task] = {
    # Zhou et al. (2023), "LIMA", section 4.3, whose scale the paper takes.
    "ratings": Task(
        "Rate each response",
        "How well does the response do what the instruction asks?",
        {
            "excellent": ("Excellent", "an excellent response to the instruction"),
            "pass": ("Pass", "it meets the requirements of the instruction"),
            "fail": ("Fail", "it does not meet the requirements of the instruction"),
        },
        ("instruction", "response"),
    ),
    # The three answers of Zhou et al. (2023), section 4.1.
    "pairs": Task(
        "Choose the better response",
        "Which of the two responses to the instruction is better?",
        {
            "first": ("First", "the first response is better"),
            "second": ("Second", "the second response is better"),
            "tie": ("Tie", "neither is significantly better"),
        },
        ("instruction", "first", "second"),
    ),
}

OUTCOMES = {"candidate": 1.0, "tie": 0.5, "baseline": 0.0}
"""Of a choice between two, for the candidate."""

GRADES = {"fail": 0, "pass": 1, "excellent": 2}
"""Ratings in their order."""


# They become parts of paths.
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._+-]*$")]
Lang = Annotated[str, Field(pattern=r"^[a-z]{2,3}$")]


class Strict(BaseModel):
    """Part of key.json."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Item(Strict):
    """One question on one sheet."""

    sheet: str
    mixture: Name
    lang: Lang
    id: str
    first: Side | None
    """Whose response is shown first; None for ratings."""
    shown: str
    """Digest of the texts as they are shown, in this order; see `shown_digest`."""
    responses: dict[Side, str]
    """Digest of each response as it is in the run."""


class Sheet(Strict):
    """One annotator's questions in one language, in their order."""

    annotator: Annotated[int, Field(ge=1, le=1_000_000)]
    """Counted from 1; what no table could hold is no number of an annotator."""
    lang: Lang
    items: list[str]


class Pair(Strict):
    """A pair of identical responses, about which nobody is asked."""

    mixture: str
    lang: str
    id: str


class Key(Strict):
    """key.json: never for annotators."""

    format: Literal["pinch-annotation-key/1"]
    export: str
    task: TaskName
    baseline: Name
    """As in the config: judge.baseline."""
    baselines: dict[Lang, Name]
    """By language: the training set of its baseline."""
    labels: dict[Name, str]
    """By training set: what figures call it."""
    base: Name
    seed: Name
    shuffle_seed: int
    sheets: dict[str, Sheet]
    items: dict[str, Item]
    identical: list[Pair]


def read_key(folder: str | Path) -> Key:
    """The key of an export. Raises PinchError where there is none, or it does not hold together."""
    path = Path(folder, "key.json")
    data = read_json(path)
    try:
        key = Key.model_validate(data)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise PinchError(f"{path}: is not a key made by annotate export: {where}: {first['msg']}") from None
    if fault := _fault(key):
        raise PinchError(f"{path}: {fault}; export again")
    listed = [token for sheet in key.sheets.values() for token in sheet.items]
    if sorted(listed) != sorted(key.items):
        raise PinchError(f"{path}: its sheets and its items do not fit each other; export again")
    return key


def _fault(key: Key) -> str | None:
    """What does not fit in a key that has the form of one."""
    for token, item in key.items.items():
        if item.mixture not in key.labels or item.lang not in key.baselines:
            return f"item {token!r} is of a model or a language that the key does not list"
        if (item.first is None) != (key.task == "ratings"):
            return f"item {token!r} is no item of {key.task}"
        if item.sheet not in key.sheets or token not in key.sheets[item.sheet].items:
            return f"item {token!r} is not on its sheet"
        if key.sheets[item.sheet].lang != item.lang:
            return f"item {token!r} is in another language than its sheet"
    return None


def normal(text: str) -> str:
    """A text without what spreadsheets change of it: kinds of white space, control characters, a leading apostrophe."""
    return " ".join(re.sub(r"[\x00-\x1f\x7f-\x9f\s]+", " ", text).strip().lstrip("'").split())


def shown_digest(texts: list[str]) -> str:
    """The digest by which a sheet's texts are known again, whether a page or a spreadsheet wrote them."""
    return digest([normal(text) for text in texts])[:16]
